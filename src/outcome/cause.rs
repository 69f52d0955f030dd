//! A reason with what is needed to tell more of it when the run is over: the old content by
//! digest, the old command, the task that made the file.
//!
//! It is kept in `result.json` and in `runs/ID.json` and read by `taskr why`. What a row lacks
//! is absent, never guessed.

use serde_json::{Map, Value};
use taskr_cache::{Content, Digest};

use super::manifest::{Manifest, Tag};
use super::reason::{Reason, shown};

/// Longer commands are not kept a second time, in bytes.
const LONGEST_COMMAND: usize = 16 * 1024;

/// One reason of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// The reason's word for machines.
    pub code: String,
    /// The reason for people.
    pub text: String,
    /// The path it is about, as a person reads it.
    pub path: Option<String>,
    /// The task that made the path, or that this one waits for.
    pub task: Option<String>,
    /// What the file held when the task last succeeded before.
    pub was: Option<Digest>,
    /// What it held in the run.
    pub now: Option<Digest>,
    /// The command of the last success before, and that of the run.
    pub commands: Option<(String, String)>,
    /// Whether the variable of the caller was not set before.
    pub was_unset: bool,
}

impl Cause {
    /// Of a task that would run now, with `command`; `old` is what its last success counted.
    pub fn of(reason: &Reason, old: Option<&Manifest>, command: &str) -> Cause {
        let mut cause = Cause {
            code: reason.code().to_owned(),
            text: reason.to_string(),
            path: reason.path().map(shown),
            ..Cause::default()
        };
        match reason {
            Reason::MayChange(task)
            | Reason::Dependency(task)
            | Reason::ServiceChanged(task)
            | Reason::Skipped(task, _)
            | Reason::Missing(task, _) => {
                cause.task = Some(task.clone());
            }
            Reason::Input(path, _) => cause.was = digest_in(old, Tag::Input, path),
            Reason::Found(path, _) => cause.was = digest_in(old, Tag::Discovered, path),
            Reason::Command("command") => {
                let was = old.and_then(Manifest::command);
                let short = |text: &str| text.len() <= LONGEST_COMMAND;
                cause.commands = was
                    .filter(|was| was != command && short(was) && short(command))
                    .map(|was| (was, command.to_owned()));
            }
            Reason::Variable(name) => {
                let value = old.and_then(|old| old.value(Tag::EnvInput, name.as_bytes()));
                cause.was_unset = value.is_some_and(<[u8]>::is_empty);
                if cause.was_unset {
                    cause.text = format!("the variable {name} was unset, is set now");
                }
            }
            _ => {}
        }
        cause
    }

    /// The same of a task that has run.
    pub fn past(reason: &Reason, old: Option<&Manifest>, command: &str) -> Cause {
        let cause = Cause::of(reason, old, command);
        let text = match (reason, cause.was_unset) {
            (Reason::Variable(name), true) => {
                format!("the variable {name} was set, and unset before")
            }
            _ => reason.past(),
        };
        Cause { text, ..cause }
    }

    /// As JSON; what is not known is left out.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut put = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                map.insert(name.to_owned(), text.into());
            }
        };
        put("code", Some(&self.code));
        put("text", Some(&self.text));
        put("path", self.path.as_deref());
        put("task", self.task.as_deref());
        put("was", self.was.map(|digest| digest.to_string()).as_deref());
        put("now", self.now.map(|digest| digest.to_string()).as_deref());
        put("command_was", self.commands.as_ref().map(|(was, _)| &**was));
        put("command_now", self.commands.as_ref().map(|(_, now)| &**now));
        if self.was_unset {
            map.insert("was_unset".to_owned(), true.into());
        }
        Value::Object(map)
    }

    /// Reads what [`Cause::to_json`] wrote.
    pub fn from_json(value: &Value) -> Option<Cause> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let digest = |name: &str| Digest::from_hex(&text(name)?);
        Some(Cause {
            code: text("code")?,
            text: text("text")?,
            path: text("path"),
            task: text("task"),
            was: digest("was"),
            now: digest("now"),
            commands: text("command_was").zip(text("command_now")),
            was_unset: value.get("was_unset") == Some(&Value::Bool(true)),
        })
    }
}

fn digest_in(manifest: Option<&Manifest>, tag: Tag, path: &[u8]) -> Option<Digest> {
    match Content::decode(&mut manifest?.value(tag, path)?)? {
        Content::File { digest, .. } => Some(digest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Change, Field, encode_words};

    #[test]
    fn what_the_old_manifest_knows_is_kept_and_read_back() {
        let digest = Digest::of(b"old");
        let content = Content::File { executable: false, digest };
        let field = |tag, name: &str, value| Field { tag, name: name.into(), value };
        let old = Manifest::new(vec![
            Field::input(Tag::Input, b"a.h", &content),
            field(Tag::Command, "", encode_words(&["cc".to_owned()])),
            field(Tag::EnvInput, "MOOD", Vec::new()),
        ]);
        let input = Cause::past(&Reason::Input(b"a.h".to_vec(), Change::Content), Some(&old), "");
        assert_eq!((&*input.text, input.was), ("a.h changed", Some(digest)));
        let command = Cause::of(&Reason::Command("command"), Some(&old), "gcc");
        assert_eq!(command.commands, Some(("cc".to_owned(), "gcc".to_owned())));
        let variable = Cause::of(&Reason::Variable("MOOD".to_owned()), Some(&old), "");
        assert!(variable.was_unset);
        assert_eq!(variable.text, "the variable MOOD was unset, is set now");
        let first = Cause::past(&Reason::NoRecord, None, "");
        assert_eq!(first.text, "it had not been built before");
        for cause in [input, command, variable, first] {
            assert_eq!(Cause::from_json(&cause.to_json()), Some(cause));
        }
        assert_eq!(Cause::from_json(&serde_json::json!({"code": 1})), None);
    }
}
