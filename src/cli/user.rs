//! What the user, never a repository, says of taskr: where the store is and how large it may get.
//!
//! Variables first, then `~/.config/taskr/config.toml`, then what is usual. Knows nothing of what
//! is in the store.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, nearest, said};
use crate::parse::size_of;
use crate::run::StoreAt;

/// `--cache` and `TASKR_CACHE`: which stores are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Stores {
    /// None.
    Off,
    /// The user's own.
    Local,
}

/// The keys of `[cache]` in the user's file.
const KEYS: [&str; 2] = ["dir", "size"];

/// The user's store; none if it is turned off, or there is no home to keep one in.
///
/// # Errors
/// A variable or the user's file says something that cannot be meant.
pub(super) fn store(asked: Option<Stores>) -> Result<Option<StoreAt>, Error> {
    let stores = match (asked, text("TASKR_CACHE")?.as_deref()) {
        (Some(asked), _) => asked,
        (None, None | Some("local")) => Stores::Local,
        (None, Some("off")) => Stores::Off,
        (None, Some(other)) => {
            let message = format!("TASKR_CACHE is {other:?}");
            return Err(wrong(message, "set it to `off` or `local`, or unset it"));
        }
    };
    match stores {
        Stores::Off => Ok(None),
        Stores::Local => place(),
    }
}

/// Where the store is, whether it is used or not.
///
/// # Errors
/// As [`store`].
pub(super) fn place() -> Result<Option<StoreAt>, Error> {
    let config = Config::read()?;
    let dir = match (path("TASKR_CACHE_DIR"), config.dir) {
        (Some(dir), _) if dir.is_absolute() => dir,
        (Some(dir), _) => {
            let message = format!("TASKR_CACHE_DIR is a relative path: {}", dir.display());
            return Err(wrong(message, "write it whole: TASKR_CACHE_DIR=\"$PWD/...\""));
        }
        (None, Some(dir)) => dir,
        (None, None) => match path("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()) {
            Some(dir) => dir.join("taskr"),
            None => match home() {
                Some(home) => home.join(".cache/taskr"),
                None => return Ok(None),
            },
        },
    };
    let limit_bytes = match text("TASKR_CACHE_SIZE")? {
        None => config.limit_bytes,
        Some(size) => Some(size_of(&size).ok_or_else(|| {
            wrong(format!("TASKR_CACHE_SIZE is {size:?}"), "write a size: 500M, 10G, 2.5G")
        })?),
    };
    Ok(Some(StoreAt { dir, limit_bytes }))
}

/// The user's file.
#[derive(Debug, Default)]
struct Config {
    dir: Option<PathBuf>,
    limit_bytes: Option<u64>,
}

impl Config {
    fn read() -> Result<Config, Error> {
        let folder = path("XDG_CONFIG_HOME").filter(|dir| dir.is_absolute());
        let folder = folder.or_else(|| Some(home()?.join(".config")));
        let Some(path) = folder.map(|folder| folder.join("taskr/config.toml")) else {
            return Ok(Config::default());
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Config::parse(&text, &path),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(Config::default())
            }
            Err(error) => Err(wrong(
                format!("cannot read {}: {}", path.display(), said(&error)),
                "it is your own settings of taskr; move it away if it is none of yours",
            )),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Config, Error> {
        let at = |what: &str| format!("{}: {what}", path.display());
        let help = "it may say:\n[cache]\ndir = \"/big/disk/taskr\"\nsize = \"20G\"";
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| wrong(at(error.message()), help))?;
        let mut config = Config::default();
        for (name, value) in &table {
            let Some(cache) = value.as_table().filter(|_| name == "cache") else {
                return Err(wrong(at(&format!("there is no setting `{name}`")), help));
            };
            for (key, value) in cache {
                let value = value.as_str();
                match (key.as_str(), value) {
                    ("dir", Some(dir)) if Path::new(dir).is_absolute() => {
                        config.dir = Some(PathBuf::from(dir));
                    }
                    ("size", Some(size)) if size_of(size).is_some() => {
                        config.limit_bytes = size_of(size);
                    }
                    ("dir", _) => {
                        return Err(wrong(at("`dir` must be an absolute path"), help));
                    }
                    ("size", _) => {
                        return Err(wrong(at("`size` must be a size such as \"20G\""), help));
                    }
                    _ => {
                        let meant = nearest(key, KEYS).map(|key| format!("did you mean `{key}`?"));
                        let message = at(&format!("there is no setting `cache.{key}`"));
                        return Err(wrong(message, meant.as_deref().unwrap_or(help)));
                    }
                }
            }
        }
        Ok(config)
    }
}

fn home() -> Option<PathBuf> {
    path("HOME").filter(|home| home.is_absolute())
}

fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn text(name: &str) -> Result<Option<String>, Error> {
    match std::env::var_os(name).filter(|value| !value.is_empty()).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(value)) => {
            Err(wrong(format!("{name} is no text: {}", value.display()), "unset it"))
        }
    }
}

fn wrong(message: String, help: &str) -> Error {
    Error::Usage { message, help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_file_is_read_strictly() {
        let parse = |text: &str| Config::parse(text, Path::new("/h/config.toml"));
        let good = parse("[cache]\ndir = \"/x\"\nsize = \"1G\"\n").expect("it is right");
        assert_eq!(good.dir.as_deref(), Some(Path::new("/x")));
        assert_eq!(good.limit_bytes, Some(1_000_000_000));
        assert!(parse("").is_ok());
        for (text, told) in [
            ("cache = 1", "no setting `cache`"),
            ("[store]\n", "no setting `store`"),
            ("[cache]\ndirs = \"/x\"", "no setting `cache.dirs`"),
            ("[cache]\ndir = \"x\"", "`dir` must be an absolute path"),
            ("[cache]\nsize = 12", "`size` must be a size"),
            ("[cache\n", "/h/config.toml:"),
        ] {
            let error = parse(text).expect_err(text);
            let error = crate::error::render(&error, false, 100);
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
