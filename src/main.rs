//! The program: everything is in the library.

use std::process::ExitCode;

use taskr::cli::{End, main as start};

fn main() -> ExitCode {
    match start(std::env::args_os().collect()) {
        End::Code(code) => ExitCode::from(code),
        End::Signal(signal) => {
            // Whoever called sees that a signal ended us. Returns only if that fails.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
        }
    }
}
