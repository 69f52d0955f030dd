//! The grammars of names, and the names that are taken.

/// Longer names are refused: they become file names.
pub(super) const LONGEST_NAME_BYTES: usize = 200;

/// What expressions offer; no variable may hide it.
pub(super) const BUILT_IN: &[&str] = &[
    "args", "arch", "ci", "depfile", "dir", "env", "inputs", "item", "items", "jobs", "matrix",
    "name", "os", "out", "outputs", "package", "profile", "state", "target",
];

/// Words of the expression language itself.
pub(super) const KEYWORDS: &[&str] = &[
    "and", "else", "false", "False", "if", "in", "is", "loop", "none", "None", "not", "or", "true",
    "True",
];

/// `[A-Za-z0-9_][A-Za-z0-9_-]*`, up to 200 bytes.
pub(super) fn is_target(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty()
        && name.len() <= LONGEST_NAME_BYTES
        && !name.starts_with('-')
        && name.bytes().all(allowed)
}

/// `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_variable(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(allowed)
}

/// `name` with `other` for everything that a target's name cannot hold, if that makes one. Not for
/// letters with accents, which would be lost.
pub fn as_target(name: &str) -> Option<String> {
    let made = replaced(name, |c| c.is_ascii_alphanumeric() || c == '_' || c == '-', '-');
    is_target(&made).then_some(made)
}

/// `name` with `_` for everything that a variable's name cannot hold, if that makes one. Not for
/// letters with accents, which would be lost.
pub(super) fn as_variable(name: &str) -> Option<String> {
    let made = replaced(name, |c| c.is_ascii_alphanumeric() || c == '_', '_');
    is_variable(&made).then_some(made)
}

fn replaced(name: &str, allowed: impl Fn(char) -> bool, other: char) -> String {
    if !name.is_ascii() {
        return String::new();
    }
    let made: String = name.chars().map(|c| if allowed(c) { c } else { other }).collect();
    made.trim_matches(other).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars() {
        for good in ["a", "0", "_", "build-all_2", "a-"] {
            assert!(is_target(good), "{good}");
        }
        for bad in ["", "-a", "a.b", "a b", "é", "a/b", "a@b", ":a"] {
            assert!(!is_target(bad), "{bad}");
        }
        assert!(is_target(&"a".repeat(200)) && !is_target(&"a".repeat(201)));
        for good in ["a", "_", "PATH", "a1"] {
            assert!(is_variable(good), "{good}");
        }
        for bad in ["", "1a", "a-b", "a.b", "é", "a b"] {
            assert!(!is_variable(bad), "{bad}");
        }
    }

    #[test]
    fn near_names() {
        assert_eq!(as_target("a.b c").as_deref(), Some("a-b-c"));
        assert_eq!(as_target("é"), None);
        assert_eq!(as_variable("c-flags").as_deref(), Some("c_flags"));
        assert_eq!(as_variable("1"), None);
    }
}
