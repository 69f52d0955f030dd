//! What the expressions of one task see.
//!
//! Names that are known when the graph is made: variables, the item, the matrix, the machine.
//! Names that are known when the task is ready (`inputs`, `out`, …) are added by the caller of
//! [`Scope::value`].

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indexmap::IndexMap;

use crate::expr::{Problem, Value, item_value, map_value, words_value};
use crate::graph::asks::{Asks, Lack};
use crate::graph::rule::Text;
use crate::parse::split_name;

/// Names that only a ready task knows.
pub(super) const READY_NAMES: [&str; 4] = ["inputs", "outputs", "target", "items"];

/// Names that every task knows when the graph is made.
pub(super) const LOAD_NAMES: [&str; 15] = [
    "name", "args", "item", "matrix", "out", "state", "depfile", "dir", "env", "os", "arch", "ci",
    "jobs", "profile", "package",
];

/// Variables nest at most so deep.
const DEEPEST: usize = 64;

/// The value of a variable before expansion.
#[derive(Clone, Debug)]
pub enum Variable {
    /// One string.
    One(Text),
    /// A list: each element one word, or a list by a whole-element expression.
    List(Vec<Text>),
    /// What a command for the shell prints.
    Sh(Text),
}

/// A variable's text may be so long, in MiB.
const LONGEST_TEXT: usize = 1;

/// All words of a list together may, with one byte more for each: more than a command line takes.
const LONGEST_LIST: usize = 4;

const MIB: usize = 1 << 20;

/// Variables within variables, each expanded once.
type Nesting = RefCell<HashMap<String, Value>>;

impl Variable {
    /// Its strings.
    pub fn texts(&self) -> &[Text] {
        match self {
            Variable::One(text) | Variable::Sh(text) => std::slice::from_ref(text),
            Variable::List(texts) => texts,
        }
    }

    fn value(
        &self,
        name: &str,
        scope: &crate::expr::Scope<'_>,
        asks: &Asks,
    ) -> Result<Value, Problem> {
        Ok(match self {
            Variable::Sh(text) => asks.value(name, &text.template.shell(scope)?, text)?,
            Variable::One(text) => text.template.value(scope)?,
            Variable::List(texts) => {
                let mut words = Vec::new();
                let mut bytes = 0;
                for text in texts {
                    let more = text.template.words(scope)?;
                    bytes += more.iter().map(|word| word.len() + 1).sum::<usize>();
                    if bytes > LONGEST_LIST * MIB {
                        return Err(too_long(name, LONGEST_LIST));
                    }
                    words.extend(more);
                }
                words_value(words)
            }
        })
    }
}

/// What is the same for all tasks of one invocation.
#[derive(Debug)]
pub struct Surroundings {
    /// The caller's environment, where it is text.
    pub env: BTreeMap<String, String>,
    /// Set as soon as an expression asks for it, or for `jobs`: a make that calls decides that.
    pub env_asked: Arc<AtomicBool>,
    /// How many tasks may run at once.
    pub jobs: usize,
    /// The profile's name.
    pub profile: String,
}

impl Surroundings {
    /// The same in another profile.
    #[must_use]
    pub fn in_profile(&self, profile: &str) -> Surroundings {
        let Surroundings { env, env_asked, jobs, profile: _ } = self;
        let (env, env_asked) = (env.clone(), env_asked.clone());
        Surroundings { env, env_asked, jobs: *jobs, profile: profile.to_owned() }
    }
}

/// One item of a `foreach`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// As the task's command sees it: relative to its folder, or a plain word.
    pub written: Vec<u8>,
    /// The part after the glob's fixed folder.
    pub rel: Vec<u8>,
    /// Where the file is in the workspace; none for a plain word.
    pub file: Option<Vec<u8>>,
}

impl Item {
    /// As an expression gives it: a file that would look like an option gets `./` in front.
    ///
    /// # Errors
    /// If its name is not UTF-8.
    pub fn word(&self) -> Result<String, Problem> {
        let written = utf8(&self.written)?;
        let option_like = self.file.is_some() && written.starts_with('-');
        Ok(if option_like { format!("./{written}") } else { written.to_owned() })
    }
}

/// Paths of one task as its command sees them.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// The command's folder, seen from the workspace.
    pub dir: String,
    /// Where outputs are staged.
    pub out: String,
    /// What a tool keeps between runs.
    pub state: String,
    /// What the command writes its dependencies to; empty if it has none.
    pub depfile: String,
}

/// What the expressions of one task see.
#[derive(Clone, Debug)]
pub struct Scope {
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) variables: Arc<Variables>,
    pub(super) target: Arc<str>,
    pub(super) item: Option<Arc<Item>>,
    pub(super) matrix: Arc<[(String, String)]>,
    pub(super) own: Arc<Own>,
    /// Of the command line, if the target takes them.
    pub(super) args: Option<Arc<[String]>>,
    pub(super) asks: Arc<Asks>,
    pub(super) package: Arc<Package>,
    /// Whether the task is one of its profile alone.
    pub(super) tied: bool,
}

/// Variables by name, in order.
#[derive(Debug)]
pub(super) struct Variables(pub(super) IndexMap<String, Variable>);

/// What `package` gives.
#[derive(Debug, Default)]
pub struct Package {
    /// None for a root that nothing names.
    pub name: Option<String>,
    /// Relative to the workspace, `.` for the root.
    pub dir: String,
}

/// What an expression may say behind `package.`.
pub(super) const PACKAGE_FIELDS: [&str; 2] = ["name", "dir"];

impl Scope {
    /// The scope of a target, by its full name, without items.
    pub fn new(
        surroundings: Arc<Surroundings>,
        variables: IndexMap<String, Variable>,
        target: &str,
    ) -> Scope {
        let variables = Arc::new(Variables(variables));
        let (target, own) = (target.into(), Arc::default());
        let (matrix, package) = (Arc::new([]), Arc::default());
        Scope {
            surroundings,
            variables,
            target,
            item: None,
            matrix,
            own,
            args: None,
            asks: Arc::default(),
            package,
            tied: false,
        }
    }

    /// The same in a package.
    #[must_use]
    pub fn in_package(self, package: Arc<Package>) -> Scope {
        Scope { package, ..self }
    }

    /// The package.
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// The same of a target that has tasks of its own in each profile.
    pub(super) fn tied(self) -> Scope {
        Scope { tied: true, ..self }
    }

    /// What `{{ profile }}` gives.
    pub fn profile_name(&self) -> &str {
        &self.surroundings.profile
    }

    /// The profile whose task this is; none if it is one of all.
    pub fn profile(&self) -> Option<&str> {
        self.tied.then_some(&self.surroundings.profile)
    }

    /// The same for one item and one combination.
    pub fn of(&self, item: Option<Item>, matrix: &[(String, String)]) -> Scope {
        Scope { item: item.map(Arc::new), matrix: matrix.into(), ..self.clone() }
    }

    /// The same with the paths of one task.
    pub fn with_own(&self, own: Own) -> Scope {
        Scope { own: Arc::new(own), ..self.clone() }
    }

    /// The same with what commands print for variables.
    pub(super) fn with_asks(&self, asks: Arc<Asks>) -> Scope {
        Scope { asks, ..self.clone() }
    }

    /// Why what a command prints was not there, if that is why the last expression failed.
    pub fn lack(&self) -> Option<Lack> {
        self.asks.lack()
    }

    /// Whether the last expression failed because what a command prints is not there.
    pub(super) fn is_lacking(&self) -> bool {
        self.asks.is_lacking(&self.target)
    }

    /// The same with arguments of the command line.
    pub(super) fn with_args(&self, args: Arc<[String]>) -> Scope {
        Scope { args: Some(args), ..self.clone() }
    }

    /// Whether a variable may be what a command prints.
    pub(super) fn may_ask(&self) -> bool {
        self.asks.has_place()
    }

    /// The arguments of the command line, if the target takes them.
    pub fn args(&self) -> Option<&[String]> {
        self.args.as_deref()
    }

    /// The paths of this task.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// The item of this task.
    pub fn item(&self) -> Option<&Item> {
        self.item.as_deref()
    }

    /// The value on one axis of the matrix.
    pub fn axis(&self, axis: &str) -> Option<&String> {
        Some(&self.matrix.iter().find(|(name, _)| name == axis)?.1)
    }

    /// The names of the matrix's axes.
    pub fn axes(&self) -> impl Iterator<Item = &str> {
        self.matrix.iter().map(|(axis, _)| axis.as_str())
    }

    /// The names of its variables.
    pub fn variables(&self) -> &IndexMap<String, Variable> {
        &self.variables.0
    }

    /// The caller's environment variable of this name, in whatever case it was written.
    pub(super) fn caller_variable(&self, name: &str) -> Option<&str> {
        let exact = self.surroundings.env.get_key_value(name);
        let found = exact.or_else(|| self.surroundings.env.get_key_value(&name.to_uppercase()));
        found.map(|(name, _)| name.as_str())
    }

    /// The value of `name`; `ready` knows the names of [`READY_NAMES`]. `None` if the name means
    /// nothing here.
    ///
    /// # Errors
    /// An item whose name is not UTF-8, or what an expression within a variable gives.
    pub fn value(
        &self,
        name: &str,
        ready: &dyn Fn(&str) -> Result<Option<Value>, Problem>,
    ) -> Result<Option<Value>, Problem> {
        self.nested(name, ready, &Nesting::default(), 0)
    }

    fn nested(
        &self,
        name: &str,
        ready: &dyn Fn(&str) -> Result<Option<Value>, Problem>,
        known: &Nesting,
        depth: usize,
    ) -> Result<Option<Value>, Problem> {
        if depth > DEEPEST {
            return Err(Problem::new(format!("variables nest deeper than {DEEPEST}")));
        }
        if let Some(variable) = self.variables.0.get(name) {
            if let Some(value) = known.borrow().get(name) {
                return Ok(Some(value.clone()));
            }
            let inner = |name: &str| self.nested(name, ready, known, depth + 1);
            let value = variable.value(name, &inner, &self.asks)?;
            if value.as_str().is_some_and(|text| text.len() > LONGEST_TEXT * MIB) {
                return Err(too_long(name, LONGEST_TEXT));
            }
            known.borrow_mut().insert(name.to_owned(), value.clone());
            return Ok(Some(value));
        }
        Ok(Some(match name {
            "name" => Value::from(split_name(&self.target).1),
            "dir" => Value::from(self.own.dir.as_str()),
            "out" if !self.own.out.is_empty() => Value::from(self.own.out.as_str()),
            "state" if !self.own.out.is_empty() => Value::from(self.own.state.as_str()),
            "depfile" if !self.own.depfile.is_empty() => Value::from(self.own.depfile.as_str()),
            "item" => match &self.item {
                Some(item) => item_value(&item.word()?, utf8(&item.rel)?),
                None => return Ok(None),
            },
            "matrix" if !self.matrix.is_empty() => map_value(
                self.matrix.iter().map(|(axis, value)| (axis.clone(), Value::from(value.as_str()))),
            ),
            "env" => {
                self.surroundings.env_asked.store(true, Ordering::Relaxed);
                let all = self.surroundings.env.iter();
                map_value(all.map(|(name, value)| (name.clone(), Value::from(value.as_str()))))
            }
            "args" => match &self.args {
                Some(args) => words_value(args.to_vec()),
                None => return Ok(None),
            },
            "os" => Value::from(std::env::consts::OS),
            "arch" => Value::from(std::env::consts::ARCH),
            "ci" => Value::from(self.surroundings.env.contains_key("CI")),
            "jobs" => {
                self.surroundings.env_asked.store(true, Ordering::Relaxed);
                Value::from(self.surroundings.jobs)
            }
            "profile" => Value::from(self.surroundings.profile.as_str()),
            "package" => {
                let name = self.package.name.iter().map(|name| ("name".to_owned(), name.as_str()));
                let fields = name.chain([("dir".to_owned(), self.package.dir.as_str())]);
                map_value(fields.map(|(field, value)| (field, Value::from(value))))
            }
            _ => return ready(name),
        }))
    }
}

fn too_long(name: &str, most: usize) -> Problem {
    Problem::new(format!("the variable `{name}` is longer than {most} MiB"))
}

fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|_| not_text(bytes))
}

/// The error for a path that an expression needs as text.
pub fn not_text(path: &[u8]) -> Problem {
    Problem::new(format!("the file name `{}` is not UTF-8", crate::outcome::shown(path)))
        .help("an expression needs it as text; rename the file, or reach it by a glob".to_owned())
}

/// A name as messages, logs and folders show it: `%` and what is no printable text as `%XX`.
/// Injective, so that no two tasks share a name.
pub fn printable(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' || c.is_control() {
                let mut bytes = [0; 4];
                let encoded = c.encode_utf8(&mut bytes).bytes();
                text.extend(encoded.map(|byte| format!("%{byte:02X}")));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printable_and_distinct() {
        let names: [&[u8]; 5] = [b"a\nb", b"a%0Ab", b"\xff.c", b"%FF.c", "ü.c".as_bytes()];
        let shown: Vec<String> = names.iter().map(|name| printable(name)).collect();
        assert_eq!(shown, ["a%0Ab", "a%250Ab", "%FF.c", "%25FF.c", "ü.c"]);
    }
}
