//! What a target says of a program that stays up: that it is one, when it is ready, how it ends;
//! and what cannot be said of one.

use toml::de::DeValue;

use super::read::{Asker, Reader, Value, given};
use super::{Duration, Target, Text};
use crate::error::{Diagnostic, meant, quoted};
use crate::expr::Template;

/// A target that stays up.
#[derive(Clone, Debug)]
pub struct Service {
    /// Whether it is one.
    pub service: bool,
    /// When others may begin.
    pub ready: Option<Ready>,
    /// A line for the shell that ends it.
    pub stop: Option<Text>,
    /// Whether `taskr watch` starts it anew when what it is made of has changed.
    pub restart: bool,
}

impl Default for Service {
    fn default() -> Service {
        Service { service: false, ready: None, stop: None, restart: true }
    }
}

/// When a service is ready.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What is looked at.
    pub probe: Probe,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// What tells that a service is ready.
#[derive(Clone, Debug)]
pub enum Probe {
    /// Somebody listens on this port of this machine.
    Port(Text),
    /// A request for this address is answered well.
    Http(Text),
    /// It wrote this.
    Log(Text),
    /// This line for the shell succeeds.
    Cmd(Text),
}

/// The kinds of a [`Probe`], each with an example.
const KINDS: [(&str, &str); 4] = [
    ("port", "ready = { port = 5432 }"),
    ("http", "ready = { http = \"http://localhost:8080/health\" }"),
    ("log", "ready = { log = \"listening\" }"),
    ("cmd", "ready = { cmd = \"pg_isready\" }"),
];

const TIMEOUT_EXAMPLE: &str = "timeout = \"60s\"";

/// Fields that have no sense for a program that stays up.
pub const NOT_OF_SERVICES: [&str; 24] = [
    "outputs",
    "installs",
    "depfile",
    "always",
    "fresh_if",
    "fixes_inputs",
    "restage",
    "keep_outputs",
    "cache",
    "relocatable",
    "max_age",
    // What ends, and is started in turn, alone can have these.
    "timeout",
    "retry",
    "accept",
    "gates",
    "rollback",
    "require",
    "allow_failure",
    "interactive",
    "batch",
    "priority",
    "cpus",
    "pool",
    "memory",
];

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or a number, without brackets.
    pub host: String,
    /// 80 where none is written.
    pub port: u16,
    /// Begins with `/`.
    pub path: String,
}

impl Address {
    /// Reads `http://host:port/path`.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn parse(url: &str) -> Result<Address, (String, String)> {
        let example = || "write http = \"http://localhost:8080/health\"".to_owned();
        let wrong = |what: &str| (format!("{} {what}", quoted(url)), example());
        if url.starts_with("https://") {
            let help = "ask over plain http, or a program: cmd = \"curl -fsk https://...\"";
            return Err((format!("{}: taskr asks without TLS", quoted(url)), help.to_owned()));
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| wrong("is no http:// address"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(|| wrong("is no http:// address"))?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => port_of(digits).ok_or_else(|| wrong("has no port of 1 to 65535"))?,
            None if port.is_empty() => 80,
            None => return Err(wrong("is no http:// address")),
        };
        let plain = |text: &str| text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if host.is_empty() || host.contains('@') || !plain(host) || !plain(&path) {
            return Err(wrong("is no http:// address"));
        }
        Ok(Address { host: host.to_owned(), port, path })
    }
}

/// A port as digits.
pub fn port_of(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port: &u16| digits && port > 0)
}

impl Reader {
    /// The table `ready`.
    pub(super) fn ready(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Ready> {
        let table = self.table(value, asker)?;
        let (mut probe, mut timeout, mut first) = (None, None, None);
        let mut understood = true;
        for (key, value) in table {
            let name = &**key.get_ref();
            let place = self.place(key.span());
            if name == "timeout" {
                let (asks, example) = ("a duration", TIMEOUT_EXAMPLE);
                timeout = self.duration(value, Asker { name, asks, example, filled: true });
                understood &= timeout.is_some();
                continue;
            }
            let Some((kind, example)) = KINDS.iter().find(|(kind, _)| *kind == name) else {
                let known = KINDS.iter().map(|(kind, _)| *kind).chain(["timeout"]);
                let problem = Diagnostic::error(format!("`ready` has no key {}", quoted(name)));
                self.refuse(problem.at(place, "").help(meant(name, known, "its keys:")));
                understood = false;
                continue;
            };
            if let Some((other, earlier)) = first.replace((*kind, place.clone())) {
                let what = format!("`ready` has two ways to tell: `{other}` and `{kind}`");
                let problem = Diagnostic::error(what).at(place, "").also(earlier, "the first");
                self.refuse(problem.help(
                    "keep one; what needs both is a command, as in ready = { cmd = \"...\" }",
                ));
                return None;
            }
            if value.get_ref().as_str().is_some_and(|text| text.trim().is_empty()) {
                let problem = Diagnostic::error(format!("`{kind}` is empty"));
                let place = self.place(value.span());
                self.refuse(problem.at(place, "").help(format!("write {example}")));
                return None;
            }
            let asker = Asker { name: kind, asks: "a string", example, filled: true };
            probe = self.probe(kind, value, asker);
            understood &= probe.is_some();
        }
        if first.is_none() && understood {
            let place = self.place(value.span());
            let problem = Diagnostic::error("`ready` does not say what tells that it is ready");
            self.refuse(problem.at(place, "").help(which_ready()));
        }
        Some(Ready { probe: probe?, timeout })
    }

    fn probe(&mut self, kind: &str, value: &Value<'_>, asker: Asker<'_>) -> Option<Probe> {
        Some(match kind {
            "port" => Probe::Port(self.port(value)?),
            "http" => Probe::Http(self.http(value, asker)?),
            "log" => Probe::Log(self.text(value, asker)?),
            _ => Probe::Cmd(self.one_command(value, asker)?),
        })
    }

    fn port(&mut self, value: &Value<'_>) -> Option<Text> {
        let place = self.place(value.span());
        let text = match value.get_ref() {
            DeValue::Integer(number) => {
                Text { template: Template::literal(&number.to_string()), place }
            }
            DeValue::String(_) => {
                let (asks, example) = ("a number", "port = 5432");
                self.text(value, Asker { name: "port", asks, example, filled: true })?
            }
            _ => {
                let what = format!("`port` asks for a number, not for {}", given(value));
                let problem = Diagnostic::error(what).at(place, "");
                self.refuse(problem.help("write port = 5432"));
                return None;
            }
        };
        if let Some(literal) = text.template.as_literal()
            && port_of(literal).is_none()
        {
            let what = format!("{} is no port: ports are 1 to 65535", quoted(literal));
            let problem = Diagnostic::error(what).at(text.place.clone(), "");
            self.refuse(problem.help("write port = 5432"));
            return None;
        }
        Some(text)
    }

    fn http(&mut self, value: &Value<'_>, asker: Asker<'_>) -> Option<Text> {
        let text = self.text(value, asker)?;
        if let Some(literal) = text.template.as_literal()
            && let Err((what, help)) = Address::parse(literal)
        {
            self.refuse(Diagnostic::error(what).at(text.place.clone(), "").help(help));
            return None;
        }
        Some(text)
    }

    /// What a service must say, and what only a service can. Whether nothing was refused.
    pub(super) fn check_service(&mut self, target: &Target) -> bool {
        let needs_it = ["ready", "stop", "restart"].into_iter().find(|field| target.has(field));
        if !target.service.service && needs_it.is_none() {
            return true;
        }
        let name = quoted(&target.name);
        if let (false, Some(field)) = (target.service.service, needs_it) {
            let problem =
                Diagnostic::error(format!("target {name} has `{field}` and no `service`"));
            self.refuse(
                problem
                    .at(target.place_of(field).clone(), "only what stays up can have it")
                    .help(format!("add service = true, or remove `{field}`")),
            );
            return false;
        }
        let place = target.place_of("service").clone();
        if let Some(field) = NOT_OF_SERVICES.into_iter().find(|field| target.has(field)) {
            let problem =
                Diagnostic::error(format!("target {name} is a service and has `{field}`"));
            self.refuse(
                problem
                    .at(target.place_of(field).clone(), "has no sense for what stays up")
                    .also(place, "never up to date, and makes nothing for others")
                    .help(instead_of(field)),
            );
            return false;
        }
        if !target.has("ready") {
            let problem = Diagnostic::error(format!("target {name} does not say when it is ready"));
            self.refuse(
                problem.at(place, "what needs it starts when it is ready").help(which_ready()),
            );
            return false;
        }
        true
    }
}

/// What to write instead of a field that a service cannot have.
fn instead_of(field: &str) -> String {
    let more = match field {
        "outputs" | "installs" | "depfile" => {
            "; a target of its own makes what is to be there before it starts:\nname that in `deps`"
        }
        "timeout" => {
            "; how long it may take to get ready is a part of `ready`:\n\
             write ready = { port = 5432, timeout = \"60s\" }"
        }
        _ => "",
    };
    format!("remove `{field}`{more}")
}

fn which_ready() -> String {
    let examples = KINDS.map(|(_, example)| example).join("\n  ");
    format!("add one of\n  {examples}")
}

impl Service {
    /// Its strings that may hold expressions.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        let probe = self.ready.as_ref().map(|ready| match &ready.probe {
            Probe::Port(text) | Probe::Http(text) | Probe::Log(text) | Probe::Cmd(text) => text,
        });
        probe.into_iter().chain(&self.stop)
    }

    /// Its lines for a shell.
    pub(super) fn scripts(&self) -> impl Iterator<Item = &Text> {
        let probe = self.ready.as_ref().and_then(|ready| match &ready.probe {
            Probe::Cmd(text) => Some(text),
            Probe::Port(_) | Probe::Http(_) | Probe::Log(_) => None,
        });
        probe.into_iter().chain(&self.stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address = |host: &str, port, path: &str| {
            Ok(Address { host: host.to_owned(), port, path: path.to_owned() })
        };
        for (url, expected) in [
            ("http://localhost:8080/health", address("localhost", 8080, "/health")),
            ("http://localhost", address("localhost", 80, "/")),
            ("http://[::1]:1/a?b=c#d", address("::1", 1, "/a?b=c")),
            ("http://127.0.0.1:65535?x", address("127.0.0.1", 65535, "/?x")),
        ] {
            assert_eq!(Address::parse(url), expected, "{url}");
        }
        for url in [
            "localhost:8080",
            "http://",
            "http://:80",
            "http://a:0",
            "http://a:65536",
            "http://a:+1",
            "http://a b/",
            "http://a/\r\nX: y",
            "http://u:p@a/",
            "http://[::1",
            "http://[::1]80",
            "https://localhost/",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
