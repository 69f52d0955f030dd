//! `taskr show`.

use super::args::Show;
use super::workspace::Workspace;
use super::{End, not_there_yet};
use crate::error::Error;

pub(super) fn show(_args: &Show, _workspace: &Workspace) -> Result<End, Error> {
    Err(not_there_yet("show"))
}
