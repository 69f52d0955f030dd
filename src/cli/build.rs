//! `taskr TARGET...`: the request of a build, its listeners, its signals, its end.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use taskr_cache::Fact;

use super::End;
use super::args::Build;
use super::bounds::{Bounds, limit};
use super::changes::changes;
use super::create::{EVENTS, TRACE, create};
use super::failed::{Again, Failed, failed};
use super::limits::jobs_within_limits;
use super::narrow::Told;
use super::out::FirstError;
use super::scan::Scan;
use super::signals::{messages_with_signals, no_thread};
use super::terminal::{self, Colours};
use super::watch::Session;
use super::workspace::{Workspace, environment};
use crate::error::{Error, said};
use crate::graph::{Args, Asking, Graph, run_gates};
use crate::jobserver::{MAKEFLAGS, Offer, Pool};
use crate::outcome::{Changes, Counts, Event, Summary};
use crate::process::Console;
use crate::report::{
    Board, Json, Lines, Listener, Mode, Options, Share, Size, Terminal, Trace, one_line,
};
use crate::run::{Ask, Force, Request, UpToDate, run};
use crate::workers::Message;

pub(super) fn build(args: &Build, workspace: &Workspace, typed: &str) -> Result<End, Error> {
    let mut more = More { changes: changes(args, workspace)?, ..More::default() };
    more.typed_names = !args.targets.is_empty() && !args.failed;
    if args.failed {
        match failed(args, workspace)? {
            Failed::Again(again) => more.again = Some(again),
            Failed::Nothing(what) => {
                let _ = writeln!(People::of(args).writer(), "{what}");
                return Ok(End::Code(0));
            }
        }
    }
    build_with(args, workspace, typed, more)
}

/// What decides about a build beside its options.
#[derive(Default)]
pub(super) struct More<'s> {
    /// The `taskr watch` that this build is one of.
    pub(super) session: Option<&'s Session>,
    /// Only what these can reach is built.
    pub(super) changes: Option<Changes>,
    /// This is built instead of the targets that the options name.
    pub(super) again: Option<Again>,
    /// What tasks are told in their environment.
    pub(super) env: Vec<(OsString, OsString)>,
    /// Whether somebody typed the names of the targets; else the Taskfile has them.
    pub(super) typed_names: bool,
}

pub(super) fn build_with(
    args: &Build,
    workspace: &Workspace,
    typed: &str,
    more: More<'_>,
) -> Result<End, Error> {
    let (wanted, force) = goals(args, workspace)?;
    workspace.asks()?.set(Asking::Now);
    let own_jobs = || workspace.jobs(args.how.jobs.as_deref(), &args.common);
    let Jobs { at_once: jobs, shared, warnings } = jobs(args, &own_jobs)?;
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let given = given(&args.args, &wanted)?;
    let load = workspace.loader_for(&args.common, jobs, given)?;
    let mode = workspace.output(args.how.output, &args.common)?;
    let why = || workspace.looked.why(&workspace.taskfile, &workspace.root);
    let (private, again) =
        (more.again.is_some(), more.again.map(|again| (again.wanted, again.tasks)));
    let (again, only) = again.unzip();
    let mut request = Request {
        private,
        wanted: again.unwrap_or(wanted),
        only,
        changes: more.changes,
        typed: more.typed_names,
        dry_run: args.dry_run,
        force,
        rehash: args.how.rehash,
        store: super::user::store(args.how.cache)?,
        strict: args.how.strict,
        gates: run_gates(&workspace.taskfile, &workspace.settings(&args.common.defines, jobs)?)?,
        wait: !args.no_wait,
        stream: mode != Mode::None || args.how.events.is_some(),
        console: console(args),
        timed: args.trace.is_some(),
        is_last: more.session.is_none(),
        shared,
        ask: None,
        lasting: more.session.map(Session::lasting),
        ..plain_request(workspace, &load, jobs, typed)?
    };
    let bounds = Bounds::of(&workspace.taskfile.limits);
    limit(&mut request, args, &bounds)?;
    if request.changes.is_none() && more.env.is_empty() {
        let told = told(&request, (mode, bounds), &own_jobs)?;
        request.ask = ask(args, workspace, (told, &why))?;
    }
    request.env.extend(more.env);
    run_shown(&request, (args, mode), workspace, more.session)
}

/// Runs what is asked for and shows it. A build of `taskr watch` is over when another is due.
fn run_shown(
    request: &Request<'_>,
    (args, mode): (&Build, Mode),
    workspace: &Workspace,
    session: Option<&Session>,
) -> Result<End, Error> {
    let trace = args.trace.as_deref().map(|path| create(path, &TRACE)).transpose()?;
    let mut trace = trace.map(|file| Trace::new(file, workspace.stages.begun()));
    let messages = match session {
        Some(session) => session.messages_of(workspace),
        None => messages_with_signals(workspace)?,
    };
    let share = (!args.dry_run).then(|| Share::new(&workspace.root, request.command_line.clone()));
    let board = board(args, share)?;
    let streams = Streams::default();
    let events = session.map(Session::events).transpose()?.flatten();
    let mut listeners = listeners((args, mode), events, &board, &streams)?;
    let mut listen = |event: &Event<'_>| {
        for listener in &mut listeners {
            listener.event(event);
        }
        if let Some(trace) = &mut trace {
            trace.event(event);
        }
    };
    let result = run(request, &messages, &mut listen);
    if let (Some(session), Ok(Summary { signal: None, .. })) = (session, &result) {
        session.rest(&mut listen);
    }
    let incomplete = finish(trace, args, workspace);
    if let Some(message) = &incomplete {
        listeners.iter_mut().for_each(|listener| {
            listener.event(&Event::Warning { task: None, message });
        });
    }
    board.close(&|| match session {
        Some(session) => session.is_signalled(),
        None => messages.1.try_iter().any(|message| matches!(message, Message::Signal(_))),
    });
    let summary = result?;
    let untold = streams.are_incomplete(args) || incomplete.is_some();
    Ok(match summary.signal {
        Some(signal) => End::Signal(signal),
        None => End::Code(summary.exit_code().max(u8::from(untold))),
    })
}

/// What a build after the next edit has to know of the Taskfile. None if that is not all.
fn told(
    request: &Request<'_>,
    (mode, bounds): (Mode, Bounds),
    own_jobs: &dyn Fn() -> Result<usize, Error>,
) -> Result<Option<Told>, Error> {
    let names = |name: &String| request.pipelines.iter().any(|pipeline| pipeline.name == *name);
    if request.wanted.iter().any(names) {
        return Ok(None);
    }
    let (wanted, typed) = (request.wanted.clone(), request.typed);
    Ok(Some(Told { wanted, typed, mode, jobs: own_jobs()?, bounds }))
}

/// How many tasks run at once.
pub(super) struct Jobs {
    pub(super) at_once: usize,
    /// Whose tokens they take, if not taskr's own.
    pub(super) shared: Option<Pool>,
    /// To be told.
    pub(super) warnings: Vec<String>,
}

/// How many tasks at once, and whose tokens these take: the caller's, if it is a make that offers
/// some and nothing else was asked for. `own`: how many without it.
pub(super) fn jobs(args: &Build, own: &dyn Fn() -> Result<usize, Error>) -> Result<Jobs, Error> {
    let makeflags = std::env::var_os(MAKEFLAGS).filter(|_| args.how.jobs.is_none());
    let mut warnings = Vec::new();
    let (asked, shared) = match Offer::of(makeflags.as_deref()) {
        Offer::None => (own()?, None),
        Offer::Open(pool) => (pool.jobs().map_or_else(own, Ok)?, Some(pool)),
        Offer::Closed => {
            let warning = "make keeps its jobs to itself, so one task runs at a time: write `+` \
                           before the line of the Makefile that calls taskr, or give taskr a -j";
            warnings.push(warning.to_owned());
            (1, None)
        }
    };
    let (at_once, warning) = jobs_within_limits(asked)?;
    warnings.extend(warning);
    Ok(Jobs { at_once, shared, warnings })
}

/// Whether a build with nothing to do tells no more than that.
fn is_plain(args: &Build) -> bool {
    // What failed in the last run is no part of the question.
    let looks_closer = args.dry_run || args.how.rehash || args.force.is_some() || args.failed;
    let tells_more = args.how.verbose > 0 || args.how.events.is_some() || args.trace.is_some();
    !looks_closer && !tells_more
}

/// Why a graph is as it is: see [`Ask::why`].
type Why<'w> = dyn Fn() -> Option<Vec<(Vec<u8>, Fact)>> + 'w;

/// The question, if its answer may be proved.
fn ask<'a>(
    args: &Build,
    workspace: &Workspace,
    (told, why): (Option<Told>, &'a Why<'a>),
) -> Result<Option<Ask<'a>>, Error> {
    // Gates of the run are held against what it took.
    let may_be = is_plain(args) && workspace.taskfile.gates.is_empty();
    let asked = workspace.question.as_ref().filter(|_| may_be);
    let Some((question, before)) = asked.cloned() else { return Ok(None) };
    let (env_asked, asks) = (workspace.env_asked.clone(), workspace.asks()?);
    let note = told.map(|told| told.encode());
    Ok(Some(Ask { question, before, env_asked, asks, why, note }))
}

/// Tells what was proved: a run of tasks that are all up to date. The words that asked for it were
/// understood when it was proved, and say nothing of how it is told but this.
pub(super) fn up_to_date(scan: &Scan, proved: UpToDate, begun: Instant) -> End {
    let color = scan.color.as_deref().unwrap_or("auto");
    let (streams, colours) = (Streams::default(), Colours::choose(color));
    let out = streams.stdout.of(io::stdout());
    let options = Options {
        // No task runs, so that no output of one is shown.
        mode: Mode::default(),
        verbosity: if scan.quiet { -1 } else { 0 },
        colour: colours.out,
        terminal: io::stdout().is_terminal(),
    };
    let mut lines = Lines::new(options, out, warnings(color));
    let counts = Counts { tasks: proved.tasks, fresh: proved.tasks, ..Counts::default() };
    let wall_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let summary = Summary { counts, wall_ms, jobs: proved.jobs, ..Summary::default() };
    lines.event(&Event::RunFinished { run_id: "", summary: &summary });
    streams.stdout.tell("stdout", colours.err, terminal::width());
    End::Code(0)
}

/// How a build is shown on a stream.
fn options(args: &Build, mode: Mode, terminal: bool) -> Options {
    let colours = Colours::choose(&args.common.color);
    let colour = if People::of(args) == People::Stderr { colours.err } else { colours.out };
    let verbosity =
        if args.how.quiet { -1 } else { i8::try_from(args.how.verbose.min(2)).unwrap_or(2) };
    Options { mode, verbosity, colour, terminal }
}

/// What is to be built, and what of it although it is fresh: names that the Taskfile has.
fn goals(args: &Build, workspace: &Workspace) -> Result<(Vec<String>, Force), Error> {
    let wanted = match args.targets.is_empty() {
        true if args.failed => Vec::new(),
        true => workspace.default_targets()?,
        false => workspace.wanted_names(&args.targets)?,
    };
    let force = match force(args) {
        Force::Only(names) => Force::Only(workspace.full_names(&names)?),
        other => other,
    };
    Ok((wanted, force))
}

/// The arguments for the targets that are wanted, as text.
pub(super) fn given(args: &[OsString], wanted: &[String]) -> Result<Args, Error> {
    let word = |arg: &OsString| {
        arg.to_str().map(str::to_owned).ok_or_else(|| Error::Usage {
            message: format!("an argument behind `--` is not UTF-8: {}", arg.display()),
            help: None,
        })
    };
    Ok(Args { words: args.iter().map(word).collect::<Result<_, _>>()?, wanted: wanted.to_vec() })
}

/// What went wrong with the writers of a run. Of a terminal and of stderr nothing could be told.
#[derive(Default)]
pub(super) struct Streams {
    stdout: FirstError,
    events: FirstError,
}

impl Streams {
    /// Says on stderr which of them are incomplete. Whether one is that a program reads.
    pub(super) fn are_incomplete(&self, args: &Build) -> bool {
        let colour = Colours::choose(&args.common.color).err;
        let tell = |of: &FirstError, to: &str| of.tell(to, colour, terminal::width());
        tell(&self.stdout, "stdout");
        let events = match args.how.events.as_deref() {
            Some(path) if People::of(args) == People::Stdout => path.display().to_string(),
            _ => "stdout".to_owned(),
        };
        tell(&self.events, &events)
    }
}

/// What every command needs, without a build's options.
pub(super) fn plain_request<'a>(
    workspace: &Workspace,
    load: &'a dyn Fn() -> Result<Graph, Error>,
    jobs: usize,
    typed: &str,
) -> Result<Request<'a>, Error> {
    Ok(Request {
        sources: workspace.sources(),
        asks: workspace.asks()?,
        pipelines: workspace.taskfile.pipelines.values().cloned().collect(),
        ..bare_request((&workspace.root, &workspace.name), load, jobs, typed)?
    })
}

/// The same of a workspace and a Taskfile's name in it, without what the Taskfile says.
pub(super) fn bare_request<'a>(
    (root, taskfile): (&Path, &[u8]),
    load: &'a dyn Fn() -> Result<Graph, Error>,
    jobs: usize,
    typed: &str,
) -> Result<Request<'a>, Error> {
    Ok(Request {
        root: root.to_owned(),
        taskfile: taskfile.to_owned(),
        sources: Vec::new(),
        load,
        asks: Arc::default(),
        wanted: Vec::new(),
        pipelines: Vec::new(),
        only: None,
        private: false,
        changes: None,
        jobs,
        shared: None,
        keep_going: false,
        most_failures: None,
        most_failure_rate: None,
        typed: true,
        timeout_ms: None,
        most_load: None,
        dry_run: false,
        force: Force::No,
        rehash: false,
        store: None,
        strict: false,
        gates: Vec::new(),
        wait: true,
        env: environment(),
        taskr: this_program()?,
        command_line: typed.to_owned(),
        stream: false,
        ask: None,
        console: Console::Input,
        timed: false,
        is_last: false,
        lasting: None,
    })
}

fn force(args: &Build) -> Force {
    match &args.force {
        None => Force::No,
        Some(names) if names.is_empty() => Force::All,
        Some(names) => Force::Only(names.split(',').map(str::to_owned).collect()),
    }
}

/// The stream for people: stderr if stdout is for the events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum People {
    Stdout,
    Stderr,
}

impl People {
    fn of(args: &Build) -> People {
        match args.how.events.as_deref() == Some(Path::new("-")) {
            true => People::Stderr,
            false => People::Stdout,
        }
    }

    fn is_terminal(self) -> bool {
        match self {
            People::Stdout => io::stdout().is_terminal(),
            People::Stderr => io::stderr().is_terminal(),
        }
    }

    fn writer(self) -> Box<dyn Write + Send> {
        match self {
            People::Stdout => Box::new(io::stdout()),
            People::Stderr => Box::new(io::stderr()),
        }
    }

    fn size(self) -> Size {
        match self {
            People::Stdout => || terminal::drawable(io::stdout()),
            People::Stderr => || terminal::drawable(io::stderr()),
        }
    }
}

/// What interactive tasks get: the whole terminal if all three streams are one, and nobody reads
/// events from it.
pub(super) fn console(args: &Build) -> Console {
    let output = io::stdout().is_terminal() && io::stderr().is_terminal();
    match io::stdin().is_terminal() {
        true => Console::Terminal { output: output && People::of(args) == People::Stdout },
        false => Console::Input,
    }
}

/// What shows the run on a terminal, if it is one, and in others.
pub(super) fn board(args: &Build, share: Option<Share>) -> Result<Board, Error> {
    let people = People::of(args);
    let terminal = people.is_terminal().then(|| Terminal {
        out: people.writer(),
        err: warnings(&args.common.color),
        size: (!args.how.quiet && terminal::can_move()).then(|| people.size()),
    });
    Board::start(terminal, share).map_err(no_thread)
}

/// stderr, without colours where there are to be none.
fn warnings(color: &str) -> Box<dyn Write + Send> {
    let choice = match Colours::choose(color).err {
        true => anstream::ColorChoice::Always,
        false => anstream::ColorChoice::Never,
    };
    Box::new(anstream::AutoStream::new(io::stderr(), choice))
}

/// Who hears of a run; of `taskr watch` all runs go to one file of events.
pub(super) fn listeners(
    (args, mode): (&Build, Mode),
    events: Option<File>,
    board: &Board,
    streams: &Streams,
) -> Result<Vec<Box<dyn Listener>>, Error> {
    let people = People::of(args);
    let events_on_stdout = people == People::Stderr;
    let terminal = people.is_terminal();
    let options = options(args, mode, terminal);
    let out: Box<dyn Write> = match people {
        _ if terminal => Box::new(board.out()),
        People::Stdout => Box::new(streams.stdout.of(people.writer())),
        People::Stderr => people.writer(),
    };
    let err = match terminal && io::stderr().is_terminal() {
        true => Box::new(board.err()),
        false => warnings(&args.common.color),
    };
    let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(Lines::new(options, out, err))];
    if let Some(listener) = board.listener() {
        listeners.insert(0, Box::new(listener));
    }
    match &args.how.events {
        Some(_) if events_on_stdout => {
            listeners.push(Box::new(Json::new(streams.events.of(io::stdout()))));
        }
        Some(path) => {
            let file = events.map_or_else(|| create(path, &EVENTS), Ok)?;
            listeners.push(Box::new(Json::new(streams.events.of(file))));
        }
        None => {}
    }
    Ok(listeners)
}

/// Ends the trace. What there is to say if it could not be written.
fn finish(trace: Option<Trace<File>>, args: &Build, workspace: &Workspace) -> Option<String> {
    let (mut trace, path) = (trace?, args.trace.as_ref()?);
    for &(name, begun, ended) in &*workspace.stages.done() {
        trace.event(&Event::Stage { name, task: None, begun, ended });
    }
    let error = trace.finish().err()?;
    Some(format!(
        "the trace {} is incomplete: {}",
        one_line(&path.display().to_string()),
        said(&error)
    ))
}

fn this_program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|cause| Error::Io {
        doing: "cannot find".to_owned(),
        path: PathBuf::from("taskr itself"),
        cause,
    })
}
