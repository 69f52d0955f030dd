//! A taskr that runs: started in a process group of its own, signalled, killed, waited for. Knows
//! nothing of workspaces.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Longer than anything here takes; a run that reaches it is killed and fails its test.
const PATIENCE: Duration = Duration::from_secs(300);

/// Longer than stamps take to settle: then nothing looks as if it might still be being written.
pub(crate) const SETTLED: Duration = Duration::from_millis(2_300);

/// What a run left: its end and its streams, lossily as text.
#[derive(Debug)]
pub(crate) struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Output { status, stdout, stderr } = self;
        write!(f, "{status}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

/// A taskr that runs, in a process group of its own. Ended with its group when dropped.
pub(crate) struct Live {
    child: Child,
    streams: Option<[JoinHandle<Vec<u8>>; 2]>,
}

impl Live {
    /// Starts a command; both streams are read at once and to the end.
    pub(crate) fn start(command: &mut Command) -> Live {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn().expect("taskr starts");
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let streams = Some([drain(out.expect("piped")), drain(err.expect("piped"))]);
        Live { child, streams }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal to taskr alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it lives");
    }

    /// Sends SIGKILL to its group. Whether it hit a living taskr.
    pub(crate) fn kill(&mut self) -> bool {
        let alive = self.child.try_wait().expect("it is a child").is_none();
        let _ = kill_process_group(self.pid(), Signal::KILL);
        alive
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_none()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Output {
        let started = Instant::now();
        let mut status = None;
        let ended = within(PATIENCE, || {
            status = self.child.try_wait().expect("it is a child");
            status.is_some()
        });
        if !ended {
            self.kill();
        }
        let texts = self
            .streams
            .take()
            .map(|streams| streams.map(|stream| stream.join().expect("a reader")));
        let [stdout, stderr] = texts.expect("waited once").map(text);
        assert!(ended, "no end after {:?}\n{stdout}\n{stderr}", started.elapsed());
        Output { status: status.expect("ended"), stdout, stderr }
    }

    /// Waits for its end by a signal.
    #[track_caller]
    pub(crate) fn dies_by(self, signal: Signal) -> Output {
        let output = self.wait();
        assert_eq!(output.status.signal(), Some(signal.as_raw()), "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
        output
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.runs() {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.to_string())
}

fn drain(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits until `condition` holds; a test that waits in vain fails.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(Duration::from_secs(60), condition), "in vain: {what}");
}

/// Whether `condition` came to hold in time.
pub(crate) fn within(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    let mut nap = Duration::from_micros(200);
    while !condition() {
        if started.elapsed() > patience {
            return false;
        }
        sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(10));
    }
    true
}
