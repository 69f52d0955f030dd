//! Lays a project into a folder: sources, a file for each tool, the program that its tasks call.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::project::{Project, STEP, Source, Task};
use crate::render;

/// Writes all of it into a folder that is new or empty. Sources are links to those in `sources`
/// if that is said: what changes one changes all.
///
/// # Errors
/// What the file system says, a folder that holds something, and no program for the tasks.
pub(crate) fn lay(project: &Project, dir: &Path, sources: Option<&Path>) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    if fs::read_dir(dir)?.next().is_some() {
        return Err(io::Error::other("the folder is not empty"));
    }
    // Not every tool makes folders.
    let made = project.tasks.iter().filter_map(Task::folder);
    let read = project.sources.iter().filter_map(Source::folder);
    for folder in read.chain(made).collect::<BTreeSet<&str>>() {
        fs::create_dir_all(dir.join(folder))?;
    }
    for source in &project.sources {
        match sources {
            Some(other) => fs::hard_link(other.join(&source.path), dir.join(&source.path))?,
            None => write(source, dir)?,
        }
    }
    for (name, text) in render::files(project) {
        fs::write(dir.join(name), text)?;
    }
    if project.tasks.iter().any(|task| task.command.is_step()) {
        fs::create_dir(dir.join("tools"))?;
        fs::copy(step()?, dir.join(STEP))?;
    }
    Ok(())
}

fn write(source: &Source, dir: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(dir.join(&source.path))?);
    for _ in 0..source.times {
        file.write_all(source.text.as_bytes())?;
    }
    file.flush()
}

/// Where the small program is.
fn step() -> io::Result<PathBuf> {
    beside("taskr-bench-step").ok_or_else(|| {
        io::Error::other("no taskr-bench-step is there: cargo build --release -p taskr-bench")
    })
}

/// A program that is built with this one and lies beside it; a test lies one folder deeper.
pub(crate) fn beside(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let folders = own.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(name)).find(|path| path.exists())
}
