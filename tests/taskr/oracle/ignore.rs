//! `.gitignore` as far as the oracle writes it: names with a star, folders, anchors, negations. Its
//! own reading of them, so that taskr's is compared with another.

use super::random::Random;
use super::world::World;

/// Folders that may have a `.gitignore`.
pub(crate) const FOLDERS: [&str; 4] = ["", "src", "src/d1", "data"];

/// Lines of one. A file `f…` without `_skip` is named by none: a pattern that finds nothing is an
/// error.
const LINES: [&str; 12] = [
    "n*", "r*", "*_skip.c", "n?.c", "n1?c", "sub/", "/sub", "/d1/sub", "link", "s*", "# n*", "su?",
];

/// Lines that take some of it back.
const BACK: [&str; 6] = ["!n1*", "!r2.c", "!n*", "!link", "!sub", "!*_skip.c"];

/// Lines at random.
pub(crate) fn random_lines(random: &mut Random) -> Vec<&'static str> {
    let mut lines: Vec<&str> = (0..=random.below(3)).map(|_| *random.pick(&LINES)).collect();
    lines.extend((0..random.below(3)).map(|_| *random.pick(&BACK)));
    lines
}

impl World {
    /// Whether a pattern passes over `path`, having `written` as the folder that is written out.
    pub(crate) fn is_ignored(&self, path: &str, written: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut below = ends.filter(|end| *end > written.len());
        below.any(|end| self.is_named(&path[..end], end < path.len()))
    }

    /// What the last line says that fits, of the deepest folder.
    fn is_named(&self, path: &str, is_folder: bool) -> bool {
        let mut named = false;
        for (folder, lines) in &self.ignores {
            let inside = if folder.is_empty() { Some(path) } else { below(folder, path) };
            for line in lines.iter().filter(|line| !line.starts_with('#')) {
                let plain = line.trim_start_matches('!');
                if inside.is_some_and(|inside| fits(plain, inside, is_folder)) {
                    named = plain == *line;
                }
            }
        }
        named
    }
}

/// What of a path lies below a folder.
pub(crate) fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn fits(line: &str, path: &str, is_folder: bool) -> bool {
    if let Some(name) = line.strip_suffix('/') {
        return is_folder && fits(name, path, true);
    }
    match line.strip_prefix('/') {
        Some(anchored) => anchored == path,
        None => fits_name(line, path.rsplit('/').next().unwrap_or_default()),
    }
}

fn fits_name(line: &str, name: &str) -> bool {
    let rest = |text: &str| text.chars().next().map_or(0, char::len_utf8);
    match line.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            fits_name(&line[1..], name) || !name.is_empty() && fits_name(line, &name[rest(name)..])
        }
        Some('?') => !name.is_empty() && fits_name(&line[1..], &name[rest(name)..]),
        Some(first) => {
            name.starts_with(first) && fits_name(&line[rest(line)..], &name[rest(name)..])
        }
    }
}
