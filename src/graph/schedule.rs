//! From what a target says about when and how often it runs to what holds for its tasks; refuses
//! pools that nobody declares, and more of one than there is.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::error::{Diagnostic, nearest, quoted};
use crate::parse::{self, Cpus, Require, Retry, Taskfile, Word};

/// From TERM to KILL where nothing is said.
const GRACE: Duration = Duration::from_secs(5);

/// When and how often the tasks of a target run. Nothing of it is in the key.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// How long one attempt may take, and how that was written.
    pub timeout: Option<(Duration, String)>,
    /// From TERM to KILL.
    pub grace: Duration,
    /// Further attempts after the first.
    pub retry: Option<Retry>,
    /// First among ready tasks is the greatest; where nothing is said it counts as 0.
    pub priority: Option<i32>,
    /// What a task needs to run.
    pub demand: Demand,
    /// Its failure is a warning.
    pub allow_failure: bool,
    /// So many of its tasks must succeed; all where nothing is said.
    pub require: Option<Require>,
    /// Up to so many of its items go to one process.
    pub batch: Option<usize>,
}

/// What a task needs to run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Demand {
    /// So many places of `-j`.
    pub cpus: Cpus,
    /// Pools and what it takes of each.
    pub pools: Vec<(Arc<Pool>, u32)>,
    /// So much memory, in bytes; none where nothing is said.
    pub memory_bytes: Option<u64>,
}

/// One place and nothing else.
impl Default for Demand {
    fn default() -> Demand {
        Demand { cpus: Cpus::Number(1), pools: Vec::new(), memory_bytes: None }
    }
}

/// What several tasks share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// So much may be taken at once; none: any number.
    pub slots: Option<u32>,
    /// From one start of cost 1 to the next.
    pub interval: Option<Duration>,
}

/// The pools of a Taskfile, each one once.
pub(super) type Pools = FxHashMap<String, Arc<Pool>>;

/// The pools that a Taskfile declares.
pub(super) fn pools_of(taskfile: &Taskfile) -> Pools {
    let pool = |(name, pool): (&String, &parse::Pool)| {
        let interval = pool.rate.map(|rate| Duration::from_nanos(rate.interval_ns));
        let slots = pool.slots.as_ref().map(|(slots, _)| *slots);
        (name.clone(), Arc::new(Pool { name: name.clone(), slots, interval }))
    };
    taskfile.pools.iter().map(pool).collect()
}

impl Schedule {
    /// The schedule of a target.
    ///
    /// # Errors
    /// Pools that do not exist, or are too small.
    pub(super) fn of(
        taskfile: &Taskfile,
        source: &parse::Target,
        pools: &Pools,
    ) -> Result<Schedule, Vec<Diagnostic>> {
        let (mut taken, mut wrong) = (Vec::new(), Vec::new());
        for (word, cost) in &source.schedule.pools {
            match taskfile.pools.get(&word.text) {
                None => wrong.push(unknown(taskfile, source, word)),
                Some(pool) if pool.slots.as_ref().is_some_and(|(slots, _)| cost > slots) => {
                    wrong.push(too_much(source, (word, *cost), pool));
                }
                Some(_) => taken.extend(pools.get(&word.text).map(|pool| (pool.clone(), *cost))),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let (target, source) = (source, &source.schedule);
        let length = |time: &parse::Duration| Duration::from_millis(time.ms);
        Ok(Schedule {
            timeout: source.timeout.as_ref().map(|time| (length(time), time.written.text.clone())),
            grace: source.grace.as_ref().map_or(GRACE, length),
            retry: source.retry.clone(),
            priority: source.priority,
            demand: Demand {
                cpus: match target.interactive {
                    // It has the terminal for itself.
                    true => Cpus::All,
                    false => source.cpus.unwrap_or(Cpus::Number(1)),
                },
                pools: taken,
                memory_bytes: source.memory_bytes,
            },
            allow_failure: source.allow_failure,
            require: source.require,
            batch: source.batch.map(|most| most as usize),
        })
    }

    /// How long one attempt may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.as_ref().map(|(timeout, _)| *timeout)
    }
}

fn unknown(taskfile: &Taskfile, source: &parse::Target, word: &Word) -> Diagnostic {
    let name = &word.text;
    let mut problem = Diagnostic::error(format!("there is no pool {}", quoted(name)))
        .at(word.place.clone(), format!("target {} takes of it", quoted(&source.name)));
    let near = nearest(name, taskfile.pools.keys().map(String::as_str));
    if let Some((near, pool)) = near.and_then(|near| taskfile.pools.get_key_value(near)) {
        problem = problem.also(pool.place.clone(), format!("there is {}", quoted(near)));
    }
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    problem.help(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if plain => format!("declare it:\n[pool.{name}]\nslots = 1"),
        None => "names of pools hold the letters A to Z and a to z, digits, `_` and `-`".to_owned(),
    })
}

fn too_much(source: &parse::Target, (word, cost): (&Word, u32), pool: &parse::Pool) -> Diagnostic {
    let Some((slots, place)) = &pool.slots else { return Diagnostic::error("") };
    let (name, pool_name) = (quoted(&source.name), &word.text);
    let message =
        format!("target {name} takes {cost} of pool {}, which has {slots}", quoted(pool_name));
    Diagnostic::error(message)
        .at(word.place.clone(), format!("takes {cost}"))
        .also(place.clone(), format!("has {slots}"))
        .help(format!(
            "write slots = {cost} or more in [pool.{pool_name}], or a cost of at most {slots}"
        ))
}
