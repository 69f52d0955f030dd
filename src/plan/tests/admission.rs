//! Which tasks may start, driven by hand: time, load and memory are told.

use std::time::{Duration, Instant};

use super::*;

/// Tasks that all must run, by names; `zero` is when the run began.
struct Gate {
    graph: Graph,
    plan: Plan,
    admission: Admission,
    zero: Instant,
    machine: Machine,
}

impl Gate {
    /// Every task of the Taskfile waits.
    fn new(text: &str, bounds: Bounds) -> Gate {
        let graph = of_text(text);
        let wanted: Vec<TaskId> = graph.targets().to_vec();
        let durations = IdVec::filled(graph.tasks().len(), 0);
        let plan = Plan::new(&graph, &wanted, &durations).expect("an order");
        let admission = plan.admission(bounds);
        let zero = Instant::now();
        let mut gate = Gate { graph, plan, admission, zero, machine: Machine::default() };
        for id in gate.graph.tasks().ids().collect::<Vec<_>>() {
            if gate.graph.task(id).kind() != Kind::Group {
                gate.admission.wait(gate.plan.rank(id), false);
            }
        }
        gate
    }

    fn jobs(text: &str, jobs: usize) -> Gate {
        Gate::new(text, Bounds { jobs, load: None })
    }

    /// What may start then: a name, `wait`, or for how many milliseconds to wait.
    fn at(&mut self, ms: u64) -> String {
        let now = self.zero + Duration::from_millis(ms);
        match self.admission.next(now, self.machine, None) {
            Admit::Start(id) => self.graph.name(id).to_owned(),
            Admit::Wait => "wait".to_owned(),
            Admit::WaitUntil(at) => format!("{}ms", (at - now).as_millis()),
        }
    }

    /// All that may start then, and what is said last.
    fn all_at(&mut self, ms: u64) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            all.push(self.at(ms));
            let said = all.last().expect("one");
            if said == "wait" || said.ends_with("ms") {
                return all;
            }
        }
    }

    fn end(&mut self, name: &str) {
        let id = self.graph.find(name).expect("declared");
        self.admission.ended(id);
    }
}

#[test]
fn places_bound_what_runs() {
    let mut g = Gate::jobs("[target]\na = 'x'\nb = 'x'\nc = 'x'\n", 2);
    assert_eq!(g.all_at(0), ["a", "b", "wait"]);
    g.end("a");
    assert_eq!(g.all_at(0), ["c", "wait"]);
}

#[test]
fn slots_bound_those_that_take_of_a_pool_and_nobody_else() {
    let text = "[pool.p]\nslots = 3\n\
                [target]\na = { pool = { p = 2 }, run = 'x' }\nb = { pool = { p = 2 }, run = 'x' }\n\
                c = { pool = 'p', run = 'x' }\nd = 'x'\n";
    let mut g = Gate::jobs(text, 9);
    // One slot is free, and kept for `b`, which came before `c`.
    assert_eq!(g.all_at(0), ["a", "d", "wait"]);
    g.end("a");
    assert_eq!(g.all_at(0), ["b", "c", "wait"]);
}

#[test]
fn a_task_of_two_pools_waits_for_both_and_takes_neither_before() {
    let text = "[pool.p]\nslots = 1\n[pool.q]\nslots = 1\n\
                [target]\na = { pool = 'p', run = 'x' }\nb = { pool = ['p', 'q'], run = 'x' }\n\
                c = { pool = 'q', run = 'x' }\n";
    let mut g = Gate::jobs(text, 9);
    assert_eq!(g.all_at(0), ["a", "c", "wait"]);
    g.end("c");
    assert_eq!(g.all_at(0), ["wait"]);
    g.end("a");
    assert_eq!(g.all_at(0), ["b", "wait"]);
}

#[test]
fn starts_are_spread_evenly_by_their_cost() {
    let text = "[pool.p]\nrate = '100/min'\n\
                [target]\na = { pool = 'p', run = 'x' }\nb = { pool = { p = 3 }, run = 'x' }\n\
                c = { pool = 'p', run = 'x' }\nd = { pool = 'p', run = 'x' }\ne = 'x'\n";
    let mut g = Gate::jobs(text, 9);
    assert_eq!(g.all_at(0), ["a", "e", "600ms"]);
    // That one ended gives nothing back.
    g.end("a");
    assert_eq!(g.all_at(599), ["1ms"]);
    assert_eq!(g.all_at(600), ["b", "1800ms"]);
    // Long nothing is saved up for no burst.
    assert_eq!(g.all_at(60_000), ["c", "600ms"]);
    assert_eq!(g.all_at(60_600), ["d", "wait"]);
}

#[test]
fn wide_tasks_count_as_many_and_are_not_starved() {
    let text = "[target]\na = 'x'\nb = { cpus = 3, run = 'x' }\nc = 'x'\n\
                d = { cpus = 'all', run = 'x' }\ne = { cpus = 99, run = 'x' }\nf = 'x'\n";
    let mut g = Gate::jobs(text, 3);
    assert_eq!(g.all_at(0), ["a", "wait"], "what is free is kept for b");
    g.end("a");
    assert_eq!(g.all_at(0), ["b", "wait"]);
    g.end("b");
    assert_eq!(g.all_at(0), ["c", "wait"]);
    g.end("c");
    assert_eq!(g.all_at(0), ["d", "wait"]);
    g.end("d");
    assert_eq!(g.all_at(0), ["e", "wait"], "more than there are: alone");
    g.end("e");
    assert_eq!(g.all_at(0), ["f", "wait"]);
}

#[test]
fn above_the_load_nothing_starts_but_one_alone() {
    let bounds = Bounds { jobs: 9, load: Some(2.0) };
    let mut g = Gate::new("[target]\na = 'x'\nb = 'x'\nc = 'x'\nd = 'x'\n", bounds);
    g.machine.load = Some(7.0);
    assert_eq!(g.all_at(0), ["a", "500ms"]);
    g.end("a");
    assert_eq!(g.all_at(10), ["b", "500ms"]);
    // What was started just now is not in the average yet.
    g.machine.load = Some(1.5);
    assert_eq!(g.all_at(20), ["500ms"]);
    assert_eq!(g.all_at(1015), ["c", "500ms"]);
    assert_eq!(g.all_at(2100), ["d", "wait"]);
}

#[test]
fn memory_is_given_once() {
    const GB: u64 = 1_000_000_000;
    let text = "[target]\na = { memory = '4G', run = 'x' }\nb = { memory = '4G', run = 'x' }\n\
                c = { memory = '1G', run = 'x' }\nd = 'x'\ne = { memory = '99G', run = 'x' }\n";
    let mut g = Gate::jobs(text, 9);
    g.machine.available_bytes = Some(7 * GB);
    // `c` would have room, but would keep `b` waiting.
    assert_eq!(g.all_at(0), ["a", "d", "500ms"]);
    // What `a` uses by now is not missed twice.
    g.machine.available_bytes = Some(4 * GB);
    assert_eq!(g.all_at(500), ["500ms"]);
    g.end("a");
    g.machine.available_bytes = Some(7 * GB);
    assert_eq!(g.all_at(600), ["b", "c", "500ms"]);
    for name in ["b", "c"] {
        g.end(name);
    }
    assert_eq!(g.all_at(700), ["500ms"], "d still runs");
    g.end("d");
    assert_eq!(g.all_at(800), ["e", "wait"], "alone it is always admitted");
}

#[test]
fn what_earlier_runs_needed_counts_where_nothing_is_said() {
    let mut g = Gate::jobs("[target]\na = 'x'\nb = 'x'\nc = { memory = '1M', run = 'x' }\n", 9);
    for name in ["a", "b", "c"] {
        g.admission.learn(g.graph.find(name).expect("declared"), 600_000_000);
    }
    g.machine.available_bytes = Some(1_000_000_000);
    assert_eq!(g.all_at(0), ["a", "500ms"]);
    g.end("a");
    assert_eq!(g.all_at(0), ["b", "c", "wait"]);
}

#[test]
fn a_restored_task_takes_a_place_and_nothing_else() {
    let text = "[pool.p]\nslots = 1\n[target]\na = { pool = 'p', run = 'x' }\nb = 'x'\n";
    let mut g = Gate::jobs(text, 9);
    g.admission.clear();
    let id = |name: &str| g.graph.find(name).expect("declared");
    g.admission.wait(g.plan.rank(id("a")), true);
    assert_eq!(g.at(0), "a");
    g.admission.wait(g.plan.rank(g.graph.find("a").expect("declared")), false);
    assert_eq!(g.at(0), "a");
}

#[test]
fn priority_goes_before_the_longest_path() {
    let text = "[target]\nslow = 'x'\nlow = { priority = 'low', run = 'x' }\n\
                high = { priority = 'high', run = 'x', deps = ['need'] }\nneed = 'x'\n\
                five = { priority = 5, run = 'x' }\n";
    let graph = of_text(text);
    let mut durations = IdVec::filled(graph.tasks().len(), 0);
    durations[graph.find("slow").expect("declared")] = 1_000_000;
    durations[graph.find("low").expect("declared")] = 2_000_000;
    let plan = Plan::new(&graph, graph.targets(), &durations).expect("an order");
    let mut drive = Drive { graph, plan };
    assert_eq!(drive.order(), ["need", "high", "five", "slow", "low"]);
}

/// While something more urgent is being judged, less urgent work does not take its place.
#[test]
fn less_urgent_work_waits_for_the_verdict() {
    let text = "[target]\nlow = { priority = 'low', run = 'x' }\nhigh = { priority = 'high', run = 'x' }\n";
    let mut g = Gate::jobs(text, 1);
    assert_eq!(
        (g.plan.next(1), g.plan.next(1)),
        (
            Next::Start(g.graph.find("high").expect("one")),
            Next::Start(g.graph.find("low").expect("one"))
        )
    );
    g.admission.clear();
    let low = g.graph.find("low").expect("declared");
    g.plan.is_due(low);
    g.admission.wait(g.plan.rank(low), false);
    let least = g.plan.most_urgent();
    assert_eq!(least, Some(100));
    assert_eq!(g.admission.next(g.zero, Machine::default(), least), Admit::Wait);
    g.plan.is_due(g.graph.find("high").expect("declared"));
    assert_eq!(g.plan.most_urgent(), None);
    assert_eq!(g.at(0), "low", "the other one never came");
}

/// Of each class only so many are judged ahead: one that waits for its pool stops no other.
#[test]
fn a_full_pool_does_not_stop_the_judging_of_others() {
    let numbers: Vec<String> = (0..1000).map(|n| format!("'{n}'")).collect();
    let axis = numbers.join(", ");
    let text = format!(
        "[pool.p]\nslots = 1\n[target.wide]\nmatrix = {{ n = [{axis}] }}\npool = 'p'\nrun = 'x'\n\
         [target.other]\nrun = 'x'\n"
    );
    let graph = of_text(&text);
    let durations = IdVec::filled(graph.tasks().len(), 0);
    let mut plan = Plan::new(&graph, graph.targets(), &durations).expect("an order");
    let mut names = Vec::new();
    while let Next::Start(id) = plan.next(1) {
        names.push(graph.name(id).to_owned());
        plan.is_due(id);
    }
    assert!(names.len() < 1000, "{} are judged ahead", names.len());
    assert_eq!(names.iter().filter(|name| *name == "other").count(), 1);
    plan.runs(graph.find("wide@n=0").expect("one"));
    assert!(matches!(plan.next(1), Next::Start(_)), "one runs, one more is judged");
}
