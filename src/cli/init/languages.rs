//! Targets for Cargo, Node, Python and Go: their own tools do the work and know what is up to
//! date; taskr decides about what installs and about checks.

use serde_json::Value;

use super::found::Found;
use super::{Draft, quoted};

/// Scripts of `package.json` that only look; they are skipped when nothing has changed.
const CHECKS: [&str; 7] =
    ["test", "lint", "check", "typecheck", "type-check", "format:check", "tsc"];

/// Scripts that npm calls by itself.
const BY_NPM: [&str; 8] = [
    "prepare",
    "prepublish",
    "prepublishOnly",
    "prepack",
    "postpack",
    "install",
    "publish",
    "dependencies",
];

/// Everything but what tools make. Wildcards skip what begins with a dot.
fn all_but(more: &[&str]) -> String {
    let mut globs = vec!["**"];
    globs.extend(more);
    let globs: Vec<String> = globs.iter().map(|glob| quoted(glob)).collect();
    format!("[{}]", globs.join(", "))
}

pub(super) fn cargo(found: &Found, draft: &mut Draft) {
    if !found.has("Cargo.toml") {
        return;
    }
    draft.of.push("Cargo.toml".to_owned());
    let build = draft.target(
        "build",
        "rust",
        "doc = \"Builds the program\"\nrun = \"cargo build\"  # cargo knows what is up to date\n",
    );
    draft.target(
        "test",
        "rust",
        &format!(
            "doc = \"Runs the tests when something changed\"\n\
             inputs = {}  # narrow it: [\"Cargo.*\", \"src/**\", \"tests/**\"]\n\
             env_inputs = [\"RUSTFLAGS\"]\nenv_pass = [\"CARGO_*\", \"RUSTUP_*\"]\n\
             run = \"cargo test\"\n",
            all_but(&["?.cargo/**", "!target/**", "!node_modules/**"])
        ),
    );
    draft.default.push(build);
}

/// Of npm and its like: the command, how it installs what the lock file says, and that file.
const MANAGERS: [(&str, &str, &str); 4] = [
    ("pnpm", "pnpm install --frozen-lockfile", "pnpm-lock.yaml"),
    ("yarn", "yarn install --frozen-lockfile", "yarn.lock"),
    ("npm", "npm ci", "package-lock.json"),
    ("npm", "npm ci", "npm-shrinkwrap.json"),
];

pub(super) fn node(found: &Found, draft: &mut Draft) {
    if !found.has("package.json") {
        return;
    }
    draft.of.push("package.json".to_owned());
    let package: Value = serde_json::from_str(&found.text("package.json")).unwrap_or_default();
    let locked = MANAGERS.iter().find(|(_, _, lock)| found.has(lock));
    let manager = locked.map_or("npm", |(manager, ..)| *manager);
    let has_dependencies =
        ["dependencies", "devDependencies", "optionalDependencies", "workspaces"].iter().any(
            |field| match &package[*field] {
                Value::Object(some) => !some.is_empty(),
                Value::Array(some) => !some.is_empty(),
                _ => false,
            },
        );
    let packages = has_dependencies.then(|| {
        let install = locked.map_or("npm install --no-package-lock", |(_, install, _)| *install);
        let lock = locked.map_or_else(String::new, |(.., lock)| format!(", {}", quoted(lock)));
        let fields = format!(
            "doc = \"Installs what package.json names\"\n\
             inputs = [\"package.json\"{lock}, \"?.npmrc\"]\ninstalls = [\"node_modules\"]\n\
             env_pass = [\"npm_config_*\", \"NPM_*\", \"NODE_*\"]\nrun = {}\n",
            quoted(install)
        );
        draft.target("packages", "node", &fields)
    });
    let deps =
        packages.iter().map(|name| format!("deps = [{}]\n", quoted(name))).collect::<String>();
    let scripts = package["scripts"].as_object().into_iter().flatten();
    let scripts: Vec<&str> = scripts.map(|(name, _)| name.as_str()).collect();
    let mut built = packages.clone();
    for script in &scripts {
        let around = script.strip_prefix("pre").or_else(|| script.strip_prefix("post"));
        if BY_NPM.contains(script) || around.is_some_and(|script| scripts.contains(&script)) {
            continue;
        }
        let run = format!("run = {}\n", quoted(&format!("{manager} run {script}")));
        let fields = match CHECKS.contains(script) {
            true => format!(
                "inputs = {}\n{deps}env_inputs = [\"CI\", \"NODE_ENV\"]\nenv_pass = [\"NODE_OPTIONS\"]\n{run}",
                all_but(&["!node_modules/**", "!coverage/**", "!target/**"])
            ),
            false => format!("{deps}{run}"),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name: String = script.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
        let name = draft.target(name.trim_start_matches('-'), "node", &fields);
        if *script == "build" {
            built = Some(name);
        }
    }
    draft.default.extend(built.or_else(|| draft.names.first().cloned()));
}

/// Files that describe a Python project.
const OF_PYTHON: [&str; 3] = ["pyproject.toml", "setup.py", "requirements.txt"];

pub(super) fn python(found: &Found, draft: &mut Draft) {
    let described = OF_PYTHON.iter().find(|file| found.has(file));
    let tests = python_tests(found);
    let Some(of) = described.or(tests.is_some().then_some(&"*.py")) else { return };
    draft.of.push((*of).to_owned());
    let environment = environment(found, draft);
    let deps =
        environment.iter().map(|name| format!("deps = [{}]\n", quoted(name))).collect::<String>();
    let python = if environment.is_some() { ".venv/bin/python" } else { "python3" };
    let test = tests.map(|tests| {
        let fields = format!(
            "doc = \"Runs the tests when something changed\"\ninputs = {}\n{deps}run = {}\n",
            all_but(&[
                "!**/__pycache__/**",
                "!**/*.egg-info/**",
                "!venv/**",
                "!node_modules/**",
                "!target/**",
            ]),
            quoted(&format!("{python} -m {tests}"))
        );
        draft.target("test", "python", &fields)
    });
    draft.default.extend(environment.or(test));
}

/// The module that runs the tests, and its arguments; none if there are no tests.
fn python_tests(found: &Found) -> Option<String> {
    let is_test = |file: &&String| {
        let name = file.rsplit('/').next().unwrap_or(file);
        name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"))
    };
    let tests: Vec<&String> = found.files.iter().filter(is_test).collect();
    let first = tests.first()?;
    let named =
        |file: &&String| file.starts_with("requirements") || OF_PYTHON.contains(&file.as_str());
    let asked = found.files.iter().filter(named).any(|file| found.text(file).contains("pytest"));
    let needed = tests.iter().any(|file| {
        let text = found.text(file);
        text.contains("import pytest") || !text.contains("unittest")
    });
    if asked || needed {
        return Some("pytest".to_owned());
    }
    // unittest looks into folders only if they are packages.
    Some(match first.rsplit_once('/') {
        Some((folder, _)) if !found.has(&format!("{folder}/__init__.py")) => {
            format!("unittest discover -s {folder}")
        }
        _ => "unittest discover".to_owned(),
    })
}

/// The virtual environment, if something is to be installed. Its target.
fn environment(found: &Found, draft: &mut Draft) -> Option<String> {
    let requirements: Vec<&String> = found
        .files
        .iter()
        .filter(|file| file.starts_with("requirements") && file.ends_with(".txt"))
        .collect();
    let builds = found.text("pyproject.toml").contains("[build-system]") || found.has("setup.py");
    let (inputs, installs) = match (found.has("uv.lock"), &requirements[..], builds) {
        (true, ..) => (vec!["pyproject.toml", "uv.lock"], "uv sync --frozen".to_owned()),
        (_, [], false) => return None,
        (_, [], true) => (
            described(found),
            "python3 -m venv .venv\n.venv/bin/pip install --editable .".to_owned(),
        ),
        (_, files, _) => {
            let words: Vec<String> = files.iter().map(|file| format!("-r {file}")).collect();
            let install =
                format!("python3 -m venv .venv\n.venv/bin/pip install {}", words.join(" "));
            (files.iter().map(|file| file.as_str()).collect(), install)
        }
    };
    let inputs: Vec<String> = inputs.iter().map(|file| quoted(file)).collect();
    let fields = format!(
        "doc = \"Installs what the project needs into .venv\"\ninputs = [{}]\n\
         installs = [\".venv\"]\nenv_pass = [\"PIP_*\", \"UV_*\"]\nrun = '''\n{installs}\n'''\n",
        inputs.join(", ")
    );
    Some(draft.target("venv", "python", &fields))
}

fn described(found: &Found) -> Vec<&'static str> {
    ["pyproject.toml", "setup.py", "setup.cfg"].into_iter().filter(|file| found.has(file)).collect()
}

pub(super) fn go(found: &Found, draft: &mut Draft) {
    if !found.has("go.mod") {
        return;
    }
    draft.of.push("go.mod".to_owned());
    let build = draft.target(
        "build",
        "go",
        "doc = \"Builds all packages\"\nrun = \"go build ./...\"  # go knows what is up to date\n",
    );
    let fields = format!(
        "doc = \"Runs the tests when something changed\"\ninputs = {}\n\
         env_pass = [\"GO*\", \"CGO_*\"]\nrun = \"go test ./...\"\n",
        all_but(&["!node_modules/**"])
    );
    if found.any("_test.go") {
        draft.target("test", "go", &fields);
    }
    draft.default.push(build);
}
