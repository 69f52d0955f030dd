//! Quoting and its limits, by tables and by real shells.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::*;
use crate::expr::{Scope, Value, words_value};

/// `sh`, and `bash` where there is one: they differ in what they expand.
fn shells() -> Vec<&'static str> {
    let exists = |shell: &&str| Command::new(shell).args(["-c", ":"]).output().is_ok();
    ["sh", "bash"].into_iter().filter(exists).collect()
}

fn run(shell: &str, script: &str, dir: &Path) -> Output {
    let mut command = Command::new(shell);
    command.args(["-eu", "-c", script]).current_dir(dir).stdin(Stdio::null());
    command.output().expect("the shell starts")
}

/// Texts that try to be more than text.
const HOSTILE: [&str; 33] = [
    "",
    " ",
    "a b",
    "a\nb",
    "\n",
    "\t",
    "\r",
    "'",
    "\"",
    "it's",
    "a\\",
    "\\'",
    "\\",
    "$(>canary)",
    "`>canary`",
    ";>canary;",
    "x'>canary'",
    "\">canary\"",
    "*",
    "[a-z]*",
    "?",
    "-n",
    "--",
    "~",
    "~root",
    "#c",
    "HOME",
    "2",
    "{a,b}",
    "!!",
    "é ü\u{a0}",
    "if",
    "$'\\''",
];

fn scope_of<'a>(value: &'a Value) -> impl Fn(&str) -> Result<Option<Value>, Problem> + 'a {
    |name| Ok((name == "v").then(|| value.clone()))
}

#[test]
fn a_shell_reads_values_as_the_text_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let words = [
        "{{ v }}",
        "-I{{ v }}",
        "lib{{ v }}.a",
        "{{ v }}{{ v }}",
        "/{{ v }}/",
        "a={{ v }}",
        "a:{{ v }}",
        "{{ v }}1",
        "1{{ v }}",
        "x@{{ v }}+{{ v }}",
    ];
    for shell in shells() {
        for value in HOSTILE {
            let value = Value::from(value);
            let scope: &Scope = &scope_of(&value);
            let template = Template::parse(&format!("printf '%s\\0' {}", words.join(" "))).unwrap();
            assert_eq!(template.check_shell(), Ok(()));
            let script = template.shell(scope).unwrap();
            let output = run(shell, &script, dir.path());
            let text = |word| Template::parse(word).unwrap().text(scope).unwrap() + "\0";
            let expected: String = words.into_iter().map(text).collect();
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{shell}: {script}");
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_shell_reads_lists_word_by_word() {
    let dir = tempfile::tempdir().unwrap();
    let value = words_value(HOSTILE.map(str::to_owned).to_vec());
    let script = Template::parse("printf '%s\\0' {{ v }} {{ v | quote }}").unwrap();
    let script = script.shell(&scope_of(&value)).unwrap();
    for shell in shells() {
        let output = run(shell, &script, dir.path());
        let expected = HOSTILE.map(|word| format!("{word}\0")).concat().repeat(2);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{shell}");
    }
}

#[test]
fn a_value_where_a_command_begins_is_a_program() {
    let dir = tempfile::tempdir().unwrap();
    for shell in shells() {
        for (value, script) in [
            ("if", "{{ v }} :"),
            ("{", "{{ v }} :"),
            ("!", "{{ v }} :"),
            ("x=1", "{{ v }}"),
            ("x", "{{ v }}=1"),
            ("x", "{{ v }}=1 :"),
            ("#", "{{ v }}"),
        ] {
            let value = Value::from(value);
            let script = Template::parse(script).unwrap().shell(&scope_of(&value)).unwrap();
            let output = run(shell, &script, dir.path());
            assert_eq!(output.status.code(), Some(127), "{shell}: {script}: {output:?}");
        }
    }
}

/// Scripts, and at which place their value is refused, if it is.
const SCRIPTS: &[(&str, &str)] = &[
    ("echo {{ v }}", ""),
    ("echo a{{ v }}b", ""),
    ("echo 'a' {{ v }} \"b\"", ""),
    ("echo '{{ v }}'", "inside single quotes"),
    ("echo 'a {{ v }} b'", "inside single quotes"),
    ("echo \"{{ v }}\"", "inside double quotes"),
    ("echo \"a {{ v }} b\"", "inside double quotes"),
    ("echo \"a\\\"{{ v }}\"", "inside double quotes"),
    ("echo \"a\\\\\" {{ v }}", ""),
    ("echo 'a\\' {{ v }}", ""),
    ("echo \\' {{ v }} \\'", ""),
    ("echo \\\" {{ v }} \\\"", ""),
    ("echo \\{{ v }}", "right behind a backslash"),
    ("echo \\\\{{ v }}", ""),
    ("echo ${{ v }}", "right behind a `$`"),
    ("echo $\\\n{{ v }}", "right behind a `$`"),
    ("echo \\${{ v }}", ""),
    ("echo $${{ v }}", ""),
    ("echo $HOME{{ v }} $1{{ v }}", ""),
    ("echo `echo {{ v }}`", "inside backquotes"),
    ("echo `echo \\`a\\`` {{ v }}", ""),
    ("echo \"`echo {{ v }}`\"", "inside backquotes"),
    ("echo $(echo {{ v }})", ""),
    ("echo \"$(echo {{ v }})\"", ""),
    ("echo \"a $(echo \"b\" {{ v }} 'c') d\"", ""),
    ("echo \"a $(echo \"{{ v }}\") d\"", "inside double quotes"),
    ("echo \"$(echo a) {{ v }}\"", "inside double quotes"),
    ("echo \"$(echo ')' {{ v }})\"", ""),
    ("echo \"$(echo a # ) ' \n echo {{ v }})\"", ""),
    ("echo \"$( (echo a) ; echo {{ v }})\" {{ v }}", ""),
    ("echo \"$(case a in a) echo {{ v }};; esac)\"", ""),
    ("echo \"$(case a in a) echo \"{{ v }}\";; esac)\"", "inside double quotes"),
    ("echo \"$(case a in (a|b) echo;; c) echo {{ v }};; esac; echo a)\" {{ v }}", ""),
    ("echo \"$(case a in esac; echo case)\" {{ v }}", ""),
    ("echo \"$(echo case in; echo a)\" {{ v }} '\"'", ""),
    ("echo \"$(for case in a; do echo; done)\" {{ v }} '\"'", ""),
    ("echo \"$(if true; then case a in b) ;; esac; fi)\" {{ v }} '\"'", ""),
    ("case {{ v }} in {{ v }}) echo {{ v }};; *) echo \"{{ v }}\";; esac", "inside double quotes"),
    ("f() { echo {{ v }}; }; f", ""),
    ("echo $((1 + 2)) {{ v }}", ""),
    ("echo $(( {{ v }} + 1 ))", "inside `$(( … ))`"),
    ("echo $(( (1 + 2) << 1 )) {{ v }}\necho {{ v }}\n", ""),
    ("echo \"$((1 + $(echo {{ v }} >&2; echo 1)))\" {{ v }}", ""),
    ("echo $((echo a) | cat) {{ v }}", "behind a construct"),
    ("echo ${x:-{{ v }}}", ""),
    ("echo ${x:-a b}{{ v }}", ""),
    ("echo ${x:-\"}\"} {{ v }} '}'", ""),
    ("echo ${x:-'}'} {{ v }}", ""),
    ("echo \"${x:-{{ v }}}\"", "inside double quotes"),
    ("echo \"${x:-'}\" {{ v }} \"'\"", ""),
    ("x=a; echo \"${x#'}'}\" {{ v }}", ""),
    ("x=a; echo ${#x} $# ${#} ${#-a} {{ v }}", ""),
    ("x=a; echo ${x:{{ v }}}", "in this part of a `${ … }`"),
    ("x=a; echo ${x%{{ v }}} ${x#{{ v }}}", ""),
    ("echo a # {{ v }}", "in a comment"),
    ("# it's\necho {{ v }}", ""),
    ("echo a#{{ v }}", ""),
    ("echo a;# {{ v }}", "in a comment"),
    ("echo $(echo a)#{{ v }}", ""),
    ("cat <<EOF\n{{ v }}\nEOF", "in a here-document"),
    ("cat <<'EOF'\n{{ v }}\nEOF", "in a here-document"),
    ("cat <<EOF\nit's\nEOF\necho {{ v }}", ""),
    ("cat <<-EOF\n\tit's\n\tEOF\necho {{ v }}", ""),
    ("cat <<EOF\n\tEOF\n{{ v }}\nEOF", "in a here-document"),
    ("cat <<A; cat <<\"B C\" {{ v }}\n\"\nA\n'\nB C\necho {{ v }}", ""),
    ("cat <<A <<B\n\"\nB\n{{ v }}\nA\nB", "in a here-document"),
    ("cat <<EOF\na\\\nEOF\n{{ v }}\nEOF", "in a here-document"),
    ("cat <<\\EOF\na\\\nEOF\necho {{ v }}", ""),
    ("cat <<{{ v }}\n", "in the end mark of a here-document"),
    ("echo $(cat <<EOF\n)'\nEOF\n) {{ v }}", ""),
    ("cat << EOF && echo {{ v }}\n'\nEOF\n", ""),
    ("echo a >{{ v }}x 2>&1 && echo {{ v }} | cat", ""),
    ("x={{ v }} y=\"$x\"; echo {{ v }}", ""),
    ("echo {{ v | raw }} \"{{ v | raw }}\" '{{ v | raw }}'", ""),
    ("echo \"{{ v if v else v | raw }}\"", "inside double quotes"),
    ("echo \"{{ v ~ v | raw }}\"", "inside double quotes"),
    ("echo \"{{ (v ~ v) | raw }}\"", ""),
    ("echo \"{{ v | raw | upper }}\"", "inside double quotes"),
    ("echo \"{{ v | quote }}\"", "inside double quotes"),
    ("echo $'a\\' {{ v }} 'b'", "behind a construct"),
    ("echo $'a' {{ v }}", ""),
    ("echo \"unclosed {{ v }}", "inside double quotes"),
    ("awk '{ print $1 }' /dev/null; echo {{ v }}", ""),
    ("if true; then echo {{ v }}; else echo \"{{ v }}\"; fi", "inside double quotes"),
];

#[test]
fn places_where_a_value_can_stand() {
    for (script, place) in SCRIPTS {
        match Template::parse(script).unwrap().check_shell() {
            Ok(()) => assert_eq!("", *place, "{script}"),
            Err(error) => {
                assert!(!place.is_empty(), "{script}: {error:?}");
                let start = format!("a value cannot stand {place}");
                assert!(error.message.starts_with(&start), "{script}: {error:?}");
                assert!(script[error.range.clone()].starts_with("{{ v"), "{script}: {error:?}");
                assert!(error.help.is_some(), "{script}");
            }
        }
    }
}

/// Texts that run `>canary` if they get out of their place.
const ESCAPES: [&str; 15] = [
    "$(>canary)",
    "`>canary`",
    "'; >canary; '",
    "\"; >canary; \"",
    "\n>canary\n",
    "\nEOF\n>canary\n",
    "\\'; >canary #",
    "a[$(>canary)]",
    "\nA\n>canary\n",
    "; >canary;",
    "\\'$(>canary)",
    "x }; >canary",
    ")>canary",
    "'$(>canary)'",
    "x;;esac\n>canary\n",
];

/// Whether `value` gets out of its place in the script when `shell` runs it.
fn gets_out(shell: &str, template: &Template, value: &str, dir: &Path) -> bool {
    let text = template.shell(&scope_of(&Value::from(value))).unwrap();
    run(shell, &text, dir);
    std::fs::remove_file(dir.join("canary")).is_ok()
}

/// What is let through holds in real shells; what is refused would not, or mostly.
#[test]
fn no_value_gets_out_of_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut broken = 0;
    for (script, place) in SCRIPTS.iter().filter(|(script, _)| !script.contains("raw")) {
        let template = Template::parse(script).unwrap();
        let mut tries = shells().into_iter().flat_map(|shell| ESCAPES.map(|value| (shell, value)));
        let escape = tries.find(|(shell, value)| gets_out(shell, &template, value, dir.path()));
        assert!(escape.is_none() || !place.is_empty(), "{script}: {escape:?}");
        broken += usize::from(escape.is_some());
    }
    assert!(broken >= 15, "only {broken} of the refused scripts break");
}

/// Random scripts, mostly of valid grammar, with values at any place.
struct Scripts(Random);

impl Scripts {
    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.0.below(choices.len())]
    }

    fn commands(&mut self, depth: usize) -> String {
        let first = self.command(depth);
        let separator = if first.ends_with('\n') { "" } else { self.pick(&["; ", "\n", " && "]) };
        if self.0.below(3) > 0 { first } else { first + separator + &self.command(depth) }
    }

    fn command(&mut self, depth: usize) -> String {
        match self.0.below(if depth == 0 { 3 } else { 9 }) {
            0 => format!("x={}", self.word(depth)),
            1 => format!("echo a # {}\n", self.pick(&["it's", "\"", "(", ")", "{{ v }}", "`"])),
            3 => format!("case a in a) {};; esac", self.commands(depth - 1)),
            4 => format!("case a in (b|a) {};; *) :;; esac", self.commands(depth - 1)),
            5 => format!("if :; then {}\nfi", self.commands(depth - 1)),
            6 => format!("({}\n)", self.commands(depth - 1)),
            7 => {
                let mark = self.pick(&["EOF", "'EOF'", "\\EOF", "\"EOF\""]);
                let body =
                    self.pick(&["it's", "\"", "{{ v }}", "a\\\nEOF\n{{ v }}", "$(echo a)", ")"]);
                format!("cat <<{mark} {}\n{body}\nEOF\n", self.word(depth))
            }
            _ => format!("echo {} {}", self.word(depth), self.word(depth)),
        }
    }

    fn word(&mut self, depth: usize) -> String {
        (0..=self.0.below(3)).map(|_| self.part(depth)).collect()
    }

    fn part(&mut self, depth: usize) -> String {
        match self.0.below(if depth == 0 { 8 } else { 13 }) {
            0..3 => "{{ v }}".to_owned(),
            3 => format!("'{}'", self.pick(&["a", "\"", "{{ v }}", "\\", "$(", "#", "`"])),
            4 => self.pick(&["\\ ", "\\'", "\\\"", "\\", "\\\n", "\\$", "\\`"]).to_owned(),
            5 => self.pick(&["a", "#", "$", "$$", "$'a'", "$'a\\'", "case", "~", "="]).to_owned(),
            6 => format!("`{}`", self.pick(&["echo a", "echo {{ v }}", "echo \\`echo a\\`"])),
            7 => format!("$((1 + {}))", self.pick(&["1", "(2 << 1)", "{{ v }}"])),
            8 => {
                format!("${{x{}{}}}", self.pick(&[":-", "-", "#", "%", ":"]), self.word(depth - 1))
            }
            9 => format!("$({}\n)", self.commands(depth - 1)),
            _ => format!("\"{}{}\"", self.quoted(depth - 1), self.quoted(depth - 1)),
        }
    }

    fn quoted(&mut self, depth: usize) -> String {
        match self.0.below(8) {
            0 => "{{ v }}".to_owned(),
            1 => format!("${{x:-{}}}", self.pick(&["'", "a", "\"b\"", "{{ v }}"])),
            2 => format!("${{x#{}}}", self.pick(&["'}'", "a", "\"b\"", "{{ v }}"])),
            3 => self.pick(&["'", "\\\"", "(", ")", "$", "#", "`echo a`"]).to_owned(),
            _ => format!("$({}\n)", self.commands(depth)),
        }
    }
}

#[test]
fn no_value_gets_out_of_a_random_script() {
    let dir = tempfile::tempdir().unwrap();
    let mut scripts = Scripts(Random(0x5eed));
    let mut tried = 0;
    while tried < 250 {
        let script = scripts.commands(3);
        let Ok(template) = Template::parse(&script) else { continue };
        if template.names().is_empty() || template.check_shell().is_err() {
            continue;
        }
        tried += 1;
        for shell in shells() {
            let value = scripts.pick(&ESCAPES);
            let out = gets_out(shell, &template, value, dir.path());
            assert!(!out, "{shell}: {script:?} with {value:?}");
        }
    }
}

#[test]
fn refusals_say_what_to_write() {
    for (script, help) in [
        ("echo '{{ v }}'", "leave the quotes out: a value is quoted by itself"),
        ("echo \"{{ v }}\"", "leave the quotes out: a value is quoted by itself"),
        ("echo \"a{{ v }}\"", "set `env = { NAME = \"{{ v }}\" }` and write `$NAME` there"),
        (
            "echo 'a{{ v[\"k\"] }}'",
            "set `env = { NAME = '{{ v[\"k\"] }}' }` and write `'…'\"$NAME\"'…'`",
        ),
    ] {
        let error = Template::parse(script).unwrap().check_shell().unwrap_err();
        assert_eq!(error.help.as_deref(), Some(help), "{script}");
    }
}

#[test]
fn any_text_is_read_to_its_end() {
    let pieces = [
        "'", "\"", "`", "\\", "$", "(", ")", "{", "}", "<<", "-", "EOF", "\n", "#", ";", "case ",
        " in ", "esac", "{{ v }}", " ", "&", "|",
    ];
    let mut random = Random(0x5eed);
    for _ in 0..20_000 {
        let script: String = (0..random.below(24)).map(|_| pieces[random.below(22)]).collect();
        if let Ok(template) = Template::parse(&script)
            && let Err(error) = template.check_shell()
        {
            assert!(script[error.range].starts_with("{{"), "{script}");
        }
    }
    let deep = "\"$(".repeat(300_000) + "{{ v }}";
    assert_eq!(Template::parse(&deep).unwrap().check_shell(), Ok(()));
}

/// xorshift64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn scripts_that_need_no_shell() {
    for (script, words) in [
        ("cc -o a a.c", &["cc", "-o", "a", "a.c"][..]),
        ("\n  cc\t-c  a.c \n\n", &["cc", "-c", "a.c"]),
        ("cc '-D A' \"b c\" d\\ e", &["cc", "-D A", "b c", "d e"]),
        ("cc a'b'\"c\"d", &["cc", "abcd"]),
        ("cc '' \"\"", &["cc", "", ""]),
        ("cc --x=y a=b", &["cc", "--x=y", "a=b"]),
        ("cc '$HOME' '*' '~' \"it's\"", &["cc", "$HOME", "*", "~", "it's"]),
        ("cc '\"' \\$x \\'", &["cc", "\"", "$x", "'"]),
        ("./echo a", &["./echo", "a"]),
        ("/bin/test a", &["/bin/test", "a"]),
        ("cc 'é'", &["cc", "é"]),
        ("'my cc' a", &["my cc", "a"]),
    ] {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(plain_words(script), Some(words), "{script:?}");
    }
}

#[test]
fn scripts_that_need_a_shell() {
    for script in [
        "",
        " \n",
        "'' a",
        "-x a",
        "+x a",
        "a\nb",
        "a 'b\nc'",
        "a \\\nb",
        "a \\",
        "a 'b",
        "a \"b",
        "A=b c",
        "A=b",
        "a $b",
        "a \"$b\"",
        "a \"b\\c\"",
        "a `b`",
        "a *.c",
        "a [b]",
        "a b?",
        "a ~",
        "a ~/b",
        "a {b,c}",
        "a !b",
        "a ^b",
        "a #b",
        "a b#c",
        "a >b",
        "a <b",
        "a | b",
        "a; b",
        "a & b",
        "(a)",
        "a é",
        "a\r",
        "cd a",
        "\"cd\" a",
        "e\\cho a",
        "echo a",
        "exec a",
        ". a",
        "if a",
        "[ a ]",
        "kill 1",
        "true",
    ] {
        assert_eq!(plain_words(script), None, "{script:?}");
    }
}

#[test]
fn plain_words_are_what_a_shell_passes_on() {
    let pieces = [
        "a", "b", "a.c", "-x", "--x=y", "x=1", "/", "%", "@", ",", ":", " ", " ", "  ", "\t", "'",
        "'", "\"", "\"", "\\", "\\ ", "$a", "`", "*", "~", "#", "{", "}", "é", "\\\\", "\\'", "\n",
        "!",
    ];
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b", "ab"] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    let mut random = Random(0x5eed);
    let mut plain = 0;
    for _ in 0..600 {
        let rest: String =
            (0..random.below(7)).map(|_| pieces[random.below(pieces.len())]).collect();
        let script = format!("env printf '%s\\0' x {rest}");
        let Some(words) = plain_words(&script) else { continue };
        plain += 1;
        for shell in shells() {
            let output = run(shell, &script, dir.path());
            let expected: String = words[3..].iter().map(|word| format!("{word}\0")).collect();
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{shell}: {script:?}");
        }
    }
    assert!(plain >= 150, "only {plain} of 600 were plain");
}

/// Every name that a shell here answers itself, as the shell says, is in the table.
#[test]
fn plain_words_know_the_builtins() {
    let dir = tempfile::tempdir().unwrap();
    let script = "for name in $(compgen -b) $(compgen -k); do echo \"$name\"; done";
    for shell in shells().into_iter().filter(|shell| *shell == "bash") {
        let output = run(shell, script, dir.path());
        let names = String::from_utf8(output.stdout).unwrap();
        assert!(names.lines().count() > 50, "{names}");
        for name in names.lines() {
            assert_eq!(plain_words(&quote(name)), None, "{name}");
        }
    }
}

#[test]
fn words_of_other_tools_are_refused_only_where_they_mean_nothing() {
    let refused = |script: &str| {
        let error =
            Template::parse(script).unwrap().check_habits(&|name| name == "outputs").err()?;
        Some(script[error.range].to_owned())
    };
    for (script, word) in [
        ("cp $< $@", Some("$<")),
        ("cc -o $@ x.c", Some("$@")),
        ("cc -o x {{ a }} $^", Some("$^")),
        ("$@", Some("$@")),
        ("f() { cc $@; }\nf a $^", Some("$^")),
        ("cc {% if ci %} -g {% endif %}", Some("{%")),
        ("cp $in x", Some("$in")),
        ("cp x $out", Some("$out")),
        ("cp {inputs} x", Some("{inputs}")),
        ("cp $(inputs) $(outputs)", Some("$(inputs)")),
        ("$(CC) -c a.c", Some("$(CC)")),
        ("echo $$HOME", Some("$$")),
        ("in=a; cp $in x", None),
        ("for out in a b; do touch $out; done", None),
        ("read in; echo $in", None),
        (". ./settings; cp $in x", None),
        ("cp x $outputs", None),
        ("cp $input $outer $(CCC) ${in}", None),
        ("CC() { echo a; }; echo $(CC)", None),
        ("ls | xargs -I {inputs} cp {inputs} x", None),
        ("echo '{inputs}' \"$in\" '$(CC)' '$$HOME'", None),
        ("kill $$ && echo $$", None),
        ("exec \"$@\"", None),
        ("f() { cc $@; }; f a", None),
        ("function f { cc $@; }; f a", None),
        ("set -- a b; cc $@", None),
        ("sh -c 'cc $@' sh a b", None),
        ("echo '$< {% if x %}{% endif %}'", None),
        ("echo \"$< $^\"", None),
        ("# cp $< $@\ncp a b", None),
        ("cat > Makefile <<'E'\nall:\n\tcp $< $@\nE", None),
        ("cat > t.html <<'E'\n{% if x %}\n{% endif %}\nE", None),
        ("cat $<<E\nE", None),
        ("echo $@x x$@ $^x \\$@", None),
        ("date +{%Y", None),
    ] {
        assert_eq!(refused(script).as_deref(), word, "{script}");
    }
}

#[test]
fn pipes_that_drop_an_exit_code_are_found() {
    let found = |script: &str| {
        let range = Template::parse(script).unwrap().lossy_pipe()?;
        assert_eq!(&script[range.clone()], "|");
        Some(range.start)
    };
    for (script, at) in [
        ("nosuchprogram | sort > x", 14),
        ("cd x && gen {{ inputs }}|sort", 24),
        ("a; b 2>&1 | c", 10),
        ("x=$(gen | sort)", 8),
        ("echo a | gen | sort", 13),
        ("echo a\n gen x |\n sort", 14),
    ] {
        assert_eq!(found(script), Some(at), "{script}");
    }
    for script in [
        "a || b",
        "echo 'a | b'",
        "grep \"a|b\" x",
        "echo a | sort",
        "if gen | grep -q x; then :; fi",
        "! gen | grep x",
        "set -o pipefail; a | b",
        "case $1 in a|b) x;; esac",
        "a >| b",
        "cat <<E\na | b\nE\n",
        "a # b | c",
        "printf '%s;\\n' {{ inputs }} | sort",
        "x=$(echo a | sort)",
        "a && (echo b | c)",
    ] {
        assert_eq!(found(script), None, "{script}");
    }
}
