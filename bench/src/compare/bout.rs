//! One project built by all tools in turn, in every scenario.
//!
//! Each tool has a folder of its own, and the limits share one. A peer that fails, or whose outputs
//! are wrong, is left out from there on and named; taskr, ninja and make must be right.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Row;
use super::limits::write_lists;
use super::options::Options;
use super::tool::{Sort, Tool};
use super::what::What;
use crate::lay::lay;
use crate::measure::{Sample, Summary, run};
use crate::project::{Kind, Project};

/// How much ran by a tool's own steps, and how much must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) ran: u64,
    pub(crate) fewest: usize,
    pub(crate) most: usize,
}

/// A tool and its place in the project that is built at the moment.
struct Entrant {
    tool: Tool,
    dir: PathBuf,
    /// It was wrong once.
    out: bool,
}

/// One build.
struct Turn {
    sample: Sample,
    steps: u64,
}

/// One project, and who takes part.
pub(super) struct Bout<'a> {
    options: &'a Options,
    shape: &'static str,
    size: usize,
    project: Project,
    /// Where all folders are made. None is deleted before the end: that would be measured too.
    place: PathBuf,
    entrants: Vec<Entrant>,
    /// What is to be said below the table.
    pub(super) notes: Vec<String>,
}

impl<'a> Bout<'a> {
    pub(super) fn new(
        options: &'a Options,
        tools: &[Tool],
        base: &Path,
        (shape, project): (&'static str, Project),
    ) -> Bout<'a> {
        let size = project.tasks.len();
        let place = base.join(format!("{shape}-{size}"));
        let (mut entrants, mut notes) = (Vec::new(), Vec::new());
        for tool in tools {
            match too_much(tool.sort, &project, options.slow_to) {
                Some(why) => {
                    notes.push(format!("{shape} {size}: {} is left out {why}", tool.sort.name()));
                }
                None => {
                    let tool = tool.clone();
                    entrants.push(Entrant { tool, dir: PathBuf::new(), out: false });
                }
            }
        }
        Bout { options, shape, size, project, place, entrants, notes }
    }

    /// All scenarios.
    ///
    /// # Errors
    /// What the file system says, and a fault of a tool that must be right.
    pub(super) fn fight(&mut self) -> Result<Vec<Row>, String> {
        let mut rows = Vec::new();
        let mut turns = self.no_turns();
        for number in 0..self.options.cold {
            self.lay(number)?;
            self.turns(What::Cold, number, &mut turns)?;
            self.judge(What::Cold)?;
        }
        for what in self.options.whats.clone() {
            if what == What::Cold {
                self.rows(what, &turns, &mut rows);
            } else if what.is_of(&self.project) {
                let turns = self.again(what)?;
                self.rows(what, &turns, &mut rows);
            }
        }
        Ok(rows)
    }

    fn no_turns(&self) -> Vec<Vec<Turn>> {
        self.entrants.iter().map(|_| Vec::new()).collect()
    }

    /// Lays the project anew for each.
    fn lay(&mut self, number: usize) -> Result<(), String> {
        let folder = self.place.join(number.to_string());
        let mut first: Option<PathBuf> = None;
        for entrant in &mut self.entrants {
            let Tool { sort, .. } = entrant.tool;
            let name = if sort.is_limit() { "limits" } else { sort.name() };
            entrant.dir = folder.join(name);
            if entrant.dir.exists() {
                continue;
            }
            let failed = |error: io::Error| format!("{}: {error}", entrant.dir.display());
            lay(&self.project, &entrant.dir, first.as_deref()).map_err(failed)?;
            if sort.is_limit() {
                write_lists(&self.project, &entrant.dir).map_err(failed)?;
            }
            // Large sources are there once for all.
            if self.project.kind == Kind::Big {
                first.get_or_insert(entrant.dir.clone());
            }
        }
        fs::write(folder.join("steps"), "").map_err(|error| format!("steps: {error}"))?;
        for index in 0..self.entrants.len() {
            let Entrant { tool, dir, out } = &self.entrants[index];
            let prepared = tool.prepare(dir).map(|prepare| run(&prepare));
            if let (false, Some(Err(message))) = (out, prepared) {
                self.strike(index, &message)?;
            }
        }
        Ok(())
    }

    /// The rounds of a scenario in a project that is built.
    fn again(&mut self, what: What) -> Result<Vec<Vec<Turn>>, String> {
        let many = if what == What::NoOp { self.options.runs } else { self.options.edits };
        let mut turns = self.no_turns();
        for number in 0..many {
            if number == 0 || what != What::NoOp {
                // What has just been written is looked at twice.
                std::thread::sleep(self.options.settle);
                let mut warm_up = self.no_turns();
                self.turns(What::NoOp, number, &mut warm_up)?;
            }
            self.change(what, number).map_err(|error| format!("{}: {error}", what.name()))?;
            self.turns(what, number, &mut turns)?;
            self.judge(what)?;
        }
        Ok(turns)
    }

    /// Does the same to all folders.
    fn change(&self, what: What, number: usize) -> io::Result<()> {
        let mut done: Vec<&Path> = Vec::new();
        for Entrant { dir, .. } in &self.entrants {
            if done.contains(&&**dir) {
                continue;
            }
            // Sources that are there once are changed once.
            if self.project.kind != Kind::Big || done.is_empty() {
                what.change(&self.project, dir, number)?;
            }
            let aside = format!("{}-{number}", what.name());
            let of = dir.file_name().unwrap_or_default();
            what.delete(&self.project, dir, &self.place.join("aside").join(of).join(aside))?;
            done.push(dir);
        }
        Ok(())
    }

    /// One build by each; another one begins each round, and the limits come last.
    fn turns(&mut self, what: What, number: usize, turns: &mut [Vec<Turn>]) -> Result<(), String> {
        let is_limit = |index: &usize| self.entrants[*index].tool.sort.is_limit();
        let all = 0..self.entrants.len();
        let (limits, mut order): (Vec<usize>, Vec<usize>) = all.partition(is_limit);
        let first = number % order.len().max(1);
        order.rotate_left(first);
        for index in order.into_iter().chain(limits) {
            let Entrant { tool, dir, out } = &self.entrants[index];
            if *out || !tool.sort.takes_part(what) {
                continue;
            }
            let steps = dir.with_file_name("steps");
            let before = size(&steps);
            match run(&tool.build(dir, self.options.jobs)) {
                Ok(sample) => {
                    turns[index].push(Turn { sample, steps: size(&steps) - before });
                }
                Err(message) => self.strike(index, &message)?,
            }
        }
        Ok(())
    }

    /// Leaves a tool out, if it may be.
    fn strike(&mut self, index: usize, message: &str) -> Result<(), String> {
        let entrant = &mut self.entrants[index];
        if entrant.tool.sort.must_be_right() {
            return Err(message.to_owned());
        }
        entrant.out = true;
        let name = entrant.tool.sort.name();
        self.notes.push(format!("{} {}: {name} is left out: {message}", self.shape, self.size));
        Ok(())
    }

    /// Every output is there and the same for all tools, byte for byte.
    fn judge(&mut self, what: What) -> Result<(), String> {
        let builders = |entrant: &Entrant| {
            let Entrant { tool, out, .. } = entrant;
            !out && !tool.sort.is_limit() && tool.sort.takes_part(what)
        };
        let all = (0..self.entrants.len()).filter(|index| builders(&self.entrants[*index]));
        let all: Vec<usize> = all.collect();
        let Some((first, others)) = all.split_first() else { return Ok(()) };
        for other in others {
            let (one, two) = (&self.entrants[*first], &self.entrants[*other]);
            if let Err(message) = same_outputs(&self.project, one, two) {
                self.strike(*other, &format!("{}: {message}", what.name()))?;
            }
        }
        Ok(())
    }

    /// What the turns of a scenario come to.
    fn rows(&mut self, what: What, turns: &[Vec<Turn>], rows: &mut Vec<Row>) {
        for (entrant, turns) in self.entrants.iter().zip(turns) {
            let samples: Vec<Sample> = turns.iter().map(|turn| turn.sample).collect();
            let Some(summary) = Summary::of(&samples).filter(|_| !entrant.out) else { continue };
            let (sort, tool) = (entrant.tool.sort, entrant.tool.sort.name());
            let ran = turns.iter().map(|turn| turn.steps).max().unwrap_or_default();
            let steps = what
                .expected(&self.project)
                .filter(|_| counts(sort))
                .map(|expected| Steps { ran, fewest: expected.fewest, most: expected.most });
            if let Some(message) = steps.and_then(|steps| wrong(steps, sort, what)) {
                let (shape, size, what) = (self.shape, self.size, what.name());
                self.notes.push(format!("{shape} {size} {what}: {tool} {message}"));
            }
            let (shape, size, build) = (self.shape, self.size, what.name());
            rows.push(Row { shape, size, build, tool, summary, steps });
        }
    }
}

/// Why a tool cannot take part in a project, if it cannot.
fn too_much(sort: Sort, project: &Project, slow_to: usize) -> Option<String> {
    if sort.is_slow() && project.tasks.len() > slow_to {
        return Some(format!("above {slow_to} tasks (--slow-to)"));
    }
    let why = "where only depfiles say what is included";
    (sort.must_be_told() && project.kind == Kind::RealC).then(|| why.to_owned())
}

/// Whether a step of it is seen. tup shows its commands a world of its own, without our count.
fn counts(sort: Sort) -> bool {
    !matches!(sort, Sort::Tup | Sort::Stat | Sort::Hash | Sort::Copy)
}

/// What is wrong with how much ran, if something. taskr may bring back what is gone instead.
fn wrong(steps: Steps, sort: Sort, what: What) -> Option<String> {
    let Steps { ran, fewest, most } = steps;
    let least = match what {
        What::DeleteOne | What::DeleteAll if sort == Sort::Taskr => 0,
        _ => fewest,
    };
    let most = if sort == Sort::Taskr { fewest } else { most };
    let told = match least == most {
        true => most.to_string(),
        false => format!("from {least} to {most}"),
    };
    let right = (least as u64..=most as u64).contains(&ran);
    (!right && !sort.is_limit()).then(|| format!("ran {ran} steps, not {told}"))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn same_outputs(project: &Project, one: &Entrant, two: &Entrant) -> Result<(), String> {
    let read = |entrant: &Entrant, output: &str| {
        let bytes = fs::read(entrant.dir.join(output));
        bytes.map_err(|error| format!("{} left no {output}: {error}", entrant.tool.sort.name()))
    };
    for task in &project.tasks {
        if read(one, &task.output)? != read(two, &task.output)? {
            let (one, two) = (one.tool.sort.name(), two.tool.sort.name());
            return Err(format!("{one} and {two} differ in {}", task.output));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const FEW: &str = "--cold 1 --runs 2 --edits 1 --jobs 1 --settle-ms 60 \
                       --scenarios cold,no-op,edit-one";

    /// A tool that makes the outputs of three tasks in its own way.
    fn fake(dir: &Path, sort: Sort, text: &str) -> Tool {
        let program = dir.join(sort.name());
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo 1.0 && exit\nmkdir -p out\n\
             for n in 0 1 2; do {text} > out/00000$n.txt; done\n"
        );
        fs::write(&program, script).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        // Another test's child may have it open for writing still, for a moment.
        let found = (0..100).find_map(|_| {
            Tool::find(sort, &program).ok().or_else(|| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                None
            })
        });
        found.expect("it says its version")
    }

    fn compared(sort: Sort, text: &str) -> Result<(Vec<Row>, Vec<String>), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let args: Vec<String> = FEW.split_whitespace().map(str::to_owned).collect();
        let right = fake(folder.path(), Sort::Make, "cat src/00000$n.txt");
        let tools = [right, fake(folder.path(), sort, text)];
        let options = Options::parse(&args).expect("right");
        let project = Project::generate(Kind::Wide, 3)?;
        let mut bout = Bout::new(&options, &tools, folder.path(), ("wide", project));
        let rows = bout.fight()?;
        Ok((rows, bout.notes))
    }

    #[test]
    fn equal_outputs_are_measured() {
        let (rows, notes) = compared(Sort::Ninja, "cat src/00000$n.txt").expect("the same");
        let seen: Vec<_> = rows.iter().map(|row| (row.build, row.tool, row.summary.runs)).collect();
        let expected = [
            ("cold", "make", 1),
            ("cold", "ninja", 1),
            ("no-op", "make", 2),
            ("no-op", "ninja", 2),
            ("edit-one", "make", 1),
            ("edit-one", "ninja", 1),
        ];
        assert_eq!(seen, expected);
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn a_wrong_output_makes_it_fail() {
        for (wrong, told) in [
            ("echo wrong", "make and ninja differ in out/000000.txt"),
            ("[ $n = 2 ] && exit; cat src/00000$n.txt", "ninja left no out/000002.txt"),
            ("exit 1", "exit status: 1"),
            // Right from nothing, wrong after an edit.
            ("head -n1 src/00000$n.txt", "edit-one: make and ninja differ in out/000000.txt"),
        ] {
            let message = compared(Sort::Ninja, wrong).map(|_| ()).expect_err(wrong);
            assert!(message.contains(told), "{wrong}: {message}");
        }
    }

    #[test]
    fn a_peer_that_is_wrong_is_left_out_and_named() {
        let (rows, notes) = compared(Sort::Doit, "head -n1 src/00000$n.txt").expect("only doit");
        let seen: Vec<_> = rows.iter().map(|row| (row.build, row.tool)).collect();
        let expected = [
            ("cold", "make"),
            ("cold", "doit"),
            ("no-op", "make"),
            ("no-op", "doit"),
            ("edit-one", "make"),
        ];
        assert_eq!(seen, expected);
        let told = "wide 3: doit is left out: edit-one: make and doit differ in out/000000.txt";
        assert_eq!(notes, [told]);
    }

    #[test]
    fn who_must_be_told_headers_has_no_part_in_real_c() {
        let project = Project { kind: Kind::RealC, sources: Vec::new(), tasks: Vec::new() };
        let why = too_much(Sort::Mise, &project, 0).expect("nobody tells it");
        assert_eq!(why, "where only depfiles say what is included");
        assert_eq!(too_much(Sort::Samurai, &project, 0), None);
        let project = Project::generate(Kind::Wide, 3).expect("sources");
        assert!(too_much(Sort::Tup, &project, 2).is_some_and(|why| why.contains("--slow-to")));
        assert_eq!(too_much(Sort::Mise, &project, 3), None);
    }

    #[test]
    fn a_wrong_number_of_steps_is_told() {
        let steps = |ran| Steps { ran, fewest: 1, most: 2 };
        let wrong = |ran, sort, what| wrong(steps(ran), sort, what);
        let told = |text: &str| Some(format!("ran {text}"));
        assert_eq!(wrong(2, Sort::Ninja, What::EditOne), None);
        assert_eq!(wrong(2, Sort::Taskr, What::EditOne), told("2 steps, not 1"));
        assert_eq!(wrong(3, Sort::Ninja, What::EditOne), told("3 steps, not from 1 to 2"));
        assert_eq!(wrong(0, Sort::Doit, What::DeleteOne), told("0 steps, not from 1 to 2"));
        assert_eq!(wrong(0, Sort::Taskr, What::DeleteOne), None);
        assert_eq!(wrong(0, Sort::Taskr, What::EditOne), told("0 steps, not 1"));
    }
}
