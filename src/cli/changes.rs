//! Which files changed: `--since`, `--staged` and `--changed` to paths of the workspace.
//!
//! What the paths reach is the run's matter. A `.gitignore` above the workspace counts as the one at
//! its root: both say what wildcards find in all of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::args::Build;
use super::workspace::Workspace;
use crate::error::Error;
use crate::files::{GITIGNORE, normalise};
use crate::git::Repository;
use crate::outcome::Changes;

/// What changed, if changes are to decide what is built: all that these options tell, together.
///
/// # Errors
/// git cannot tell; a target stands where a file is asked for.
pub(super) fn changes(args: &Build, workspace: &Workspace) -> Result<Option<Changes>, Error> {
    let mut changes = Changes::default();
    if let Some(revision) = &args.since {
        changes.by.push(format!("--since {revision}"));
        let repository = Repository::of(&workspace.root)?;
        changes.paths.extend(repository.changed_since(revision)?);
        let above = repository.rules_above_changed(Some(revision))?;
        changes.paths.extend(above.then(|| GITIGNORE.to_vec()));
    }
    if args.staged {
        changes.by.push("--staged".to_owned());
        let repository = Repository::of(&workspace.root)?;
        changes.paths.extend(repository.staged()?);
        let above = repository.rules_above_changed(None)?;
        changes.paths.extend(above.then(|| GITIGNORE.to_vec()));
    }
    if let Some(files) = &args.changed {
        changes.by.push("--changed".to_owned());
        for file in files {
            changes.paths.extend(named(file, workspace)?);
        }
    }
    changes.paths.sort_unstable();
    changes.paths.dedup();
    Ok((!changes.by.is_empty()).then_some(changes))
}

/// The path that a word names in the current folder, and the one behind links on the way to it;
/// none if it lies outside of the workspace.
fn named(file: &OsStr, workspace: &Workspace) -> Result<Vec<Vec<u8>>, Error> {
    let here = std::env::current_dir().map_err(|cause| Error::Io {
        doing: "cannot work in".to_owned(),
        path: ".".into(),
        cause,
    })?;
    let full = normalise(here.as_os_str().as_bytes(), file.as_bytes()).unwrap_or_default();
    let full = Path::new(OsStr::from_bytes(&full));
    if let Some(target) = file.to_str().filter(|word| workspace.has_target(word))
        && full.symlink_metadata().is_err()
    {
        return Err(Error::Usage {
            message: format!("`--changed` takes files, and `{target}` is a target"),
            help: Some(format!(
                "write it before: `taskr {target} --changed …`; a file of that name is `./{target}`"
            )),
        });
    }
    let folder = full.parent().and_then(|folder| folder.canonicalize().ok());
    let real = folder.zip(full.file_name()).map(|(folder, name)| folder.join(name));
    let paths = [Some(full), real.as_deref()].into_iter().flatten();
    let is_rules = full.file_name() == Some(OsStr::from_bytes(GITIGNORE));
    let within = paths.filter_map(|path| match path.parent() {
        Some(folder) if is_rules && workspace.root.starts_with(folder) => {
            Some(Path::new(OsStr::from_bytes(GITIGNORE)))
        }
        _ => path.strip_prefix(&workspace.root).ok(),
    });
    Ok(within.map(|path| path.as_os_str().as_bytes().to_vec()).collect())
}
