//! Taskfiles of any size, each in another way of writing many targets.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// The target that is asked for: it needs no other.
pub(super) const ONE: &str = "one";

const ONE_TEXT: &str = "[target.one]\ninputs = []\nrun = \"true\"\n";

/// Targets of one package.
const IN_PACKAGE: usize = 10;

/// One way of writing many targets.
pub(super) struct Shape {
    pub(super) name: &'static str,
    write: fn(usize, &Path) -> io::Result<()>,
}

/// All shapes, in the order of the table.
pub(super) const SHAPES: [Shape; 4] = [
    Shape { name: "explicit", write: explicit },
    Shape { name: "foreach", write: foreach },
    Shape { name: "templates", write: templates },
    Shape { name: "packages", write: packages },
];

impl Shape {
    /// Writes a project with so many targets, or tasks of one, and [`ONE`] into an empty folder.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn write(&self, targets: usize, dir: &Path) -> io::Result<()> {
        (self.write)(targets, dir)
    }
}

/// Each reads a file of its own and what the one before it made.
fn explicit(targets: usize, dir: &Path) -> io::Result<()> {
    let mut text = ONE_TEXT.to_owned();
    for number in 0..targets {
        let before = match number.checked_sub(1) {
            Some(before) => format!(", \"out/{before}\""),
            None => String::new(),
        };
        let _ = write!(
            text,
            "[target.t{number}]\ninputs = [\"src/{number}\"{before}]\noutputs = [\"out/{number}\"]\n\
             run = \"cat {{{{ inputs }}}} > {{{{ outputs }}}}\"\n"
        );
    }
    fs::write(dir.join("Taskfile.toml"), text)
}

/// One target over as many files.
fn foreach(targets: usize, dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join("src"))?;
    for number in 0..targets {
        fs::File::create(dir.join(format!("src/{number}.txt")))?;
    }
    let each = "[target.each]\nforeach = [\"src/*.txt\"]\noutputs = [\"out/{{ item.stem }}\"]\n\
                run = \"cp {{ item }} {{ outputs }}\"\n";
    fs::write(dir.join("Taskfile.toml"), format!("{ONE_TEXT}{each}"))
}

/// Each takes its fields from a template, and its name from a variable.
fn templates(targets: usize, dir: &Path) -> io::Result<()> {
    let mut text = format!(
        "{ONE_TEXT}[template.copy]\ninputs = [\"src/{{{{ from }}}}\"]\noutputs = [\"out/{{{{ name }}}}\"]\n\
         env = {{ MODE = \"plain\" }}\nrun = \"cp {{{{ inputs }}}} {{{{ outputs }}}}\"\n\
         [defaults]\ninputs = [\"tools.lock\"]\n"
    );
    for number in 0..targets {
        let _ =
            write!(text, "[target.t{number}]\nuse = \"copy\"\nvars = {{ from = \"{number}\" }}\n");
    }
    fs::write(dir.join("tools.lock"), "")?;
    fs::write(dir.join("Taskfile.toml"), text)
}

/// Packages of ten targets, each of which needs the package before it.
fn packages(targets: usize, dir: &Path) -> io::Result<()> {
    fs::write(dir.join("Taskfile.toml"), format!("include = [\"p/*\"]\n{ONE_TEXT}"))?;
    for package in 0..targets.div_ceil(IN_PACKAGE) {
        let mut text = match package.checked_sub(1) {
            Some(before) => format!("[package]\ndeps = [\"//p/{before}\"]\n"),
            None => String::new(),
        };
        let count = IN_PACKAGE.min(targets - package * IN_PACKAGE);
        for number in 0..count {
            let _ = write!(
                text,
                "[target.t{number}]\ninputs = [\"src/{number}\"]\noutputs = [\"out/{number}\"]\n\
                 run = \"cat {{{{ inputs }}}} > {{{{ outputs }}}}\"\n"
            );
        }
        if let Some(before) = package.checked_sub(1) {
            let _ = write!(
                text,
                "[target.all]\ninputs = [\"@//p/{before}:t0\", \"@t0\"]\nrun = \"cat {{{{ inputs }}}}\"\n"
            );
        }
        let folder = dir.join(format!("p/{package}"));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("Taskfile.toml"), text)?;
    }
    Ok(())
}
