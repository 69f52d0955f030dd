//! What expressions see, written and read. The machine is not written: it is the one that reads.

use std::sync::Arc;

use taskr_cache::{Coded, In, Out, many, put_many};

use super::super::scope::{Item, Own, Package, Scope, Variable, Variables};
use super::Around;

impl Coded for Variable {
    fn put(&self, out: &mut Out) {
        out.number(match self {
            Variable::One(_) => 0,
            Variable::List(_) => 1,
            Variable::Sh(_) => 2,
        });
        match self {
            Variable::One(text) | Variable::Sh(text) => text.put(out),
            Variable::List(texts) => put_many(out, texts),
        }
    }

    fn get(from: &mut In<'_>) -> Option<Variable> {
        Some(match from.number()? {
            0 => Variable::One(Coded::get(from)?),
            1 => Variable::List(many(from)?),
            2 => Variable::Sh(Coded::get(from)?),
            _ => return None,
        })
    }
}

impl Coded for Variables {
    fn put(&self, out: &mut Out) {
        out.number(self.0.len() as u64);
        for (name, variable) in &self.0 {
            name.put(out);
            variable.put(out);
        }
    }

    fn get(from: &mut In<'_>) -> Option<Variables> {
        many(from).map(Variables)
    }
}

impl Coded for Package {
    fn put(&self, out: &mut Out) {
        let Package { name, dir } = self;
        name.put(out);
        dir.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Package> {
        Some(Package { name: Coded::get(from)?, dir: Coded::get(from)? })
    }
}

impl Coded for Item {
    fn put(&self, out: &mut Out) {
        let Item { written, rel, file } = self;
        written.put(out);
        rel.put(out);
        file.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Item> {
        Some(Item { written: Coded::get(from)?, rel: Coded::get(from)?, file: Coded::get(from)? })
    }
}

impl Coded for Own {
    fn put(&self, out: &mut Out) {
        let Own { dir, out: staged, state, depfile } = self;
        dir.put(out);
        staged.put(out);
        state.put(out);
        depfile.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Own> {
        Some(Own {
            dir: Coded::get(from)?,
            out: Coded::get(from)?,
            state: Coded::get(from)?,
            depfile: Coded::get(from)?,
        })
    }
}

impl Coded for Scope {
    fn put(&self, out: &mut Out) {
        let Scope {
            surroundings,
            variables,
            target,
            item,
            matrix,
            own,
            args,
            asks: _,
            package,
            tied,
        } = self;
        surroundings.profile.put(out);
        out.shared(variables);
        out.bytes(target.as_bytes());
        item.is_some().put(out);
        if let Some(item) = item {
            item.put(out);
        }
        put_many(out, &**matrix);
        own.put(out);
        args.is_some().put(out);
        if let Some(args) = args {
            put_many(out, &**args);
        }
        out.shared(package);
        tied.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Scope> {
        let profile = String::get(from)?;
        let around: &Around = from.with()?;
        Some(Scope {
            surroundings: around.in_profile(&profile),
            variables: from.shared()?,
            target: String::get(from)?.into(),
            item: Option::<Item>::get(from)?.map(Arc::new),
            matrix: many::<(String, String), Vec<_>>(from)?.into(),
            own: Arc::new(Coded::get(from)?),
            args: match bool::get(from)? {
                true => Some(many::<String, Vec<_>>(from)?.into()),
                false => None,
            },
            asks: Arc::default(),
            package: from.shared()?,
            tied: Coded::get(from)?,
        })
    }
}
