//! `taskr man`: the manual page, made of the same words as `--help`.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::End;
use super::help::{GUIDE, SECTIONS, command, tools};
use super::out::print;
use crate::error::Error;

/// Options of every command, told once.
const COMMON: [&str; 4] = ["directory", "file", "defines", "color"];

pub(super) fn man() -> Result<End, Error> {
    let page = page().map_err(|cause| Error::Io {
        doing: "cannot write".to_owned(),
        path: "the manual page".into(),
        cause,
    })?;
    print(&page)?;
    Ok(End::Code(0))
}

fn page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let command = command().mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(command).manual("taskr");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis().to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    tools_section(&mut page)?;
    sections().to_writer(&mut page)?;
    Ok(page)
}

fn synopsis() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("taskr"), roman(" [OPTIONS] [TARGET]...")]);
    roff.control("br", []);
    roff.text([bold("taskr"), roman(" TOOL ...")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "taskr reads a Taskfile.toml and builds the targets that are named, or its `default`. A \
         task runs if the contents of what it depends on changed, or if its outputs are not as it \
         left them; `taskr why` says which. The first word that is no option is a target if the \
         Taskfile has one of that name, else a tool. `taskr run NAME` is always the target, \
         `taskr tool NAME` always the tool.",
    )]);
    roff
}

/// Each tool with the options that only it has.
fn tools_section(page: &mut Vec<u8>) -> io::Result<()> {
    Roff::new().control("SH", ["TOOLS"]).to_writer(page)?;
    for tool in tools() {
        let about = tool.get_about().map(ToString::to_string).unwrap_or_default();
        let usage = tool.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        let mut roff = Roff::new();
        roff.control("SS", [usage]);
        roff.text([roman(format!("{about}."))]);
        roff.to_writer(page)?;
        options_of(tool, page)?;
    }
    Ok(())
}

fn options_of(tool: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let tool = tool.disable_help_flag(true).disable_version_flag(true);
    let tool = tool.mut_args(|arg| match COMMON.contains(&arg.get_id().as_str()) {
        true => arg.hide(true),
        false => arg,
    });
    if tool.get_arguments().all(clap::Arg::is_hide_set) {
        return Ok(());
    }
    let mut section = Vec::new();
    Man::new(tool).render_options_section(&mut section)?;
    // The heading is that of a page of its own.
    let text = String::from_utf8_lossy(&section);
    page.extend_from_slice(text.replacen(".SH OPTIONS\n", "", 1).as_bytes());
    Ok(())
}

fn sections() -> Roff {
    let mut roff = Roff::new();
    for section in &SECTIONS {
        let title = match section.title {
            "Exit codes" => "EXIT STATUS".to_owned(),
            title => title.to_uppercase(),
        };
        roff.control("SH", [title.as_str()]);
        for (term, meaning) in section.rows {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*meaning)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(format!("The guide: {GUIDE}"))]);
    roff.control("br", []);
    roff.text([bold("make"), roman("(1), "), bold("ninja"), roman("(1)")]);
    roff
}
