//! The values of expressions and the filters on them. Knows paths as text: which file stands
//! behind one is the caller's.

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::{Value, shell};

/// The attributes of an item.
pub const ITEM_FIELDS: [&str; 5] = ["stem", "name", "dir", "ext", "rel"];

/// The filters that are told where one does not exist: ours, and those of the engine that fit a
/// build.
pub(super) const FILTERS: [&str; 26] = [
    "stem", "name", "dir", "ext", "raw", "quote", "default", "join", "replace", "split", "lines",
    "upper", "lower", "title", "trim", "first", "last", "length", "sort", "unique", "reverse",
    "map", "select", "reject", "int", "string",
];

/// The engine, the same for every expression and never changed: strict about what is undefined,
/// minijinja's filters and tests, ours, and no functions, so that every name is the scope's.
pub(super) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    for function in ["range", "dict", "debug", "namespace"] {
        engine.remove_global(function);
    }
    // These are about HTML. In a build tool they would promise a quoting that they do not give.
    for filter in ["safe", "escape", "e"] {
        engine.remove_filter(filter);
    }
    engine.add_filter("raw", |value: &Value| verbatim(value.clone()));
    engine.add_filter("quote", quote);
    engine.add_filter("stem", |value: &Value| part(value, "stem", stem));
    engine.add_filter("name", |value: &Value| part(value, "name", name));
    engine.add_filter("dir", |value: &Value| part(value, "dir", dir));
    engine.add_filter("ext", |value: &Value| part(value, "ext", ext));
    engine
});

/// A list of words.
pub fn words_value(words: Vec<String>) -> Value {
    Value::from(words)
}

/// A list of words that has lists of its own by name; a plain one where there are none.
pub fn parts_value(words: Vec<String>, parts: Vec<(String, Vec<String>)>) -> Value {
    if parts.is_empty() {
        return Value::from(words);
    }
    let words = words.into_iter().map(Value::from).collect();
    let parts = parts.into_iter().map(|(name, words)| (name, Value::from(words))).collect();
    Value::from_object(Parts { words, parts })
}

/// A table, for names with attributes such as `env` and `matrix`.
pub fn map_value(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::from_pairs(entries)
}

/// The value, if it is true or false.
///
/// # Errors
/// What it is instead: "text", "a list".
pub fn truth(value: &Value) -> Result<bool, &'static str> {
    match value.kind() {
        ValueKind::Bool => Ok(value.is_true()),
        _ => Err(kind_name(value)),
    }
}

/// What a function that an expression calls refuses with.
pub fn failure(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A file of a `foreach`: prints as its path and has the attributes [`ITEM_FIELDS`]. `rel` is the
/// path behind the fixed part of the pattern that found it.
pub fn item_value(path: &str, rel: &str) -> Value {
    Value::from_object(Item { path: path.to_owned(), rel: rel.to_owned() })
}

#[derive(Debug)]
struct Parts {
    words: Vec<Value>,
    parts: Vec<(String, Value)>,
}

impl Object for Parts {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(name) => Some(self.parts.iter().find(|(part, _)| part == name)?.1.clone()),
            None => self.words.get(key.as_usize()?).cloned(),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.words.len())
    }
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) path: String,
    rel: String,
}

impl Object for Item {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(match key.as_str()? {
            "stem" => stem(&self.path),
            "name" => name(&self.path),
            "dir" => dir(&self.path),
            "ext" => ext(&self.path),
            "rel" => &self.rel,
            _ => return None,
        }))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// What `| raw` and `| quote` give: the value that it holds, which a shell text takes as it is.
#[derive(Debug)]
pub(super) struct Verbatim(pub(super) Value);

impl Object for Verbatim {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match list(&self.0) {
            Some(elements) => {
                let words: Vec<String> = elements.map(|element| element.to_string()).collect();
                f.write_str(&words.join(" "))
            }
            None => write!(f, "{}", self.0),
        }
    }
}

/// The elements, if the value is a list.
pub(super) fn list(value: &Value) -> Option<impl Iterator<Item = Value>> {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
        .then(|| value.try_iter().ok())
        .flatten()
}

/// The text of a value that is one word: a string, a number, a boolean (the engine would print
/// Python's `True`), an item.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value.kind() {
        ValueKind::String | ValueKind::Number => Some(value.to_string()),
        ValueKind::Bool => Some(value.is_true().to_string()),
        _ => value.downcast_object_ref::<Item>().map(|item| item.path.clone()),
    }
}

fn verbatim(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        _ if value.downcast_object_ref::<Verbatim>().is_some() => Ok(value),
        _ => Ok(Value::from_object(Verbatim(value))),
    }
}

fn quote(value: &Value) -> Result<Value, Error> {
    let refuse = |value: &Value| wrong_kind("quote", "text or a list of words", value);
    let word = |value: &Value| match scalar(value) {
        Some(text) => Ok(shell::quote(&text)),
        None => Err(refuse(value)),
    };
    let text = match list(value) {
        Some(elements) => {
            elements.map(|element| word(&element)).collect::<Result<Vec<_>, _>>()?.join(" ")
        }
        None => word(value)?,
    };
    verbatim(Value::from(text))
}

/// Applies `take` to a path, or to each path of a list.
fn part(value: &Value, filter: &str, take: fn(&str) -> &str) -> Result<Value, Error> {
    let one = |value: &Value| match value.kind() {
        ValueKind::String | ValueKind::Plain => scalar(value).map(|text| Value::from(take(&text))),
        _ => None,
    };
    let refuse = |value: &Value| wrong_kind(filter, "a path or a list of paths", value);
    match list(value) {
        Some(elements) => elements
            .map(|element| one(&element).ok_or_else(|| refuse(&element)))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::from),
        None => one(value).ok_or_else(|| refuse(value)),
    }
}

fn wrong_kind(filter: &str, wants: &str, value: &Value) -> Error {
    if value.is_undefined() {
        return Error::from(ErrorKind::UndefinedError);
    }
    let message = format!("`{filter}` takes {wants}, not {}", kind_name(value));
    Error::new(ErrorKind::InvalidOperation, message)
}

/// What a value is, for messages, with its article.
pub(super) fn kind_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::String => "text",
        ValueKind::Number => "a number",
        ValueKind::Bool => "a boolean",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a table",
        ValueKind::None => "none",
        ValueKind::Undefined => "undefined",
        ValueKind::Plain if value.downcast_object_ref::<Item>().is_some() => "a file",
        ValueKind::Plain if value.downcast_object_ref::<Verbatim>().is_some() => "raw text",
        _ => "a function",
    }
}

/// The last component: `a.tar.gz` of `src/a.tar.gz`.
fn name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What stands before the last component: `src` of `src/a.c`, `.` of `a.c`, `/` of `/a.c`.
fn dir(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        None if path.starts_with('/') => "/",
        None => ".",
        Some(("", _)) => "/",
        Some((dir, _)) => dir,
    }
}

/// The last component without its extension: `a.tar` of `src/a.tar.gz`, `.rc` of `.rc`.
fn stem(path: &str) -> &str {
    split_ext(path).0
}

/// What stands behind the last dot of the last component, or nothing: `gz` of `src/a.tar.gz`.
fn ext(path: &str) -> &str {
    split_ext(path).1
}

fn split_ext(path: &str) -> (&str, &str) {
    match name(path) {
        ".." => ("..", ""),
        name => match name.rsplit_once('.') {
            None | Some(("", _)) => (name, ""),
            Some(parts) => parts,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_paths() {
        for (path, dir_, name_, stem_, ext_) in [
            ("src/net/a.c", "src/net", "a.c", "a", "c"),
            ("a.c", ".", "a.c", "a", "c"),
            ("/a.c", "/", "a.c", "a", "c"),
            ("src/a.tar.gz", "src", "a.tar.gz", "a.tar", "gz"),
            ("src/.rc", "src", ".rc", ".rc", ""),
            ("src/.rc.bak", "src", ".rc.bak", ".rc", "bak"),
            ("src/README", "src", "README", "README", ""),
            ("src.d/README", "src.d", "README", "README", ""),
            ("src/a.", "src", "a.", "a", ""),
            ("src/net/", "src", "net", "net", ""),
            ("a/..", "a", "..", "..", ""),
            ("/", "/", "", "", ""),
            ("", ".", "", "", ""),
            ("ü/é.ö", "ü", "é.ö", "é", "ö"),
        ] {
            let parts = (dir(path), name(path), stem(path), ext(path));
            assert_eq!(parts, (dir_, name_, stem_, ext_), "{path:?}");
        }
    }

    #[test]
    fn item_answers_for_its_fields_and_no_others() {
        let item = item_value("src/net/a.c", "net/a.c");
        let fields = ITEM_FIELDS.map(|field| item.get_attr(field).unwrap().to_string());
        assert_eq!(fields, ["a", "a.c", "src/net", "c", "net/a.c"]);
        assert!(item.get_attr("path").unwrap().is_undefined());
        assert_eq!(item.to_string(), "src/net/a.c");
    }
}
