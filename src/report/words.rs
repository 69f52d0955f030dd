//! The words of a report: values to text, nothing else.
//!
//! Knows no writer and no mode. Every name and command from outside passes [`one_line`], every
//! path `outcome::shown`, so a file's name can neither move the cursor nor forge a line.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use signal_hook::low_level::signal_name;
use unicode_width::UnicodeWidthStr;

use crate::outcome::{
    Changes, Counts, Course, Edit, Failure, Finish, PipelineEnd, Reason, Step, Summary, TimedOut,
    shown,
};

/// Failures.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Warnings.
pub(super) const CARE: Style = AnsiColor::Yellow.on_default().bold();
/// What is seldom read.
pub(super) const FAINT: Style = Style::new().dimmed();

/// At most so many reasons are told for one task.
const REASONS: usize = 5;

/// At most so many files of a formatter are named.
const FIXED_NAMES: usize = 5;

/// At most so many names of the critical path are told at each end of it.
const PATH_ENDS: usize = 3;

/// At most so many tasks are named that ran when the time of the run was over.
const MOST_RUNNING: usize = 10;

/// Under this wall time a speed-up says nothing.
const SPEED_UP_WALL_MS: u64 = 100;

/// Under this wall time only those are told of it who asked for more.
const UNASKED_WALL_MS: u64 = 1000;

/// A duration for people, about two digits of it: `0.03s`, `0.3s`, `1.2s`, `31.4s`, `1m15s`,
/// `2h05m`.
pub fn duration(ms: u64) -> String {
    let rounded = |unit: u64| ms.saturating_add(unit / 2) / unit;
    let (hundredths, tenths, seconds) = (rounded(10), rounded(100), rounded(1000));
    match () {
        () if hundredths < 10 => format!("0.{hundredths:02}s"),
        () if tenths < 600 => format!("{}.{}s", tenths / 10, tenths % 10),
        () if seconds < 3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        () => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Text from outside as a person reads it, on one line: control characters and those that turn the
/// direction of writing are escaped. All else stays, so what was already escaped is not changed.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                line.extend(c.escape_default());
            }
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// The line below a formatter that changed these files; nothing if it changed none.
pub(super) fn fixed(files: &[Vec<u8>]) -> String {
    let names: Vec<String> = files.iter().take(FIXED_NAMES).map(|path| shown(path)).collect();
    let more = match files.len().saturating_sub(FIXED_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = one_line(&names.join(", "));
    match files.len() {
        0 => String::new(),
        1 => format!("  fixed 1 file: {names}\n"),
        count => format!("  fixed {count} files: {names}{more}\n"),
    }
}

/// As much of `text` as `width` columns hold; `…` stands for the rest. It is measured whole: a
/// character can change how wide the one before it is.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if short.width() >= width {
            short.pop();
            break;
        }
    }
    if width > 0 {
        short.push('…');
    }
    short
}

/// The same with the `…` in the middle: names that begin alike stay apart.
pub fn cut_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let mut tail = String::new();
    for c in text.chars().rev() {
        tail.insert(0, c);
        if tail.width() > room / 2 {
            tail.remove(0);
            break;
        }
    }
    cut(text, width - tail.width()) + &tail
}

/// `text` in a colour, if there are colours.
pub(super) fn paint(colour: bool, style: Style, text: &str) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A command or script, two spaces before each line.
pub(super) fn indented(command: &str) -> String {
    command.lines().map(|line| format!("  {}\n", one_line(line))).collect()
}

/// A line for each reason, up to five.
pub(super) fn because(reasons: &[Reason]) -> String {
    let mut text = String::new();
    for reason in reasons.iter().take(REASONS) {
        let _ = writeln!(text, "  because {}", one_line(&reason.to_string()));
    }
    if reasons.len() > REASONS {
        let _ = writeln!(text, "  and {} more", reasons.len() - REASONS);
    }
    text
}

/// The first reason, and how many more there are.
pub(super) fn first_reason(reasons: &[Reason]) -> String {
    let first = reasons.first().map(ToString::to_string).unwrap_or_default();
    let more = match reasons.len() {
        0 | 1 => String::new(),
        len => format!(" (and {} more)", len - 1),
    };
    one_line(&first) + &more
}

/// How a task ended, as a word and what follows it: `failed` and ` after 0.3s: exit 1`.
pub(super) fn ending(
    finish: &Finish,
    what: Option<&str>,
    duration_ms: u64,
    course: Course,
) -> (&'static str, String) {
    let nth = nth_attempt(course);
    let (word, usual) = match finish {
        Finish::Ran => return ("completed", format!(" in {}{nth}", duration(duration_ms))),
        Finish::Restored => {
            return ("restored", what.map_or_else(String::new, |what| format!(" ({what})")));
        }
        Finish::Unstable => ("unstable", "its inputs kept changing"),
        Finish::Cancelled => ("cancelled", ""),
        Finish::Skipped | Finish::WhenFalse => ("skipped", ""),
        _ if course.allowed => ("failed (allowed)", ""),
        _ => ("failed", ""),
    };
    let mut rest = match duration_ms {
        // What has an exit code ran, however short.
        0 if !what.is_some_and(|what| what.starts_with("exit ")) => String::new(),
        ms => format!(" after {}{nth}", duration(ms)),
    };
    match what.unwrap_or(usual) {
        "" => {}
        what => rest += &format!(": {}", one_line(what)),
    }
    (word, rest)
}

/// `attempt failed after 0.3s: exit 75; the next one in 1.2s, 2 are left`.
pub(super) fn again(what: &str, duration_ms: u64, (wait_ms, left): (u64, usize)) -> String {
    let left = match left {
        1 => "the last one".to_owned(),
        left => format!("{left} are left"),
    };
    let (took, wait) = (duration(duration_ms), duration(wait_ms));
    format!("attempt failed after {took}: {}; the next in {wait}, {left}", one_line(what))
}

/// ` (attempt 3)` of a task whose attempts before that failed; else nothing.
pub(super) fn nth_attempt(course: Course) -> String {
    match course.retries {
        0 => String::new(),
        retries => format!(" (attempt {})", retries + 1),
    }
}

/// How many tasks ended how, and when: `12 tasks up to date in 0.02s` if nothing was to be done.
pub(super) fn totals(summary: &Summary) -> String {
    let Counts { tasks, fresh, restored, ran, failed, skipped, cancelled } = summary.counts;
    let wall = duration(summary.wall_ms);
    let plural = if tasks == 1 { "task" } else { "tasks" };
    if (tasks, summary.signal) == (0, None) && summary.services > 0 {
        let plural = if summary.services == 1 { "service is" } else { "services are" };
        return format!("{} {plural} up", summary.services);
    }
    if fresh == tasks && summary.signal.is_none() {
        return format!("{tasks} {plural} up to date in {wall}");
    }
    let allowed = summary.forgiven.failed - summary.forgiven.unstable;
    let (ran_word, restored_word) = match summary.dry_run {
        true => ("would run", "would be restored"),
        false => ("ran", "restored"),
    };
    let parts: Vec<String> = [
        (fresh, "fresh"),
        (restored, restored_word),
        (ran, ran_word),
        (failed.saturating_sub(summary.unstable + allowed), "failed"),
        (allowed, "failed (allowed)"),
        (summary.unstable, "unstable"),
        (skipped, "skipped"),
        (cancelled, "cancelled"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    let colon = if parts.is_empty() { "" } else { ": " };
    let mut text = format!("{tasks} {plural}{colon}{}", parts.join(", "));
    if !summary.dry_run {
        let _ = write!(text, "   in {wall} with -j{}", summary.jobs);
        let _ = match summary.retries {
            0 => Ok(()),
            1 => write!(text, ", 1 retry"),
            retries => write!(text, ", {retries} retries"),
        };
    }
    text
}

/// A task that could not be undone.
pub(super) fn rollback_failed(name: &str, failure: &Failure, colour: bool) -> String {
    paint(colour, BAD, &format!("✗ {name}  rollback failed: {}", one_line(&failure.what)))
}

/// What a pipeline came to, if not all of it succeeded: `pipeline release failed: 2 of 5 tasks
/// succeeded`.
pub(super) fn pipeline(end: &PipelineEnd) -> Option<String> {
    let PipelineEnd { name, tasks, succeeded, required, .. } = end;
    let mut text = match end.is_fine() {
        true if succeeded == tasks => return None,
        true => format!("pipeline {name} succeeded: {succeeded} of {tasks} tasks did"),
        false => format!("pipeline {name} failed: {succeeded} of {tasks} tasks succeeded"),
    };
    if required < tasks {
        let _ = write!(text, ", {required} must");
    }
    for (what, names) in
        [("rolled back", &end.rolled_back), ("not rolled back", &end.not_rolled_back)]
    {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| one_line(name)).collect();
            let _ = write!(text, "; {what}: {}", names.join(", "));
        }
    }
    Some(text)
}

/// How many checks passed, if something was done: `passed: 11 of 12 gates, 3 of 3 acceptance tests`.
pub(super) fn checked(summary: &Summary) -> Option<String> {
    let (checks, counts) = (&summary.checks, &summary.counts);
    let parts = [
        ("gates", checks.gates_passed, checks.gates_checked),
        ("acceptance tests", checks.accepted, checks.accept_run),
    ];
    let told = parts.iter().filter(|(_, _, of)| *of > 0 && counts.fresh < counts.tasks);
    let told: Vec<String> =
        told.map(|(what, passed, of)| format!("{passed} of {of} {what}")).collect();
    (!told.is_empty()).then(|| format!("passed: {}", told.join(", ")))
}

/// What the store saved, if that is worth a line.
pub(super) fn saved(summary: &Summary, asked: bool) -> Option<String> {
    let least = if asked { 1 } else { UNASKED_WALL_MS };
    let told = summary.saved_ms >= least && !summary.dry_run;
    told.then(|| format!("saved {} by what was restored", duration(summary.saved_ms)))
}

/// A run that was to build what changes reach had nothing to build.
pub(super) fn nothing_reached(wanted: &[String], changes: &Changes) -> String {
    let files = match changes.paths.len() {
        0 => "no file".to_owned(),
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let (wanted, by) = (wanted.join(" "), changes.by.join(" "));
    one_line(&format!(
        "nothing to do: {files} changed ({by}), and no task of {wanted} can be reached"
    ))
}

/// What running at once was worth; none where it was worth nothing or the run was too short or
/// too small to tell.
pub(super) fn speed_up(summary: &Summary, asked: bool) -> Option<String> {
    let Counts { ran, failed, cancelled, .. } = summary.counts;
    let (work, wall) = (summary.work_ms, summary.wall_ms);
    let told = ran + failed + cancelled > 1
        && !summary.dry_run
        && wall >= if asked { SPEED_UP_WALL_MS } else { UNASKED_WALL_MS }
        && work.saturating_mul(10) >= wall.saturating_mul(11);
    told.then(|| {
        let path = &summary.critical_path;
        let mut text =
            format!("speed-up {:.1}× ({} of work", work as f64 / wall as f64, duration(work));
        if !path.is_empty() {
            let sum = path.iter().map(|step| step.duration_ms).sum();
            let _ = write!(text, "; critical path {}: {}", duration(sum), chain(path));
        }
        text + ")"
    })
}

/// The names along the critical path; of a long one the two ends.
pub fn chain(path: &[Step]) -> String {
    let name = |step: &Step| one_line(&step.task);
    let mut names: Vec<String> = Vec::new();
    if path.len() <= 2 * PATH_ENDS {
        names.extend(path.iter().map(name));
    } else {
        names.extend(path[..PATH_ENDS].iter().map(name));
        names.push(format!("… {} more …", path.len() - 2 * PATH_ENDS));
        names.extend(path[path.len() - PATH_ENDS..].iter().map(name));
    }
    names.join(" → ")
}

/// `timed out after 20m00s: app and test were still at work`.
pub(super) fn out_of_time(time: &TimedOut) -> String {
    let after = duration(time.after_ms);
    let names: Vec<String> = time.running.iter().take(MOST_RUNNING).map(|n| one_line(n)).collect();
    let more = time.running.len() - names.len();
    match (&names[..], more) {
        ([], _) => format!("timed out after {after}: no task was at work"),
        ([name], 0) => format!("timed out after {after}: {name} was still at work"),
        ([names @ .., last], 0) => {
            format!("timed out after {after}: {} and {last} were still at work", names.join(", "))
        }
        (names, more) => {
            let names = names.join(", ");
            format!("timed out after {after}: {names} and {more} more were still at work")
        }
    }
}

/// That `taskr watch` waits.
pub(super) fn waiting(files: usize, folders: usize) -> String {
    let many = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let (files, folders) = (many(files, "file"), many(folders, "folder"));
    format!("watching {files} in {folders}; Ctrl-C ends")
}

/// Edits that are named in a line.
const MOST_EDITS: usize = 3;

/// Why another run begins.
pub(super) fn woken(edits: &[Edit]) -> String {
    let named: Vec<String> = edits.iter().take(MOST_EDITS).map(ToString::to_string).collect();
    let more = match edits.len().saturating_sub(MOST_EDITS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}: building again", named.join(", "))
}

/// `interrupted by SIGINT`.
pub(super) fn interrupted(signal: i32) -> String {
    match signal_name(signal) {
        Some(name) => format!("interrupted by {name}"),
        None => format!("interrupted by signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            (0, "0.00s"),
            (34, "0.03s"),
            (94, "0.09s"),
            (95, "0.1s"),
            (340, "0.3s"),
            (949, "0.9s"),
            (950, "1.0s"),
            (1_249, "1.2s"),
            (31_400, "31.4s"),
            (59_949, "59.9s"),
            (59_950, "1m00s"),
            (75_000, "1m15s"),
            (3_599_499, "59m59s"),
            (3_599_500, "1h00m"),
            (7_500_000, "2h05m"),
        ];
        for (ms, text) in table {
            assert_eq!(duration(ms), text, "{ms} ms");
        }
        assert!(duration(u64::MAX).ends_with('m'));
    }

    #[test]
    fn text_from_outside_stays_on_its_line() {
        let table = [
            ("src/a b.c", "src/a b.c"),
            ("\u{e4}\u{65}\u{301}'\"\\", "\u{e4}\u{65}\u{301}'\"\\"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\x1b[2J\x07\x7f", "\\u{1b}[2J\\u{7}\\u{7f}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("gnp\u{202e}cod.exe", "gnp\\u{202e}cod.exe"),
        ];
        for (text, line) in table {
            assert_eq!(one_line(text), line);
            assert_eq!(one_line(line), line, "twice changes nothing");
        }
    }

    #[test]
    fn a_text_is_cut_to_columns() {
        let table = [
            ("socket.c", 8, "socket.c"),
            ("socket.c", 7, "socket…"),
            ("socket.c", 1, "…"),
            ("socket.c", 0, ""),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("\u{2764}\u{fe0f}\u{2764}\u{fe0f}", 3, "\u{2764}\u{fe0f}…"),
            ("e\u{301}e\u{301}e", 2, "e\u{301}…"),
        ];
        for (text, width, short) in table {
            assert_eq!(cut(text, width), short, "{text:?} {width}");
        }
    }

    fn summary(counts: Counts) -> Summary {
        Summary { counts, wall_ms: 9_800, jobs: 4, ..Summary::default() }
    }

    #[test]
    fn counts_leave_out_what_is_nought() {
        let all = Counts {
            tasks: 26,
            fresh: 1,
            restored: 5,
            ran: 2,
            failed: 3,
            skipped: 4,
            cancelled: 11,
        };
        let mut moved = summary(Counts { tasks: 3, failed: 3, ..Counts::default() });
        moved.unstable = 2;
        let mut dry = summary(Counts { tasks: 3, fresh: 1, ran: 2, ..Counts::default() });
        dry.dry_run = true;
        let mut stopped = summary(Counts::default());
        stopped.signal = Some(2);
        let table = [
            (
                summary(all),
                "26 tasks: 1 fresh, 5 restored, 2 ran, 3 failed, 4 skipped, 11 cancelled   in 9.8s \
                 with -j4",
            ),
            (
                summary(Counts { tasks: 1, ran: 1, ..Counts::default() }),
                "1 task: 1 ran   in 9.8s with -j4",
            ),
            (
                summary(Counts { tasks: 12, fresh: 12, ..Counts::default() }),
                "12 tasks up to date in 9.8s",
            ),
            (moved, "3 tasks: 1 failed, 2 unstable   in 9.8s with -j4"),
            (dry, "3 tasks: 1 fresh, 2 would run"),
            (stopped, "0 tasks   in 9.8s with -j4"),
        ];
        for (summary, text) in table {
            assert_eq!(totals(&summary), text);
        }
    }

    fn steps(names: &[&str]) -> Vec<Step> {
        names.iter().map(|name| Step { task: (*name).to_owned(), duration_ms: 100 }).collect()
    }

    #[test]
    fn a_speed_up_is_told_where_there_is_one() {
        let of = |ran, wall_ms, work_ms, path: &[&str]| {
            let counts = Counts { tasks: ran, ran, ..Counts::default() };
            let critical_path = steps(path);
            Summary { counts, wall_ms, work_ms, critical_path, ..Summary::default() }
        };
        let told =
            |ran, wall_ms, work_ms, path: &[&str]| speed_up(&of(ran, wall_ms, work_ms, path), true);
        assert_eq!(
            told(3, 300, 900, &["a", "b\x1b"]).as_deref(),
            Some("speed-up 3.0× (0.9s of work; critical path 0.2s: a → b\\u{1b})")
        );
        assert_eq!(told(2, 1_000, 1_100, &[]).as_deref(), Some("speed-up 1.1× (1.1s of work)"));
        assert_eq!(told(1, 300, 900, &["a"]), None, "one task");
        assert_eq!(told(2, 1_000, 1_099, &["a"]), None, "one after another");
        assert_eq!(told(2, 99, 900, &["a"]), None, "too short");
        let unasked = |wall_ms| speed_up(&of(3, wall_ms, 3_000, &[]), false);
        assert_eq!(unasked(999), None);
        assert_eq!(unasked(1_000).as_deref(), Some("speed-up 3.0× (3.0s of work)"));
    }

    #[test]
    fn a_long_chain_is_told_by_its_ends() {
        assert_eq!(chain(&steps(&["a", "b", "c", "d", "e", "f"])), "a → b → c → d → e → f");
        let long = chain(&steps(&["a", "b", "c", "d", "e", "f", "g"]));
        assert_eq!(long, "a → b → c → … 1 more … → e → f → g");
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(interrupted(2), "interrupted by SIGINT");
        assert_eq!(interrupted(15), "interrupted by SIGTERM");
        assert_eq!(interrupted(99), "interrupted by signal 99");
    }
}
