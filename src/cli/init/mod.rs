//! `taskr init`: a first Taskfile for what is in the folder. Never over one that is there.
//!
//! What is written works as it stands and says no more than is known: a check reads everything but
//! what tools make, so it is never wrongly up to date, and its user narrows it.

mod c;
mod found;
mod languages;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::End;
use super::args::Init;
use super::out::print;
use super::taskfile::NAME;
use crate::error::Error;
use crate::parse::format;
use crate::report::one_line;

use found::Found;

/// For a folder in which nothing is known.
const EXAMPLE: &str = "\
# What can be written: `taskr --help` names the guide.
default = [\"hello\"]

[target.hello]
doc = \"Says hello\"
run = \"echo hello\"
";

/// What was found, and targets for it.
#[derive(Default)]
struct Draft {
    /// In words: `Cargo.toml`.
    of: Vec<String>,
    /// Tables, in order; each begins with `[`.
    tables: Vec<String>,
    /// What a bare `taskr` builds.
    default: Vec<String>,
    /// What it makes in the folders of the sources.
    made: Vec<String>,
    /// The names that are taken.
    names: Vec<String>,
}

impl Draft {
    /// Adds a target of this name, or of this name and `of` if it is taken. Its name.
    fn target(&mut self, name: &str, of: &str, fields: &str) -> String {
        let name = match self.names.iter().any(|taken| taken == name) {
            true => format!("{name}-{of}"),
            false => name.to_owned(),
        };
        self.tables.push(format!("[target.{name}]\n{fields}"));
        self.names.push(name.clone());
        name
    }

    /// The whole file.
    fn text(&self) -> String {
        if self.tables.is_empty() {
            return EXAMPLE.to_owned();
        }
        let default: Vec<String> = self.default.iter().map(|name| quoted(name)).collect();
        format!("default = [{}]\n\n{}", default.join(", "), self.tables.join("\n"))
    }
}

pub(super) fn init(args: &Init) -> Result<End, Error> {
    let mut folder = PathBuf::from(".");
    folder.extend(&args.common.directory);
    let found = Found::in_folder(&folder).map_err(|cause| cannot("cannot read", &folder, cause))?;
    let draft = draft(&found);
    let text = format(NAME, draft.text().as_bytes())?;
    if args.print {
        print(text.as_bytes())?;
        return Ok(End::Code(0));
    }
    let path = folder.join(args.common.file.as_deref().unwrap_or(Path::new(NAME)));
    let shown = one_line(&path.strip_prefix(".").unwrap_or(&path).display().to_string());
    write(&path, &text).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => Error::Usage {
            message: format!("{shown} is there already, and nothing is written over it"),
            help: Some("`taskr init --print` shows what would be written".to_owned()),
        },
        _ => cannot("cannot write", &path, cause),
    })?;
    print(told(&shown, &draft).as_bytes())?;
    Ok(End::Code(0))
}

fn draft(found: &Found) -> Draft {
    let mut draft = Draft::default();
    languages::cargo(found, &mut draft);
    languages::node(found, &mut draft);
    languages::python(found, &mut draft);
    languages::go(found, &mut draft);
    c::c(found, &mut draft);
    draft
}

fn told(shown: &str, draft: &Draft) -> String {
    if draft.tables.is_empty() {
        return format!(
            "{shown} is written: an example, because nothing here is known to taskr\n\
             next: `taskr`, then edit it\n"
        );
    }
    let ignore = match draft.made.is_empty() {
        true => String::new(),
        false => format!("what it makes belongs into .gitignore: {}\n", draft.made.join(", ")),
    };
    format!(
        "{shown} is written, for {}: targets {}\n{ignore}next: `taskr list`, `taskr`\n",
        draft.of.join(", "),
        draft.names.join(", ")
    )
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    File::options().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn cannot(doing: &str, path: &Path, cause: io::Error) -> Error {
    Error::Io { doing: doing.to_owned(), path: path.to_owned(), cause }
}

/// A TOML string of it: JSON's are such.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
