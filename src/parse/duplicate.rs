//! Where a key that is given twice stood first.
//!
//! The TOML crate tells only the second place. This walks the keys of a text that is valid but
//! for its duplicates, each key once, and remembers where it first saw each.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use toml::de::DeValue;

use super::lex::{Kind, Tokens, tokens};

/// For the starts of keys in `again`, the places where the same keys stood first.
pub(super) fn first_places(text: &str, again: &HashSet<usize>) -> HashMap<usize, Range<usize>> {
    let mut keys = Keys {
        text,
        again,
        nodes: vec![Node::default()],
        children: HashMap::new(),
        found: HashMap::new(),
    };
    keys.walk();
    keys.found
}

/// One table, or a key with a value.
#[derive(Default)]
struct Node {
    /// Where it got its value or its header, else where a longer key first passed through it.
    first: Range<usize>,
    /// `first` is where it got its value or its header.
    defined: bool,
    /// The newest element, if this is an array of tables.
    element: Option<usize>,
}

/// What an open bracket holds.
struct Frame {
    node: usize,
    array: bool,
}

/// The keys of a text as a tree, the root first.
struct Keys<'t> {
    text: &'t str,
    again: &'t HashSet<usize>,
    nodes: Vec<Node>,
    children: HashMap<(usize, Cow<'t, str>), usize>,
    found: HashMap<usize, Range<usize>>,
}

impl<'t> Keys<'t> {
    fn walk(&mut self) {
        let mut table = 0;
        let mut frames: Vec<Frame> = Vec::new();
        let mut key: Vec<Range<usize>> = Vec::new();
        let mut value = None;
        let mut tokens = tokens(self.text);
        while let Some(token) = tokens.next() {
            match token.kind {
                Kind::Open(open) => {
                    let node = match (value.take(), frames.last()) {
                        (None, None) => {
                            table = self.header(&mut tokens);
                            continue;
                        }
                        (Some(node), _) => node,
                        (None, Some(_)) => self.fresh(),
                    };
                    frames.push(Frame { node, array: open == b'[' });
                }
                Kind::Close(_) => {
                    frames.pop();
                    value = None;
                }
                Kind::Equals => {
                    value =
                        Some(self.define(frames.last().map_or(table, |frame| frame.node), &key));
                    key.clear();
                }
                Kind::Comma | Kind::Newline => value = None,
                Kind::Quoted | Kind::Bare => {
                    let is_key = value.is_none() && !frames.last().is_some_and(|frame| frame.array);
                    if is_key {
                        key.push(token.span);
                    }
                }
                Kind::Dot => {}
            }
        }
    }

    /// Reads a header behind its first bracket and gives the table that it opens.
    fn header(&mut self, tokens: &mut Tokens<'_>) -> usize {
        let mut key = Vec::new();
        let mut list = false;
        for token in
            tokens.take_while(|token| !matches!(token.kind, Kind::Close(_) | Kind::Newline))
        {
            match token.kind {
                Kind::Open(_) => list = true,
                Kind::Quoted | Kind::Bare => key.push(token.span),
                _ => {}
            }
        }
        let node = self.define(0, &key);
        if !list {
            return node;
        }
        let element = self.fresh();
        self.nodes[node].element = Some(element);
        element
    }

    /// Goes down a dotted key and gives the node of its last part.
    fn define(&mut self, table: usize, key: &[Range<usize>]) -> usize {
        let mut node = table;
        for (at, span) in key.iter().enumerate() {
            let table = self.nodes[node].element.unwrap_or(node);
            let child = (table, name(&self.text[span.clone()]));
            node = match self.children.get(&child) {
                Some(known) => *known,
                None => {
                    let node = self.fresh();
                    self.nodes[node].first = span.clone();
                    self.children.insert(child, node);
                    node
                }
            };
            if self.again.contains(&span.start) && self.nodes[node].first != *span {
                self.found.insert(span.start, self.nodes[node].first.clone());
            } else if at + 1 == key.len() && !self.nodes[node].defined {
                self.nodes[node] = Node { first: span.clone(), defined: true, element: None };
            }
        }
        node
    }

    fn fresh(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }
}

/// The name that a part of a key stands for.
fn name(raw: &str) -> Cow<'_, str> {
    if !raw.starts_with(['"', '\'']) {
        return Cow::Borrowed(raw);
    }
    match DeValue::parse(raw).map(toml::Spanned::into_inner) {
        Ok(DeValue::String(name)) => Cow::Owned(name.into_owned()),
        _ => Cow::Borrowed(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts at the place of `^` (removed) and at its first place.
    fn first(marked: &str) -> Option<(usize, String)> {
        let at = marked.find('^').expect("a mark");
        let text = marked.replace('^', "");
        let found = first_places(&text, &HashSet::from([at]));
        found.get(&at).map(|span| (span.start, text[span.clone()].to_owned()))
    }

    #[test]
    fn the_same_key_before() {
        let table: &[(&str, usize)] = &[
            ("a = 1\n^a = 2", 0),
            ("a = 1\n^\"a\" = 2", 0),
            ("a = [1.5,\n{ b = 1 }]\n^a = 2", 0),
            ("[t]\na = 1\n[u]\na = 1\n^a = 2", 14),
            ("[t.a]\n[t]\nb = 1\n[^t]", 7),
            ("t.a = 1\n^t = 2", 0),
            ("[t]\na = { b = 1, c = { b = 2 }, ^b = 3 }", 10),
            ("[t]\na.b = 1\n[t.^a]", 4),
            ("[[t]]\na = 1\n[[t]]\na = 1\n^a = 2", 18),
            ("[t]\na = 1\na.^b = 1", 4),
        ];
        for (text, start) in table {
            let found = first(text);
            if text.contains("a.^b") {
                assert_eq!(found, None, "only `a` stands twice");
            } else {
                assert_eq!(found.map(|(start, _)| start), Some(*start), "{text}");
            }
        }
    }
}
