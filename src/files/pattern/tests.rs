//! Tables, and random patterns held against a slow reading of the same rules.

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn normalises_by_letters_alone() {
    let table: &[(&str, &str, Result<&str, PathError>)] = &[
        ("", "a/b", Ok("a/b")),
        ("", "", Ok("")),
        ("", ".", Ok("")),
        ("", "./a//b/./c/", Ok("a/b/c")),
        ("x/y", "a", Ok("x/y/a")),
        ("x/y", "", Ok("x/y")),
        ("x/y", "../a", Ok("x/a")),
        ("x/y", "../..", Ok("")),
        ("x/y", "../../..", Err(PathError::Outside)),
        ("", "a/../../b", Err(PathError::Outside)),
        ("x/y", "//a/b", Ok("a/b")),
        ("x", "//", Ok("")),
        ("x", "///a", Ok("a")),
        ("x", "//../a", Err(PathError::Outside)),
        ("x", "/usr//lib/../include/", Ok("/usr/include")),
        ("x", "/", Ok("/")),
        ("x", "/../..", Ok("/")),
        ("x", "...", Ok("x/...")),
        ("x", "..a", Ok("x/..a")),
        ("x", "**/*.c", Ok("x/**/*.c")),
        ("/abs", "a", Ok("/abs/a")),
        ("", "a\0b", Err(PathError::Nul)),
    ];
    for &(base, text, expected) in table {
        let expected = expected.map(|path| path.as_bytes().to_vec());
        assert_eq!(normalise(base.as_bytes(), text.as_bytes()), expected, "{base} + {text}");
    }
    assert_eq!(normalise(b"\xFF", b"\xFE/../\xFD"), Ok(b"\xFF/\xFD".to_vec()));
}

#[test]
fn makes_paths_relative() {
    let table = [
        ("", "a/b", "a/b"),
        ("src/net", "src/a.c", "../a.c"),
        ("src/net", "src/net", "."),
        ("", "", "."),
        ("a/b", "", "../.."),
        ("a/b", "a/b/c", "c"),
        ("a/b", "a/bc", "../bc"),
        ("a", "b/a", "../b/a"),
        ("a", "/usr/x", "/usr/x"),
    ];
    for (dir, path, expected) in table {
        let made = relative_to(dir.as_bytes(), path.as_bytes());
        assert_eq!(made, expected.as_bytes(), "{path} from {dir}");
        if !path.starts_with('/') {
            assert_eq!(normalise(dir.as_bytes(), &made).unwrap(), path.as_bytes(), "and back");
        }
    }
}

#[test]
fn matches_a_table() {
    type Paths = &'static [&'static str];
    // Text, what matches, what matches only with dot files shown, what never matches.
    let table: &[(&str, Paths, Paths, Paths)] = &[
        ("a/b", &["a/b"], &[], &["a", "a/b/c", "/a/b", ""]),
        ("*.c", &["a.c", "é.c"], &[".c", ".a.c"], &["a/b.c", "a.cc"]),
        ("?", &["a", "é", "日"], &["."], &["", "ab"]),
        ("[ab]", &["a", "b"], &[], &["c", "ab"]),
        ("[a-cé-ë]x", &["ax", "cx", "êx"], &[], &["dx", "x"]),
        ("[!a-c]", &["d", "é"], &["."], &["a", "b"]),
        ("[^a]", &["b"], &[], &["a"]),
        ("[]-]", &["]", "-"], &[], &["a"]),
        ("[!]a]", &["b"], &[], &["]", "a"]),
        (r"[\]\\]", &["]", "\\"], &[], &["a"]),
        ("[.]a", &[], &[".a"], &["a"]),
        (r"a\*\[\?", &["a*[?"], &[], &["ab[?"]),
        ("**", &["a", "a/b", "a/b/c"], &[".a", "a/.b/c", ".a/b"], &["", "/a"]),
        ("a/**", &["a/b", "a/b/c"], &["a/.b", "a/.b/c"], &["a", "b/a", "ab/c"]),
        ("**/x", &["x", "a/x", "a/b/x"], &[".a/x"], &["ax", "x/a"]),
        ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/.x/b"], &["a", "b", "ab"]),
        ("a/**/**/b", &["a/b", "a/x/b"], &[], &["a"]),
        ("**/a/**/b", &["a/b", "x/a/b", "x/a/y/a/b"], &[], &["a", "b"]),
        (".github/**", &[".github/a", ".github/a/b"], &[".github/.a"], &[".github"]),
        ("**/.env", &[".env", "a/.env"], &[".a/.env"], &["env", "a/env"]),
        ("**/.g/**/c", &[".g/c", "x/.g/y/c"], &[".g/.g/c", ".x/.g/c"], &["c"]),
        (".*", &[".a", ".ab"], &[], &["a", ".a/b"]),
        (r"\.*", &[".a"], &[], &["a"]),
        ("a*b*c", &["abc", "aXbYc", "abbc", "abcbc"], &[], &["ab", "acb", "abcd"]),
        ("*a*a*a*", &["aaa", "xaxaxax"], &[], &["aa"]),
        ("{a,b}/{c,d}.x", &["a/c.x", "b/d.x"], &[], &["a/b.x", "c/a.x"]),
        ("{a/b,c}/*.h", &["a/b/x.h", "c/x.h"], &["c/.x.h"], &["a/x.h"]),
        ("{a,b{c,d{e,f}}}", &["a", "bc", "bde", "bdf"], &[], &["b", "bd", "ab"]),
        ("a{,b}", &["a", "ab"], &[], &["b"]),
        ("a/{b/,}c", &["a/b/c", "a/c"], &[], &["a"]),
        ("a{/**,}", &["a", "a/b"], &["a/.b"], &["b"]),
        ("{.,}x*", &["x", ".x"], &[], &["..x"]),
        (r"{a\,b,[,]}", &["a,b", ","], &[], &["a", "b"]),
        ("a,b*", &["a,b"], &[], &["a"]),
        ("/usr/*.h", &["/usr/a.h"], &["/usr/.h"], &["usr/a.h"]),
        ("/**/x", &["/x", "/a/x"], &[], &["x", "a/x"]),
    ];
    for (text, shown, hidden, never) in table {
        let pattern = pattern(text);
        for path in *shown {
            assert!(pattern.matches(path.as_bytes()), "{text} matches {path}");
        }
        for path in [*shown, *hidden].concat() {
            assert!(pattern.matches_all(path.as_bytes()), "{text} matches all {path}");
        }
        for path in [*hidden, *never].concat() {
            assert!(!pattern.matches(path.as_bytes()), "{text} does not match {path}");
        }
        for path in *never {
            assert!(!pattern.matches_all(path.as_bytes()), "{text} never matches {path}");
        }
    }
}

#[test]
fn names_are_bytes() {
    assert!(pattern("?").matches(b"\xFF"));
    assert!(!pattern("?").matches(b"\xFF\xFE"));
    assert!(pattern("*.c").matches(b"\xC3.c"));
    assert!(pattern("[!a]b").matches(b"\xFFb"));
    let raw = Pattern::parse(b"\xFF*").unwrap();
    assert!(raw.matches(b"\xFFabc") && !raw.matches(b"abc"));
    let class = Pattern::parse(b"[\xF0-\xFF]").unwrap();
    assert!(class.matches(b"\xFE") && !class.matches(b"\x80") && !class.matches("é".as_bytes()));
    // Half a character is not a part of one.
    assert!(!Pattern::parse(b"\xC3*").unwrap().matches("é".as_bytes()));
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    let table = [
        ("", 0, "write `**`"),
        ("./", 0, "write `**`"),
        ("a/[bc", 2, r"write `\[`"),
        ("a[b/c]", 1, r"write `\[`"),
        ("[]", 0, r"write `\[`"),
        ("[!]", 0, r"write `\[`"),
        ("a{b,{c}", 1, r"write `\{`"),
        ("a{b,c", 1, r"write `\{`"),
        ("a*}b", 2, r"write `\}`"),
        ("x/a**", 3, "`a*/**`"),
        ("**.c", 0, "`**/*.c`"),
        ("x/a**.c/y", 3, "`a*/**/*.c`"),
        ("***", 0, "`**/*`"),
        ("a\\", 1, r"write `\\`"),
        ("a\\/*", 1, r"write `\\`"),
        ("[z-a]", 1, "lower character first"),
        ("{a/..,b}", 3, "write the directory out"),
        ("{a,/b}", 0, "write two"),
        ("{,a}", 0, "write `**`"),
    ];
    for (text, offset, help) in table {
        let error = Pattern::parse(text.as_bytes()).expect_err(text);
        assert_eq!(error.offset, offset, "{text}: {error}");
        assert!(error.help.contains(help), "{text}: {error}");
    }
}

#[test]
fn braces_are_bounded() {
    assert!(Pattern::parse("{a,b}".repeat(10).as_bytes()).is_ok());
    let error = Pattern::parse("{a,b}".repeat(11).as_bytes()).unwrap_err();
    assert_eq!(error.offset, 50);
    let nested = ["{".repeat(100_000), "a".into(), "}".repeat(100_000)].concat();
    assert_eq!(pattern(&nested).as_path(), Some(&b"a"[..]));
}

#[test]
fn knows_globs_from_paths() {
    for text in ["*", "a?", "[a]", "{a,b}", r"\\*"] {
        assert!(Pattern::is_glob(text.as_bytes()), "{text}");
    }
    for text in ["", "a", r"a\*b", r"\[id\].tsx", "a]", "a}", "!a", "\\"] {
        assert!(!Pattern::is_glob(text.as_bytes()), "{text}");
    }
}

#[test]
fn literals_match_themselves_only() {
    for path in ["[id].tsx", "a*", "{a,b}", "a\\b", ".env", "/usr/x", ""] {
        let literal = Pattern::literal(path.as_bytes());
        assert!(literal.matches(path.as_bytes()), "{path}");
        assert_eq!(literal.as_path(), Some(path.as_bytes()));
        if !path.is_empty() {
            let again = Pattern::parse(literal.text()).unwrap();
            assert_eq!(again, literal, "the text reads as the pattern");
        }
    }
    assert!(!Pattern::literal(b"a*").matches(b"ab"));
    assert_ne!(Pattern::literal(b"a*"), pattern("a*"));
    assert_eq!(pattern(r"a\*b").as_path(), Some(&b"a*b"[..]));
    assert_eq!(Pattern::tree(b"a/[b]"), pattern(r"a/\[b\]/**"));
    assert_eq!(Pattern::tree(b""), pattern("**"));
    assert_eq!(Pattern::tree(b"/"), pattern("/**"));
}

#[test]
fn finds_the_base() {
    let table = [
        ("*", ""),
        ("a", ""),
        ("a/b", "a"),
        ("a/b/*.c", "a/b"),
        ("a/b*/c", "a"),
        ("**/a", ""),
        ("a/**", "a"),
        ("{a,b}/c", ""),
        ("x/{a,b}/c", "x"),
        ("x/{a/b,a/c}/*", "x/a"),
        ("x/{a,a/b}", "x"),
        ("/usr/*", "/usr"),
        ("/*", "/"),
    ];
    for (text, base) in table {
        assert_eq!(pattern(text).base(), base.as_bytes(), "{text}");
    }
}

#[test]
fn finds_what_all_matches_begin_with() {
    let table = [
        ("*", ""),
        ("a", "a"),
        ("a/b", "a/b"),
        ("a/b/*.c", "a/b/"),
        ("a/b*/c", "a/b"),
        ("a/**/b", "a/"),
        ("**/a", ""),
        ("a/x[12].c", "a/x"),
        (r"a/\*x?", "a/*x"),
        ("ü/é?", "ü/é"),
        ("{a,b}/c", ""),
        ("x/{a/b,a/c}/*", "x/a/"),
        ("x{.c,.cc,.h}", "x."),
        ("/usr/*", "/usr/"),
        ("/*", "/"),
    ];
    for (text, begin) in table {
        assert_eq!(pattern(text).fixed(), begin.as_bytes(), "{text}");
    }
}

/// A written name that matches lie below says that it is a folder.
#[test]
fn knows_which_folders_it_names() {
    let table = [
        ("p/*/dist/**", "p/a/dist", true),
        ("**/dist/*.js", "dist", true),
        ("**/dist/*.js", "a/b/dist", true),
        ("dist/x", "dist", true),
        ("{a,b}/dist/x", "b/dist", true),
        ("dist", "dist", false),
        ("**/dist", "dist", false),
        ("p/*/*/x", "p/a/dist", false),
        ("**", "dist", false),
        ("p/*/dist/**", "p/a", false),
        ("p/*/dist/**", "p/a/dist/sub", false),
        ("/p/*/dist/**", "p/a/dist", false),
    ];
    for (text, dir, expected) in table {
        assert_eq!(pattern(text).names_folder(dir.as_bytes()), expected, "{text} and {dir}");
    }
}

#[test]
fn prunes_walks() {
    let table = [
        ("a/b/*.c", "", true),
        ("a/b/*.c", "a/b", true),
        ("a/b/*.c", "a/b/c", false),
        ("a/b/*.c", "x", false),
        ("**/x", "a/b/c", true),
        ("**/x", "a/.b", false),
        ("**/.b/x", "a/.b", true),
        ("**/.b/x", "a/.c", false),
        ("a/**", "a", true),
        ("a/**", "b", false),
        ("a*/b", "ax", true),
        ("a*/b", "ax/b", false),
        ("{a,b/**}/c", "b/x/y", true),
        ("/usr/*", "usr", false),
        ("/usr/*", "/usr", true),
    ];
    for (text, dir, expected) in table {
        assert_eq!(pattern(text).may_contain(dir.as_bytes()), expected, "{text} in {dir}");
    }
    for (text, dir, expected) in [
        ("a/**", "a", true),
        ("a/**", "a/.b/c", true),
        ("a/**", "", false),
        ("a/**", "b", false),
        ("**", "", true),
        ("**/x/**", "a/x/b", true),
        ("**/x/**", "a", false),
        ("a/**/*.c", "a", false),
        ("a/*", "a", false),
        ("/a/**", "a", false),
    ] {
        assert_eq!(pattern(text).covers(dir.as_bytes()), expected, "{text} covers {dir}");
    }
}

#[test]
fn compares_patterns() {
    let table = [
        ("a", "a", true),
        ("a", "b", false),
        ("*.c", "a.c", true),
        ("*.c", "*.h", false),
        ("*.c", "a*", true),
        ("a*b", "b*", false),
        ("a*", "*b", true),
        ("?", "??", false),
        ("dist/**", "dist/a/b.js", true),
        ("dist/**", "dist", false),
        ("dist/**", "src/**", false),
        ("dist/**", "**/*.js", true),
        ("a/**/b", "a/b", true),
        ("a/*/b", "a/**/c", false),
        ("**/a/**", "b/**/c", true),
        ("[a-c]x", "[d-f]x", false),
        ("[a-c]x", "[!a]x", true),
        ("[!a]", "a", false),
        ("{a,b}/x", "{b,c}/x", true),
        ("{a,b}/x", "{c,d}/x", false),
        ("/usr/**", "**", false),
        (".*", "*", true),
    ];
    for (a, b, expected) in table {
        assert_eq!(pattern(a).overlaps(&pattern(b)), expected, "{a} and {b}");
        assert_eq!(pattern(b).overlaps(&pattern(a)), expected, "{b} and {a}");
    }
    assert!(!Pattern::literal(b"a*").overlaps(&Pattern::literal(b"ab")));
    assert!(Pattern::literal(b"a*").overlaps(&pattern("a?")));
}

#[test]
fn long_and_hostile_patterns_end() {
    let stars = pattern(&format!("{}b", "*a".repeat(50)));
    assert!(!stars.matches("a".repeat(2000).as_bytes()));
    let deep = pattern(&format!("{}b", "**/a/".repeat(50)));
    assert!(!deep.matches("a/".repeat(1000).trim_end_matches('/').as_bytes()));
    let long = "d/".repeat(1000) + "x";
    assert!(pattern("**/x").matches(long.as_bytes()));
    assert!(Pattern::literal(long.as_bytes()).overlaps(&pattern("d/**")));
}

/// xorshift64*: enough chance for tests, and the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn joined(&mut self, parts: usize, from: &[&str], between: &str) -> String {
        let parts: Vec<&str> = (0..=self.below(parts)).map(|_| self.pick(from)).collect();
        parts.join(between)
    }
}

/// The rules of [`Pattern`] once more: slow, recursive, by the letters of the text.
mod slow {
    pub(super) fn matches(text: &str, path: &str, dots: bool) -> bool {
        braceless(text).iter().any(|text| {
            let text: Vec<&str> = text.split('/').filter(|name| *name != ".").collect();
            path_matches(&text, &path.split('/').collect::<Vec<_>>(), dots)
        })
    }

    fn braceless(text: &str) -> Vec<String> {
        let Some(close) = text.find('}') else { return vec![text.to_owned()] };
        let open = text[..close].rfind('{').expect("braces are paired");
        let branches = text[open + 1..close].split(',');
        branches
            .flat_map(|branch| braceless(&[&text[..open], branch, &text[close + 1..]].concat()))
            .collect()
    }

    fn path_matches(text: &[&str], path: &[&str], dots: bool) -> bool {
        let Some((name, below)) = path.split_first() else { return text.is_empty() };
        let hidden = name.starts_with('.') && !dots;
        match text {
            [] => false,
            ["**"] => !hidden && (below.is_empty() || path_matches(text, below, dots)),
            ["**", rest @ ..] => {
                path_matches(rest, path, dots) || (!hidden && path_matches(text, below, dots))
            }
            [first, rest @ ..] => {
                (!hidden || first.starts_with('.'))
                    && name_matches(first.as_bytes(), name.as_bytes())
                    && path_matches(rest, below, dots)
            }
        }
    }

    fn name_matches(text: &[u8], name: &[u8]) -> bool {
        match (text, name) {
            ([], _) => name.is_empty(),
            ([b'*', rest @ ..], _) => {
                (0..=name.len()).any(|skip| name_matches(rest, &name[skip..]))
            }
            (_, []) => false,
            ([b'?', rest @ ..], [_, behind @ ..]) => name_matches(rest, behind),
            // The classes of the tests: `[ab]` and `[!a]`.
            ([b'[', b'!', x, b']', rest @ ..], [y, behind @ ..]) => {
                x != y && name_matches(rest, behind)
            }
            ([b'[', a, b, b']', rest @ ..], [y, behind @ ..]) => {
                (a == y || b == y) && name_matches(rest, behind)
            }
            ([x, rest @ ..], [y, behind @ ..]) => x == y && name_matches(rest, behind),
        }
    }
}

#[test]
fn matches_as_the_slow_reading_does() {
    let tokens = ["a", "b", ".", "*", "?", "[ab]", "[!a]", "{a,b}", "{b,{.,a*}b}"];
    let mut chance = Chance(0x7A5C);
    let mut matched = 0;
    for round in 0..8_000 {
        let components: Vec<String> = (0..=chance.below(4))
            .map(|_| match chance.below(4) {
                0 => "**".to_owned(),
                1 => "{a/b,**}".to_owned(),
                _ => chance.joined(3, &tokens, ""),
            })
            .collect();
        let text = components.join("/");
        // Chance also writes `a**` and `..`, which are refused.
        let Ok(pattern) = Pattern::parse(text.as_bytes()) else { continue };
        for _ in 0..20 {
            let names: Vec<String> =
                (0..=chance.below(4)).map(|_| chance.joined(3, &["a", "b", "."], "")).collect();
            let path = names.join("/");
            if names.iter().any(|name| name == "." || name == "..") {
                continue;
            }
            for (dots, fast) in [
                (false, pattern.matches(path.as_bytes())),
                (true, pattern.matches_all(path.as_bytes())),
            ] {
                let slow = slow::matches(&text, &path, dots);
                assert_eq!(fast, slow, "round {round}: {text} on {path}, dots {dots}");
                matched += usize::from(fast);
            }
            let dirs = (0..path.len()).filter(|&at| path.as_bytes()[at] == b'/');
            if pattern.matches(path.as_bytes()) {
                assert!(dirs.clone().all(|at| pattern.may_contain(&path.as_bytes()[..at])));
                assert!(path.as_bytes().starts_with(pattern.base()), "{text} on {path}");
            }
            if dirs.clone().any(|at| pattern.covers(&path.as_bytes()[..at])) {
                assert!(
                    pattern.matches_all(path.as_bytes()),
                    "round {round}: {text} covers {path}"
                );
            }
        }
    }
    assert!(matched > 4_000, "the test sees matches: {matched}");
}

#[test]
fn overlaps_where_a_path_matches_both() {
    // Two tokens a name and three components need no longer witness than these.
    let names = ["a", "b", "aa", "ab", "ba", "bb"];
    let mut paths: Vec<String> = Vec::new();
    let mut level = vec![String::new()];
    for _ in 0..4 {
        level = (level.iter().flat_map(|dir| names.map(|name| format!("{dir}/{name}")))).collect();
        paths.extend(level.iter().map(|path| path[1..].to_owned()));
    }
    let mut chance = Chance(0x0E71);
    let tokens = ["a", "b", "*", "?", "[ab]", "[!a]"];
    let mut known: Vec<(String, Pattern, Vec<bool>)> = Vec::new();
    while known.len() < 200 {
        let components: Vec<String> = (0..=chance.below(3))
            .map(|_| match chance.below(3) {
                0 => "**".to_owned(),
                1 => chance.joined(2, &tokens, ""),
                _ => chance.joined(2, &tokens[..4], ""),
            })
            .collect();
        let text = components.join("/");
        let Ok(pattern) = Pattern::parse(text.as_bytes()) else { continue };
        let matched = paths.iter().map(|path| pattern.matches(path.as_bytes())).collect();
        known.push((text, pattern, matched));
    }
    let mut seen = [0, 0];
    for (a, first, in_first) in &known {
        for (b, second, in_second) in &known {
            let witness = in_first.iter().zip(in_second).any(|(x, y)| *x && *y);
            let overlaps = first.overlaps(second);
            assert!(overlaps || !witness, "{a} and {b} share a path");
            if !a.contains('[') && !b.contains('[') {
                assert_eq!(overlaps, witness, "{a} and {b}");
                seen[usize::from(witness)] += 1;
            }
        }
    }
    assert!(seen[0] > 1000 && seen[1] > 1000, "both answers are seen: {seen:?}");
}
