//! What moves on a terminal, and what does not: taskr in a pseudo terminal, whose bytes are read
//! and laid out as a terminal would. And what another terminal is told by `status`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::project::{Project, mkfifo, until};

/// Both wait for `go`.
const WAITING: &str = r#"
default = ["slow", "other"]
[target.slow]
inputs = []
run    = "until [ -e ~/go ]; do sleep 0.01; done; echo words"
[target.other]
inputs = []
run    = "until [ -e ~/go ]; do sleep 0.01; done"
"#;

/// A taskr whose three streams are a terminal.
struct Pty {
    child: std::process::Child,
    master: File,
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Ends when nobody holds the terminal any more.
    reader: Option<JoinHandle<()>>,
}

impl Pty {
    fn start(mut command: Command, columns: u16) -> Pty {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a pty");
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a size");
        let name = ptsname(&master, Vec::new()).expect("a name");
        let slave = || {
            let path = name.to_str().expect("text");
            Stdio::from(File::options().read(true).write(true).open(path).expect("the pty"))
        };
        command.stdin(slave()).stdout(slave()).stderr(slave());
        let child = command.spawn().expect("taskr starts");
        // The slave's descriptors in `command` would keep the reader from its end.
        drop(command);
        Pty { child, master: File::from(master), bytes: Arc::default(), reader: None }
    }

    /// Reads from now on.
    fn read(mut self) -> Pty {
        let mut master = self.master.try_clone().expect("a descriptor");
        let bytes = Arc::clone(&self.bytes);
        self.reader = Some(std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(len @ 1..) = master.read(&mut piece) {
                bytes.lock().expect("a lock").extend_from_slice(&piece[..len]);
            }
        }));
        self
    }

    /// Types, as somebody at the terminal.
    fn types(&self, text: &str) {
        (&self.master).write_all(text.as_bytes()).expect("a terminal");
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("a lock")).into_owned()
    }

    /// Waits until the screen looks right.
    #[track_caller]
    fn until(&self, what: &str, looks: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        until(what, || {
            lines = screen(&self.text());
            looks(&lines)
        });
        lines
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .expect("it lives");
    }

    /// Waits for the end and the last bytes. All that was written.
    fn wait(mut self) -> String {
        self.child.wait().expect("an end");
        until("nothing more comes", || self.reader.as_ref().is_none_or(JoinHandle::is_finished));
        self.text()
    }
}

/// The lines on a terminal that got this text; understands what taskr may send and nothing else.
fn screen(text: &str) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\x1b' => {
                let sequence = rest.as_str();
                // A sequence that has not come whole ends what is known.
                let Some(end) = sequence.find(|c: char| c.is_ascii_alphabetic()) else { break };
                rest = sequence[end + 1..].chars();
                match sequence.as_bytes()[end] {
                    b'J' => {
                        lines.truncate(row + 1);
                        lines[row].truncate(column);
                    }
                    b'K' => lines[row].truncate(column),
                    b'A' => row -= sequence[1..end].parse::<usize>().expect("a number"),
                    b'm' => {}
                    _ => panic!("{:?}", &sequence[..=end]),
                }
            }
            c => {
                let len = lines[row].len().max(column + 1);
                lines[row].resize(len, ' ');
                lines[row][column] = c;
                column += 1;
            }
        }
    }
    lines.into_iter().map(|line| line.into_iter().collect()).collect()
}

fn pty(p: &Project, args: &[&str], columns: u16, env: &[(&str, &str)]) -> Pty {
    let mut command = p.command(&p.root(), args);
    command.envs(env.iter().copied());
    Pty::start(command, columns)
}

#[test]
fn the_status_moves_and_leaves_nothing_behind() {
    let p = Project::new(WAITING);
    let pty = pty(&p, &["-j2"], 80, &[("NO_COLOR", "1")]).read();
    // A screen that is read between two writes lacks what comes with the second.
    let whole = |lines: &[String]| lines.len() == 3 && lines[2].contains("elapsed");
    let now = pty.until("a status", |lines| whole(lines));
    assert!(now[0].starts_with("  slow   0.") && now[1].starts_with("  other  0."), "{now:?}");
    assert!(now[2].starts_with(" [0/2] 0 fresh · 0 ran · 0 failed  elapsed 0."), "{now:?}");
    pty.until("time goes by", |lines| whole(lines) && *lines != now);
    p.go();
    let text = pty.wait();
    assert!(!text.contains("\x1b[0m"), "no colours: {text:?}");
    let end = screen(&text);
    assert!(end.iter().any(|line| line == "words"), "{end:?}");
    assert!(!end.iter().any(|line| line.contains("elapsed")), "{end:?}");
    assert!(end[end.len() - 2].starts_with("2 tasks: 2 ran   in "), "{end:?}");
    assert_eq!(end[end.len() - 1], "", "the cursor stands on a line of its own");
}

#[test]
fn a_narrow_screen_is_never_too_narrow() {
    let p = Project::new(WAITING);
    for columns in [40, 10, 1] {
        let _ = fs::remove_file(p.outside("home/go"));
        let pty = pty(&p, &["-j2", "-B"], columns, &[]).read();
        if columns > 1 {
            let now = pty.until("a status", |lines| lines.len() == 3);
            assert!(now.iter().all(|line| line.chars().count() < columns.into()), "{now:?}");
        }
        p.go();
        assert!(pty.wait().contains("2 tasks: 2 ran"));
    }
}

#[test]
fn a_signal_leaves_a_clean_screen() {
    let p = Project::new(WAITING);
    let pty = pty(&p, &["-j2"], 80, &[]).read();
    pty.until("a status", |lines| lines.len() == 3);
    pty.signal(Signal::INT);
    let end = screen(&pty.wait());
    assert!(end.iter().any(|line| line.contains("slow  cancelled after 0.")), "{end:?}");
    assert!(!end.iter().any(|line| line.contains("elapsed")), "{end:?}");
    assert_eq!(end[end.len() - 2..], ["interrupted by SIGINT", ""]);
}

#[test]
fn nothing_moves_where_nothing_may() {
    let p = Project::new(WAITING);
    for (args, term) in [("-B", "dumb"), ("-Bq", "xterm"), ("-Bn", "xterm")] {
        let _ = fs::remove_file(p.outside("home/go"));
        let pty = pty(&p, &[args], 80, &[("TERM", term), ("NO_COLOR", "1")]).read();
        std::thread::sleep(std::time::Duration::from_millis(400));
        p.go();
        let text = pty.wait();
        assert!(!text.contains('\x1b'), "{args:?}: {text:?}");
        assert_eq!(text.matches('\r').count(), text.matches("\r\n").count(), "{args:?}: {text:?}");
    }
    p.taskr(["-q"]).ok();
    let text = pty(&p, &[], 80, &[]).read().wait();
    assert!(text.starts_with("2 tasks up to date in ") && text.ends_with("s\r\n"), "{text:?}");
    let piped = p.taskr(["-B"]).never_says("\x1b").never_says("\r").ok();
    assert!(piped.stdout.contains("slow:\nwords\n["), "{piped}");
}

/// The status is never drawn over half a line, and waits until it has ended.
#[test]
fn half_a_line_stays_whole() {
    let p = Project::new(
        r#"
        [target.t]
        run = "printf 'half '; until [ -e ~/go ]; do sleep 0.01; done; echo line; sleep 0.4"
        "#,
    );
    let pty = pty(&p, &["t"], 80, &[]).read();
    pty.until("half a line", |lines| lines.contains(&"half ".to_owned()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(screen(&pty.text()), ["t:", "half "]);
    p.go();
    pty.until("a status below", |lines| {
        lines.len() == 4 && lines[1] == "half line" && lines[3].contains("elapsed")
    });
    assert_eq!(screen(&pty.wait())[..2], ["t:", "half line"]);
}

/// A terminal that takes nothing (Ctrl-S) does not keep tasks from running.
#[test]
fn a_held_terminal_stops_no_task() {
    let p = Project::new(
        r#"
        [target.first]
        run = "head -c 300000 /dev/zero | tr '\\0' 'x'"
        [target.second]
        deps = ["first"]
        run  = "ran second"
        "#,
    );
    let pty = pty(&p, &["second"], 80, &[]);
    p.await_ran("second");
    let text = pty.read().wait();
    assert_eq!(text.matches('x').count(), 300_000);
    assert!(text.contains("2 tasks: 2 ran"));
}

#[test]
fn another_terminal_is_told_what_runs() {
    let p = Project::new(WAITING);
    let nothing = "no task runs here now\n";
    p.taskr(["status"]).stdout(nothing).ok();
    let mut live = p.spawn(["-j2"]);
    until("a progress file", || p.path(".taskr/running").is_dir());
    until("both are told", || {
        let output = p.taskr(["status"]).says("taskr -j2 (process ").ok();
        output.stdout.contains("  slow  ") && output.stdout.contains("  other  ")
    });
    p.taskr(["status"]).says(" [0/2] 0 fresh · 0 ran · 0 failed\n").ok();
    let json = p.taskr(["status", "--json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["runs"][0]["counts"]["tasks"], 2);
    assert_eq!(json["runs"][0]["running"][0]["task"], "slow");
    assert!(live.kill(), "it ran");
    drop(live);
    assert_eq!(fs::read_dir(p.path(".taskr/running")).expect("left").count(), 1);
    p.taskr(["status"]).stdout(nothing).ok();
    p.taskr(["status", "--json"]).stdout("{\"runs\":[],\"version\":1}\n").ok();
    p.await_no_process();
    let live = p.spawn(["-j2"]);
    until("it is told", || {
        let output = p.taskr(["status"]).ok();
        output.stdout.contains("taskr -j2")
    });
    assert_eq!(fs::read_dir(p.path(".taskr/running")).expect("one").count(), 1, "swept");
    p.go();
    assert!(live.wait().status.success());
    assert!(!p.path(".taskr/running").exists());
    p.taskr::<&str>([]).ok();
    assert!(!p.path(".taskr/running").exists());
}

/// A pipe is not waited for, a file of another name is kept.
#[test]
fn what_is_not_of_a_run_is_left_in_its_folder() {
    let p = Project::new("[target.slow]\nrun = \"sleep 0.8\"\n");
    fs::create_dir_all(p.path(".taskr/running")).expect("a folder");
    mkfifo(&p.path(".taskr/running/1-1.json"));
    for name in ["mine.c", "1-2.json"] {
        fs::write(p.path(".taskr/running").join(name), "{}").expect("a file");
    }
    p.taskr(["status"]).stdout("no task runs here now\n").ok();
    p.taskr(["slow"]).any_files().ok();
    let left = |name: &str| p.path(".taskr/running").join(name).exists();
    assert!(left("1-1.json") && left("mine.c"));
    assert!(!left("1-2.json"), "it was swept");
}

/// Where a link stands in the place of the folder, nothing is removed or written.
#[test]
fn a_link_in_place_of_the_folder_is_not_followed() {
    let p = Project::new("[target.slow]\nrun = \"sleep 0.8\"\n");
    p.write("src/mine.c", "1").write("src/1-1.json", "{}");
    fs::create_dir_all(p.path(".taskr")).expect("a folder");
    std::os::unix::fs::symlink("../src", p.path(".taskr/running")).expect("a link");
    let live = p.spawn(["slow"]);
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(fs::read_dir(p.path("src")).expect("src").count(), 2);
    assert!(live.wait().status.success());
    assert_eq!(p.read("src/mine.c") + &p.read("src/1-1.json"), "1{}");
}

/// Asks for a name. Others show whether something ran beside it.
const ASKS: &str = r#"
[target.ask]
interactive = true
run = """
ran ask; test -t 0; test -t 1; test -t 2; printf 'name? '; read name
ran "$name"; printf 'hello %s\\n' "$name"; echo "name=$name" > "$OUT/name"
"""
[target.use]
inputs = ["@ask"]
run = "ran use"
[target.before]
run = "ran before; sleep 0.2; ran before ended"
[target.beside]
run = "ran beside"
[target.all]
deps = ["before", "ask", "beside", "use"]
"#;

/// taskr as a shell starts it: the terminal is its own.
fn at_terminal(p: &Project, args: &[&str]) -> Pty {
    let taskr = p.command(&p.root(), args);
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(taskr.get_program()).args(taskr.get_args());
    command.current_dir(p.root());
    p.clear_environment(&mut command);
    command.env("NO_COLOR", "1");
    Pty::start(command, 80).read()
}

#[test]
fn an_interactive_task_has_the_terminal_and_runs_alone() {
    let p = Project::new(ASKS);
    let pty = at_terminal(&p, &["-j4", "all"]);
    pty.until("a question", |lines| lines.last().is_some_and(|line| line == "name? "));
    // Nothing moves and nothing starts while somebody thinks.
    let asked = pty.text();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(pty.text(), asked);
    pty.types("Ada\n");
    let lines = screen(&pty.wait());
    assert!(lines.contains(&"hello Ada".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("4 tasks: 4 ran ")), "{lines:?}");
    let ran = p.take_ran();
    let at = |name: &str| ran.iter().position(|own| own == name).expect("it ran");
    assert_eq!(at("Ada"), at("ask") + 1, "{ran:?}");
    let before = (at("before"), at("before ended"));
    assert!(at("ask") < before.0 || at("ask") > before.1, "{ran:?}");
    assert_eq!(ran.len(), 6, "{ran:?}");
    assert_eq!(p.read(".taskr/tasks/ask/log"), "(what it wrote went to the terminal)\n");
    // What it left counts, and it is asked again.
    let pty = at_terminal(&p, &["use"]);
    pty.until("a question", |lines| lines.last().is_some_and(|line| line == "name? "));
    pty.types("Ada\n");
    pty.wait();
    assert_eq!(p.take_ran(), ["ask", "Ada"]);
}

#[test]
fn ctrl_c_is_for_the_task_that_has_the_terminal() {
    let p = Project::new(
        "[target.shell]\ninteractive = true\nrun = 'trap \"ran caught\" INT; ran shell; \
         until read line; do :; done; ran \"$line\"'\n\
         [target.dies]\ninteractive = true\nrun = 'ran dies; read line'\n\
         [target.next]\nrun = 'ran next'\n[target.all]\ndeps = ['next']\n",
    );
    let pty = at_terminal(&p, &["shell"]);
    p.await_ran("shell");
    pty.types("\x03");
    p.await_ran("caught");
    pty.types("on\n");
    let text = pty.wait();
    assert!(text.contains("1 task: 1 ran "), "{text}");
    assert_eq!(p.take_ran(), ["shell", "caught", "on"]);
    // If it ends by that, so does the run.
    let pty = at_terminal(&p, &["-k", "-j1", "dies", "next"]);
    p.await_ran("dies");
    pty.types("\x03");
    let text = pty.wait();
    assert!(text.contains("interrupted by SIGINT"), "{text}");
    assert!(text.contains("1 cancelled"), "{text}");
    p.await_no_process();
}

#[test]
fn without_a_terminal_an_interactive_task_reads_what_taskr_has() {
    let p = Project::new(
        "[target.ask]\ninteractive = true\nrun = 'read a; ran \"$a\"; echo \"hello $a\"'\n",
    );
    let mut command = p.command(&p.root(), ["ask"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("taskr starts");
    child.stdin.take().expect("a pipe").write_all(b"Bob\n").expect("a reader");
    let output = child.wait_with_output().expect("an end");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("hello Bob"), "{text}");
    assert_eq!(p.take_ran(), ["Bob"]);
    assert_eq!(p.read(".taskr/tasks/ask/log"), "hello Bob\n");
}
