//! Runs a command and says what it took: milliseconds from start to end, milliseconds of processor,
//! KiB of memory, and how it ended.
//!
//! A program of its own because it must be small: the kernel counts the memory of who starts a
//! process for the process too, until that is another program.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use wait4::Wait4;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else { return ExitCode::from(2) };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
    let begun = Instant::now();
    let ended = command.spawn().and_then(|mut child| child.wait4());
    let wall_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    match ended {
        Ok(ended) => {
            let cpu = ended.rusage.utime + ended.rusage.stime;
            let (cpu_ms, peak_kib) = (cpu.as_secs_f64() * 1_000.0, ended.rusage.maxrss / 1_024);
            println!("{wall_ms} {cpu_ms} {peak_kib} {}", ended.status);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("0 0 0 {error}");
            ExitCode::SUCCESS
        }
    }
}
