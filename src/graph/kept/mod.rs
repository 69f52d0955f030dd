//! A graph as bytes, for runs that need little of it: to make it anew would take longer than all else.
//!
//! What it was made from is not in it: whoever keeps it knows that nothing of that has moved. Only the
//! machine is new; that it is the same where expressions ask for it is known, too. A graph whose
//! variables are what commands print is not kept.

mod parts;
mod scope;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use taskr_cache::{Coded, Digest, In, Index, Out, Pieces, many, put_many};

use super::scope::Surroundings;
use super::tasks::Tasks;
use super::{Edges, Graph, Looked};
use crate::files::Ignored;
use crate::ids::{Id, IdVec, TaskId};

/// What a kept graph is made with.
pub struct Around {
    /// The workspace.
    pub root: PathBuf,
    /// The machine, in any profile.
    pub surroundings: Arc<Surroundings>,
    /// The same in others, as far as they were asked for.
    others: Mutex<Vec<Arc<Surroundings>>>,
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").field("root", &self.root).finish()
    }
}

impl Around {
    /// This workspace on this machine.
    pub fn new(root: PathBuf, surroundings: Arc<Surroundings>) -> Around {
        Around { root, surroundings, others: Mutex::default() }
    }

    /// The machine in a profile.
    fn in_profile(&self, profile: &str) -> Arc<Surroundings> {
        if self.surroundings.profile == profile {
            return self.surroundings.clone();
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let known = others.iter().find(|other| other.profile == profile).cloned();
        known.unwrap_or_else(|| {
            let other = Arc::new(self.surroundings.in_profile(profile));
            others.push(other.clone());
            other
        })
    }
}

impl Graph {
    /// The graph as bytes, if it can be kept.
    pub fn keep(&self) -> Option<Vec<u8>> {
        let Graph {
            tasks,
            kinds,
            needs,
            needed_by,
            names,
            whole,
            profiles,
            makers,
            targets,
            members,
            looked: _,
            ignored,
            skips,
        } = self;
        let Tasks::Made(tasks) = tasks else { return None };
        if tasks.iter().any(|task| task.rule.scope.may_ask()) {
            return None;
        }
        let mut out = Out::default();
        let pieces: Vec<u32> = tasks.iter().map(|task| out.piece(task)).collect();
        put_many(&mut out, &pieces);
        out.bytes(self.names_digest().as_bytes());
        out.number(kinds.len() as u64);
        kinds.iter().for_each(|kind| kind.put(&mut out));
        needs.put(&mut out);
        needed_by.put(&mut out);
        names.put(&mut out);
        whole.put(&mut out);
        profiles.put(&mut out);
        makers.put(&mut out);
        put_many(&mut out, targets);
        members.put(&mut out);
        ignored.put(&mut out);
        skips.put(&mut out);
        Some(out.finish())
    }

    /// The graph that was kept. What its making saw of the disk is not known any more.
    pub fn revive(kept: Arc<Vec<u8>>, around: Around) -> Option<Graph> {
        let root = around.root.clone();
        let pieces = Pieces::read(kept, Box::new(around))?;
        let mut from = pieces.first();
        let numbers = many::<u32, IdVec<TaskId, u32>>(&mut from)?;
        let digest = Digest::from_bytes(from.bytes()?.try_into().ok()?);
        let mut places = IdVec::filled(numbers.len(), 0);
        Some(Graph {
            kinds: many(&mut from)?,
            needs: Coded::get(&mut from)?,
            needed_by: Coded::get(&mut from)?,
            names: names(&mut from, &mut places)?,
            whole: Coded::get(&mut from)?,
            profiles: Coded::get(&mut from)?,
            makers: Coded::get(&mut from)?,
            targets: many(&mut from)?,
            members: Coded::get(&mut from)?,
            looked: Looked::default(),
            ignored: Ignored::get(&mut from, &root)?,
            skips: Coded::get(&mut from)?,
            tasks: Tasks::Kept { numbers, places, pieces, names: digest },
        })
    }
}

/// The names, and the place of each task's among them.
fn names(from: &mut In<'_>, places: &mut IdVec<TaskId, u32>) -> Option<Index> {
    let names: Index = Coded::get(from)?;
    for (place, (_, id)) in (0..).zip(names.iter()) {
        ((id as usize) < places.len()).then_some(())?;
        places[TaskId::from_index(id as usize)] = place;
    }
    Some(names)
}

impl Coded for Edges {
    fn put(&self, out: &mut Out) {
        let Edges { starts, ends } = self;
        put_many(out, starts);
        put_many(out, ends);
    }

    fn get(from: &mut In<'_>) -> Option<Edges> {
        Some(Edges { starts: many(from)?, ends: many(from)? })
    }
}
