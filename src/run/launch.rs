//! What a ready task starts: its command rendered, its program found, its environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::named::Words;
use super::serving::Serving;
use crate::expr::{
    self, ExprError, Problem, Value, failure, literal_words, map_value, parts_value, plain_words,
    words_value,
};
use crate::files::Variables;
use crate::git::LOCAL_VARIABLES;
use crate::graph::{Action, Item, Kind, Output, Rule, Text, not_text, word_of_path};
use crate::jobserver::{MAKEFLAGS, Pool, makeflags_without};
use crate::outdir::TaskDir;
use crate::process::{Command, RUN_ID_VAR, find_program, why_not_found, why_not_in};
use crate::workers::METRICS;

/// What a recorded task sees of the caller's environment without asking.
const BASE: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "XDG_*"];
const BASE_MORE: [&str; 3] = ["SSL_CERT_*", "*_proxy", "*_PROXY"];

/// The same for everybody, so that results are.
const FIXED: [(&str, &str); 3] = [("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("TERM", "dumb")];

/// Outputs of the tasks that `target('NAME')` may name: `out/` and all paths, as a command of this
/// folder writes them.
pub(super) type Targets = FxHashMap<String, (Vec<u8>, Vec<Vec<u8>>)>;

/// A command as text.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    /// Program and arguments. For a script: the shell, its options, the script.
    pub(super) argv: Vec<String>,
    /// The same for people.
    pub(super) shown: String,
    /// The words of a script that is one plain command.
    pub(super) plain: Option<Vec<String>>,
    /// Values of the variables that the task sets.
    pub(super) env: Vec<(String, String)>,
    /// Variables from its environment files; those that it sets itself win.
    pub(super) from_files: Variables,
    /// Programs that count, each with the words that it is asked with.
    pub(super) tools: Vec<Vec<String>>,
    /// What is asked before it counts as up to date: program and arguments.
    pub(super) fresh_if: Option<Vec<String>>,
    /// Of a service: when it is ready, and what ends it.
    pub(super) service: Option<Serving>,
    /// Its acceptance tests, in order: program and arguments of each.
    pub(super) accept: Vec<Vec<String>>,
    /// What undoes it: program and arguments.
    pub(super) rollback: Option<Vec<String>>,
}

/// What a ready task knows beyond its scope.
pub(super) struct Ready<'a> {
    pub(super) rule: &'a Rule,
    pub(super) dir: &'a TaskDir,
    /// Paths of `{{ inputs }}`.
    pub(super) inputs: Words<'a>,
    pub(super) targets: &'a Targets,
    /// What its environment files say.
    pub(super) from_files: Variables,
    /// Of a batch: what all its items give. Else the task's item is alone.
    pub(super) together: Option<&'a Together>,
}

/// The words of several items that go to one process, in order.
#[derive(Default)]
pub(super) struct Together {
    pub(super) items: Vec<String>,
    pub(super) outputs: Vec<String>,
}

impl Rendered {
    /// All variables that the task sets; of two with one name the last counts.
    pub(super) fn variables(&self) -> impl DoubleEndedIterator<Item = &(String, String)> {
        self.from_files.iter().chain(&self.env)
    }
}

impl Ready<'_> {
    /// Renders the command and the variables.
    pub(super) fn render(&self) -> Result<Rendered, (ExprError, Text)> {
        let ready = |name: &str| self.value(name);
        let resolve = |name: &str| self.rule.scope.value(name, &ready);
        let target = &self.rule.target;
        let argv =
            target.action.as_ref().map_or(Ok(Vec::new()), |action| argv_of(action, &resolve))?;
        let (shown, plain) = match (&target.action, argv.last()) {
            (Some(Action::Shell { .. }), Some(script)) => {
                (script.trim().to_owned(), plain_script(&argv))
            }
            _ => {
                let shown = shlex::try_join(argv.iter().map(String::as_str));
                (shown.unwrap_or_else(|_| argv.join(" ")), None)
            }
        };
        let fresh_if = target.policy.fresh_if.as_ref().map(|asked| argv_of(asked, &resolve));
        let mut env = Vec::new();
        for (name, text) in &target.env {
            let value = text.template.text(&resolve).map_err(|error| (error, text.clone()))?;
            env.push((name.clone(), value));
        }
        let tools = target.tools.iter().map(|text| tool(text, &resolve));
        let tools = tools.collect::<Result<_, _>>()?;
        let from_files = self.from_files.clone();
        let rollback = target.rollback.as_ref().map(|undo| argv_of(undo, &resolve));
        let accept = target.accept.iter().map(|test| argv_of(test, &resolve));
        let service = target.service.as_ref().map(|service| Serving::render(service, &resolve));
        Ok(Rendered {
            argv,
            shown,
            plain,
            env,
            tools,
            from_files,
            fresh_if: fresh_if.transpose()?,
            service: service.transpose()?,
            accept: accept.collect::<Result<_, _>>()?,
            rollback: rollback.transpose()?,
        })
    }

    fn value(&self, name: &str) -> Result<Option<Value>, Problem> {
        Ok(Some(match name {
            "inputs" => {
                let words = |paths: &[&[u8]]| -> Result<Vec<String>, Problem> {
                    paths.iter().map(|path| utf8(word_of_path(&self.rule.dir, path))).collect()
                };
                let Words { all, parts } = &self.inputs;
                let parts =
                    parts.iter().map(|(name, paths)| Ok(((*name).to_owned(), words(paths)?)));
                parts_value(words(all)?, parts.collect::<Result<_, Problem>>()?)
            }
            "items" => words_value(match self.together {
                Some(together) => together.items.clone(),
                None => self.item().into_iter().collect::<Result<_, _>>()?,
            }),
            "outputs" if self.rule.outputs.is_empty() => {
                return Err(Problem::new("this target declares no outputs")
                    .help("add `outputs`, or write to `{{ out }}`"));
            }
            "outputs" => words_value(match self.together {
                Some(together) => together.outputs.clone(),
                None => self.outputs()?,
            }),
            "target" => self.target_function(),
            _ => return Ok(None),
        }))
    }

    /// The word of its item.
    pub(super) fn item(&self) -> Option<Result<String, Problem>> {
        self.rule.scope.item().map(Item::word)
    }

    /// Where its command writes its outputs.
    pub(super) fn outputs(&self) -> Result<Vec<String>, Problem> {
        let words = self.rule.outputs.iter().map(|output| {
            let staged = staged(&output.value, &self.rule.dir, self.dir);
            utf8(word_of_path(&self.rule.dir, &staged))
        });
        words.collect()
    }

    /// `target('NAME')`: `out` and `outputs` of a dependency.
    fn target_function(&self) -> Value {
        let targets = self.targets.clone();
        let text = |path: &Vec<u8>| utf8(path.clone()).map_err(|problem| failure(problem.message));
        Value::from_function(move |name: String| match targets.get(&name) {
            Some((out, outputs)) => Ok(map_value([
                ("out".to_owned(), Value::from(text(out)?)),
                (
                    "outputs".to_owned(),
                    words_value(outputs.iter().map(text).collect::<Result<_, _>>()?),
                ),
            ])),
            None => Err(failure(format!(
                "`{name}` is not a dependency of this target: add it to `deps` or `inputs`"
            ))),
        })
    }
}

/// The words of an element of `tools`.
fn tool(text: &Text, resolve: &expr::Scope) -> Result<Vec<String>, (ExprError, Text)> {
    let wrong = |error| (error, text.clone());
    let line = text.template.shell(resolve).map_err(wrong)?;
    literal_words(&line).ok_or_else(|| {
        let problem = Problem::new(format!("`{line}` is no program with plain words")).help(
            "a tool is a name, \"protoc\", or a question, \"cc --version\"; no shell reads it",
        );
        wrong(problem.at(0..text.template.source().len()))
    })
}

/// The words of a script for the usual shell that is one plain command.
pub(super) fn plain_script(argv: &[String]) -> Option<Vec<String>> {
    let (script, shell) = argv.split_last()?;
    (shell == ["sh", "-eu", "-c"]).then(|| plain_words(script))?
}

/// Program and arguments of an action.
pub(super) fn argv_of(
    action: &Action,
    resolve: &expr::Scope,
) -> Result<Vec<String>, (ExprError, Text)> {
    let words = |texts: &[Text]| -> Result<Vec<String>, (ExprError, Text)> {
        let mut all = Vec::new();
        for text in texts {
            let words = text.template.words(resolve);
            all.extend(words.map_err(|error| (error, text.clone()))?);
        }
        Ok(all)
    };
    match action {
        Action::Exec(texts) => words(texts),
        Action::Shell { shell, lines } => {
            let mut script = Vec::new();
            for line in lines {
                let line = line.template.shell(resolve).map_err(|error| (error, line.clone()));
                script.push(line?);
            }
            let mut argv = words(shell)?;
            argv.push(script.join("\n"));
            Ok(argv)
        }
    }
}

/// Where the command writes a declared output so that it is published whole. For a glob: the
/// folder before its first wildcard.
fn staged(output: &Output, dir: &[u8], task: &TaskDir) -> Vec<u8> {
    let path = match output {
        Output::Path(path) => path,
        Output::Glob(pattern) => pattern.base(),
    };
    let below = crate::outdir::below(path, dir);
    if below.is_empty() { task.join("out") } else { [&task.join("out/")[..], below].concat() }
}

fn utf8(path: Vec<u8>) -> Result<String, Problem> {
    String::from_utf8(path).map_err(|error| not_text(error.as_bytes()))
}

/// The caller's environment and where the workspace is.
pub(super) struct Around<'a> {
    pub(super) root: &'a Path,
    pub(super) env: &'a BTreeMap<OsString, OsString>,
    pub(super) run_id: &'a str,
    /// What commands are offered to share the jobs.
    pub(super) pool: Option<&'a Pool>,
    pub(super) jobs: usize,
}

impl Around<'_> {
    /// The program that `name` means for a command of this folder, by the PATH that the task sets
    /// or the caller's.
    pub(super) fn find(&self, name: &str, dir: &[u8], rendered: &Rendered) -> Option<PathBuf> {
        let path = self.path_variable(rendered);
        find_program(OsStr::new(name), path, &self.root.join(OsStr::from_bytes(dir)))
    }

    pub(super) fn path_variable<'p>(&'p self, rendered: &'p Rendered) -> &'p OsStr {
        let own = rendered.variables().rfind(|(name, _)| name == "PATH");
        let path = own.map(|(_, path)| OsStr::new(path));
        let path = path.or(self.env.get(OsStr::new("PATH")).map(OsString::as_os_str));
        path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"))
    }

    /// The command to start.
    pub(super) fn command(
        &self,
        rule: &Rule,
        task: &TaskDir,
        rendered: &Rendered,
        attempt: usize,
    ) -> Result<Command, String> {
        let dir = self.root.join(OsStr::from_bytes(&rule.dir));
        if let Some(why) = why_not_in(&dir, self.root) {
            return Err(why);
        }
        let direct = rendered.plain.as_ref().and_then(|words| {
            let program = self.find(&words[0], &rule.dir, rendered)?;
            starts_by_itself(&program).then(|| (program, &words[1..]))
        });
        let (program, args) = match direct {
            Some(direct) => direct,
            None => {
                let name = rendered.argv.first().ok_or("its command is empty")?;
                let why = || {
                    let why = why_not_found(name, self.path_variable(rendered), &dir);
                    let is_shell = matches!(rule.target.action, Some(Action::Shell { .. }));
                    if is_shell { format!("its `shell`: {why}") } else { why }
                };
                let program = self.find(name, &rule.dir, rendered).ok_or_else(why)?;
                (program, &rendered.argv[1..])
            }
        };
        Ok(Command {
            program,
            args: args.iter().map(OsString::from).collect(),
            env: self.environment(rule, task, rendered, attempt),
            dir,
            grace: rule.target.schedule.grace,
            timeout: rule.target.schedule.timeout(),
            errors: None,
        })
    }

    pub(super) fn environment(
        &self,
        rule: &Rule,
        task: &TaskDir,
        rendered: &Rendered,
        attempt: usize,
    ) -> Vec<(OsString, OsString)> {
        let target = &rule.target;
        let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
        let recorded = matches!(target.kind, Kind::Recorded | Kind::Service) && !target.inherits;
        if recorded {
            env.extend(FIXED.map(|(name, value)| (name.into(), value.into())));
        }
        let asked = target.env_inputs.iter().chain(&target.env_pass).map(String::as_str);
        let asked: Vec<&str> = BASE.into_iter().chain(BASE_MORE).chain(asked).collect();
        let passes = |name: &OsStr| asked.iter().any(|asked| fits(asked, name.as_bytes()));
        // A hook's variables would lead the git of a task to the repository of the hook.
        let local = |name: &OsStr| LOCAL_VARIABLES.iter().any(|local| name == *local);
        let inherits = |name: &OsStr| !recorded && !local(name);
        let passed = self.env.iter().filter(|(name, _)| inherits(name) || passes(name));
        env.extend(passed.map(|(name, value)| (name.clone(), value.clone())));
        let tmp = self.root.join(OsStr::from_bytes(&task.join("tmp")));
        env.insert("TMPDIR".into(), tmp.into());
        env.extend(rendered.variables().map(|(name, value)| (name.into(), value.into())));
        if !rendered.variables().any(|(name, _)| name == MAKEFLAGS) {
            self.share_jobs(target.kind, &mut env);
        }
        let own = rule.scope.own();
        let root_word = word_of_path(&rule.dir, b"");
        let metrics = word_of_path(&rule.dir, &task.join(METRICS));
        let own_vars: [(&str, OsString); 8] = [
            ("OUT", own.out.as_str().into()),
            ("STATE", own.state.as_str().into()),
            ("TASKR_TARGET", target.name.as_str().into()),
            ("TASKR_TASK", rule.name.as_str().into()),
            ("TASKR_ROOT", OsString::from_vec(root_word)),
            ("TASKR_ATTEMPT", attempt.to_string().into()),
            ("TASKR_METRICS", OsString::from_vec(metrics)),
            (RUN_ID_VAR, self.run_id.into()),
        ];
        env.extend(own_vars.map(|(name, value)| (name.into(), value)));
        env.remove(OsStr::new("TASKR_ITEM"));
        if target.schedule.batch.is_some() {
            // What is of one item must not reach a command that has several.
            for name in ["OUT", "STATE", "TASKR_TASK", "TASKR_METRICS"] {
                env.remove(OsStr::new(name));
            }
        } else if let Some(item) = rule.scope.item() {
            env.insert("TASKR_ITEM".into(), OsString::from_vec(item.written.clone()));
        }
        env.into_iter().collect()
    }
}

impl Around<'_> {
    /// Tells a command of the job server. A service takes no tokens: it may not end for long.
    fn share_jobs(&self, kind: Kind, env: &mut BTreeMap<OsString, OsString>) {
        let name = OsStr::new(MAKEFLAGS);
        let before = env.get(name).map(OsString::as_os_str);
        let value = match (self.pool, kind) {
            (_, Kind::Service) => before.map(makeflags_without),
            (Some(pool), _) => Some(pool.makeflags(before, self.jobs)),
            (None, _) => None,
        };
        env.extend(value.map(|value| (name.to_owned(), value)));
    }
}

/// Whether a variable's name is meant by one that may begin or end in `*`.
fn fits(asked: &str, name: &[u8]) -> bool {
    match (asked.strip_prefix('*'), asked.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end.as_bytes()),
        (_, Some(start)) => name.starts_with(start.as_bytes()),
        _ => name == asked.as_bytes(),
    }
}

/// Whether the system starts the file without a shell's help: a binary, or a script that names
/// its interpreter.
fn starts_by_itself(program: &Path) -> bool {
    let mut start = [0; 4];
    let read = std::fs::File::open(program)
        .and_then(|mut file| std::io::Read::read(&mut file, &mut start));
    read.is_ok_and(|len| start[..len] == *b"\x7fELF" || start.starts_with(b"#!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_fit_with_stars() {
        for (asked, name, expected) in [
            ("XDG_*", "XDG_CACHE_HOME", true),
            ("*_proxy", "http_proxy", true),
            ("PATH", "PATH", true),
            ("PATH", "PATHS", false),
            ("CARGO_*", "CARGO", false),
        ] {
            assert_eq!(fits(asked, name.as_bytes()), expected, "{asked} {name}");
        }
    }
}
