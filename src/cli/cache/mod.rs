//! `taskr cache`: the user's store as a whole: what is in it, keeping it in order, carrying results
//! to another machine.
//!
//! Needs no Taskfile but for `export`, which takes what one workspace stands on.

mod carry;

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use taskr_cache::{Admin, Info, StoreError};

use super::End;
use super::amounts::{count, size};
use super::args::{Cache, CacheWord};
use super::json_out::version;
use super::out::print;
use super::user;
use super::workspace::Workspace;
use crate::error::{Error, quoted};
use crate::parse::size_of;
use crate::report::{duration, one_line};
use crate::run::StoreAt;

pub(super) fn cache(args: &Cache, workspace: Result<Workspace, Error>) -> Result<End, Error> {
    check(args)?;
    let at = user::place()?.ok_or_else(|| Error::Usage {
        message: "there is no home to keep a store in".to_owned(),
        help: Some("set HOME, or TASKR_CACHE_DIR to a folder for it".to_owned()),
    })?;
    let admin = Admin::new(&at.dir, limit(args, &at)?);
    match args.word {
        CacheWord::Info => info(args, &at, &admin),
        CacheWord::Path => told(args, || format!("{}\n", at.dir.display()), || dir_json(&at)),
        CacheWord::Trim => trim(args, &at, &admin),
        CacheWord::Verify => verify(args, &at, &admin),
        CacheWord::Clear => clear(args, &at, &admin),
        CacheWord::Export => carry::export(args, &workspace?, &at, &admin),
        CacheWord::Import => carry::import(args, &at, &admin),
    }
}

/// Whether the words fit each other.
fn check(args: &Cache) -> Result<(), Error> {
    let word = args.word.name();
    let carries = matches!(args.word, CacheWord::Export | CacheWord::Import);
    let usage = |message: String, help: String| Err(Error::Usage { message, help: Some(help) });
    match (&args.carried, &args.size) {
        (None, _) if carries => usage(
            format!("`taskr cache {word}` needs a file"),
            format!("write `taskr cache {word} results.taskr`; `-` stands for a pipe"),
        ),
        (Some(file), _) if !carries => {
            let file = quoted(&one_line(&file.display().to_string()));
            usage(
                format!("`taskr cache {word}` takes no {file}"),
                format!("write `taskr cache {word}`"),
            )
        }
        (_, Some(size)) if args.word != CacheWord::Trim => usage(
            format!("`--size` is for `taskr cache trim`, not `{word}`"),
            format!(
                "write `taskr cache trim --size {size}`; TASKR_CACHE_SIZE is the limit of builds"
            ),
        ),
        _ => Ok(()),
    }
}

/// How much may be kept: what was asked, else the user's limit.
fn limit(args: &Cache, at: &StoreAt) -> Result<Option<u64>, Error> {
    let Some(text) = &args.size else { return Ok(at.limit_bytes) };
    match size_of(text) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(Error::Usage {
            message: format!("`--size` takes a size, not {}", quoted(&one_line(text))),
            help: Some("write a size: 500M, 10G, 2.5G".to_owned()),
        }),
    }
}

/// Prints an answer, as JSON if that is asked for.
fn told(
    args: &Cache,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> Value,
) -> Result<End, Error> {
    print(answer(args, text, json).as_bytes())?;
    Ok(End::Code(0))
}

fn answer(args: &Cache, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> String {
    if !args.json {
        return text();
    }
    let mut value = json();
    value["version"] = json!(version());
    format!("{value:#}\n")
}

fn dir_json(at: &StoreAt) -> Value {
    json!({ "dir": at.dir.display().to_string() })
}

/// What could not be done with the store at `dir`.
fn failed(doing: &str, dir: &Path, error: StoreError) -> Error {
    match error {
        StoreError::Busy => Error::Busy(error.to_string()),
        StoreError::Refused(why) | StoreError::Failed(why) => Error::Io {
            doing: doing.to_owned(),
            path: dir.to_owned(),
            cause: std::io::Error::other(why),
        },
    }
}

fn info(args: &Cache, at: &StoreAt, admin: &Admin) -> Result<End, Error> {
    let info = admin.info().map_err(|error| failed("cannot read the store", &at.dir, error))?;
    let on = user::store(None)?.is_some();
    let text = || {
        let off = if on { "" } else { "  (turned off by TASKR_CACHE)" };
        format!("{}{off}\n  {}\n  {}\n", at.dir.display(), holds(&info), lifetime(&info))
    };
    let json = || {
        json!({
            "dir": at.dir.display().to_string(),
            "on": on,
            "entries": info.entries,
            "blobs": info.blobs,
            "bytes": info.bytes,
            "limit_bytes": info.limit_bytes,
            "hits": info.hits,
            "stored": info.stored,
            "saved_ms": info.saved_ms,
            "spent_ms": info.spent_ms,
        })
    };
    told(args, text, json)
}

fn holds(info: &Info) -> String {
    let limit = size(info.limit_bytes);
    match info.entries + info.blobs {
        0 => format!("empty; it may grow to {limit}"),
        _ => format!("{} of {limit}: {}", size(info.bytes), amounts(info.entries, info.blobs)),
    }
}

/// What the store was good for, over its life.
pub(super) fn lifetime(info: &Info) -> String {
    let times = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX), "time", "times");
    format!(
        "stored {}, restored {}: saved {}, spent {}",
        times(info.stored),
        times(info.hits),
        duration(info.saved_ms),
        duration(info.spent_ms)
    )
}

fn amounts(entries: usize, blobs: usize) -> String {
    format!("{} of {}", count(entries, "result", "results"), count(blobs, "content", "contents"))
}

fn trim(args: &Cache, at: &StoreAt, admin: &Admin) -> Result<End, Error> {
    let trimmed = admin.trim().map_err(|error| failed("cannot trim the store", &at.dir, error))?;
    warn(trimmed.warning.as_deref());
    let text = || {
        let left = size(trimmed.left_bytes);
        match trimmed.entries + trimmed.blobs {
            0 => format!("nothing to remove: the store has {left}\n"),
            _ => format!(
                "removed {} ({}); {left} are left\n",
                amounts(trimmed.entries, trimmed.blobs),
                size(trimmed.bytes)
            ),
        }
    };
    let json = || {
        json!({
            "entries": trimmed.entries,
            "blobs": trimmed.blobs,
            "bytes": trimmed.bytes,
            "left_bytes": trimmed.left_bytes,
        })
    };
    told(args, text, json)
}

/// Exit code 1 if something was wrong, although it is not there any more.
fn verify(args: &Cache, at: &StoreAt, admin: &Admin) -> Result<End, Error> {
    let mut problems: Vec<String> = Vec::new();
    let verified = admin.verify(|problem| problems.push(problem.to_string()));
    let verified = verified.map_err(|error| failed("cannot verify the store", &at.dir, error))?;
    let text = || {
        let mut text: String =
            problems.iter().map(|problem| format!("{}\n", one_line(problem))).collect();
        let whole = amounts(verified.entries, verified.blobs);
        text.push_str(&format!("verified {whole} ({})", size(verified.bytes)));
        if verified.problems > 0 {
            let problems = count(verified.problems, "problem", "problems");
            text.push_str(&format!("; {problems}, removed"));
        }
        text.push('\n');
        if verified.orphans > 0 {
            let orphans = count(verified.orphans, "content belongs", "contents belong");
            let bytes = size(verified.orphan_bytes);
            text.push_str(&format!("{orphans} to no result ({bytes}): `taskr cache trim`\n"));
        }
        text
    };
    let json = || {
        json!({
            "entries": verified.entries,
            "blobs": verified.blobs,
            "bytes": verified.bytes,
            "orphans": verified.orphans,
            "orphan_bytes": verified.orphan_bytes,
            "problems": problems,
        })
    };
    told(args, text, json)?;
    Ok(End::Code(u8::from(verified.problems > 0)))
}

fn clear(args: &Cache, at: &StoreAt, admin: &Admin) -> Result<End, Error> {
    let was = admin.clear().map_err(|error| failed("cannot clear the store", &at.dir, error))?;
    let text = || match was.entries + was.blobs {
        0 => "nothing to remove: the store was empty\n".to_owned(),
        _ => format!("removed {} ({})\n", amounts(was.entries, was.blobs), size(was.bytes)),
    };
    told(args, text, || json!({ "entries": was.entries, "blobs": was.blobs, "bytes": was.bytes }))
}

fn warn(warning: Option<&str>) {
    if let Some(warning) = warning {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
}
