//! Rows of text in columns.

use unicode_width::UnicodeWidthStr;

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

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn texts_stand_below_each_other() {
        let rows = [["run", "end", "what"], ["1", "", "日本"], ["22", "", "x"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "run  what\n1    日本\n22   x\n");
    }
}
