//! The repository that `monorepo` measures: packages with many small sources, each built from its
//! own and from what one other package made, described for taskr, Turborepo, moon, go-task
//! and ninja.
//!
//! Nothing is random: two numbers decide every byte.

use std::fmt::Write;

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) packages: usize,
    /// Sources in all.
    pub(crate) files: usize,
}

/// What each package makes, in its `dist`.
pub(crate) const OUTPUTS: [&str; 3] = ["all.txt", "names.txt", "size.txt"];

/// Path and text of every file.
pub(crate) fn files(size: Size) -> Vec<(String, String)> {
    let mut files = vec![
        ("Taskfile.toml".to_owned(), taskfile(size)),
        ("Taskfile.yml".to_owned(), go_taskfile(size)),
        ("build.ninja".to_owned(), ninja(size)),
        ("package.json".to_owned(), ROOT_PACKAGE.to_owned()),
        ("package-lock.json".to_owned(), lock(size)),
        ("turbo.json".to_owned(), TURBO.to_owned()),
        (".moon/workspace.yml".to_owned(), MOON.to_owned()),
        (".gitignore".to_owned(), IGNORED.to_owned()),
    ];
    for package in 0..size.packages {
        files.push((format!("packages/p{package:02}/package.json"), own_package(package)));
        files.push((format!("packages/p{package:02}/moon.yml"), moon_package(package)));
    }
    for number in 0..size.files {
        files.push((source(size, number), format!("source {number}\n").repeat(30)));
    }
    files
}

/// Where the source of that number lies.
pub(crate) fn source(size: Size, number: usize) -> String {
    format!("packages/p{:02}/src/{number:06}.txt", number % size.packages)
}

/// The package whose result another one reads; the first reads none.
fn needs(package: usize) -> Option<usize> {
    (package > 0).then(|| (package - 1) / 2)
}

/// The shell's text, with the words for the package's folder, what it reads and where it writes.
fn command(package: &str, needed: &str, out: &str) -> String {
    format!(
        "mkdir -p {out} && cat {package}src/*.txt {needed} > {out}/all.txt && \
         ls {package}src > {out}/names.txt && wc -c < {out}/all.txt > {out}/size.txt"
    )
}

fn taskfile(size: Size) -> String {
    let all: Vec<String> = (0..size.packages).map(|package| format!("\"p{package:02}\"")).collect();
    let mut text = format!("default = [{}]\n", all.join(", "));
    for package in 0..size.packages {
        let path = format!("packages/p{package:02}");
        let needed = needs(package).map(|needed| format!("packages/p{needed:02}/dist/size.txt"));
        let needed = needed.unwrap_or_default();
        let inputs = match needed.as_str() {
            "" => format!("\"{path}/src/**\""),
            needed => format!("\"{path}/src/**\", \"{needed}\""),
        };
        let command = command(&format!("{path}/"), &needed, "{{ outputs }}");
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[target.p{package:02}]\ninputs  = [{inputs}]\noutputs = [\"{path}/dist\"]\n\
             run     = '{command}'\n"
        );
    }
    text
}

fn ninja(size: Size) -> String {
    let mut text = "rule package\n  command = $line\n".to_owned();
    for package in 0..size.packages {
        let path = format!("packages/p{package:02}");
        let needed = needs(package).map(|needed| format!("packages/p{needed:02}/dist/size.txt"));
        let needed = needed.unwrap_or_default();
        let own = (package..size.files).step_by(size.packages);
        let sources: Vec<String> = own.map(|number| source(size, number)).collect();
        let outputs = OUTPUTS.map(|output| format!("{path}/dist/{output}")).join(" ");
        let command = command(&format!("{path}/"), &needed, &format!("{path}/dist"));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "build {outputs}: package {} {needed}\n  line = {command}\n",
            sources.join(" ")
        );
    }
    text
}

fn go_taskfile(size: Size) -> String {
    let mut text = "version: '3'\ntasks:\n  default:\n    deps: [".to_owned();
    let all: Vec<String> = (0..size.packages).map(|package| format!("p{package:02}")).collect();
    let _ = writeln!(text, "{}]", all.join(", "));
    for package in 0..size.packages {
        let deps = needs(package).map(|needed| format!("p{needed:02}")).unwrap_or_default();
        let needed = needs(package).map(|needed| format!("../p{needed:02}/dist/size.txt"));
        let source = needed.as_ref().map(|path| format!(", '{path}'")).unwrap_or_default();
        let command = command("", &needed.unwrap_or_default(), "dist");
        let _ = write!(
            text,
            "  p{package:02}:\n    dir: packages/p{package:02}\n    deps: [{deps}]\n    \
             sources: ['src/*.txt'{source}]\n    \
             generates: [dist/all.txt, dist/names.txt, dist/size.txt]\n    \
             cmds:\n      - {command}\n"
        );
    }
    text
}

fn own_package(package: usize) -> String {
    let needed = needs(package).map(|needed| format!("../p{needed:02}/dist/size.txt"));
    let command = command("", &needed.unwrap_or_default(), "dist");
    let needed = needs(package).map(|needed| format!("\"@bench/p{needed:02}\": \"*\""));
    format!(
        "{{\n  \"name\": \"@bench/p{package:02}\",\n  \"version\": \"1.0.0\",\n  \
         \"scripts\": {{ \"build\": \"{command}\" }},\n  \"dependencies\": {{ {} }}\n}}\n",
        needed.unwrap_or_default()
    )
}

/// `moon.yml`. Its `deps` are Turborepo's `dependsOn`; the toolchain `system` brings no programs.
fn moon_package(package: usize) -> String {
    let needed = needs(package).map(|needed| format!("../p{needed:02}/dist/size.txt"));
    let command = command("", &needed.unwrap_or_default(), "dist");
    let needed = needs(package).map(|needed| format!("p{needed:02}")).unwrap_or_default();
    format!(
        "toolchains:\n  default: system\ndependsOn: [{needed}]\ntasks:\n  build:\n    \
         script: '{command}'\n    deps: ['^:build']\n    inputs: ['src/**/*']\n    \
         outputs: [dist]\n"
    )
}

/// Asking git for each package's files, as it does by itself, takes moon about twice the work.
const MOON: &str = "\
projects: ['packages/*']
telemetry: false
hasher:
  walkStrategy: glob
";

const IGNORED: &str = "dist/\n.taskr/\n.task/\n.turbo/\n.moon/cache/\nnode_modules/\n";

const ROOT_PACKAGE: &str = r#"{
  "name": "bench",
  "private": true,
  "packageManager": "npm@10.0.0",
  "workspaces": ["packages/*"]
}
"#;

const TURBO: &str = r#"{
  "tasks": {
    "build": { "dependsOn": ["^build"], "outputs": ["dist/**"] }
  }
}
"#;

/// What `npm install` would write: no package comes from elsewhere.
fn lock(size: Size) -> String {
    let mut packages =
        "    \"\": { \"name\": \"bench\", \"workspaces\": [\"packages/*\"] }".to_owned();
    for package in 0..size.packages {
        let needed = needs(package).map(|needed| format!("\"@bench/p{needed:02}\": \"*\""));
        let _ = write!(
            packages,
            ",\n    \"node_modules/@bench/p{package:02}\": {{ \"resolved\": \
             \"packages/p{package:02}\", \"link\": true }},\n    \"packages/p{package:02}\": {{ \
             \"name\": \"@bench/p{package:02}\", \"version\": \"1.0.0\", \"dependencies\": {{ {} }} }}",
            needed.unwrap_or_default()
        );
    }
    format!(
        "{{\n  \"name\": \"bench\",\n  \"lockfileVersion\": 3,\n  \"requires\": true,\n  \
         \"packages\": {{\n{packages}\n  }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size { packages: 3, files: 7 };

    #[test]
    fn every_file_is_there_once() {
        let files = files(SMALL);
        let sources = files.iter().filter(|(path, _)| path.contains("/src/"));
        assert_eq!(sources.count(), SMALL.files);
        let paths: std::collections::BTreeSet<&String> =
            files.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), files.len());
    }

    #[test]
    fn every_description_can_be_read() {
        for (path, text) in files(SMALL) {
            if path.ends_with(".json") {
                let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
                assert!(json.is_ok(), "{path}: {text}");
            }
        }
        let text = taskfile(SMALL);
        assert!(taskr::parse::parse("Taskfile.toml", text.as_bytes()).is_ok(), "{text}");
    }
}
