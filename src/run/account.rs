//! What a run leaves of itself in `.taskr/runs`: a file of JSON with the facts of its last event,
//! for scripts and for `history`, `timeline`, `stats`, `why` and `--failed`.
//!
//! A run that found everything up to date leaves none.

use serde_json::{Value, json};

use super::Build;
use super::date::{unix_ms, utc};
use crate::error::said;
use crate::ids::TaskId;
use crate::outcome::{Because, Counts, Finish, PipelineEnd, Step, Summary, gates_json, shown};
use crate::outdir::STATE_DIR;

/// Version of the format. Within a version fields are only added.
const VERSION: u64 = 1;

/// Files are kept for seven days,
const KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// and no more than so many.
const MOST_FILES: usize = 500;

impl Build<'_> {
    /// Writes the file, and removes those that are too old or too many. What to say if it cannot
    /// be written.
    pub(super) fn write_run(&self, summary: &Summary) -> Option<String> {
        let nothing = self.deeds.ran.is_empty() && summary.counts.failed == 0;
        if summary.dry_run || nothing {
            return None;
        }
        let path = format!("{STATE_DIR}/runs/{}.json", self.run_id).into_bytes();
        let text = format!("{:#}\n", self.account(summary));
        let written = self.root.write(&path, text.as_bytes());
        self.trim_runs();
        written.err().map(|error| format!("cannot write {}: {}", shown(&path), said(&error)))
    }

    /// Notes a task that did not succeed.
    pub(super) fn note_not_done(
        &mut self,
        id: TaskId,
        finish: &Finish,
        because: Option<Because<'_>>,
    ) {
        if let Finish::Failed | Finish::Unstable | Finish::Skipped | Finish::Cancelled = finish {
            self.deeds.not_done.push(json!({
                "task": self.graph.name(id),
                "outcome": finish.code(),
                "because": because.map(|because| because.code()),
            }));
        }
    }

    fn account(&self, summary: &Summary) -> Value {
        let Counts { tasks, fresh, restored, ran, failed, skipped, cancelled } = summary.counts;
        let checks = &summary.checks;
        let step = |step: &Step| json!({ "task": step.task, "duration_ms": step.duration_ms });
        json!({
            "version": VERSION,
            "run": self.run_id,
            "taskfile": shown(&self.request.taskfile),
            "command": self.request.command_line,
            "wanted": self.request.wanted,
            "started": utc(unix_ms().saturating_sub(summary.wall_ms)),
            "jobs": summary.jobs,
            "wall_ms": summary.wall_ms,
            "work_ms": summary.work_ms,
            "saved_ms": summary.saved_ms,
            "speedup": summary.speedup(),
            "critical_path": summary.critical_path.iter().map(step).collect::<Vec<_>>(),
            "counts": {
                "tasks": tasks, "fresh": fresh, "restored": restored, "ran": ran,
                "failed": failed, "skipped": skipped, "cancelled": cancelled,
            },
            "allowed": summary.forgiven.failed,
            "checks": {
                "accept_run": checks.accept_run,
                "accepted": checks.accepted,
                "gates_checked": checks.gates_checked,
                "gates_passed": checks.gates_passed,
            },
            "gates": gates_json(&summary.gates),
            "pipelines": summary.pipelines.iter().map(PipelineEnd::to_json).collect::<Vec<_>>(),
            "exit_code": summary.exit_code(),
            "signal": summary.signal,
            "retries": summary.retries,
            "timed_out": summary.timed_out.as_ref().map(|time| {
                json!({ "after_ms": time.after_ms, "running": time.running })
            }),
            "tasks": self.deeds.ran,
            "not_done": self.deeds.not_done,
        })
    }

    /// Removes files of earlier runs; their names begin with their time. What cannot be removed
    /// stays.
    fn trim_runs(&self) {
        let folder = self.root.path().join(STATE_DIR).join("runs");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut runs: Vec<(u64, String)> =
            names.filter_map(|name| Some((name.split('-').next()?.parse().ok()?, name))).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        let since_ms = unix_ms().saturating_sub(KEPT_MS);
        for (at, (begun_ms, name)) in runs.into_iter().enumerate() {
            if at >= MOST_FILES || begun_ms < since_ms {
                let _ = self.root.remove_tree(format!("{STATE_DIR}/runs/{name}").as_bytes());
            }
        }
    }
}
