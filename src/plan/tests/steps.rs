//! Pipelines as waves: all that may start does, then all of it ends.

use super::super::{Course, Pipeline};
use super::*;
use crate::error::{Error, render};

/// Targets as `graph` takes them, behind pipelines as TOML.
fn planned(lines: &str, pipelines: &[&str], wanted: &[&str]) -> Result<Drive, String> {
    let mut text = graph_text(lines);
    for (at, steps) in pipelines.iter().enumerate() {
        text.push_str(&format!("[pipeline.p{at}]\nsteps = {steps}\n"));
    }
    let told = |wrong| render(&Error::Taskfile(wrong), false, 100);
    let taskfile = parse("Taskfile.toml", text.as_bytes()).expect("a Taskfile");
    let graph = of_text(&text);
    let pipelines: Result<Vec<Pipeline>, _> =
        taskfile.pipelines.values().map(|pipeline| Pipeline::of(&graph, pipeline)).collect();
    let pipelines = pipelines.map_err(told)?;
    let mut ids: Vec<TaskId> = pipelines.iter().flat_map(Pipeline::tasks).collect();
    let beside: Vec<TaskId> =
        wanted.iter().map(|name| graph.find(name).expect("declared")).collect();
    ids.extend(&beside);
    let durations = IdVec::filled(graph.tasks().len(), 0);
    let course = Course { pipelines: &pipelines, beside: &beside, ..Course::default() };
    let plan = Plan::in_steps(&graph, &ids, &durations, course).map_err(told)?;
    Ok(Drive { graph, plan })
}

impl Drive {
    /// What starts at once, and after that has ended, and so on; `failing` fail.
    fn waves(&mut self, failing: &[&str]) -> String {
        let mut waves = Vec::new();
        loop {
            let mut wave = Vec::new();
            while let Next::Start(id) = self.plan.next(1) {
                wave.push(id);
            }
            if wave.is_empty() {
                return waves.join(" | ");
            }
            for &id in &wave {
                match failing.contains(&self.graph.name(id)) {
                    true => drop(self.plan.fail(&self.graph, id)),
                    false => drop(self.plan.succeed(&self.graph, id)),
                }
            }
            let names: Vec<&str> = wave.iter().map(|&id| self.graph.name(id)).collect();
            waves.push(names.join(" "));
        }
    }
}

#[test]
fn steps_come_one_after_another_and_their_lists_at_once() {
    let plain = "a:\nb:\nc:\nd:\ne:\nf:";
    for (lines, steps, waves) in [
        (plain, r#"["a", "b", "c"]"#, "a | b | c"),
        (plain, r#"["a", ["b", "c"], "d"]"#, "a | b c | d"),
        (plain, r#"[["a", "b"], ["c", "d"]]"#, "a b | c d"),
        // A list in a list runs one after another again, beside the others.
        (plain, r#"["a", [["b", "c"], "d"], "e"]"#, "a | b d | c | e"),
        (plain, r#"["a", [["b", ["c", "d"]], "e"], "f"]"#, "a | b e | c d | f"),
        (plain, r#"[[["a", "b"], ["c", "d", "e"]], "f"]"#, "a c | b d | e | f"),
        // What a step needs starts with it, and edges hold within a list.
        ("a:\nx:\nb: x", r#"["a", "b"]"#, "a | x | b"),
        ("a:\nb: a", r#"[["a", "b"]]"#, "a | b"),
        // What an earlier step needs comes with that.
        ("x:\na: x\nb: x", r#"["a", "b"]"#, "x | a | b"),
        // What is needed at once is needed by all of them: `b` does not wait for `a`.
        ("a:\nx:\nb: x\nc: x", r#"[[["a", "b"], "c"]]"#, "a x | b c"),
        ("z:\na:\nx:\nb: x\nc: x", r#"["z", [["a", "b"], "c"]]"#, "z | a x | b c"),
        ("x:\na:\nb: x\nc: x", r#"[["c", ["a", "b"]]]"#, "x a | b c"),
        // A group stands for its tasks: the next step waits for all of them.
        ("all= a b\na:\nb: a\nc:", r#"["all", "c"]"#, "a | b | all | c"),
        ("all= a b\na:\nb:\nc:", r#"["c", "all"]"#, "c | a b | all"),
        // What an earlier step had already is no contradiction.
        ("lib:\napp: lib\nall= lib app", r#"["app", "all"]"#, "lib | app | all"),
    ] {
        let mut drive = planned(lines, &[steps], &[]).expect("an order");
        assert_eq!(drive.waves(&[]), waves, "{steps}");
    }
}

#[test]
fn what_else_is_asked_for_waits_for_no_step() {
    let lines = "a:\nx:\nb: x\nc: x\nd:";
    let mut drive = planned(lines, &[r#"["a", "b"]"#], &["c", "d"]).expect("an order");
    assert_eq!(drive.waves(&[]), "a x d | b c");
    // A step keeps its place even if it is asked for by name.
    let mut drive = planned(lines, &[r#"["a", "b"]"#], &["b"]).expect("an order");
    assert_eq!(drive.waves(&[]), "a | x | b");
    let steps = [r#"["a", "d"]"#, r#"["d", "b"]"#];
    assert_eq!(planned(lines, &steps, &[]).expect("an order").waves(&[]), "a | d | x | b");
}

#[test]
fn a_failure_skips_what_needs_it_and_later_steps_go_on() {
    let lines = "a:\nb: a\nc:\nall= a b c\nd:\ne: b";
    let mut drive = planned(lines, &[r#"[["a", "c"], "b", "d", "e"]"#], &[]).expect("an order");
    assert_eq!(drive.waves(&["a"]), "a c | d");
    // Not before all of a group has ended, although the group itself is skipped at once.
    let mut drive = planned(lines, &[r#"["all", "d"]"#], &[]).expect("an order");
    assert_eq!((drive.next(1), drive.next(1)), ("a".to_owned(), "c".to_owned()));
    drive.fail("a");
    assert_eq!(drive.next(1), "wait");
    drive.succeed("c");
    assert_eq!(drive.next(1), "d");
    assert_eq!(drive.plan.freed_by(drive.id("d")), Some(drive.id("c")));
}

#[test]
fn a_target_with_several_tasks_is_a_step_of_them_all() {
    let text = "[target.a]\nrun = 'a'\n[target.t]\nmatrix = { n = ['1', '2'] }\nrun = 't'\n\
                [target.z]\nrun = 'z'\n[pipeline.p]\nsteps = ['a', 't', 'z']\n";
    let taskfile = parse("Taskfile.toml", text.as_bytes()).expect("a Taskfile");
    let graph = of_text(text);
    let pipeline = Pipeline::of(&graph, &taskfile.pipelines["p"]).expect("steps");
    let durations = IdVec::filled(graph.tasks().len(), 0);
    let course = Course { pipelines: std::slice::from_ref(&pipeline), ..Course::default() };
    let plan = Plan::in_steps(&graph, &pipeline.tasks(), &durations, course).expect("a plan");
    assert_eq!(Drive { graph, plan }.waves(&[]), "a | t@n=1 t@n=2 | t | z");
}

/// Of a group that is a step only what it stands for may be in a run; its place is the step's.
#[test]
fn a_part_of_a_pipeline_keeps_the_order_of_the_whole() {
    let text = "[target]\na = 'a'\nb = 'b'\nc = 'c'\nz = 'z'\n\
                [target.all]\ndeps = ['a', 'b']\n[target.x]\ndeps = ['c']\nrun = 'x'\n\
                [pipeline.p]\nsteps = ['all', 'x', 'z']\n";
    let taskfile = parse("Taskfile.toml", text.as_bytes()).expect("a Taskfile");
    for (part, waves) in [("b z", "b | z"), ("a b c z", "a b | c | z"), ("c z", "c | z")] {
        let graph = of_text(text);
        let pipeline = Pipeline::of(&graph, &taskfile.pipelines["p"]).expect("steps");
        let durations = IdVec::filled(graph.tasks().len(), 0);
        let part: Vec<TaskId> =
            part.split(' ').map(|name| graph.find(name).expect("declared")).collect();
        let course = Course { pipelines: &[pipeline], ..Course::default() };
        let plan = Plan::in_steps(&graph, &part, &durations, course).expect("a plan");
        assert_eq!(Drive { graph, plan }.waves(&[]), waves);
    }
}

fn refused(lines: &str, pipelines: &[&str]) -> String {
    match planned(lines, pipelines, &[]) {
        Ok(_) => panic!("{pipelines:?} are taken"),
        Err(text) => text,
    }
}

#[test]
fn steps_against_edges_are_a_cycle_that_is_told_with_its_places() {
    let told = refused("lib:\napp: lib", &[r#"["app", "lib"]"#]);
    let expected = r#"error: a cycle of 2 tasks, steps included: lib → app → lib
 --> Taskfile.toml:8:17
  |
8 | steps = ["app", "lib"]
  |                 ^^^^^ `lib` starts after `app`
  |
 ::: Taskfile.toml:5:9
  |
5 | deps = ["lib"]
  |         ----- `app` needs `lib`
  |
  = help: a step starts when the one before it has ended: move one of them, or remove an edge"#;
    assert_eq!(told, expected);
    let told = refused("lib:\nmid: lib\napp: mid", &[r#"["app", "lib"]"#]);
    assert!(told.contains("a cycle of 3 tasks, steps included: "), "{told}");
}

#[test]
fn two_pipelines_that_contradict_each_other_are_a_cycle() {
    let told = refused("a:\nb:", &[r#"["a", "b"]"#, r#"["b", "a"]"#]);
    assert!(told.contains("a cycle of 2 tasks, steps included: "), "{told}");
    assert!(told.contains("`a` starts after `b`"), "{told}");
    assert!(told.contains("`b` starts after `a`"), "{told}");
}

#[test]
fn a_task_is_in_one_step_only() {
    for (steps, text) in [
        (r#"["a", "b", "a"]"#, "two steps have `a`"),
        (r#"[["a", ["b", "a"]]]"#, "two steps have `a`"),
    ] {
        let told = refused("a:\nb:", &[steps]);
        assert!(told.contains(text), "{told}");
        assert!(told.contains("the first"), "{told}");
    }
}

/// A random tree of steps over these tasks as TOML, and for each pair which must come before which.
fn random_steps(
    chance: &mut impl FnMut(usize) -> usize,
    tasks: &[usize],
    serial: bool,
    before: &mut BTreeSet<(usize, usize)>,
) -> String {
    let mut parts: Vec<&[usize]> = Vec::new();
    let mut rest = tasks;
    while !rest.is_empty() {
        let (part, others) = rest.split_at(1 + chance(rest.len()));
        parts.push(part);
        rest = others;
    }
    if serial {
        for (at, later) in parts.iter().enumerate() {
            let earlier = parts[..at].iter().copied().flatten();
            before.extend(
                earlier.flat_map(|&first| later.iter().map(move |&second| (first, second))),
            );
        }
    }
    let texts: Vec<String> = (parts.iter())
        .map(|part| match part {
            [only] => format!("\"t{only}\""),
            _ if parts.len() == 1 => {
                let names: Vec<String> = part.iter().map(|at| format!("\"t{at}\"")).collect();
                if serial {
                    let pairs = part.iter().enumerate();
                    let pairs = pairs.flat_map(|(at, &second)| {
                        part[..at].iter().map(move |&first| (first, second))
                    });
                    before.extend(pairs.collect::<Vec<_>>());
                }
                names.join(", ")
            }
            _ => random_steps(chance, part, !serial, before),
        })
        .collect();
    format!("[{}]", texts.join(", "))
}

/// What each target needs of those before it, and a line for each.
fn random_targets(
    chance: &mut impl FnMut(usize) -> usize,
    count: usize,
) -> (Vec<BTreeSet<usize>>, Vec<String>) {
    let needs: Vec<BTreeSet<usize>> = (0..count)
        .map(|at| (0..chance(3)).filter(|_| at > 0).map(|_| chance(at.max(1))).collect())
        .collect();
    let line = |(at, needs): (usize, &BTreeSet<usize>)| -> String {
        let names: Vec<String> = needs.iter().map(|need| format!("t{need}")).collect();
        format!("t{at}: {}", names.join(" "))
    };
    let lines = needs.iter().enumerate().map(line).collect();
    (needs, lines)
}

/// Whether tasks wait for one another: once none is left that waits for nobody, by the plainest way.
fn is_circle(waits: &[BTreeSet<usize>]) -> bool {
    let mut left: BTreeSet<usize> = (0..waits.len()).collect();
    while let Some(free) = left.iter().copied().find(|&at| waits[at].is_disjoint(&left)) {
        left.remove(&free);
    }
    !left.is_empty()
}

/// 400 random pipelines over random graphs: refused exactly where edges and steps go in a circle;
/// else all tasks run, each behind all it needs and behind all steps before its own.
#[test]
fn random_pipelines_keep_every_order() {
    let mut state = 7_usize;
    let mut chance = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % bound
    };
    let (mut circles, mut runs) = (0, 0);
    for round in 0..400 {
        let count = 2 + chance(9);
        let (needs, lines) = random_targets(&mut chance, count);
        let mut named: Vec<usize> = (0..count).filter(|_| chance(3) > 0).collect();
        for at in 1..named.len() {
            if chance(4) == 0 {
                named.swap(at, chance(at));
            }
        }
        if named.is_empty() {
            continue;
        }
        let mut before = BTreeSet::new();
        let steps = random_steps(&mut chance, &named, true, &mut before);
        let mut waits = needs.clone();
        for &(first, second) in &before {
            waits[second].insert(first);
        }
        let planned = planned(&lines.join("\n"), &[&steps], &[]);
        let Ok(mut drive) = planned else {
            assert!(is_circle(&waits), "round {round}: {steps} is refused\n{}", lines.join("\n"));
            circles += 1;
            continue;
        };
        let asked = named.iter().copied().collect();
        let edges: Vec<Vec<usize>> =
            needs.iter().map(|needs| needs.iter().copied().collect()).collect();
        let wanted = closure(&edges, &asked);
        let (mut running, mut ended) = (Vec::new(), BTreeSet::new());
        loop {
            match drive.plan.next(3 - running.len().min(3)) {
                Next::Start(id) => {
                    let at: usize = drive.graph.name(id)[1..].parse().expect("a number");
                    let due = waits[at].intersection(&wanted).all(|other| ended.contains(other));
                    assert!(due, "round {round}: t{at} of {steps}\n{}", lines.join("\n"));
                    running.push((at, id));
                }
                Next::Wait => {
                    assert!(!running.is_empty(), "round {round}: {steps} waits for nothing");
                    let (at, id) = running.swap_remove(chance(running.len()));
                    drive.plan.succeed(&drive.graph, id);
                    ended.insert(at);
                }
                Next::Done => break,
            }
        }
        assert_eq!(ended, wanted, "round {round}: {steps}\n{}", lines.join("\n"));
        runs += 1;
    }
    assert!(circles > 20 && runs > 100, "{circles} refused, {runs} played: too few of one sort");
}
