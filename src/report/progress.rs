//! What a run does at this moment: how many tasks ended how, which ones run and since when.
//!
//! Knows events and the clock. Makes the rows of the status line and the text of the progress
//! file of it; it writes neither.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::words::{cut, cut_middle, duration, one_line};
use crate::ids::TaskId;
use crate::outcome::{Event, Finish};

/// A task must have run for this long before anything moves on the screen.
const SHOWN_AFTER: Duration = Duration::from_millis(100);

/// A run that starts nothing but reads many files shows from then on that it lives.
const SHOWN_ANYWAY_AFTER: Duration = Duration::from_secs(1);

/// The status takes at most this part of the screen's height.
const PART_OF_SCREEN: usize = 3;

/// A run up to now. Changes only by [`Progress::hear`].
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    first_start: Option<Instant>,
    run_id: String,
    dry: bool,
    over: bool,
    tasks: usize,
    fresh: usize,
    restored: usize,
    ran: usize,
    failed: usize,
    unstable: usize,
    /// Skipped and cancelled.
    others: usize,
    /// Oldest first.
    running: Vec<Running>,
    /// Services that are up.
    services: Vec<Serving>,
    /// The start of the first task or service.
    first_sign: Option<Instant>,
    /// Counts what changed.
    version: u64,
}

#[derive(Debug)]
struct Running {
    id: TaskId,
    /// Fit for a terminal.
    name: String,
    since: Instant,
}

#[derive(Debug)]
struct Serving {
    service: Running,
    /// Whether the user asked for it.
    named: bool,
}

impl Running {
    fn new(id: TaskId, name: &str, since: Instant) -> Running {
        Running { id, name: one_line(name), since }
    }
}

impl Progress {
    /// Nothing has begun.
    pub(super) fn new() -> Progress {
        Progress {
            begun: Instant::now(),
            first_start: None,
            run_id: String::new(),
            dry: false,
            over: false,
            tasks: 0,
            fresh: 0,
            restored: 0,
            ran: 0,
            failed: 0,
            unstable: 0,
            others: 0,
            running: Vec::new(),
            services: Vec::new(),
            first_sign: None,
            version: 0,
        }
    }

    /// Takes in what happened. Output of tasks and warnings change nothing.
    pub(super) fn hear(&mut self, event: &Event<'_>) {
        match *event {
            Event::RunStarted { tasks, fresh, run_id, dry_run, .. } => {
                let run_id = run_id.to_owned();
                *self = Progress { tasks, fresh, run_id, dry: dry_run, ..Progress::new() };
            }
            Event::TaskStarted { task, .. } | Event::TaskRestoring { task, .. } => {
                let now = Instant::now();
                self.first_start.get_or_insert(now);
                self.first_sign.get_or_insert(now);
                if self.running.iter().all(|running| running.id != task.id) {
                    self.running.push(Running::new(task.id, task.name, now));
                }
            }
            Event::TaskFinished { task, finish, .. } => {
                self.running.retain(|running| running.id != task.id);
                match finish {
                    Finish::Group => {}
                    Finish::Fresh => self.fresh += 1,
                    Finish::Restored | Finish::WouldRestore => self.restored += 1,
                    Finish::Ran | Finish::WouldRun => self.ran += 1,
                    Finish::Failed => self.failed += 1,
                    Finish::Unstable => self.unstable += 1,
                    Finish::Skipped | Finish::WhenFalse | Finish::Cancelled => self.others += 1,
                }
            }
            Event::ServiceStarted { task, named, .. } | Event::ServiceKept { task, named } => {
                let now = Instant::now();
                self.first_sign.get_or_insert(now);
                let service = Running::new(task.id, task.name, now);
                self.services.push(Serving { service, named });
            }
            Event::ServiceEnded { task, .. } => {
                self.services.retain(|serving| serving.service.id != task.id);
            }
            Event::RunFinished { .. } => self.over = true,
            Event::TaskReady { .. }
            | Event::ServiceReady { .. }
            | Event::ServiceRestarts { .. }
            | Event::TaskOutput { .. }
            | Event::TaskRetrying { .. }
            | Event::Stage { .. }
            | Event::Sums { .. }
            | Event::TaskRolledBack { .. }
            | Event::TerminalGiven { .. }
            | Event::Waiting { .. }
            | Event::Woken { .. }
            | Event::Warning { .. } => return,
        }
        self.version += 1;
    }

    /// Another number means that something else is to be told.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether the run has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Whether a task has started and been given `time` since.
    fn has_run_for(&self, time: Duration, now: Instant) -> bool {
        let since = self.first_start.filter(|_| !self.dry && !self.over);
        since.is_some_and(|since| now.duration_since(since) >= time)
    }

    /// Whether a task or a service has started and been given `time` since.
    pub(super) fn is_of_interest(&self, time: Duration, now: Instant) -> bool {
        let since = self.first_sign.filter(|_| !self.dry && !self.over);
        since.is_some_and(|since| now.duration_since(since) >= time)
    }

    /// Nothing is left but services, which go on until the user ends them: nothing to wait for.
    fn only_serves(&self) -> bool {
        let (fresh, failed) = (self.fresh + self.restored, self.failed + self.unstable);
        let ended = fresh + self.ran + failed + self.others;
        let named = self.services.iter().filter(|serving| serving.named).count();
        named > 0 && self.running.is_empty() && ended + named >= self.tasks
    }

    /// The status of a screen of so many columns and rows, narrower than the screen; no row if
    /// there is nothing to show. No row holds a control character.
    pub(super) fn rows(&self, columns: usize, rows: usize, now: Instant) -> Vec<String> {
        let long = now.duration_since(self.begun) >= SHOWN_ANYWAY_AFTER && self.tasks > 0;
        let shown = self.has_run_for(SHOWN_AFTER, now) || (long && !self.dry && !self.over);
        if !shown || columns < 2 || self.only_serves() {
            return Vec::new();
        }
        let width = columns - 1;
        let room = (rows / PART_OF_SCREEN).max(1) - 1;
        let named = match self.running.len() {
            running if running <= room => running,
            _ => room.saturating_sub(1),
        };
        let mut text = self.task_rows(named, width, now);
        if room > 0 && named < self.running.len() {
            text.push(cut(&format!("  and {} more", self.running.len() - named), width));
        }
        text.push(self.counts(width, now));
        text
    }

    fn task_rows(&self, named: usize, width: usize, now: Instant) -> Vec<String> {
        let since = |running: &Running| duration(millis(now.duration_since(running.since)));
        let shown = &self.running[..named];
        let longest = shown.iter().map(|running| running.name.width()).max().unwrap_or(0);
        let time = shown.iter().map(|running| since(running).len()).max().unwrap_or(0);
        // Two spaces before the name and two behind it. A name without a time says more than a
        // time without a name.
        let names = longest.min(width.saturating_sub(time + 4));
        let row = |running: &Running| match names {
            0..8 if names < longest => cut(&format!("  {}", running.name), width),
            _ => {
                let name = cut_middle(&running.name, names);
                let fill = " ".repeat(names.saturating_sub(name.width()));
                format!("  {name}{fill}  {:>time$}", since(running))
            }
        };
        shown.iter().map(row).collect()
    }

    /// The last row: the longest form that fits.
    fn counts(&self, width: usize, now: Instant) -> String {
        let Progress { tasks, fresh, restored, ran, failed, unstable, others, .. } = self;
        let ended = fresh + restored + ran + failed + unstable + others;
        let elapsed = duration(millis(now.duration_since(self.begun)));
        // Of services that were not asked for only failures are told.
        let tasks = ended.max(*tasks);
        let place = format!(" [{ended}/{tasks}]");
        let if_any = |count: usize, word: &str| match count {
            0 => String::new(),
            count => format!(" · {count} {word}"),
        };
        let (restored, unstable) = (if_any(*restored, "restored"), if_any(*unstable, "unstable"));
        let forms = [
            format!(
                "{place} {fresh} fresh{restored} · {ran} ran · {failed} failed{unstable}  \
                 elapsed {elapsed}"
            ),
            format!("{place} {ran} ran · {failed} failed  {elapsed}"),
            format!("{place} {failed} failed  {elapsed}"),
            format!("{place} {elapsed}"),
        ];
        let fits = forms.iter().find(|form| form.width() <= width);
        fits.cloned().unwrap_or_else(|| cut(&format!("{ended}/{tasks}"), width))
    }

    /// What the progress file holds, as one line. Times are milliseconds since 1970.
    pub(super) fn json(&self, command: &str, now: Instant) -> String {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        let at = |then: Instant| unix.saturating_sub(millis(now.duration_since(then)));
        let running =
            |running: &Running| json!({"task": running.name, "started_ms": at(running.since)});
        let services = self.services.iter();
        let value = json!({
            "v": 1,
            "run": self.run_id,
            "pid": std::process::id(),
            "command": one_line(command),
            "started_ms": at(self.begun),
            "counts": {
                "tasks": self.tasks,
                "fresh": self.fresh,
                "restored": self.restored,
                "ran": self.ran,
                "failed": self.failed + self.unstable,
                "skipped_or_cancelled": self.others,
            },
            "running": self.running.iter().map(running).collect::<Vec<_>>(),
            "services": services.map(|serving| running(&serving.service)).collect::<Vec<_>>(),
        });
        format!("{value}\n")
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;
    use crate::outcome::{Course, TaskRef};

    fn task(id: usize, name: &str) -> TaskRef<'_> {
        TaskRef { id: TaskId::from_index(id), name }
    }

    fn start(progress: &mut Progress, id: usize, name: &str) {
        let task = task(id, name);
        let (reasons, key) = (&[][..], None);
        progress.hear(&Event::TaskStarted { task, reasons, key, command: "", at_ms: 0 });
    }

    fn end(progress: &mut Progress, id: usize, finish: &Finish) {
        progress.hear(&Event::TaskFinished {
            task: task(id, "x"),
            finish,
            duration_ms: 0,
            saved_ms: None,
            exit_code: None,
            course: Course::default(),
            outputs: &[],
            fixed: &[],
            checkup: None,
            log: None,
            failure: None,
            because: None,
            at_ms: 0,
        });
    }

    /// Three tasks of nine run, the first two seconds longer than the others; the status is asked
    /// for after 3.2 s.
    fn some(dry_run: bool) -> (Progress, Instant) {
        let mut progress = Progress::new();
        let (wanted, run_id) = (&[][..], "r");
        progress.hear(&Event::RunStarted {
            wanted,
            tasks: 9,
            fresh: 0,
            jobs: 3,
            run_id,
            dry_run,
            changes: None,
        });
        for finish in [Finish::Fresh, Finish::Fresh, Finish::Ran, Finish::Failed, Finish::Group] {
            end(&mut progress, 100, &finish);
        }
        start(&mut progress, 1, "obj@src/net/socket.c");
        start(&mut progress, 2, "obj@日本語.c");
        start(&mut progress, 3, "odd\x1b[2J");
        let begun = progress.begun;
        for (number, running) in progress.running.iter_mut().enumerate() {
            running.since = begun + Duration::from_secs(if number == 0 { 0 } else { 2 });
        }
        progress.first_start = Some(begun);
        (progress, begun + Duration::from_millis(3_200))
    }

    #[test]
    fn rows_fit_their_screen() {
        let (progress, now) = some(false);
        let wide = [
            "  obj@src/net/socket.c  3.2s",
            "  obj@日本語.c          1.2s",
            "  odd\\u{1b}[2J          1.2s",
            " [4/9] 2 fresh · 1 ran · 1 failed  elapsed 3.2s",
        ];
        assert_eq!(progress.rows(80, 24, now), wide);
        let narrow = ["  obj@src/…ocket.c  3.2s", "  obj@日本語.c      1.2s"];
        assert_eq!(progress.rows(25, 24, now)[..2], narrow);
        assert_eq!(progress.rows(25, 24, now)[3], " [4/9] 1 failed  3.2s");
        assert_eq!(progress.rows(10, 24, now)[0], "  obj@sr…");
        assert_eq!(progress.rows(10, 24, now)[3], "4/9");
        let low = ["  obj@src/net/socket.c  3.2s", "  and 2 more", wide[3]];
        assert_eq!(progress.rows(80, 9, now), low);
        assert_eq!(progress.rows(80, 6, now), ["  and 3 more", wide[3]]);
        assert_eq!(progress.rows(80, 2, now), [wide[3]]);
        for columns in 0..60 {
            for row in progress.rows(columns, 24, now) {
                assert!(row.width() < columns, "{columns}: {row:?}");
                assert!(!row.contains(char::is_control), "{row:?}");
            }
        }
    }

    /// A server until Ctrl-C is nothing to count down to.
    #[test]
    fn services_alone_show_nothing() {
        let (mut progress, now) = some(false);
        for id in 10..15 {
            let task = task(id, "web");
            let named = id != 14;
            progress.hear(&Event::ServiceStarted { task, command: "", named, at_ms: 0 });
        }
        for id in [1, 2] {
            end(&mut progress, id, &Finish::Ran);
            assert!(!progress.rows(80, 24, now).is_empty(), "tasks still run");
        }
        end(&mut progress, 3, &Finish::Ran);
        assert!(progress.rows(80, 24, now).is_empty());
        let gone = |id| Event::ServiceEnded {
            task: task(id, "web"),
            exit_code: None,
            duration_ms: 0,
            at_ms: 0,
        };
        (10..15).for_each(|id| progress.hear(&gone(id)));
        assert!(!progress.rows(80, 24, now).is_empty());
    }

    /// Names whose width is not the sum of their characters' widths.
    #[test]
    fn rows_of_odd_names_fit_too() {
        for name in
            ["\u{2764}\u{fe0f}", "\u{1f469}\u{200d}\u{1f4bb}", "\u{1f1e9}\u{1f1ea}", "e\u{301}"]
        {
            let (mut progress, now) = some(false);
            start(&mut progress, 4, &name.repeat(30));
            progress.first_start = Some(progress.begun);
            for columns in 0..90 {
                for row in progress.rows(columns, 24, now) {
                    assert!(row.width() < columns, "{columns}: {row:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_shown_before_its_time() {
        let (mut progress, now) = some(false);
        progress.first_start = Some(now);
        progress.begun = now;
        assert!(progress.rows(80, 24, now + Duration::from_millis(99)).is_empty());
        assert!(!progress.rows(80, 24, now + Duration::from_millis(100)).is_empty());
        progress.first_start = None;
        assert!(progress.rows(80, 24, now + Duration::from_millis(999)).is_empty());
        assert!(!progress.rows(80, 24, now + Duration::from_millis(1000)).is_empty());
        progress.hear(&Event::RunFinished { run_id: "r", summary: &Default::default() });
        assert!(progress.rows(80, 24, now + Duration::from_secs(5)).is_empty());
        let (dry, now) = some(true);
        assert!(dry.rows(80, 24, now).is_empty());
    }

    #[test]
    fn tasks_leave_and_keep_their_order() {
        let (mut progress, now) = some(false);
        end(&mut progress, 1, &Finish::Unstable);
        let rows = progress.rows(80, 24, now);
        assert_eq!(rows.len(), 3);
        assert!(rows[0].starts_with("  obj@日本語.c"));
        assert_eq!(rows[2], " [5/9] 2 fresh · 1 ran · 1 failed · 1 unstable  elapsed 3.2s");
        // Services that nobody asked for, and that failed.
        (20..26).for_each(|id| end(&mut progress, id, &Finish::Failed));
        let rows = progress.rows(80, 24, now);
        assert!(rows[2].starts_with(" [11/11] "), "{rows:?}");
    }
}
