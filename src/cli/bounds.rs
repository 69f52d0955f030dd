//! When a build has to stop or to wait: what the command line says, else the Taskfile.

use taskr_cache::{Coded, In, Out};

use super::args::Build;
use crate::error::Error;
use crate::parse::{RunLimits, milliseconds_of};
use crate::run::Request;

/// What the Taskfile says of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds {
    max_failures: Option<usize>,
    max_failure_rate: Option<f64>,
    timeout_ms: Option<u64>,
}

impl Bounds {
    pub(super) fn of(limits: &RunLimits) -> Bounds {
        let timeout_ms = limits.timeout.as_ref().map(|timeout| timeout.ms);
        let (max_failures, max_failure_rate) = (limits.max_failures, limits.max_failure_rate);
        Bounds { max_failures, max_failure_rate, timeout_ms }
    }
}

impl Coded for Bounds {
    fn put(&self, out: &mut Out) {
        let Bounds { max_failures, max_failure_rate, timeout_ms } = self;
        max_failures.put(out);
        max_failure_rate.map(f64::to_bits).put(out);
        timeout_ms.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Bounds> {
        Some(Bounds {
            max_failures: Coded::get(from)?,
            max_failure_rate: Option::<u64>::get(from)?.map(f64::from_bits),
            timeout_ms: Coded::get(from)?,
        })
    }
}

/// Sets the bounds of a build.
pub(super) fn limit(request: &mut Request<'_>, args: &Build, bounds: &Bounds) -> Result<(), Error> {
    request.keep_going = args.how.keep_going.is_some_and(|most| most != Some(1));
    request.most_failures = most_failures(args, bounds);
    request.most_failure_rate = bounds.max_failure_rate.filter(|_| args.how.keep_going.is_none());
    request.timeout_ms = timeout_ms(args, bounds)?;
    request.most_load = most_load(args)?;
    Ok(())
}

/// `-l`.
fn most_load(args: &Build) -> Result<Option<f64>, Error> {
    let Some(asked) = &args.how.load_average else { return Ok(None) };
    let load = asked.parse().ok().filter(|load: &f64| *load > 0.0 && load.is_finite());
    load.map(Some).ok_or_else(|| Error::Usage {
        message: format!("-l takes a load average above 0, not `{asked}`"),
        help: Some("as in -l 4, or -l 3.5".to_owned()),
    })
}

/// How long the run may take: the command line, the Taskfile.
fn timeout_ms(args: &Build, bounds: &Bounds) -> Result<Option<u64>, Error> {
    let Some(asked) = &args.how.timeout else { return Ok(bounds.timeout_ms) };
    milliseconds_of(asked).map(Some).map_err(|instead| Error::Usage {
        message: format!("--timeout takes a duration, not `{asked}`"),
        help: Some(match instead {
            Some(instead) => format!("write --timeout {instead}"),
            None => {
                "write a number and one of `ms`, `s`, `m`, `h` and `d`: --timeout 20m".to_owned()
            }
        }),
    })
}

/// The command line, the Taskfile; else the first failure is enough.
fn most_failures(args: &Build, bounds: &Bounds) -> Option<usize> {
    match args.how.keep_going {
        Some(most) => most,
        None if bounds.max_failures.is_some() => bounds.max_failures,
        None => bounds.max_failure_rate.is_none().then_some(1),
    }
}
