//! The scenarios: what is done to a project before a build, and how much that build must run.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use super::tool::Sort;
use crate::project::{Command, Project};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// From nothing.
    Cold,
    /// With nothing to do.
    NoOp,
    /// One source is newer and the same.
    TouchOne,
    /// All sources are, as after a checkout.
    TouchAll,
    /// A line was added to one source.
    EditOne,
    /// A line was added to a source that many read.
    EditHeader,
    /// One output is gone.
    DeleteOne,
    /// All outputs are.
    DeleteAll,
}

/// By the names of the command line and the table, in the order in which they are measured.
pub(crate) const WHATS: [(&str, What); 8] = [
    ("cold", What::Cold),
    ("no-op", What::NoOp),
    ("touch-one", What::TouchOne),
    ("touch-all", What::TouchAll),
    ("edit-one", What::EditOne),
    ("edit-header", What::EditHeader),
    ("delete-one", What::DeleteOne),
    ("delete-all", What::DeleteAll),
];

/// How much must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// By who looks at contents, and stops where an output came out the same.
    pub(crate) fewest: usize,
    /// By who looks at times.
    pub(crate) most: usize,
}

impl What {
    pub(crate) fn name(self) -> &'static str {
        WHATS.iter().find(|(_, what)| *what == self).map_or("", |(name, _)| name)
    }

    /// The limit that a tool's time is held against.
    pub(crate) fn limit(self) -> Sort {
        match self {
            What::Cold | What::EditHeader | What::DeleteAll => Sort::Spawn,
            What::TouchAll => Sort::Hash,
            _ => Sort::Stat,
        }
    }

    /// Whether it can be done to a project.
    pub(crate) fn is_of(self, project: &Project) -> bool {
        self != What::EditHeader || project.shared_source().is_some()
    }

    /// The sources that get new times, and whether they get a line too.
    fn sources(self, project: &Project) -> (Vec<&str>, bool) {
        match self {
            What::TouchOne => (project.own_source().into_iter().collect(), false),
            What::TouchAll => (project.sources.iter().map(|source| &*source.path).collect(), false),
            What::EditOne => (project.own_source().into_iter().collect(), true),
            What::EditHeader => (project.shared_source().into_iter().collect(), true),
            What::Cold | What::NoOp | What::DeleteOne | What::DeleteAll => (Vec::new(), false),
        }
    }

    fn deleted(self, project: &Project) -> Vec<&str> {
        let outputs = project.tasks.iter().map(|task| &*task.output);
        match self {
            What::DeleteOne => {
                let own = project.own_source();
                let made =
                    |task: &&crate::project::Task| task.inputs.first().map(|input| &**input) == own;
                project.tasks.iter().find(made).map(|task| &*task.output).into_iter().collect()
            }
            What::DeleteAll => outputs.collect(),
            _ => Vec::new(),
        }
    }

    /// Does it to the sources in a folder, in the round of that number.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn change(self, project: &Project, dir: &Path, number: usize) -> io::Result<()> {
        let (sources, edited) = self.sources(project);
        for source in sources {
            let path = dir.join(source);
            if edited {
                let line = line(source, number);
                OpenOptions::new().append(true).open(&path)?.write_all(line.as_bytes())?;
            } else {
                File::options().append(true).open(&path)?.set_modified(SystemTime::now())?;
            }
        }
        Ok(())
    }

    /// Takes outputs away, into a new folder. They are not deleted: ext4 without a journal looks
    /// for a minute, file by file, whether the number of a deleted file may be given to a new one,
    /// and that would be measured.
    ///
    /// # Errors
    /// What the file system says, but for outputs that are not there.
    pub(crate) fn delete(self, project: &Project, dir: &Path, aside: &Path) -> io::Result<()> {
        let deleted = self.deleted(project);
        if deleted.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(aside)?;
        for (number, output) in deleted.into_iter().enumerate() {
            match fs::rename(dir.join(output), aside.join(number.to_string())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// How much must run; only of a project whose steps are counted.
    pub(crate) fn expected(self, project: &Project) -> Option<Expected> {
        if !project.is_counted() {
            return None;
        }
        if self == What::Cold {
            return Some(Expected { fewest: project.tasks.len(), most: project.tasks.len() });
        }
        let (sources, edited) = self.sources(project);
        let deleted: HashSet<&str> = self.deleted(project).into_iter().collect();
        let mut newer: HashSet<&str> = sources.into_iter().collect();
        let mut other = if edited { newer.clone() } else { HashSet::new() };
        let mut expected = Expected { fewest: 0, most: 0 };
        for task in &project.tasks {
            let reads =
                |set: &HashSet<&str>| task.inputs.iter().any(|input| set.contains(&**input));
            let gone = deleted.contains(&*task.output);
            if gone || reads(&newer) {
                expected.most += 1;
                newer.insert(&task.output);
            }
            if gone || reads(&other) {
                expected.fewest += 1;
                // What is made again of the same is the same, and as many files as before are listed.
                if task.command != Command::List && reads(&other) {
                    other.insert(&task.output);
                }
            }
        }
        Some(expected)
    }
}

/// What an edit adds.
fn line(path: &str, number: usize) -> String {
    match path.rsplit_once('.') {
        Some((_, "c" | "h")) => format!("/* edit {number} */\n"),
        _ => format!("edit {number}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Kind;

    fn generate(kind: Kind, size: usize) -> Project {
        Project::generate(kind, size).expect("sources")
    }

    #[test]
    fn what_must_run_is_known() {
        let expected = |kind, what: What| {
            let expected = what.expected(&generate(kind, 10)).expect("it is counted");
            (expected.fewest, expected.most)
        };
        for (what, of_w1, of_chain) in [
            (What::Cold, (10, 10), (10, 10)),
            (What::NoOp, (0, 0), (0, 0)),
            (What::TouchOne, (0, 2), (0, 10)),
            (What::TouchAll, (0, 10), (0, 10)),
            (What::EditOne, (2, 2), (10, 10)),
            (What::EditHeader, (10, 10), (0, 0)),
            (What::DeleteOne, (1, 2), (1, 10)),
            (What::DeleteAll, (10, 10), (10, 10)),
        ] {
            assert_eq!(expected(Kind::W1, what), of_w1, "{what:?}");
            assert_eq!(expected(Kind::Chain, what), of_chain, "{what:?}");
        }
        assert_eq!(What::NoOp.expected(&generate(Kind::Wide, 10)), None);
    }

    #[test]
    fn few_tasks_read_the_own_source_and_many_the_shared() {
        for (kind, own, shared) in [
            (Kind::W1, "src/000000.c", Some("src/shared.h")),
            (Kind::Wide, "src/000000.txt", None),
            (Kind::Diamond, "src/000000.txt", Some("src/top")),
            (Kind::CLike, "src/f000000.c", Some("src/h0.h")),
            (Kind::Big, "src/000000.bin", None),
            (Kind::RealC, "src/common/debug.c", Some("src/common/mem.h")),
        ] {
            let project = generate(kind, 20);
            assert_eq!((project.own_source(), project.shared_source()), (Some(own), shared));
            assert_eq!(What::EditHeader.is_of(&project), shared.is_some());
        }
    }

    #[test]
    fn files_are_changed_and_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("wide");
        let project = generate(Kind::Wide, 3);
        crate::write(&project, &dir).expect("a project");
        let source = dir.join("src/000000.txt");
        let old = SystemTime::UNIX_EPOCH;
        File::options().append(true).open(&source).expect("it").set_modified(old).expect("old");
        What::TouchAll.change(&project, &dir, 0).expect("touched");
        assert_eq!(fs::read_to_string(&source).expect("it"), "source 0\n");
        assert_ne!(fs::metadata(&source).expect("it").modified().expect("a time"), old);
        What::EditOne.change(&project, &dir, 7).expect("edited");
        assert_eq!(fs::read_to_string(&source).expect("it"), "source 0\nedit 7\n");
        for output in ["out/000000.txt", "out/000001.txt"] {
            fs::write(dir.join(output), "").expect("an output");
        }
        What::DeleteOne.delete(&project, &dir, &folder.path().join("a")).expect("deleted");
        assert!(!dir.join("out/000000.txt").exists() && dir.join("out/000001.txt").exists());
        What::DeleteAll.delete(&project, &dir, &folder.path().join("b")).expect("deleted");
        assert!(!dir.join("out/000001.txt").exists());
    }
}
