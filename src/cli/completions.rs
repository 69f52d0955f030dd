//! `taskr completions`.

use super::args::Completions;
use super::{End, not_there_yet};
use crate::error::Error;

pub(super) fn completions(_args: &Completions) -> Result<End, Error> {
    Err(not_there_yet("completions"))
}
