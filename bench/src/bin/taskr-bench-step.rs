//! The small program that generated projects call as `tools/step`: it does what a command of plain
//! words would do, and no more.
//!
//! `join OUT IN…` writes the inputs one behind the other, `size OUT IN…` how large they are, `list
//! OUT DIR` how much lies in a folder. If `../steps` is there it gets one byte more, so that who
//! measures knows how much ran.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match step(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("step {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn step(words: &[String]) -> io::Result<()> {
    if let Ok(mut steps) = OpenOptions::new().append(true).open("../steps") {
        steps.write_all(b".")?;
    }
    let [verb, out, inputs @ ..] = words else { return Err(io::Error::other("too few words")) };
    match verb.as_str() {
        "join" => {
            let mut joined = Vec::new();
            for input in inputs {
                joined.extend(fs::read(input)?);
            }
            fs::write(out, joined)
        }
        "size" => {
            let sizes: io::Result<Vec<u64>> =
                inputs.iter().map(|input| Ok(fs::metadata(input)?.len())).collect();
            writeln!(File::create(out)?, "{}", sizes?.iter().sum::<u64>())
        }
        "list" => {
            let [dir] = inputs else { return Err(io::Error::other("list takes one folder")) };
            writeln!(File::create(out)?, "{}", fs::read_dir(dir)?.count())
        }
        _ => Err(io::Error::other("there is no such step")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_writes_what_it_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        fs::write(path("a"), "one\n").expect("a file");
        fs::write(path("b"), "three\n").expect("a file");
        let step = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            step(&words).map(|()| fs::read_to_string(path("out")).expect("an output"))
        };
        let (out, a, b) = (path("out"), path("a"), path("b"));
        assert_eq!(step(&["join", &out, &a, &b]).expect("joined"), "one\nthree\n");
        assert_eq!(step(&["size", &out, &a, &b]).expect("measured"), "10\n");
        assert_eq!(step(&["list", &out, &folder.path().to_string_lossy()]).expect("listed"), "3\n");
        assert!(step(&["join", &out, &path("absent")]).is_err());
        assert!(step(&["list", &out]).is_err());
        assert!(step(&["guess", &out]).is_err());
    }
}
