//! Names of targets across packages, and what may be written to name some.
//!
//! A *full name* is `//packages/ui:build`, of the root's own targets `build`: no two targets of a
//! workspace share one. The folder of a package holds no `:`, the name of a target neither `:` nor
//! `@`, so a full name with a pick behind it (`//packages/ui:obj@src/a.c`) reads in one way.

/// The full name of a target of the package in `dir`, which is empty for the root.
pub fn full_name(dir: &str, target: &str) -> String {
    if dir.is_empty() { target.to_owned() } else { format!("//{dir}:{target}") }
}

/// The folder and the target of a full name.
pub fn split_name(full: &str) -> (&str, &str) {
    full.strip_prefix("//").and_then(|rest| rest.split_once(':')).unwrap_or(("", full))
}

/// A name without the pick behind its `@`, and the pick.
pub fn split_pick(name: &str) -> (&str, Option<&str>) {
    let start = if name.starts_with("//") { name.find(':').unwrap_or(0) } else { 0 };
    match name[start..].find('@') {
        Some(at) => (&name[..start + at], Some(&name[start + at + 1..])),
        None => (name, None),
    }
}

/// How the package in `dir` writes a full name.
pub fn seen_from(dir: &str, full: &str) -> String {
    let (of, target) = split_name(full);
    match of {
        _ if of == dir => target.to_owned(),
        "" => format!("//:{target}"),
        _ => full.to_owned(),
    }
}

/// Whether a folder is `above` or lies in it; everything lies in the empty one.
pub fn is_below(dir: &str, above: &str) -> bool {
    above.is_empty()
        || dir.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whose target a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'n> {
    /// `build`: of the package in whose Taskfile, or folder, it is written.
    Here,
    /// `//packages/ui:build`, `//:build`: of the package in this folder.
    Of(&'n str),
    /// `//packages/...:build`, `:build`: of every package that lies in this folder and has it.
    Below(&'n str),
    /// `^build`: of every package that this one reaches and that has it.
    Reached,
}

/// A name as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'n> {
    /// Whose.
    pub whose: Whose<'n>,
    /// The target, and perhaps a pick behind `@`.
    pub target: &'n str,
}

impl Written<'_> {
    /// The target without a pick.
    pub fn bare(&self) -> &str {
        self.target.split('@').next().unwrap_or(self.target)
    }
}

/// Reads a name. `None` where `//` leads to no target.
pub fn read_name(text: &str) -> Option<Written<'_>> {
    let (whose, target) = if let Some(rest) = text.strip_prefix("//") {
        let (dir, target) = rest.split_once(':')?;
        let whose = match dir.strip_suffix("...") {
            Some("") => Whose::Below(""),
            Some(above) if above.ends_with('/') => Whose::Below(above.trim_end_matches('/')),
            _ => Whose::Of(dir.trim_end_matches('/')),
        };
        (whose, target)
    } else if let Some(target) = text.strip_prefix(':') {
        (Whose::Below(""), target)
    } else if let Some(target) = text.strip_prefix('^') {
        (Whose::Reached, target)
    } else {
        (Whose::Here, text)
    };
    Some(Written { whose, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_and_together() {
        for (dir, target, full) in
            [("", "build", "build"), ("packages/@a/ui", "build", "//packages/@a/ui:build")]
        {
            assert_eq!(full_name(dir, target), full);
            assert_eq!(split_name(full), (dir, target));
            assert_eq!(split_pick(full), (full, None));
            let picked = format!("{full}@src/a:b@c");
            assert_eq!(split_pick(&picked), (full, Some("src/a:b@c")));
        }
        assert_eq!(seen_from("a", "//a:x"), "x");
        assert_eq!(seen_from("a", "x"), "//:x");
        assert_eq!(seen_from("", "x"), "x");
        assert_eq!(seen_from("", "//a:x"), "//a:x");
    }

    #[test]
    fn whose_a_name_is() {
        for (text, whose, target) in [
            ("build", Whose::Here, "build"),
            ("obj@a.c", Whose::Here, "obj@a.c"),
            ("//:build", Whose::Of(""), "build"),
            ("//a/b:build@x=y", Whose::Of("a/b"), "build@x=y"),
            ("//a/...:build", Whose::Below("a"), "build"),
            ("//...:build", Whose::Below(""), "build"),
            (":build", Whose::Below(""), "build"),
            ("^build", Whose::Reached, "build"),
        ] {
            assert_eq!(read_name(text), Some(Written { whose, target }), "{text}");
        }
        assert_eq!(read_name("//a/b"), None);
        assert!(is_below("a/b", "a") && is_below("a", "a") && is_below("a", ""));
        assert!(!is_below("ab", "a"));
    }
}
