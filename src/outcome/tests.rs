//! Manifests by chance: no two that differ share a key, and the difference is the plain one.

use std::collections::{BTreeMap, HashMap};

use taskr_cache::{Content, Digest};

use super::*;

const TAGS: [Tag; 13] = [
    Tag::Task,
    Tag::Command,
    Tag::Dir,
    Tag::Shell,
    Tag::Env,
    Tag::EnvInput,
    Tag::Input,
    Tag::Glob,
    Tag::Dependency,
    Tag::Output,
    Tag::Tool,
    Tag::Discovered,
    Tag::Check,
];

/// A sequence of numbers that looks random; the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    /// Bytes that are likely to run into each other: few values, lengths and tags among them.
    fn bytes(&mut self) -> Vec<u8> {
        let values = [0, 1, 2, 8, 10, b'a', b'b'];
        (0..self.below(4)).map(|_| values[self.below(values.len())]).collect()
    }

    /// Fields with distinct names, as the program makes them.
    fn fields(&mut self) -> Vec<Field> {
        let mut fields = BTreeMap::new();
        for _ in 0..self.below(5) {
            let tag = TAGS[self.below(TAGS.len())];
            let (name, value) = (self.bytes(), self.bytes());
            fields.insert((tag, name), value);
        }
        fields.into_iter().map(|((tag, name), value)| Field { tag, name, value }).collect()
    }

    fn shuffle(&mut self, fields: &mut [Field]) {
        for at in (1..fields.len()).rev() {
            fields.swap(at, self.below(at + 1));
        }
    }
}

/// 100,000 small manifests, made to look alike. Equal keys belong to equal manifests and the
/// other way round; the order in which fields are given is no matter; the encoding comes back.
#[test]
fn keys_are_injective() {
    let mut chance = Chance(2026);
    let mut by_key: HashMap<Digest, Manifest> = HashMap::new();
    let mut by_encoding: HashMap<Vec<u8>, Digest> = HashMap::new();
    for round in 0..100_000 {
        let mut fields = chance.fields();
        let manifest = Manifest::new(fields.clone());
        chance.shuffle(&mut fields);
        assert_eq!(Manifest::new(fields), manifest, "round {round}");
        let mut encoding = Vec::new();
        manifest.encode(&mut encoding);
        let mut rest = &encoding[..];
        assert_eq!(Manifest::decode(&mut rest).as_ref(), Some(&manifest), "round {round}");
        assert!(rest.is_empty(), "round {round}");
        let key = manifest.key();
        let known = by_key.entry(key).or_insert_with(|| manifest.clone());
        assert_eq!(*known, manifest, "round {round}: one key, two manifests");
        let known = *by_encoding.entry(encoding).or_insert(key);
        assert_eq!(known, key, "round {round}: one encoding, two keys");
    }
    assert_eq!(by_key.len(), by_encoding.len());
    assert!(by_key.len() > 50_000, "{} distinct: too many alike", by_key.len());
}

/// Of a static key, what a depfile found is no part, and everything else is.
#[test]
fn static_keys_are_keys_without_what_was_found() {
    let mut chance = Chance(7);
    for round in 0..5_000 {
        let fields = chance.fields();
        let declared = fields.iter().filter(|field| field.tag != Tag::Discovered).cloned();
        let declared = Manifest::new(declared.collect());
        let manifest = Manifest::new(fields);
        assert_eq!(manifest.static_key(), declared.static_key(), "round {round}");
        assert_eq!(manifest.key() == declared.key(), manifest == declared, "round {round}");
    }
}

/// Fields of few names, so that two lists have some in common; inputs hold contents.
fn related(chance: &mut Chance) -> Vec<Field> {
    let mut fields = BTreeMap::new();
    for _ in 0..chance.below(12) {
        let tag = TAGS[chance.below(TAGS.len())];
        let name = vec![b'a' + u8::try_from(chance.below(3)).expect("small")];
        let digest = Digest::of(&[u8::try_from(chance.below(2)).expect("small")]);
        let content = match chance.below(5) {
            0 => Content::Absent,
            1 => Content::Link(digest),
            kind => Content::File { executable: kind == 2, digest },
        };
        fields.insert((tag, name.clone()), Field::input(tag, &name, &content));
    }
    fields.into_values().collect()
}

/// What happened to a field by its values alone.
fn naive_change(tag: Tag, old: Option<&[u8]>, new: Option<&[u8]>) -> Option<Change> {
    let is_file = |value: &[u8]| matches!(value[0], b'f' | b'x');
    match (old, new) {
        (None, None) => None,
        (None, Some(_)) => Some(Change::Added),
        (Some(_), None) => Some(Change::Removed),
        (Some(old), Some(new)) if old == new => None,
        (Some(_), Some(_)) if !matches!(tag, Tag::Input | Tag::Discovered) => Some(Change::Content),
        (Some(b"-"), _) => Some(Change::Added),
        (_, Some(b"-")) => Some(Change::Removed),
        (Some(old), Some(new)) if is_file(old) && is_file(new) && old[1..] == new[1..] => {
            Some(Change::Mode)
        }
        (Some(old), Some(new)) if is_file(old) == is_file(new) => Some(Change::Content),
        _ => Some(Change::Kind),
    }
}

fn naive_reason(tag: Tag, name: &[u8], change: Change) -> Option<Reason> {
    let text = String::from_utf8(name.to_vec()).expect("letters");
    Some(match tag {
        Tag::Format | Tag::Platform => Reason::Format,
        Tag::Task => Reason::NoRecord,
        Tag::Command => Reason::Command("command"),
        Tag::Dir => Reason::Command("folder"),
        Tag::Shell => Reason::Command("shell"),
        Tag::Args => Reason::Command("arguments"),
        Tag::Environment => Reason::Command("environment"),
        Tag::Env | Tag::EnvInput => Reason::Variable(text),
        Tag::Input => Reason::Input(name.to_vec(), change),
        Tag::Discovered => Reason::Found(name.to_vec(), change),
        // The files themselves tell that their number moved.
        Tag::Glob if change == Change::Content => return None,
        Tag::Glob => Reason::Glob(name.to_vec()),
        Tag::Dependency => Reason::Dependency(text),
        Tag::Output => Reason::Outputs(name.to_vec(), change),
        Tag::Tool => Reason::Tool(name.to_vec()),
        Tag::Check => Reason::Command("gates"),
    })
}

/// The difference is that of two sets: every name of either, in order, looked up in both.
#[test]
fn the_difference_is_that_of_two_sets() {
    let mut chance = Chance(42);
    let mut told = 0;
    for round in 0..20_000 {
        let (old, new) = (related(&mut chance), related(&mut chance));
        let map = |fields: &[Field]| -> BTreeMap<(Tag, Vec<u8>), Vec<u8>> {
            let pairs = fields.iter().map(|f| ((f.tag, f.name.clone()), f.value.clone()));
            pairs.collect()
        };
        let (old_map, new_map) = (map(&old), map(&new));
        let mut names: Vec<&(Tag, Vec<u8>)> = old_map.keys().chain(new_map.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let mut expected: Vec<Reason> = (names.into_iter())
            .filter_map(|at| {
                let value = |map: &BTreeMap<_, Vec<u8>>| map.get(at).cloned();
                let (old, new) = (value(&old_map), value(&new_map));
                let change = naive_change(at.0, old.as_deref(), new.as_deref())?;
                naive_reason(at.0, &at.1, change)
            })
            .collect();
        // A list that changed may have changed the command.
        let is_list = |reason: &Reason| match reason {
            Reason::Input(_, change) => matches!(change, Change::Added | Change::Removed),
            other => matches!(other, Reason::Outputs(..) | Reason::Command("arguments")),
        };
        if expected.contains(&Reason::Command("command")) {
            let both = |name: &[u8]| {
                let at = (Tag::Tool, name.to_vec());
                old_map.contains_key(&at) && new_map.contains_key(&at)
            };
            expected.retain(|reason| !matches!(reason, Reason::Tool(name) if !both(name)));
        }
        if expected.iter().any(is_list) {
            let command = Reason::Command("command");
            let count = expected.iter().filter(|reason| **reason == command).count();
            expected.retain(|reason| *reason != command);
            expected.extend(vec![command; count]);
        }
        let (old, new) = (Manifest::new(old), Manifest::new(new));
        assert_eq!(new.diff(&old), expected, "round {round}");
        assert_eq!(new.diff(&new), [], "round {round}");
        told += expected.len();
    }
    assert!(told > 50_000, "{told} reasons: too tame");
}

/// The number that is told is the one that a gate is held to.
#[test]
fn without_a_command_there_is_no_speed_up() {
    for (work_ms, wall_ms, told) in
        [(0, 0, None), (0, 50, None), (10, 0, None), (100, 30, Some(3.33))]
    {
        let summary = Summary { work_ms, wall_ms, ..Summary::default() };
        assert_eq!(summary.speedup(), told, "{work_ms} {wall_ms}");
        assert_eq!(summary.metric("speedup"), told.map(|told| Number::rounded(told, 2)));
    }
}
