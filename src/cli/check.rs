//! `taskr check`.

use super::args::Check;
use super::workspace::Workspace;
use super::{End, not_there_yet};
use crate::error::Error;

pub(super) fn check(_args: &Check, _workspace: Result<Workspace, Error>) -> Result<End, Error> {
    Err(not_there_yet("check"))
}
