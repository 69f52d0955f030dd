//! Proofs of workspaces on the disk; what is merged against what one by one would give.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::blocks::BLOCK;
use super::*;
use crate::content::{Seen, measure};
use crate::names::names_at;
use crate::random::Random;
use crate::resting::{FOLDER, forget};
use crate::stamp::FileKind;

const ASKED: Question = Question(Digest::from_bytes([7; 32]));

/// A workspace with a folder of state, and facts of all sorts that are so.
fn world() -> (tempfile::TempDir, Vec<Claim>) {
    let world = tempfile::tempdir().unwrap();
    let root = world.path();
    fs::create_dir(root.join("state")).unwrap();
    fs::create_dir_all(root.join("src/deep")).unwrap();
    let mut facts: Vec<(Vec<u8>, Fact)> = Vec::new();
    for number in 0..3 * BLOCK {
        let path = format!("src/{number:05}.c");
        fs::write(root.join(&path), "x").unwrap();
        let seen = Seen::of(&root.join(&path)).unwrap().unwrap();
        facts.push((path.into_bytes(), Fact::Seen(seen)));
    }
    symlink("00001.c", root.join("src/link")).unwrap();
    symlink("nowhere", root.join("src/broken")).unwrap();
    for link in ["src/link", "src/broken"] {
        let seen = Seen::of(&root.join(link)).unwrap().unwrap();
        facts.push((link.into(), Fact::Seen(seen)));
    }
    let deep = Stamp::of(&root.join("src/deep")).unwrap().unwrap();
    facts.push((b"src/none".to_vec(), Fact::Absent));
    facts.push((b"src".to_vec(), Fact::Is(FileKind::Dir)));
    facts.push((b"src/deep".to_vec(), Fact::Same(deep.dev, deep.ino)));
    facts.push((b"src/deep".to_vec(), Fact::LeadsTo(Some(deep))));
    facts.push((b"".to_vec(), Fact::LeadsTo(Stamp::of(root).unwrap())));
    facts.push((b"src/broken".to_vec(), Fact::LeadsTo(None)));
    facts.push((
        root.join("src/00003.c").into_os_string().into_encoded_bytes(),
        Fact::LeadsTo(Stamp::of(&root.join("src/00003.c")).unwrap()),
    ));
    let claims = facts.into_iter().map(|(path, fact)| Claim::of_all(path, fact));
    (world, claims.collect())
}

fn proved() -> (tempfile::TempDir, PathBuf) {
    let (world, facts) = world();
    let state = world.path().join("state");
    ASKED.prove(&state, b"answer", &Basis::new(facts)).unwrap();
    (world, state)
}

/// The answer, if nothing is in doubt.
fn answer_to(question: Question, root: &Path) -> Option<Vec<u8>> {
    let asked = AtomicBool::new(false);
    let in_doubt = || asked.store(true, Ordering::Relaxed);
    let standing = question.standing(&root.join("state"), root, &in_doubt)?;
    assert_eq!(asked.load(Ordering::Relaxed), !standing.doubted().is_empty());
    standing.doubted().is_empty().then(|| standing.answer().to_vec())
}

fn answer(world: &tempfile::TempDir) -> Option<Vec<u8>> {
    answer_to(ASKED, world.path())
}

#[test]
fn what_is_as_it_was_has_its_answer_and_each_change_has_none() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 12] = [
        ("first", |root| fs::write(root.join("src/00000.c"), "yy").unwrap()),
        ("last", |root| fs::write(root.join("src/01535.c"), "yy").unwrap()),
        ("gone", |root| fs::remove_file(root.join("src/00700.c")).unwrap()),
        ("appeared", |root| fs::write(root.join("src/none"), "").unwrap()),
        ("in a folder", |root| fs::write(root.join("src/deep/new"), "").unwrap()),
        ("in the workspace", |root| fs::write(root.join("new"), "").unwrap()),
        ("another folder", |root| {
            fs::rename(root.join("src/deep"), root.join("src/old")).unwrap();
            fs::create_dir(root.join("src/deep")).unwrap();
        }),
        ("no folder", |root| {
            fs::rename(root.join("src"), root.join("old")).unwrap();
            fs::write(root.join("src"), "").unwrap();
        }),
        ("behind a link", |root| fs::write(root.join("src/00001.c"), "yy").unwrap()),
        ("a link that leads somewhere", |root| {
            fs::write(root.join("src/nowhere"), "").unwrap();
        }),
        ("another link", |root| {
            fs::remove_file(root.join("src/link")).unwrap();
            symlink("00002.c", root.join("src/link")).unwrap();
        }),
        ("the same bytes", |root| {
            let path = root.join("src/00009.c");
            fs::write(root.join("copy"), "x").unwrap();
            fs::rename(root.join("copy"), path).unwrap();
        }),
    ];
    for (what, change) in changes {
        let (world, _) = proved();
        assert_eq!(answer(&world).as_deref(), Some(&b"answer"[..]), "{what}");
        change(world.path());
        assert_eq!(answer(&world), None, "{what}");
    }
}

#[test]
fn another_question_and_a_forgotten_proof_have_no_answer() {
    let (world, state) = proved();
    let other = Question(Digest::from_bytes([8; 32]));
    assert_eq!(answer_to(other, world.path()), None);
    // Its name alone makes a proof no other's.
    let path = |question: Question| state.join(FOLDER).join(question.name());
    fs::copy(path(ASKED), path(other)).unwrap();
    assert_eq!(answer_to(other, world.path()), None);
    forget(&state).unwrap();
    assert_eq!(answer(&world), None);
    forget(&state).unwrap();
    forget(&world.path().join("none")).unwrap();
}

#[test]
fn each_truncation_and_each_flipped_byte_is_no_proof() {
    let (world, state) = proved();
    let path = state.join(FOLDER).join(ASKED.name());
    let bytes = fs::read(&path).unwrap();
    let mut random = Random(1);
    for round in 0..300 {
        let mut damaged = bytes.clone();
        match round % 2 {
            0 => damaged.truncate(random.below(bytes.len())),
            _ => damaged[random.below(bytes.len())] ^= 1 << random.below(8),
        }
        fs::write(&path, damaged).unwrap();
        assert_eq!(answer(&world), None, "{round}");
    }
    fs::write(&path, &bytes).unwrap();
    assert!(answer(&world).is_some());
}

#[test]
fn so_many_are_kept() {
    let (world, facts) = world();
    let state = world.path().join("state");
    for number in 0..3 * MOST as u8 {
        let question = Question(Digest::from_bytes([number; 32]));
        question.prove(&state, &[number], &Basis::new(facts[..3].to_vec())).unwrap();
        assert_eq!(answer_to(question, world.path()), Some(vec![number]));
        assert!(fs::read_dir(state.join(FOLDER)).unwrap().count() <= MOST);
    }
    assert_eq!(fs::read_dir(state.join(FOLDER)).unwrap().count(), MOST);
}

#[test]
fn a_link_in_its_place_is_not_followed_and_what_others_put_there_stays() {
    let (world, claims) = world();
    let (state, strange) = (world.path().join("state"), world.path().join("strange"));
    fs::create_dir(&strange).unwrap();
    fs::write(strange.join("thesis.txt"), "mine").unwrap();
    fs::write(strange.join(ASKED.name()), "mine").unwrap();
    symlink("../strange", state.join(FOLDER)).unwrap();
    forget(&state).unwrap();
    assert!(ASKED.prove(&state, b"answer", &Basis::new(claims.clone())).is_err());
    assert!(answer(&world).is_none());
    assert_eq!(fs::read_dir(&strange).unwrap().count(), 2);

    fs::remove_file(state.join(FOLDER)).unwrap();
    ASKED.prove(&state, b"answer", &Basis::new(claims)).unwrap();
    fs::create_dir(state.join(FOLDER).join("folder")).unwrap();
    fs::write(state.join(FOLDER).join("notes"), "mine").unwrap();
    forget(&state).unwrap();
    assert_eq!(fs::read_dir(state.join(FOLDER)).unwrap().count(), 2);
}

#[test]
fn what_is_no_longer_so_puts_its_readers_in_doubt_and_nobody_else() {
    let (world, mut claims) = world();
    let root = world.path();
    let state = root.join("state");
    for (number, claim) in claims.iter_mut().enumerate() {
        if claim.path.ends_with(b".c") && claim.path.starts_with(b"src") {
            claim.readers = vec![number as u32 % 7, 100];
        }
    }
    claims[5].readers = (0..1000).collect();
    claims.push(Claim { path: b"src/x".to_vec(), fact: Fact::Doubtful, readers: vec![50] });
    ASKED.prove(&state, b"answer", &Basis::new(claims.clone())).unwrap();
    let asked = AtomicBool::new(false);
    let in_doubt = || asked.store(true, Ordering::Relaxed);
    let standing = || ASKED.standing(&state, root, &in_doubt);
    assert_eq!(standing().unwrap().doubted(), [50], "what is doubtful is never so");
    assert!(asked.load(Ordering::Relaxed));
    assert_eq!(standing().unwrap().answer(), b"answer");

    fs::write(root.join("src/00008.c"), "yy").unwrap();
    fs::remove_file(root.join("src/00600.c")).unwrap();
    let now = standing().unwrap();
    assert_eq!(now.doubted(), [1, 5, 50, 100]);
    assert!(now.still_holds_for_all(root));
    claims.sort_by(|a, b| a.path.cmp(&b.path));
    claims.iter_mut().filter(|claim| claim.readers.len() > 2).for_each(|c| c.readers.clear());
    let mut kept = claims_in(now.blocks());
    kept.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(kept.len(), claims.len());
    assert!(claims.iter().all(|claim| kept.contains(claim)));

    // What too many read is everybody's.
    fs::write(root.join("src/00005.c"), "yy").unwrap();
    assert!(!now.still_holds_for_all(root));
    assert!(standing().is_none());
}

fn claims_in(blocks: Vec<&[u8]>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for block in blocks {
        let mut walk = Walk::over(block);
        while let Some(Some(())) = walk.next() {
            let fact = walk.fact().expect("a fact");
            let readers = walk.each_reader().collect();
            claims.push(Claim { path: walk.path.clone(), fact, readers });
        }
    }
    claims
}

fn claim(path: &str, fact: Fact, readers: &[u32]) -> Claim {
    Claim { path: path.into(), fact, readers: readers.to_vec() }
}

#[test]
fn what_was_judged_again_rests_on_what_it_saw_now() {
    let (was, is) = (Fact::Same(1, 1), Fact::Same(2, 2));
    let old = vec![
        claim("all", was, &[]),
        claim("changed", was, &[1]),
        claim("gone", was, &[]),
        claim("made", was, &[1, 2]),
        claim("made, read by another", was, &[1, 2, 5]),
        claim("no longer read", was, &[1]),
        claim("of others", was, &[2, 3]),
        claim("shared", was, &[1, 2]),
        claim("shared, changed", was, &[1, 2]),
    ];
    let new = vec![
        claim("all", is, &[]),
        claim("changed", is, &[1]),
        claim("gone", is, &[]),
        claim("made", is, &[1]),
        claim("made, read by another", is, &[1]),
        claim("new", Fact::Doubtful, &[4]),
        claim("shared", was, &[1, 4]),
        claim("shared, changed", is, &[1]),
    ];
    let bytes = Arc::new(encoded(ASKED, b"", &Basis::new(old), |pieces| pieces.concat()));
    let standing = Standing { bytes, moved: Vec::new(), renewed: Renewed::default() };
    let again = Again {
        is_judged: &|reader| reader == 1 || reader == 4,
        is_gone: &|path| path == b"gone",
        is_same: &|path, reader| path.starts_with(b"made") && reader == 2,
    };
    let basis = standing.basis_with(new, &again).unwrap();
    let mut merged = claims_in(basis.blocks.iter().map(|block| &block[..]).collect());
    merged.sort_by(|a, b| a.path.cmp(&b.path));
    let expected = [
        // Both count: whoever comes next sees that they are not so.
        claim("all", was, &[]),
        claim("all", is, &[]),
        claim("changed", is, &[1]),
        claim("gone", is, &[]),
        claim("made", is, &[1, 2]),
        claim("made, read by another", Fact::Doubtful, &[1, 2, 5]),
        claim("new", Fact::Doubtful, &[4]),
        claim("of others", was, &[2, 3]),
        claim("shared", was, &[1, 2, 4]),
        claim("shared, changed", Fact::Doubtful, &[1, 2]),
    ];
    assert_eq!(merged, expected);
    let mut paths = standing.paths_of(|reader| reader == 3);
    paths.sort();
    assert_eq!(paths, [b"of others"]);
}

/// Blocks in which nothing is another stay as they are; all together say the same as one by one.
#[test]
fn many_claims_are_merged_as_few() {
    let mut random = Random(11);
    let path = |number: usize| format!("src/{number:04}.c");
    let fact = |value: usize| Fact::Same(value as u64, 7);
    let old: Vec<Claim> =
        (0..5 * BLOCK).map(|at| claim(&path(at), fact(0), &[at as u32 / 2])).collect();
    for round in 0..20 {
        let judged: Vec<u32> = (0..random.below(6)).map(|_| random.below(1500) as u32).collect();
        let is_judged = |reader| judged.contains(&reader);
        let new: Vec<Claim> = (0..random.below(9))
            .filter(|_| !judged.is_empty())
            .map(|_| random.below(6 * BLOCK))
            .collect::<std::collections::BTreeSet<usize>>()
            .into_iter()
            .map(|at| claim(&path(at), fact(random.below(2)), &judged[..1]))
            .collect();
        let bytes =
            Arc::new(encoded(ASKED, b"", &Basis::new(old.clone()), |pieces| pieces.concat()));
        let standing = Standing { bytes, moved: Vec::new(), renewed: Renewed::default() };
        let again = Again { is_judged: &is_judged, is_gone: &|_| false, is_same: &|_, _| false };
        let basis = standing.basis_with(new.clone(), &again).unwrap();
        let mut merged = claims_in(basis.blocks.iter().map(|block| &block[..]).collect());
        merged.sort_by(|a, b| a.path.cmp(&b.path));
        let mut expected: BTreeMap<Vec<u8>, Claim> = BTreeMap::new();
        for one in old.iter().filter(|one| !is_judged(one.readers[0])).chain(&new) {
            match expected.get_mut(&one.path) {
                None => _ = expected.insert(one.path.clone(), one.clone()),
                Some(known) => {
                    if known.fact != one.fact {
                        known.fact = Fact::Doubtful;
                    }
                    known.readers.extend(&one.readers);
                    known.readers.sort_unstable();
                }
            }
        }
        assert_eq!(merged, expected.into_values().collect::<Vec<_>>(), "round {round}");
    }
}

/// A world whose sources are known by what they hold, each with a reader, but for two that are
/// everybody's, and one whose stamp stands for nothing.
fn world_of_contents() -> (tempfile::TempDir, PathBuf) {
    let (world, _) = world();
    let claims = (0..600).map(|number: u32| {
        let path = format!("src/{number:05}.c");
        let (seen, content) = measure(&world.path().join(&path), &mut Vec::new()).unwrap().unwrap();
        let stamp = (number != 2).then_some(seen.link);
        let readers = if number < 2 { Vec::new() } else { vec![number] };
        Claim { path: path.into_bytes(), fact: Fact::Holds(stamp, content), readers }
    });
    let state = world.path().join("state");
    ASKED.prove(&state, b"answer", &Basis::new(claims.collect())).unwrap();
    (world, state)
}

fn standing(world: &tempfile::TempDir) -> Option<Standing> {
    ASKED.standing(&world.path().join("state"), world.path(), &|| {})
}

/// Another file of that name.
fn replace(world: &tempfile::TempDir, number: u32, text: &str) {
    fs::write(world.path().join("new"), text).unwrap();
    let path = world.path().join(format!("src/{number:05}.c"));
    fs::rename(world.path().join("new"), path).unwrap();
}

#[test]
fn what_holds_what_it_held_is_so_whatever_its_stamps() {
    let (world, _) = world_of_contents();
    let now = standing(&world).unwrap();
    assert!(now.doubted().is_empty() && now.is_renewed(), "what has no stamp is read");
    [0, 7, 599].iter().for_each(|&number| replace(&world, number, "x"));
    replace(&world, 8, "longer");
    replace(&world, 9, "y");
    replace(&world, 10, "");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(world.path().join("src/00011.c"), executable).unwrap();
    fs::remove_file(world.path().join("src/00012.c")).unwrap();
    replace(&world, 13, "x");
    fs::remove_file(world.path().join("src/00014.c")).unwrap();
    symlink("00013.c", world.path().join("src/00014.c")).unwrap();
    let now = standing(&world).unwrap();
    assert_eq!(now.doubted(), [8, 9, 10, 11, 12, 14]);
    assert!(now.still_holds_for_all(world.path()));
    let mut renewed: Vec<_> =
        now.renewed.keys().map(|path| str::from_utf8(path).unwrap()).collect();
    renewed.sort_unstable();
    assert_eq!(
        renewed,
        ["src/00000.c", "src/00002.c", "src/00007.c", "src/00013.c", "src/00599.c"]
    );
    // What is everybody's and holds something else is no proof for anybody.
    replace(&world, 1, "y");
    assert!(standing(&world).is_none());
    assert!(!now.still_holds_for_all(world.path()));
}

#[test]
fn new_stamps_are_kept_if_they_may_stand_for_what_was_read() {
    let (world, state) = world_of_contents();
    [0, 7, 8].iter().for_each(|&number| replace(&world, number, "x"));
    let mut now = standing(&world).unwrap();
    now.settle(|path, _| path != b"src/00008.c");
    ASKED.renew(&state, &now).unwrap();
    let mut now = standing(&world).unwrap();
    assert_eq!(now.answer(), b"answer");
    assert_eq!(now.renewed.keys().collect::<Vec<_>>(), [&b"src/00008.c".to_vec()]);
    replace(&world, 7, "y");
    assert_eq!(standing(&world).unwrap().doubted(), [7]);
    // Who changed something meanwhile has forgotten the proof first, and may have left another.
    forget(&state).unwrap();
    ASKED.renew(&state, &now).unwrap();
    assert!(standing(&world).is_none());
    ASKED.prove(&state, b"other", &Basis::new(Vec::new())).unwrap();
    ASKED.renew(&state, &now).unwrap();
    assert_eq!(standing(&world).unwrap().answer(), b"other");
    now.settle(|_, _| false);
    assert!(!now.is_renewed());
}

#[test]
fn what_others_saw_of_the_same_content_agrees() {
    let (world, _) = world_of_contents();
    let now = standing(&world).unwrap();
    let seen = |number: u32, text: &str| {
        replace(&world, number, text);
        let path = format!("src/{number:05}.c");
        let (seen, content) = measure(&world.path().join(&path), &mut Vec::new()).unwrap().unwrap();
        claim(&path, Fact::Holds(Some(seen.link), content), &[1000])
    };
    let new = vec![seen(20, "x"), seen(21, "y")];
    let nobody = Again { is_judged: &|_| false, is_gone: &|_| false, is_same: &|_, _| false };
    let merged = claims_in(
        now.basis_with(new.clone(), &nobody).unwrap().blocks.iter().map(|block| &**block).collect(),
    );
    let of = |path: &str| merged.iter().find(|claim| claim.path == path.as_bytes()).unwrap();
    assert_eq!(
        (of("src/00020.c").fact, &of("src/00020.c").readers[..]),
        (new[0].fact, &[20, 1000][..])
    );
    assert_eq!(of("src/00021.c").fact, Fact::Doubtful);
}

/// Where most hold something else not all are read: they are in doubt, and will be read then.
#[test]
fn after_many_edits_files_are_not_read_in_vain() {
    let (world, _) = world_of_contents();
    (2..600).for_each(|number| replace(&world, number, if number < 590 { "y" } else { "x" }));
    let now = standing(&world).unwrap();
    let doubted = now.doubted();
    assert!((588..=598).contains(&doubted.len()), "{}", doubted.len());
    assert!((2..590).all(|number| doubted.contains(&number)));
    assert!(now.renewed.len() < 10, "the last were not read");
}

#[test]
fn a_folder_with_the_same_names_is_as_it_was() {
    let (world, state) = (tempfile::tempdir().unwrap(), "state");
    let root = world.path();
    [state, "src", "src/deep"].iter().for_each(|name| fs::create_dir(root.join(name)).unwrap());
    ["a", "b"].iter().for_each(|name| fs::write(root.join("src").join(name), name).unwrap());
    let lists = |path: &str| {
        let (stamp, names) = names_at(rustix::fs::CWD, &root.join(path)).unwrap().unwrap();
        Claim::of_all(path.into(), Fact::Lists(stamp, names))
    };
    let claims = vec![lists("src"), lists("src/deep"), lists("")];
    ASKED.prove(&root.join(state), b"answer", &Basis::new(claims)).unwrap();
    assert!(!standing(&world).unwrap().is_renewed());
    fs::write(root.join("src/new"), "A").unwrap();
    assert!(standing(&world).is_none());
    fs::rename(root.join("src/new"), root.join("src/a")).unwrap();
    let now = standing(&world).unwrap();
    assert_eq!(now.renewed.keys().collect::<Vec<_>>(), [b"src"]);
    assert!(now.still_holds_for_all(root));
    ASKED.renew(&root.join(state), &now).unwrap();
    assert!(!standing(&world).unwrap().is_renewed());
    fs::remove_dir(root.join("src/deep")).unwrap();
    fs::write(root.join("src/deep"), "").unwrap();
    assert!(standing(&world).is_none(), "another sort of thing");
    assert!(!now.still_holds_for_all(root));
}
