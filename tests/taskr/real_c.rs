//! C that nobody here wrote: zstd and SQLite, as the crates `zstd-sys` and `libsqlite3-sys` carry
//! them, built into two programs that are run.
//!
//! Which objects an edited header concerns is asked of the compiler (`cc -MM`), never of taskr's
//! own depfiles. What ran is told twice, by a wrapper around the compiler and by the event stream,
//! and both must agree. Whether the link had to run is told by the objects' bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use filetime::FileTime;
use serde_json::Value;

use crate::project::{Project, Run, tree};

const TASKFILE: &str = r#"
default = ["check"]

[vars]
cc     = "logged-cc"
cflags = ["-O0", "-g0", "-DZSTD_DISABLE_ASM", "-Ilib"]
small  = ["-O0", "-g0", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-Isqlite"]
deps   = ["-MD", "-MF", "{{ depfile }}"]

[target.obj]
foreach = ["lib/**/*.c", "src/main.c"]
exec    = ["{{ cc }}", "{{ cflags }}", "{{ deps }}", "-c", "{{ item }}", "-o", "{{ out }}/{{ item.stem }}.o"]

[target.app]
inputs  = ["@obj"]
outputs = ["bin/app"]
exec    = ["{{ cc }}", "-o", "{{ outputs }}", "{{ inputs }}"]

[target.sqlite]
inputs  = ["sqlite/sqlite3.c"]
exec    = ["{{ cc }}", "{{ small }}", "{{ deps }}", "-c", "{{ inputs }}", "-o", "{{ out }}/sqlite3.o"]

[target.version]
inputs  = ["src/version.c", "@sqlite"]
outputs = ["bin/version"]
exec    = ["{{ cc }}", "{{ small }}", "{{ deps }}", "-o", "{{ outputs }}", "{{ inputs }}", "-lm"]

[target.check]
inputs = ["@app", "@version"]
run    = "ran check; bin/app; bin/version"
"#;

/// The flags of `cflags`, for the test's own questions to the compiler.
const CFLAGS: [&str; 4] = ["-O0", "-g0", "-DZSTD_DISABLE_ASM", "-Ilib"];

/// Packs and unpacks a mebibyte that repeats itself, and prints the sizes.
const MAIN: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "zstd.h"

static char text[1 << 20], back[1 << 20];

int main(void) {
    size_t room = ZSTD_compressBound(sizeof text);
    char *packed = malloc(room);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "only what changed is built"[i * i % 26];
    size_t small = ZSTD_compress(packed, room, text, sizeof text, 3);
    if (ZSTD_isError(small)) return 2;
    size_t large = ZSTD_decompress(back, sizeof back, packed, small);
    if (large != sizeof text || memcmp(text, back, large) != 0) return 3;
    printf("zstd %s: %zu %zu %zu\n", ZSTD_versionString(), sizeof text, small, large);
    return 0;
}
"#;

const VERSION: &str = r#"
#include <stdio.h>
#include "sqlite3.h"

int main(void) {
    printf("sqlite %s\n", sqlite3_libversion());
    return 0;
}
"#;

/// Logs what the compiler was asked for, the source of an object or the name of a program, and
/// becomes the compiler.
pub(crate) const LOGGED_CC: &str = r#"
for word; do
    case $before in -c) source=$word ;; -o) program=${word##*/} ;; esac
    before=$word
done
ran "${source-$program}"
exec cc "$@""#;

/// The object of `lib/common/debug.c`.
const DEBUG_O: &str = ".taskr/tasks/obj@lib%2Fcommon%2Fdebug.c/out/debug.o";

/// A set of tasks by their names, as taskr prints them.
type Tasks = BTreeSet<String>;

#[test]
fn real_c() {
    let c = RealC::new();
    c.builds_programs_that_work();
    c.has_nothing_to_do();
    c.comments_stop_at_the_objects();
    c.new_constants_reach_the_programs();
    c.a_header_moves();
    c.a_header_breaks_and_is_mended();
    c.sqlite_is_apart();
    c.touches_and_a_lost_object();
    c.a_source_comes_and_goes();
}

/// The project, its sources in place.
struct RealC {
    p: Project,
    /// What `bin/app` must call itself.
    zstd_version: String,
}

impl RealC {
    fn new() -> RealC {
        let metadata = cargo_metadata();
        let (sqlite, _) = package(&metadata, "libsqlite3-sys");
        let p = Project::new(TASKFILE);
        p.program("logged-cc", LOGGED_CC).write("src/version.c", VERSION);
        let zstd_version = write_zstd(&p.root(), &metadata);
        fs::create_dir(p.path("sqlite")).expect("a folder");
        for name in ["sqlite3.c", "sqlite3.h"] {
            fs::copy(sqlite.join("sqlite3").join(name), p.path("sqlite").join(name)).expect(name);
        }
        p.accept_files();
        RealC { p, zstd_version }
    }

    fn builds_programs_that_work(&self) {
        let objects: Tasks = self.includes().into_keys().collect();
        assert!(objects.len() > 25, "zstd is not there: {objects:?}");
        self.build(&with(&objects, &["sqlite", "app", "version", "check"]));
        let header = self.text("sqlite/sqlite3.h");
        let sqlite = header.split_once("#define SQLITE_VERSION ").expect("a version").1;
        let sqlite = sqlite.split('"').nth(1).expect("a quoted version");
        assert_eq!(self.answer("version"), ["sqlite", sqlite]);
        let answer = self.answer("app");
        assert_eq!(answer[..2], ["zstd", &format!("{}:", self.zstd_version)]);
        let sizes = answer[2..].iter().map(|size| size.parse().expect("a size"));
        let sizes: Vec<usize> = sizes.collect();
        assert!(matches!(sizes[..], [1_048_576, 1..100_000, 1_048_576]), "{answer:?}");
    }

    fn has_nothing_to_do(&self) {
        self.build(&none());
        self.p.taskr(["-j2", "--rehash"]).ok();
        self.p.write("lib/common/unread.h", "#error nobody includes this\n");
        self.build(&none());
    }

    /// With `-g0` an object knows no lines unless the source asks for them.
    fn comments_stop_at_the_objects(&self) {
        let wide = self.edit(&["lib/common/compiler.h"], |text| {
            format!("{} /* no new line */\n", text.trim_end())
        });
        assert!(wide.len() > 20, "no longer widely included: {wide:?}");
        let few = self.edit(&["lib/compress/hist.h", "lib/dictBuilder/cover.h"], |text| {
            format!("{} /* no new line */\n", text.trim_end())
        });
        assert!((2..15).contains(&few.len()), "no longer rarely included: {few:?}");
        let one = self.edit(&["lib/compress/zstd_ldm_geartab.h"], |text| {
            format!("/* every line moves */\nextern int undefined_and_unused;\n{text}")
        });
        assert_eq!(one.len(), 1);
    }

    /// Edits headers in a way that changes no object. The objects that were rebuilt.
    fn edit(&self, headers: &[&str], change: impl Fn(&str) -> String) -> Tasks {
        let before = self.objects();
        let mut concerned = Tasks::new();
        for header in headers {
            self.p.write(header, &change(&self.text(header)));
            concerned.append(&mut self.includers(header));
        }
        self.build(&concerned);
        self.reasons_are(headers);
        assert_eq!(self.objects(), before, "objects after an edit that says nothing");
        self.build(&none());
        concerned
    }

    fn new_constants_reach_the_programs(&self) {
        let before = self.objects();
        let table = self.text("lib/compress/zstd_ldm_geartab.h");
        let (head, tail) = table.split_once("0x").expect("a table of constants");
        self.p.write("lib/compress/zstd_ldm_geartab.h", &format!("{head}1 ^ 0x{tail}"));
        let concerned = self.includers("lib/compress/zstd_ldm_geartab.h");
        self.build(&with(&concerned, &["app", "check"]));
        assert_eq!(changed(&before, &self.objects()), concerned);

        let before = self.objects();
        let header = self.text("lib/zstd.h");
        let (head, tail) = header.split_once("#define ZSTD_VERSION_RELEASE ").expect("a version");
        let (_, tail) = tail.split_once('\n').expect("a line");
        self.p.write("lib/zstd.h", &format!("{head}#define ZSTD_VERSION_RELEASE 99\n{tail}"));
        let concerned = self.includers("lib/zstd.h");
        self.build(&with(&concerned, &["app", "check"]));
        let changed = changed(&before, &self.objects());
        assert!(changed.contains("obj@lib/common/zstd_common.c"), "{changed:?}");
        assert!(changed.is_subset(&concerned) && changed.len() < concerned.len(), "{changed:?}");
        assert!(self.answer("app")[1].ends_with(".99:"));
    }

    /// The old depfile names a header that is gone; no rule could ever make it again.
    fn a_header_moves(&self) {
        let before = self.objects();
        let source = self.text("lib/compress/zstd_compress.c");
        assert!(source.contains("#include \"clevels.h\""));
        self.p.rename("lib/compress/clevels.h", "lib/compress/levels.h");
        self.p.write("lib/compress/zstd_compress.c", &source.replace("\"clevels.h", "\"levels.h"));
        let concerned = self.includers("lib/compress/levels.h");
        assert_eq!(concerned, names(&["obj@lib/compress/zstd_compress.c"]));
        self.build(&concerned);
        assert_eq!(self.objects(), before);
        self.p.write("lib/compress/levels.h", &(self.text("lib/compress/levels.h") + "\n"));
        self.build(&concerned);
        self.reasons_are(&["lib/compress/levels.h"]);
    }

    fn a_header_breaks_and_is_mended(&self) {
        let header = "lib/dictBuilder/cover.h";
        let concerned = self.includers(header);
        let good = self.text(header);
        self.p.write(header, &format!("#error broken\n{good}"));
        self.run(&["-k"], &concerned).says("#error broken").exits(1);
        assert!(self.answer("app")[1].ends_with(".99:"), "the program is still there");
        self.p.write(header, &format!("/* mended */\n{good}"));
        self.build(&concerned);
    }

    fn sqlite_is_apart(&self) {
        let header = self.text("sqlite/sqlite3.h");
        self.p.write("sqlite/sqlite3.h", &format!("/* the amalgamation has its own */\n{header}"));
        self.build(&names(&["version"]));
        self.reasons_are(&["sqlite/sqlite3.h"]);
    }

    fn touches_and_a_lost_object(&self) {
        let objects = self.objects();
        let sources = tree(&self.p.root());
        assert!(sources.len() > 70 && objects.len() > 25);
        for path in sources.keys().chain(objects.keys()) {
            filetime::set_file_mtime(self.p.path(path), FileTime::now()).expect("a touch");
        }
        self.build(&none());
        fs::remove_file(self.p.path(DEBUG_O)).expect("an object");
        self.build(&names(&["obj@lib/common/debug.c"]));
        assert_eq!(self.objects(), objects);
    }

    fn a_source_comes_and_goes(&self) {
        let before = self.objects();
        self.p.write("lib/common/extra.c", "#include \"mem.h\"\nint extra(void) { return 1; }\n");
        self.build(&names(&["obj@lib/common/extra.c", "app", "check"]));
        assert_eq!(changed(&before, &self.objects()), names(&["obj@lib/common/extra.c"]));
        self.p.remove("lib/common/extra.c");
        self.build(&names(&["app", "check"]));
        assert_eq!(self.objects(), before, "an object without a source");
        self.build(&none());
    }

    /// Builds everything; exactly these tasks run.
    #[track_caller]
    fn build(&self, tasks: &Tasks) {
        self.run(&[], tasks).ok();
        let started: Tasks = self.started().into_keys().collect();
        assert_eq!(&started, tasks, "tasks started, by the events");
    }

    /// A run of all targets, by the compiler's log exactly these tasks. Only links change files.
    fn run(&self, options: &[&str], tasks: &Tasks) -> Run<'_> {
        let mut args: Vec<OsString> = vec!["-j2".into(), "--events".into(), self.events().into()];
        args.extend(options.iter().map(OsString::from));
        let call = |task: &String| match task.as_str() {
            "sqlite" => "sqlite/sqlite3.c".to_owned(),
            task => task.strip_prefix("obj@").unwrap_or(task).to_owned(),
        };
        let run = self.p.taskr(args).ran(tasks.iter().map(call));
        if tasks.contains("app") { run.any_files() } else { run }
    }

    fn events(&self) -> PathBuf {
        self.p.outside("events.jsonl")
    }

    /// The tasks that the last run started, each with the paths that its reasons name.
    fn started(&self) -> BTreeMap<String, Vec<String>> {
        let events = fs::read_to_string(self.events()).expect("events");
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let started = events.filter(|event| event["event"] == "task_started");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let paths = |event: &Value| {
            let reasons = event["reasons"].as_array().expect("reasons");
            reasons.iter().map(|reason| text(&reason["path"])).collect()
        };
        started.map(|event| (text(&event["task"]), paths(&event))).collect()
    }

    /// Each task of the last run was started because of these headers and of nothing else.
    #[track_caller]
    fn reasons_are(&self, headers: &[&str]) {
        for (task, paths) in self.started() {
            let known = paths.iter().all(|path| headers.contains(&path.as_str()));
            assert!(known && !paths.is_empty(), "{task} because of {paths:?}, not {headers:?}");
        }
    }

    /// The objects whose translation units include a header, by the compiler's own list.
    fn includers(&self, header: &str) -> Tasks {
        let header = fs::canonicalize(self.p.path(header)).expect("a header");
        let mut includes = self.includes();
        includes.retain(|_, files| files.contains(&header));
        includes.into_keys().collect()
    }

    /// What each object's translation unit reads, by `cc -MM`.
    fn includes(&self) -> BTreeMap<String, BTreeSet<PathBuf>> {
        let files = tree(&self.p.root()).into_keys();
        let sources = files.filter(|path| {
            path.extension().is_some_and(|ext| ext == "c")
                && (path.starts_with("lib") || path.ends_with("main.c"))
        });
        let mut cc = Command::new("cc");
        cc.arg("-MM").args(CFLAGS).args(sources).current_dir(self.p.root());
        self.p.clear_environment(&mut cc);
        let output = cc.output().unwrap_or_else(|error| {
            panic!("no C compiler: `cc`: {error}. Install the Debian package gcc")
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}\nIs the Debian package libc6-dev there?");
        let rules = String::from_utf8(output.stdout).expect("plain paths").replace("\\\n", " ");
        rules.lines().map(|rule| self.rule(rule)).collect()
    }

    /// `zdict.o: lib/dictBuilder/zdict.c lib/dictBuilder/../common/mem.h` as a task and its files.
    fn rule(&self, rule: &str) -> (String, BTreeSet<PathBuf>) {
        let (_, words) = rule.split_once(": ").expect("a rule");
        let source = words.split_whitespace().next().expect("a source");
        let files = words.split_whitespace();
        let files = files.map(|file| fs::canonicalize(self.p.path(file)).expect("it was read"));
        (format!("obj@{source}"), files.collect())
    }

    /// The digests of all of zstd's objects, by their paths in the workspace.
    fn objects(&self) -> BTreeMap<PathBuf, blake3::Hash> {
        let tasks = fs::read_dir(self.p.path(".taskr/tasks")).expect("task folders").flatten();
        let folders = tasks.filter(|task| task.file_name().as_encoded_bytes().starts_with(b"obj@"));
        let files = folders.flat_map(|task| fs::read_dir(task.path().join("out"))).flatten();
        let digests = files.map(|file| {
            let path = file.expect("an entry").path();
            let digest = blake3::hash(&fs::read(&path).expect("an object"));
            (path.strip_prefix(self.p.root()).expect("in the workspace").to_owned(), digest)
        });
        digests.filter(|(path, _)| path.extension().is_some_and(|ext| ext == "o")).collect()
    }

    /// The words that a built program prints.
    fn answer(&self, program: &str) -> Vec<String> {
        let output = Command::new(self.p.path("bin").join(program)).output().expect(program);
        assert!(output.status.success(), "{program}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// A file of the workspace, whose every byte will be written back.
    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.p.path(path)).expect(path)
    }
}

/// Everything that Cargo.lock names, with where its source lies; asks the network only for what
/// is not there yet.
pub(crate) fn cargo_metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ask = |options: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(["metadata", "--locked", "--format-version", "1"]).args(options);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs")
    };
    let mut output = ask(&["--offline"]);
    if !output.status.success() {
        output = ask(&[]);
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The folder and the version of a package.
fn package(metadata: &Value, name: &str) -> (PathBuf, String) {
    let mut packages = metadata["packages"].as_array().expect("packages").iter();
    let package = packages.find(|package| package["name"] == name);
    let package = package.unwrap_or_else(|| panic!("Cargo.lock has no {name}"));
    let manifest = package["manifest_path"].as_str().expect("a path");
    let folder = Path::new(manifest).parent().expect("a folder");
    (folder.to_owned(), package["version"].as_str().expect("a version").to_owned())
}

/// Writes zstd's sources to `lib` and a program that uses it to `src/main.c`. Its version.
pub(crate) fn write_zstd(root: &Path, metadata: &Value) -> String {
    let (zstd, version) = package(metadata, "zstd-sys");
    for folder in ["", "common", "compress", "decompress", "dictBuilder"] {
        copy_c(&zstd.join("zstd/lib").join(folder), &root.join("lib").join(folder));
    }
    fs::create_dir_all(root.join("src")).expect("a folder");
    fs::write(root.join("src/main.c"), MAIN).expect("a file");
    let (_, version) = version.split_once("+zstd.").expect("zstd's own version");
    version.to_owned()
}

/// Copies the C files of one folder.
fn copy_c(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("zstd's sources") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ext| ext == "c" || ext == "h") {
            fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
        }
    }
}

/// The tasks whose objects are new or differ.
fn changed(
    before: &BTreeMap<PathBuf, blake3::Hash>,
    after: &BTreeMap<PathBuf, blake3::Hash>,
) -> Tasks {
    let differ = after.iter().filter(|(path, digest)| before.get(*path) != Some(digest));
    let task = |path: &Path| path.iter().nth(2)?.to_str().map(|name| name.replace("%2F", "/"));
    differ.map(|(path, _)| task(path).expect("a task's folder")).collect()
}

fn names(tasks: &[&str]) -> Tasks {
    tasks.iter().map(|&task| task.to_owned()).collect()
}

fn none() -> Tasks {
    Tasks::new()
}

fn with(tasks: &Tasks, more: &[&str]) -> Tasks {
    tasks.union(&names(more)).cloned().collect()
}
