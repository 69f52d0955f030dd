//! Why a program did not start, in words and with what to do.
//!
//! Asked only after the system refused: looks at the disk again, and at the words. What it finds
//! may have changed meanwhile, so that it explains but never decides.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::Command;
use super::find::{first_bytes, interpreter};
use crate::error::{nearest, quoted, remedy, said};

/// The longest single argument that Linux takes, its closing zero included (`MAX_ARG_STRLEN`).
const LONGEST_ARGUMENT_BYTES: usize = 128 * 1024;

/// Why `find_program` knows no program `name` for a command of the folder `dir`.
pub fn why_not_found(name: &str, path_var: &OsStr, dir: &Path) -> String {
    let named = quoted(name);
    if name.is_empty() {
        return "its program is the empty word".to_owned();
    }
    if let Some((program, _)) = name.split_once(' ')
        && !dir.join(name).exists()
    {
        return format!(
            "there is no program {named}: write each word as a string of its own, as in exec = \
             [\"{program}\", \"…\"], or `run` for a line of a shell"
        );
    }
    if name.contains('/') {
        return why_not_this(name, &dir.join(name));
    }
    let none = format!("there is no program {named} in PATH");
    let folders = path_var.as_bytes().split(|&byte| byte == b':');
    let paths = folders.map(|folder| dir.join(OsStr::from_bytes(folder)).join(name));
    if let Some(found) = paths.into_iter().find(|path| path.is_file()) {
        return format!("{} is not executable", quoted(&found.display().to_string()));
    }
    if dir.join(name).is_file() {
        return format!("{none}; the one in its folder is `./{name}`");
    }
    if path_var.is_empty() { format!("{none}, which is empty") } else { none }
}

fn why_not_this(name: &str, path: &Path) -> String {
    let named = quoted(name);
    let Ok(metadata) = path.metadata() else {
        if let Ok(target) = path.read_link() {
            let target = quoted(&target.display().to_string());
            return format!("{named} is a link to {target}, which does not exist");
        }
        let near = near(path).map_or_else(String::new, |near| {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("; did you mean {}?", quoted(&format!("{folder}/{near}")))
        });
        return format!("there is no program {named}{near}");
    };
    if metadata.is_dir() {
        return format!("{named} is a folder, no program");
    }
    if !metadata.is_file() {
        return format!("{named} is no program");
    }
    let script = !first_bytes(path).starts_with(b"\x7fELF");
    let shell = if script { format!(", or [\"sh\", {name:?}]") } else { String::new() };
    format!("{named} is not executable: `chmod +x {name}`{shell}")
}

/// Why `dir`, a command's folder, cannot be one; None if nothing is wrong with it. Shown relative
/// to `root`.
pub fn why_not_in(dir: &Path, root: &Path) -> Option<String> {
    let named = quoted(&dir.strip_prefix(root).unwrap_or(dir).display().to_string());
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => None,
        Ok(_) => Some(format!("its folder {named} is a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let near = near(dir).map(|near| quoted(&near));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            Some(format!("its folder {named} does not exist{near}"))
        }
        Err(error) => Some(format!("cannot enter its folder {named}: {}", said(&error))),
    }
}

/// Why the system did not start `command`, which it refused with `error`.
pub fn why_not_started(command: &Command, error: &io::Error) -> String {
    let program = &command.program;
    let shown = match program.strip_prefix(&command.dir) {
        Ok(below) => format!("./{}", below.display()),
        Err(_) => program.display().to_string(),
    };
    let named = quoted(&shown);
    let because = |why: &str| format!("cannot start {named}: {why}");
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::ACCESS) if access(&command.dir, Access::EXEC_OK).is_err() => {
            format!("cannot enter its folder {}: {}", command.dir.display(), said(error))
        }
        Some(Errno::NOENT | Errno::ACCESS) => {
            because(&about_interpreter(program, &shown).unwrap_or_else(|| said(error)))
        }
        Some(Errno::NOEXEC) => because(match first_bytes(program).starts_with(b"\x7fELF") {
            true => "it is made for another kind of machine",
            false => "a script begins with the line of its interpreter, such as `#!/bin/sh`",
        }),
        Some(Errno::TOOBIG) => because(&too_long(command)),
        Some(Errno::AGAIN) => because(
            "no more processes may be started: `ulimit -u` shows how many, a smaller -j needs fewer",
        ),
        _ => match remedy(error) {
            Some(remedy) => because(&format!("{}: {remedy}", said(error))),
            None => because(&said(error)),
        },
    }
}

/// What is wrong with the interpreter that a script names.
fn about_interpreter(program: &Path, shown: &str) -> Option<String> {
    let start = first_bytes(program);
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if line.starts_with(b"#!") && line.ends_with(b"\r") {
        return Some(format!("its lines end as on Windows: `sed -i 's/\\r$//' {shown}`"));
    }
    if start.starts_with(b"\x7fELF") {
        return Some("the loader or the libraries that it was made for are not there".to_owned());
    }
    let interpreter = interpreter(program)?.path;
    let named = interpreter.display();
    match interpreter.exists() {
        false => Some(format!("its interpreter {named} does not exist (see its first line)")),
        true if access(&interpreter, Access::EXEC_OK).is_err() => {
            Some(format!("its interpreter {named} is not executable (see its first line)"))
        }
        true => None,
    }
}

/// What is too long: one argument, or all together.
fn too_long(command: &Command) -> String {
    let longest = command.args.iter().map(|arg| arg.len()).max().unwrap_or(0);
    if longest >= LONGEST_ARGUMENT_BYTES {
        let most = LONGEST_ARGUMENT_BYTES - 1;
        return format!(
            "its longest argument (a script is one) has {longest} bytes, and the system takes \
             {most}: let it read a file instead"
        );
    }
    let args: usize = command.args.iter().map(|arg| arg.len() + 1).sum();
    let env: usize = command.env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    format!(
        "its command line has {args} bytes and its environment {env}, more than the system takes: \
         let it read a list from a file, or make a task for each with `foreach`"
    )
}

/// The name beside `path` that was meant.
fn near(path: &Path) -> Option<String> {
    let entries = fs::read_dir(path.parent()?).ok()?.flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(str::to_owned)
}
