//! Stamps that lie: file systems whose clock ticks once a second, and a power loss that takes back
//! what was written and leaves the stamps. Both on an ext4 of 128-byte inodes in a file, which needs
//! root and loop devices.
//!
//! 100 rounds in the test command, `TASKR_RACY=5000` for more, `TASKR_RACY_SEED=7` for others.

use super::{lacks, number, with_mounts};
use crate::project::{Output, Project};

const TASKS: &str = r#"
[target.t]
inputs  = ["in"]
outputs = ["o", "upper"]
run     = "cat in > $OUT/o; tr a-z A-Z < in > upper"
"#;

/// A file system in a file, at `disk`; `$device` is what carries it.
const MOUNT: &str = r#"
    PATH=$PATH:/usr/sbin:/sbin
    truncate -s 16M ../image && mkfs.ext4 -q -F -I 128 ../image || exit 98
    device=$(losetup --find --show ../image) || exit 98
    trap 'cd /; umount "$disk" 2>/dev/null; losetup -d "$device"' EXIT
    mkdir disk; disk=$PWD/disk
    mount "$device" disk || exit 98
    cp Taskfile.toml disk && cd disk
"#;

fn on_disk(script: &str) -> Option<(Project, Output)> {
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: only root has loop devices");
        return None;
    }
    if lacks("mkfs.ext4", "-V") {
        return None;
    }
    let p = Project::new(TASKS);
    let output = with_mounts(&p, &format!("{MOUNT}{script}"))?;
    assert_eq!(output.status.code(), Some(0), "{output}");
    Some((p, output))
}

/// The number behind a word in what a script told.
fn told(output: &Output, word: &str) -> usize {
    let line = output.stdout.lines().find_map(|line| line.strip_prefix(word));
    let number = line.and_then(|rest| rest.trim().parse().ok());
    number.unwrap_or_else(|| panic!("no {word}: {output}"))
}

/// So many rounds are played by one script, which must end before the patience with it does.
const AT_ONCE: usize = 100;

/// F01: edits of the same size within one tick, of the input and of an output.
#[test]
fn edits_within_one_tick_of_the_clock_are_seen() {
    let scripts = number("TASKR_RACY").unwrap_or(AT_ONCE).div_ceil(AT_ONCE);
    let first = number("TASKR_RACY_SEED").unwrap_or(1);
    let (mut same, mut edited) = (0, 0);
    for seed in first..first + scripts {
        let Some((_, output)) = on_disk(&rounds_of(seed)) else { return };
        same += told(&output, "same");
        edited += told(&output, "edited");
    }
    let rounds = scripts * AT_ONCE;
    eprintln!(
        "TASKR_RACY_SEED={first}: of {rounds} edits {same} kept the stamp, {edited} of outputs"
    );
    assert!(same > rounds / 4, "only {same} edits kept the stamp");
    assert!(edited > rounds / 40, "only {edited} edits of outputs kept the stamp");
}

fn rounds_of(seed: usize) -> String {
    format!(
        r#"
        RANDOM={seed}; same=0; edited=0; last=; old=
        for round in $(seq {AT_ONCE}); do
            text=$(printf 'x%05d' $RANDOM)
            printf %s $text > in
            stamp=$(stat -c '%i %s %y %z' in)
            [ "$stamp" != "$last" ] || [ $text = "$old" ] || same=$((same + 1))
            last=$stamp; old=$text
            taskr -q t 2>/dev/null || exit 97
            if [ $((RANDOM % 4)) = 0 ]; then
                before=$(stat -c '%i %s %y %z' o); printf 'y%05d' $RANDOM > o
                [ "$before" != "$(stat -c '%i %s %y %z' o)" ] || edited=$((edited + 1))
                taskr -q t 2>/dev/null || exit 97
            fi
            if ! [ "$(cat o)" = $text ] || ! [ "$(cat upper)" = "${{text^^}}" ]; then
                echo "round $round: $(cat o) $(cat upper), not $text"; exit 96
            fi
            [ $((RANDOM % 50)) != 0 ] || sleep 2.1
        done
        echo "same $same"; echo "edited $edited""#
    )
}

/// D05: after a power loss the stamps are there and the bytes are not. In the boot that wrote them
/// stamps are believed, which proves that the harm cannot be seen by them.
#[test]
fn stamps_of_another_boot_are_not_believed() {
    let script = r#"
        patch() { # bytes on the device, the file system not mounted
            cd "$disk/.." && umount disk
            at=$(grep --text --byte-offset --only-matching "$1" "$device" | cut -d: -f1)
            [ $(echo "$at" | wc -w) = 1 ] || { echo "$1 at $at"; exit 95; }
            printf %s "$2" | dd of="$device" bs=1 seek="$at" conv=notrunc status=none
            mount "$device" disk && cd disk
        }
        says() { [ "$(cat o)" = "$1" ] && [ "$(cat upper)" = "$2" ]; }
        printf %s what-was-written > in; taskr -q t; sleep 2.2; taskr -q t || exit 97
        says what-was-written WHAT-WAS-WRITTEN || exit 96
        patch WHAT-WAS-WRITTEN ZZZZZZZZZZZZZZZZ
        taskr -q t && says what-was-written ZZZZZZZZZZZZZZZZ || exit 94
        echo another-boot > ../boot
        mount --bind ../boot /proc/sys/kernel/random/boot_id || exit 98
        taskr -q t && says what-was-written WHAT-WAS-WRITTEN || exit 93
        echo fine"#;
    let Some((_, output)) = on_disk(script) else { return };
    assert!(output.stdout.ends_with("fine\n"), "{output}");
}
