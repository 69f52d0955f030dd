//! Which fields a target has when defaults and templates lie below its own, and from where.

use super::*;

/// A target of a Taskfile, field by field: `inputs=a,b run=make`.
fn fields(text: &str, name: &str) -> String {
    let file = good(text);
    let target = &file.targets[name];
    let list = |texts: &[Text]| sources(texts).join(",");
    let vars = |var: &Var| list(var.texts());
    let table = |pairs: Vec<(&String, String)>| {
        pairs.iter().map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join(",")
    };
    let env = target.env.iter().map(|(name, (_, text))| (name, list(std::slice::from_ref(text))));
    let matrix = target.matrix.iter().map(|(name, (_, texts))| (name, list(texts)));
    let command = target.command.as_ref().map(|command| match command {
        Command::Shell(texts) => format!("run={}", list(texts)),
        Command::Exec(texts) => format!("exec={}", list(texts)),
    });
    let said = |name: &str, value: Option<String>| value.map(|value| format!("{name}={value}"));
    let some = |name: &str, value: String| said(name, Some(value).filter(|text| !text.is_empty()));
    let parts = [
        said("doc", target.doc.clone()),
        said("inputs", target.inputs.as_deref().map(list)),
        said("outputs", target.outputs.as_deref().map(list)),
        some("deps", list(&target.deps)),
        some("after", list(&target.after)),
        command,
        said("shell", target.shell.as_deref().map(list)),
        some("vars", table(target.vars.iter().map(|(name, var)| (name, vars(var))).collect())),
        some("env", table(env.collect())),
        some("matrix", table(matrix.collect())),
        target.always.then(|| "always".to_owned()),
        said("cache", target.policy.cache.map(|cache| cache.to_string())),
        said("max_age", target.policy.max_age.as_ref().map(|age| age.written.text.clone())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[test]
fn lists_are_appended_tables_merged_and_all_else_replaced() {
    let text = r#"
[defaults]
inputs = ["d"]
env    = { A = "d", B = "d" }
vars   = { x = "d", l = ["d"] }
shell  = ["bash", "-c"]
cache  = false

[template.t]
doc    = "from t"
inputs = ["t"]
env    = { B = "t", C = "t" }
vars   = { x = "t" }
run    = "t"
cache  = true

[template.u]
doc    = "from u"
inputs = ["u"]
exec   = ["u"]
always = true

[target.plain]
inputs = []
use    = "t"

[target.own]
doc    = "mine"
inputs = ["o"]
env    = { C = "o" }
vars   = { l = ["o", "p"] }
exec   = ["o"]
use    = "t"

[target.both]
use    = ["t", "u"]
shell  = ["sh", "-c"]
always = false

[target.alone]
use     = ["u"]
inherit = false
"#;
    for (target, expected) in [
        (
            "plain",
            "doc=from t inputs=d,t run=t shell=bash,-c vars=x:t,l:d env=A:d,B:t,C:t cache=true",
        ),
        (
            "own",
            "doc=mine inputs=d,t,o exec=o shell=bash,-c vars=x:t,l:o,p env=A:d,B:t,C:o cache=true",
        ),
        (
            "both",
            "doc=from u inputs=d,t,u exec=u shell=sh,-c vars=x:t,l:d env=A:d,B:t,C:t cache=true",
        ),
        ("alone", "doc=from u inputs=u exec=u always"),
    ] {
        assert_eq!(fields(text, target), expected, "{target}");
    }
}

#[test]
fn templates_use_templates_each_once() {
    let text = r#"
[template.base]
inputs = ["base"]
run = "base"
[template.left]
use = "base"
inputs = ["left"]
[template.right]
use = "base"
inputs = ["right"]
run = "right"
inherit = false
[defaults]
env = { A = "d" }
[target.t]
use = ["left", "right"]
inputs = ["own"]
[target.u]
use = ["left", "right"]
inherit = true
"#;
    assert_eq!(fields(text, "t"), "inputs=base,left,right,own run=right");
    assert_eq!(fields(text, "u"), "inputs=base,left,right run=right env=A:d");
}

#[test]
fn defaults_never_make_a_target_recorded() {
    let text = r#"
[defaults]
inputs  = ["toolchain"]
outputs = ["{{ name }}.log"]
max_age = "7d"
env     = { A = "d" }
deps    = ["setup"]
after   = ["late"]
shell   = ["bash", "-c"]

[template.t]
outputs = ["x"]
run     = "make"

[target]
text   = "make"
none   = { run = "make" }
empty  = { inputs = [], run = "make" }
out    = { outputs = ["o"], run = "make" }
used   = { use = "t" }
stamp  = { run = "make {{ depfile }}" }
each   = { foreach = ["src/*.c"], run = "make {{ item }}" }
words  = { foreach = ["a", "b"], run = "make {{ item }}" }
group  = { deps = ["text"] }
always = { inputs = [], always = true, run = "make" }
setup  = { inputs = ["s"], deps = ["first"], run = "make" }
first  = { inputs = ["@second:x"], run = "make" }
second = { outputs = ["y"], run = "make" }
late   = { inputs = [], run = "make" }
"#;
    let rest = "shell=bash,-c env=A:d";
    let ordered = format!("deps=setup after=late run=make {rest}");
    for (target, expected) in [
        ("text", ordered.clone()),
        ("none", ordered.clone()),
        ("empty", format!("inputs=toolchain outputs={{{{ name }}}}.log {ordered} max_age=7d")),
        ("out", format!("inputs=toolchain outputs={{{{ name }}}}.log,o {ordered} max_age=7d")),
        ("used", format!("inputs=toolchain outputs={{{{ name }}}}.log,x {ordered} max_age=7d")),
        ("group", "deps=setup,text after=late".to_owned()),
        ("always", format!("inputs=toolchain outputs={{{{ name }}}}.log {ordered} always")),
        (
            "setup",
            format!("inputs=s outputs={{{{ name }}}}.log deps=first run=make {rest} max_age=7d"),
        ),
        ("second", format!("outputs={{{{ name }}}}.log,y run=make {rest} max_age=7d")),
        ("late", format!("inputs= outputs={{{{ name }}}}.log run=make {rest} max_age=7d")),
    ] {
        assert_eq!(fields(text, target), expected, "{target}");
    }
    for (target, takes) in [("stamp", true), ("each", true), ("words", false)] {
        assert_eq!(fields(text, target).starts_with("inputs=toolchain"), takes, "{target}");
    }
}

/// Whoever adds a field says how it merges; here, that it does.
#[test]
fn every_field_comes_from_a_template() {
    const OWN: [&str; 2] = ["use", "inherit"];
    /// Fields that are refused without another.
    const WITH: [(&str, &str); 9] = [
        ("batch", "foreach = [\"src/*.c\"]"),
        ("require", "matrix = { os = [\"a\", \"b\"] }"),
        ("service", "ready = { port = 5432 }"),
        ("ready", "service = true"),
        ("stop", "service = true\nready = { port = 5432 }"),
        ("restart", "service = true\nready = { port = 5432 }"),
        ("restage", "fixes_inputs = true\ninputs = [\"src/**\"]"),
        ("fixes_inputs", "inputs = [\"src/**\"]"),
        ("keep_outputs", "outputs = [\"build/**\"]"),
    ];
    for field in FIELDS.iter().filter(|field| !OWN.contains(&field.name)) {
        let with = WITH.iter().find(|(name, _)| *name == field.name).map_or("", |(_, with)| with);
        let command = if matches!(field.name, "run" | "exec") { "" } else { "run = \"make\"" };
        let text = format!(
            "[target.t]\nuse = \"x\"\n[template.x]\n{}\n{with}\n{command}\n",
            field.example
        );
        let merged = good(&text).targets["t"].clone();
        assert!(merged.has(field.name), "{text}");
        let place = merged.place_of(field.name);
        assert_eq!((place.text(), place.line()), (field.name, 4), "{text}");
        assert_eq!(merged.layer_of(place).map(|layer| &*layer.header), Some("[template.x]"));
        let alone = text.replace("use = \"x\"", "").replace("[template.x]", "");
        let alone = format!("{:?}", good(&alone).targets["t"]);
        let values = |debug: &str| -> usize {
            let (fields, _) = debug.split_once(", uses: ").expect("the fields, then the rest");
            fields.matches("None").count()
                + fields.matches("[]").count()
                + fields.matches("false").count()
        };
        assert_eq!(values(&format!("{merged:?}")), values(&alone), "{text}");
    }
}

#[test]
fn what_the_defaults_lead_to_takes_nothing_that_would_be_a_circle() {
    let text = r#"
[defaults]
inputs = ["conf/all.h", "?maybe"]
after  = ["first"]

[target]
header = { outputs = ["conf"], inputs = ["//tool/x.y"], run = "make" }
tool   = { dir = "tool", outputs = ["x.y"], deps = ["zero"], run = "make" }
zero   = { inputs = [], run = "make" }
maybe  = { outputs = ["maybe"], run = "make" }
first  = { inputs = ["@other@a=b:*.h"], run = "make" }
other  = { inputs = [], run = "make" }
free   = { inputs = ["own"], run = "make" }
"#;
    for reached in ["header", "tool", "zero", "maybe", "first", "other"] {
        assert!(!fields(text, reached).contains("conf/all.h"), "{reached}");
        assert!(!fields(text, reached).contains("after="), "{reached}");
    }
    assert_eq!(fields(text, "free"), "inputs=conf/all.h,?maybe,own after=first run=make");
}

#[test]
fn named_lists_of_inputs_merge_by_name() {
    let text = r#"
[defaults]
inputs = ["d"]
[template.t]
inputs = { src = ["t.c"], doc = "t.md" }
env_file = "t.env"
tools = ["t"]
matrix = { os = ["a", "b"], exclude = [{ os = "b" }] }
when = "os == 'x'"
[target.a]
use = "t"
inputs = { img = "a.png", src = ["a.c"] }
env_file = "a.env"
tools = ["a"]
when = "true"
run = "make {{ inputs.src }} {{ matrix.os }}"
[target.plain]
use = "t"
inputs = ["p"]
run = "make"
"#;
    let file = good(text);
    let of = |name: &str| {
        let target = &file.targets[name];
        let inputs = sources(target.inputs.as_deref().expect("inputs"));
        let parts = target.reads.parts.iter();
        let parts =
            parts.map(|(word, range)| format!("{}={}", word.text, inputs[range.clone()].join(",")));
        let plain = target.plain_inputs().map(|range| inputs[range].join(","));
        plain.into_iter().chain(parts).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of("a"), "d src=t.c,a.c doc=t.md img=a.png");
    assert_eq!(of("plain"), "d,p src=t.c doc=t.md");
    let a = &file.targets["a"];
    assert_eq!(sources(&a.reads.env_files), ["t.env", "a.env"]);
    assert_eq!(sources(&a.reads.tools), ["t", "a"]);
    assert_eq!((a.exclude.len(), a.when.as_ref().expect("when").template.source()), (1, "true"));
}

#[test]
fn services_and_groups_take_only_what_has_sense_for_them() {
    let text = r#"
[defaults]
cache   = false
timeout = "5m"
retry   = 2
require = "80%"
pool    = ["net", "disk"]
inputs  = ["d"]
[pool.net]
slots = 1
[pool.disk]
slots = 3
[target.db]
service = true
ready   = { port = 5432 }
run     = "db"
[target.many]
matrix = { n = ["1", "2"] }
pool   = { disk = 2 }
run    = "make"
[target.one]
inputs = []
run    = "make"
[target.group]
deps = ["one"]
"#;
    let file = good(text);
    let (db, many, one) = (&file.targets["db"], &file.targets["many"], &file.targets["one"]);
    assert!(!db.has("cache") && !db.has("timeout") && !db.has("inputs"), "{db:?}");
    let pools = |target: &Target| {
        let pools = target.schedule.pools.iter();
        pools.map(|(name, cost)| format!("{}={cost}", name.text)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((pools(many), pools(one)), ("net=1 disk=2".to_owned(), "net=1 disk=1".to_owned()));
    assert!(many.has("require") && !one.has("require") && one.has("retry"));
    assert!(file.targets["group"].schedule.timeout.is_none());
}
