//! From the values of a template's expressions to text, to words, to the text of a shell.

use super::code::Code;
use super::value::{Verbatim, kind_name, list, scalar};
use super::{Expr, ExprError, Part, Problem, Scope, Template, Value, shell};

/// What one expression gave.
enum Gave {
    One(String),
    Many(Vec<String>),
}

/// What becomes of each value before it stands in the text.
type Escape<'a> = dyn Fn(String) -> String + 'a;

pub(super) fn text(
    template: &Template,
    scope: &Scope,
    escape: &Escape<'_>,
) -> Result<String, ExprError> {
    let source = template.source();
    let mut out = String::with_capacity(source.len());
    for part in &template.0.parts {
        match part {
            Part::Text(range) => out.push_str(&source[range.clone()]),
            Part::Expr(Expr { code, .. }) => {
                let (gave, _) = gave(code, scope)?;
                out.push_str(&escape(one(gave, code, source)?));
            }
        }
    }
    Ok(out)
}

pub(super) fn words(
    template: &Template,
    scope: &Scope,
    escape: &Escape<'_>,
) -> Result<Vec<String>, ExprError> {
    match &template.0.parts[..] {
        [Part::Expr(Expr { code, .. })] => Ok(match gave(code, scope)?.0 {
            Gave::One(word) => vec![escape(word)],
            Gave::Many(words) => words.into_iter().map(escape).collect(),
        }),
        _ => Ok(vec![text(template, scope, escape)?]),
    }
}

/// The value of a template that is one expression, else its text.
pub(super) fn value(template: &Template, scope: &Scope) -> Result<Value, ExprError> {
    match &template.0.parts[..] {
        [Part::Expr(Expr { code, .. })] => code.eval(scope),
        _ => text(template, scope, &|text| text).map(Value::from),
    }
}

pub(super) fn shell(template: &Template, scope: &Scope) -> Result<String, ExprError> {
    let source = template.source();
    let parts = &template.0.parts;
    let mut out = String::with_capacity(source.len());
    for (at, part) in parts.iter().enumerate() {
        let code = match part {
            Part::Text(range) => {
                out.push_str(&source[range.clone()]);
                continue;
            }
            Part::Expr(Expr { code, .. }) => code,
        };
        let follows = match parts.get(at + 1) {
            None => shell::Follows::End,
            Some(Part::Text(range)) => shell::Follows::Byte(source.as_bytes()[range.start]),
            Some(Part::Expr(_)) => shell::Follows::Value,
        };
        let (gave, verbatim) = gave(code, scope)?;
        let words = match gave {
            Gave::One(word) => vec![word],
            Gave::Many(words) => words,
        };
        if verbatim {
            out.push_str(&words.join(" "));
        } else {
            shell::push_words(&mut out, &words, follows);
        }
    }
    Ok(out)
}

/// The words of an expression's value, and whether a shell takes them as they are.
fn gave(code: &Code, scope: &Scope) -> Result<(Gave, bool), ExprError> {
    let value = code.eval(scope)?;
    let (value, verbatim) = match value.downcast_object_ref::<Verbatim>() {
        Some(Verbatim(value)) => (value, true),
        None => (&value, false),
    };
    let gave = match list(value) {
        Some(elements) => {
            elements.map(|value| word(&value)).collect::<Result<_, _>>().map(Gave::Many)
        }
        None => word(value).map(Gave::One),
    };
    gave.map(|gave| (gave, verbatim)).map_err(|problem| problem.at(code.range.clone()))
}

/// One value as a word.
fn word(value: &Value) -> Result<String, Problem> {
    let inner = value.downcast_object_ref::<Verbatim>().map_or(value, |verbatim| &verbatim.0);
    let Some(text) = scalar(inner) else {
        let problem = Problem::new(format!("{} cannot be a word", kind_name(inner)));
        return Err(match kind_name(inner) {
            "a table" => problem.help("name one of its entries: `{{ table.entry }}`"),
            "a function" => problem.help("call it: `{{ function('argument') }}`"),
            _ => problem,
        });
    };
    if text.contains('\0') {
        return Err(Problem::new("this value has a NUL byte, which no argument or path can hold"));
    }
    Ok(text)
}

/// The one word where a list has no place.
fn one(gave: Gave, code: &Code, source: &str) -> Result<String, ExprError> {
    let mut words = match gave {
        Gave::One(word) => return Ok(word),
        Gave::Many(words) => words,
    };
    if words.len() == 1 {
        return Ok(words.swap_remove(0));
    }
    let expression = &source[code.range.clone()];
    let message = match words.len() {
        0 => "this list is empty where one word is needed".to_owned(),
        count => format!("this is a list of {count} words where one is needed"),
    };
    let problem =
        Problem::new(message).help(format!("join it: `{{{{ {expression} | join(' ') }}}}`"));
    Err(problem.at(code.range.clone()))
}
