//! Rows of text in columns.

use unicode_width::UnicodeWidthStr;

use crate::report::cut;

/// Rows as lines, each column as wide as its widest text, two spaces between. Columns that are
/// empty in all rows but the first are left out.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let widest = |at: usize| rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
    let used = |&at: &usize| rows.iter().skip(1).any(|row| !row[at].is_empty());
    let shown: Vec<(usize, usize)> = (0..N).filter(used).map(|at| (at, widest(at))).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for &(at, wide) in &shown {
            let fill = " ".repeat(wide - row[at].width() + 2);
            line += &format!("{}{fill}", row[at]);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// No column becomes narrower than this.
const LEAST: usize = 8;

/// The same in lines of at most `width` columns: texts in the columns `cut_in` give way, one column
/// after the other, before the lines themselves are cut.
pub(super) fn fitting<const N: usize>(
    mut rows: Vec<[String; N]>,
    width: Option<usize>,
    cut_in: &[usize],
) -> String {
    let mut text = columns(&rows);
    let Some(width) = width else { return text };
    for &at in cut_in {
        let over = text.lines().map(|line| line.width().saturating_sub(width)).max().unwrap_or(0);
        if over == 0 {
            return text;
        }
        let wide = rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
        let room = wide.saturating_sub(over).max(LEAST);
        rows.iter_mut().for_each(|row| row[at] = cut(&row[at], room));
        text = columns(&rows);
    }
    text.lines().map(|line| cut(line, width) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::{columns, fitting};

    #[test]
    fn some_columns_give_way_to_the_others() {
        let rows = || {
            let rows = [["run", "command", "end"], ["1", "taskr -j4 build everything", "exit 1"]];
            rows.map(|row| row.map(str::to_owned)).to_vec()
        };
        assert_eq!(fitting(rows(), None, &[1]), columns(&rows()));
        let lines = "run  command       end\n1    taskr -j4 b…  exit 1\n";
        assert_eq!(fitting(rows(), Some(25), &[1]), lines);
        assert_eq!(fitting(rows(), Some(12), &[1]), "run  comman…\n1    taskr …\n");
    }

    #[test]
    fn texts_stand_below_each_other() {
        let rows = [["run", "end", "what"], ["1", "", "日本"], ["22", "", "x"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "run  what\n1    日本\n22   x\n");
    }
}
