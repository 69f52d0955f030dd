//! What becomes of results and inputs, as the tasks of a target have it.

use super::*;

#[test]
fn what_a_target_says_decides_what_is_kept() {
    let graph = World::with(&["a.c"]).graph(
        r#"
        [target.plain]
        inputs = []
        run = "x"
        [target.kept]
        inputs = []
        cache = true
        max_age = "90s"
        relocatable = true
        run = "x"
        [target.local]
        inputs = []
        cache = "local"
        run = "x"
        [target.not]
        inputs = []
        cache = false
        run = "x"
        [target.asked]
        inputs = []
        fresh_if = "test -e x"
        shell = ["bash", "-c"]
        exec = ["x"]
        [target.mine]
        inputs = []
        outputs = ["b/**"]
        keep_outputs = true
        run = "x"
        [target.fmt]
        foreach = ["*.c"]
        fixes_inputs = true
        restage = true
        run = "x"
    "#,
    );
    let policy = |name: &str| {
        let id = graph.find(name).unwrap_or_else(|| panic!("{name}"));
        &graph.task(id).rule.target.policy
    };
    for (name, cache) in [
        ("plain", Cache::WhereItPays),
        ("kept", Cache::Always),
        ("local", Cache::Always),
        ("not", Cache::Never),
        ("asked", Cache::Never),
        ("mine", Cache::Never),
        ("fmt@a.c", Cache::Never),
    ] {
        assert_eq!(policy(name).cache, cache, "{name}");
    }
    assert_eq!((policy("kept").max_age_ms, policy("kept").relocatable), (Some(90_000), true));
    assert_eq!((policy("plain").max_age_ms, policy("plain").relocatable), (None, false));
    assert!(policy("mine").keep_outputs && !policy("plain").keep_outputs);
    assert!(policy("fmt@a.c").fixes_inputs && policy("fmt@a.c").restage);
    let Some(Action::Shell { shell, lines }) = &policy("asked").fresh_if else {
        panic!("a line for a shell")
    };
    let words = |texts: &[Text]| {
        texts.iter().map(|text| text.template.source().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (words(shell), words(lines)),
        (vec!["bash".into(), "-c".into()], vec!["test -e x".into()])
    );
}
