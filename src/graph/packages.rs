//! What names of other packages mean, before there are tasks: which package, which targets, and
//! what to write where there is none.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::rule::Ref;
use super::scope::Package;
use crate::error::{Diagnostic, Place, listed, nearest, quoted};
use crate::parse::{Taskfile, Whose, Written, full_name, is_below, read_name, seen_from};

/// By the number of the package that asks (0 where it does not matter) and the name: full names.
type Sets = FxHashMap<(usize, String), Arc<[String]>>;

/// All packages of a workspace; the root is number 0.
pub(super) struct Packages<'t> {
    all: Vec<&'t Taskfile>,
    by_dir: FxHashMap<&'t str, usize>,
    scopes: Vec<Arc<Package>>,
    /// What each package reaches through dependencies, once it was asked.
    reached: RefCell<FxHashMap<usize, Arc<[usize]>>>,
    /// The targets behind a name that means several, once it was asked.
    sets: RefCell<Sets>,
}

/// One target, seen by the names in its strings.
#[derive(Clone, Copy)]
pub(super) struct Home<'p> {
    pub(super) packages: &'p Packages<'p>,
    /// The package that it is of.
    pub(super) number: usize,
    /// Its full name.
    pub(super) own: &'p str,
}

impl<'t> Packages<'t> {
    pub(super) fn of(root: &'t Taskfile) -> Packages<'t> {
        let all: Vec<&Taskfile> = root.every().collect();
        let by_dir = all.iter().enumerate().map(|(at, one)| (one.package.dir.as_str(), at));
        let by_dir = by_dir.collect();
        let scope = |one: &&Taskfile| {
            let dir = if one.package.dir.is_empty() { "." } else { &one.package.dir };
            Arc::new(Package { name: one.package.name.clone(), dir: dir.to_owned() })
        };
        let scopes = all.iter().map(scope).collect();
        Packages { all, by_dir, scopes, reached: RefCell::default(), sets: RefCell::default() }
    }

    pub(super) fn all(&self) -> &[&'t Taskfile] {
        &self.all
    }

    /// Every package that `number` depends on, directly or not, without itself.
    fn reached(&self, number: usize) -> Arc<[usize]> {
        if let Some(known) = self.reached.borrow().get(&number) {
            return Arc::clone(known);
        }
        let mut seen = vec![false; self.all.len()];
        seen[number] = true;
        let mut stack = vec![number];
        while let Some(at) = stack.pop() {
            for &need in &self.all[at].package.needs {
                if !std::mem::replace(&mut seen[need], true) {
                    stack.push(need);
                }
            }
        }
        let reached: Arc<[usize]> =
            (0..seen.len()).filter(|&at| seen[at] && at != number).collect();
        self.reached.borrow_mut().insert(number, Arc::clone(&reached));
        reached
    }

    /// The full names of all targets that a name which means several stands for.
    fn set(&self, number: usize, written: Written<'_>) -> Arc<[String]> {
        let target = written.bare();
        let has = |at: &usize| self.all[*at].targets.contains_key(target);
        let full = |at: usize| full_name(&self.all[at].package.dir, written.target);
        match written.whose {
            Whose::Reached => self.reached(number).iter().copied().filter(has).map(full).collect(),
            Whose::Below(above) => {
                let within = |at: &usize| is_below(&self.all[*at].package.dir, above);
                (0..self.all.len()).filter(within).filter(has).map(full).collect()
            }
            Whose::Here | Whose::Of(_) => Arc::default(),
        }
    }
}

impl Ref {
    /// The reference, if it means one target or task.
    pub(super) fn one(self) -> Result<Ref, Diagnostic> {
        match self.each {
            None => Ok(self),
            Some(_) => {
                let what = format!("{} means several targets", quoted(&self.text));
                Err(Diagnostic::error(what)
                    .at(self.place, "")
                    .help("name one of them, as in `//packages/core:build`"))
            }
        }
    }
}

impl Home<'_> {
    /// What expressions see of the package.
    pub(super) fn scope(&self) -> Arc<Package> {
        Arc::clone(&self.packages.scopes[self.number])
    }

    /// Reads a name that has to mean one target or task.
    pub(super) fn refer_to_one(&self, asked: Ref) -> Result<Ref, Diagnostic> {
        self.refer(&asked.text, asked.place)?.one()
    }

    /// The root's Taskfile and its package's, the weaker first.
    pub(super) fn files(&self) -> impl Iterator<Item = &Taskfile> {
        let all = self.packages.all();
        let own = (self.number > 0).then(|| all[self.number]);
        std::iter::once(all[0]).chain(own)
    }

    fn dir(&self) -> &str {
        &self.packages.all[self.number].package.dir
    }

    /// Reads a name as it is written in this target's package.
    pub(super) fn refer(&self, text: &str, place: Option<Place>) -> Result<Ref, Diagnostic> {
        let refuse = |what: String| Diagnostic::error(what).at(place.clone(), "");
        let Some(written) = read_name(text) else {
            let example = format!("write \"{}:build\"", text.trim_end_matches(['/', ':']));
            return Err(
                refuse(format!("{} names a package and no target", quoted(text))).help(example)
            );
        };
        let dir = match written.whose {
            Whose::Here => self.dir(),
            Whose::Of(dir) => self.package(dir, text, place.as_ref()).map(|()| dir)?,
            Whose::Below(_) | Whose::Reached => return self.several(text, written, place),
        };
        let full = full_name(dir, written.target);
        let known = &self.packages.all[self.packages.by_dir[dir]].targets;
        if dir != self.dir() && !known.contains_key(written.bare()) {
            let place = place.clone();
            let names = || known.keys().map(String::as_str);
            let near = nearest(written.bare(), names()).map(|near| full_name(dir, near));
            let help = match near {
                Some(near) => format!("did you mean `{}`?", seen_from(self.dir(), &near)),
                None => listed("it has", names().take(8)),
            };
            let what = match dir {
                "" => "the root".to_owned(),
                _ => format!("the package {}", quoted(dir)),
            };
            return Err(Diagnostic::error(format!(
                "{what} has no target {}",
                quoted(written.bare())
            ))
            .at(place, "")
            .help(help));
        }
        Ok(Ref { text: full, place, each: None })
    }

    /// Whether there is a package in this folder.
    fn package(&self, dir: &str, text: &str, place: Option<&Place>) -> Result<(), Diagnostic> {
        if self.packages.by_dir.contains_key(dir) {
            return Ok(());
        }
        let dirs = || self.packages.all.iter().skip(1).map(|one| one.package.dir.as_str());
        let problem = Diagnostic::error(format!("there is no package {}", quoted(dir)));
        let problem = problem.at(place.cloned(), "");
        let target = text.rsplit(':').next().unwrap_or(text);
        Err(match nearest(dir, dirs()) {
            Some(near) => problem.help(format!("did you mean `//{near}:{target}`?")),
            None if dirs().next().is_none() => problem.help(
                "this workspace has no packages: `include = [\"packages/*\"]` makes folders to some",
            ),
            None => problem.help(listed("packages are", dirs().take(8))),
        })
    }

    /// A name that means a target of several packages.
    fn several(
        &self,
        text: &str,
        written: Written<'_>,
        place: Option<Place>,
    ) -> Result<Ref, Diagnostic> {
        let number = if written.whose == Whose::Reached { self.number } else { 0 };
        let key = (number, text.to_owned());
        let known = self.packages.sets.borrow().get(&key).cloned();
        let names = known.unwrap_or_else(|| {
            let names = self.packages.set(self.number, written);
            self.packages.sets.borrow_mut().insert(key, Arc::clone(&names));
            names
        });
        let somewhere =
            || self.packages.all.iter().any(|one| one.targets.contains_key(written.bare()));
        if names.is_empty() && (written.whose != Whose::Reached || !somewhere()) {
            return Err(self.nowhere(text, written, place));
        }
        // A target that builds all of its name does not mean itself.
        let is_own = |name: &String| crate::parse::split_pick(name).0 == self.own;
        let each = match names.iter().any(is_own) {
            true => names.iter().filter(|name| !is_own(name)).cloned().collect(),
            false => names,
        };
        Ok(Ref { text: text.to_owned(), place, each: Some(each) })
    }

    fn nowhere(&self, text: &str, written: Written<'_>, place: Option<Place>) -> Diagnostic {
        let above = match written.whose {
            Whose::Below(above) => above,
            _ => "",
        };
        let packages = self.packages.all.iter().filter(|one| is_below(&one.package.dir, above));
        let names = packages.flat_map(|one| one.targets.keys()).map(String::as_str);
        let near = nearest(written.bare(), names);
        let what = match above {
            "" => format!("no package has a target {}", quoted(written.bare())),
            _ => format!("no package in {above}/ has a target {}", quoted(written.bare())),
        };
        let start = text.strip_suffix(written.target).unwrap_or("");
        let help = near.map(|near| format!("did you mean `{start}{near}`?"));
        Diagnostic::error(what).at(place, "").help_if(help)
    }
}
