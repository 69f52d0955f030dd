//! `taskr man`.

use super::args::Man;
use super::{End, not_there_yet};
use crate::error::Error;

pub(super) fn man(_args: &Man) -> Result<End, Error> {
    Err(not_there_yet("man"))
}
