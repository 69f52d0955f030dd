//! The toy task: a command whose right output can be computed (`taskr/toy.rs` says how).
//!
//! `toytask NAME OUT... [--in FILE...] [--env NAME...] [--salt TEXT] [--spread DIR] [--head]
//! [--exec] [--depfile FILE] [--dir DIR] [--ask SERVICE]`. Writes each OUT, and one to three files
//! `n0 n1 n2` in the folder that `--spread` names. With `--depfile`, lines `include FILE` in inputs
//! are followed, and all files read are written there as make would have it. `--dir` says where in
//! the workspace it runs. A task of the profile `q` is called `NAME@q`.
//!
//! `toytask NAME --items FILE... [--to OUT...] [--at PATTERN...]` does the same for each item, one
//! after the other, as `NAME:FILE`: its part of all OUT, or each PATTERN with its name for `%`.
//!
//! `toytask NAME --serve` answers whoever asks with `--ask NAME`, and ends only by a signal.
//!
//! From its environment:
//! `TOY_LOG`: a file that gets the line `+NAME` at the start and `-NAME` at the end;
//! `TOY_SLEEP`: the most it sleeps half-way through its outputs, in milliseconds;
//! `TOY_FAIL`: a folder; where a file there is named as the task (`/` as `%`), half of the outputs
//! are left broken, the task fails, and the file says so;
//! `TOY_SERVED`: a folder for the sockets of services.
//!
//! `toytask serve PORT [STATUS]...` listens on a port of this machine and answers each request with
//! the next status, the last one from then on.

#[path = "taskr/toy.rs"]
mod toy;

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toy::{Recipe, Seen, includes};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Clone, Default)]
struct Args {
    recipe: Recipe,
    outputs: Vec<String>,
    inputs: Vec<String>,
    spread: Option<String>,
    depfile: Option<String>,
    exec: bool,
    dir: String,
    items: Vec<String>,
    at: Vec<String>,
    serves: bool,
    asks: Option<String>,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("serve", rest)) = words.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        return serve(rest);
    }
    let mut args = parse(std::env::args().skip(1))?;
    if args.serves {
        return answer(args);
    }
    if args.items.is_empty() {
        if std::env::var("TASKR_TASK").is_ok_and(|task| task.ends_with("profile=q")) {
            args.recipe.name += "@q";
        }
        return work(args);
    }
    let share = args.outputs.len() / args.items.len();
    for (n, item) in args.items.iter().enumerate() {
        let mut one = args.clone();
        one.recipe.name = format!("{}:{item}", args.recipe.name);
        one.inputs.push(item.clone());
        one.outputs = args.outputs[n * share..(n + 1) * share].to_vec();
        let name = item.rsplit('/').next().unwrap_or_default();
        one.outputs.extend(args.at.iter().map(|pattern| pattern.replace('%', name)));
        work(one)?;
    }
    Ok(())
}

fn work(mut args: Args) -> Result<()> {
    note("+", &args.recipe.name)?;
    let read = read_inputs(&mut args)?;
    if let Some(folder) = &args.spread {
        let folder = folder.trim_end_matches('/');
        args.outputs.extend((0..args.recipe.spread()).map(|n| format!("{folder}/n{n}")));
    }
    let fails = fails_now(&args.recipe.name)?;
    for (index, output) in args.outputs.iter().enumerate() {
        let content = args.recipe.content(named(output));
        let half = if fails && index % 2 == 0 { "broken\n" } else { &content };
        write_output(output, half, &args)?;
    }
    if fails {
        return Err("told to fail".into());
    }
    if let Some(depfile) = &args.depfile {
        let read: Vec<String> = read.iter().map(|path| path.replace(' ', "\\ ")).collect();
        fs::write(depfile, format!("toy: {}\n", read.join(" \\\n  ")))?;
    }
    note("-", &args.recipe.name)
}

/// Answers with what a file of its name would hold.
fn answer(mut args: Args) -> Result<()> {
    read_inputs(&mut args)?;
    let path = socket(&args.recipe.name)?;
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(path)?;
    println!("ready");
    for stream in listener.incoming() {
        stream?.write_all(args.recipe.content("served").as_bytes())?;
    }
    Ok(())
}

fn socket(service: &str) -> Result<PathBuf> {
    Ok(Path::new(&std::env::var("TOY_SERVED")?).join(service))
}

fn parse(words: impl Iterator<Item = String>) -> Result<Args> {
    let mut args = Args::default();
    let mut option = String::new();
    let mut named = false;
    for word in words {
        match word.as_str() {
            "--head" => args.recipe.head = true,
            "--exec" => args.exec = true,
            "--serve" => args.serves = true,
            "--in" | "--env" | "--salt" | "--spread" | "--depfile" | "--dir" | "--items"
            | "--to" | "--at" | "--ask" => option = word,
            _ => match option.as_str() {
                "" if !named => (args.recipe.name, named) = (word, true),
                "" => args.outputs.push(word),
                "--in" => args.inputs.push(word),
                "--items" => args.items.push(word),
                "--to" => args.outputs.push(word),
                "--at" => args.at.push(word),
                "--dir" => args.dir = word,
                "--ask" => args.asks = Some(word),
                "--salt" => args.recipe.salt = word,
                "--spread" => args.spread = Some(word),
                "--depfile" => args.depfile = Some(word),
                _ => {
                    let value = std::env::var(&word).ok();
                    args.recipe.env.insert(word, value);
                }
            },
        }
    }
    if named { Ok(args) } else { Err("toytask NAME OUT...".into()) }
}

/// Fills the recipe with the inputs, with what a service answers and, with a depfile, with what the
/// inputs include. All paths read.
fn read_inputs(args: &mut Args) -> Result<BTreeSet<String>> {
    let mut read = BTreeSet::new();
    let mut waiting = VecDeque::from(args.inputs.clone());
    let up = "../".repeat(args.dir.split('/').filter(|part| !part.is_empty()).count());
    while let Some(path) = waiting.pop_front() {
        if !read.insert(path.clone()) {
            continue;
        }
        let bytes = fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
        let exec = fs::metadata(&path)?.permissions().mode() & 0o100 != 0;
        if args.depfile.is_some() {
            waiting.extend(includes(&bytes).iter().map(|path| format!("{up}{path}")));
        }
        args.recipe.inputs.insert(logical(&args.dir, &path), Seen { exec, bytes });
    }
    if let Some(service) = &args.asks {
        let mut bytes = Vec::new();
        let asked = UnixStream::connect(socket(service)?);
        asked.map_err(|error| format!("{service}: {error}"))?.read_to_end(&mut bytes)?;
        args.recipe.inputs.insert("served".to_owned(), Seen { exec: false, bytes });
    }
    Ok(read)
}

/// Writes in two halves with a nap between them, so that a kill leaves half a file.
fn write_output(path: &str, content: &str, args: &Args) -> Result<()> {
    if let (Some(_), Some(folder)) = (&args.spread, Path::new(path).parent()) {
        fs::create_dir_all(folder)?;
    }
    let (first, second) = content.split_at(content.len() / 2);
    let mut file = fs::File::create(path).map_err(|error| format!("{path}: {error}"))?;
    file.write_all(first.as_bytes())?;
    nap();
    file.write_all(second.as_bytes())?;
    if args.exec {
        file.set_permissions(Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn nap() {
    let most = std::env::var("TOY_SLEEP").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    if most > 0 {
        let noise =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        std::thread::sleep(Duration::from_millis(u64::from(noise / 1000) % most));
    }
}

fn serve(words: &[String]) -> Result<()> {
    let (port, mut statuses) = words.split_first().ok_or("toytask serve PORT")?;
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?))?;
    println!("listening on {port}");
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut request = [0; 1024];
        // Who only looks whether somebody listens asks for nothing.
        if stream.read(&mut request)? == 0 {
            continue;
        }
        let status = statuses.first().map_or("200", String::as_str);
        statuses = if statuses.len() > 1 { &statuses[1..] } else { statuses };
        println!("answered {status}");
        stream.write_all(format!("HTTP/1.1 {status} So\r\n\r\n").as_bytes())?;
    }
    Ok(())
}

fn fails_now(name: &str) -> Result<bool> {
    let Ok(folder) = std::env::var("TOY_FAIL") else { return Ok(false) };
    let flag = Path::new(&folder).join(name.replace('/', "%"));
    let fails = flag.exists();
    if fails {
        fs::write(flag, "it did")?;
    }
    Ok(fails)
}

/// The path of an output that counts: one staged or left in a task's own `out/` is named by what
/// follows.
fn named(path: &str) -> &str {
    let staged = path.split_once(".taskr/tasks/").and_then(|(_, rest)| rest.split_once("/out/"));
    staged.map_or(path, |(_, rest)| rest)
}

/// The path of an input that counts: seen from the workspace, by a command that runs in `folder`.
fn logical(folder: &str, path: &str) -> String {
    let name = named(path);
    let mut parts: Vec<&str> = if name == path { folder.split('/').collect() } else { Vec::new() };
    for part in name.split('/') {
        match part {
            ".." => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

fn note(sign: &str, name: &str) -> Result<()> {
    if let Ok(log) = std::env::var("TOY_LOG") {
        let line = format!("{sign}{name}\n");
        OpenOptions::new().append(true).create(true).open(log)?.write_all(line.as_bytes())?;
    }
    Ok(())
}
