//! The manual, made from the definition of the command line.

use std::io;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::top::Cli;

/// Returns the page of each command that is not hidden, with its file's name; the program's own last.
///
/// # Errors
///
/// When a page cannot be written, which memory does not do.
pub(super) fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    let mut command = Cli::command();
    command.build();
    add(command, &mut pages)?;
    Ok(pages)
}

fn add(command: Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        add(part.clone(), pages)?;
    }
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render(&mut text)?;
    pages.push((man.get_filename(), text));
    Ok(())
}
