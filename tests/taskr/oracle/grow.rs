//! Worlds and targets at random.

use std::collections::{BTreeMap, BTreeSet};

use super::ignore::random_lines;
use super::packages::Package;
use super::pipeline::Pipeline;
use super::random::Random;
use super::world::{Each, Form, Input, Node, Target, When, World, Writes};

impl World {
    /// A world with so many targets. What the language has beside them is in some worlds only.
    pub(crate) fn random(random: &mut Random, targets: usize) -> World {
        let packages = if random.one_in(3) { random.below(2) + 2 } else { 0 };
        let mut world = World {
            files: BTreeMap::new(),
            vars: vec!["v000000".to_owned(); 3],
            env: vec![None, Some(String::new()), Some("x".to_owned())],
            targets: Vec::new(),
            next: 0,
            ignores: BTreeMap::new(),
            dotenv: vec![Some(Vec::new()), Some(Vec::new()), None],
            packages: vec![Package { deps: BTreeSet::new(), var: None }; packages],
            profile: random.one_in(4).then(|| (random.below(3), "v100000".to_owned())),
            pipeline: None,
            serves: random.one_in(4),
        };
        for n in 1..packages {
            world.packages[n].deps.insert(n - 1);
        }
        for folder in ["src/d0", "src/d1", "src/d1/sub", "data"] {
            for n in 0..=random.below(3) {
                let skip = if n > 0 && random.one_in(4) { "_skip" } else { "" };
                let letter = if n > 0 && random.one_in(2) { "n" } else { "f" };
                world.add_file(random, format!("{folder}/{letter}{n}{skip}.c"));
            }
        }
        for n in 0..random.below(4) {
            world.add_file(random, format!("hdr/h{n}.h"));
        }
        if random.one_in(2) {
            world.files.insert("data/link".to_owned(), Node::Link("f0.c".to_owned()));
        }
        if random.one_in(2) {
            world.ignores.insert(String::new(), random_lines(random));
            world.ignores.insert("src/d1".to_owned(), random_lines(random));
        }
        for _ in 0..targets {
            world.add_target(random);
        }
        for path in world.sources("src/") {
            world.add_include(random, &path);
        }
        if random.one_in(3) {
            world.pipeline = Some(Pipeline::random(&world, random));
            world.mend();
        }
        world
    }

    /// Adds a random target in a random layer.
    pub(crate) fn add_target(&mut self, random: &mut Random) -> String {
        let id = self.next;
        self.next += 1;
        let highest = self.targets.iter().map(|target| target.layer + 1).max().unwrap_or(0);
        let header = random.one_in(7);
        let service = self.serves && !header && random.one_in(4);
        let layer = if header { 0 } else { random.below(highest.min(3) + 1) };
        let mut target = Target {
            id,
            name: format!("t{id}"),
            layer,
            slot: id,
            header,
            service,
            group: !header && !service && layer > 0 && random.one_in(9),
            each: Each::One,
            inputs: Vec::new(),
            tables: random.one_in(6),
            writes: Writes::Staged(1),
            deps: Vec::new(),
            depfile: !header && !service && layer > 0 && random.one_in(3),
            form: *random.pick(&[Form::Exec, Form::PlainWords, Form::Shell]),
            salt: format!("s{}", random.below(1000)),
            var: random.one_in(3).then(|| random.below(3)),
            head: random.one_in(3),
            exec: random.one_in(6),
            env: random.one_in(4).then(|| format!("e{}", random.below(100))),
            asks: random.one_in(4).then(|| random.below(3)),
            dotenv: random_dotenv(random),
            when: random_when(random),
            batch: if random.one_in(2) { random.below(3) + 1 } else { 0 },
            served: None,
            package: None,
            tied: false,
            doc: 0,
        };
        if !header && !target.group && !service {
            target.each = self.random_each(random, layer);
            target.writes = random_writes(random);
        } else {
            target.when = None;
        }
        if service {
            target.writes = Writes::Nothing;
        }
        if !header && !self.packages.is_empty() && random.one_in(2) {
            self.enter(&mut target, random);
        }
        self.add_needs(&mut target, random);
        self.targets.push(target);
        self.mend();
        format!("add t{id}")
    }

    /// What a target reads and waits for, of lower layers.
    fn add_needs(&self, target: &mut Target, random: &mut Random) {
        let layer = target.layer;
        for _ in 0..random.below(4) {
            target.inputs.extend(self.random_input(random, layer));
        }
        if target.package.is_some() && random.one_in(2) {
            target.inputs.push(Input::Above);
        }
        if target.group || random.one_in(4) {
            target.deps.extend(self.pick_below(random, layer));
            target.deps.extend(self.pick_below(random, layer));
            target.deps.dedup();
        }
        if !target.group && !target.header {
            target.served = self.pick_service(random, layer);
        }
        if matches!(target.each, Each::Files(_)) && random.one_in(3) {
            target.go_together(random);
        }
    }

    /// Moves a target into a package, and may give it the name that targets of others have.
    pub(crate) fn enter(&self, target: &mut Target, random: &mut Random) {
        let package = random.below(self.packages.len());
        target.package = Some(package);
        let has_one = |t: &Target| t.package == Some(package) && t.name == "b";
        if !self.targets.iter().any(has_one) {
            target.name = "b".to_owned();
        }
    }

    /// Some target of a lower layer, no service.
    fn pick_below(&self, random: &mut Random, layer: usize) -> Option<usize> {
        let below = self.targets.iter().filter(|target| target.layer < layer && !target.service);
        let below: Vec<_> = below.collect();
        (!below.is_empty()).then(|| random.pick(&below).id)
    }

    /// Some service of a lower layer, in half of all cases.
    pub(crate) fn pick_service(&self, random: &mut Random, layer: usize) -> Option<usize> {
        let below = self.targets.iter().filter(|target| target.layer < layer && target.service);
        let below: Vec<_> = below.collect();
        (!below.is_empty() && random.one_in(2)).then(|| random.pick(&below).id)
    }

    /// How many tasks, at random.
    pub(crate) fn random_each(&self, random: &mut Random, layer: usize) -> Each {
        match random.below(18) {
            0..4 => Each::Files((*random.pick(&["src/d0", "src/d1", "data"])).to_owned()),
            4 => Each::Matrix((0..=random.below(2)).map(|n| format!("m{n}")).collect()),
            5 => Each::Grid((0..=random.below(2)).map(|m| (m, random.below(2))).collect()),
            6 | 7 => self.pick_below(random, layer).map_or(Each::One, Each::Made),
            _ => Each::One,
        }
    }

    /// An input that is there, at random.
    pub(crate) fn random_input(&self, random: &mut Random, layer: usize) -> Option<Input> {
        Some(match random.below(9) {
            0 => Input::File(random.pick(&self.sources("data/")).clone()),
            1 => Input::Maybe(format!("data/maybe{}", random.below(2))),
            2 | 3 => Input::Glob {
                folder: (*random.pick(&["src", "src/d0", "src/d1", "data"])).to_owned(),
                deep: random.one_in(2),
                skip: random.one_in(3),
            },
            4 => Input::Made(self.pick_below(random, layer)?, random.below(2)),
            5 => Input::Layer(random.below(layer).min(layer.checked_sub(1)?)),
            6 => Input::Above,
            _ => Input::Of(self.pick_below(random, layer)?),
        })
    }
}

impl Target {
    /// Lets its items go to one process.
    fn go_together(&mut self, random: &mut Random) {
        self.batch = random.below(3) + 2;
        self.inputs.retain(|input| input.file().is_some());
        (self.depfile, self.served) = (false, None);
        if let Writes::Left(_) | Writes::Spread { .. } = self.writes {
            self.writes = Writes::InPlace(1);
        }
    }
}

/// Where to write, at random.
pub(crate) fn random_writes(random: &mut Random) -> Writes {
    let count = random.below(2) + 1;
    match random.below(10) {
        0..3 => Writes::Staged(count),
        3..6 => Writes::InPlace(count),
        6 | 7 => Writes::Left(count),
        8 => Writes::Spread { staged: random.one_in(2) },
        _ => Writes::Nothing,
    }
}

/// Environment files, mostly none.
pub(crate) fn random_dotenv(random: &mut Random) -> Vec<usize> {
    let wanted = random.one_in(4);
    [1, 0, 2].into_iter().filter(|_| random.one_in(2) && wanted).collect()
}

/// A condition, mostly none.
pub(crate) fn random_when(random: &mut Random) -> Option<When> {
    let when = match random.below(4) {
        0 => When::Var(random.below(3)),
        1 => When::Env(random.below(3)),
        _ => When::Item,
    };
    random.one_in(8).then_some(when)
}
