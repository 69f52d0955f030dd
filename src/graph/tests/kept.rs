//! What was kept is what it was. Each graph of these tests is kept and compared.

use taskr_cache::Out;

use super::*;
use crate::files::Ignored;

/// Most tasks that are looked at one by one.
const MOST: usize = 200;

/// Keeps a graph and makes it again: they must be the same.
pub(super) fn compare_with_kept(graph: &Graph, settings: &Settings) {
    let kept = graph.keep().expect("no command is asked");
    let around = Around::new(settings.root.clone(), settings.surroundings.clone());
    let again = Graph::revive(Arc::new(kept), around).expect("it is whole");
    assert_eq!(graph.tasks().len(), again.tasks().len());
    for id in graph.tasks().ids().take(MOST) {
        assert_eq!(format!("{:#?}", graph.task(id)), format!("{:#?}", again.task(id)));
        assert_eq!(graph.needs(id), again.needs(id));
        assert_eq!(graph.needed_by(id), again.needed_by(id));
        assert_eq!(graph.kind(id), again.kind(id));
        let (name, target) = (graph.name(id), &graph.task(id).rule.target.name);
        assert_eq!(graph.select(name), again.select(name), "{name}");
        assert_eq!(graph.target(target), again.target(target), "{target}");
        let all = format!("{target}@*");
        assert_eq!(graph.select(&all), again.select(&all), "{all}");
    }
    if graph.tasks().len() <= MOST {
        assert_eq!(rest(graph), rest(&again));
    }
}

fn rest(graph: &Graph) -> String {
    let Graph { makers, targets, profiles, ignored, skips, .. } = graph;
    let bytes = |ignored: &Ignored| {
        let mut out = Out::default();
        ignored.put(&mut out);
        out.finish()
    };
    format!("{makers:#?} {targets:?} {profiles:?} {:?} {skips}", bytes(ignored))
}

#[test]
fn every_field_is_kept() {
    let world = World::with(&["a.c", "b.c", ".env"]);
    let graph = world.graph(
        r#"
        [vars]
        flags = ["-O2", "-g"]
        cc = "cc"

        [pool.link]
        slots = 2
        rate = "5/s"

        [target.db]
        doc = "a service"
        service = true
        exec = ["db", "--port", "5432"]
        ready = { port = 5432, timeout = "3s" }
        stop = "db-stop"
        restart = false

        [target.gen]
        private = true
        outputs = ["gen/*.h"]
        shell = ["bash", "-c"]
        run = ["mkdir -p gen", "touch gen/a.h"]
        cache = false
        keep_outputs = true
        max_age = "1d"
        fresh_if = "test -e x"

        [target.obj]
        foreach = ["*.c"]
        matrix = { mode = ["debug", "release"] }
        inputs = { headers = ["@gen:*.h", "!gen/z.h"], rest = ["?x.h", "?y/*.h"] }
        env_file = [".env"]
        outputs = ["out/{{ matrix.mode }}/{{ item.stem }}.o"]
        depfile = "out/{{ matrix.mode }}/{{ item.stem }}.d"
        run = "{{ cc }} {{ flags }} -MD -MF {{ depfile }} -c {{ item }} -o {{ outputs }}"
        env = { LANG = "C", A = "{{ item }}" }
        env_inputs = ["HOME"]
        env_pass = ["TERM*"]
        tools = ["cc"]
        timeout = "30s"
        retry = { times = 2, on_exit = [1, 255] }
        priority = -3
        cpus = 2
        pool = { link = 2 }
        memory = "1GiB"
        accept = ["test -s {{ outputs }}", "true"]
        gates = { size = "<= 1e6" }
        when = "matrix.mode == 'release'"

        [target.test]
        deps = ["db", "obj@mode=release"]
        after = ["gen"]
        args = true
        always = true
        allow_failure = true
        outputs = ["report.txt"]
        relocatable = true
        rollback = "rm -f x"
        run = "echo {{ args }} {{ target('gen').outputs }} > {{ outputs }}"

        [target.wait]
        run = "true"
        interactive = true

        [target.deploy]
        inputs = ["report.txt"]
        installs = ["lib/node"]
        run = "true"

        [target.format]
        fixes_inputs = true
        restage = true
        inputs = ["a.c"]
        run = "true {{ inputs }}"

        [target.check]
        foreach = ["*.c"]
        batch = 20
        require = "50%"
        run = "true {{ items }}"
        "#,
    );
    compare_with_kept(&graph, &world.settings());
}

#[test]
fn a_graph_that_is_damaged_is_none() {
    let world = World::with(&[]);
    let graph = world.graph("[target.a]\nrun = \"true\"\n");
    let mut kept = graph.keep().expect("no command is asked");
    let around = || Around::new(world.settings().root, world.settings().surroundings);
    assert!(Graph::revive(Arc::new(kept.clone()), around()).is_some());
    *kept.last_mut().expect("bytes") ^= 1;
    assert!(Graph::revive(Arc::new(kept), around()).is_none());
}
