//! One expression: what it reads, found by its tokens, and its evaluation by minijinja.
//!
//! Each path that an expression reads (`cc`, `matrix.os`) is a *slot*. The engine sees numbered
//! variables in their place, `v0`, `v1`, …: names, attributes and what is undefined are decided
//! here, with the exact place, and an item that is compared or filtered is a string like any
//! other. An expression that is no more than a path needs no engine.

mod scan;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use minijinja::value::Object;
use minijinja::{Error, ErrorKind, Expression};

use super::value::{ENGINE, ITEM_FIELDS, Item};
use super::{Call, ExprError, Name, Problem, Scope, Value};
use scan::{Scan, Slot};

/// A parsed expression.
pub(super) struct Code {
    /// The expression without braces and the blanks around it: bytes within the source.
    pub(super) range: Range<usize>,
    /// Whether its result surely went through `| raw`.
    pub(super) raw: bool,
    /// Names that it calls with one text.
    pub(super) calls: Vec<Call>,
    slots: Box<[Slot]>,
    program: Program,
}

enum Program {
    /// The expression is its only slot.
    Path,
    /// For the engine, with `vN` for slot N. Compiled anew for each evaluation: that takes
    /// 0.3 µs, and what the compiler gives takes up kilobytes.
    Engine(Box<str>),
}

impl Code {
    /// Parses what stands between the braces of `source` at `inner`.
    pub(super) fn parse(source: &str, inner: Range<usize>) -> Result<Code, ExprError> {
        let text = source[inner.clone()].trim();
        if text.is_empty() {
            let problem = Problem::new("there is no expression between the braces")
                .help("`{{ '{{' }}` gives two braces as text");
            return Err(
                problem.at(inner.start.saturating_sub(2)..(inner.end + 2).min(source.len()))
            );
        }
        let start = inner.end - source[inner.clone()].trim_start().len();
        let range = start..start + text.len();
        check_form(&source[inner]).map_err(|problem| problem.at(range.clone()))?;
        let Scan { slots, calls, code, raw } = scan::scan(source, range.clone())?;
        let program = match &slots[..] {
            [slot] if slot.range == range => Program::Path,
            _ => Program::Engine(code.into()),
        };
        if let Program::Engine(code) = &program {
            compile(code).map_err(|problem| problem.at(range.clone()))?;
        }
        Ok(Code { range, raw, calls, slots: slots.into_boxed_slice(), program })
    }

    /// The names that it reads, each once.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        self.slots.iter().map(|slot| Name { path: slot.path(), range: slot.range.clone() })
    }

    /// The expression's value, which is neither undefined nor none.
    pub(super) fn eval(&self, scope: &Scope) -> Result<Value, ExprError> {
        let value = match &self.program {
            Program::Path => match resolve(&self.slots[0], scope)? {
                value if value.is_undefined() => return Err(not_defined(&self.slots[0])),
                value => value,
            },
            Program::Engine(code) => self.run(code, scope)?,
        };
        if value.is_none() { Err(self.gives("none")) } else { Ok(value) }
    }

    /// Evaluates by the engine. A slot is filled when the engine first comes to it; then the
    /// evaluation, which has no effects, begins anew.
    fn run(&self, code: &str, scope: &Scope) -> Result<Value, ExprError> {
        let expression = compile(code).map_err(|problem| problem.at(self.range.clone()))?;
        let frame = Arc::new(Frame::new(self.slots.len()));
        loop {
            let result = expression.eval(Value::from_dyn_object(frame.clone()));
            let wanted = frame.wanted.swap(NO_SLOT, Ordering::Relaxed);
            if wanted != NO_SLOT {
                let _ = frame.values[wanted].set(resolve(&self.slots[wanted], scope)?);
                continue;
            }
            return match result {
                Ok(value) if !value.is_undefined() => Ok(value),
                failure => Err(match (self.undefined(&frame), failure) {
                    (Some(slot), _) => not_defined(slot),
                    (None, Ok(_)) => self.gives("nothing"),
                    (None, Err(error)) => failed(&error).at(self.range.clone()),
                }),
            };
        }
    }

    /// The slot to blame when something was undefined: the first that the engine used and of
    /// which the expression does not say itself that it may be undefined.
    fn undefined(&self, frame: &Frame) -> Option<&Slot> {
        let mut slots = self.slots.iter().zip(&frame.values);
        let blame = slots.find(|(slot, value)| {
            !slot.may_be_undefined && value.get().is_some_and(Value::is_undefined)
        });
        blame.map(|(slot, _)| slot)
    }

    fn gives(&self, what: &str) -> ExprError {
        Problem::new(format!("this expression gives {what}"))
            .help("`{{ … | default('text') }}` gives another value then")
            .at(self.range.clone())
    }
}

/// The value of a slot: undefined where the name or its last attribute is not there.
fn resolve(slot: &Slot, scope: &Scope) -> Result<Value, ExprError> {
    let refused = |problem: Problem| problem.at(slot.range.clone());
    let mut value = scope(&slot.root).map_err(refused)?.unwrap_or(Value::UNDEFINED);
    for (depth, key) in slot.keys.iter().enumerate() {
        if value.is_undefined() {
            return Err(not_defined(&slot.shortened(depth)));
        }
        let inner = value.get_attr(key).map_err(|error| refused(failed(&error)))?;
        if inner.is_undefined() && value.downcast_object_ref::<Item>().is_some() {
            let help = format!("a file has {}", ITEM_FIELDS.join(", "));
            return Err(refused(Problem::new(format!("a file has no `{key}`")).help(help)));
        }
        value = inner;
    }
    Ok(match value.downcast_object_ref::<Item>() {
        Some(item) => Value::from(&item.path),
        None => value,
    })
}

/// What the engine reads its variables from.
#[derive(Debug)]
struct Frame {
    values: Vec<OnceLock<Value>>,
    /// The slot that was asked for before it was there.
    wanted: AtomicUsize,
}

const NO_SLOT: usize = usize::MAX;

impl Frame {
    fn new(slots: usize) -> Frame {
        let values = (0..slots).map(|_| OnceLock::new()).collect();
        Frame { values, wanted: AtomicUsize::new(NO_SLOT) }
    }
}

impl Object for Frame {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let slot = key.as_str()?.strip_prefix('v')?.parse::<usize>().ok()?;
        let value = self.values.get(slot)?.get().cloned();
        Some(value.unwrap_or_else(|| {
            self.wanted.store(slot, Ordering::Relaxed);
            Value::from(Error::new(ErrorKind::UndefinedError, "asked for"))
        }))
    }
}

/// Refuses what reads as Jinja or Go and would mean something else here.
fn check_form(inner: &str) -> Result<(), Problem> {
    if inner.starts_with('-') || inner.ends_with('-') {
        return Err(Problem::new("`{{-` and `-}}` do not trim blanks here")
            .help("write `{{ … }}`; a negative number has a space before it: `{{ -1 }}`"));
    }
    if inner.trim_start().starts_with('.') {
        return Err(Problem::new("an expression cannot begin with a dot").help(
            "a template of docker or Go is left alone if no space follows `{{`: `{{.Name}}`",
        ));
    }
    Ok(())
}

fn not_defined(slot: &Slot) -> ExprError {
    let path = slot.path();
    let problem = match (slot.root.as_str(), &slot.keys[..]) {
        ("env", [name]) => Problem::new(format!("the environment variable `{name}` is not set"))
            .help(format!("write `{{{{ {path} | default('') }}}}` if it may be unset")),
        _ => Problem::new(format!("`{path}` is not defined")),
    };
    problem.at(slot.range.clone())
}

fn compile(code: &str) -> Result<Expression<'_, '_>, Problem> {
    let expression = ENGINE.compile_expression(code);
    expression
        .map_err(|error| Problem::new(format!("this is not an expression: {}", detail(&error))))
}

fn failed(error: &Error) -> Problem {
    let problem = Problem::new(format!("this expression fails: {}", detail(error)));
    match error.kind() {
        ErrorKind::UnknownMethod => problem.help("use a filter: `{{ name | upper }}`"),
        _ => problem,
    }
}

/// What the engine says, without its words for the kind of error where there are better ones.
fn detail(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}
