//! Full disks, and disks that can only be read: the workspace's, that of `.taskr` alone, that of the
//! store. A build that has no room may fail; none is wrong, and with room the next is right.
//!
//! Sizes are random; `TASKR_FULL=200` sets how many are tried, `TASKR_FULL_SEED=7` chooses others.

use super::{number, with_mounts};
use crate::project::{Output, Project};

const TASKS: &str = r#"
[target.a]
inputs  = ["in"]
outputs = ["gen/a1", "gen/a2"]
run     = "cat in > $OUT/gen/a1; cat in in > $OUT/gen/a2"
[target.b]
inputs  = ["@a"]
outputs = ["b"]
run     = "cat gen/a1 gen/a2 > b"
"#;

/// What each case is told by: builds on too small a disk, looks at the end, builds with room.
const CASES: &str = r#"
    right() { cmp -s in gen/a1 && cat in in | cmp -s - gen/a2 && cat in in in | cmp -s - b; }
    edit() { head -c $((RANDOM % 12000 + 4000)) /dev/urandom | od > in; }
    room() { mount -o remount,size="$1"k "$small" || exit 91; }
    used() { df --output=used "$small" | tail -n1; }
    tight() { # a build with so little room
        room $(($(used) + 8 + 4 * (RANDOM % $1)))
        taskr -q b >"$told" 2>&1; code=$?
        ! grep -q panicked "$told" || { cat "$told"; exit 97; }
        case $code in
            0) right || { cat "$told"; exit 96; } ;;
            1 | 2) failed=$((failed + 1)); [ -s "$told" ] || exit 95; ;;
            *) cat "$told"; exit 94 ;;
        esac
        room 100000
        taskr -q b >"$told" 2>&1 && right || { cat "$told"; exit 93; }
        taskr b 2>&1 | grep -q '2 tasks up to date' || exit 92
    }
    told=$PWD/../told; failed=0; mkdir disk
"#;

/// So many cases are played by one script, which must end before the patience with it does.
const AT_ONCE: usize = 25;

/// Plays cases; how many builds failed of how many, and the last script's words.
fn play(script: &str) -> Option<(Output, usize, usize)> {
    let scripts = number("TASKR_FULL").unwrap_or(AT_ONCE).div_ceil(AT_ONCE);
    let first = number("TASKR_FULL_SEED").unwrap_or(1);
    let mut all = None;
    for seed in first..first + scripts {
        let (output, failed) = play_some(script, seed)?;
        let sum = all.map_or(0, |(_, sum, _)| sum) + failed;
        all = Some((output, sum, scripts * AT_ONCE));
    }
    let (_, failed, cases) = all.as_ref()?;
    eprintln!("TASKR_FULL_SEED={first}: {failed} of {cases} builds had no room");
    all
}

fn play_some(script: &str, seed: usize) -> Option<(Output, usize)> {
    let p = Project::new(TASKS);
    let script =
        format!("RANDOM={seed}; cases={AT_ONCE}\n{CASES}{script}\necho \"failed $failed\"");
    let output = with_mounts(&p, &script)?;
    assert_eq!(output.status.code(), Some(0), "TASKR_FULL_SEED={seed} {output}");
    let failed = output.stdout.lines().find_map(|line| line.strip_prefix("failed ")?.parse().ok());
    let failed = failed.unwrap_or_else(|| panic!("{output}"));
    Some((output, failed))
}

/// D08: half an output is none.
#[test]
fn a_workspace_without_room() {
    let script = r#"
        small=$PWD/disk
        for case in $(seq $cases); do
            if [ $((case % 5)) = 1 ]; then
                cd "$small/.."; umount "$small" 2>/dev/null
                mount -t tmpfs -o size=1m none "$small" || exit 98
                cp Taskfile.toml disk && cd disk
                edit
                [ $((case % 2)) = 0 ] || taskr -q b || exit 91
            fi
            edit; tight 50
        done"#;
    let Some((output, failed, cases)) = play(script) else { return };
    assert!(failed > cases / 5 && failed < cases, "{failed} of {cases}: {output}");
}

/// D07, D09: what cannot be recorded is run again. Outputs cross from one disk to another here.
#[test]
fn a_state_without_room() {
    let script = r#"
        small=$PWD/.taskr; mkdir .taskr
        for case in $(seq $cases); do
            if [ $((case % 5)) = 1 ]; then
                umount "$small" 2>/dev/null
                mount -t tmpfs -o size=1m none "$small" || exit 98
                rm -rf gen b; edit
                [ $((case % 2)) = 0 ] || taskr -q b || exit 91
            fi
            edit; tight 60
        done"#;
    let Some((output, failed, cases)) = play(script) else { return };
    assert!(failed > cases / 8 && failed < cases, "{failed} of {cases}: {output}");
}

/// D07: what cannot be stored is not, and the build goes on. What is in the store is whole: it serves
/// a workspace that has nothing.
#[test]
fn a_store_without_room() {
    let script = r#"
        small=$HOME/.cache/taskr; mkdir -p "$small"; unset TASKR_CACHE
        for case in $(seq $cases); do
            if [ $((case % 5)) = 1 ]; then
                umount "$small" 2>/dev/null
                mount -t tmpfs -o size=1m none "$small" || exit 98
            fi
            edit
            room $(($(used) + 8 + 4 * (RANDOM % 12)))
            taskr -q b >"$told" 2>&1 && right || { cat "$told"; exit 97; }
            ! grep -q 'cannot be written' "$told" || failed=$((failed + 1))
            taskr b 2>&1 | grep -q '2 tasks up to date' || exit 96
            rm -rf .taskr gen b
            taskr -q b >"$told" 2>&1 && right || { cat "$told"; exit 95; }
            room 100000
        done"#;
    let Some((output, failed, cases)) = play(script) else { return };
    assert!(failed > cases / 8 && failed < cases, "{failed} of {cases}: {output}");
}

/// D20: a build that can record nothing does not begin, and says why.
#[test]
fn a_state_that_can_only_be_read() {
    let script = r#"
        edit; taskr -q b && right || exit 97
        mount --bind .taskr .taskr && mount -o remount,bind,ro .taskr || exit 98
        ! touch .taskr/canary 2>/dev/null || exit 96
        taskr -n b >/dev/null && taskr why b >/dev/null || exit 95
        right || exit 94
        edit; taskr -q b 2>&1; echo "[$?]"
        umount .taskr; taskr -q b && right || exit 93"#;
    let Some((output, ..)) = play(script) else { return };
    let said = "Read-only file system\nhelp: a build keeps its state there; `taskr -n` and `taskr why` only read\n[2]\n";
    assert!(output.stdout.contains(said), "{output}");
}
