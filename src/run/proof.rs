//! The proof of a run: everything that it saw of the disk, so that the next one that is asked the same
//! need only see the same ([`Question`]). Where all was up to date, that is the answer; tasks that
//! were not are in doubt, and all others are vouched for ([`super::vouch`]).
//!
//! Nothing is proved that rests on more than files: on what a command printed, or a task that ages. A
//! file whose stamps are too young to stand for it counts by what it holds, if all who were told of it
//! in this run were told the same; else it is in doubt. That there is no proof costs time only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustc_hash::FxHashSet;
use taskr_cache::{
    Basis, Claim, Clock, Content, Digest, Fact, FileKind, KeyHasher, Question, Seen, Stamp,
    Standing, digest_of,
};

use super::Build;
use crate::files::{is_there_and_why, list_and_why, why_of_tree, with_what_is_held};
use crate::graph::{Asks, Kind, Output};
use crate::ids::{FileId, Id, IdVec, TaskId};
use crate::lock::{Acquired, Lock, Note, Wait};
use crate::outcome::Summary;
use crate::outdir::STATE_DIR;
use crate::process::{is_program, places_of};
use crate::record;

/// Facts with their paths, relative to the workspace or absolute.
type Facts = Vec<(Vec<u8>, Fact)>;

/// The caller's environment.
type Env = BTreeMap<OsString, OsString>;

/// Who asks for a build.
pub struct Ask<'a> {
    /// What is asked.
    pub question: Question,
    /// What an earlier run proved of some of the tasks.
    pub before: Option<Partly>,
    /// Whether an expression asked for the caller's environment by now.
    pub env_asked: Arc<AtomicBool>,
    /// What commands printed for variables.
    pub asks: Arc<Asks>,
    /// Gives the facts that the graph rests on beside those that its making tells, asked anew;
    /// none if they are no longer so.
    pub why: &'a dyn Fn() -> Option<Vec<(Vec<u8>, Fact)>>,
    /// What who asks wants to know again, if it is asked of a few tasks alone ([`Partly::note`]).
    pub note: Option<Vec<u8>>,
}

/// Variables that count for every build: where programs are, and what `ci` says.
const USUAL: [&str; 2] = ["PATH", "CI"];

/// What a proof gives.
#[derive(Clone, Debug)]
pub enum Proved {
    /// All is up to date.
    All(UpToDate),
    /// Some tasks are in doubt.
    Partly(Partly),
}

/// A run of so many tasks, all of them up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpToDate {
    /// How many tasks there are.
    pub tasks: usize,
    /// How many might have run at once.
    pub jobs: usize,
}

/// A run whose tasks are up to date, but for some.
#[derive(Clone, Debug)]
pub struct Partly {
    /// What it rests on.
    pub(super) standing: Standing,
    question: Question,
    /// How many tasks there are.
    pub(super) tasks: usize,
    /// The number of the next intent.
    pub(super) next_intent: u64,
    /// See [`Graph::names_digest`](crate::graph::Graph::names_digest).
    pub(super) names: Digest,
    /// The numbers of tasks that the run before left in doubt; more are by what moved since.
    pub(super) left_in_doubt: Vec<u32>,
    note: Option<Vec<u8>>,
    /// Of the graph that was kept.
    kept: Option<Digest>,
    /// That graph, if it was read.
    graph: Option<Arc<Vec<u8>>>,
    /// The variables that it rests on; none for all of them.
    variables: Option<BTreeSet<String>>,
}

impl Partly {
    /// What who asked noted.
    pub fn note(&self) -> Option<&[u8]> {
        self.note.as_deref()
    }

    /// The graph that was kept, of the workspace `root`.
    pub fn kept(&self, root: &Path) -> Option<Arc<Vec<u8>>> {
        let digest = self.kept?;
        let read = || self.question.kept(&root.join(STATE_DIR)).map(Arc::new);
        let kept = self.graph.clone().or_else(read)?;
        (digest_of(&kept) == digest).then_some(kept)
    }

    /// The same question, asked again.
    pub fn ask_again(&self, env_asked: Arc<AtomicBool>) -> Ask<'static> {
        Ask {
            question: self.question,
            before: Some(self.clone()),
            env_asked,
            asks: Arc::default(),
            why: &|| None,
            note: self.note.clone(),
        }
    }
}

impl Proved {
    /// What is proved of `question` in the workspace `root` with this environment. `command` is the
    /// caller's command line, for others who wait meanwhile.
    pub fn of(
        question: Question,
        root: &Path,
        env: &Env,
        command: &dyn Fn() -> String,
    ) -> Option<Proved> {
        let (dir, graph, begun) = (root.join(STATE_DIR), OnceLock::new(), Instant::now());
        // It will be needed, and is read while another thread still asks the disk.
        let read_graph = || _ = graph.get_or_init(|| question.kept(&dir).map(Arc::new));
        let mut standing = question.standing(&dir, root, &read_graph)?;
        if standing.is_renewed() {
            settle(&mut standing, root, begun);
        }
        let answer = Answer::decode(standing.answer())?;
        variables_are(answer.variables, env)?.then_some(())?;
        let Answer { tasks, jobs, next_intent, names, left_in_doubt, note, kept, variables } =
            answer;
        let mut doubted = standing.doubted();
        doubted.extend(&left_in_doubt);
        doubted.sort_unstable();
        doubted.dedup();
        if doubted.is_empty() {
            if standing.is_renewed() {
                renew(question, root, &standing, command());
            }
            // Where much moved, to give its memory back would take a while.
            std::mem::forget(standing);
            return Some(Proved::All(UpToDate { tasks, jobs }));
        }
        let variables = names_of(variables);
        let (is_few, note) = (is_few(doubted.len(), tasks), note.map(<[u8]>::to_vec));
        let partly = Partly {
            standing,
            question,
            tasks,
            next_intent,
            names,
            left_in_doubt,
            note,
            kept,
            graph: graph.into_inner().flatten(),
            variables,
        };
        is_few.then_some(Proved::Partly(partly))
    }
}

/// Forgets the new stamps that may not stand for what was read since `begun`.
fn settle(standing: &mut Standing, root: &Path, begun: Instant) {
    // Without a clock none may.
    let clock = Clock::read(&root.join(STATE_DIR)).ok().map(|clock| clock.back(begun.elapsed()));
    let mut settled = clock.map(|clock| Settled { clock, root });
    standing.settle(|path, stamp| {
        settled.as_mut().is_some_and(|settled| settled.check(path, stamp).is_some())
    });
}

/// Keeps the proof with the new stamps, so that the next run need not read what this one read. Who holds
/// the lock will prove something himself.
fn renew(question: Question, root: &Path, standing: &Standing, command: String) {
    let dir = root.join(STATE_DIR);
    let note = Note { pid: std::process::id(), command, ..Note::default() };
    if let Ok(Acquired::Held(lock)) = Lock::acquire(&dir, &note, Wait::No)
        && lock.caution().is_none()
        && standing.still_holds_for_all(root)
    {
        // The next run does without.
        let _ = question.renew(&dir, standing);
    }
}

/// Whether it is worth while to go by what is not in doubt.
fn is_few(doubted: usize, tasks: usize) -> bool {
    2 * doubted <= tasks
}

/// What a proof keeps beside facts: the two numbers of [`UpToDate`] and that of the next intent (8
/// bytes each, little-endian);
/// the digest of the tasks' names; the digest of the graph that was kept, or zeros; how many tasks are
/// in doubt (4) and their numbers (4 each); the length of the note (4; the greatest for none) and the
/// note; then the variables that it rests on: after a byte 1 the digest of all of them, or after a
/// byte 0 each name with its length (4 bytes) and the digest of its value.
struct Answer<'b> {
    tasks: usize,
    jobs: usize,
    next_intent: u64,
    names: Digest,
    kept: Option<Digest>,
    left_in_doubt: Vec<u32>,
    note: Option<&'b [u8]>,
    variables: &'b [u8],
}

/// Stands for the digest of a graph that was not kept.
const NOT_KEPT: [u8; 32] = [0; 32];

impl Answer<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.tasks as u64, self.jobs as u64, self.next_intent] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(self.names.as_bytes());
        bytes.extend_from_slice(self.kept.as_ref().map_or(&NOT_KEPT, |kept| kept.as_bytes()));
        bytes.extend_from_slice(&(self.left_in_doubt.len() as u32).to_le_bytes());
        self.left_in_doubt.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        let length = self.note.map_or(u32::MAX, |note| note.len() as u32);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(self.note.unwrap_or_default());
        bytes.extend_from_slice(self.variables);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Answer<'_>> {
        let number = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes)).ok();
        let (tasks, rest) = bytes.split_first_chunk()?;
        let (jobs, rest) = rest.split_first_chunk()?;
        let (next_intent, rest) = rest.split_first_chunk()?;
        let (names, rest) = rest.split_first_chunk()?;
        let (kept, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let count = 4 * u32::from_le_bytes(*count) as usize;
        let (doubted, rest) = rest.split_at_checked(count)?;
        let doubted = doubted.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let (length, rest) = rest.split_first_chunk()?;
        let (note, variables) = match u32::from_le_bytes(*length) {
            u32::MAX => (None, rest),
            length => {
                let (note, rest) = rest.split_at_checked(length as usize)?;
                (Some(note), rest)
            }
        };
        Some(Answer {
            tasks: number(tasks)?,
            jobs: number(jobs)?,
            next_intent: u64::from_le_bytes(*next_intent),
            names: Digest::from_bytes(*names),
            kept: (*kept != NOT_KEPT).then(|| Digest::from_bytes(*kept)),
            left_in_doubt: doubted.collect(),
            note,
            variables,
        })
    }
}

/// The names and digests that an answer rests on.
fn encode_variables(names: Option<&BTreeSet<&str>>, env: &Env) -> Vec<u8> {
    let Some(names) = names else { return [&[1], &whole(env).as_bytes()[..]].concat() };
    let mut bytes = vec![0];
    for name in names {
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(value_of(name.as_bytes(), env).as_bytes());
    }
    bytes
}

/// Whether they are so now; none if they cannot be read.
fn variables_are(bytes: &[u8], env: &Env) -> Option<bool> {
    let (sort, mut rest) = bytes.split_first()?;
    if *sort == 1 {
        return Some(rest == whole(env).as_bytes());
    }
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk()?;
        let (name, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (value, tail) = tail.split_first_chunk::<32>()?;
        if value_of(name, env).as_bytes() != value {
            return Some(false);
        }
        rest = tail;
    }
    Some(true)
}

/// The names; none if all of them count.
fn names_of(bytes: &[u8]) -> Option<BTreeSet<String>> {
    let (0, mut rest) = bytes.split_first().map(|(sort, rest)| (*sort, rest))? else { return None };
    let mut names = BTreeSet::new();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let (name, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        names.insert(std::str::from_utf8(name).ok()?.to_owned());
        rest = tail.get(32..)?;
    }
    Some(names)
}

/// Of whether it is set, and its value.
fn value_of(name: &[u8], env: &Env) -> Digest {
    let mut hasher = KeyHasher::new("taskr 2026 variable of a proof v1");
    if let Some(value) = env.get(OsStr::from_bytes(name)) {
        hasher.update(b"=");
        hasher.update(value.as_bytes());
    }
    hasher.finish()
}

fn whole(env: &Env) -> Digest {
    let mut hasher = KeyHasher::new("taskr 2026 environment of a proof v1");
    for part in env.iter().flat_map(|(name, value)| [name, value]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finish()
}

impl Build<'_> {
    /// Keeps a proof of what is up to date, if that rests on files alone. The state has been
    /// written.
    pub(super) fn prove(&self, ask: &Ask<'_>, summary: &Summary) {
        let is_ours = self.held.lock.is_some() && !self.held.is_lost();
        let has_asked = ask.asks.have_answers() || self.lookups.questions.decide();
        let (tasks, doubted) = (summary.counts.tasks, self.in_doubt());
        if !is_ours || has_asked || summary.signal.is_some() || !is_few(doubted.len(), tasks) {
            return;
        }
        let Some(basis) = self.basis(ask) else { return };
        let answer = Answer {
            tasks,
            jobs: self.request.jobs,
            next_intent: self.held.next_intent,
            names: self.graph.names_digest(),
            kept: self.keep_graph(ask),
            left_in_doubt: doubted,
            note: ask.note.as_deref(),
            variables: &encode_variables(self.variables(ask).as_ref(), &self.request.env),
        };
        // The next run does without.
        let _ = ask.question.prove(&self.root.path().join(STATE_DIR), &answer.encode(), &basis);
    }

    /// Keeps the graph for builds of a few tasks of it, if this is not the first after an edit; its
    /// digest. A graph is not kept where tasks change what others read.
    fn keep_graph(&self, ask: &Ask<'_>) -> Option<Digest> {
        let before = ask.before.as_ref()?;
        if self.known_tasks.is_some() {
            return before.kept;
        }
        if ask.note.is_none() || self.plan.has_fixers() {
            return None;
        }
        let kept = self.graph.keep()?;
        ask.question.keep(&self.root.path().join(STATE_DIR), &kept).ok()?;
        Some(digest_of(&kept))
    }

    /// The variables that count for what was wanted; none for all of them.
    fn variables<'s>(&'s self, ask: &'s Ask<'_>) -> Option<BTreeSet<&'s str>> {
        let planned = self.plan.wanted().map(|(id, _)| &self.graph.task(id).rule.target);
        let named = planned.flat_map(|target| target.env_inputs.iter().map(String::as_str));
        let before = match &ask.before {
            Some(before) => before.variables.as_ref()?.iter().map(String::as_str).collect(),
            None => Vec::new(),
        };
        let has_asked = ask.env_asked.load(Ordering::Relaxed);
        (!has_asked).then(|| USUAL.into_iter().chain(named).chain(before).collect())
    }

    fn basis(&self, ask: &Ask<'_>) -> Option<Basis<'_>> {
        let dir = self.root.path().join(STATE_DIR);
        // What has stamps that are older than the begin of this run, by the time to settle, was so all
        // the time.
        let clock = Clock::read(&dir).ok()?.back(self.begun.elapsed());
        let mut settled = Settled { clock, root: self.root.path() };
        self.is_worth_while(&mut settled).then_some(())?;
        let mut claims = self.claims_of_files(&mut settled)?;
        let mut facts = Facts::new();
        self.add_listings(&mut facts)?;
        self.add_tasks(&mut facts)?;
        // What vouches for tasks vouches for the graph.
        if !self.vouched.is_on() {
            self.add_graph(&mut facts)?;
            facts.extend((ask.why)()?);
        }
        facts = with_what_is_held(self.root.path(), facts);
        self.add_programs(&mut facts)?;
        for (path, fact) in &facts {
            fact.stamps().try_for_each(|stamp| settled.check(path, stamp))?;
        }
        claims.extend(facts.into_iter().map(|(path, fact)| Claim::of_all(path, fact)));
        for name in STATE_FILES {
            let (path, fact) = self.fact_of_state(name)?;
            claims.push(Claim::of_all(path, fact));
        }
        self.vouched.basis_with(claims, is_of_state)
    }

    /// Whether enough tasks will not be in doubt: those are that looked at what is doubtful.
    fn is_worth_while(&self, settled: &mut Settled<'_>) -> bool {
        let mut is_doubtful = IdVec::<FileId, bool>::filled(self.paths.len(), false);
        for (file, seen, content) in self.files.asked() {
            let path = self.paths.bytes(file);
            let steady = self.files.is_steady(file);
            is_doubtful[file] = fact_of(path, (seen, content, steady), settled) == Fact::Doubtful;
        }
        let doubted = self.in_doubt().into_iter();
        let readers = self.vouched.readers_of(|file| is_doubtful[file]);
        let doubted: FxHashSet<u32> = doubted.chain(readers).collect();
        is_few(doubted.len(), self.tally.summary.counts.tasks)
    }

    /// All paths that were asked for. What is doubtful puts in doubt who looked at it.
    fn claims_of_files(&self, settled: &mut Settled<'_>) -> Option<Vec<Claim>> {
        let mut readers = self.vouched.readers();
        let mut claims = Vec::new();
        for (file, seen, content) in self.files.asked() {
            let path = self.paths.bytes(file);
            let readers = readers.remove(&file).unwrap_or_default();
            let steady = self.files.is_steady(file);
            let fact = fact_of(path, (seen, content, steady), settled);
            if fact == Fact::Doubtful && readers.is_empty() {
                return None;
            }
            claims.push(Claim { path: path.to_vec(), fact, readers });
        }
        // What somebody goes by who was found up to date must be known still.
        let is_fresh = |&number: &u32| self.done[TaskId::from_index(number as usize)].is_fresh;
        (!readers.values().flatten().any(is_fresh)).then_some(claims)
    }

    /// Inputs that were listed. They are listed again, from behind the stamps.
    fn add_listings(&self, facts: &mut Facts) -> Option<()> {
        let ignored = self.graph.ignored();
        facts.extend(ignored.why_of_top()?);
        for (pattern, skip, found) in self.files.listings() {
            let (now, why) = list_and_why(self.root.path(), pattern, skip, ignored).ok()?;
            let same = now.len() == found.len()
                && now.iter().zip(found).all(|(path, &file)| self.paths.bytes(file) == path);
            same.then(|| facts.extend(why))?;
        }
        Some(())
    }

    /// What the making of the graph looked for.
    fn add_graph(&self, facts: &mut Facts) -> Option<()> {
        let looked = self.graph.looked();
        let ignored = self.graph.ignored().with_nothing_made();
        for (pattern, found) in &looked.listed {
            let (now, why) = list_and_why(self.root.path(), pattern, &[], &ignored).ok()?;
            (now[..] == found[..]).then(|| facts.extend(why))?;
        }
        for (path, &was_there) in &looked.there {
            let (is_there, fact) = is_there_and_why(self.root.path(), path).ok()?;
            (is_there == was_there).then(|| facts.push((path.clone(), fact)))?;
        }
        Some(())
    }

    /// What tasks look at beside files: folders that are outputs as a whole, and what is installed.
    fn add_tasks(&self, facts: &mut Facts) -> Option<()> {
        for (id, _) in self.plan.wanted() {
            let rule = &self.graph.task(id).rule;
            let policy = &rule.target.policy;
            let ages = policy.max_age_ms.is_some() || policy.fresh_if.is_some();
            let runs = matches!(self.graph.task(id).kind(), Kind::Unrecorded | Kind::Service);
            if ages || rule.target.always || runs {
                return None;
            }
            if self.vouched.has(id) || !self.done[id].is_fresh {
                continue;
            }
            let is_path = |output: &Output| matches!(output, Output::Path(_));
            let may_be_folder = rule.outputs.iter().any(|output| is_path(&output.value));
            if may_be_folder || !rule.installs.is_empty() {
                self.add_recorded(id, facts)?;
            }
        }
        Some(())
    }

    fn add_recorded(&self, id: TaskId, facts: &mut Facts) -> Option<()> {
        let record = record::read(&self.held.state, &self.names.id(self.graph.name(id)))?;
        for folder in self.folders_of_outputs(id, &record) {
            if let Output::Path(path) = folder {
                facts.extend(why_of_tree(self.root.path(), path).ok()?);
            }
        }
        if self.extra_in_folder(id, &record).is_some() {
            return None;
        }
        facts.extend(
            record.installs.into_iter().map(|(path, dev, ino)| (path, Fact::Same(dev, ino))),
        );
        Some(())
    }

    /// Where programs were looked for in vain before they were found, or at all.
    fn add_programs(&self, facts: &mut Facts) -> Option<()> {
        let mut seen: FxHashSet<PathBuf> = FxHashSet::default();
        for ((name, path_var, dir), found) in &self.lookups.searched {
            let places = places_of(name.as_ref(), path_var, dir);
            for place in places.clone().take_while(|place| Some(place) != found.as_ref()) {
                if seen.insert(place.clone()) {
                    let fact = Fact::LeadsTo(Stamp::of(&place).ok()?);
                    facts.push((place.as_os_str().as_bytes().to_vec(), fact));
                }
            }
            // Looked up again, from behind the stamps.
            let mut places = places;
            if places.find(|place| is_program(place)) != *found {
                return None;
            }
        }
        Some(())
    }

    /// The state as it is now. Nothing that is not written by now counts.
    fn fact_of_state(&self, name: &str) -> Option<(Vec<u8>, Fact)> {
        let path = format!("{STATE_DIR}/{name}");
        let seen = Seen::of(&self.root.path().join(&path)).ok()?;
        let half_done = seen.is_some() && name != "state.db" && name != "intents";
        let fact = seen.map_or(Fact::Absent, Fact::Seen);
        (!half_done).then(|| (path.into_bytes(), fact))
    }
}

/// What was seen of a file and is known of what it holds, as a fact. It is doubtful if what some were
/// told of it in this run may be another thing: stamps that are settled show that it is not, and else
/// only that nobody was told before it was forgotten (`steady`).
fn fact_of(
    path: &[u8],
    (seen, content, steady): (Option<Seen>, Option<Content>, bool),
    settled: &mut Settled<'_>,
) -> Fact {
    let Some(seen) = seen else {
        return if steady { Fact::Absent } else { Fact::Doubtful };
    };
    let is_settled = seen.stamps().all(|stamp| settled.check(path, stamp).is_some());
    match content {
        Some(Content::Folder) if steady => Fact::Is(FileKind::Dir),
        Some(Content::Folder) => Fact::Doubtful,
        Some(content @ Content::File { .. }) if is_settled => Fact::Holds(Some(seen.link), content),
        Some(content @ Content::File { .. }) if steady => Fact::Holds(None, content),
        _ if is_settled => Fact::Seen(seen),
        _ => Fact::Doubtful,
    }
}

/// The files of the state.
const STATE_FILES: [&str; 4] = ["state.db", "state.db-wal", "state.db-journal", "intents"];

fn is_of_state(path: &[u8]) -> bool {
    let name = path.strip_prefix(STATE_DIR.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
    name.is_some_and(|name| STATE_FILES.iter().any(|file| file.as_bytes() == name))
}

/// Whether stamps may stand for what they were seen with.
struct Settled<'r> {
    clock: Clock,
    root: &'r Path,
}

impl Settled<'_> {
    fn check(&mut self, path: &[u8], stamp: &Stamp) -> Option<()> {
        if !self.clock.knows(stamp.dev) {
            self.clock.learn(stamp.dev, &self.root.join(OsStr::from_bytes(path)));
        }
        self.clock.settled(stamp).then_some(())
    }
}
