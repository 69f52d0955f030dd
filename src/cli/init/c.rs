//! Targets for C: the program of a build system that is there, or objects with depfiles and a
//! program of them.

use super::found::Found;
use super::{Draft, quoted};
use crate::parse::as_target;

/// Files that say who builds this, and how that is called.
const BUILT_BY: [(&str, &str); 3] = [
    ("CMakeLists.txt", "cmake -S . -B build && cmake --build build"),
    ("meson.build", "[ -d build ] || meson setup build; meson compile -C build"),
    ("Makefile", "make"),
];

/// Headers, and the libraries that their functions are in.
const LIBRARIES: [(&str, &str); 3] =
    [("<math.h>", "-lm"), ("<pthread.h>", "-pthread"), ("<dlfcn.h>", "-ldl")];

pub(super) fn c(found: &Found, draft: &mut Draft) {
    let built_by = BUILT_BY.iter().find(|(file, _)| found.has(file));
    let sources: Vec<&String> = found.files.iter().filter(|file| file.ends_with(".c")).collect();
    match built_by {
        // Another language's tool may be what a Makefile calls.
        Some((file, _)) if *file == "Makefile" && !draft.of.is_empty() => {}
        Some((file, run)) => {
            draft.of.push((*file).to_owned());
            let fields = format!("doc = \"Builds everything\"\nrun = {}\n", quoted(run));
            let build = draft.target("build", "c", &fields);
            draft.default.push(build);
            if *file == "Makefile" {
                checks_of_make(found, draft);
            }
        }
        // C sources beside another language belong to it.
        None if !sources.is_empty() && draft.of.is_empty() => own(found, draft, &sources),
        None => {}
    }
}

/// Targets of a Makefile that only look. What they read is not known.
const CHECKS: [&str; 3] = ["test", "check", "lint"];

fn checks_of_make(found: &Found, draft: &mut Draft) {
    let text = found.text("Makefile");
    for check in CHECKS {
        let has = text.lines().any(|line| {
            line.strip_prefix(check).is_some_and(|rest| rest.trim_start().starts_with(':'))
        });
        if has {
            let fields = format!("run = {}\n", quoted(&format!("make {check}")));
            draft.target(check, "c", &fields);
        }
    }
}

/// Nobody builds these sources yet.
fn own(found: &Found, draft: &mut Draft, sources: &[&String]) {
    draft.of.push("C sources".to_owned());
    let texts: Vec<String> = sources.iter().map(|source| found.text(source)).collect();
    let (programs, parts): (Vec<_>, Vec<_>) =
        sources.iter().zip(&texts).partition(|(_, text)| has_main(text));
    let uses = |header: &str| texts.iter().any(|text| text.contains(header));
    let libraries = LIBRARIES.iter().filter(|(header, _)| uses(header));
    let libraries: Vec<String> = libraries.map(|(_, library)| quoted(library)).collect();
    let include = found.files.iter().any(|file| file.starts_with("include/"));
    let cflags = if include { "[\"-O2\", \"-g\", \"-Iinclude\"]" } else { "[\"-O2\", \"-g\"]" };
    draft.tables.push(format!(
        "[vars]\ncc = \"cc\"\ncflags = {cflags}\nlibs = [{}]\n",
        libraries.join(", ")
    ));
    draft.target(
        "obj",
        "c",
        &format!(
            "doc = \"Compiles one source; its headers are in the depfile\"\nforeach = [{}]\n\
             exec = [\n\"{{{{ cc }}}}\", \"{{{{ cflags }}}}\", \"-MMD\", \"-MF\", \"{{{{ depfile }}}}\",\n\
             \"-c\", \"{{{{ item }}}}\", \"-o\", \"{{{{ out }}}}/{{{{ item.stem }}}}.o\",\n]\n",
            globs(sources).join(", ")
        ),
    );
    let mut tests = Vec::new();
    for (source, _) in &programs {
        let stem = source.rsplit('/').next().unwrap_or(source).trim_end_matches(".c");
        let is_test = programs.len() > 1 && is_test(source, stem);
        let name = match (programs.len(), stem) {
            (1, "main") => found.name().unwrap_or_else(|| stem.to_owned()),
            _ => stem.to_owned(),
        };
        let mut inputs = vec![quoted(&format!("@obj@{source}"))];
        match programs.len() {
            1 => inputs = vec![quoted("@obj")],
            _ => inputs.extend(parts.iter().map(|(part, _)| quoted(&format!("@obj@{part}")))),
        }
        let own = (programs.len() > 1).then(|| as_target(stem)).flatten();
        let target = own.unwrap_or_else(|| "app".to_owned());
        let doc = if is_test { "A program of tests" } else { "The program" };
        let fields = format!(
            "doc = \"{doc}\"\ninputs = [{}]\noutputs = [{}]\n\
             exec = [\"{{{{ cc }}}}\", \"-o\", \"{{{{ outputs }}}}\", \"{{{{ inputs }}}}\", \"{{{{ libs }}}}\"]\n",
            inputs.join(", "),
            quoted(&format!("bin/{name}"))
        );
        let target = draft.target(&target, "program", &fields);
        match is_test {
            true => tests.push(format!("bin/{name}")),
            false => draft.default.push(target),
        }
    }
    run_tests(draft, &tests);
    if !programs.is_empty() {
        draft.made.push("bin/".to_owned());
    }
    if programs.is_empty() {
        draft.default.push("obj".to_owned());
    }
}

/// A target that runs these programs, if there are some.
fn run_tests(draft: &mut Draft, programs: &[String]) {
    if programs.is_empty() {
        return;
    }
    let words: Vec<String> = programs.iter().map(|program| quoted(program)).collect();
    let fields = format!(
        "doc = \"Runs the tests when something changed\"\ninputs = [{0}]\nrun = [{0}]\n",
        words.join(", ")
    );
    let test = draft.target("test", "c", &fields);
    if draft.default.is_empty() {
        draft.default.push(test);
    }
}

/// Whether a program is one of tests, by its name or its folder.
fn is_test(source: &str, stem: &str) -> bool {
    let in_folder = source.split('/').rev().skip(1).any(|part| part == "test" || part == "tests");
    in_folder || stem.starts_with("test_") || stem.ends_with("_test")
}

/// Patterns for all sources: one for each folder at the top that has some.
fn globs(sources: &[&String]) -> Vec<String> {
    let mut globs: Vec<String> = Vec::new();
    for source in sources {
        let glob = match source.split_once('/') {
            Some((folder, _)) => quoted(&format!("{folder}/**/*.c")),
            None => quoted("*.c"),
        };
        if !globs.contains(&glob) {
            globs.push(glob);
        }
    }
    globs
}

/// Whether a source defines `main`, as nearly all do: at the beginning of a line.
fn has_main(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_end();
        let behind =
            ["int main", "void main", "main"].iter().find_map(|head| line.strip_prefix(head));
        behind.is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}
