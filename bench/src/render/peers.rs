//! The languages of peers that are no makes: one task or recipe for each task, as their own
//! generators or a loop in them would have it.
//!
//! Who has no depfiles is told what a source includes; who has no edges for the order alone gets
//! ordinary ones.

use std::collections::HashMap;
use std::fmt::Write;

use super::goals;
use crate::project::{Project, Task};

/// Who makes what, by the number of the task.
struct Edges<'a>(HashMap<&'a str, usize>);

impl<'a> Edges<'a> {
    fn of(project: &'a Project) -> Edges<'a> {
        let numbered = project.tasks.iter().enumerate();
        Edges(numbered.map(|(number, task)| (&*task.output, number)).collect())
    }

    /// Names of the tasks that make what this one needs.
    fn needed(&self, task: &Task, name: impl Fn(usize) -> String) -> Vec<String> {
        let needs = task.inputs.iter().map(|input| &**input).chain(task.after);
        needs.filter_map(|path| self.0.get(path)).map(|number| name(*number)).collect()
    }

    /// Names of the tasks that nothing needs.
    fn last(&self, project: &Project, name: impl Fn(usize) -> String) -> Vec<String> {
        let goals = goals(project).into_iter().filter_map(|goal| self.0.get(goal));
        goals.map(|number| name(*number)).collect()
    }
}

/// All that a task reads.
fn reads(task: &Task) -> impl Iterator<Item = &str> {
    task.inputs.iter().chain(&task.includes).map(|path| &**path).chain(task.after)
}

/// The shell's text with all names in it.
pub(crate) fn line(task: &Task) -> String {
    task.command.shell(&task.inputs.join(" "), &task.output, &format!("{}.d", task.output))
}

/// A text between single quotes for YAML.
fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text between double quotes for TOML, JSON and Python, which agree about these.
fn double(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn doubles<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(double).collect::<Vec<_>>().join(", ")
}

/// `Taskfile.yml` of go-task. `run: once`: else a task that several need runs several times.
pub(super) fn go_task(project: &Project) -> String {
    let (edges, name) = (Edges::of(project), |number| format!("t{number}"));
    let all = edges.last(project, name).join(", ");
    let mut text = format!("version: '3'\nrun: once\ntasks:\n  default:\n    deps: [{all}]\n");
    for (number, task) in project.tasks.iter().enumerate() {
        let _ = writeln!(text, "  t{number}:");
        let needed = edges.needed(task, name);
        if !needed.is_empty() {
            let _ = writeln!(text, "    deps: [{}]", needed.join(", "));
        }
        // Who reads nothing is up to date while its output is there.
        let reads: Vec<&str> = reads(task).collect();
        match reads.is_empty() {
            true => {
                let _ = writeln!(text, "    status: [test -f {}]", task.output);
            }
            false => {
                let _ = writeln!(text, "    sources: [{}]", reads.join(", "));
            }
        }
        let line = single(&line(task));
        let _ = write!(text, "    generates: [{}]\n    cmds: [{line}]\n", task.output);
    }
    text
}

/// `justfile`. just asks nothing about files: it runs everything, one after another.
pub(super) fn just(project: &Project) -> String {
    let (edges, name) = (Edges::of(project), |number| format!("t{number}"));
    let mut text = format!("set quiet\n\nall: {}\n", edges.last(project, name).join(" "));
    for (number, task) in project.tasks.iter().enumerate() {
        let needed = edges.needed(task, name).join(" ");
        let _ = write!(text, "\nt{number}: {needed}\n    {}\n", line(task));
    }
    text
}

/// `dodo.py` of doit: a table, and one function that yields a task for each line.
pub(super) fn doit(project: &Project) -> String {
    let mut text = "TASKS = [\n".to_owned();
    for task in &project.tasks {
        let (output, line) = (double(&task.output), double(&line(task)));
        let _ = writeln!(text, "    ([{}], {output}, {line}),", doubles(reads(task)));
    }
    text += "]\n\n\ndef task_build():\n    for inputs, output, action in TASKS:\n        \
             yield {\n            'name': output,\n            'file_dep': inputs,\n            \
             'targets': [output],\n            'actions': [action],\n";
    // Who reads nothing would run every time.
    if project.tasks.iter().any(|task| reads(task).next().is_none()) {
        text += "            'uptodate': [True],\n";
    }
    text + "        }\n"
}

/// `Tupfile`. tup sees by itself what a command reads; it must be told what others make.
pub(super) fn tup(project: &Project) -> String {
    let mut text = String::new();
    for task in &project.tasks {
        let named = task.inputs.join(" ");
        let after = task.after.map(|after| format!(" | {after}")).unwrap_or_default();
        let _ = write!(text, ": {named}{after} |> {} |> {}", line(task), task.output);
        if task.command.has_depfile() {
            let _ = write!(text, " {}.d", task.output);
        }
        text.push('\n');
    }
    text
}

/// `mise.toml`.
pub(super) fn mise(project: &Project) -> String {
    let (edges, name) = (Edges::of(project), |number| format!("\"t{number}\""));
    let all = edges.last(project, name).join(", ");
    let mut text = format!("[tasks.all]\ndepends = [{all}]\n");
    for (number, task) in project.tasks.iter().enumerate() {
        let needed = edges.needed(task, name).join(", ");
        let _ = write!(
            text,
            "\n[tasks.t{number}]\ndepends = [{needed}]\nsources = [{}]\noutputs = [{}]\nrun = {}\n",
            doubles(reads(task)),
            double(&task.output),
            double(&line(task)),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Kind;

    #[test]
    fn a_task_needs_who_makes_what_it_reads() {
        let project = Project::generate(Kind::CLike, 4).expect("sources");
        let yml = go_task(&project);
        let expected = "  t1:\n    deps: [t0]\n    sources: [src/f000000.c, src/h0.h, src/h1.h, \
                        src/h2.h, src/h3.h, src/h4.h, gen/generated.h]\n    \
                        generates: [obj/f000000.o]\n";
        assert!(yml.contains(expected), "{yml}");
        assert!(yml.contains("  default:\n    deps: [t3]\n"), "{yml}");
        assert!(yml.contains("    status: [test -f gen/generated.h]\n"), "{yml}");
        let just = just(&project);
        assert!(just.contains("\nt3: t1 t2\n    rm -f all.a; find"), "{just}");
        let tup = tup(&project);
        let expected = ": src/f000000.c | gen/generated.h |> cc -O0 -Igen -MMD -MF \
                        obj/f000000.o.d -c -o obj/f000000.o src/f000000.c |> obj/f000000.o \
                        obj/f000000.o.d\n";
        assert!(tup.contains(expected), "{tup}");
    }

    #[test]
    fn quotes_are_kept() {
        assert_eq!(single("echo 'a'"), "'echo ''a'''");
        assert_eq!(double(r#"a "b" \c"#), r#""a \"b\" \\c""#);
        let project = Project::generate(Kind::Wide, 3).expect("sources");
        let dodo = doit(&project);
        let expected = "    ([\"src/000000.txt\"], \"out/000000.txt\", \
                        \"cat src/000000.txt > out/000000.txt\"),\n";
        assert!(dodo.contains(expected), "{dodo}");
        let mise = mise(&project);
        assert!(mise.starts_with("[tasks.all]\ndepends = [\"t0\", \"t1\", \"t2\"]\n"), "{mise}");
        assert!(mise.contains("sources = [\"src/000001.txt\"]\n"), "{mise}");
    }
}
