//! `taskr schema` with a real validator, where the machine has one: check-jsonschema.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use taskr::parse::parse;

use crate::project::Project;

/// The program, where the machine has it.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("check-jsonschema"));
    let found = found.find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: there is no check-jsonschema");
    }
    found
}

/// What the validator thinks of these files: the names of those that it refuses.
fn refused(program: &Path, schema: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut command = Command::new(program);
    command.args(["--output-format", "json", "--schemafile"]).arg(schema).args(files);
    let output = command.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let value: Value = serde_json::from_str(&told).unwrap_or_else(|error| {
        panic!("{error}: {told}{}", String::from_utf8_lossy(&output.stderr))
    });
    let errors = value["errors"].as_array().expect("errors");
    let mut names: Vec<String> = errors
        .iter()
        .map(|error| {
            Path::new(error["filename"].as_str().expect("a name"))
                .file_stem()
                .expect("one")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(value["status"] == "ok", names.is_empty(), "{told}");
    names
}

fn schema(p: &Project, args: &[&str]) -> PathBuf {
    let told = p.taskr(args).ok();
    let path = p.outside("schema.json");
    fs::write(&path, &told.stdout).expect("a file");
    path
}

/// Writes a TOML text as JSON under a name. None if it is no TOML.
fn as_json(p: &Project, name: &str, text: &str) -> Option<PathBuf> {
    let table: toml::Table = toml::from_str(text).ok()?;
    // JSON has no dates: the schema sees them as the text that they are not.
    let value = serde_json::to_value(table).ok()?;
    let path = p.outside(&format!("{name}.json"));
    fs::write(&path, value.to_string()).expect("a file");
    Some(path)
}

/// What taskr says where the type or the name of something is wrong; a schema tells that, too.
const TYPES_AND_NAMES: [&str; 4] =
    ["unknown field `", "unknown table `", " asks for ", " cannot be the name of "];

#[test]
fn the_validator_thinks_of_taskfiles_as_taskr_does() {
    let Some(program) = program() else { return };
    let p = Project::empty();
    let schema = schema(&p, &["schema"]);
    let mut metaschema = Command::new(&program);
    metaschema.arg("--check-metaschema").arg(&schema);
    assert!(metaschema.output().expect("it starts").status.success());
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let all = crate::docs::taskfiles().into_iter().chain(crate::fmt_tool::bad());
    for (at, (name, text)) in all.enumerate() {
        let Some(path) = as_json(&p, &at.to_string(), &text) else { continue };
        match parse(&name, text.as_bytes()) {
            Ok(_) => good.push(path),
            Err(error) => bad.push((path, taskr::error::render(&error, false, 100))),
        }
    }
    assert!(good.len() > 20 && bad.len() > 50, "{} and {}", good.len(), bad.len());
    assert_eq!(refused(&program, &schema, &good), [""; 0]);
    let paths: Vec<PathBuf> = bad.iter().map(|(path, _)| path.clone()).collect();
    let refused = refused(&program, &schema, &paths);
    let is_refused =
        |path: &Path| refused.iter().any(|name| path.ends_with(format!("{name}.json")));
    for (path, said) in &bad {
        let of_types = TYPES_AND_NAMES.iter().any(|words| said.contains(words));
        assert!(is_refused(path) || !of_types, "not seen by the schema: {said}");
    }
    assert!(refused.len() * 2 > bad.len(), "{} of {}", refused.len(), bad.len());
}

/// A run with everything: started, restored, failed, skipped, warned of.
#[test]
fn every_event_is_as_the_schema_says_and_has_no_other_field() {
    let p = Project::new(
        "[target.a]\ninputs = ['i']\noutputs = ['o']\nrun = 'echo told; cat i > o; sleep 0.2'\n\
         [target.bad]\ninputs = ['o']\nrun = 'false'\n[target.c]\ndeps = ['bad']\nrun = 'true'\n",
    )
    .with_store();
    p.write("i", "1\n");
    let mut lines = String::new();
    for _ in 0..2 {
        let told =
            p.taskr(["-k", "c", "--events", "-"]).any_files().any_ran().any_warning().exits(1);
        lines += &told.stdout;
        p.remove("o").accept_files();
    }
    for event in ["task_restoring", "task_started", "task_output", "run_finished"] {
        assert!(lines.contains(&format!("\"event\":\"{event}\"")), "{event}");
    }
    let told = p.taskr(["schema", "--events"]).ok();
    let schema_value: Value = serde_json::from_str(&told.stdout).expect("JSON");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let events = schema_value["oneOf"].as_array().expect("events");
        let event = events.iter().find(|event| event["title"] == line["event"]).expect("an event");
        for name in line.as_object().expect("an object").keys() {
            assert!(event["properties"].get(name).is_some(), "{}: {name}", line["event"]);
        }
    }
    let Some(program) = program() else { return };
    let schema = schema(&p, &["schema", "--events"]);
    let files: Vec<PathBuf> = lines
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let path = p.outside(&format!("line{at}.json"));
            fs::write(&path, line).expect("a file");
            path
        })
        .collect();
    assert_eq!(refused(&program, &schema, &files), [""; 0]);
    let wrong = p.outside("wrong.json");
    fs::write(&wrong, r#"{"v":1,"event":"task_ready","run":"r","task":7,"task_id":0}"#)
        .expect("a file");
    assert_eq!(refused(&program, &schema, &[wrong]), ["wrong"]);
}
