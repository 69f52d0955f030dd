//! ETXTBSY (C08): a program that is being written in one thread is open for a moment in the child that
//! another thread is starting, and cannot be executed until that child has its own image. Programs
//! are restored from the store while their neighbours are started, and none fails.
//!
//! 500 starts in the test command, `TASKR_BUSY=5000` for more.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::number;
use crate::project::Project;

const PROGRAMS: usize = 50;

fn taskfile() -> String {
    let names: Vec<String> = (0..PROGRAMS).map(|n| format!("\"{n}\"")).collect();
    let names = names.join(", ");
    format!(
        "[target.program]\ninputs = [\"in\"]\nmatrix = {{ n = [{names}] }}\n\
         outputs = [\"bin/{{{{ matrix.n }}}}\"]\n\
         run = 'printf \"#!/bin/sh\\n# %s\\n\" \"$(cat in)\" > {{{{ outputs }}}}; chmod +x {{{{ outputs }}}}'\n\
         [target.use]\nalways = true\nmatrix = {{ n = [{names}] }}\n\
         inputs = [\"bin/{{{{ matrix.n }}}}\"]\nexec = [\"bin/{{{{ matrix.n }}}}\"]\n"
    )
}

/// That the harm is there on this machine: without a second try some program does not start.
fn programs_are_busy(p: &Project) -> bool {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Command::new("true").status().expect("true");
                }
            });
        }
        let begun = Instant::now();
        let path = p.outside("busy");
        let mut busy = false;
        while !busy && begun.elapsed() < Duration::from_secs(60) {
            let mut file = File::create(&path).expect("a file");
            file.write_all(b"#!/bin/sh\n").expect("a script");
            fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a mode");
            drop(file);
            let started = Command::new(&path).status();
            busy = started.is_err_and(|error| error.kind() == ErrorKind::ExecutableFileBusy);
            fs::remove_file(&path).expect("it is there");
        }
        done.store(true, Ordering::Relaxed);
        busy
    })
}

#[test]
fn restored_programs_start() {
    let starts = number("TASKR_BUSY").unwrap_or(500);
    let p = Project::new(&taskfile()).with_store();
    assert!(programs_are_busy(&p), "no program was ever busy on this machine");
    for text in ["1", "2"] {
        p.write("in", text);
        let output = p.spawn(["-q", "-j4", "use"]).wait();
        assert!(output.status.success(), "{output}");
    }
    for round in 0..starts / PROGRAMS {
        p.write("in", if round % 2 == 0 { "1" } else { "2" });
        let output = p.spawn(["-j4", "use"]).wait();
        assert!(output.status.success(), "round {round}: {output}");
        assert!(output.stdout.contains(&format!("{PROGRAMS} restored")), "{output}");
        assert!(output.stdout.contains(&format!("{PROGRAMS} ran")), "{output}");
    }
}
