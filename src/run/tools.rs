//! `tools`: programs that count by their content, and questions that count by their answer.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use taskr_cache::Digest;

use super::Build;
use super::ask::{Asked, Topic};
use super::gather::{Collector, Gap};
use super::launch::Rendered;
use crate::error::{Diagnostic, quoted};
use crate::ids::TaskId;
use crate::outcome::{Field, Tag};
use crate::process::why_not_found;

impl Build<'_> {
    /// Tools: a program counts by its content, one with words behind it by what it prints.
    pub(super) fn gather_tools(
        &mut self,
        id: TaskId,
        rendered: &Rendered,
        all: &mut Collector,
    ) -> Result<(), Gap> {
        let mut unasked = Vec::new();
        for (at, words) in rendered.tools.iter().enumerate() {
            if let [program] = &words[..] {
                let dir = self.graph.task(id).rule.dir.clone();
                if self.find_program(program, &dir, rendered).is_none() {
                    return Err(self.no_tool(id, at, program, rendered));
                }
                self.gather_program(id, program, rendered, all)?;
                continue;
            }
            match self.tool_says((id, at), words, rendered) {
                Ok(digest) => all.fields.push(Field {
                    tag: Tag::Tool,
                    name: words.join(" ").into_bytes(),
                    value: digest.as_bytes().to_vec(),
                }),
                Err(Gap::Unasked(questions)) => unasked.extend(questions),
                Err(gap) => return Err(gap),
            }
        }
        if unasked.is_empty() { Ok(()) } else { Err(Gap::Unasked(unasked)) }
    }

    /// A digest of what a tool prints.
    fn tool_says(
        &self,
        (id, at): (TaskId, usize),
        words: &[String],
        rendered: &Rendered,
    ) -> Result<Digest, Gap> {
        let name = quoted(&words.join(" "));
        let wrong = |what: Diagnostic| self.wrong_tool(id, at, what);
        let command = self.question(id, words, rendered).map_err(|what| {
            wrong(Diagnostic::error(format!("its tool {name} cannot be asked: {what}")))
        })?;
        let topic = Topic::Tool(words.to_vec(), command.dir.clone(), command.env.clone());
        match self.lookups.questions.known.get(&topic) {
            None | Some(Asked::Waits(_)) => Err(Gap::Unasked(vec![(topic, command)])),
            Some(Asked::Said(Err(what))) => {
                Err(wrong(Diagnostic::error(format!("its tool {name} cannot be asked: {what}"))))
            }
            Some(Asked::Said(Ok(said))) if !said.status.success() => {
                let message = format!("its tool {name} failed: {}", said.status);
                let printed = said.last_lines().map(|text| format!("it printed: {text}"));
                let what = Diagnostic::error(message);
                Err(wrong(printed.into_iter().fold(what, Diagnostic::note)))
            }
            Some(Asked::Said(Ok(said))) => {
                let length = (said.output.len() as u64).to_le_bytes();
                Ok(Digest::of(&[&length[..], &said.output, &said.errors].concat()))
            }
        }
    }

    /// A tool that is not there.
    fn no_tool(&self, id: TaskId, at: usize, name: &str, rendered: &Rendered) -> Gap {
        let around = self.around();
        let dir = self.root.path().join(OsStr::from_bytes(&self.graph.task(id).rule.dir));
        let why = why_not_found(name, around.path_variable(rendered), &dir);
        let what = Diagnostic::error(format!("its `tools`: {why}"));
        self.wrong_tool(id, at, what.help("install it, or take it out of `tools`"))
    }

    fn wrong_tool(&self, id: TaskId, at: usize, what: Diagnostic) -> Gap {
        let place = self.graph.task(id).rule.target.tools.get(at);
        Gap::Wrong(Box::new(what.at(place.and_then(|text| text.place.clone()), "")))
    }
}
