//! Sequences of events against the exact text of [`Lines`].

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use taskr_cache::Digest;

use super::{Lines, Listener, Mode, Options};
use crate::ids::{Id, TaskId};
use crate::outcome::{
    Because, Change, Counts, Course, Event, Failure, Finish, Reason, Summary, TaskRef,
};

/// Tells events in short words. Tasks are known by their names' first letters: `a`, `b`, …
struct Stage<'w> {
    listener: &'w mut dyn Listener,
}

fn task(name: &str) -> TaskRef<'_> {
    let id = name.bytes().next().map_or(0, usize::from);
    TaskRef { id: TaskId::from_index(id), name }
}

fn changed(path: &str) -> Reason {
    Reason::Input(path.into(), Change::Content)
}

fn failure(what: &str, tail: &[u8]) -> Failure {
    Failure {
        what: what.to_owned(),
        command: "cc -o app".to_owned(),
        tail: tail.to_vec(),
        log: b".taskr/tasks/app/log".to_vec(),
        wrong: None,
    }
}

impl Stage<'_> {
    fn begin(&mut self, tasks: usize, dry_run: bool) {
        let wanted = &["all".to_owned()];
        self.listener.event(&Event::RunStarted {
            wanted,
            tasks,
            fresh: 0,
            jobs: 4,
            run_id: "r1",
            dry_run,
            changes: None,
        });
    }

    fn start(&mut self, name: &str) {
        self.start_because(name, &[changed("src/a.c")]);
    }

    fn start_because(&mut self, name: &str, reasons: &[Reason]) {
        self.listener.event(&Event::TaskReady { task: task(name) });
        self.listener.event(&Event::TaskStarted {
            task: task(name),
            reasons,
            key: Some(Digest::from_bytes([0xab; 32])),
            command: "cc -c x.c\necho done",
            at_ms: 1,
        });
    }

    fn out(&mut self, name: &str, bytes: &[u8]) {
        self.listener.event(&Event::TaskOutput { task: task(name), bytes });
    }

    fn end(&mut self, name: &str, finish: &Finish) {
        self.end_with(name, finish, None, None);
    }

    fn fail(&mut self, name: &str, failure: &Failure) {
        self.end_with(name, &Finish::Failed, Some(failure), None);
    }

    fn end_with(
        &mut self,
        name: &str,
        finish: &Finish,
        failure: Option<&Failure>,
        log: Option<&Path>,
    ) {
        let ran = matches!(finish, Finish::Ran | Finish::Failed | Finish::Unstable);
        self.listener.event(&Event::TaskFinished {
            task: task(name),
            finish,
            duration_ms: if ran { 300 } else { 0 },
            saved_ms: (*finish == Finish::Restored).then_some(1_500),
            exit_code: None,
            course: Course::default(),
            outputs: &[],
            fixed: &[],
            checkup: None,
            log,
            failure,
            because: (*finish == Finish::Skipped).then_some(Because::Needs("app")),
            at_ms: 2,
        });
    }

    fn warn(&mut self, name: Option<&str>, message: &str) {
        self.listener.event(&Event::Warning { task: name.map(task), message });
    }

    fn close(&mut self, summary: &Summary) {
        self.listener.event(&Event::RunFinished { run_id: "r1", summary });
    }
}

/// A stage for text: what it wrote on both streams.
fn told(options: Options, play: impl FnOnce(&mut Stage<'_>)) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut lines = Lines::new(options, &mut out, &mut err);
    play(&mut Stage { listener: &mut lines });
    assert!(!lines.broken());
    drop(lines);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("this test writes text");
    (text(out), text(err))
}

fn options(mode: Mode, verbosity: i8) -> Options {
    Options { mode, verbosity, ..Options::default() }
}

fn summary(counts: Counts) -> Summary {
    Summary { counts, wall_ms: 9_800, work_ms: 600, jobs: 4, ..Summary::default() }
}

/// Two tasks side by side, one of which fails, and one that the failure keeps from running.
fn mixed(stage: &mut Stage<'_>) {
    stage.begin(4, false);
    stage.end("fresh", &Finish::Fresh);
    stage.start("app");
    stage.start("book");
    stage.out("app", b"app 1\napp");
    stage.out("book", b"book 1\n");
    stage.out("app", b" 2");
    stage.end("book", &Finish::Ran);
    stage.fail("app", &failure("exit 1", b"app 1\napp 2"));
    stage.end("check", &Finish::Skipped);
    stage.end("all", &Finish::Group);
    stage.close(&summary(Counts {
        tasks: 4,
        fresh: 1,
        ran: 1,
        failed: 1,
        skipped: 1,
        ..Counts::default()
    }));
}

const MIXED_FAILURE: &str = "\
✗ app  failed after 0.3s: exit 1
  cc -o app
  | app 1
  | app 2
  log: .taskr/tasks/app/log
";

const MIXED_END: &str = "\
- check  skipped: app failed

4 tasks: 1 fresh, 1 ran, 1 failed, 1 skipped   in 9.8s with -j4
";

#[test]
fn each_mode_shows_its_output() {
    let brief = "✗ app  failed   log: .taskr/tasks/app/log\n";
    let grouped = "\
book:
book 1
[1/3] book  0.3s
app:
app 1
app 2
[2/3] app  failed after 0.3s: exit 1
  cc -o app
";
    let stream = "\
started app
started book
app | app 1
book | book 1
completed book in 0.3s
app | app 2
failed app after 0.3s: exit 1
  cc -o app
";
    let failed = "\
[1/3] book  0.3s
app:
app 1
app 2
[2/3] app  failed after 0.3s: exit 1
  cc -o app
";
    let none = "\
[1/3] book  0.3s
[2/3] app  failed after 0.3s: exit 1
";
    let table = [
        (Mode::Grouped, grouped, brief),
        (Mode::Stream, stream, brief),
        (Mode::Failed, failed, brief),
        (Mode::None, none, MIXED_FAILURE),
    ];
    for (mode, text, failure) in table {
        let (out, err) = told(options(mode, 0), mixed);
        assert_eq!(out, format!("{text}\n{failure}{MIXED_END}"), "{mode:?}");
        assert_eq!(err, "");
        let quiet = told(options(mode, -1), mixed);
        assert_eq!(quiet, (MIXED_FAILURE.to_owned(), String::new()), "{mode:?}, quiet");
    }
}

#[test]
fn a_task_alone_is_shown_as_it_writes() {
    let (mut out, mut err) = (Shared::default(), Shared::default());
    let (seen, warned) = (out.clone(), err.clone());
    let mut lines = Lines::new(Options::default(), &mut out, &mut err);
    let mut stage = Stage { listener: &mut lines };
    stage.begin(2, false);
    stage.start("app");
    assert_eq!(seen.text(), "");
    stage.out("app", b"one\ntw");
    assert_eq!(seen.text(), "app:\none\ntw");
    stage.start("book");
    stage.out("book", b"from book");
    stage.out("app", b"o\nthr");
    assert_eq!(seen.text(), "app:\none\ntwo\nthr");
    stage.end("book", &Finish::Ran);
    stage.out("app", b"ee");
    stage.warn(Some("app"), "something");
    stage.out("app", b"\nfour");
    stage.end("app", &Finish::Ran);
    assert_eq!(
        seen.text(),
        "app:\none\ntwo\nthr\nbook:\nfrom book\n[1/2] book  0.3s\napp:\nee\napp:\n\nfour\n[2/2] app  0.3s\n"
    );
    assert_eq!(warned.text(), "warning: app: something\n");
}

#[test]
fn a_task_that_has_become_alone_goes_live_with_what_it_held() {
    let (out, _) = told(options(Mode::Grouped, 1), |stage| {
        stage.begin(2, false);
        stage.start("app");
        stage.start("book");
        stage.out("app", b"held ");
        stage.end("book", &Finish::Ran);
        stage.out("app", b"live\n");
        stage.end("app", &Finish::Ran);
    });
    let why = "  because src/a.c changed\n";
    assert_eq!(out, format!("[1/2] book  0.3s\n{why}app:\n{why}held live\n[2/2] app  0.3s\n"));
}

#[test]
fn a_task_tried_again_says_why_and_goes_on() {
    let (out, _) = told(options(Mode::Grouped, 1), |stage| {
        stage.begin(2, false);
        stage.start("app");
        stage.out("app", b"first");
        stage.start_because("app", &[Reason::Moved(b"x.py".to_vec())]);
        stage.out("app", b"second");
        stage.end("app", &Finish::Ran);
    });
    assert_eq!(
        out,
        "app:\n  because src/a.c changed\nfirst\n\
         app:\n  because x.py changed while it ran\nsecond\n[1/2] app  0.3s\n"
    );
}

#[test]
fn a_long_output_comes_back_from_its_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = dir.path().join("log");
    let whole: String = (0..40_000).map(|number| format!("line {number}\n")).collect();
    fs::write(&log, &whole).expect("a log");
    let play = |log: &Path| {
        told(Options::default(), |stage| {
            stage.begin(2, false);
            stage.start("app");
            stage.start("book");
            for piece in whole.as_bytes().chunks(10_000) {
                stage.out("app", piece);
            }
            stage.end("book", &Finish::Ran);
            stage.out("app", b"");
            stage.end_with("app", &Finish::Ran, None, Some(log));
        })
    };
    let (before, after) = ("[1/2] book  0.3s\napp:\n", "[2/2] app  0.3s\n");
    assert_eq!(play(&log), (format!("{before}{whole}{after}"), String::new()));
    let (out, err) = play(&dir.path().join("absent"));
    assert_eq!(out, format!("{before}{}\n{after}", whole[..64 * 1024].trim_end()));
    assert_eq!(err, "warning: app: the rest of its output cannot be read back from its log\n");
}

#[test]
fn stream_completes_lines_and_breaks_endless_ones() {
    let (out, _) = told(options(Mode::Stream, 0), |stage| {
        stage.begin(1, false);
        stage.start("app");
        stage.out("app", b"a\n\nb");
        stage.out("app", &[b'x'; 64 * 1024]);
        stage.out("app", b"rest");
        stage.start("app");
        stage.out("app", b"again");
        stage.end("app", &Finish::Cancelled);
    });
    let long = "x".repeat(64 * 1024);
    assert_eq!(
        out,
        format!(
            "started app\napp | a\napp | \napp | b{long}\napp | rest\nstarted app\napp | again\n\
             cancelled app\n"
        )
    );
}

#[test]
fn reasons_then_key_and_command() {
    let many: Vec<Reason> = (0..7).map(|number| changed(&format!("{number}.c"))).collect();
    let play = |mode, verbosity| {
        told(options(mode, verbosity), |stage| {
            stage.begin(1, false);
            stage.start_because("app", &many);
            stage.end("app", &Finish::Ran);
        })
        .0
    };
    let why: String = (0..5).map(|number| format!("  because {number}.c changed\n")).collect();
    let why = why + "  and 2 more\n";
    let how = format!("  key {}\n  cc -c x.c\n  echo done\n", "ab".repeat(32));
    assert_eq!(play(Mode::Grouped, 0), "[1/1] app  0.3s\n");
    assert_eq!(play(Mode::Grouped, 1), format!("[1/1] app  0.3s\n{why}"));
    assert_eq!(play(Mode::Grouped, 2), format!("[1/1] app  0.3s\n{why}{how}"));
    assert_eq!(play(Mode::Stream, 1), format!("started app\n{why}completed app in 0.3s\n"));
}

#[test]
fn a_dry_run_says_what_would_run() {
    let play = |verbosity| {
        told(options(Mode::Grouped, verbosity), |stage| {
            stage.begin(3, true);
            stage.end("fresh", &Finish::Fresh);
            stage.start("app");
            stage.end("app", &Finish::WouldRun);
            stage.start_because("book", &[Reason::NoRecord, changed("x"), changed("y")]);
            stage.end("book", &Finish::WouldRun);
            let counts = Counts { tasks: 3, fresh: 1, ran: 2, ..Counts::default() };
            stage.close(&Summary { dry_run: true, ..summary(counts) });
        })
        .0
    };
    let app = "would run app: src/a.c changed\n";
    let book = "would run book: it has no result yet (and 2 more)\n";
    let end = "3 tasks: 1 fresh, 2 would run\n";
    let how = "  cc -c x.c\n  echo done\n";
    assert_eq!(play(0), format!("{app}{book}{end}"));
    assert_eq!(play(1), format!("{app}{how}{book}{how}{end}"));
    assert_eq!(play(-1), "");
}

#[test]
fn nothing_to_do_is_one_line_and_quiet_none() {
    let play = |verbosity| {
        told(options(Mode::Grouped, verbosity), |stage| {
            stage.begin(2, false);
            stage.end("app", &Finish::Fresh);
            stage.end("book", &Finish::Fresh);
            let counts = Counts { tasks: 2, fresh: 2, ..Counts::default() };
            stage.close(&Summary { wall_ms: 20, ..summary(counts) });
        })
    };
    assert_eq!(play(0), ("2 tasks up to date in 0.02s\n".to_owned(), String::new()));
    assert_eq!(play(-1), (String::new(), String::new()));
}

#[test]
fn a_signal_is_told_last_and_warnings_go_to_the_other_stream() {
    for verbosity in [-1, 0] {
        let (out, err) = told(options(Mode::Grouped, verbosity), |stage| {
            stage.begin(1, false);
            stage.start("app");
            stage.end("app", &Finish::Cancelled);
            stage.warn(None, "odd");
            let counts = Counts { tasks: 1, cancelled: 1, ..Counts::default() };
            stage.close(&Summary { signal: Some(2), ..summary(counts) });
        });
        let more = "[1/1] app  cancelled\n1 task: 1 cancelled   in 9.8s with -j4\n";
        let more = if verbosity < 0 { "" } else { more };
        assert_eq!(out, format!("{more}interrupted by SIGINT\n"));
        assert_eq!(err, "warning: odd\n");
    }
}

#[test]
fn inputs_that_kept_changing_are_told_as_such() {
    let (out, _) = told(options(Mode::Grouped, 0), |stage| {
        stage.begin(1, false);
        stage.start("app");
        stage.end("app", &Finish::Unstable);
        let counts = Counts { tasks: 1, failed: 1, ..Counts::default() };
        stage.close(&Summary { unstable: 1, ..summary(counts) });
    });
    let words = "app  unstable after 0.3s: its inputs kept changing";
    let end = "1 task: 1 unstable   in 9.8s with -j4";
    assert_eq!(out, format!("[1/1] {words}\n\n✗ app  unstable\n\n{end}\n"));
}

#[test]
fn many_failures_are_told_in_order_and_briefly() {
    let (out, _) = told(options(Mode::None, 0), |stage| {
        stage.begin(100, false);
        for number in 0..12 {
            let failure =
                Failure { log: Vec::new(), ..failure(&format!("exit {number}"), b"tail") };
            stage.fail(&format!("f{number}"), &failure);
        }
        for number in 0..13 {
            stage.end(&format!("s{number}"), &Finish::Skipped);
        }
        stage.close(&summary(Counts { tasks: 25, failed: 12, skipped: 13, ..Counts::default() }));
    });
    let (_, end) = out.split_once("\n\n").expect("a blank line before the summary");
    let mut expected = String::new();
    for number in 0..12 {
        expected += &format!("✗ f{number}  failed after 0.3s: exit {number}\n");
        expected += if number < 10 { "  cc -o app\n  | tail\n" } else { "" };
    }
    for number in 0..10 {
        expected += &format!("- s{number}  skipped: app failed\n");
    }
    expected += "- and 3 more\n\n25 tasks: 12 failed, 13 skipped   in 9.8s with -j4\n";
    assert_eq!(end, expected);
}

#[test]
fn a_failure_is_shown_again_only_if_much_came_between() {
    let play = |between: usize| {
        told(options(Mode::Grouped, 0), |stage| {
            stage.begin(2, false);
            stage.start("app");
            stage.out("app", b"words\n");
            stage.start("book");
            stage.fail("app", &failure("exit 1", b"words\n"));
            for number in 0..between {
                stage.out("book", format!("line {number}\n").as_bytes());
            }
            stage.end("book", &Finish::Ran);
            stage.close(&summary(Counts { tasks: 2, ran: 1, failed: 1, ..Counts::default() }));
        })
        .0
    };
    // The header and the end of `book` are two lines more.
    assert_eq!(play(18).matches("words\n").count(), 1);
    assert!(play(18).contains("\n✗ app  failed   log: .taskr/tasks/app/log\n\n"));
    assert_eq!(play(19).matches("words\n").count(), 2);
    assert!(play(19).contains("\n✗ app  failed after 0.3s: exit 1\n  cc -o app\n  | words\n"));
}

#[test]
fn a_long_script_is_cut_in_the_summary() {
    let command: String = (0..12).map(|number| format!("step {number}\n")).collect();
    let (out, _) = told(options(Mode::Grouped, -1), |stage| {
        stage.begin(1, false);
        stage.fail("app", &Failure { command, ..failure("exit 1", b"") });
        stage.close(&summary(Counts { tasks: 1, failed: 1, ..Counts::default() }));
    });
    assert!(out.contains("  step 9\n  … (all of it: `taskr show --json app`)\n  log: "), "{out}");
}

#[test]
fn a_long_command_is_cut_wherever_it_is_shown() {
    let command = format!("cc {}", "é".repeat(200_000));
    for (mode, verbosity) in
        [(Mode::Grouped, 0), (Mode::Grouped, -1), (Mode::Stream, 0), (Mode::None, 0)]
    {
        let (out, _) = told(options(mode, verbosity), |stage| {
            stage.begin(1, false);
            stage.fail("app", &Failure { command: command.clone(), ..failure("exit 1", b"") });
            stage.close(&summary(Counts { tasks: 1, failed: 1, ..Counts::default() }));
        });
        let line =
            format!("\n  cc {}\n  … (all of it: `taskr show --json app`)\n", "é".repeat(997));
        assert_eq!(out.matches(&line).count(), 1, "{mode:?} {out}");
        assert_eq!(out.matches('é').count(), 997, "{mode:?}");
    }
}

const HOSTILE: &[u8] = b"\x1b[31mred\x1b[2J\x1b]0;t\x07 \xff\r\n";

/// A name, a command, a reason and output that would take a terminal over.
fn hostile(stage: &mut Stage<'_>) {
    stage.begin(2, false);
    stage.start("zz");
    stage.start_because("evil\x1b[2J\n", &[Reason::Variable("V\x1b[H".to_owned())]);
    stage.out("evil\x1b[2J\n", HOSTILE);
    let failure = Failure {
        what: "did not write a\x1b]0;x\x07".to_owned(),
        command: "printf '\x1b[2J'".to_owned(),
        tail: HOSTILE.to_vec(),
        log: b"\xff\x1b/log".to_vec(),
        wrong: None,
    };
    stage.fail("evil\x1b[2J\n", &failure);
    stage.warn(Some("evil\x1b[2J\n"), "odd\x1b[2J");
    stage.close(&summary(Counts { tasks: 2, failed: 1, ..Counts::default() }));
}

#[test]
fn a_terminal_gets_no_control_but_colours() {
    for mode in [Mode::Grouped, Mode::Stream] {
        let options = Options { terminal: true, ..options(mode, 2) };
        let (out, err) = told(options, hostile);
        for (number, line) in (out + &err).lines().enumerate() {
            let rest = line.replace("\x1b[31m", "").replace("\x1b[0m", "");
            assert!(!rest.trim_end_matches('\r').contains(char::is_control), "{number}: {line:?}");
        }
    }
}

#[test]
fn a_file_gets_the_output_byte_for_byte_and_names_escaped() {
    let mut out = Vec::new();
    for verbosity in [1, -1] {
        let mut lines = Lines::new(options(Mode::Grouped, verbosity), &mut out, io::sink());
        hostile(&mut Stage { listener: &mut lines });
    }
    let has = |part: &[u8]| out.windows(part.len()).any(|window| window == part);
    assert!(has(&[&b"V\\u{1b}[H changed\n"[..], HOSTILE].concat()));
    assert!(has(b"[1/2] evil\\u{1b}[2J\\n  failed after 0.3s: did not write a\\u{1b}]0;x\\u{7}\n"));
    assert!(has(&[b"  | ", HOSTILE].concat()));
    assert!(has(b"  printf '\\u{1b}[2J'\n"));
    assert!(has(b"  log: \\xff\\u{1b}/log\n"));
}

#[test]
fn a_colour_left_open_ends_with_its_task() {
    let options = Options { terminal: true, ..Options::default() };
    let (out, _) = told(options, |stage| {
        stage.begin(2, false);
        stage.start("app");
        stage.out("app", b"\x1b[31mred");
        stage.warn(None, "between");
        stage.out("app", b"\x1b[1mbold\n");
        stage.end("app", &Finish::Ran);
    });
    let app = "app:\n\x1b[31mred\x1b[0m\napp:\n\x1b[1mbold\n\x1b[0m[1/2] app  0.3s\n";
    assert_eq!(out, app);
}

#[test]
fn colours_add_nothing_but_colour() {
    for mode in [Mode::Grouped, Mode::Stream] {
        let plain = told(options(mode, 1), mixed);
        let (out, err) = told(Options { colour: true, ..options(mode, 1) }, mixed);
        assert!(out.contains("\x1b["));
        assert_eq!((anstream::adapter::strip_str(&out).to_string(), err), plain);
    }
}

/// A writer whose bytes can be read while `Lines` holds it.
#[derive(Clone, Default)]
struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("this test writes text")
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes so many writes, then its reader is gone.
struct Closing(usize);

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_writer_ends_nothing() {
    for writes in 0..4 {
        let mut err = Vec::new();
        let mut lines = Lines::new(options(Mode::Stream, 2), Closing(writes), &mut err);
        let mut stage = Stage { listener: &mut lines };
        mixed(&mut stage);
        stage.warn(None, "still told");
        assert!(lines.broken());
        drop(lines);
        assert_eq!(err, b"warning: still told\n");
    }
    let mut lines = Lines::new(Options::default(), io::sink(), Closing(0));
    let mut stage = Stage { listener: &mut lines };
    stage.warn(None, "to nobody");
    mixed(&mut stage);
    assert!(!lines.broken(), "only the stream of the build counts");
}

#[test]
fn a_second_run_starts_from_nought() {
    let (out, _) = told(options(Mode::None, 0), |stage| {
        mixed(stage);
        stage.begin(1, false);
        stage.start("app");
        stage.end("app", &Finish::Ran);
        stage.close(&summary(Counts { tasks: 1, ran: 1, ..Counts::default() }));
    });
    assert!(
        out.ends_with(&format!("{MIXED_END}[1/1] app  0.3s\n1 task: 1 ran   in 9.8s with -j4\n"))
    );
}
