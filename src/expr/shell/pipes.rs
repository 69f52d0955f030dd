//! Pipes whose first command may fail without anybody noticing: `sh` ends with the exit code of the
//! last.
//!
//! Tells only what is sure to be a pipe, and where the code is not asked for.

use std::ops::Range;

use super::context::{VALUE, unsafe_values};
use crate::expr::{Part, Template};

/// Words that begin a command without being one.
const BEFORE_COMMANDS: [&str; 7] = ["{", "do", "then", "else", "exec", "command", "time"];

/// Before a pipe these fail for no reason that matters, or their code is a question.
const HARMLESS: [&str; 11] =
    ["echo", "printf", "yes", ":", "true", "if", "elif", "while", "until", "!", "case"];

/// The first `|` of a script that drops an exit code, in the bytes of the template's source.
pub(super) fn first_lossy(template: &Template) -> Option<Range<usize>> {
    let source = template.source();
    // Its patterns have a `|` of their own; and who names it knows.
    if source.contains("case ") || source.contains("pipefail") || source.contains("PIPESTATUS") {
        return None;
    }
    let (mut script, mut pipes) = (Vec::with_capacity(source.len()), Vec::new());
    for part in &template.0.parts {
        let Part::Text(range) = part else {
            script.push(b'x');
            continue;
        };
        for at in range.clone() {
            let bytes = source.as_bytes();
            let next = bytes.get(at + 1).copied();
            let before = at.checked_sub(1).and_then(|at| bytes.get(at).copied());
            let alone = next != Some(b'|') && !matches!(before, Some(b'|' | b'>' | b'\\'));
            if bytes[at] == b'|' && alone {
                pipes.push((script.len(), at));
                script.push(VALUE);
            } else {
                script.push(bytes[at]);
            }
        }
    }
    if pipes.is_empty() {
        return None;
    }
    let quoted: Vec<usize> = unsafe_values(&script).into_iter().map(|(at, _)| at).collect();
    let plain = pipes.into_iter().filter(|(at, _)| quoted.binary_search(at).is_err());
    let mut lossy = plain.filter(|(at, _)| may_fail(&script[..*at]));
    lossy.next().map(|(_, at)| at..at + 1)
}

/// Whether the last command of a piece of a script may fail, and that is not asked for.
fn may_fail(before: &[u8]) -> bool {
    let (mut quote, mut start, mut skips) = (None, 0, false);
    for (at, &byte) in before.iter().enumerate() {
        match (byte, quote) {
            _ if std::mem::take(&mut skips) => {}
            (b'\\', None | Some(b'"')) => skips = true,
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(open)) if open == byte => quote = None,
            (b'\n' | b';' | b'(' | b'`' | VALUE, None) => start = at + 1,
            (b'&' | b'|', None) if before.get(at + 1) == Some(&byte) => start = at + 2,
            _ => {}
        }
    }
    let command = String::from_utf8_lossy(before.get(start..).unwrap_or_default());
    let first = command.split_whitespace().find(|word| !BEFORE_COMMANDS.contains(word));
    first.is_some_and(|word| !HARMLESS.contains(&word))
}
