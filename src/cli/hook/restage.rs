//! `restage`: what a formatter fixed before a commit is staged again, so that the commit has it.
//!
//! Only of files that were staged whole: of one that was staged in part nobody could tell what of
//! the fix belongs to the commit. What is staged is git's to say, before and after.

use std::ffi::OsStr;

use rustc_hash::FxHashSet;

use super::super::args::Common;
use super::super::out::print;
use super::super::workspace::Workspace;
use crate::error::Error;
use crate::git::Repository;
use crate::graph::{Graph, Rule};
use crate::ids::TaskId;
use crate::outcome::shown;
use crate::run::find;

/// So many files are named.
const MOST_NAMED: usize = 10;

/// The index that git makes for `git commit FILE...`: what is added to it does not reach the
/// index that stays.
const PASSING_INDEX: &str = "next-index-";

/// Files that were staged whole, and that a formatter of a hook may fix.
pub(super) struct Restage {
    repository: Repository,
    whole: FxHashSet<Vec<u8>>,
}

impl Restage {
    /// Looks at what is staged before anything runs. None if no target of the hook restages.
    ///
    /// # Errors
    /// A file that a formatter may fix was staged in part.
    pub(super) fn before(
        workspace: &Workspace,
        common: &Common,
        targets: &[String],
        staged: &[Vec<u8>],
    ) -> Result<Option<Restage>, Error> {
        let mut all = workspace.taskfile.every().flat_map(|one| one.targets.values());
        if !all.any(|target| target.policy.restage) {
            return Ok(None);
        }
        let graph = workspace.loader(common, 1)?()?;
        let fixers = fixers(&graph, targets)?;
        let fixers: Vec<_> = fixers.into_iter().map(|rule| (rule, rule.fixes())).collect();
        let fixer = |path: &[u8]| fixers.iter().find(|(_, fixes)| fixes.covers(path));
        let repository = Repository::of(&workspace.root)?;
        let unstaged: FxHashSet<Vec<u8>> = repository.unstaged()?.into_iter().collect();
        let mut whole = FxHashSet::default();
        for path in staged {
            let Some((rule, _)) = fixer(path) else { continue };
            if unstaged.contains(path) {
                return Err(in_part(path, rule));
            }
            whole.insert(path.clone());
        }
        Ok(Some(Restage { repository, whole }))
    }

    /// Stages again what differs from what was staged.
    ///
    /// # Errors
    /// The index is only for this commit; git fails.
    pub(super) fn after(&self) -> Result<(), Error> {
        let fixed = self.fixed()?;
        if fixed.is_empty() {
            return Ok(());
        }
        let names = named(&fixed);
        let index = std::env::var_os("GIT_INDEX_FILE").unwrap_or_default();
        let index = std::path::Path::new(&index).file_name().and_then(OsStr::to_str);
        if index.is_some_and(|name| name.starts_with(PASSING_INDEX)) {
            return Err(Error::Usage {
                message: format!("fixed, but not staged: {names}"),
                help: Some(
                    "`git commit FILE...` takes no further changes: `git add` what it names, and \
                     commit without names"
                        .to_owned(),
                ),
            });
        }
        self.repository.stage(&fixed)?;
        print(format!("staged again: {names}\n").as_bytes())
    }

    /// Names what differs from what was staged. There is no commit, so the index stays as it is:
    /// what a formatter that failed left, nobody may want to have.
    ///
    /// # Errors
    /// git fails.
    pub(super) fn after_failure(&self) -> Result<(), Error> {
        let fixed = self.fixed()?;
        if fixed.is_empty() {
            return Ok(());
        }
        let names = named(&fixed);
        let text = format!("changed, and not staged again: {names}; `git add` them, then commit\n");
        print(text.as_bytes())
    }

    /// Those of the files that are no longer as they were staged.
    fn fixed(&self) -> Result<Vec<Vec<u8>>, Error> {
        let mut fixed = self.repository.unstaged()?;
        fixed.retain(|path| self.whole.contains(path));
        Ok(fixed)
    }
}

/// All that these targets need, as far as it restages.
fn fixers<'g>(graph: &'g Graph, targets: &[String]) -> Result<Vec<&'g Rule>, Error> {
    let mut wanted = Vec::new();
    for target in targets {
        wanted.extend(find(graph, target)?);
    }
    let mut needed: Vec<TaskId> = graph.with_needed(&wanted).into_iter().collect();
    needed.sort_unstable();
    let rules = needed.into_iter().map(|id| &graph.task(id).rule);
    Ok(rules.filter(|rule| rule.target.policy.restage).collect())
}

fn in_part(path: &[u8], rule: &Rule) -> Error {
    let (path, fixer) = (shown(path), &rule.target.name);
    Error::Usage {
        message: format!(
            "{path} is staged in part, and `{fixer}` may change it: the commit could not have the \
             change alone"
        ),
        help: Some(format!(
            "stage all of it, `git add {path}`, or put the rest aside: `git stash --keep-index`"
        )),
    }
}

fn named(paths: &[Vec<u8>]) -> String {
    let names: Vec<String> = paths.iter().take(MOST_NAMED).map(|path| shown(path)).collect();
    let more = match paths.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.join(", ") + &more
}
