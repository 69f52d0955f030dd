//! `taskr status`.

use super::args::Status;
use super::workspace::Workspace;
use super::{End, not_there_yet};
use crate::error::Error;

pub(super) fn status(_args: &Status, _workspace: &Workspace) -> Result<End, Error> {
    Err(not_there_yet("status"))
}
