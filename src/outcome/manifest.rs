//! The manifest: everything that a task's key is made of, as a value.
//!
//! | in | field |
//! | --- | --- |
//! | version of this format, platform | [`Tag::Format`], [`Tag::Platform`] |
//! | target and item, command, folder, shell | [`Tag::Task`], [`Tag::Command`], [`Tag::Dir`], [`Tag::Shell`] |
//! | variables set, variables taken: set or not, digest of the value | [`Tag::Env`], [`Tag::EnvInput`] |
//! | inputs: path, type, exec bit, digest | [`Tag::Input`], found by a depfile: [`Tag::Discovered`] |
//! | each glob and how many files it matched | [`Tag::Glob`] |
//! | a dependency without output files, or with `installs`: its key | [`Tag::Dependency`] |
//! | declared outputs and installs | [`Tag::Output`] |
//! | the program that runs | [`Tag::Tool`] |
//! | arguments of the command line; that the caller's whole environment is seen | [`Tag::Args`], [`Tag::Environment`] |
//! | acceptance tests and gates | [`Tag::Check`] |
//!
//! Out, because a result does not depend on it: mtimes, where the checkout lies, user, host,
//! `-j`, colour, umask, `MAKEFLAGS`, run id, attempt, `env_pass`, `after`, `doc`. Values of
//! variables are kept as digests only, so that no secret reaches the disk.

use std::sync::{Arc, OnceLock};

use taskr_cache::{Content, Digest, KeyHasher};

use super::gate::Gate;
use super::reason::{Change, Reason};

/// What a field says. The order is the order in the key, and that of reasons: what a person
/// would name first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tag {
    /// Version of the encoding and of what fields mean.
    Format = 1,
    /// Package, target and item.
    Task = 2,
    /// The command after expansion: arguments, or the script.
    Command = 3,
    /// The command's folder.
    Dir = 4,
    /// The program that reads a script.
    Shell = 5,
    /// A variable that the task sets.
    Env = 6,
    /// A variable taken from the caller.
    EnvInput = 7,
    /// A declared input file.
    Input = 8,
    /// A glob and its number of matches.
    Glob = 9,
    /// A dependency that counts by its key.
    Dependency = 10,
    /// A declared output or install.
    Output = 11,
    /// A program, by content.
    Tool = 12,
    /// System and processor.
    Platform = 13,
    /// An input that the last run's depfile named.
    Discovered = 14,
    /// Arguments of the command line, of a task that takes some.
    Args = 15,
    /// Whose environment it sees, if not what it names.
    Environment = 16,
    /// The acceptance tests, or the gates.
    Check = 17,
}

impl Tag {
    const ALL: [Tag; 17] = [
        Tag::Format,
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
        Tag::Platform,
        Tag::Discovered,
        Tag::Args,
        Tag::Environment,
        Tag::Check,
    ];
}

/// One ingredient: what it is, which one, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is.
    pub tag: Tag,
    /// Which one: a path, a variable's name, a position. Bytes.
    pub name: Vec<u8>,
    /// Its value. For [`Tag::Input`] and [`Tag::Discovered`] an encoded [`Content`].
    pub value: Vec<u8>,
}

/// All that counts for one task's result, sorted by tag and name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Manifest(Arc<Sorted>);

#[derive(Debug, Default)]
struct Sorted {
    fields: Vec<Field>,
    /// Once it was asked for.
    key: OnceLock<Digest>,
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Manifest) -> bool {
        self.fields() == other.fields()
    }
}

impl Eq for Manifest {}

/// Changes whenever the meaning of a field does.
const FORMAT: &[u8] = b"2";

/// The names of the two fields of [`Tag::Check`].
pub(super) const ACCEPT: &[u8] = b"accept";
const GATES: &[u8] = b"gates";

impl Manifest {
    /// A manifest of these fields, in any order. Format and platform are added here.
    pub fn new(mut fields: Vec<Field>) -> Manifest {
        let platform = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        fields.push(Field { tag: Tag::Format, name: Vec::new(), value: FORMAT.to_vec() });
        fields.push(Field { tag: Tag::Platform, name: Vec::new(), value: platform.into_bytes() });
        Manifest::of(fields)
    }

    fn of(mut fields: Vec<Field>) -> Manifest {
        fields.sort_by(|a, b| (a.tag, &a.name).cmp(&(b.tag, &b.name)));
        Manifest::of_sorted(fields)
    }

    fn of_sorted(fields: Vec<Field>) -> Manifest {
        Manifest(Arc::new(Sorted { fields, key: OnceLock::new() }))
    }

    /// The same with what a depfile found.
    #[must_use]
    pub fn with_found(&self, found: &[Field]) -> Manifest {
        match found.is_empty() {
            true => self.clone(),
            false => Manifest::of([self.fields(), found].concat()),
        }
    }

    /// All fields in order.
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The key of the whole manifest.
    pub fn key(&self) -> Digest {
        *self.0.key.get_or_init(|| self.key_of(|_| true))
    }

    /// The key of a result that holds the path of the place where it was made, and that may be used
    /// in any other place all the same.
    pub fn key_anywhere(&self) -> Digest {
        let mut hasher = KeyHasher::new("taskr 2026 key of a relocated result v1");
        hasher.update(self.key().as_bytes());
        hasher.finish()
    }

    /// The key without what a depfile found: what chooses among recorded lists.
    pub fn static_key(&self) -> Digest {
        self.key_of(|tag| tag != Tag::Discovered)
    }

    /// The value of one field.
    pub fn value(&self, tag: Tag, name: &[u8]) -> Option<&[u8]> {
        let at =
            self.fields().binary_search_by(|field| (field.tag, &field.name[..]).cmp(&(tag, name)));
        Some(&self.fields()[at.ok()?].value)
    }

    /// The command for people: a script as it is, else the words as a shell would take them.
    pub fn command(&self) -> Option<String> {
        let words = decode_words(self.value(Tag::Command, b"")?)?;
        let is_script = self.value(Tag::Shell, b"").is_some_and(|shell| shell[..] != [0; 8]);
        if is_script {
            return words.last().map(|script| script.trim().to_owned());
        }
        let joined = shlex::try_join(words.iter().map(String::as_str));
        Some(joined.unwrap_or_else(|_| words.join(" ")))
    }

    /// For each tag in order: tag, number of fields, then each name and value with its length
    /// before it. So two different manifests never give the same bytes.
    fn key_of(&self, counts: impl Fn(Tag) -> bool) -> Digest {
        let mut hasher = KeyHasher::new("taskr 2026 task key v1");
        let mut rest = self.fields();
        for tag in Tag::ALL {
            let (these, others) = rest.split_at(rest.partition_point(|field| field.tag <= tag));
            rest = others;
            if !counts(tag) {
                continue;
            }
            hasher.update(&[tag as u8]);
            hasher.update(&(these.len() as u64).to_le_bytes());
            for field in these {
                for part in [&field.name, &field.value] {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part);
                }
            }
        }
        hasher.finish()
    }

    /// Appends the encoding that a record keeps.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.fields().len() as u32).to_le_bytes());
        for field in self.fields() {
            out.push(field.tag as u8);
            for part in [&field.name, &field.value] {
                out.extend_from_slice(&(part.len() as u32).to_le_bytes());
                out.extend_from_slice(part);
            }
        }
    }

    /// Reads what [`Manifest::encode`] wrote, and moves `bytes` behind it.
    pub fn decode(bytes: &mut &[u8]) -> Option<Manifest> {
        let count = take_u32(bytes)?;
        // No more than there can be: a field has nine bytes and more.
        let mut fields = Vec::with_capacity((count as usize).min(bytes.len() / 9));
        for _ in 0..count {
            let tag = *Tag::ALL.get((take(bytes, 1)?[0] as usize).checked_sub(1)?)?;
            let name_len = take_u32(bytes)? as usize;
            let name = take(bytes, name_len)?.to_vec();
            let value_len = take_u32(bytes)? as usize;
            let value = take(bytes, value_len)?.to_vec();
            fields.push(Field { tag, name, value });
        }
        Some(Manifest::of_sorted(fields))
    }

    /// Moves `bytes` behind what [`Manifest::encode`] wrote.
    pub fn skip(bytes: &mut &[u8]) -> Option<()> {
        for _ in 0..take_u32(bytes)? {
            take(bytes, 1)?;
            for _part in 0..2 {
                let len = take_u32(bytes)? as usize;
                take(bytes, len)?;
            }
        }
        Some(())
    }

    /// Why `self`, the present, is not `old`, the recorded one; empty if they are equal. Causes
    /// come before what they have for an effect: a command that names its inputs changes when
    /// one joins or leaves, and is told last then; that another command runs another program
    /// is no reason of its own.
    pub fn diff(&self, old: &Manifest) -> Vec<Reason> {
        let mut reasons = self.differences(old);
        if reasons.contains(&Reason::Command("command")) {
            let program = |manifest: &Manifest, reason: &Reason| match reason {
                Reason::Tool(name) => manifest.value(Tag::Tool, name).is_some(),
                _ => true,
            };
            reasons.retain(|reason| program(self, reason) && program(old, reason));
        }
        if reasons.iter().any(Reason::may_change_the_command) {
            reasons.sort_by_key(|reason| *reason == Reason::Command("command"));
        }
        reasons
    }

    fn differences(&self, old: &Manifest) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let (mut new, mut old) = (self.fields(), old.fields());
        loop {
            let order = match (new.first(), old.first()) {
                (None, None) => return reasons,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(n), Some(o)) => (n.tag, &n.name).cmp(&(o.tag, &o.name)),
            };
            let change = match order {
                std::cmp::Ordering::Less => Some((&new[0], Change::Added)),
                std::cmp::Ordering::Greater => Some((&old[0], Change::Removed)),
                std::cmp::Ordering::Equal if new[0].value != old[0].value => {
                    Some((&new[0], input_change(&new[0], &old[0])))
                }
                std::cmp::Ordering::Equal => None,
            };
            reasons.extend(change.and_then(|(field, change)| Reason::of_field(field, change)));
            new = &new[usize::from(order.is_le())..];
            old = &old[usize::from(order.is_ge())..];
        }
    }
}

impl Field {
    /// The acceptance tests of a task, each as a program and its arguments; none if it has none.
    pub fn accept(tests: &[Vec<String>]) -> Option<Field> {
        let value = tests.iter().flat_map(|argv| encode_words(argv)).collect();
        let field = Field { tag: Tag::Check, name: ACCEPT.to_vec(), value };
        (!tests.is_empty()).then_some(field)
    }

    /// The gates of a task, in the order of their names; none if it has none.
    pub fn gates(gates: &[Gate]) -> Option<Field> {
        let words: Vec<String> =
            gates.iter().flat_map(|gate| [gate.name.clone(), gate.to_string()]).collect();
        let field = Field { tag: Tag::Check, name: GATES.to_vec(), value: encode_words(&words) };
        (!gates.is_empty()).then_some(field)
    }

    /// The field of an input file.
    pub fn input(tag: Tag, path: &[u8], content: &Content) -> Field {
        let mut value = Vec::with_capacity(Content::MOST_BYTES);
        content.encode(&mut value);
        Field { tag, name: path.to_vec(), value }
    }
}

/// Words with their lengths, so that no two lists are the same bytes: the value of
/// [`Tag::Command`] and [`Tag::Shell`].
pub fn encode_words(words: &[String]) -> Vec<u8> {
    let mut bytes = (words.len() as u64).to_le_bytes().to_vec();
    for word in words {
        bytes.extend_from_slice(&(word.len() as u64).to_le_bytes());
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes
}

/// Reads what [`encode_words`] wrote.
fn decode_words(mut bytes: &[u8]) -> Option<Vec<String>> {
    let count = take_u64(&mut bytes)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let len = usize::try_from(take_u64(&mut bytes)?).ok()?;
        words.push(String::from_utf8(take(&mut bytes, len)?.to_vec()).ok()?);
    }
    bytes.is_empty().then_some(words)
}

/// What exactly changed at one input.
fn input_change(new: &Field, old: &Field) -> Change {
    if !matches!(new.tag, Tag::Input | Tag::Discovered) {
        return Change::Content;
    }
    match (old.value.first(), new.value.first()) {
        (Some(b'-'), _) => Change::Added,
        (_, Some(b'-')) => Change::Removed,
        (Some(b'l'), Some(b'l')) => Change::Content,
        (Some(b'f' | b'x'), Some(b'f' | b'x')) if old.value[1..] == new.value[1..] => Change::Mode,
        (Some(b'f' | b'x'), Some(b'f' | b'x')) => Change::Content,
        _ => Change::Kind,
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(len)?;
    *bytes = tail;
    Some(head)
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?))
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(take(bytes, 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(tag: Tag, name: &str, value: &str) -> Field {
        Field { tag, name: name.into(), value: value.into() }
    }

    fn file(path: &str, content: &str, executable: bool) -> Field {
        let content = Content::File { executable, digest: Digest::of(content.as_bytes()) };
        Field::input(Tag::Input, path.as_bytes(), &content)
    }

    #[test]
    fn the_key_is_injective_over_splits() {
        let key = |fields: Vec<Field>| Manifest::new(fields).key();
        assert_ne!(key(vec![field(Tag::Env, "AB", "C")]), key(vec![field(Tag::Env, "A", "BC")]));
        assert_ne!(
            key(vec![field(Tag::Input, "a", ""), field(Tag::Input, "b", "")]),
            key(vec![field(Tag::Input, "a", "b")])
        );
        assert_ne!(key(vec![field(Tag::Env, "A", "")]), key(vec![field(Tag::EnvInput, "A", "")]));
        assert_eq!(
            key(vec![field(Tag::Input, "a", "1"), field(Tag::Input, "b", "2")]),
            key(vec![field(Tag::Input, "b", "2"), field(Tag::Input, "a", "1")])
        );
    }

    #[test]
    fn what_a_depfile_found_is_not_in_the_static_key() {
        let plain = Manifest::new(vec![field(Tag::Command, "", "cc")]);
        let found =
            Manifest::new(vec![field(Tag::Command, "", "cc"), field(Tag::Discovered, "a.h", "1")]);
        assert_eq!(plain.static_key(), found.static_key());
        assert_ne!(plain.key(), found.key());
    }

    #[test]
    fn encoding_round_trips_and_rejects_every_truncation() {
        let manifest = Manifest::new(vec![file("a", "x", true), field(Tag::Command, "", "cc")]);
        let mut bytes = Vec::new();
        manifest.encode(&mut bytes);
        assert_eq!(Manifest::decode(&mut &bytes[..]), Some(manifest));
        for len in 0..bytes.len() {
            assert_eq!(Manifest::decode(&mut &bytes[..len]), None, "length {len}");
        }
    }

    #[test]
    fn the_command_is_read_back_for_people() {
        let words = |words: &[&str]| {
            encode_words(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
        };
        let of = |shell: Vec<u8>, command: Vec<u8>| {
            let field = |tag, value| Field { tag, name: Vec::new(), value };
            Manifest::new(vec![field(Tag::Shell, shell), field(Tag::Command, command)]).command()
        };
        let script = of(words(&["sh", "-c"]), words(&["\ncc a.c\n"]));
        assert_eq!(script.as_deref(), Some("cc a.c"));
        let words_of_exec = of(words(&[]), words(&["cc", "a b.c"]));
        assert_eq!(words_of_exec.as_deref(), Some("cc 'a b.c'"));
        assert_eq!(of(words(&[]), words(&["cc"])[..9].to_vec()), None);
        assert_eq!(Manifest::default().command(), None);
    }

    #[test]
    fn the_difference_names_the_field() {
        let old = Manifest::new(vec![
            field(Tag::Command, "", "cc"),
            file("a", "1", false),
            file("b", "1", false),
            file("c", "1", false),
        ]);
        let new = Manifest::new(vec![
            field(Tag::Command, "", "gcc"),
            file("a", "2", false),
            file("b", "1", true),
            file("d", "1", false),
        ]);
        let told: Vec<String> = new.diff(&old).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a changed",
                "b changed its exec bit",
                "c is no longer an input",
                "d is a new input",
                "its command changed",
            ]
        );
        assert!(new.diff(&new).is_empty());
    }

    #[test]
    fn a_cause_is_told_before_its_effect() {
        let manifest = |command: &str, more: Field| {
            Manifest::new(vec![field(Tag::Command, "", command), field(Tag::Env, "E", "1"), more])
        };
        let told = |new: Manifest, old: Manifest| -> Vec<String> {
            new.diff(&old).iter().map(ToString::to_string).collect()
        };
        let same = file("a", "1", false);
        assert_eq!(
            told(manifest("gcc", file("a", "2", false)), manifest("cc", same)),
            ["its command changed", "a changed"],
            "the content of a file changes no command"
        );
        let (new, old) =
            (field(Tag::Output, "o.html", "output"), field(Tag::Output, "o", "output"));
        assert_eq!(
            told(manifest("cc o.html", new), manifest("cc o", old)),
            ["it no longer makes o", "it now makes o.html", "its command changed"]
        );
        let tool = |name| field(Tag::Tool, name, "1");
        assert_eq!(
            told(manifest("gcc", tool("gcc")), manifest("cc", tool("cc"))),
            ["its command changed"]
        );
        assert_eq!(
            told(manifest("cc", field(Tag::Tool, "cc", "2")), manifest("cc", tool("cc"))),
            ["the program cc changed"]
        );
    }
}
