//! Random changes of what stands around the targets: `.gitignore`, environment files, packages, the
//! profile, services, the pipeline.

use super::ignore::{FOLDERS, random_lines};
use super::pipeline::Pipeline;
use super::random::Random;
use super::steps::Change;
use super::world::World;

/// Changes one of them, if the world has it.
pub(crate) fn change_settings(world: &mut World, random: &mut Random) -> Change {
    let text = match random.below(7) {
        0 | 1 => change_ignores(world, random),
        2 => change_dotenv(world, random),
        3 => change_package(world, random)?,
        4 => change_profile(world, random)?,
        5 => {
            let mut services = world.targets.iter_mut().filter(|target| target.service);
            let service = services.next()?;
            service.salt = format!("s{}", random.below(1000));
            format!("what {} answers", service.name)
        }
        _ => {
            world.pipeline.as_ref()?;
            world.pipeline = Some(Pipeline::random(world, random));
            format!("pipeline {:?}", world.pipeline)
        }
    };
    Some((text, Vec::new()))
}

/// Another `.gitignore` in some folder, or none.
pub(crate) fn change_ignores(world: &mut World, random: &mut Random) -> String {
    let folder = *random.pick(&FOLDERS);
    if random.one_in(4) {
        world.ignores.remove(folder);
    } else {
        world.ignores.insert(folder.to_owned(), random_lines(random));
    }
    format!(".gitignore in {folder:?}: {:?}", world.ignores.get(folder))
}

/// One line more or less; or the file that may be absent is.
fn change_dotenv(world: &mut World, random: &mut Random) -> String {
    let n = random.below(3);
    let name = (*random.pick(&["E", "F0", "F1", "NOBODY"])).to_owned();
    let lines = world.dotenv[n].get_or_insert_default();
    let before = lines.len();
    lines.retain(|(other, _)| *other != name);
    if n == 2 && random.one_in(3) {
        world.dotenv[n] = None;
    } else if lines.len() == before || random.one_in(2) {
        lines.push((name, format!("a {}", random.below(100))));
    }
    format!("environment file {n}: {:?}", world.dotenv[n])
}

/// What one depends on, a variable of its own, or who belongs to it.
fn change_package(world: &mut World, random: &mut Random) -> Option<String> {
    if world.packages.is_empty() {
        return None;
    }
    let n = random.below(world.packages.len());
    let package = &mut world.packages[n];
    match random.below(3) {
        0 => {
            let other = random.below(n);
            if n > 0 && !package.deps.remove(&other) {
                package.deps.insert(other);
            }
        }
        1 => {
            let value = format!("v{:06}", random.below(1_000_000));
            package.var = random.one_in(2).then(|| (random.below(3), value));
        }
        _ => {
            let at = random.below(world.targets.len());
            let mut target = world.targets[at].clone();
            if target.header {
                return None;
            }
            target.name = format!("t{}", world.next);
            world.next += 1;
            match target.package.take() {
                Some(_) if random.one_in(2) => {}
                _ => world.enter(&mut target, random),
            }
            let text = format!("{} moves to {}", world.targets[at].name, target.full_name());
            world.targets[at] = target;
            return Some(text);
        }
    }
    Some(format!("package {n}: {package:?}"))
}

/// Another value, or another variable.
fn change_profile(world: &mut World, random: &mut Random) -> Option<String> {
    let (n, value) = world.profile.as_mut()?;
    if random.one_in(3) {
        *n = random.below(3);
    } else {
        *value = format!("v{:06}", random.below(1_000_000));
    }
    Some(format!("profile q: v{n} = {value}"))
}
