//! What a target reads beside one list of inputs: inputs in several lists.

use std::ops::Range;

use toml::de::DeTable;

use super::read::{Asker, Reader};
use super::{Target, Text, Word};

/// What a result depends on beside the command and plain inputs.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// The lists of `inputs`, if it is a table: their names, and which of the inputs they are.
    pub parts: Vec<(Word, Range<usize>)>,
}

impl Reader {
    /// `inputs` as a table: a list for each name.
    pub(super) fn parts(&mut self, target: &mut Target, table: &DeTable<'_>) {
        let mut inputs: Vec<Text> = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let example = format!("{name} = [\"src/**\"]");
            let asks = "a list of strings";
            let asker = Asker { name, asks, example: &example, filled: true };
            let named = self.plain_name(key, "list of inputs");
            if let (true, Some(texts)) = (named, self.list(value, asker)) {
                let start = inputs.len();
                inputs.extend(texts);
                let word = Word { text: name.to_owned(), place: self.place(key.span()) };
                target.reads.parts.push((word, start..inputs.len()));
            }
        }
        target.inputs = Some(inputs);
    }
}
