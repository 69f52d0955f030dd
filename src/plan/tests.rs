//! The plan driven by hand, then by chance against what must hold of every order.

mod admission;
mod failures;
mod later;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::graph::{Kind, Settings, Surroundings, expand, link};
use crate::parse::parse;

/// Targets without files: `a: b c` needs `b` and `c`; `a= b` is a group.
fn graph(lines: &str) -> Graph {
    of_text(&graph_text(lines))
}

/// The same as a Taskfile.
fn graph_text(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let at = line.find([':', '=']).expect("a name and its needs");
        let deps: Vec<String> =
            line[at + 1..].split_whitespace().map(|n| format!("{n:?}")).collect();
        let run = if line[at..].starts_with(':') { "run = \"x\"\n" } else { "" };
        text.push_str(&format!("[target.{}]\ndeps = [{}]\n{run}", &line[..at], deps.join(", ")));
    }
    text
}

/// The graph of a Taskfile.
fn of_text(text: &str) -> Graph {
    let surroundings = Surroundings {
        env: BTreeMap::new(),
        env_asked: Arc::default(),
        jobs: 1,
        profile: "default".to_owned(),
    };
    let settings = Settings {
        root: PathBuf::from("/"),
        taskfile: None,
        defines: Vec::new(),
        surroundings: Arc::new(surroundings),
        args: crate::graph::Args::default(),
        asks: Arc::default(),
    };
    let taskfile = parse("Taskfile.toml", text.as_bytes()).expect("a Taskfile");
    link(expand(&taskfile, &settings).expect("targets")).expect("a graph")
}

/// A plan and its graph, by names.
struct Drive {
    graph: Graph,
    plan: Plan,
}

impl Drive {
    fn new(lines: &str, wanted: &[&str]) -> Drive {
        Drive::timed(lines, wanted, &[])
    }

    fn timed(lines: &str, wanted: &[&str], durations_ms: &[(&str, u64)]) -> Drive {
        let graph = graph(lines);
        let id = |name: &str| graph.find(name).expect("declared");
        let mut durations = IdVec::filled(graph.tasks().len(), 0);
        for (name, ms) in durations_ms {
            durations[id(name)] = *ms;
        }
        let wanted: Vec<TaskId> = wanted.iter().map(|name| id(name)).collect();
        let plan = Plan::new(&graph, &wanted, &durations).expect("an order");
        Drive { graph, plan }
    }

    fn id(&self, name: &str) -> TaskId {
        self.graph.find(name).expect("declared")
    }

    /// What may start: a name, `wait` or `done`.
    fn next(&mut self, free: usize) -> String {
        match self.plan.next(free) {
            Next::Start(id) => self.graph.name(id).to_owned(),
            Next::Wait => "wait".to_owned(),
            Next::Done => "done".to_owned(),
        }
    }

    fn succeed(&mut self, name: &str) -> Vec<&str> {
        let ready = self.plan.succeed(&self.graph, self.id(name));
        ready.into_iter().map(|id| self.graph.name(id)).collect()
    }

    fn fail(&mut self, name: &str) -> Vec<&str> {
        let mut skipped = self.plan.fail(&self.graph, self.id(name));
        skipped.sort_unstable();
        skipped.into_iter().map(|id| self.graph.name(id)).collect()
    }

    /// Starts and ends one at a time; the names in order.
    fn order(&mut self) -> Vec<String> {
        let mut order = Vec::new();
        while let Next::Start(id) = self.plan.next(1) {
            order.push(self.graph.name(id).to_owned());
            self.plan.succeed(&self.graph, id);
        }
        order
    }
}

#[test]
fn needs_come_first() {
    let mut d = Drive::new("app: obj lib\nobj: gen\nlib:\ngen:\nother:", &["app"]);
    assert_eq!(d.next(2), "lib");
    assert_eq!(d.next(1), "gen");
    assert_eq!((d.next(1), d.plan.started()), ("wait".to_owned(), 2));
    assert_eq!(d.succeed("gen"), ["obj"]);
    assert_eq!(d.next(0), "wait");
    assert_eq!(d.next(1), "obj");
    assert_eq!(d.succeed("lib"), [""; 0]);
    assert_eq!(d.succeed("obj"), ["app"]);
    assert_eq!(d.next(1), "app");
    assert_eq!(d.next(1), "wait");
    assert_eq!(d.succeed("app"), [""; 0]);
    assert_eq!((d.next(1), d.plan.started()), ("done".to_owned(), 0));
    assert_eq!(d.plan.state(d.id("app")), State::Done);
    assert_eq!(d.plan.state(d.id("other")), State::Unwanted);
}

#[test]
fn nothing_wanted_is_done_at_once() {
    let mut d = Drive::new("a:", &[]);
    assert_eq!((d.next(1), d.plan.wanted().count()), ("done".to_owned(), 0));
}

#[test]
fn wanted_twice_runs_once() {
    let mut d = Drive::new("a: b\nb:", &["b", "a", "b", "a"]);
    assert_eq!(d.order(), ["b", "a"]);
}

/// Nothing may start, but nothing is over: the caller still holds a ready task back.
#[test]
fn no_free_place_is_no_end() {
    let mut d = Drive::new("a:", &["a"]);
    assert_eq!(d.next(0), "wait");
    assert_eq!(d.next(1), "a");
}

#[test]
fn order_of_ready_tasks() {
    let shape = "a:\nb:\nc:\nd: a\ne: b\nall: c d e";
    let check = |durations: &[(&str, u64)], expected: [&str; 6]| {
        assert_eq!(Drive::timed(shape, &["all"], durations).order(), expected, "{durations:?}");
    };
    // Without durations as declared.
    check(&[], ["a", "b", "c", "d", "e", "all"]);
    // The longest way to the end goes first, whatever it consists of.
    check(&[("c", 30), ("d", 20), ("e", 10)], ["c", "a", "d", "b", "e", "all"]);
    check(&[("c", 30), ("a", 5), ("d", 26), ("e", 10)], ["a", "c", "d", "b", "e", "all"]);
    // A long end counts for all before it alike.
    check(&[("all", 1000), ("b", 1)], ["b", "a", "c", "d", "e", "all"]);
}

/// What is not wanted does not make a path longer.
#[test]
fn unwanted_tasks_lengthen_nothing() {
    let mut d = Drive::timed("a:\nb:\nslow: b\nall: a b", &["all"], &[("slow", 1000)]);
    assert_eq!(d.order(), ["a", "b", "all"]);
}

#[test]
fn a_failure_skips_what_needs_it_and_nothing_else() {
    let shape = "gen:\nobj: gen\nlib:\napp: obj lib\ntest: app\ndocs: lib\nall= test docs";
    let mut d = Drive::new(shape, &["all"]);
    assert_eq!((d.next(2), d.next(1)), ("gen".to_owned(), "lib".to_owned()));
    assert_eq!(d.fail("gen"), ["obj", "app", "test", "all"]);
    assert_eq!(d.succeed("lib"), ["docs"]);
    assert_eq!((d.next(1), d.next(1)), ("docs".to_owned(), "wait".to_owned()));
    // A second failure skips nobody twice.
    assert_eq!(d.fail("docs"), [""; 0]);
    assert_eq!(d.next(1), "done");
    let states = ["gen", "lib", "obj", "app", "docs"].map(|name| d.plan.state(d.id(name)));
    assert_eq!(states, [State::Failed, State::Done, State::Skipped, State::Skipped, State::Failed]);
}

#[test]
fn two_failures_skip_their_common_needer_once() {
    let mut d = Drive::new("a:\nb:\nc: a b", &["c"]);
    assert_eq!((d.next(2), d.next(1)), ("a".to_owned(), "b".to_owned()));
    assert_eq!(d.fail("a"), ["c"]);
    assert_eq!(d.fail("b"), [""; 0]);
    assert_eq!(d.next(1), "done");
}

#[test]
fn after_a_stop_nothing_starts_and_what_runs_may_end() {
    let mut d = Drive::new("a:\nb:\nc: a", &["b", "c"]);
    assert_eq!(d.next(1), "a");
    d.plan.stop();
    assert!(d.plan.is_stopped());
    assert_eq!(d.next(1), "wait");
    assert_eq!(d.succeed("a"), ["c"]);
    assert_eq!(d.next(1), "done");
    let left: Vec<&str> = (d.plan.wanted())
        .filter(|(_, state)| *state == State::Ready)
        .map(|(id, _)| d.graph.name(id))
        .collect();
    assert_eq!(left, ["b", "c"]);
}

/// A group is a task of the plan like any other: the caller ends it at once.
#[test]
fn groups_pass_through_the_plan() {
    let mut d = Drive::new("all= inner c\ninner= a b\na:\nb:\nc:\nend: all", &["end"]);
    assert_eq!(d.graph.task(d.id("all")).kind(), Kind::Group);
    assert_eq!(d.order(), ["a", "b", "inner", "c", "all", "end"]);
}

/// A random graph of `count` tasks: each needs some of those before it. Names say nothing about
/// the order of declaration, which is turned around for every other one.
fn random_graph(chance: &mut impl FnMut(usize) -> usize, count: usize) -> (Graph, Vec<Vec<usize>>) {
    let mut needs: Vec<Vec<usize>> = Vec::new();
    for at in 0..count {
        let width = chance(4);
        let some: BTreeSet<usize> = (0..width).filter(|_| at > 0).map(|_| chance(at)).collect();
        needs.push(some.into_iter().collect());
    }
    let mut lines: Vec<String> = (needs.iter().enumerate())
        .map(|(at, needs)| {
            let needs: Vec<String> = needs.iter().map(|need| format!("t{need}")).collect();
            let mark = if !needs.is_empty() && chance(4) == 0 { '=' } else { ':' };
            format!("t{at}{mark} {}", needs.join(" "))
        })
        .collect();
    if chance(2) == 0 {
        lines.reverse();
    }
    (graph(&lines.join("\n")), needs)
}

/// What needs one of `failed`, by the plainest way: once over all, needs stand before.
fn needing(needs: &[Vec<usize>], failed: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut hit = failed.clone();
    for (at, needs) in needs.iter().enumerate() {
        if needs.iter().any(|need| hit.contains(need)) {
            hit.insert(at);
        }
    }
    &hit - failed
}

/// All that `wanted` needs, itself included.
fn closure(needs: &[Vec<usize>], wanted: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut all = wanted.clone();
    for at in (0..needs.len()).rev() {
        if all.contains(&at) {
            all.extend(&needs[at]);
        }
    }
    all
}

/// 300 random runs: every wanted task starts once and only behind all it needs; with failures
/// exactly those that need a failed one are skipped, and all others run; never more than asked
/// run at once; and the plan ends.
#[test]
fn random_runs_keep_every_promise() {
    let mut state = 2026_usize;
    let mut chance = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % bound
    };
    let (mut failures, mut skips) = (0, 0);
    for round in 0..300 {
        let count = 1 + chance(40);
        let (graph, needs) = random_graph(&mut chance, count);
        let id = |at: usize| graph.find(&format!("t{at}")).expect("declared");
        let number = |id: TaskId| graph.name(id)[1..].parse::<usize>().expect("a number");
        let asked: BTreeSet<usize> = (0..1 + chance(3)).map(|_| chance(count)).collect();
        let wanted = closure(&needs, &asked);
        let durations: IdVec<TaskId, u64> = (0..count).map(|_| chance(3) as u64 * 10).collect();
        let ids: Vec<TaskId> = asked.iter().map(|&at| id(at)).collect();
        let mut plan = Plan::new(&graph, &ids, &durations).expect("an order");
        let (jobs, fails) = (1 + chance(4), [0, 10, 30][chance(3)]);

        let (mut running, mut ended) = (Vec::new(), BTreeSet::new());
        let (mut failed, mut skipped) = (BTreeSet::new(), BTreeSet::new());
        loop {
            match plan.next(jobs - running.len()) {
                Next::Start(task) => {
                    let at = number(task);
                    assert!(
                        needs[at].iter().all(|need| ended.contains(need)),
                        "round {round}: t{at}"
                    );
                    assert!(!running.contains(&at) && !ended.contains(&at), "round {round}: t{at}");
                    running.push(at);
                }
                Next::Done => break,
                Next::Wait => {
                    assert!(!running.is_empty(), "round {round}: waits for nothing");
                    let at = running.swap_remove(chance(running.len()));
                    if chance(100) < fails {
                        let now = plan.fail(&graph, id(at));
                        assert!(now.iter().all(|&id| skipped.insert(number(id))), "round {round}");
                        failed.insert(at);
                    } else {
                        plan.succeed(&graph, id(at));
                        ended.insert(at);
                    }
                }
            }
            assert!(running.len() <= jobs && plan.started() == running.len(), "round {round}");
        }
        let expected: BTreeSet<usize> = &needing(&needs, &failed) & &wanted;
        assert_eq!(skipped, expected, "round {round}: skipped");
        let all: BTreeSet<usize> =
            [&ended, &failed, &skipped].into_iter().flatten().copied().collect();
        assert_eq!(all, wanted, "round {round}: all wanted and nothing else");
        failures += failed.len();
        skips += skipped.len();
    }
    assert!(failures > 100 && skips > 100, "{failures} failures, {skips} skipped: too tame");
}

/// One at a time, the ready task with the longest remaining path always goes first, then the one
/// declared first; the path is computed here by definition.
#[test]
fn random_orders_are_by_remaining_path_then_declaration() {
    let mut state = 7_usize;
    let mut chance = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % bound
    };
    for round in 0..100 {
        let count = 2 + chance(30);
        let (graph, needs) = random_graph(&mut chance, count);
        let id = |at: usize| graph.find(&format!("t{at}")).expect("declared");
        let durations: IdVec<TaskId, u64> = (0..count).map(|_| chance(5) as u64).collect();
        let all: Vec<TaskId> = graph.tasks().ids().collect();
        let mut plan = Plan::new(&graph, &all, &durations).expect("an order");
        let mut remaining = vec![0; count];
        for at in (0..count).rev() {
            let behind = (at + 1..count).filter(|&other| needs[other].contains(&at));
            let longest = behind.map(|other| remaining[other]).max().unwrap_or(0);
            remaining[at] = durations[id(at)] + longest;
        }
        let mut done = BTreeSet::new();
        while let Next::Start(task) = plan.next(1) {
            let ready = (0..count).filter(|at| {
                !done.contains(at) && needs[*at].iter().all(|need| done.contains(need))
            });
            let best =
                ready.min_by_key(|&at| (Reverse(remaining[at]), id(at))).expect("a ready one");
            assert_eq!(graph.name(task), format!("t{best}"), "round {round}");
            done.insert(best);
            plan.succeed(&graph, task);
        }
        assert_eq!(done.len(), count, "round {round}");
    }
}

/// Depth is no matter: in 2 MiB of stack.
#[test]
fn a_failure_at_the_bottom_of_30_000() {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        let count = 30_000;
        let mut lines = String::from("t0:\n");
        for n in 1..count {
            lines.push_str(&format!("t{n}: t{}\n", n - 1));
        }
        let mut d = Drive::new(&lines, &[&format!("t{}", count - 1)]);
        assert_eq!(d.next(1), "t0");
        assert_eq!(d.fail("t0").len(), count - 1);
        assert_eq!(d.next(1), "done");
    });
    thread.expect("a thread").join().expect("no overflow and no failed assertion");
}
