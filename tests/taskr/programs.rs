//! The programs that a task runs are inputs: by content, through the PATH, with their interpreter.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::Project;

#[test]
fn program_replaced() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["in"]
        outputs = ["a"]
        exec    = ["mytool", "{{ outputs }}"]
        "#,
    );
    p.write("in", "i").program("mytool", "ran a; echo 1 > \"$1\"");
    p.taskr(["a"]).ran(["a"]).makes("a", "1\n").ok();
    p.fresh("a");
    p.program("mytool", "ran a; echo 2 > \"$1\"");
    p.taskr(["a"]).ran(["a"]).makes("a", "2\n").ok();
    p.fresh("a");
}

#[test]
fn program_of_a_plain_word_line_replaced() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["in"]
        run     = "mytool in"
        "#,
    );
    p.write("in", "i").program("mytool", "ran a");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
    p.program("mytool", "ran b");
    p.taskr(["a"]).ran(["b"]).ok();
    p.fresh("a");
}

#[test]
fn another_program_of_that_name_comes_first_in_path() {
    let p = Project::new("[target.a]\ninputs = []\nexec = [\"sometool\"]\n");
    let program = p.outside("bin/sometool");
    p.program("sometool", "ran a");
    p.taskr(["a"]).ran(["a"]).ok();
    let earlier = p.outside("earlier");
    fs::create_dir(&earlier).expect("a folder");
    fs::write(earlier.join("sometool"), "#!/bin/sh\nran b\n").expect("a script");
    fs::set_permissions(earlier.join("sometool"), fs::Permissions::from_mode(0o755)).expect("mode");
    let folder = program.parent().expect("bin").display().to_string();
    let path = format!("{}:{folder}:/usr/bin:/bin", earlier.display());
    p.taskr(["a"]).env("PATH", &path).ran(["b"]).ok();
    p.taskr(["a"]).env("PATH", &path).ok();
}

#[test]
fn interpreter_replaced() {
    let p = Project::new(
        r#"
        [target.a]
        inputs  = ["in"]
        outputs = ["a"]
        exec    = ["mytool", "{{ outputs }}"]
        "#,
    );
    let interpreter = p.outside("bin/interpreter");
    fs::copy("/bin/sh", &interpreter).expect("a copy");
    p.write("in", "i").program("mytool", "");
    let script = format!("#!{}\nran a; echo 1 > \"$1\"\n", interpreter.display());
    fs::write(p.outside("bin/mytool"), script).expect("a script");
    p.taskr(["a"]).ran(["a"]).makes("a", "1\n").ok();
    p.fresh("a");
    let mut newer = fs::read(&interpreter).expect("it is there");
    newer.push(0);
    fs::write(&interpreter, newer).expect("a program");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
}

/// `#!/usr/bin/env NAME`: what is looked up counts, not only `env`.
#[test]
fn interpreter_that_env_looks_up_replaced() {
    for line in ["env myshell", "env -S PLACE=1 myshell -e"] {
        let p = Project::new("[target.a]\ninputs = [\"in\"]\nexec = [\"mytool\"]\n");
        p.write("in", "i").program("mytool", "").program("myshell", "exec /bin/sh \"$@\"");
        fs::write(p.outside("bin/mytool"), format!("#!/usr/bin/{line}\nran a\n"))
            .expect("a script");
        p.taskr(["a"]).ran(["a"]).ok();
        p.fresh("a");
        p.program("myshell", "ran new; exec /bin/sh \"$@\"");
        p.taskr(["-v", "a"]).ran(["new", "a"]).says("myshell changed").ok();
        p.fresh("a");
    }
}

/// A script that is an input, too, is started by its interpreter none the less.
#[test]
fn interpreter_of_a_script_among_the_inputs_replaced() {
    let p = Project::new("[target.a]\ninputs = [\"tool\"]\nexec = [\"./tool\"]\n");
    p.write("tool", "#!/usr/bin/env myshell\nran a\n").chmod("tool", 0o755);
    p.program("myshell", "exec /bin/sh \"$@\"");
    p.taskr(["a"]).ran(["a"]).ok();
    p.fresh("a");
    p.program("myshell", "ran new; exec /bin/sh \"$@\"");
    p.taskr(["a"]).ran(["new", "a"]).ok();
    p.fresh("a");
}
