//! Random changes of a world, as users, editors, archives and version control make them. Each tells
//! in words what it did, or does nothing where it does not apply.

use super::grow::{random_dotenv, random_when, random_writes};
use super::random::Random;
use super::settings::change_settings;
use super::world::{Node, Target, World, Writes};

/// What becomes of a changed file's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// As the write leaves it.
    Now,
    /// As it was before the write.
    Kept,
    Past,
    Future,
    /// Another file moved over it.
    Replaced,
}

/// A change in words, and the files whose times need care.
pub(crate) type Change = Option<(String, Vec<(String, Time)>)>;

/// Changes something at random; tries until something applies.
pub(crate) fn change(world: &mut World, random: &mut Random) -> (String, Vec<(String, Time)>) {
    loop {
        let change = match random.below(25) {
            0..6 => edit(world, random),
            6 => touch(world, random),
            7 => add_file(world, random),
            8 => remove_file(world, random),
            9 => rename_file(world, random),
            10 => change_mode(world, random),
            11 => retarget_link(world, random),
            12 | 23 => change_value(world, random),
            13 => change_includes(world, random),
            14 | 15 => change_command(world, random),
            16 => Some((world.add_target(random), Vec::new())),
            17 => remove_target(world, random),
            18 => rename_target(world, random),
            19..23 => change_settings(world, random),
            _ => rewire(world, random),
        };
        if let Some(change) = change {
            world.mend();
            return change;
        }
    }
}

fn plain(text: String) -> Change {
    Some((text, Vec::new()))
}

fn pick_source(world: &World, random: &mut Random) -> String {
    random.pick(&world.sources("")).clone()
}

/// A new head or body, in half of all cases of the same size.
pub(crate) fn edit(world: &mut World, random: &mut Random) -> Change {
    let path = pick_source(world, random);
    let Some(Node::File { text, .. }) = world.files.get_mut(&path) else { return None };
    let word = if random.one_in(2) { "head" } else { "body" };
    let width = if random.one_in(2) { 6 } else { 7 };
    let new = format!("{word} {:0width$}", random.below(1_000_000));
    let line = |line: &str| if line.starts_with(word) { new.clone() } else { line.to_owned() };
    *text = text.lines().map(line).flat_map(|line| [line, "\n".to_owned()]).collect();
    let times = [Time::Now, Time::Now, Time::Kept, Time::Past, Time::Future, Time::Replaced];
    let time = *random.pick(&times);
    Some((format!("edit {path} ({new}, time {time:?})"), vec![(path, time)]))
}

/// No change at all but of times.
fn touch(world: &mut World, random: &mut Random) -> Change {
    let times = [Time::Now, Time::Past, Time::Future, Time::Replaced];
    let time = *random.pick(&times);
    let paths = world.sources("");
    let touched: Vec<_> = paths.into_iter().filter(|_| random.one_in(2)).collect();
    let times = touched.into_iter().map(|path| (path, time)).collect();
    Some((format!("touch ({time:?})"), times))
}

fn add_file(world: &mut World, random: &mut Random) -> Change {
    let folders = ["src/d0", "src/d1", "src/d1/sub", "data", "hdr"];
    let path = match random.below(6) {
        5 => format!("data/maybe{}", random.below(2)),
        n => format!("{}/n{}.c", folders[n], random.below(4)),
    };
    if world.files.contains_key(&path) {
        return None;
    }
    world.add_file(random, path.clone());
    plain(format!("add {path}"))
}

/// Whether a glob would still match, and no link would lead to nothing, without this file.
fn may_go(world: &World, path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').expect("in a folder");
    let other = |other: &String| {
        let inside = other.strip_prefix(&format!("{folder}/"));
        inside.is_some_and(|rest| rest.starts_with('f') && !rest.contains("_skip"))
    };
    let others = world.sources(folder).iter().filter(|path| other(path)).count();
    let linked = world.files.iter().any(|(link, node)| {
        link.starts_with(folder) && matches!(node, Node::Link(to) if to == name)
    });
    !linked && (others > 1 || !other(&path.to_owned()) || folder == "hdr")
}

fn remove_file(world: &mut World, random: &mut Random) -> Change {
    let path = pick_source(world, random);
    if !may_go(world, &path) {
        return None;
    }
    world.files.remove(&path);
    plain(format!("remove {path}"))
}

fn rename_file(world: &mut World, random: &mut Random) -> Change {
    let path = pick_source(world, random);
    let folder = path.rsplit_once('/').expect("in a folder").0;
    let new = format!("{folder}/r{}.c", random.below(5));
    if !may_go(world, &path) || world.files.contains_key(&new) {
        return None;
    }
    let node = world.files.remove(&path)?;
    world.files.insert(new.clone(), node);
    plain(format!("rename {path} to {new}"))
}

fn change_mode(world: &mut World, random: &mut Random) -> Change {
    let path = pick_source(world, random);
    let Some(Node::File { exec, .. }) = world.files.get_mut(&path) else { return None };
    *exec = !*exec;
    plain(format!("exec bit of {path}: {exec}"))
}

fn retarget_link(world: &mut World, random: &mut Random) -> Change {
    let names = world.sources("data/");
    let to = random.pick(&names).strip_prefix("data/").expect("in data").to_owned();
    let old = world.files.insert("data/link".to_owned(), Node::Link(to.clone()));
    (old != Some(Node::Link(to.clone()))).then(|| (format!("link to {to}"), Vec::new()))
}

fn change_value(world: &mut World, random: &mut Random) -> Change {
    let n = random.below(3);
    if random.one_in(2) {
        world.vars[n] = format!("v{:06}", random.below(1_000_000));
        plain(format!("v{n} = {}", world.vars[n]))
    } else {
        world.env[n] = match random.below(3) {
            0 => None,
            1 => Some(String::new()),
            _ => Some(format!("x{}", random.below(10))),
        };
        plain(format!("X{n} = {:?}", world.env[n]))
    }
}

fn change_includes(world: &mut World, random: &mut Random) -> Change {
    let path = pick_source(world, random);
    if path.starts_with("data/") {
        return None;
    }
    if world.add_include(random, &path) {
        return plain(format!("one more include in {path}"));
    }
    let Some(Node::File { text, .. }) = world.files.get_mut(&path) else { return None };
    let before = text.len();
    *text =
        text.lines().filter(|line| !line.starts_with("include")).flat_map(|l| [l, "\n"]).collect();
    (text.len() < before).then(|| (format!("no includes in {path}"), Vec::new()))
}

fn pick_target<'a>(world: &'a mut World, random: &mut Random) -> Option<&'a mut Target> {
    let count = world.targets.len();
    (count > 0).then(|| &mut world.targets[random.below(count)])
}

/// The command, the environment, or something that does not count.
fn change_command(world: &mut World, random: &mut Random) -> Change {
    let target = pick_target(world, random)?;
    let what = match random.below(7) {
        0 => {
            target.doc += 1;
            "doc"
        }
        1 => {
            target.env = Some(format!("e{}", random.below(100)));
            "env"
        }
        2 => {
            target.exec = !target.exec;
            "--exec"
        }
        3 => {
            target.head = !target.head;
            "--head"
        }
        4 => {
            target.batch = random.below(4);
            "batch"
        }
        _ => {
            target.salt = format!("s{}", random.below(1000));
            "command"
        }
    };
    plain(format!("{what} of {}", target.name))
}

fn remove_target(world: &mut World, random: &mut Random) -> Change {
    if world.targets.len() < 2 {
        return None;
    }
    let target = world.targets.remove(random.below(world.targets.len()));
    world.mend();
    plain(format!("remove {}", target.name))
}

/// A new name; the outputs stay in half of all cases.
fn rename_target(world: &mut World, random: &mut Random) -> Change {
    let next = world.next;
    world.next += 1;
    let target = pick_target(world, random)?;
    let old = std::mem::replace(&mut target.name, format!("t{next}"));
    let mut text = format!("rename {old} to {}", target.name);
    if random.one_in(2) {
        target.slot = next;
        text.push_str(" with its outputs");
    }
    plain(text)
}

/// Inputs, outputs, number of tasks; or two targets swap their outputs.
fn rewire(world: &mut World, random: &mut Random) -> Change {
    let whole = world.clone();
    if random.one_in(4) {
        return swap_outputs(world, random);
    }
    let target = pick_target(world, random)?;
    if target.group || target.header || target.service {
        return None;
    }
    let what = match random.below(10) {
        0 => {
            target.inputs.pop()?;
            "an input less"
        }
        1 => {
            target.writes = random_writes(random);
            "other outputs"
        }
        2 => {
            target.each = whole.random_each(random, target.layer);
            "other tasks"
        }
        3 => {
            target.depfile = !target.depfile && target.layer > 0;
            "depfile or not"
        }
        4 => {
            target.when = random_when(random);
            "another condition"
        }
        5 => {
            target.dotenv = random_dotenv(random);
            "other environment files"
        }
        6 => {
            target.tables = !target.tables;
            "a list or a table of inputs"
        }
        7 => {
            target.served = whole.pick_service(random, target.layer);
            "another service"
        }
        _ => {
            target.inputs.push(whole.random_input(random, target.layer)?);
            "another input"
        }
    };
    plain(format!("{what} for {}", target.name))
}

fn swap_outputs(world: &mut World, random: &mut Random) -> Change {
    let plain_file = |target: &Target| {
        !target.header && matches!(target.writes, Writes::Staged(_) | Writes::InPlace(_))
    };
    let indexes = world.targets.iter().enumerate().filter(|(_, target)| plain_file(target));
    let indexes: Vec<usize> = indexes.map(|(index, _)| index).collect();
    if indexes.len() < 2 {
        return None;
    }
    let (a, b) = (*random.pick(&indexes), *random.pick(&indexes));
    if a == b || world.targets[a].layer != world.targets[b].layer {
        return None;
    }
    let slot = world.targets[a].slot;
    world.targets[a].slot = world.targets[b].slot;
    world.targets[b].slot = slot;
    plain(format!("{} and {} swap outputs", world.targets[a].name, world.targets[b].name))
}
