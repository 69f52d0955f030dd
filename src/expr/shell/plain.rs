//! Scripts that need no shell.

/// What a shell does itself when a command has this name, in `dash`, `bash` or `ash`: reserved
/// words and builtins, also those with a twin among programs.
const SHELL_WORDS: [&str; 85] = [
    "!",
    ".",
    ":",
    "[",
    "[[",
    "]]",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "newgrp",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
    "{",
    "}",
];

/// The words of a script that is one simple command, of a program, whose words a shell would
/// pass on exactly as they stand: no expansion, redirection, glob, assignment, comment, and no
/// word that a shell itself answers. `None` where that is not sure.
pub fn plain_words(script: &str) -> Option<Vec<String>> {
    let words = literal_words(script)?;
    let program = words.first()?;
    let is_program = !program.is_empty()
        && !program.starts_with(['-', '+'])
        && !SHELL_WORDS.contains(&program.as_str());
    is_program.then_some(words)
}

/// The same for what no shell will read: its own words are programs then.
pub fn literal_words(script: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = script.trim_matches('\n');
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            break;
        }
        let (word, behind) = word(rest, words.is_empty())?;
        words.push(word);
        rest = behind;
    }
    words.first().is_some_and(|program| !program.is_empty()).then_some(words)
}

/// The first word of `text` without its quotes, and what stands behind it.
fn word(text: &str, is_program: bool) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            ' ' | '\t' => break,
            '\'' | '"' => {
                let (quoted, behind) = behind.split_once(first)?;
                let expands = first == '"' && quoted.contains(['$', '`', '\\']);
                if expands || quoted.contains(['\n', '\0']) {
                    return None;
                }
                word.push_str(quoted);
                behind
            }
            '\\' => {
                let escaped = behind.chars().next().filter(|c| !matches!(c, '\n' | '\0'))?;
                word.push(escaped);
                &behind[escaped.len_utf8()..]
            }
            _ if is_plain(first) || (first == '=' && !is_program) => {
                word.push(first);
                behind
            }
            _ => return None,
        };
    }
    Some((word, rest))
}

/// Characters that no shell gives a meaning, wherever in a word they stand.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | ',' | '+' | '@' | '%')
}
