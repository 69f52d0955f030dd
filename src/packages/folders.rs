//! Which folders `include` means.
//!
//! A folder that a wildcard finds and in which no file stands, only folders, is what a switch of
//! branches left behind, and is no package. `**` finds those with a Taskfile or the manifest.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{NAME, Where};
use crate::error::{Diagnostic, Error, Place, nearest, quoted};
use crate::files::{Pattern, list_folders, normalise};
use crate::outcome::shown;
use crate::parse::{Include, Word};

/// Where the packages of others lie.
const FOREIGN: &str = "node_modules";

/// A folder that is a package.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// Relative to the workspace.
    pub(super) dir: String,
    /// Which entry of `include` names it.
    pub(super) entry: usize,
    /// What of it names it.
    pub(super) place: Place,
}

/// Whether `include` means the folder `dir`, by its words alone.
pub fn covers(include: &[Include], dir: &[u8]) -> bool {
    let mut covered = false;
    for word in include.iter().flat_map(|include| &include.paths) {
        let (taken_away, text) = negated(word);
        if let Ok(path) = normalise(b"", text.as_bytes())
            && match Pattern::is_glob(&path) {
                true => Pattern::parse(&path).is_ok_and(|pattern| pattern.matches(dir)),
                false => path == dir,
            }
        {
            covered = !taken_away;
        }
    }
    covered
}

fn negated(word: &Word) -> (bool, &str) {
    word.text.strip_prefix('!').map_or((false, &word.text), |text| (true, text))
}

/// The packages, in the order of their folders.
///
/// # Errors
/// Entries that mean nothing, or a folder outside; a folder that is meant twice, in two ways.
pub(super) fn find(include: &[Include], at: &Where<'_>) -> Result<Vec<Folder>, Error> {
    let mut found: BTreeMap<String, Folder> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (entry, one) in include.iter().enumerate() {
        for word in &one.paths {
            match folders(one, word, at) {
                Ok(dirs) if negated(word).0 => {
                    for dir in dirs {
                        found.remove(&dir);
                    }
                }
                Ok(dirs) => {
                    for dir in dirs {
                        let folder = Folder { dir: dir.clone(), entry, place: word.place.clone() };
                        match found.get(&dir).filter(|old| !is_same(&include[old.entry], one)) {
                            Some(old) => wrong.push(twice(old, &folder)),
                            None => drop(found.entry(dir).or_insert(folder)),
                        }
                    }
                }
                Err(diagnostic) => wrong.push(diagnostic),
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(found.into_values().collect()),
        false => Err(Error::Taskfile(wrong)),
    }
}

/// Whether two entries make the same of a folder.
fn is_same(one: &Include, other: &Include) -> bool {
    let text = |word: &Option<Word>| word.as_ref().map(|word| word.text.clone());
    text(&one.taskfile) == text(&other.taskfile) && text(&one.deps_from) == text(&other.deps_from)
}

fn twice(old: &Folder, new: &Folder) -> Diagnostic {
    Diagnostic::error(format!("the package {} is included twice", quoted(&old.dir)))
        .at(new.place.clone(), "again here, in another way")
        .also(old.place.clone(), "first here")
        .help(format!("take it away from the first: \"!{}\" behind it", old.dir))
}

/// The folders that one path or pattern means.
fn folders(include: &Include, word: &Word, at: &Where<'_>) -> Result<Vec<String>, Diagnostic> {
    let (taken_away, written) = negated(word);
    let refuse = |what: String, help: String| {
        Err(Diagnostic::error(what).at(word.place.clone(), "").help(help))
    };
    let path = match normalise(b"", written.as_bytes()) {
        Ok(path) if !path.starts_with(b"/") => path,
        _ => {
            return refuse(
                format!("{} leads out of the workspace", quoted(written)),
                "packages lie below the Taskfile that includes them".to_owned(),
            );
        }
    };
    if path.is_empty() {
        return refuse(
            format!("{} is the folder of this Taskfile", quoted(written)),
            "it is the root of the workspace: its targets are `//:NAME`".to_owned(),
        );
    }
    if !Pattern::is_glob(&path) {
        let dir = text_of(&path, word)?;
        match taken_away {
            true => return Ok(vec![dir]),
            false => return plain(dir, word, at).map(|dir| vec![dir]),
        }
    }
    let pattern = Pattern::parse(&path).map_err(|error| {
        Diagnostic::error(error.message).at(word.place.clone(), "").help(error.help)
    })?;
    let all = list_folders(at.root, &pattern).map_err(|error| {
        Diagnostic::error(format!("cannot list folders: {error}")).at(word.place.clone(), "")
    })?;
    let deep = written.contains("**");
    let is_foreign =
        |dir: &[u8]| dir.split(|&byte| byte == b'/').any(|part| part == FOREIGN.as_bytes());
    let manifest = include.taskfile.as_ref().and(include.deps_from.as_ref());
    let is_package = |dir: &Vec<u8>| {
        let path = at.root.join(OsStr::from_bytes(dir));
        let has = |name: &str| path.join(name).symlink_metadata().is_ok();
        match deep {
            true => has(NAME) || manifest.is_some_and(|name| has(&name.text)),
            false => has(NAME) || has_files(&path),
        }
    };
    let all: Vec<Vec<u8>> = all.into_iter().filter(|dir| !is_foreign(dir)).collect();
    if taken_away {
        return all.iter().map(|dir| text_of(dir, word)).collect();
    }
    let packages: Vec<&Vec<u8>> = all.iter().filter(|dir| is_package(dir)).collect();
    if packages.is_empty() {
        let help = match all.first() {
            Some(dir) => format!("it fits {}, which has no {NAME}", shown(dir)),
            None => "correct it, or make the first package".to_owned(),
        };
        return refuse(format!("{} matches no package", quoted(written)), help);
    }
    packages.into_iter().map(|dir| text_of(dir, word)).collect()
}

/// Whether a folder holds anything but folders.
fn has_files(path: &Path) -> bool {
    let mut entries = path.read_dir().into_iter().flatten().flatten();
    entries.any(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
}

/// A folder as the part of names that it becomes.
fn text_of(dir: &[u8], word: &Word) -> Result<String, Diagnostic> {
    let text = std::str::from_utf8(dir).ok();
    let text = text.filter(|text| !text.contains(':') && !text.chars().any(char::is_control));
    text.filter(|text| !text.split('/').any(|part| part == "...")).map(str::to_owned).ok_or_else(
        || {
            Diagnostic::error(format!("the folder {} cannot be a package", quoted(&shown(dir))))
            .at(word.place.clone(), "means this folder")
            .help("names of packages are text without `:`, control characters and `...`: rename it")
        },
    )
}

/// A folder that is written out.
fn plain(dir: String, word: &Word, at: &Where<'_>) -> Result<String, Diagnostic> {
    let path = at.path(&dir);
    let refuse = |what: String| Diagnostic::error(what).at(word.place.clone(), "");
    let Ok(metadata) = path.metadata() else {
        let near = near_folder(&dir, at.root);
        return Err(refuse(format!("there is no folder {}", quoted(&dir))).help_if(near));
    };
    if !metadata.is_dir() {
        let help = match dir.strip_suffix(NAME) {
            Some(folder) => format!("write the folder: \"{}\"", folder.trim_end_matches('/')),
            None => "write the folder that it lies in".to_owned(),
        };
        return Err(refuse(format!("{} is no folder", quoted(&dir))).help(help));
    }
    match path.canonicalize() {
        Ok(real) if real == path => Ok(dir),
        Ok(real) => {
            let help = match real.strip_prefix(at.root) {
                Ok(within) => format!("write \"{}\"", within.display()),
                Err(_) => "packages lie below the Taskfile that includes them".to_owned(),
            };
            let message = format!("{} leads through a link to {}", quoted(&dir), real.display());
            Err(refuse(message).help(help))
        }
        Err(error) => Err(refuse(format!("cannot find {}: {error}", quoted(&dir)))),
    }
}

/// The folder beside one that is not there that was meant.
fn near_folder(dir: &str, root: &Path) -> Option<String> {
    let (above, name) = dir.rsplit_once('/').unwrap_or(("", dir));
    let entries = root.join(above).read_dir().ok()?.flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<String> =
        folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let near = nearest(name, names.iter().map(String::as_str))?;
    let near = if above.is_empty() { near.to_owned() } else { format!("{above}/{near}") };
    Some(format!("did you mean `{near}`?"))
}

/// A package that nothing describes.
pub(super) fn without_taskfile(folder: &Folder, at: &Where<'_>) -> Diagnostic {
    let dir = &folder.dir;
    let names = at.path(dir).read_dir().into_iter().flatten().flatten();
    let mut names: Vec<String> =
        names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let help = match nearest(NAME, names.iter().map(String::as_str)) {
        Some(near) => format!("there is `{dir}/{near}`: rename it to {NAME}"),
        None => format!(
            "write {dir}/{NAME}, take the folder away (\"!{dir}\"), or share one:\n\
             include = [{{ path = {}, taskfile = \"packages.toml\" }}]",
            folder.place.text()
        ),
    };
    Diagnostic::error(format!("the package {} has no {NAME}", quoted(dir)))
        .at(folder.place.clone(), "includes it")
        .help(help)
}
