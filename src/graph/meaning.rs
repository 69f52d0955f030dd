//! Whether a name of an expression means something to a target, and what to write where it
//! does not. Knows no places: where the name stands is the caller's.

use super::scope::{LOAD_NAMES, PACKAGE_FIELDS, READY_NAMES, Scope};
use crate::error::{listed, nearest};
use crate::expr::{ITEM_FIELDS, Problem};
use crate::parse;

/// What a target's expressions may name.
pub(super) struct Sight<'a> {
    pub(super) target: &'a parse::Target,
    pub(super) scope: &'a Scope,
}

/// Why a name means nothing.
pub(super) enum Fault {
    /// Nowhere: what is to be changed is the name.
    Unknown(Problem),
    /// Not in this target, or not in this field: what is to be changed is the use.
    NotHere(Problem),
}

/// What other tools call the parts of a path.
const ALIASES: [(&str, &str); 9] = [
    ("basename", "name"),
    ("filename", "name"),
    ("base", "stem"),
    ("extension", "ext"),
    ("suffix", "ext"),
    ("dirname", "dir"),
    ("folder", "dir"),
    ("parent", "dir"),
    ("relative", "rel"),
];

impl Sight<'_> {
    /// What is wrong with the name `path`, which is no variable. `ready`: the text is read when
    /// the task is about to run.
    pub(super) fn fault(&self, path: &str, ready: bool) -> Option<Fault> {
        let mut parts = path.split('.');
        let head = parts.next().unwrap_or(path);
        let (field, deeper) = (parts.next(), parts.next());
        match head {
            "item" if self.target.foreach.is_none() => Some(Fault::NotHere(self.no_item(ready))),
            "item" => unknown_field(field?, deeper).map(Fault::Unknown),
            "matrix" if self.target.matrix.is_empty() => Some(Fault::NotHere(self.no_matrix())),
            "matrix" => self.unknown_axis(field?).map(Fault::NotHere),
            "args" if !self.target.reads.args => Some(Fault::NotHere(self.no_args())),
            "inputs" if ready && field.is_some() => self.unknown_part(field?).map(Fault::Unknown),
            "package" => self.no_package(field?),
            "items" if self.target.schedule.batch.is_none() => {
                Some(Fault::NotHere(self.no_items()))
            }
            _ if READY_NAMES.contains(&head) && !ready => Some(Fault::NotHere(self.not_yet(head))),
            _ if READY_NAMES.contains(&head) || LOAD_NAMES.contains(&head) => None,
            _ => Some(Fault::Unknown(self.unknown(head, ready))),
        }
    }

    /// A name of the command that stands for nothing, because its field is not there.
    pub(super) fn stands_for_nothing(&self, head: &str) -> Option<Problem> {
        let target = &self.target;
        let (what, help) = match head {
            "outputs" if target.outputs.is_none() => {
                ("outputs", "add outputs = [\"bin/app\"], or write to `{{ out }}`")
            }
            "inputs" if target.inputs.is_none() && target.foreach.is_none() => {
                ("inputs", "add inputs = [\"src/**\"], or leave it out")
            }
            _ => return None,
        };
        let message = format!("`{what}` is empty: target `{}` declares none", target.name);
        Some(Problem::new(message).help(help))
    }

    fn no_item(&self, ready: bool) -> Problem {
        let name = &self.target.name;
        let instead = match ready && self.target.inputs.is_some() {
            true => "; all inputs at once are `{{ inputs }}`",
            false => "",
        };
        Problem::new(format!("`item` means nothing in target `{name}`: it has no `foreach`"))
            .help(format!("for a task for each file, add foreach = [\"src/*.c\"]{instead}"))
    }

    fn no_items(&self) -> Problem {
        let name = &self.target.name;
        let help = match self.target.foreach.is_some() {
            true => {
                "the item of a task is `{{ item }}`; for several in one process, add batch = 20"
            }
            false => "for several items in one process, add foreach = [\"src/*.c\"] and batch = 20",
        };
        Problem::new(format!("`items` means nothing in target `{name}`: it has no `batch`"))
            .help(help)
    }

    fn no_matrix(&self) -> Problem {
        let name = &self.target.name;
        Problem::new(format!("`matrix` means nothing in target `{name}`: it has no `matrix`"))
            .help("for a task for each value, add matrix = { os = [\"linux\", \"mac\"] }")
    }

    fn no_args(&self) -> Problem {
        let name = &self.target.name;
        Problem::new(format!("`args` means nothing in target `{name}`: it takes none"))
            .help("add args = true; they stand behind `--` on the command line")
    }

    fn no_package(&self, field: &str) -> Option<Fault> {
        if !PACKAGE_FIELDS.contains(&field) {
            let problem = Problem::new(format!("`package.{field}` is not defined"));
            let help = match nearest(field, PACKAGE_FIELDS) {
                Some(near) => format!("did you mean `package.{near}`?"),
                None => listed("a package has", PACKAGE_FIELDS),
            };
            return Some(Fault::Unknown(problem.help(help)));
        }
        let is_nameless = field == "name" && self.scope.package().name.is_none();
        is_nameless.then(|| {
            Fault::NotHere(
                Problem::new("the root of the workspace has no name")
                    .help("give it one at the top of its Taskfile:\n[package]\nname = \"app\""),
            )
        })
    }

    fn unknown_axis(&self, axis: &str) -> Option<Problem> {
        let axes = &self.target.matrix;
        if axes.contains_key(axis) {
            return None;
        }
        let help = match nearest(axis, axes.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `matrix.{near}`?"),
            None => {
                let axes: Vec<String> = axes.keys().map(|axis| format!("matrix.{axis}")).collect();
                listed("its axes:", axes.iter().map(String::as_str))
            }
        };
        let message = format!("target `{}` has no axis `{axis}`", self.target.name);
        Some(Problem::new(message).help(help))
    }

    fn unknown_part(&self, part: &str) -> Option<Problem> {
        let target = self.target;
        let parts = || target.reads.parts.iter().map(|(name, _)| name.text.as_str());
        if parts().any(|name| name == part) {
            return None;
        }
        let problem = Problem::new(format!("`inputs.{part}` is not defined"));
        Some(match (nearest(part, parts()), parts().next()) {
            (Some(near), _) => problem.help(format!("did you mean `inputs.{near}`?")),
            (None, Some(_)) => {
                let all: Vec<String> = parts().map(|name| format!("inputs.{name}")).collect();
                problem.help(listed("its lists:", all.iter().map(String::as_str)))
            }
            (None, None) => problem.help(format!(
                "`inputs` of target `{}` is one list; to name a part of it, write a table of \
                 lists:\ninputs = {{ {part} = [\"src/**\"] }}",
                target.name
            )),
        })
    }

    fn not_yet(&self, head: &str) -> Problem {
        let help = match (head, self.target.foreach.is_some()) {
            ("target", _) => "to read what another target makes, write `@NAME` in `inputs`",
            (_, true) => "write the path itself; where there is an item, with `{{ item.stem }}`",
            (_, false) => "write the path itself; for a task for each file, use `foreach`",
        };
        Problem::new(format!("`{head}` is known only when the command runs")).help(help)
    }

    fn unknown(&self, head: &str, ready: bool) -> Problem {
        let problem = Problem::new(format!("`{head}` is not defined"));
        let known: Vec<&str> = self.known(ready);
        if let Some((_, help)) = FOREIGN.iter().find(|(names, _)| names.contains(&head)) {
            return problem.help(*help);
        }
        if let Some(near) = nearest(head, known.iter().copied()) {
            return problem.help(format!("did you mean `{near}`?"));
        }
        if let Some(name) = self.scope.caller_variable(head) {
            return problem
                .help(format!("for the environment variable write `{{{{ env.{name} }}}}`"));
        }
        let own = format!("add it to [vars]: {head} = \"…\"\n");
        problem.help(own + &listed("known here are", known))
    }

    /// Variables, and the names of taskr that mean something in this target.
    fn known(&self, ready: bool) -> Vec<&str> {
        let means = |name: &&str| match *name {
            "item" => self.target.foreach.is_some(),
            "matrix" => !self.target.matrix.is_empty(),
            "args" => self.target.reads.args,
            _ => true,
        };
        let is_batch = self.target.schedule.batch.is_some();
        let when_ready =
            READY_NAMES.into_iter().filter(|name| ready && (*name != "items" || is_batch));
        let variables = self.scope.variables().keys().map(String::as_str);
        variables.chain(when_ready).chain(LOAD_NAMES.into_iter().filter(means)).collect()
    }
}

/// Names that people bring along, and what to write.
const FOREIGN: [(&[&str], &str); 4] = [
    (
        &["linux", "macos", "darwin", "windows", "freebsd"],
        "a text stands in quotes, as in os == 'linux'",
    ),
    (&["x86_64", "amd64", "aarch64", "arm64"], "a text stands in quotes, as in arch == 'x86_64'"),
    (
        &["invocation_directory", "justfile_directory", "invocation_dir", "source_directory"],
        "paths are those of the workspace, wherever taskr is called; a command starts in its `dir`",
    ),
    (
        &["end", "range", "with", "eq", "ne", "printf"],
        "expressions are no Go templates: {{ 'yes' if X == '1' else 'no' }}",
    ),
];

fn unknown_field(field: &str, deeper: Option<&str>) -> Option<Problem> {
    if !ITEM_FIELDS.contains(&field) {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == field).map(|(_, field)| *field);
        let help = match nearest(field, ITEM_FIELDS).or(alias) {
            Some(near) => format!("did you mean `item.{near}`?"),
            None => listed("an item has", ITEM_FIELDS),
        };
        return Some(Problem::new(format!("`item.{field}` is not defined")).help(help));
    }
    let deeper = deeper?;
    let problem = Problem::new(format!("`item.{field}` is text: it has no `{deeper}`"));
    Some(match ITEM_FIELDS.contains(&deeper) && deeper != "rel" {
        true => problem.help(format!(
            "write `{{{{ item.{deeper} }}}}`, or `{{{{ item.{field} | {deeper} }}}}`"
        )),
        false => problem.help(format!("a filter changes it: `{{{{ item.{field} | upper }}}}`")),
    })
}
