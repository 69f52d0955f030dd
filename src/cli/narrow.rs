//! A build of the few tasks that an earlier one leaves in doubt, without the Taskfile being read: what
//! that says was noted, and the graph was kept.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::unbounded;
use taskr_cache::{Coded, In, Out, Pieces, many, put_many};

use super::End;
use super::args::Build;
use super::bounds::{Bounds, limit};
use super::build::{Jobs, Streams, bare_request, board, console, jobs, listeners};
use super::question::root_of;
use super::signals::{Asking, catch_signals};
use super::taskfile::Found;
use super::workspace::machine;
use crate::error::Error;
use crate::graph::{Around, Graph};
use crate::outcome::Event;
use crate::report::{Mode, Share};
use crate::run::{Messages, Partly, Request, run_narrow};
use crate::workers::Message;

/// What the Taskfile says of a build beside its graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// The full names of what is built.
    pub(super) wanted: Vec<String>,
    /// Whether somebody typed them.
    pub(super) typed: bool,
    /// Which output of tasks is shown.
    pub(super) mode: Mode,
    /// How many tasks at once, if no make has a say in it.
    pub(super) jobs: usize,
    /// When it has to stop.
    pub(super) bounds: Bounds,
}

const MODES: [Mode; 4] = [Mode::Grouped, Mode::Stream, Mode::Failed, Mode::None];

impl Coded for Told {
    fn put(&self, out: &mut Out) {
        let Told { wanted, typed, mode, jobs, bounds } = self;
        put_many(out, wanted);
        typed.put(out);
        MODES.iter().position(|other| other == mode).unwrap_or(0).put(out);
        jobs.put(out);
        bounds.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Told> {
        Some(Told {
            wanted: many(from)?,
            typed: Coded::get(from)?,
            mode: *MODES.get(from.length()?)?,
            jobs: Coded::get(from)?,
            bounds: Coded::get(from)?,
        })
    }
}

impl Told {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        self.put(&mut out);
        out.finish()
    }

    fn decode(note: &[u8]) -> Option<Told> {
        let pieces = Pieces::read(Arc::new(note.to_vec()), Box::new(()))?;
        Told::get(&mut pieces.first())
    }
}

/// None if there is no such build: the usual one follows.
pub(super) fn narrow(
    args: &Build,
    found: &Found,
    before: &Partly,
    typed: &str,
) -> Result<Option<End>, Error> {
    let root = root_of(found);
    let noted = before.note().and_then(Told::decode);
    let Some((told, kept)) = noted.zip(before.kept(root)) else { return Ok(None) };
    let Jobs { at_once: jobs, shared, warnings } = jobs(args, &|| Ok(told.jobs))?;
    // They are told once, by the usual build.
    if !warnings.is_empty() {
        return Ok(None);
    }
    let env_asked = Arc::new(AtomicBool::new(false));
    let load = || {
        let around = Around::new(root.to_owned(), machine(&env_asked, jobs));
        Graph::revive(kept.clone(), around).ok_or_else(|| Error::Usage {
            message: "the graph that was kept is damaged".to_owned(),
            help: None,
        })
    };
    let Ok(graph) = load() else { return Ok(None) };
    let mode = args.how.output.map_or(told.mode, Into::into);
    let name = found.path.file_name().unwrap_or_default().as_bytes();
    let mut request = Request {
        typed: told.typed,
        wanted: told.wanted.clone(),
        store: super::user::store(args.how.cache)?,
        strict: args.how.strict,
        wait: !args.no_wait,
        stream: mode != Mode::None,
        console: console(args),
        is_last: true,
        shared,
        ask: Some(before.ask_again(env_asked.clone())),
        ..bare_request((root, name), &load, jobs, typed)?
    };
    limit(&mut request, args, &told.bounds)?;
    shown(&request, graph, (args, mode))
}

fn shown(
    request: &Request<'_>,
    graph: Graph,
    (args, mode): (&Build, Mode),
) -> Result<Option<End>, Error> {
    let messages: Messages = unbounded();
    catch_signals(&messages.0, Asking::default())?;
    let board = board(args, Some(Share::new(&request.root, request.command_line.clone())))?;
    let streams = Streams::default();
    let mut listeners = listeners((args, mode), None, &board, &streams)?;
    let mut listen =
        |event: &Event<'_>| listeners.iter_mut().for_each(|listener| listener.event(event));
    let result = run_narrow(request, graph, &messages, &mut listen);
    board.close(&|| messages.1.try_iter().any(|message| matches!(message, Message::Signal(_))));
    let Some(summary) = result? else { return Ok(None) };
    let untold = streams.are_incomplete(args);
    Ok(Some(match summary.signal {
        Some(signal) => End::Signal(signal),
        None => End::Code(summary.exit_code().max(u8::from(untold))),
    }))
}
