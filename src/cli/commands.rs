//! What `taskr check` doubts of commands by reading them: a program that is not there, an exit code
//! that a pipe drops, words that `exec` passes on although a shell was meant.

use indexmap::IndexMap;

use crate::error::{Diagnostic, quoted};
use crate::expr::plain_words;
use crate::parse::{Command, Target, Text, Var};

/// Behind one of these options a pattern is for the program itself, as in `find -name '*.c'`.
const TAKES_PATTERNS: char = '-';

/// The shell that does not lose an exit code.
const PIPEFAIL: &str = "shell = [\"bash\", \"-eu\", \"-o\", \"pipefail\", \"-c\"]";

/// A pipe in a recorded target: its success would be recorded although a part of it failed.
pub(super) fn lossy_pipe(target: &Target) -> Option<Diagnostic> {
    let Some(Command::Shell(lines)) = &target.command else { return None };
    let shell = target.shell.iter().flatten();
    if shell.map(|word| word.template.source()).any(|word| word.contains("pipefail")) {
        return None;
    }
    // Another language has another `|`.
    let program = target.shell.as_ref().and_then(|shell| shell.first());
    let program = program.map_or("sh", |word| word.template.source());
    let name = program.rsplit('/').next().unwrap_or(program);
    if !matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash") {
        return None;
    }
    let sets = |text: &&Text| text.template.source().contains("pipefail");
    if lines.iter().any(|line| sets(&line)) {
        return None;
    }
    let (line, range) = lines.iter().find_map(|line| Some((line, line.template.lossy_pipe()?)))?;
    Some(
        Diagnostic::warning(
            "the exit code of what stands before `|` is lost: it may fail, and the task succeeds",
        )
        .at(line.place_of(range), "a shell ends with the code of the last command")
        .help(format!("write {PIPEFAIL}, here or below [defaults]; or a file between the two")),
    )
}

/// A word of bash in a script for `sh`, where it fails, or worse, is only false.
pub(super) fn bash_word(target: &Target) -> Option<Diagnostic> {
    let Some(Command::Shell(lines)) = &target.command else { return None };
    if target.shell.is_some() {
        return None;
    }
    let (text, word) = lines.iter().find_map(|text| {
        let found = text.template.source().lines().find_map(first_of_bash);
        Some((text, found?))
    })?;
    let message = format!("`{word}` is of bash, and `run` is for `sh`");
    Some(
        Diagnostic::warning(message)
            .at(text.place.clone(), "")
            .help("write shell = [\"bash\", \"-euc\"], here or below [defaults]"),
    )
}

fn first_of_bash(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let name = line.split('=').next().unwrap_or_default();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match () {
        () if line.starts_with('#') => None,
        () if line.split_whitespace().any(|word| word == "[[") => Some("[["),
        () if line.starts_with("source ") => Some("source"),
        () if is_name && line[name.len()..].starts_with("=(") => Some("=(…)"),
        () => None,
    }
}

/// `{{.NAME}}`, which is text for a program with templates of its own, where there is a variable of
/// that name.
pub(super) fn other_template(target: &Target, vars: &IndexMap<String, Var>) -> Option<Diagnostic> {
    let is_variable = |name: &&str| vars.contains_key(*name) || target.vars.contains_key(*name);
    let (text, name) = target.texts().find_map(|text| {
        let mut pieces = text.template.source().split("{{").skip(1);
        Some((text, pieces.find_map(|piece| dotted(piece).filter(is_variable))?))
    })?;
    let message = format!("`{{{{.{name}}}}}` is plain text: here nothing is put in its place");
    Some(
        Diagnostic::warning(message)
            .at(text.place.clone(), "")
            .help(format!("for the variable write `{{{{ {name} }}}}`")),
    )
}

fn dotted(piece: &str) -> Option<&str> {
    let (inside, _) = piece.split_once("}}")?;
    inside.trim().strip_prefix('.')
}

/// The one program of a script that is a plain command.
pub(super) fn plain_program(target: &Target) -> Option<(String, &Text)> {
    let Some(Command::Shell(lines)) = &target.command else { return None };
    let [line] = &lines[..] else { return None };
    if target.shell.is_some() {
        return None;
    }
    let program = plain_words(line.template.as_literal()?)?.into_iter().next()?;
    Some((program, line))
}

/// An argument of `exec` that a shell would have replaced, or taken for a redirection.
pub(super) fn not_for_exec(target: &Target) -> Option<Diagnostic> {
    let Some(Command::Exec(words)) = &target.command else { return None };
    let mut before = "";
    for text in words.iter().skip(1) {
        let source = text.template.source();
        let is_value = std::mem::replace(&mut before, source).starts_with(TAKES_PATTERNS);
        let Some(label) =
            text.template.as_literal().and_then(|word| meant_for_shell(word, is_value))
        else {
            continue;
        };
        let message =
            format!("`exec` has no shell: the program gets {} as it stands", quoted(source));
        return Some(Diagnostic::warning(message).at(text.place.clone(), label).help(format!(
            "write `run`, or, if the program itself takes it, \"{{{{ '{source}' }}}}\""
        )));
    }
    None
}

/// What a shell would make of a word. `is_value`: an option stands before it.
fn meant_for_shell(word: &str, is_value: bool) -> Option<&'static str> {
    if word.contains([' ', '\n', '\'', '"', '\\']) {
        return None;
    }
    let name = word.split_once('$').map(|(_, name)| name.trim_start_matches('{'));
    let is_variable = |name: &str| {
        let letters = name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        letters.count() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase())
    };
    let redirects = word.trim_start_matches(|c: char| c.is_ascii_digit());
    match word {
        _ if name.is_some_and(is_variable) => Some("a shell would put the variable's value here"),
        _ if word == "~" || word.starts_with("~/") => Some("a shell would put your home here"),
        _ if redirects.starts_with('>') && redirects.len() > 1 && !redirects.starts_with(">=") => {
            Some("a shell would write to a file")
        }
        _ if !is_value && !word.starts_with('-') && is_glob(word) => {
            Some("a shell would put the files here that it matches")
        }
        _ => None,
    }
}

/// `*.c`, `src/*`: a `*` in what is else a path.
fn is_glob(word: &str) -> bool {
    let in_paths = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
    word.contains('*') && word.chars().all(in_paths) && word.contains(['.', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_bash_are_known() {
        assert_eq!(first_of_bash("if [[ -f x ]]; then"), Some("[["));
        assert_eq!(first_of_bash("  files=(a b)"), Some("=(…)"));
        assert_eq!(first_of_bash("source x.sh"), Some("source"));
        for line in ["# [[ x", "echo '[[a'", "a=$(b)", "sources x", "[ -f x ]", "a (b)"] {
            assert_eq!(first_of_bash(line), None, "{line}");
        }
    }

    #[test]
    fn words_that_only_a_shell_replaces_are_known() {
        for word in ["$HOME", "${HOME}/x", "a/$OUT/b", "~/x", ">out", "2>err", "*.c", "src/*"] {
            assert!(meant_for_shell(word, false).is_some(), "{word}");
        }
        let others =
            ["$1", "^a$", "a.c", "-I*", "{print $NF}", "~x", ">=1.2", "*", "a*b", "s/a/$b/"];
        for word in others {
            assert!(meant_for_shell(word, false).is_none(), "{word}");
        }
        assert!(meant_for_shell("*.c", true).is_none(), "of an option");
    }
}
