//! `taskr-bench compare`: the same projects built by taskr and its peers, side by side, and what
//! the machine needs for the least of it.
//!
//! Figures of one run are compared with each other only. Tools take turns, so that what disturbs
//! the machine disturbs all; nothing is told of a tool whose outputs differ.

mod bout;
mod limits;
mod options;
mod plot;
mod start;
mod table;
mod tool;
mod what;

use std::fs;
use std::io;
use std::path::Path;

pub(crate) use limits::limit;
use options::Options;
pub(crate) use options::USAGE;
use tool::Tool;

use crate::facts::{Facts, facts};
use crate::measure::Summary;
use crate::project::Project;
use bout::{Bout, Steps};

/// One line of the result.
pub(crate) struct Row {
    pub(crate) shape: &'static str,
    pub(crate) size: usize,
    pub(crate) build: &'static str,
    pub(crate) tool: &'static str,
    pub(crate) summary: Summary,
    pub(crate) steps: Option<Steps>,
}

/// All that came out.
pub(crate) struct Comparison {
    pub(crate) facts: Facts,
    pub(crate) jobs: usize,
    /// Of the tools that were there.
    pub(crate) versions: Vec<String>,
    pub(crate) rows: Vec<Row>,
    /// Who is absent or was left out, and what ran too often.
    pub(crate) notes: Vec<String>,
}

/// Compares, prints, writes.
///
/// # Errors
/// A wrong word, a build that fails, outputs that differ.
pub(crate) fn compare(args: &[String]) -> Result<(), String> {
    let options = Options::parse(args)?;
    let (mut tools, mut notes) = (Vec::new(), Vec::new());
    for &sort in &options.tools {
        match Tool::find(sort, &options.program(sort)?) {
            Ok(tool) => tools.push(tool),
            Err(absent) => notes.push(absent),
        }
    }
    if tools.is_empty() {
        return Err(format!("there is no tool to compare\n{}", notes.join("\n")));
    }
    let base = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let failed = |error: io::Error| format!("{}: {error}", base.display());
    fs::create_dir_all(&base).map_err(failed)?;
    let folder = tempfile::Builder::new().prefix("taskr-bench-").tempdir_in(&base);
    let folder = folder.map_err(failed)?;
    let base = folder.path().canonicalize().map_err(failed)?;
    let versions = tools.iter().map(|tool| tool.version.clone()).collect();
    let rows = Vec::new();
    let mut result = Comparison { facts: facts(&base), jobs: options.jobs, versions, rows, notes };
    print!("{}", table::head(&result));
    if options.start {
        result.tell(start::start(&options, &tools, &base)?);
    }
    let tools = [tools, Tool::limits()?].concat();
    result.measure(&options, &tools, &base)?;
    print!("{}", table::tail(&result));
    result.keep(&options)
}

impl Comparison {
    fn measure(&mut self, options: &Options, tools: &[Tool], base: &Path) -> Result<(), String> {
        if options.whats.is_empty() {
            return Ok(());
        }
        for &(shape, kind) in &options.shapes {
            for size in options.sizes_of(kind) {
                match Project::generate(kind, size) {
                    Ok(project) => {
                        let mut bout = Bout::new(options, tools, base, (shape, project));
                        let rows = bout.fight()?;
                        self.notes.append(&mut bout.notes);
                        self.tell(rows);
                    }
                    Err(absent) => self.notes.push(format!("{shape} is left out: {absent}")),
                }
            }
        }
        Ok(())
    }

    /// Prints rows and keeps them.
    fn tell(&mut self, rows: Vec<Row>) {
        print!("{}", table::text(&rows));
        self.rows.extend(rows);
    }

    /// Writes what was asked for.
    fn keep(&self, options: &Options) -> Result<(), String> {
        let write = |path: &Path, text: &str| {
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        let json = format!("{:#}\n", table::json(self));
        if let Some(path) = &options.json {
            write(path, &json)?;
        }
        let Some(out) = &options.out else { return Ok(()) };
        let dir = out.join(format!("{}-{}", self.facts.date(), self.facts.machine()));
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        write(&dir.join("compare.json"), &json)?;
        let rows = table::text(&self.rows);
        let table = format!("{}{rows}{}", table::head(self), table::tail(self));
        write(&dir.join("compare.md"), &table)?;
        for (shape, picture) in plot::plots(&self.rows) {
            write(&dir.join(format!("{shape}.svg")), &picture)?;
        }
        println!("written to {}", dir.display());
        Ok(())
    }
}
