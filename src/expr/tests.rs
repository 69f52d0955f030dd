//! Templates as a Taskfile uses them: what they read, what they give, what they are refused for.

use super::*;

/// The names that every test knows.
fn scope(name: &str) -> Result<Option<Value>, Problem> {
    let words = |words: &[&str]| words_value(words.iter().map(|word| (*word).into()).collect());
    Ok(Some(match name {
        "cc" => Value::from("cc"),
        "cflags" => words(&["-O2", "-Wall"]),
        "one" => words(&["only"]),
        "empty" => words(&[]),
        "hostile" => words(&["a b.c", "it's", "$(id)"]),
        "jobs" => Value::from(8),
        "ratio" => Value::from(2.5),
        "ci" => Value::from(true),
        "nothing" => Value::from(()),
        "nul" => Value::from("a\0b"),
        "item" => item_value("src/net/a.c", "net/a.c"),
        "items" => Value::from(vec![item_value("src/a.c", "a.c"), item_value("src/b.c", "b.c")]),
        "env" => map_value([("HOME".to_owned(), Value::from("/home/me"))]),
        "target" => Value::from_function(|name: String| {
            map_value([("out".to_owned(), Value::from(format!("out/{name}")))])
        }),
        "cycle" => return Err(Problem::new("`cycle` needs itself").help("break it")),
        _ => return Ok(None),
    }))
}

fn parse(source: &str) -> Template {
    Template::parse(source).unwrap_or_else(|error| panic!("{source}: {error:?}"))
}

/// What is wrong with `source`: the text under the caret, and the message.
fn wrong<T: fmt::Debug>(source: &str, result: Result<T, ExprError>) -> (String, String) {
    let error = result.expect_err(source);
    (source[error.range].to_owned(), error.message)
}

#[test]
fn text() {
    for (source, expected) in [
        ("", ""),
        ("plain {% if %} {# x #} }} {", "plain {% if %} {# x #} }} {"),
        ("{{ cc }}", "cc"),
        ("{{cc}}-{{ cc }}", "cc-cc"),
        ("{{\n  cc\n}}", "cc"),
        ("a {{ jobs }} {{ ratio }} {{ ci }} {{ not ci }}", "a 8 2.5 true false"),
        (
            "{{ jobs + 1 }} {{ -1 }} {{ 1.0 }} {{ 0x1f }} {{ 1_000 }} {{ 1e3 }}",
            "9 -1 1.0 31 1000 1000.0",
        ),
        ("{{ '{{' }}x{{ '}}' }}", "{{x}}"),
        ("docker {{.Name}} {{.A}}{{ cc }}", "docker {{.Name}} {{.A}}cc"),
        ("{{ {'a': {'b': 'deep'}}.a.b }}", "deep"),
        ("{{ {'a': {'b': 'deep'}}['a']['b']}}}", "deep}"),
        (r#"{{ "a\"}}" }}"#, "a\"}}"),
        ("{{ one }}", "only"),
        ("{{ cflags | join(' ') }}", "-O2 -Wall"),
        ("{{ cflags[0] }} {{ cflags.1 }} {{ cflags[1:] }}", "-O2 -Wall -Wall"),
        ("{{ cflags | length }}", "2"),
        (
            "{{ env.HOME }} {{ env['HOME'] }} {{ env [ \"HOME\" ] }} {{ env . HOME }}",
            "/home/me /home/me /home/me /home/me",
        ),
        ("{{ env.NONE | default('auto') }} {{ env['NONE'] | d('auto') }}", "auto auto"),
        ("{{ unknown | default('x') }}", "x"),
        ("{{ 'yes' if unknown is defined else 'no' }}", "no"),
        ("{{ 'yes' if env.NONE is not defined else env.NONE }}", "yes"),
        ("{{ cc if ci else unknown }}", "cc"),
        ("{{ ci or cycle }}", "true"),
        (
            "{{ item }} {{ item.stem }} {{ item.name }} {{ item.dir }} {{ item.ext }} {{ item.rel }}",
            "src/net/a.c a a.c src/net c net/a.c",
        ),
        ("{{ item | replace('src/', 'out/') }} {{ item | upper }}", "out/net/a.c SRC/NET/A.C"),
        ("{{ item == 'src/net/a.c' and item.stem == 'a' }}", "true"),
        ("{{ (item | split('/'))[1] }} {{ item[:3] }}", "net src"),
        ("{{ item is endingwith('.c') }} {{ item ~ '.o' }}", "true src/net/a.c.o"),
        ("{{ item | stem }} {{ item | dir | name }}", "a net"),
        ("{{ items | join(',') }} {{ items | stem | join(',') }}", "src/a.c,src/b.c a,b"),
        ("{{ items[1].rel }} {{ items | map(attribute='stem') | join }}", "b.c ab"),
        ("{{ target('obj').out }}", "out/obj"),
        ("{{ 'a b' | quote }} {{ cflags | quote }}", "'a b' '-O2' '-Wall'"),
        ("{{ cc | raw | upper }}", "CC"),
        ("é {{ 'ü' }} ß", "é ü ß"),
    ] {
        assert_eq!(parse(source).text(&scope).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn words() {
    for (source, expected) in [
        ("{{ cflags }}", &["-O2", "-Wall"][..]),
        ("{{ empty }}", &[]),
        ("{{ '' }}", &[""]),
        ("{{ cc }}", &["cc"]),
        ("{{ 'a b' }}", &["a b"]),
        ("{{ cflags + ['x y'] }}", &["-O2", "-Wall", "x y"]),
        ("{{ cflags | raw }}", &["-O2", "-Wall"]),
        ("{{ items }}", &["src/a.c", "src/b.c"]),
        ("-I{{ one }}", &["-Ionly"]),
        (" {{ cc }}", &[" cc"]),
        ("", &[""]),
    ] {
        let expected = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(parse(source).words(&scope), Ok(expected), "{source}");
    }
}

#[test]
fn shell_quotes_only_where_it_must() {
    for (source, expected) in [
        ("{{ cc }} {{ cflags }} -o {{ item.stem }}.o", "cc -O2 -Wall -o a.o"),
        ("x {{ hostile }} y", r"x 'a b.c' 'it'\''s' '$(id)' y"),
        ("x {{ empty }} y{{ '' }}", "x  y''"),
        ("cat {{ item }}>{{ item.stem }}", "cat 'src/net/a.c'>'a'"),
        ("-I{{ item.dir }} lib{{ cc }}.a; {{ cc }}", "-Isrc/net libcc.a; cc"),
        ("{{ cc }}={{ cc }} {{ '--a=b' }} {{ 'a=b' }}", "'cc'=cc --a=b 'a=b'"),
        ("$A{{ cc }} 1{{ jobs }}>x {{ cc }}()", "$A'cc' 1'8'>x 'cc'()"),
        ("{{ 'if' }} i{{ 'f' }} {{ 'i' }}f {{ 'i' }}{{ 'f' }}", "'if' i'f' 'i'f 'i''f'"),
        ("a\\\n{{ cc }}", "a\\\n'cc'"),
        ("{{ '~' }} {{ '-n' }} {{ '*' }} {{ 'é' }} {{ '#' }}", "'~' -n '*' 'é' '#'"),
        ("{{ 'a  b' | raw }} {{ hostile | raw }}", "a  b a b.c it's $(id)"),
        ("{{ hostile | quote }} {{ cc | quote | raw }}", r"'a b.c' 'it'\''s' '$(id)' 'cc'"),
        ("{{ (hostile[2] if ci else cc) | raw }}", "$(id)"),
        ("awk '{print $1}' {{ item }}", "awk '{print $1}' src/net/a.c"),
    ] {
        assert_eq!(parse(source).shell(&scope).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn errors_of_syntax_have_their_place() {
    let many = format!("{{{{ {} }}}}", vec!["1"; 600].join("+"));
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(400), ")".repeat(400));
    for (source, place, message) in [
        ("a {{ cc", "{{", "the expression that begins here is never closed by `}}`"),
        ("a {{ 'cc }}", "{{", "the expression that begins here has a string that is never closed"),
        ("a {{ }} b", "{{ }}", "there is no expression between the braces"),
        ("a {{}} b", "{{}}", "there is no expression between the braces"),
        ("a {{- cc }}", "- cc", "`{{-` and `-}}` do not trim blanks here"),
        ("a {{ cc -}}", "cc -", "`{{-` and `-}}` do not trim blanks here"),
        ("{{ .Name }}", ".Name", "an expression cannot begin with a dot"),
        ("{{ cc ; cc }}", ";", "`;` has no meaning in an expression"),
        ("{{ cc }}{{ é }}", "é", "`é` has no meaning in an expression"),
        ("{{ a | nofilter }}", "nofilter", "there is no filter `nofilter`"),
        ("{{ a is notest }}", "notest", "there is no test `notest`"),
        ("{{ a is not notest }}", "notest", "there is no test `notest`"),
        ("{{ a | escape }}", "escape", "there is no filter `escape`"),
        (
            "x {{ cc cflags }} y",
            "cc cflags",
            "this is not an expression: unexpected input after expression",
        ),
        (
            "{{ cc | }}",
            "cc |",
            "this is not an expression: unexpected end of input, expected identifier",
        ),
        ("{{ (cc }}", "(cc", "this is not an expression: unexpected end of input, expected `)`"),
        (&many, &many[3..many.len() - 3], "an expression can have up to 1000 words and signs"),
        (
            &deep,
            &deep[3..deep.len() - 3],
            "this is not an expression: template exceeds maximum recursion limits",
        ),
    ] {
        let (found, said) = wrong(source, Template::parse(source));
        assert_eq!((&*found, &*said), (place, message), "{source}");
    }
}

#[test]
fn longest_expressions_do_not_overflow_the_stack() {
    for (open, part, parts, close) in [
        ("1", "+1", 499, ""),
        ("", "not ", 999, "ci"),
        ("", "- ", 999, "1"),
        ("cc", "|upper", 499, ""),
        ("cc", "[0]", 333, ""),
        ("cc", " if ci else cc", 249, ""),
        ("cc", " if ci", 499, ""),
        ("", "(", 70, &format!("cc{}", ")".repeat(70))),
    ] {
        let source = format!("{{{{ {open}{}{close} }}}}", part.repeat(parts));
        let template = parse(&source);
        let _ = template.text(&scope);
        assert_eq!(template.names().is_empty(), !source.contains('c'), "{part}");
    }
}

#[test]
fn errors_of_values_have_their_place() {
    for (source, place, message) in [
        ("-x {{ cflag }} y", "cflag", "`cflag` is not defined"),
        ("{{ cflag | upper }}", "cflag", "`cflag` is not defined"),
        ("{{ cc ~ cflag }}", "cflag", "`cflag` is not defined"),
        ("{{ (a | default('x')) ~ cflag }}", "cflag", "`cflag` is not defined"),
        ("{{ cflag ~ (a | default('x')) }}", "cflag", "`cflag` is not defined"),
        ("{{ env.NONE }}", "env.NONE", "the environment variable `NONE` is not set"),
        ("{{ cc ~ env.NONE }}", "env.NONE", "the environment variable `NONE` is not set"),
        (
            "{{ env.NONE.more | default(1) }}",
            "env.NONE.more",
            "the environment variable `NONE` is not set",
        ),
        ("{{ env['NONE'] | raw }}", "env['NONE']", "the environment variable `NONE` is not set"),
        ("{{ nope | stem }}", "nope", "`nope` is not defined"),
        ("{{ nope | quote }}", "nope", "`nope` is not defined"),
        ("{{ nope('x') }}", "nope", "`nope` is not defined"),
        ("{{ nope[1:] }}", "nope", "`nope` is not defined"),
        ("{{ range(3) }}", "range", "`range` is not defined"),
        ("{{ cc.major }}", "cc.major", "`cc.major` is not defined"),
        ("{{ item.stm }}", "item.stm", "a file has no `stm`"),
        ("{{ nothing }}", "nothing", "this expression gives none"),
        ("{{ none }}", "none", "this expression gives none"),
        ("{{ cflags[7] }}", "cflags[7]", "this expression gives nothing"),
        ("{{ cc if not ci }}", "cc if not ci", "this expression gives nothing"),
        ("-I{{ cflags }}", "cflags", "this is a list of 2 words where one is needed"),
        ("-I{{ empty }}", "empty", "this list is empty where one word is needed"),
        ("{{ env }}", "env", "a table cannot be a word"),
        ("{{ target }}", "target", "a function cannot be a word"),
        ("{{ [cflags] }}", "[cflags]", "a list cannot be a word"),
        ("{{ nul }}", "nul", "this value has a NUL byte, which no argument or path can hold"),
        ("{{ cycle }}", "cycle", "`cycle` needs itself"),
        ("{{ cc ~ cycle }}", "cycle", "`cycle` needs itself"),
        ("{{ cc / 2 }}", "cc / 2", "this expression fails: "),
        (
            "{{ jobs | stem }}",
            "jobs | stem",
            "this expression fails: `stem` takes a path or a list of paths, not a number",
        ),
        ("{{ cc.upper() }}", "cc.upper()", "this expression fails: "),
    ] {
        let result = parse(source).words(&scope);
        let (found, said) = wrong(source, result);
        assert_eq!(found, place, "{source}: {said}");
        assert!(said.starts_with(message), "{source}: {said}");
        assert!(!said.contains("v0") && !said.contains("v1"), "{source}: {said}");
    }
}

#[test]
fn names() {
    for (source, expected) in [
        ("no expression {{.Go}}", &[][..]),
        ("{{ cc }} {{ cc }}", &["cc", "cc"]),
        ("{{ cc ~ cc }}", &["cc"]),
        ("{{ matrix.os }} {{ matrix['db'] }}", &["matrix.os", "matrix.db"]),
        ("{{ env['A B'] }} {{ env[name] }}", &["env.A B", "env", "name"]),
        ("{{ a[1:b] | join(c) }}", &["a", "b", "c"]),
        ("{{ a.b.c.0.d }}", &["a.b.c"]),
        ("{{ x | default(y.z, true) }}", &["x", "y.z"]),
        ("{{ a if b is divisibleby c else d }}", &["b", "c", "d", "a"]),
        ("{{ target('obj').out }} {{ a.lower() }}", &["target", "a"]),
        ("{{ [a, {k: v, 'k': w}] | map(attribute=z) }}", &["a", "k", "v", "w", "z"]),
        ("{{ xs | sort(reverse=true) | join(d=sep) }}", &["xs", "sep"]),
        ("{{ a == b and c != d or not e in f }}", &["a", "b", "c", "d", "e", "f"]),
        ("{{ 'a' ~ \"b\" ~ 'it\\'s c' }}", &[]),
        ("{{ a is defined and a is not none }}", &["a"]),
        ("{{ 1e5 + 0xff + 1.5 + none_ }}", &["none_"]),
    ] {
        let template = parse(source);
        let mut found: Vec<&str> = template.names().iter().map(|name| &*name.path).collect();
        let mut expected = expected.to_vec();
        if source.contains(" if ") {
            found.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(found, expected, "{source}");
    }
    let template = parse("{{ a ~ env['HOME'] }} {{ a }}");
    let places = template.names().iter().map(|name| &template.source()[name.range.clone()]);
    assert_eq!(places.collect::<Vec<_>>(), ["a", "env['HOME']", "a"]);
}

#[test]
fn a_name_is_asked_for_once_and_only_when_it_is_used() {
    let asked = std::cell::RefCell::new(Vec::new());
    let scope = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        scope(name)
    };
    let source = "{{ cc ~ jobs ~ cc if ci else cycle }} {{ item.stem ~ item.ext }}";
    assert_eq!(parse(source).text(&scope).as_deref(), Ok("cc8cc ac"));
    assert_eq!(asked.take(), ["ci", "cc", "jobs", "item", "item"]);
}

#[test]
fn the_shape_of_a_template() {
    for (source, literal, whole) in [
        ("", true, false),
        ("a", true, false),
        ("{{.Name}}", true, false),
        ("{{ a }}", false, true),
        ("{{ a }} ", false, false),
        ("{{ a }}{{ a }}", false, false),
    ] {
        let template = parse(source);
        assert_eq!(template.as_literal(), literal.then_some(source), "{source}");
        assert_eq!(template.is_whole(), whole, "{source}");
        assert_eq!(template.source(), source);
    }
    let literal = Template::literal("{{ a }}");
    assert_eq!(literal.as_literal(), Some("{{ a }}"));
    assert_eq!(literal.shell(&scope).as_deref(), Ok("{{ a }}"));
    assert!(literal.names().is_empty() && !literal.is_whole());
}

#[test]
fn templates_cross_threads() {
    fn crosses<T: Send + Sync + 'static>(value: T) -> T {
        value
    }
    let template = crosses(parse("{{ cc | upper }}"));
    let text = std::thread::spawn(move || template.text(&scope));
    assert_eq!(text.join().unwrap().as_deref(), Ok("CC"));
}

#[test]
fn filters_that_are_told_exist() {
    for filter in value::FILTERS {
        assert!(Template::parse(&format!("{{{{ x | {filter} }}}}")).is_ok(), "{filter}");
    }
}

#[test]
fn calls_with_one_text_are_known() {
    for (source, expected) in [
        ("{{ target('lib').out }}", &[("target", "lib")][..]),
        ("{{ target( \"a\" ).out ~ target('b').out }}", &[("target", "a"), ("target", "b")]),
        ("{{ target(lib).out }} {{ target('a', 'b') }} {{ x.target('a') }}", &[]),
        ("{{ 'target(\\'a\\')' }}", &[]),
    ] {
        let template = parse(source);
        let calls = template.calls().iter();
        let calls: Vec<_> = calls.map(|call| (&*call.name, &*call.argument)).collect();
        assert_eq!(calls, expected, "{source}");
    }
}
