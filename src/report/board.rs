//! The thread that shows a run: what was written for people, the status line below it, and the
//! progress file for other terminals.
//!
//! Knows events and the writers it was given. The loop of the run only leaves here what is to be
//! shown, and never waits for a terminal that is held (Ctrl-S) until [`HELD_BYTES`] wait for it.
//! At the end [`Board::close`] waits for the terminal, as every program does; the workspace is
//! free by then. Without a terminal there is no thread and no lock before a task starts: a run
//! that has nothing to do pays for nothing here.

use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Listener;
use super::progress::Progress;
use super::screen::{Screen, Stream};
use super::share::Share;
use crate::ids::TaskId;
use crate::outcome::Event;

/// How often the screen changes at most, while there is a status on it.
const TICK: Duration = Duration::from_millis(100);

/// How often the progress file is written at most, and how long a task must have run before.
const SHARED_EVERY: Duration = Duration::from_millis(250);

/// So much waits for a terminal that takes nothing; then the build waits, too.
const HELD_BYTES: usize = 16 * 1024 * 1024;

/// How often it is asked at the end whether to wait for the terminal any longer.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// So often after that a terminal may still take what is left.
const LAST_ROUNDS: usize = 6;

/// A terminal: columns and rows as they are at this moment, none if nothing is to be drawn on it
/// now.
pub type Size = fn() -> Option<(usize, usize)>;

/// A terminal to show a run on.
pub struct Terminal {
    /// Gets what happens, and the status below it.
    pub out: Box<dyn Write + Send>,
    /// Gets warnings; the same terminal.
    pub err: Box<dyn Write + Send>,
    /// Its size; none if there is to be no status at all.
    pub size: Option<Size>,
}

/// What shows a run: a thread, if there is anything to show.
pub struct Board {
    shared: Arc<Shared>,
    /// To be begun when a task starts; without a terminal.
    later: Cell<Option<Share>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    progress: Progress,
    thread: Option<JoinHandle<()>>,
    texts: Vec<(Stream, Vec<u8>)>,
    held_bytes: usize,
    /// The task that has the terminal.
    given: Option<TaskId>,
    /// All that was to be shown before it was given is, and the status is gone.
    cleared: bool,
    /// Nothing more comes.
    closed: bool,
    /// The thread has done all, or has panicked.
    done: bool,
    /// The terminal takes nothing any more.
    broken: bool,
}

impl State {
    /// Whether a task has the terminal, and nothing else may write to it.
    fn is_given(&self) -> bool {
        self.given.is_some() && self.cleared && !self.closed
    }
}

/// Tells that the thread ends, whatever ends it: nobody waits for one that is gone.
struct Ends<'s>(&'s Shared);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.done, state.broken) = (true, true);
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// Starts the thread.
    fn show(
        self: &Arc<Shared>,
        terminal: Option<Terminal>,
        share: Option<Share>,
    ) -> io::Result<()> {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().spawn(move || {
            let _ends = Ends(&shared);
            Shower::new(&shared, terminal, share).work();
        })?;
        self.lock().thread = Some(thread);
        Ok(())
    }

    /// Gives the terminal to a task, once nothing of this is on its way to it; and takes it back.
    fn pass_terminal(&self, event: &Event<'_>) {
        let mut state = self.lock();
        match event {
            Event::TerminalGiven { task } => {
                (state.given, state.cleared) = (Some(task.id), false);
                self.changed.notify_all();
                while !state.cleared && !state.broken {
                    state = self.wait(state, TICK);
                }
            }
            Event::TaskFinished { task, .. } if state.given == Some(task.id) => state.given = None,
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>, time: Duration) -> MutexGuard<'s, State> {
        let waited = self.changed.wait_timeout(state, time);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Board {
    /// Shows a run on a terminal from now on, to other terminals, or both.
    ///
    /// # Errors
    /// The system gives no thread for it.
    pub fn start(terminal: Option<Terminal>, share: Option<Share>) -> io::Result<Board> {
        let state = State {
            progress: Progress::new(),
            thread: None,
            texts: Vec::new(),
            held_bytes: 0,
            given: None,
            cleared: false,
            closed: false,
            done: false,
            broken: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let later = match terminal {
            Some(_) => {
                shared.show(terminal, share)?;
                None
            }
            None => share,
        };
        Ok(Board { shared, later: Cell::new(later) })
    }

    /// What hears the events of the run; none if there is nothing to show.
    pub fn listener(&self) -> Option<impl Listener + use<>> {
        let later = self.later.take().map(|share| (Progress::new(), share));
        let hears = later.is_some() || self.shared.lock().thread.is_some();
        hears.then(|| Ear { shared: Arc::clone(&self.shared), later })
    }

    /// What writes to the terminal's `out`.
    pub fn out(&self) -> impl Write + use<> {
        Handle { shared: Arc::clone(&self.shared), stream: Stream::Out }
    }

    /// What writes to the terminal's `err`.
    pub fn err(&self) -> impl Write + use<> {
        Handle { shared: Arc::clone(&self.shared), stream: Stream::Err }
    }

    /// Waits until all is shown and the status is gone, or until `stopped` says that nobody
    /// wants to wait for the terminal any more.
    pub fn close(self, stopped: &dyn Fn() -> bool) {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.changed.notify_all();
        let Some(thread) = state.thread.take() else { return };
        let mut rounds = 0;
        while !state.done && rounds < LAST_ROUNDS {
            state = self.shared.wait(state, ASKED_EVERY);
            rounds += usize::from(rounds > 0 || stopped());
        }
        let done = state.done;
        drop(state);
        if done {
            let _ = thread.join();
        }
    }
}

/// What hears for a board.
struct Ear {
    shared: Arc<Shared>,
    /// Nobody looks at the progress yet.
    later: Option<(Progress, Share)>,
}

impl Listener for Ear {
    fn event(&mut self, event: &Event<'_>) {
        let Some((progress, _)) = &mut self.later else {
            self.shared.lock().progress.hear(event);
            return self.shared.pass_terminal(event);
        };
        progress.hear(event);
        let starts = matches!(
            event,
            Event::TaskStarted { .. }
                | Event::TaskRestoring { .. }
                | Event::ServiceStarted { .. }
                | Event::ServiceKept { .. }
        );
        if starts && let Some((progress, share)) = self.later.take() {
            self.shared.lock().progress = progress;
            // Without a thread others are not told: that is all.
            let _ = self.shared.show(None, Some(share));
        }
    }
}

/// What writes to a board.
struct Handle {
    shared: Arc<Shared>,
    stream: Stream,
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        while state.held_bytes > HELD_BYTES && !state.broken {
            state = self.shared.wait(state, TICK);
        }
        if state.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        state.held_bytes += bytes.len();
        if state.texts.is_empty() {
            self.shared.changed.notify_all();
        }
        match state.texts.last_mut() {
            Some((stream, text)) if *stream == self.stream => text.extend_from_slice(bytes),
            _ => state.texts.push((self.stream, bytes.to_vec())),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Boxed = Box<dyn Write + Send>;

/// What the thread owns.
struct Shower<'s> {
    shared: &'s Shared,
    screen: Option<Screen<Boxed, Boxed>>,
    size: Option<Size>,
    share: Option<Share>,
    /// The version of the progress that was shared last, and when.
    shared_last: Option<(u64, Instant)>,
}

impl<'s> Shower<'s> {
    fn new(shared: &'s Shared, terminal: Option<Terminal>, share: Option<Share>) -> Self {
        let size = terminal.as_ref().and_then(|terminal| terminal.size);
        let screen = terminal.map(|terminal| Screen::new(terminal.out, terminal.err));
        Shower { shared, screen, size, share, shared_last: None }
    }

    fn work(mut self) {
        let mut drawn = Instant::now();
        loop {
            // Below a status, texts wait for the next tick.
            let waits = self.screen.as_ref().is_some_and(Screen::shows_status);
            let due = drawn + if self.screen.is_some() { TICK } else { SHARED_EVERY };
            let mut state = self.shared.lock();
            while !state.closed
                && (state.texts.is_empty() || waits || state.is_given())
                && (state.given.is_none() || state.cleared)
                && let left = due.saturating_duration_since(Instant::now())
                && !left.is_zero()
            {
                state = self.shared.wait(state, left);
            }
            let now = Instant::now();
            if now >= due {
                drawn = now;
            }
            let (given, is_given) = (state.given.is_some() && !state.closed, state.is_given());
            let size = self.size.filter(|_| !state.closed && !given).and_then(|size| size());
            let rows = size
                .map_or_else(Vec::new, |(columns, rows)| state.progress.rows(columns, rows, now));
            let texts = match is_given {
                true => Vec::new(),
                false => std::mem::take(&mut state.texts),
            };
            let ends = state.closed;
            let share = self.news(&state, now);
            drop(state);
            if !is_given {
                self.show(&texts, &rows);
            }
            if given {
                self.shared.lock().cleared = true;
                self.shared.changed.notify_all();
            }
            match share {
                _ if ends => return self.share.iter_mut().for_each(Share::end),
                Some((run_id, text)) => {
                    self.share.iter_mut().for_each(|share| share.write(&run_id, &text));
                }
                None => {}
            }
        }
    }

    fn show(&mut self, texts: &[(Stream, Vec<u8>)], rows: &[String]) {
        let Some(screen) = &mut self.screen else { return };
        let written = screen.show(texts, rows);
        let shown_bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
        let mut state = self.shared.lock();
        state.held_bytes -= shown_bytes;
        if written.is_err() {
            state.broken = true;
            self.screen = None;
        }
        self.shared.changed.notify_all();
    }

    /// The run's id and what to tell others of it, if it is time and there is news.
    fn news(&mut self, state: &State, now: Instant) -> Option<(String, String)> {
        if state.progress.is_over() {
            self.share.take().iter_mut().for_each(Share::end);
        }
        let share = self.share.as_ref()?;
        let version = state.progress.version();
        let old = self
            .shared_last
            .is_some_and(|(shared, at)| shared == version || now.duration_since(at) < SHARED_EVERY);
        if old || !state.progress.is_of_interest(SHARED_EVERY, now) {
            return None;
        }
        self.shared_last = Some((version, now));
        let text = state.progress.json(share.command(), now);
        Some((state.progress.run_id().to_owned(), text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;
    use crate::outcome::TaskRef;

    /// Panics at each write.
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("as a test")
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Without a terminal nothing is started before a task is.
    #[test]
    fn the_thread_comes_with_the_first_task() {
        assert!(Board::start(None, None).expect("a board").listener().is_none());
        let share = Share::new(std::path::Path::new("/nowhere"), String::new());
        let board = Board::start(None, Some(share)).expect("a board");
        let mut listener = board.listener().expect("others are told");
        let has_thread = || board.shared.lock().thread.is_some();
        let (wanted, run_id) = (&[][..], "r");
        listener.event(&Event::RunStarted {
            wanted,
            tasks: 9,
            fresh: 0,
            jobs: 3,
            run_id,
            dry_run: false,
            changes: None,
        });
        assert!(!has_thread());
        let task = TaskRef { id: TaskId::from_index(1), name: "t" };
        let (reasons, key) = (&[][..], None);
        listener.event(&Event::TaskStarted { task, reasons, key, command: "", at_ms: 0 });
        assert!(has_thread());
        assert_eq!(board.shared.lock().progress.run_id(), "r", "what came before is known");
        board.close(&|| false);
    }

    /// Neither a text nor the end waits for a thread that is gone.
    #[test]
    fn a_panic_of_the_thread_holds_nobody() {
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let terminal = Terminal { out: Box::new(Broken), err: Box::new(Broken), size: None };
            let board = Board::start(Some(terminal), None).expect("a thread");
            let mut out = board.out();
            let whole = vec![b'x'; HELD_BYTES + 1];
            let taken = (0..3).filter(|_| out.write(&whole).is_ok()).count();
            board.close(&|| false);
            sender.send(taken)
        });
        let taken = receiver.recv_timeout(Duration::from_secs(20)).expect("an end");
        assert!(taken < 3, "it is told that nobody takes it");
    }
}
