//! Whom a failure that is no harm holds up.

use super::*;
use crate::graph::Kind;

/// A plan of all targets that nothing else needs, or of these.
fn drive(text: &str, wanted: &[&str]) -> Drive {
    let graph = of_text(text);
    let wanted: Vec<TaskId> = wanted.iter().map(|name| graph.find(name).expect("one")).collect();
    let durations = IdVec::filled(graph.tasks().len(), 0);
    let plan = Plan::new(&graph, &wanted, &durations).expect("an order");
    Drive { graph, plan }
}

impl Drive {
    /// Starts all that may start.
    fn start_all(&mut self) {
        while let Next::Start(_) = self.plan.next(9) {}
    }

    /// Fails as the run would have it; who is skipped.
    fn fails(&mut self, name: &str) -> Vec<&str> {
        let id = self.id(name);
        let mut skipped = match self.plan.allows_failure(&self.graph, id) {
            true => self.plan.fail_softly(&self.graph, id),
            false => self.plan.fail(&self.graph, id),
        };
        skipped.sort_unstable();
        skipped.into_iter().map(|id| self.graph.name(id)).collect()
    }

    fn passes(&mut self, name: &str) -> Vec<&str> {
        let skipped = self.plan.pass(&self.graph, self.id(name));
        skipped.into_iter().map(|id| self.graph.name(id)).collect()
    }

    fn states(&self, names: &[&str]) -> Vec<State> {
        names.iter().map(|name| self.plan.state(self.id(name))).collect()
    }
}

const LINT: &str =
    "[target.lint]\nallow_failure = true\ninputs = []\noutputs = ['lint.txt', 'r/*']\nrun = 'x'\n";

#[test]
fn who_needs_what_may_fail_is_skipped_and_who_comes_later_goes_on() {
    let text = format!(
        "{LINT}[target]\nneeds = {{ deps = ['lint'], run = 'x' }}\n\
         source = {{ inputs = ['@lint'], run = 'x' }}\nreads = {{ inputs = ['lint.txt'], run = 'x' }}\n\
         glob = {{ inputs = ['?r/*.c'], after = ['lint'], run = 'x' }}\n\
         found = {{ inputs = [], after = ['lint'], depfile = 'd', run = 'x' }}\n\
         later = {{ after = ['lint'], run = 'x' }}\nbehind = {{ deps = ['needs'], run = 'x' }}\n\
         ci = {{ deps = ['lint', 'behind'] }}\nboth = {{ deps = ['ci'], run = 'x' }}\n\
         after_ci = {{ after = ['ci'], run = 'x' }}\n"
    );
    let names = ["needs", "source", "reads", "glob", "found", "later", "both", "after_ci"];
    let mut d = drive(&text, &names);
    d.start_all();
    assert_eq!(d.fails("lint"), ["needs", "source", "reads", "glob", "found", "behind"]);
    assert_eq!(d.states(&["later", "ci"]), [State::Ready, State::Ready]);
    assert_eq!(d.passes("ci"), ["both"], "behind is missing, and lint");
    assert_eq!(d.states(&["after_ci"]), [State::Ready]);
    assert!(["lint", "needs", "both"].iter().all(|name| d.plan.is_soft(d.id(name))));
}

#[test]
fn a_failure_that_is_a_harm_is_one_behind_others_too() {
    let text = "[target]\na = 'x'\nb = { deps = ['a'], allow_failure = true, run = 'x' }\n\
                c = { after = ['b'], run = 'x' }\n";
    let mut d = drive(text, &["c"]);
    d.start_all();
    assert_eq!(d.fails("a"), ["b", "c"]);
    assert!(!d.plan.is_soft(d.id("b")) && !d.plan.is_soft(d.id("c")));
}

const FETCH: &str =
    "[target.fetch]\nmatrix = { n = ['1', '2', '3', '4', '5'] }\nrequire = '60%'\nrun = 'x'\n";

#[test]
fn enough_successes_make_the_target_succeed() {
    let text = format!(
        "{FETCH}[target]\nall = {{ deps = ['fetch'], run = 'x' }}\n\
         one = {{ deps = ['fetch@n=2'], run = 'x' }}\nci = {{ deps = ['all'] }}\n"
    );
    let mut d = drive(&text, &["ci", "one"]);
    d.start_all();
    assert_eq!(d.fails("fetch@n=2"), ["one"], "that very one is missing");
    assert_eq!(d.fails("fetch@n=4"), [""; 0]);
    for n in ["1", "3", "5"] {
        d.succeed(&format!("fetch@n={n}"));
    }
    assert_eq!(d.states(&["fetch"]), [State::Ready]);
    assert_eq!(d.passes("fetch"), [""; 0]);
    assert_eq!(d.states(&["all"]), [State::Ready]);
    assert_eq!(d.plan.take_broken(), []);
}

#[test]
fn one_failure_too_many_fails_the_target() {
    let text = format!("{FETCH}[target]\nall = {{ deps = ['fetch'], run = 'x' }}\n");
    let mut d = drive(&text, &["all"]);
    d.start_all();
    for n in ["1", "2"] {
        assert_eq!(d.fails(&format!("fetch@n={n}")), [""; 0]);
    }
    assert!(!d.plan.allows_failure(&d.graph, d.id("fetch@n=3")));
    let mut skipped = d.fails("fetch@n=3");
    skipped.sort_unstable();
    assert_eq!(skipped, ["all", "fetch"]);
    let target = d.id("fetch");
    assert_eq!(d.plan.take_broken(), [Broken { target, tasks: 5, required: 3 }]);
    assert_eq!(d.fails("fetch@n=4"), [""; 0]);
    assert_eq!(d.plan.take_broken(), [], "told once");
}

#[test]
fn who_is_skipped_counts_as_not_succeeded() {
    let text = "[target.get]\nmatrix = { n = ['1', '2'] }\nrequire = 1\nrun = 'x'\n\
                [target.use]\nforeach = ['1', '2']\ndeps = ['get@n={{ item }}']\nrequire = 1\nrun = 'x'\n\
                [target.end]\ndeps = ['use']\nrun = 'x'\n";
    let mut d = drive(text, &["end"]);
    d.start_all();
    assert_eq!(d.fails("get@n=1"), ["use@1"]);
    d.succeed("get@n=2");
    d.start_all();
    d.succeed("use@2");
    assert_eq!(d.states(&["use"]), [State::Ready]);
}

#[test]
fn many_failures_are_held_against_as_many_others() {
    for count in [200, 2000] {
        let items: Vec<String> = (0..count).map(|n| format!("'{n}'")).collect();
        let matrix = format!("matrix = {{ n = [{}] }}\n", items.join(", "));
        let text = format!(
            "[target.f]\n{matrix}allow_failure = true\ninputs = []\noutputs = ['o/{{{{ matrix.n }}}}']\nrun = 'x'\n\
             [target.g]\n{matrix}after = ['f']\ninputs = ['?i/{{{{ matrix.n }}}}', '?j/{{{{ matrix.n }}}}/*']\nrun = 'x'\n"
        );
        let mut d = drive(&text, &["g"]);
        let mut ended = 0;
        while let Next::Start(id) = d.plan.next(9) {
            let task = d.graph.task(id);
            match (task.kind(), task.rule.target.name.as_str()) {
                (Kind::Group, _) => drop(d.plan.pass(&d.graph, id)),
                (_, "f") => drop(d.plan.fail_softly(&d.graph, id)),
                _ => drop(d.plan.succeed(&d.graph, id)),
            }
            ended += 1;
        }
        assert_eq!(ended, 2 * count + 2, "all of both, and their groups");
    }
}
