//! What the system allows this process, before a build begins that it would end in the middle.

use rustix::process::{Resource, getrlimit};

use crate::error::Error;

/// Files that a build holds open besides those of its tasks: streams, state, lock, guard, job
/// server. Counted in `/proc/PID/fd`: 19.
const OF_A_BUILD: u64 = 24;

/// The same for each task that runs. Counted: 4, and 4 more for a moment at its start.
const OF_A_TASK: u64 = 8;

/// How many of `jobs` tasks may run at once, by the limit of open files; and a warning if these
/// are not all.
///
/// # Errors
/// [`Error::Usage`] if not even one may.
pub(super) fn jobs_within_limits(jobs: usize) -> Result<(usize, Option<String>), Error> {
    within_open_files(jobs, open_files())
}

/// How many files this process may have open.
pub(super) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn within_open_files(jobs: usize, limit: u64) -> Result<(usize, Option<String>), Error> {
    let most = limit.saturating_sub(OF_A_BUILD) / OF_A_TASK;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let needed = OF_A_BUILD + OF_A_TASK * jobs as u64;
    match most {
        0 => Err(Error::Usage {
            message: format!("too few files may be open: `ulimit -n` is {limit}"),
            help: Some(format!("`ulimit -n {needed}` is enough for {jobs} tasks at once")),
        }),
        most if most < jobs => Ok((
            most,
            Some(format!(
                "at most {most} tasks run at once: `ulimit -n` is {limit}, and {jobs} would need \
                 {needed} open files"
            )),
        )),
        _ => Ok((jobs, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_bound_the_jobs() {
        for (jobs, limit, expected) in [
            (2, 1024, Some(2)),
            (125, 1024, Some(125)),
            (126, 1024, Some(125)),
            (4, 32, Some(1)),
            (1, 31, None),
            (10_000, u64::MAX, Some(10_000)),
        ] {
            let found = within_open_files(jobs, limit).ok();
            assert_eq!(found.as_ref().map(|found| found.0), expected, "{jobs} {limit}");
            let told = found.as_ref().is_some_and(|found| found.1.is_some());
            assert_eq!(told, expected.is_some_and(|expected| expected < jobs), "{jobs} {limit}");
        }
    }
}
