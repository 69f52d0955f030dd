//! Whether a service is ready: a port, a request, a line of its output, a command.
//!
//! Knows no task. Each look is short; how often and how long is the caller's.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::attempt::Tail;
use crate::parse::Address;
use crate::process::{self, Command, Guard, Stop};

/// A connection within one machine is there at once or not at all.
const CONNECT_WAIT: Duration = Duration::from_secs(1);
/// How long an answer may take; then it is asked anew.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Of a status line no more is read.
const STATUS_BYTES: u64 = 4 * 1024;

/// What tells that a service is ready.
#[derive(Clone, Debug)]
pub enum Probe {
    /// Somebody listens on this port of this machine.
    Port(u16),
    /// A request is answered with a status below 400.
    Http(Address),
    /// It wrote this; not empty.
    Log(Vec<u8>),
    /// This succeeds.
    Cmd(Command),
}

impl Probe {
    /// What answers already, before the service was started.
    pub(super) fn taken(&self) -> Option<String> {
        match self {
            Probe::Port(port) if connect(&own(*port)).is_ok() => Some(format!("port {port}")),
            Probe::Http(to) if connect(&addresses(to).ok()?).is_ok() => {
                Some(format!("{}:{}", to.host, to.port))
            }
            _ => None,
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// What is missing. What a service writes is not looked for here.
    pub(super) fn look(&self, stop: &Stop, guard: Option<&Guard>) -> Result<(), String> {
        match self {
            Probe::Port(port) => {
                let connected = connect(&own(*port));
                connected.map(drop).map_err(|_| format!("nothing listens on port {port}"))
            }
            Probe::Http(to) => ask(to),
            Probe::Log(text) => {
                Err(format!("it did not write {:?}", String::from_utf8_lossy(text)))
            }
            Probe::Cmd(command) => try_command(command, stop, guard),
        }
    }
}

/// The port on this machine, in both ways that a program may listen on it.
fn own(port: u16) -> Vec<SocketAddr> {
    vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
}

fn addresses(to: &Address) -> io::Result<Vec<SocketAddr>> {
    Ok((&*to.host, to.port).to_socket_addrs()?.collect())
}

/// The first that takes a connection.
fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT_WAIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask(to: &Address) -> Result<(), String> {
    let place = format!("{}:{}", to.host, to.port);
    let found = addresses(to).map_err(|error| format!("cannot find {place}: {error}"))?;
    let stream = connect(&found).map_err(|_| format!("nothing listens on {place}"))?;
    let status = request(stream, to);
    match status.map_err(|error| format!("{place} gives no answer: {error}"))? {
        200..=399 => Ok(()),
        status => Err(format!("http://{place}{} answers {status}", to.path)),
    }
}

/// The status of a plain GET (RFC 9112, 3 and 4). Nothing behind it is read.
fn request(mut stream: TcpStream, to: &Address) -> io::Result<u16> {
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.set_write_timeout(Some(ANSWER_WAIT))?;
    let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
    let (path, port) = (&to.path, to.port);
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: taskr\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(text.as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(io::Read::take(stream, STATUS_BYTES)).read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line);
    let mut words = line.split(' ');
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/"));
    let status = words.next().and_then(|word| word.trim_end().parse().ok());
    status.filter(|_| is_http).ok_or_else(|| io::Error::other("no HTTP"))
}

fn try_command(command: &Command, stop: &Stop, guard: Option<&Guard>) -> Result<(), String> {
    let mut tail = Tail::default();
    let ended = run_silently(command, stop, guard, &mut tail);
    let ended = ended.map_err(|error| process::why_not_started(command, &error))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!("its `cmd` ended with {}{}", ended.status, last_line(tail)))
}

/// Runs a command of which only the end of its output is kept.
pub(super) fn run_silently(
    command: &Command,
    stop: &Stop,
    guard: Option<&Guard>,
    tail: &mut Tail,
) -> io::Result<process::Ended> {
    let mut null = std::fs::File::options().write(true).open("/dev/null")?;
    process::run(command, &mut null, stop, guard, &mut |bytes| tail.push(bytes))
}

/// `: text`, if anything was written.
pub(super) fn last_line(tail: Tail) -> String {
    let bytes = tail.finish();
    let text = String::from_utf8_lossy(&bytes);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    last.map_or_else(String::new, |line| format!(": {line}"))
}

/// Looks for a text in a stream that comes in pieces.
pub(super) struct Finder {
    text: Vec<u8>,
    /// What came last, shorter than the text.
    carried: Vec<u8>,
}

impl Finder {
    pub(super) fn new(text: &[u8]) -> Finder {
        Finder { text: text.to_vec(), carried: Vec::new() }
    }

    /// Whether the text is there now, perhaps begun in an earlier piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> bool {
        self.carried.extend_from_slice(piece);
        if self.carried.windows(self.text.len().max(1)).any(|window| window == self.text) {
            return true;
        }
        let keep = self.text.len().saturating_sub(1).min(self.carried.len());
        self.carried.drain(..self.carried.len() - keep);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_text_is_found_across_pieces() {
        for (pieces, expected) in [
            (&["listening"][..], true),
            (&["...list", "ening on"], true),
            (&["l", "i", "s", "t", "e", "n", "i", "n", "g"], true),
            (&["listenin", "", "listening"], true),
            (&["listen", "listen"], false),
            (&[], false),
        ] {
            let mut finder = Finder::new(b"listening");
            let found = pieces.iter().any(|piece| finder.push(piece.as_bytes()));
            assert_eq!(found, expected, "{pieces:?}");
        }
    }

    #[test]
    fn answers() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Ok(200)),
            (b"HTTP/1.0 302\r\n", Ok(302)),
            (b"HTTP/1.1 503 Busy\r\n", Ok(503)),
            (b"SSH-2.0-x\r\n", Err(())),
            (b"", Err(())),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                let mut request = [0; 1024];
                let length = stream.read(&mut request).expect("a request");
                stream.write_all(answer).expect("an answer");
                String::from_utf8_lossy(&request[..length]).into_owned()
            });
            let to = Address { host: "127.0.0.1".to_owned(), port, path: "/a?b".to_owned() };
            let stream = connect(&addresses(&to).expect("found")).expect("connected");
            assert_eq!(request(stream, &to).map_err(drop), expected);
            let asked = server.join().expect("no panic");
            assert!(asked.starts_with("GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
        }
    }
}
