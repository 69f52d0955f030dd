//! When a build has to stop or to wait: what the command line says, else the Taskfile.

use super::args::Build;
use super::workspace::Workspace;
use crate::error::Error;
use crate::parse::milliseconds_of;
use crate::run::Request;

/// Sets the bounds of a build.
pub(super) fn limit(
    request: &mut Request<'_>,
    args: &Build,
    workspace: &Workspace,
) -> Result<(), Error> {
    let rate = workspace.taskfile.limits.max_failure_rate;
    request.keep_going = args.how.keep_going.is_some_and(|most| most != Some(1));
    request.most_failures = most_failures(args, workspace);
    request.most_failure_rate = rate.filter(|_| args.how.keep_going.is_none());
    request.timeout_ms = timeout_ms(args, workspace)?;
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
fn timeout_ms(args: &Build, workspace: &Workspace) -> Result<Option<u64>, Error> {
    let Some(asked) = &args.how.timeout else {
        return Ok(workspace.taskfile.limits.timeout.as_ref().map(|timeout| timeout.ms));
    };
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
fn most_failures(args: &Build, workspace: &Workspace) -> Option<usize> {
    let limits = &workspace.taskfile.limits;
    match args.how.keep_going {
        Some(most) => most,
        None if limits.max_failures.is_some() => limits.max_failures,
        None => limits.max_failure_rate.is_none().then_some(1),
    }
}
