//! Two to eight processes in one workspace, each wanting something else, with edits between rounds and
//! now and then a SIGKILL: each build that ends well is right, and no two tasks run at once. And as
//! many workspaces on one store, which is too small for what they put there.
//!
//! Ten rounds in the test command, `TASKR_MANY=500` for more, `TASKR_MANY_SEED=7` for others.

use std::collections::BTreeSet;
use std::fs;

use super::number;
use crate::oracle::random::Random;
use crate::project::{Live, Project};

const TASKS: usize = 10;

/// Each task reads `in` and two tasks before it. A counter that is read, and a moment later written,
/// loses a number if two do so at once; a folder that can be made but once tells which two they were.
fn taskfile() -> String {
    let task = |n: usize| {
        let deps = [n.checked_sub(2), n.checked_sub(3)].into_iter().flatten();
        let inputs: String = deps.map(|dep| format!(", \"@t{dep}\"")).collect();
        format!(
            "[target.t{n}]\ninputs = [\"in\"{inputs}]\noutputs = [\"gen/t{n}\"]\nrun = '''\n\
             mkdir ~/busy 2>/dev/null || echo t{n} >> ~/clash\n\
             count=$(cat ~/count || echo 0)\nran t{n}\ncat {{{{ inputs }}}} > {{{{ outputs }}}}; echo {n} >> {{{{ outputs }}}}\n\
             echo $((count + 1)) > ~/count\nrmdir ~/busy\n'''\n"
        )
    };
    (0..TASKS).map(task).collect()
}

/// What `t{n}` makes of `text`.
fn made(n: usize, text: &str) -> String {
    let mut inputs = vec![("in".to_owned(), text.to_owned())];
    for dep in [n.checked_sub(2), n.checked_sub(3)].into_iter().flatten() {
        inputs.push((format!("gen/t{dep}"), made(dep, text)));
    }
    // `in` is named first, what other tasks make in the order of the list.
    let inputs: String = inputs.into_iter().map(|(_, text)| text).collect();
    format!("{inputs}{n}\n")
}

/// One round: all want something at once. How many were killed.
fn round(p: &Project, text: &str, random: &mut Random, may_kill: bool) -> usize {
    fs::write(p.path("in"), text).expect("a file");
    let count = random.below(7) + 2;
    let wanted: Vec<Vec<usize>> =
        (0..count).map(|_| (0..=random.below(2)).map(|_| random.below(TASKS)).collect()).collect();
    let start = |ids: &Vec<usize>| {
        let names = ids.iter().map(|id| format!("t{id}"));
        p.spawn(["-q".to_owned(), "-j1".to_owned()].into_iter().chain(names))
    };
    let mut all: Vec<Live> = wanted.iter().map(start).collect();
    let mut killed = BTreeSet::new();
    if may_kill {
        std::thread::sleep(std::time::Duration::from_micros(random.below(60_000) as u64));
        let victim = random.below(count);
        killed.extend(all[victim].kill().then_some(victim));
    }
    for (at, live) in all.into_iter().enumerate() {
        let output = live.wait();
        if !killed.contains(&at) {
            assert_eq!(output.status.code(), Some(0), "{:?}: {output}", wanted[at]);
            for &n in &wanted[at] {
                assert_eq!(p.read(format!("gen/t{n}")), made(n, text), "t{n}: {output}");
            }
        }
    }
    killed.len()
}

#[test]
fn builds_of_many_processes_exclude_one_another() {
    let rounds = number("TASKR_MANY").unwrap_or(10);
    let seed = number("TASKR_MANY_SEED").unwrap_or(1);
    let mut random = Random::new(seed as u64);
    let p = Project::new(&taskfile());
    fs::write(p.outside("home/count"), "0").expect("a file");
    let mut ran = 0;
    for number in 0..rounds {
        round(&p, &format!("{number}\n"), &mut random, false);
        let names = p.take_ran();
        let once: BTreeSet<&String> = names.iter().collect();
        assert_eq!(once.len(), names.len(), "TASKR_MANY_SEED={seed}: twice in a round: {names:?}");
        ran += names.len();
    }
    let clash = fs::read_to_string(p.outside("home/clash")).unwrap_or_default();
    assert_eq!(clash, "", "TASKR_MANY_SEED={seed}: two at once");
    let count = fs::read_to_string(p.outside("home/count")).expect("a number");
    assert_eq!(count.trim(), ran.to_string(), "TASKR_MANY_SEED={seed}: two counted at once");
    assert!(ran > rounds * 4, "only {ran} tasks ran");
}

/// C01, D24: one is restored from what another saves and a third trims.
#[test]
fn workspaces_share_one_store() {
    let rounds = number("TASKR_MANY").unwrap_or(10);
    let seed = number("TASKR_MANY_SEED").unwrap_or(1);
    let mut random = Random::new(seed as u64 ^ 0x5707_e000);
    let p = Project::empty().with_store();
    let names: Vec<String> = (0..6).map(|number| format!("ws{number}")).collect();
    for name in &names {
        let taskfile = taskfile().replace("~/", "$TMPDIR/");
        p.sibling(name).write("Taskfile.toml", &taskfile);
    }
    let mut restored = 0;
    for _ in 0..rounds {
        let mut all = Vec::new();
        for name in &names {
            let text = format!("{}\n", random.below(4));
            fs::write(p.outside(name).join("in"), &text).expect("a file");
            let target = random.below(TASKS);
            let args = [format!("t{target}"), "-j1".to_owned()];
            let mut command = p.command(&p.outside(name), args);
            command.env("TASKR_CACHE_SIZE", "8K");
            all.push((name, target, text, Live::start(&mut command)));
        }
        let victim = random.below(2 * all.len());
        std::thread::sleep(std::time::Duration::from_micros(random.below(40_000) as u64));
        let killed = all.get_mut(victim).is_some_and(|(.., live)| live.kill());
        for (at, (name, n, text, live)) in all.into_iter().enumerate() {
            let output = live.wait();
            if killed && at == victim {
                continue;
            }
            assert_eq!(output.status.code(), Some(0), "TASKR_MANY_SEED={seed} {output}");
            let made_here = fs::read_to_string(p.outside(name).join(format!("gen/t{n}")));
            assert_eq!(made_here.expect("a file"), made(n, &text), "{seed}: t{n} {output}");
            restored += usize::from(output.stdout.contains("restored"));
        }
    }
    super::check_blobs(&p.store()).unwrap_or_else(|wrong| panic!("{wrong}"));
    eprintln!("TASKR_MANY_SEED={seed}: {restored} of {} builds restored something", 6 * rounds);
    assert!(restored > rounds / 2, "only {restored} builds restored anything");
}

#[test]
fn a_killed_process_spoils_none_of_the_others() {
    let rounds = number("TASKR_MANY").unwrap_or(10);
    let seed = number("TASKR_MANY_SEED").unwrap_or(1);
    let mut random = Random::new(seed as u64 ^ 0xdead);
    let p = Project::new(&taskfile());
    let mut killed = 0;
    for number in 0..rounds {
        killed += round(&p, &format!("{number}\n"), &mut random, true);
    }
    eprintln!("TASKR_MANY_SEED={seed}: {killed} of {rounds} kills hit a living process");
    assert!(killed > rounds / 3, "only {killed} kills hit a living process");
}
