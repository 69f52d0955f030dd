//! Two layers of a target to one: what the stronger says wins, what the weaker says is below it.
//!
//! Lists are appended, the weaker's first; what is one thing is replaced; of tables the stronger's
//! value of a name replaces the weaker's. A function of the two layers alone: which layers a target
//! has is said in `reuse`. Both layers are taken apart field by field, so that a new field does not
//! compile before it is said how it merges.

use std::ops::Range;

use indexmap::IndexMap;

use super::{Checks, Command, Policy, Reads, Schedule, Service, Target, Text, Uses, Word};
use crate::error::Place;

/// Puts `above` on top of `below`. `takes` says which fields of the weaker count at all.
pub(super) fn merge(below: &Target, above: Target, takes: &dyn Fn(&str) -> bool) -> Target {
    #[rustfmt::skip]
    let Target {
        name, place, doc, inputs, reads, when, outputs, installs, deps, after, command, dir,
        shell, vars, env, env_inputs, env_pass, depfile, foreach, matrix, exclude, always,
        private, policy, service, schedule, checks, rollback, interactive, uses, keys: written,
    } = above;
    let layers = Layers { below, above: &written, takes };
    let keys = layers.keys(command.is_some());
    let parts = reads.parts.clone();
    Target {
        name,
        place,
        doc: layers.replaced("doc", doc, &below.doc),
        reads: layers.reads(reads, inputs.as_deref()),
        inputs: layers.inputs(inputs, &parts),
        when: layers.replaced("when", when, &below.when),
        outputs: layers.optional("outputs", outputs, &below.outputs),
        installs: layers.optional("installs", installs, &below.installs),
        deps: layers.appended("deps", deps, &below.deps),
        after: layers.appended("after", after, &below.after),
        command: layers.command(command),
        dir: layers.replaced("dir", dir, &below.dir),
        shell: layers.replaced("shell", shell, &below.shell),
        vars: layers.table("vars", vars, &below.vars),
        env: layers.table("env", env, &below.env),
        env_inputs: layers.appended("env_inputs", env_inputs, &below.env_inputs),
        env_pass: layers.appended("env_pass", env_pass, &below.env_pass),
        depfile: layers.replaced("depfile", depfile, &below.depfile),
        foreach: layers.optional("foreach", foreach, &below.foreach),
        matrix: layers.table("matrix", matrix, &below.matrix),
        exclude: layers.appended("matrix", exclude, &below.exclude),
        always: layers.replaced("always", always, &below.always),
        private: layers.replaced("private", private, &below.private),
        policy: layers.policy(policy),
        service: layers.service(service),
        schedule: layers.schedule(schedule),
        checks: layers.checks(checks),
        rollback: layers.replaced("rollback", rollback, &below.rollback),
        interactive: layers.replaced("interactive", interactive, &below.interactive),
        uses: layers.uses(uses),
        keys,
    }
}

/// A named list of `inputs`, and which of them it has.
type Part = (Word, Range<usize>);

/// The inputs list by list: those without a name first.
fn lists(inputs: &[Text], parts: &[Part]) -> Vec<(Option<Word>, Vec<Text>)> {
    let named = |at: &usize| parts.iter().any(|(_, range)| range.contains(at));
    let rest = (0..inputs.len()).filter(|at| !named(at)).map(|at| inputs[at].clone()).collect();
    let parts =
        parts.iter().map(|(name, range)| (Some(name.clone()), inputs[range.clone()].to_vec()));
    std::iter::once((None, rest)).chain(parts).collect()
}

/// Which of the inputs each named list has when they stand one after another.
fn ranges(lists: &[(Option<Word>, Vec<Text>)]) -> Vec<Part> {
    let mut start = 0;
    let mut parts = Vec::new();
    for (name, texts) in lists {
        let range = start..start + texts.len();
        start = range.end;
        parts.extend(name.clone().map(|name| (name, range)));
    }
    parts
}

/// Two layers, and which of their fields are written.
struct Layers<'a> {
    below: &'a Target,
    /// The keys of the stronger.
    above: &'a [(&'static str, Place)],
    takes: &'a dyn Fn(&str) -> bool,
}

impl Layers<'_> {
    /// Whether the weaker layer says something that counts.
    fn gives(&self, field: &str) -> bool {
        self.below.has(field) && (self.takes)(field)
    }

    fn replaced<T: Clone>(&self, field: &str, above: T, below: &T) -> T {
        let says = self.above.iter().any(|(name, _)| *name == field);
        if !says && self.gives(field) { below.clone() } else { above }
    }

    fn appended<T: Clone>(&self, field: &str, above: Vec<T>, below: &[T]) -> Vec<T> {
        if !self.gives(field) {
            return above;
        }
        below.iter().cloned().chain(above).collect()
    }

    /// Lists of which an empty one says something.
    fn optional<T: Clone>(
        &self,
        field: &str,
        above: Option<Vec<T>>,
        below: &Option<Vec<T>>,
    ) -> Option<Vec<T>> {
        match (above, below) {
            (Some(above), Some(below)) => Some(self.appended(field, above, below)),
            (None, Some(below)) if self.gives(field) => Some(below.clone()),
            (above, _) => above,
        }
    }

    fn table<T: Clone>(
        &self,
        field: &str,
        above: IndexMap<String, T>,
        below: &IndexMap<String, T>,
    ) -> IndexMap<String, T> {
        if !self.gives(field) {
            return above;
        }
        let mut merged = below.clone();
        merged.extend(above);
        merged
    }

    /// The inputs, those of one name together: the weaker's names first, and before them what has
    /// none.
    fn inputs(&self, above: Option<Vec<Text>>, parts: &[Part]) -> Option<Vec<Text>> {
        let Some(above) = above else {
            return self.below.inputs.clone().filter(|_| self.gives("inputs"));
        };
        let all = self.named_inputs(&above, parts);
        Some(all.into_iter().flat_map(|(_, texts)| texts).collect())
    }

    /// The lists of both layers, in order, each with its name.
    fn named_inputs(&self, above: &[Text], parts: &[Part]) -> Vec<(Option<Word>, Vec<Text>)> {
        let below = self.below.inputs.as_deref().filter(|_| self.gives("inputs"));
        let of_below = below.map(|texts| lists(texts, &self.below.reads.parts));
        let mut all = of_below.unwrap_or_else(|| vec![(None, Vec::new())]);
        for (name, texts) in lists(above, parts) {
            let same = |known: &Option<Word>| match (known, &name) {
                (Some(known), Some(name)) => known.text == name.text,
                (known, name) => known.is_none() && name.is_none(),
            };
            match all.iter_mut().find(|(known, _)| same(known)) {
                Some((_, known)) => known.extend(texts),
                None => all.push((name, texts)),
            }
        }
        all
    }

    fn reads(&self, above: Reads, inputs: Option<&[Text]>) -> Reads {
        let Reads { parts, env_files, tools, args } = above;
        let below = &self.below.reads;
        let parts = match inputs {
            None if self.gives("inputs") => below.parts.clone(),
            None => parts,
            Some(inputs) => ranges(&self.named_inputs(inputs, &parts)),
        };
        Reads {
            parts,
            env_files: self.appended("env_file", env_files, &below.env_files),
            tools: self.appended("tools", tools, &below.tools),
            args: self.replaced("args", args, &below.args),
        }
    }

    /// `run` and `exec` replace each other.
    fn command(&self, above: Option<Command>) -> Option<Command> {
        let below = self.below.command.as_ref().filter(|_| self.gives("run") || self.gives("exec"));
        above.or_else(|| below.cloned())
    }

    fn policy(&self, above: Policy) -> Policy {
        let Policy { cache, relocatable, max_age, fresh_if, fixes_inputs, restage, keep_outputs } =
            above;
        let below = &self.below.policy;
        Policy {
            cache: self.replaced("cache", cache, &below.cache),
            relocatable: self.replaced("relocatable", relocatable, &below.relocatable),
            max_age: self.replaced("max_age", max_age, &below.max_age),
            fresh_if: self.replaced("fresh_if", fresh_if, &below.fresh_if),
            fixes_inputs: self.replaced("fixes_inputs", fixes_inputs, &below.fixes_inputs),
            restage: self.replaced("restage", restage, &below.restage),
            keep_outputs: self.replaced("keep_outputs", keep_outputs, &below.keep_outputs),
        }
    }

    fn service(&self, above: Service) -> Service {
        let Service { service, ready, stop, restart } = above;
        let below = &self.below.service;
        Service {
            service: self.replaced("service", service, &below.service),
            ready: self.replaced("ready", ready, &below.ready),
            stop: self.replaced("stop", stop, &below.stop),
            restart: self.replaced("restart", restart, &below.restart),
        }
    }

    fn checks(&self, above: Checks) -> Checks {
        let Checks { accept, gates } = above;
        let below = &self.below.checks;
        Checks {
            accept: self.appended("accept", accept, &below.accept),
            gates: self.table("gates", gates, &below.gates),
        }
    }

    fn schedule(&self, above: Schedule) -> Schedule {
        let Schedule {
            timeout,
            grace,
            retry,
            priority,
            cpus,
            pools,
            memory_bytes,
            allow_failure,
            require,
            batch,
        } = above;
        let below = &self.below.schedule;
        Schedule {
            timeout: self.replaced("timeout", timeout, &below.timeout),
            grace: self.replaced("grace", grace, &below.grace),
            retry: self.replaced("retry", retry, &below.retry),
            priority: self.replaced("priority", priority, &below.priority),
            cpus: self.replaced("cpus", cpus, &below.cpus),
            pools: self.pools(pools),
            memory_bytes: self.replaced("memory", memory_bytes, &below.memory_bytes),
            allow_failure: self.replaced("allow_failure", allow_failure, &below.allow_failure),
            require: self.replaced("require", require, &below.require),
            batch: self.replaced("batch", batch, &below.batch),
        }
    }

    /// Pools of both, and what the stronger takes of one that both name.
    fn pools(&self, above: Vec<(Word, u32)>) -> Vec<(Word, u32)> {
        let is_above = |name: &Word| above.iter().any(|(own, _)| own.text == name.text);
        let below = self.below.schedule.pools.iter().filter(|(name, _)| !is_above(name));
        let below: Vec<(Word, u32)> = below.cloned().collect();
        self.appended("pool", above, &below)
    }

    /// Which templates a template uses is no field of its targets.
    fn uses(&self, above: Uses) -> Uses {
        let Uses { templates, inherit, layers } = above;
        let inherit = self.replaced("inherit", inherit, &self.below.uses.inherit);
        Uses { templates, inherit, layers }
    }

    /// The keys of both, the stronger's first: that is where a field is said to stand.
    fn keys(&self, has_command: bool) -> Vec<(&'static str, Place)> {
        let replaced =
            |field: &str| field == "use" || (has_command && matches!(field, "run" | "exec"));
        let below = self.below.keys.iter().filter(|(field, _)| {
            !replaced(field)
                && self.gives(field)
                && !self.above.iter().any(|(name, _)| name == field)
        });
        self.above.iter().chain(below).cloned().collect()
    }
}
