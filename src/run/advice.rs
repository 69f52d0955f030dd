//! What to write after a command has failed: guesses from its text, the caller's environment and
//! the graph.
//!
//! Each names a fact that holds whether or not it is why the command failed. Asked only after a
//! failure.

use std::ffi::OsStr;

use super::launch::Rendered;
use super::{Build, Running};
use crate::files::{normalise, relative_to};
use crate::graph::{Action, Kind};
use crate::ids::TaskId;
use crate::outcome::shown;
use crate::process::why_not_found;
use crate::workers::Ended;

/// Of a command's text only so many bytes are looked at.
const MOST_BYTES: usize = 64 * 1024;

/// What a shell sets itself, or nobody misses.
const OF_THE_SHELL: [&str; 8] = ["PWD", "OLDPWD", "SHLVL", "_", "IFS", "PPID", "OPTIND", "PS1"];

impl Build<'_> {
    /// What may help after the command ended with a code that is no success.
    pub(super) fn advice(&self, id: TaskId, running: &Running, ended: &Ended) -> Option<String> {
        let code = ended.exit_code.filter(|&code| code != 0)?;
        let rule = &self.graph.task(id).rule;
        let rendered = &running.due.gathered.rendered;
        let text = beginning(&rendered.shown);
        if matches!(rule.target.action, Some(Action::Shell { .. })) {
            let found = not_run(code)
                .then(|| self.not_found(&rule.dir, rendered))
                .flatten()
                .or_else(|| bash_in_sh(&rendered.argv, text, &ended.tail))
                .or_else(|| self.not_passed(id, rendered, text));
            if found.is_some() {
                return found;
            }
        }
        self.made_by_another(id, text)
    }

    /// A line that is one command whose program is not there.
    fn not_found(&self, dir: &[u8], rendered: &Rendered) -> Option<String> {
        let name = rendered.plain.as_ref()?.first()?;
        let around = self.around();
        if around.find(name, dir, rendered).is_some() {
            return None;
        }
        let folder = self.root.absolute(dir);
        let is_file = name.contains('/') && folder.join(name).is_file();
        match is_file {
            true => Some(format!("`chmod +x {name}`, or write `sh {name}`")),
            false => {
                let why = why_not_found(name, around.path_variable(rendered), &folder);
                // The shell has said as much.
                Some(why).filter(|why| *why != format!("there is no program `{name}`"))
            }
        }
    }

    /// A variable that the script names and the caller has, but the task has not.
    fn not_passed(&self, id: TaskId, rendered: &Rendered, text: &str) -> Option<String> {
        let rule = &self.graph.task(id).rule;
        if rule.target.kind != Kind::Recorded {
            return None;
        }
        let env = self.around().environment(rule, &self.task_dir(id), rendered, 1);
        let has = |name: &str| env.iter().any(|(own, _)| own == name);
        let missing = |name: &&str| {
            self.request.env.contains_key(OsStr::new(name))
                && !OF_THE_SHELL.contains(name)
                && !has(name)
                && !is_set(text, name)
        };
        let name = variables(text).find(missing)?;
        Some(format!(
            "{name} is set here, but a task sees only the variables that it names: \
             `env_inputs = [\"{name}\"]`"
        ))
    }

    /// A word of the command is the output of a task that was not waited for, and is not there.
    fn made_by_another(&self, id: TaskId, text: &str) -> Option<String> {
        let dir = &self.graph.task(id).rule.dir;
        let ends = |letter: char| letter.is_whitespace() || "'\"`;|&<>()=,".contains(letter);
        text.split(ends).filter(|word| !word.is_empty()).find_map(|word| {
            let path = normalise(dir, word.as_bytes()).ok()?;
            let maker = self.graph.makers().of(&path).filter(|&maker| maker != id)?;
            if self.root.absolute(&path).exists() || self.graph.reaches(id, maker) {
                return None;
            }
            let input = shown(&relative_to(dir, &path));
            let maker = self.graph.name(maker);
            Some(format!("{input} is made by `{maker}`: add it, `inputs = [\"{input}\"]`"))
        })
    }
}

fn not_run(code: i32) -> bool {
    matches!(code, 126 | 127)
}

fn beginning(text: &str) -> &str {
    let end = (0..=MOST_BYTES.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

/// What only bash knows, in the usual shell, which complained of it.
fn bash_in_sh(argv: &[String], text: &str, tail: &[u8]) -> Option<String> {
    let usual = argv.iter().take(3).eq(["sh", "-eu", "-c"]);
    let tail = String::from_utf8_lossy(tail);
    let word =
        ["pipefail", "[["].into_iter().find(|word| text.contains(word) && tail.contains(word));
    word.filter(|_| usual).map(|word| {
        format!("`{word}` is of bash, and this is sh: write `shell = [\"bash\", \"-euc\"]`")
    })
}

/// The names behind `$` and `${` in a script, but for those with a value for want of one.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let (name, braced) = match rest.strip_prefix('{') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let len = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        let (name, after) = name.split_at(len);
        let has_other = braced && after.starts_with([':', '-', '+', '=', '?']);
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (is_name && !has_other).then_some(name)
    })
}

/// Whether the script itself gives the variable a value.
fn is_set(text: &str, name: &str) -> bool {
    let mut words = text.split(|c: char| c.is_whitespace() || ";&|(".contains(c)).peekable();
    while let Some(word) = words.next() {
        let sets = word.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        let next = words.peek().is_some_and(|next| *next == name);
        if sets || (next && matches!(word, "for" | "read" | "-r" | "export" | "local")) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_script() {
        for (text, names) in [
            ("echo $A ${B} \"$C_1\"", &["A", "B", "C_1"][..]),
            ("echo ${A:-x} ${B-} ${C#p} $1 $$ $", &["C"]),
            ("no $(cmd $A)", &["A"]),
        ] {
            assert_eq!(variables(text).collect::<Vec<_>>(), names, "{text}");
        }
    }

    #[test]
    fn what_a_script_sets_itself() {
        for (text, expected) in [
            ("A=1; echo $A", true),
            ("for A in 1 2; do echo $A; done", true),
            ("while read -r A; do echo $A; done", true),
            ("BA=1 echo $A", false),
            ("echo $A", false),
        ] {
            assert_eq!(is_set(text, "A"), expected, "{text}");
        }
    }
}
