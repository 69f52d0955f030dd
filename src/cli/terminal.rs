//! What is known of the terminal: colour, size, whether anything may move on it.

use std::io::IsTerminal;
use std::os::fd::AsFd;

/// Whether each stream gets colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    pub(super) out: bool,
    pub(super) err: bool,
}

impl Colours {
    /// By `--color`, then `NO_COLOR`, then `FORCE_COLOR` and `CLICOLOR_FORCE`, then whether the
    /// stream is a terminal that can.
    pub(super) fn choose(when: &str) -> Colours {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced =
            |name: &str| set(name) && std::env::var_os(name).is_some_and(|value| value != "0");
        let always = match when {
            "always" => Some(true),
            "never" => Some(false),
            _ if set("NO_COLOR") => Some(false),
            _ if forced("FORCE_COLOR") || forced("CLICOLOR_FORCE") => Some(true),
            _ if !can_move() => Some(false),
            _ => None,
        };
        Colours {
            out: always.unwrap_or_else(|| std::io::stdout().is_terminal()),
            err: always.unwrap_or_else(|| std::io::stderr().is_terminal()),
        }
    }
}

/// Columns of the terminal that stdout is, if it is one.
pub(super) fn out_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// Columns of the terminal that stderr is; 100 if it is none.
pub(super) fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&columns| columns > 0)
        .unwrap_or(100)
}

/// Whether a terminal here understands more than lines.
pub(super) fn can_move() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Columns and rows of this terminal; none while another program has it, as a shell has while
/// taskr is in the background.
pub(super) fn drawable(terminal: impl AsFd) -> Option<(usize, usize)> {
    let foreground = rustix::termios::tcgetpgrp(&terminal).ok();
    if foreground.is_some_and(|group| group != rustix::process::getpgrp()) {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&terminal).ok()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    // A terminal that does not know is as most are.
    Some(if columns == 0 || rows == 0 { (80, 24) } else { (columns, rows) })
}
