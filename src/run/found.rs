//! Lists of files that depfiles named: which of them fit what is on the disk now.
//!
//! A depfile tells what was read, not what was looked for in vain. A header that comes back and
//! hides another one is in no list of a run without it, so two lists can fit at once; then nobody
//! can tell which of them a run would find.

use super::gather::{Gap, Gathered};
use super::{Build, Running};
use crate::ids::TaskId;
use crate::outcome::{FoundList, Manifest, Reason, Record};

/// Lists of what depfiles found that a record keeps.
pub(super) const MOST_LISTS: usize = 16;

impl Build<'_> {
    /// The manifest with what a list names; none if a file of it cannot be read, or is another
    /// task's that is not waited for.
    pub(super) fn manifest_with(
        &mut self,
        id: TaskId,
        plain: &Manifest,
        list: &[Vec<u8>],
    ) -> Result<Option<Manifest>, Gap> {
        if self.untied(id, list).is_some() {
            return Ok(None);
        }
        match self.discovered(list) {
            Ok(found) => Ok(Some(plain.with_found(&found))),
            Err(Gap::Wrong(_)) => Ok(None),
            Err(gap) => Err(gap),
        }
    }

    /// Whether a success before the last one, which read other files, fits as well.
    pub(super) fn another_fits(
        &mut self,
        id: TaskId,
        gathered: &Gathered,
        record: &Record,
    ) -> Result<bool, Gap> {
        for list in record.found.iter().skip(1) {
            if self.fits(id, &gathered.manifest, list)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fits(&mut self, id: TaskId, plain: &Manifest, list: &FoundList) -> Result<bool, Gap> {
        let manifest = self.manifest_with(id, plain, &list.paths)?;
        Ok(manifest.is_some_and(|manifest| manifest.key() == list.key))
    }

    /// The lists that a record keeps after a success under `key`: its own first, then those of
    /// earlier ones, but for those that fit now as well. It was not them that the command found.
    pub(super) fn lists_after(
        &mut self,
        id: TaskId,
        running: &Running,
        own: Option<FoundList>,
    ) -> Vec<FoundList> {
        let Some(own) = own else { return Vec::new() };
        let gathered = &running.due.gathered;
        let old = gathered.record.as_ref().map_or(&[][..], |record| &record.found);
        let mut lists = vec![own];
        for list in old {
            let other = lists.len() < MOST_LISTS && list.paths != lists[0].paths;
            if other && !self.fits(id, &gathered.manifest, list).unwrap_or(true) {
                lists.push(list.clone());
            }
        }
        lists
    }

    /// A file of a list that another task makes, and the task does not wait for: it may be of
    /// another time.
    pub(super) fn untied(&mut self, id: TaskId, list: &[Vec<u8>]) -> Option<Reason> {
        // What lies outside of the workspace nobody makes.
        for path in list.iter().filter(|path| !path.starts_with(b"/")) {
            let file = self.paths.intern(path);
            let maker = self.known_maker(file);
            let Some(maker) = maker.filter(|&maker| maker != id) else { continue };
            if !self.waits_for(id, maker) || self.plan.is_missing(maker) {
                return Some(Reason::Untied(path.clone(), self.graph.name(maker).to_owned()));
            }
        }
        None
    }
}
