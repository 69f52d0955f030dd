//! `taskr graph`: what waits for what, as text and as a picture.

use serde_json::{Value, json};

use crate::project::Project;

/// A diamond, an edge for the order only, several tasks of one target.
const TASKFILE: &str = r#"
default = ["all"]
[target.gen]
doc     = "Makes <h> & more"
outputs = ["gen.h"]
inputs  = []
run     = "echo > gen.h"
[target.obj]
foreach = ["*.c"]
after   = ["gen"]
run     = "echo > {{ out }}/{{ item.stem }}.o"
[target.app]
inputs  = ["@obj"]
outputs = ["app"]
run     = "cat {{ inputs }} > app"
[target.doc]
inputs  = ["gen.h"]
outputs = ["doc.html"]
run     = "cp gen.h doc.html"
[target.all]
deps = ["app", "doc"]
[target.say]
run = "echo said"
"#;

fn project() -> Project {
    let p = Project::new(TASKFILE);
    p.write("a.c", "").write("b.c", "");
    p
}

#[test]
fn text_is_a_tree_of_what_is_waited_for() {
    let p = project();
    let tree = "\
all
├─ app
│  └─ obj  (2 tasks)
│     └─ gen  (order only)
└─ doc
   └─ gen
";
    p.taskr(["graph", "all"]).stdout(tree).ok();
    p.taskr(["graph"]).stdout(&format!("{tree}say\n")).ok();
    let tasks = "\
app
└─ obj
   ├─ obj@a.c
   │  └─ gen  (order only)
   └─ obj@b.c
      └─ gen  (order only)
";
    p.taskr(["graph", "--tasks", "app"]).stdout(tasks).ok();
    p.taskr(["graph", "ap"]).says("did you mean `app`?").exits(2);
}

#[test]
fn programs_get_the_same_edges() {
    let p = project();
    let told = p.taskr(["graph", "app", "--json"]).ok();
    let value: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let expected = json!([
        { "from": "gen", "to": "obj", "order_only": true },
        { "from": "obj", "to": "app", "order_only": false },
    ]);
    assert_eq!(value["edges"], expected);
    assert_eq!(
        value["nodes"][1],
        json!({ "name": "obj", "doc": null, "private": false, "kind": "recorded", "tasks": 2 })
    );
    let dot = p.taskr(["graph", "app", "--format", "dot"]).ok();
    for line in ["digraph taskr {", "\"gen\" -> \"obj\" [style=dashed];", "\"obj\" -> \"app\";"] {
        assert!(dot.stdout.contains(line), "{line}: {dot}");
    }
    let mermaid = p.taskr(["graph", "app", "--format=mermaid"]).ok();
    assert_eq!(mermaid.stdout.lines().next(), Some("flowchart LR"));
    for line in ["n0 -.-> n1", "n1[\"obj<br/>2 tasks\"]"] {
        assert!(mermaid.stdout.contains(line), "{line}: {mermaid}");
    }
}

/// Every node has a box and a name, every edge a line, and nothing lies outside.
#[test]
fn a_picture_is_drawn() {
    let p = project();
    let told = p.taskr(["graph", "--format", "svg"]).ok();
    let svg = &told.stdout;
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{svg}");
    assert_eq!(svg.matches("<rect").count(), 6);
    assert_eq!(svg.matches("marker-end").count(), 5);
    assert!(svg.contains("<title>Makes &lt;h&gt; &amp; more</title>"), "{svg}");
    let number = |text: &str| text.split('"').next().and_then(|text| text.parse::<f64>().ok());
    let width = svg.split("width=\"").nth(1).and_then(number).expect("a width");
    for x in svg.split("<rect").skip(1).filter_map(|rest| rest.split("x=\"").nth(1)) {
        assert!(number(x).is_some_and(|x| (0.0..width).contains(&x)), "{x}");
    }
}
