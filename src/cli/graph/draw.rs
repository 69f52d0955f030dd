//! The graph as text: a tree for people, dot and Mermaid for programs that draw.

use std::fmt::Write as _;

use rustc_hash::FxHashSet;

use super::Picture;
use crate::graph::Kind;

/// A tree of what each waits for. What was told above is not told again: `…` stands for it.
pub(super) fn text(picture: &Picture) -> String {
    let mut text = String::new();
    let mut told = FxHashSet::default();
    let all_needs = picture.needs();
    // Behind each node the lines that lead past it.
    let mut waiting: Vec<(usize, String, String, bool)> = Vec::new();
    for &node in picture.last.iter().rev() {
        waiting.push((node, String::new(), String::new(), false));
    }
    while let Some((node, lead, below, order_only)) = waiting.pop() {
        let (name, tasks) = picture.nodes[node].label();
        let mut notes: Vec<String> = tasks.into_iter().collect();
        if order_only {
            notes.push("order only".to_owned());
        }
        let notes =
            if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
        let needs = &all_needs[node];
        let again = !told.insert(node) && !needs.is_empty();
        let _ = writeln!(text, "{lead}{name}{notes}{}", if again { " …" } else { "" });
        if again {
            continue;
        }
        for (at, edge) in needs.iter().enumerate().rev() {
            let (branch, past) =
                if at + 1 == needs.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let (lead, past) = (format!("{below}{branch}"), format!("{below}{past}"));
            waiting.push((edge.from, lead, past, edge.order_only));
        }
    }
    text
}

/// For Graphviz: `taskr graph --format dot | dot -Tpng > graph.png`.
pub(super) fn dot(picture: &Picture) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text =
        "digraph taskr {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
    for node in &picture.nodes {
        let (name, tasks) = node.label();
        let mut about = Vec::new();
        if let Some(tasks) = tasks {
            // `\n` is a line break of dot's own.
            let label = quoted(name);
            about.push(format!("label={}\\n{tasks}\"", &label[..label.len() - 1]));
        }
        match node.kind {
            Kind::Group => about.push("style=\"rounded,dashed\"".to_owned()),
            Kind::Unrecorded => about.push("style=rounded".to_owned()),
            Kind::Service => about.push("shape=cylinder".to_owned()),
            Kind::Recorded => {}
        }
        let about =
            if about.is_empty() { String::new() } else { format!(" [{}]", about.join(", ")) };
        let _ = writeln!(text, "  {}{about};", quoted(name));
    }
    for edge in &picture.edges {
        let (from, to) = (&picture.nodes[edge.from].name, &picture.nodes[edge.to].name);
        let style = if edge.order_only { " [style=dashed]" } else { "" };
        let _ = writeln!(text, "  {} -> {}{style};", quoted(from), quoted(to));
    }
    text + "}\n"
}

/// For Markdown pages that draw Mermaid.
pub(super) fn mermaid(picture: &Picture) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (at, node) in picture.nodes.iter().enumerate() {
        let (name, tasks) = node.label();
        let tasks = tasks.map_or_else(String::new, |tasks| format!("<br/>{tasks}"));
        let (open, close) = match node.kind {
            Kind::Recorded => ("[", "]"),
            Kind::Unrecorded => ("(", ")"),
            Kind::Service => ("[(", ")]"),
            Kind::Group => ("([", "])"),
        };
        let _ = writeln!(text, "  n{at}{open}\"{}{tasks}\"{close}", entities(name));
    }
    for edge in &picture.edges {
        let arrow = if edge.order_only { "-.->" } else { "-->" };
        let _ = writeln!(text, "  n{} {arrow} n{}", edge.from, edge.to);
    }
    text
}

/// Characters that Mermaid would take for its own, as its entities.
fn entities(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' => {
                let _ = write!(text, "#{};", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Edge, Node};
    use super::*;

    fn node(name: &str, kind: Kind, tasks: usize) -> Node {
        Node { name: name.to_owned(), doc: None, private: false, kind, tasks }
    }

    /// A diamond on top of an odd name.
    fn picture() -> Picture {
        let edge = |from, to, order_only| Edge { from, to, order_only };
        Picture {
            nodes: vec![
                node("a \"b\" \\#", Kind::Recorded, 1),
                node("obj", Kind::Recorded, 3),
                node("lib", Kind::Unrecorded, 1),
                node("all", Kind::Group, 0),
            ],
            edges: vec![edge(0, 1, true), edge(0, 2, false), edge(1, 3, false), edge(2, 3, false)],
            last: vec![3],
        }
    }

    #[test]
    fn text_is_a_tree() {
        let expected = "\
all
├─ obj  (3 tasks)
│  └─ a \"b\" \\#  (order only)
└─ lib
   └─ a \"b\" \\#
";
        assert_eq!(text(&picture()), expected);
    }

    #[test]
    fn programs_get_their_quotes() {
        let expected = r#"digraph taskr {
  rankdir=LR;
  node [shape=box, fontname="sans-serif"];
  "a \"b\" \\#";
  "obj" [label="obj\n3 tasks"];
  "lib" [style=rounded];
  "all" [style="rounded,dashed"];
  "a \"b\" \\#" -> "obj" [style=dashed];
  "a \"b\" \\#" -> "lib";
  "obj" -> "all";
  "lib" -> "all";
}
"#;
        assert_eq!(dot(&picture()), expected);
        let expected = r#"flowchart LR
  n0["a #34;b#34; #92;#35;"]
  n1["obj<br/>3 tasks"]
  n2("lib")
  n3(["all"])
  n0 -.-> n1
  n0 --> n2
  n1 --> n3
  n2 --> n3
"#;
        assert_eq!(mermaid(&picture()), expected);
    }
}
