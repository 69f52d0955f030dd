//! One project in the languages of all tools. The Taskfile is written as a person would write it,
//! with `foreach` where there is one rule for many files; the others list every edge, as their
//! generators do.

mod peers;

pub(crate) use peers::line;

use std::fmt::Write;

use crate::project::{Command, Kind, Project, Task};

/// Name and text of the file for each tool.
pub(crate) fn files(project: &Project) -> [(&'static str, String); 8] {
    [
        ("Taskfile.toml", taskfile(project)),
        ("build.ninja", ninja(project)),
        ("Makefile", makefile(project)),
        ("Taskfile.yml", peers::go_task(project)),
        ("justfile", peers::just(project)),
        ("dodo.py", peers::doit(project)),
        ("Tupfile", peers::tup(project)),
        ("mise.toml", peers::mise(project)),
    ]
}

/// `Taskfile.toml`.
fn taskfile(project: &Project) -> String {
    let copy = shell(Command::Copy);
    match project.kind {
        Kind::W1 => format!(
            "default = [\"app\"]\n\n[target.obj]\nforeach = [\"src/*.c\"]\n\
             inputs  = [\"src/shared.h\"]\noutputs = [\"obj/{{{{ item.stem }}}}.o\"]\n\
             run     = \"{}\"\n\n{}",
            shell(Command::Join),
            app()
        ),
        Kind::Big => format!(
            "default = [\"app\"]\n\n[target.obj]\nforeach = [\"src/*.bin\"]\n\
             outputs = [\"obj/{{{{ item.stem }}}}.size\"]\nrun     = \"{}\"\n\n{}",
            shell(Command::Size),
            app()
        ),
        Kind::Chain => chain(project, &shell(Command::Join)),
        Kind::Wide => format!(
            "default = [\"all\"]\n\n[target.all]\nforeach = [\"src/*.txt\"]\n\
             outputs = [\"out/{{{{ item.name }}}}\"]\nrun     = \"{copy}\"\n"
        ),
        Kind::Diamond => format!(
            "default = [\"bottom\"]\n\n[target.top]\ninputs  = [\"src/top\"]\n\
             outputs = [\"top.txt\"]\nrun     = \"{copy}\"\n\n\
             [target.middle]\nforeach = [\"src/*.txt\"]\ninputs  = [\"top.txt\"]\n\
             outputs = [\"middle/{{{{ item.name }}}}\"]\nrun     = \"{copy}\"\n\n\
             [target.bottom]\ninputs  = [\"@middle\"]\noutputs = [\"bottom.txt\"]\n\
             run     = \"{}\"\n",
            shell(Command::Count)
        ),
        Kind::CLike => format!(
            "default = [\"archive\"]\n\n[target.header]\noutputs = [\"gen/generated.h\"]\n\
             run     = \"{}\"\n\n\
             [target.obj]\nforeach = [\"src/*.c\"]\nafter   = [\"header\"]\n{}",
            shell(Command::Header),
            objects(Command::Compile)
        ),
        Kind::RealC => format!(
            "default = [\"archive\"]\n\n[target.obj]\nforeach = [\"src/**/*.c\"]\n{}",
            objects(Command::CompileReal)
        ),
    }
}

/// The last tasks of two kinds.
fn objects(compile: Command) -> String {
    format!(
        "outputs = [\"obj/{{{{ item.stem }}}}.o\"]\nrun     = \"{}\"\n\n\
         [target.archive]\ninputs  = [\"@obj\"]\noutputs = [\"all.a\"]\nrun     = \"{}\"\n",
        shell(compile),
        shell(Command::Archive)
    )
}

/// The last task of two kinds.
fn app() -> String {
    let list = shell(Command::List);
    format!("[target.app]\ninputs  = [\"@obj\"]\noutputs = [\"app\"]\nrun     = \"{list}\"\n")
}

fn shell(command: Command) -> String {
    command.shell("{{ inputs }}", "{{ outputs }}", "{{ depfile }}")
}

fn chain(project: &Project, join: &str) -> String {
    let mut text = format!("default = [\"t{}\"]\n", project.tasks.len() - 1);
    for (number, task) in project.tasks.iter().enumerate() {
        let (input, output) = (&task.inputs[0], &task.output);
        text += &format!(
            "\n[target.t{number}]\ninputs  = [\"{input}\"]\noutputs = [\"{output}\"]\n\
             run     = \"{join}\"\n"
        );
    }
    text
}

/// `build.ninja`.
fn ninja(project: &Project) -> String {
    let mut text = String::new();
    for command in commands(project) {
        let line = command.shell("$in", "$out", "$out.d");
        let _ = write!(text, "rule {}\n  command = {line}\n", command.name());
        if command.has_depfile() {
            text += "  depfile = $out.d\n  deps = gcc\n";
        }
    }
    for task in &project.tasks {
        let Task { output, inputs, .. } = task;
        let _ = write!(text, "build {output}: {}", task.command.name());
        // What a command does not name stands behind a bar.
        if !inputs.is_empty() {
            text += if task.command.names_inputs() { " " } else { " | " };
            text += &inputs.join(" ");
        }
        if let Some(after) = task.after {
            let _ = write!(text, " || {after}");
        }
        text.push('\n');
    }
    text
}

/// The commands of a project, each once, in order.
fn commands(project: &Project) -> Vec<Command> {
    let mut commands: Vec<Command> = project.tasks.iter().map(|task| task.command).collect();
    commands.dedup();
    commands
}

/// `Makefile`. A folder is made by a rule of its own, for the order only, so that no line starts a
/// process for it.
fn makefile(project: &Project) -> String {
    let mut text = format!("MAKEFLAGS += -rR\nall: {}\n.PHONY: all\n", goals(project).join(" "));
    let mut folders: Vec<&str> = project.tasks.iter().filter_map(|task| task.folder()).collect();
    folders.sort_unstable();
    folders.dedup();
    if !folders.is_empty() {
        let _ = writeln!(text, "{}: ; @mkdir -p $@", folders.join(" "));
    }
    for task in &project.tasks {
        let _ = write!(text, "{}: {}", task.output, task.inputs.join(" "));
        let first: Vec<&str> = task.after.into_iter().chain(task.folder()).collect();
        if !first.is_empty() {
            let _ = write!(text, " | {}", first.join(" "));
        }
        let inputs = if task.command.has_depfile() { "$<" } else { "$^" };
        let line = task.command.shell(inputs, "$@", "$@.d");
        let _ = write!(text, "\n\t{line}\n");
    }
    if project.tasks.iter().any(|task| task.command.has_depfile()) {
        text += "-include $(wildcard obj/*.d)\n";
    }
    text
}

/// The outputs that nothing reads.
fn goals(project: &Project) -> Vec<&str> {
    let first = if project.kind == Kind::Wide { 0 } else { project.tasks.len() - 1 };
    project.tasks[first..].iter().map(|task| &*task.output).collect()
}
