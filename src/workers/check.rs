//! What must hold after a command and before anything of it is published: acceptance tests, then
//! gates against the metrics that the command wrote.
//!
//! They see the staged files, and may change them: outputs are collected and digested only
//! afterwards.

use std::fs::File;
use std::io::{self, Read as _, Write};

use crossbeam_channel::Sender;

use super::attempt::{Attempt, Stop};
use super::job::Accept;
use super::{Piece, Writer};
use crate::error::nearest;
use crate::outcome::{Judged, Number};
use crate::process::{Command, Console};

/// Where a command writes its metrics, below the task's folder: fresh for each attempt.
pub const METRICS: &str = "tmp/metrics";

/// A longer file of metrics is not read, in bytes.
const LONGEST_BYTES: u64 = 1024 * 1024;

/// So many lines that are no metrics are named.
const MOST_NAMED: usize = 3;

impl Attempt<'_> {
    /// Runs the acceptance tests, in order, to the first that fails, and holds the gates against
    /// the metrics.
    pub(super) fn check(&mut self, log: &mut File, pieces: &Sender<Piece>) -> Result<(), Stop> {
        let run = self.run;
        let accepted = run.checks.accept.iter().enumerate();
        let accepted =
            accepted.into_iter().try_for_each(|(at, test)| self.accept(at, test, log, pieces));
        let read = self.read_metrics();
        accepted?;
        let wrong = read?;
        let gates = &run.checks.gates;
        let judged = gates.iter().map(|gate| gate.judge(self.ended.checkup.metric(&gate.name)));
        self.ended.checkup.gates = judged.collect();
        let failed = self.ended.checkup.gates.iter().filter(|gate| !gate.passed());
        let failed: Vec<String> = failed.map(|gate| self.tell(gate, &wrong)).collect();
        if failed.is_empty() {
            return Ok(());
        }
        self.ended.command_failed = true;
        Err(Stop::Failed(failed.join("; ")))
    }

    fn accept(
        &mut self,
        at: usize,
        test: &Accept,
        log: &mut File,
        pieces: &Sender<Piece>,
    ) -> Result<(), Stop> {
        let of = self.run.checks.accept.len();
        let name = if of == 1 { "its acceptance test" } else { "acceptance test" };
        let name = if of == 1 { name.to_owned() } else { format!("{name} {} of {of}", at + 1) };
        self.head(&format!("accept: {}", test.shown.replace('\n', " ")), log, pieces);
        self.ended.checkup.accept_run += 1;
        let failed = match &test.command {
            Err(what) => {
                self.ended.tail = Vec::new();
                Some(what.clone())
            }
            Ok(command) => {
                let command = Command { timeout: self.time_left(), ..command.clone() };
                let ended = self.run_command((&command, Console::None), log, pieces);
                match ended.and_then(|ended| self.by_itself(&ended, log)) {
                    Ok(status) if status.success() => None,
                    Ok(status) => Some(status.to_string()),
                    Err(Stop::Failed(what)) => Some(what),
                    Err(other) => return Err(other),
                }
            }
        };
        let Some(what) = failed else {
            self.ended.checkup.accepted += 1;
            return Ok(());
        };
        self.ended.checkup.failed = Some(test.shown.clone());
        self.ended.command_failed = true;
        Err(Stop::Failed(format!("{name} failed: {what}")))
    }

    /// A line of taskr's own among the output.
    fn head(&mut self, line: &str, log: &mut File, pieces: &Sender<Piece>) {
        let line = format!("== {line}\n").into_bytes();
        // A log that cannot be written is told with the output that follows.
        let _ = log.write_all(&line);
        if self.run.stream {
            // A listener that is gone needs no output.
            let _ = pieces.send((Writer::Task(self.run.task), line));
        }
    }

    /// Reads what the command wrote as metrics. The names of those that are no numbers, with their
    /// values.
    fn read_metrics(&mut self) -> Result<Vec<(String, String)>, Stop> {
        let path = self.run.dir.join(METRICS);
        let failed = |error| Stop::io("read", &path, &error);
        let file = match File::open(self.context.root.absolute(&path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(LONGEST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LONGEST_BYTES {
            return Err(Stop::Failed("its metrics are longer than 1 MiB".to_owned()));
        }
        let Lines { metrics, wrong, warnings } = parse(&String::from_utf8_lossy(&bytes));
        self.ended.checkup.metrics = metrics;
        let gates = &self.run.checks.gates;
        // Those with a gate are told as its failure.
        let others = wrong.iter().filter(|(name, _)| gates.iter().all(|gate| gate.name != *name));
        let others = others.map(|(name, value)| format!("its metric {name} is no number: {value}"));
        self.ended.warnings.extend(others.chain(warnings).take(MOST_NAMED));
        Ok(wrong)
    }

    /// Why a gate failed.
    fn tell(&self, gate: &Judged, wrong: &[(String, String)]) -> String {
        if gate.value.is_some() {
            return gate.to_string();
        }
        let Judged { name, must, .. } = gate;
        if let Some((_, value)) = wrong.iter().find(|(own, _)| own == name) {
            return format!("{name} is {value}, which is no number; it must be {must}");
        }
        let written = || self.ended.checkup.metrics.iter().map(|(name, _)| name.as_str());
        let why = match (nearest(name, written()), written().count()) {
            (Some(near), _) => format!("there is `{near}` in $TASKR_METRICS"),
            (None, 0) => "nothing was written to $TASKR_METRICS".to_owned(),
            (None, _) => {
                let few: Vec<&str> = written().take(MOST_NAMED).collect();
                format!("$TASKR_METRICS has {}", few.join(", "))
            }
        };
        format!("{gate}: {why}")
    }
}

/// What a file of metrics says.
#[derive(Debug, Default, PartialEq)]
struct Lines {
    metrics: Vec<(String, Number)>,
    /// Names whose last value is no number, and that value.
    wrong: Vec<(String, String)>,
    warnings: Vec<String>,
}

/// Reads `name=value` lines. Of a name that is given twice the last value counts; empty lines and
/// those that begin with `#` say nothing.
fn parse(text: &str) -> Lines {
    let mut lines = Lines::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts = line.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = parts.filter(|(name, _)| !name.is_empty()) else {
            let shown: String = line.chars().take(40).flat_map(char::escape_debug).collect();
            let number = number + 1;
            lines.warnings.push(format!(
                "line {number} of its metrics is no name=value, and is left out: {shown}"
            ));
            continue;
        };
        let name: String = name.chars().flat_map(char::escape_debug).collect();
        let value: String = value.chars().flat_map(char::escape_debug).collect();
        match Number::parse(&value) {
            Some(value) => {
                lines.wrong.retain(|(own, _)| *own != name);
                match lines.metrics.iter_mut().find(|(own, _)| *own == name) {
                    Some((_, old)) => *old = value,
                    None => lines.metrics.push((name, value)),
                }
            }
            None => {
                lines.metrics.retain(|(own, _)| *own != name);
                lines.wrong.retain(|(own, _)| *own != name);
                lines.wrong.push((name, value));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_lines_of_a_name_and_a_number() {
        let text = "# by pytest\ncoverage=80\n\n tests = 12 \nno line\n=5\nrev=abc\nsize=1e3\n\
                    coverage=93.5\nsize=big\nrev=7\r\n";
        let lines = parse(text);
        let metrics: Vec<String> =
            lines.metrics.iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(metrics, ["coverage 93.5", "tests 12", "rev 7"]);
        assert_eq!(lines.wrong, [("size".to_owned(), "big".to_owned())]);
        assert_eq!(
            lines.warnings,
            [
                "line 5 of its metrics is no name=value, and is left out: no line",
                "line 6 of its metrics is no name=value, and is left out: =5",
            ]
        );
    }
}
