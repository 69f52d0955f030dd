//! What a service starts, when it is ready and how it ends, rendered.

use std::time::Duration;

use super::Build;
use super::launch::{Rendered, argv_of};
use crate::expr::{self, ExprError};
use crate::graph::{self, Service, Text};
use crate::ids::{ServiceId, TaskId};
use crate::parse::{Address, port_of};
use crate::workers::{Probe, Up};

/// What tells that a service is ready, and what ends it.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    probe: Probing,
    stop: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
enum Probing {
    Port(u16),
    Http(Address),
    Log(String),
    Cmd(Vec<String>),
}

impl Serving {
    pub(super) fn render(
        service: &Service,
        resolve: &expr::Scope,
    ) -> Result<Serving, (ExprError, Text)> {
        let text = |text: &Text| text.template.text(resolve).map_err(|error| (error, text.clone()));
        let wrong = |text: &Text, message: String, help: String| {
            (ExprError { range: 0..0, message, help: Some(help) }, text.clone())
        };
        let probe = match &service.probe {
            graph::Probe::Port(port) => {
                let digits = text(port)?;
                let message = || format!("`{digits}` is no port: ports are 1 to 65535");
                let number = port_of(&digits);
                Probing::Port(
                    number.ok_or_else(|| wrong(port, message(), "write port = 5432".to_owned()))?,
                )
            }
            graph::Probe::Http(url) => Probing::Http(
                Address::parse(&text(url)?).map_err(|(what, help)| wrong(url, what, help))?,
            ),
            graph::Probe::Log(line) => match text(line)? {
                empty if empty.is_empty() => {
                    let help = "name what it writes when it is ready".to_owned();
                    return Err(wrong(line, "`log` is empty".to_owned(), help));
                }
                line => Probing::Log(line),
            },
            graph::Probe::Cmd(action) => Probing::Cmd(argv_of(action, resolve)?),
        };
        let stop = service.stop.as_ref().map(|action| argv_of(action, resolve));
        Ok(Serving { probe, stop: stop.transpose()? })
    }
}

impl Build<'_> {
    /// All that is needed to start a service.
    pub(super) fn up(
        &self,
        (id, number): (TaskId, ServiceId),
        rendered: &Rendered,
        stream: bool,
    ) -> Result<Up, String> {
        let (rule, dir) = (&self.graph.task(id).rule, self.task_dir(id));
        let (Some(service), Some(serving)) = (&rule.target.service, &rendered.service) else {
            return Err("it is no service".to_owned());
        };
        let probe = match &serving.probe {
            Probing::Port(port) => Probe::Port(*port),
            Probing::Http(address) => Probe::Http(address.clone()),
            Probing::Log(text) => Probe::Log(text.clone().into_bytes()),
            Probing::Cmd(argv) => {
                let command = self.beside(id, argv, (rendered, 1));
                Probe::Cmd(command.map_err(|what| format!("its `ready`: {what}"))?)
            }
        };
        let stop = serving.stop.as_ref().map(|argv| self.beside(id, argv, (rendered, 1)));
        let stop = stop.transpose().map_err(|what| format!("its `stop`: {what}"))?;
        let command = self.around().command(rule, &dir, rendered, 1)?;
        Ok(Up {
            task: id,
            number,
            command,
            dir,
            probe,
            stop,
            timeout: Duration::from_millis(service.timeout_ms),
            guard: self.guard.clone(),
            stream,
            stays: self.services.is_named(id) || self.request.lasting.is_some(),
        })
    }
}
