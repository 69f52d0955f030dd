//! C that nobody here wrote: zstd's, as the crate `zstd-sys` carries it, with which taskr is built.
//! cargo says where it lies, and all its sources are read; their number is the size.
//!
//! Knows no tool's language, and not what a source includes: only the compiler does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use serde_json::Value;

use super::{Command, Kind, Project, Source, Task};

/// The package of those that taskr needs.
const PACKAGE: &str = "zstd-sys";

/// A header that most of its sources include.
pub(super) const HEADER: &str = "src/common/mem.h";

/// A task for each of its sources, and an archive.
///
/// # Errors
/// The sources are not there, and how to get them.
pub(super) fn project() -> Result<Project, String> {
    let zstd = zstd().map_err(|error| {
        format!("no sources of zstd (`cargo fetch` in taskr's own brings them): {error}")
    })?;
    let mut sources = Vec::new();
    read(&zstd, "src", &mut sources).map_err(|error| format!("{}: {error}", zstd.display()))?;
    sources.sort_by(|one, two| one.path.cmp(&two.path));
    let mut tasks: Vec<Task> = sources.iter().filter_map(|source| compile(&source.path)).collect();
    let objects: Vec<String> = tasks.iter().map(|task| task.output.clone()).collect();
    if objects.is_empty() {
        return Err(format!("{}: there is no C", zstd.display()));
    }
    tasks.push(Task::new("all.a", objects, Command::Archive));
    Ok(Project { kind: Kind::RealC, sources, tasks })
}

/// No two of its sources have the same name.
fn compile(path: &str) -> Option<Task> {
    let name = path.rsplit('/').next()?.strip_suffix(".c")?;
    Some(Task::new(format!("obj/{name}.o"), vec![path.to_owned()], Command::CompileReal))
}

/// Reads the C of a folder, and what lies deeper.
fn read(dir: &Path, to: &str, sources: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = format!("{to}/{name}");
        if path.is_dir() {
            read(&path, &to, sources)?;
        } else if name.ends_with(".c") || name.ends_with(".h") {
            sources.push(Source::new(to, fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// Where zstd lies. The network is asked only for what is not there yet.
fn zstd() -> Result<PathBuf, String> {
    let metadata = metadata(&["--offline"]).or_else(|_| metadata(&[]))?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.find(|package| package["name"] == PACKAGE);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.ok_or_else(|| format!("cargo knows no {PACKAGE}"))?;
    Ok(Path::new(manifest).with_file_name("zstd/lib"))
}

/// What cargo says of the workspace that this program is built in.
fn metadata(options: &[&str]) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Process::new(cargo);
    command.args(["metadata", "--locked", "--format-version", "1", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).args(options);
    let said = command.output().map_err(|error| format!("cargo: {error}"))?;
    if !said.status.success() {
        let errors = String::from_utf8_lossy(&said.stderr);
        return Err(errors.lines().next().unwrap_or_default().to_owned());
    }
    serde_json::from_slice(&said.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_compiled_once() {
        let project = project().expect("cargo has it");
        let own = |end| project.sources.iter().filter(move |source| source.path.ends_with(end));
        let (sources, headers) = (own(".c").count(), own(".h").count());
        assert!(sources > 25 && headers > 25, "{sources} sources, {headers} headers");
        assert_eq!(project.tasks.len(), sources + 1);
        let outputs: std::collections::BTreeSet<&str> =
            project.tasks.iter().map(|task| &*task.output).collect();
        assert_eq!(outputs.len(), project.tasks.len());
        assert!(project.sources.iter().any(|source| source.path == HEADER));
    }
}
