//! What an intent says: what stood at a task's outputs when it began, and where they are.
//!
//! Layout of the body: the run's id behind its length (u32 LE); number of paths, each behind its
//! length; number of outputs, each a byte (0 a path, 1 a pattern) and its text behind its length. An
//! empty body belongs to a task that is dirty, but whose outputs were put in order again.

use crate::files::Pattern;
use crate::graph::Output;

/// The body of an intent.
#[derive(Debug, Default)]
pub struct IntentBody {
    /// The run that wrote it: files that had to give way are kept under this name.
    pub run_id: String,
    /// Files that stood at the outputs before.
    pub standing: Vec<Vec<u8>>,
    /// The declared outputs.
    pub outputs: Vec<Output>,
}

impl IntentBody {
    /// See the module.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_bytes(&mut body, self.run_id.as_bytes());
        put_len(&mut body, self.standing.len());
        for path in &self.standing {
            put_bytes(&mut body, path);
        }
        put_len(&mut body, self.outputs.len());
        for output in &self.outputs {
            body.push(u8::from(matches!(output, Output::Glob(_))));
            put_bytes(&mut body, output.text());
        }
        body
    }

    /// None for an empty body, or one that is damaged.
    pub fn decode(mut body: &[u8]) -> Option<IntentBody> {
        let run_id = String::from_utf8(take_bytes(&mut body)?).ok()?;
        let count = take_len(&mut body)?;
        let standing = (0..count).map(|_| take_bytes(&mut body)).collect::<Option<_>>()?;
        let count = take_len(&mut body)?;
        let outputs = (0..count).map(|_| take_output(&mut body)).collect::<Option<_>>()?;
        Some(IntentBody { run_id, standing, outputs })
    }
}

fn take_output(body: &mut &[u8]) -> Option<Output> {
    let (&kind, rest) = body.split_first()?;
    *body = rest;
    let text = take_bytes(body)?;
    match kind {
        0 => Some(Output::Path(text)),
        _ => Some(Output::Glob(Pattern::parse(&text).ok()?)),
    }
}

fn put_len(body: &mut Vec<u8>, len: usize) {
    body.extend_from_slice(&u32::try_from(len).expect("fewer than 2^32 items").to_le_bytes());
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    put_len(body, bytes.len());
    body.extend_from_slice(bytes);
}

fn take_len(body: &mut &[u8]) -> Option<usize> {
    let (len, rest) = body.split_first_chunk::<4>()?;
    *body = rest;
    usize::try_from(u32::from_le_bytes(*len)).ok()
}

fn take_bytes(body: &mut &[u8]) -> Option<Vec<u8>> {
    let len = take_len(body)?;
    let (bytes, rest) = body.split_at_checked(len)?;
    *body = rest;
    Some(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_round_trips_and_every_truncation_is_refused() {
        let body = IntentBody {
            run_id: "1-2".to_owned(),
            standing: vec![b"bin/a".to_vec(), b"\xff".to_vec()],
            outputs: vec![
                Output::Path(b"bin/[a]".to_vec()),
                Output::Glob(Pattern::parse(b"dist/**/*.js").unwrap()),
            ],
        };
        let bytes = body.encode();
        let read = IntentBody::decode(&bytes).unwrap();
        assert_eq!(read.standing, body.standing);
        assert_eq!(read.encode(), bytes);
        for len in 0..bytes.len() {
            assert!(IntentBody::decode(&bytes[..len]).is_none(), "length {len}");
        }
    }
}
