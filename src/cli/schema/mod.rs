//! `taskr schema`: what a Taskfile may have, and with `--events` what events are, as a JSON schema
//! (draft 2020-12), for editors and validators.

mod events;
mod schedule;
mod taskfile;

use serde_json::Value;

use super::End;
use super::args::Schema;
use super::out::print;
use crate::error::Error;

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

pub(super) fn schema(args: &Schema) -> Result<End, Error> {
    let schema: Value = if args.events { events::events() } else { taskfile::taskfile() };
    print(format!("{schema:#}\n").as_bytes())?;
    Ok(End::Code(0))
}
