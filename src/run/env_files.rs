//! The variables of environment files, as a ready task gets them.

use std::sync::Arc;

use taskr_cache::{Content, Digest, Seen};

use super::Build;
use super::gather::Gap;
use crate::error::{Diagnostic, said};
use crate::files::{Look, Variables, parse_dotenv};
use crate::graph::{ListName, Rule};
use crate::ids::{FileId, TaskId};
use crate::outcome::shown;

/// What an environment file with this content says.
pub(super) type Known = (Content, Arc<Variables>);

impl Build<'_> {
    /// The variables of these files; of a name that stands in several the last counts.
    pub(super) fn env_of_files(&mut self, id: TaskId, files: &[FileId]) -> Result<Variables, Gap> {
        let mut all = Vec::new();
        for &file in files {
            all.extend(self.env_of_file(id, file)?.iter().cloned());
        }
        Ok(all)
    }

    /// What is read is exactly what counts in the key: else the file is looked at again.
    fn env_of_file(&mut self, id: TaskId, file: FileId) -> Result<Arc<Variables>, Gap> {
        let Look::Known(seen, content) = self.look(file)? else {
            return Err(Gap::Unread(vec![file]));
        };
        if let Some((known, variables)) = self.lookups.env_files.get(&file)
            && *known == content
        {
            return Ok(variables.clone());
        }
        let path = self.paths.bytes(file).to_vec();
        let full = self.root.absolute(&path);
        let rule = &self.graph.task(id).rule;
        let wrong = |what: Diagnostic| Gap::Wrong(Box::new(what.at(place_of(rule, &path), "")));
        let bytes = std::fs::read(&full).map_err(|error| {
            wrong(Diagnostic::error(format!("cannot read {}: {}", shown(&path), said(&error))))
        })?;
        let same = match content {
            Content::File { digest, .. } => digest == Digest::of(&bytes),
            _ => Seen::of(&full).is_ok_and(|now| now == seen),
        };
        let variables = variables_of(&path, &bytes).map_err(wrong)?;
        if !same {
            self.files.forget(&self.paths, &path);
            return Err(Gap::Unread(vec![file]));
        }
        let variables = Arc::new(variables);
        self.lookups.env_files.insert(file, (content, variables.clone()));
        Ok(variables)
    }
}

/// What the bytes of an environment file say.
///
/// # Errors
/// What is wrong, with the line.
pub(super) fn variables_of(path: &[u8], bytes: &[u8]) -> Result<Variables, Diagnostic> {
    let variables = parse_dotenv(bytes).map_err(|error| {
        let message = format!("{}:{}: {}", shown(path), error.line, error.message);
        Diagnostic::error(message).help(error.help)
    })?;
    let own = |name: &str| matches!(name, "OUT" | "STATE") || name.starts_with("TASKR_");
    match variables.iter().find(|(name, _)| own(name)) {
        Some((name, _)) => {
            let message = format!("{} sets `{name}`, which taskr itself sets", shown(path));
            Err(Diagnostic::error(message).help("choose another name"))
        }
        None => Ok(variables),
    }
}

/// Where the Taskfile names an environment file.
fn place_of(rule: &Rule, path: &[u8]) -> Option<crate::error::Place> {
    let files = rule.lists().into_iter().find(|(name, _)| **name == ListName::EnvFiles);
    let files = files.map_or(&[][..], |(_, range)| &rule.inputs[range]);
    let named = files.iter().find(|input| match &input.value {
        crate::graph::Input::Path { path: named, .. } => named == path,
        _ => false,
    });
    named.or(files.first()).and_then(|input| input.place.clone())
}
