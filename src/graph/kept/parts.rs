//! What a graph is made of, written and read. Each field is named when it is written, so that one
//! that is added cannot be forgotten.

use std::sync::Arc;

use taskr_cache::{Coded, In, Out, many, put_many};

use super::super::lists::{ListName, Lists};
use super::super::rule::{
    Action, Cache, Input, Kind, Output, Placed, Policy, Ref, Rule, Target, Text, Tie,
};
use super::super::schedule::{Demand, Pool, Schedule};
use super::super::service::{Probe, Service};
use super::super::{Profiles, Task};
use crate::ids::{Id, TaskId};

/// One of a few, by its place among all.
fn put_one_of<T: PartialEq>(out: &mut Out, all: &[T], one: &T) {
    let at = all.iter().position(|other| other == one).expect("all are listed");
    out.number(at as u64);
}

fn one_of<T: Copy>(from: &mut In<'_>, all: &[T]) -> Option<T> {
    all.get(from.length()?).copied()
}

impl Coded for TaskId {
    fn put(&self, out: &mut Out) {
        self.index().put(out);
    }

    fn get(from: &mut In<'_>) -> Option<TaskId> {
        u32::get(from).map(|number| TaskId::from_index(number as usize))
    }
}

const KINDS: [Kind; 4] = [Kind::Group, Kind::Unrecorded, Kind::Recorded, Kind::Service];

impl Coded for Kind {
    fn put(&self, out: &mut Out) {
        put_one_of(out, &KINDS, self);
    }

    fn get(from: &mut In<'_>) -> Option<Kind> {
        one_of(from, &KINDS)
    }
}

const CACHES: [Cache; 3] = [Cache::WhereItPays, Cache::Always, Cache::Never];

impl Coded for Cache {
    fn put(&self, out: &mut Out) {
        put_one_of(out, &CACHES, self);
    }

    fn get(from: &mut In<'_>) -> Option<Cache> {
        one_of(from, &CACHES)
    }
}

impl Coded for Text {
    fn put(&self, out: &mut Out) {
        let Text { template, place } = self;
        template.put(out);
        place.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Text> {
        Some(Text { template: Coded::get(from)?, place: Coded::get(from)? })
    }
}

impl Coded for Action {
    fn put(&self, out: &mut Out) {
        match self {
            Action::Shell { shell, lines } => {
                out.number(0);
                put_many(out, shell);
                put_many(out, lines);
            }
            Action::Exec(words) => {
                out.number(1);
                put_many(out, words);
            }
        }
    }

    fn get(from: &mut In<'_>) -> Option<Action> {
        Some(match from.number()? {
            0 => Action::Shell { shell: many(from)?, lines: many(from)? },
            1 => Action::Exec(many(from)?),
            _ => return None,
        })
    }
}

impl Coded for Policy {
    fn put(&self, out: &mut Out) {
        let Policy {
            cache,
            relocatable,
            max_age_ms,
            fresh_if,
            fixes_inputs,
            restage,
            keep_outputs,
        } = self;
        cache.put(out);
        relocatable.put(out);
        max_age_ms.put(out);
        fresh_if.put(out);
        fixes_inputs.put(out);
        restage.put(out);
        keep_outputs.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Policy> {
        Some(Policy {
            cache: Coded::get(from)?,
            relocatable: Coded::get(from)?,
            max_age_ms: Coded::get(from)?,
            fresh_if: Coded::get(from)?,
            fixes_inputs: Coded::get(from)?,
            restage: Coded::get(from)?,
            keep_outputs: Coded::get(from)?,
        })
    }
}

impl Coded for Probe {
    fn put(&self, out: &mut Out) {
        let (sort, text) = match self {
            Probe::Port(text) => (0, text),
            Probe::Http(text) => (1, text),
            Probe::Log(text) => (2, text),
            Probe::Cmd(action) => {
                out.number(3);
                return action.put(out);
            }
        };
        out.number(sort);
        text.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Probe> {
        Some(match from.number()? {
            0 => Probe::Port(Coded::get(from)?),
            1 => Probe::Http(Coded::get(from)?),
            2 => Probe::Log(Coded::get(from)?),
            3 => Probe::Cmd(Coded::get(from)?),
            _ => return None,
        })
    }
}

impl Coded for Service {
    fn put(&self, out: &mut Out) {
        let Service { probe, timeout_ms, stop, restart } = self;
        probe.put(out);
        timeout_ms.put(out);
        stop.put(out);
        restart.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Service> {
        Some(Service {
            probe: Coded::get(from)?,
            timeout_ms: Coded::get(from)?,
            stop: Coded::get(from)?,
            restart: Coded::get(from)?,
        })
    }
}

impl Coded for Pool {
    fn put(&self, out: &mut Out) {
        let Pool { name, slots, interval } = self;
        name.put(out);
        slots.put(out);
        interval.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Pool> {
        Some(Pool {
            name: Coded::get(from)?,
            slots: Coded::get(from)?,
            interval: Coded::get(from)?,
        })
    }
}

impl Coded for Demand {
    fn put(&self, out: &mut Out) {
        let Demand { cpus, pools, memory_bytes } = self;
        cpus.put(out);
        out.number(pools.len() as u64);
        for (pool, cost) in pools {
            out.shared(pool);
            cost.put(out);
        }
        memory_bytes.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Demand> {
        let cpus = Coded::get(from)?;
        let count = from.length()?;
        let pools = (0..count).map(|_| Some((from.shared()?, u32::get(from)?)));
        let pools = pools.collect::<Option<_>>()?;
        Some(Demand { cpus, pools, memory_bytes: Coded::get(from)? })
    }
}

impl Coded for Schedule {
    fn put(&self, out: &mut Out) {
        let Schedule { timeout, grace, retry, priority, demand, allow_failure, require, batch } =
            self;
        timeout.put(out);
        grace.put(out);
        retry.put(out);
        priority.put(out);
        demand.put(out);
        allow_failure.put(out);
        require.put(out);
        batch.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Schedule> {
        Some(Schedule {
            timeout: Coded::get(from)?,
            grace: Coded::get(from)?,
            retry: Coded::get(from)?,
            priority: Coded::get(from)?,
            demand: Coded::get(from)?,
            allow_failure: Coded::get(from)?,
            require: Coded::get(from)?,
            batch: Coded::get(from)?,
        })
    }
}

impl Coded for Tie {
    fn put(&self, out: &mut Out) {
        let Tie { word, place, set } = self;
        word.put(out);
        place.put(out);
        set.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Tie> {
        Some(Tie { word: Coded::get(from)?, place: Coded::get(from)?, set: Coded::get(from)? })
    }
}

impl Coded for Target {
    fn put(&self, out: &mut Out) {
        let Target {
            name,
            place,
            doc,
            private,
            kind,
            always,
            policy,
            service,
            schedule,
            accept,
            interactive,
            rollback,
            action,
            uses_targets,
            asked,
            env,
            env_inputs,
            inherits,
            env_pass,
            tools,
            asks,
            items,
            tie,
        } = self;
        name.put(out);
        place.put(out);
        doc.put(out);
        private.put(out);
        kind.put(out);
        always.put(out);
        policy.put(out);
        service.put(out);
        schedule.put(out);
        put_many(out, accept);
        interactive.put(out);
        rollback.put(out);
        action.put(out);
        uses_targets.put(out);
        put_many(out, asked);
        put_many(out, env);
        put_many(out, env_inputs);
        inherits.put(out);
        put_many(out, env_pass);
        put_many(out, tools);
        asks.put(out);
        put_many(out, items);
        tie.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Target> {
        Some(Target {
            name: Coded::get(from)?,
            place: Coded::get(from)?,
            doc: Coded::get(from)?,
            private: Coded::get(from)?,
            kind: Coded::get(from)?,
            always: Coded::get(from)?,
            policy: Coded::get(from)?,
            service: Coded::get(from)?,
            schedule: Coded::get(from)?,
            accept: many(from)?,
            interactive: Coded::get(from)?,
            rollback: Coded::get(from)?,
            action: Coded::get(from)?,
            uses_targets: Coded::get(from)?,
            asked: many(from)?,
            env: many(from)?,
            env_inputs: many(from)?,
            inherits: Coded::get(from)?,
            env_pass: many(from)?,
            tools: many(from)?,
            asks: Coded::get(from)?,
            items: many(from)?,
            tie: Coded::get(from)?,
        })
    }
}

impl<T: Coded> Coded for Placed<T> {
    fn put(&self, out: &mut Out) {
        let Placed { value, place } = self;
        value.put(out);
        place.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Placed<T>> {
        Some(Placed { value: Coded::get(from)?, place: Coded::get(from)? })
    }
}

impl Coded for Ref {
    fn put(&self, out: &mut Out) {
        let Ref { text, place, each } = self;
        text.put(out);
        place.put(out);
        each.is_some().put(out);
        if let Some(each) = each {
            put_many(out, &**each);
        }
    }

    fn get(from: &mut In<'_>) -> Option<Ref> {
        let (text, place) = (Coded::get(from)?, Coded::get(from)?);
        let each = match bool::get(from)? {
            true => Some(Arc::from(many::<String, Vec<_>>(from)?)),
            false => None,
        };
        Some(Ref { text, place, each })
    }
}

impl Coded for Input {
    fn put(&self, out: &mut Out) {
        match self {
            Input::Path { path, optional } => {
                out.number(0);
                path.put(out);
                optional.put(out);
            }
            Input::Glob { pattern, optional } => {
                out.number(1);
                pattern.put(out);
                optional.put(out);
            }
            Input::Not(pattern) => {
                out.number(2);
                pattern.put(out);
            }
            Input::Outputs { of, only } => {
                out.number(3);
                of.put(out);
                only.put(out);
            }
        }
    }

    fn get(from: &mut In<'_>) -> Option<Input> {
        Some(match from.number()? {
            0 => Input::Path { path: Coded::get(from)?, optional: Coded::get(from)? },
            1 => Input::Glob { pattern: Coded::get(from)?, optional: Coded::get(from)? },
            2 => Input::Not(Coded::get(from)?),
            3 => Input::Outputs { of: Coded::get(from)?, only: Coded::get(from)? },
            _ => return None,
        })
    }
}

impl Coded for Output {
    fn put(&self, out: &mut Out) {
        match self {
            Output::Path(path) => {
                out.number(0);
                path.put(out);
            }
            Output::Glob(pattern) => {
                out.number(1);
                pattern.put(out);
            }
        }
    }

    fn get(from: &mut In<'_>) -> Option<Output> {
        Some(match from.number()? {
            0 => Output::Path(Coded::get(from)?),
            1 => Output::Glob(Coded::get(from)?),
            _ => return None,
        })
    }
}

impl Coded for ListName {
    fn put(&self, out: &mut Out) {
        match self {
            ListName::Plain => out.number(0),
            ListName::Part(name) => {
                out.number(1);
                name.put(out);
            }
            ListName::EnvFiles => out.number(2),
        }
    }

    fn get(from: &mut In<'_>) -> Option<ListName> {
        Some(match from.number()? {
            0 => ListName::Plain,
            1 => ListName::Part(Coded::get(from)?),
            2 => ListName::EnvFiles,
            _ => return None,
        })
    }
}

impl Coded for Lists {
    fn put(&self, out: &mut Out) {
        put_many(out, &self.0);
    }

    fn get(from: &mut In<'_>) -> Option<Lists> {
        many(from).map(Lists)
    }
}

impl Coded for Rule {
    fn put(&self, out: &mut Out) {
        let Rule {
            target,
            name,
            scope,
            dir,
            inputs,
            lists,
            outputs,
            installs,
            deps,
            after,
            depfile,
            skipped,
            gates,
        } = self;
        out.shared(target);
        name.put(out);
        scope.put(out);
        dir.put(out);
        put_many(out, inputs);
        lists.put(out);
        put_many(out, outputs);
        put_many(out, installs);
        put_many(out, deps);
        put_many(out, after);
        depfile.put(out);
        skipped.put(out);
        put_many(out, gates);
    }

    fn get(from: &mut In<'_>) -> Option<Rule> {
        Some(Rule {
            target: from.shared()?,
            name: Coded::get(from)?,
            scope: Coded::get(from)?,
            dir: Coded::get(from)?,
            inputs: many(from)?,
            lists: Coded::get(from)?,
            outputs: many(from)?,
            installs: many(from)?,
            deps: many(from)?,
            after: many(from)?,
            depfile: Coded::get(from)?,
            skipped: Coded::get(from)?,
            gates: many(from)?,
        })
    }
}

impl Coded for Task {
    fn put(&self, out: &mut Out) {
        let Task { rule, sources, deps, after } = self;
        rule.put(out);
        out.number(sources.len() as u64);
        sources.iter().for_each(|of| put_many(out, of));
        put_many(out, deps);
        put_many(out, after);
    }

    fn get(from: &mut In<'_>) -> Option<Task> {
        let rule = Coded::get(from)?;
        let count = from.length()?;
        let sources = (0..count).map(|_| many(from)).collect::<Option<_>>()?;
        Some(Task { rule, sources, deps: many(from)?, after: many(from)? })
    }
}

impl Coded for Profiles {
    fn put(&self, out: &mut Out) {
        let Profiles { built, declared } = self;
        put_many(out, built);
        put_many(out, declared);
    }

    fn get(from: &mut In<'_>) -> Option<Profiles> {
        Some(Profiles { built: many(from)?, declared: many(from)? })
    }
}
