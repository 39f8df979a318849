//! The reference of the command line, from its definition.

use clap::{Arg, Command, CommandFactory as _};

use super::{cell, check};
use crate::cli::top::Cli;

const HEAD: &str = "# Commands\n\nGenerated from the program by `./tests/run docs`. Every listing takes \
`--format table|json|yaml`.\n\nExit codes: 0 ok, 2 usage, 3 not found, 4 conflict, 5 denied, 6 unavailable \
or too late, 7 limit, 8 defect or a database of a newer version, 130 interrupted; `doctor` and `health` also 1, \
when there are warnings alone.\n";

#[test]
fn the_reference_of_commands_is_what_the_program_understands() {
    let mut command = Cli::command().term_width(0);
    command.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Options of every command\n");
    table(command.get_arguments().filter(|arg| arg.is_global_set()), &mut page);
    section(&command, &mut page);
    check("cli.md", &page);
}

/// Returns every command that does something, by the words that it is called with.
pub(super) fn leaves(command: &Command) -> Vec<String> {
    let mut found = Vec::new();
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        let below = leaves(part);
        let acts_itself = below.is_empty() || part.get_positionals().next().is_some();
        found.extend(acts_itself.then(|| part.get_name().to_owned()));
        found.extend(below.into_iter().map(|name| format!("{} {name}", part.get_name())));
    }
    found
}

fn section(command: &Command, page: &mut String) {
    let name = command.get_display_name().unwrap_or("stratavore").replace('-', " ");
    let name = if command.get_name() == "stratavore" { "stratavore".to_owned() } else { name };
    page.push_str(&format!("\n## {name}\n"));
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        page.push_str(&format!("\n{}.\n", about.to_string().trim_end_matches('.')));
    }
    let aliases: Vec<_> = command.get_visible_aliases().map(|one| format!("`{one}`")).collect();
    if !aliases.is_empty() {
        page.push_str(&format!("\nAlso: {}.\n", aliases.join(", ")));
    }
    let usage = command.clone().render_usage().to_string();
    page.push_str(&format!("\n```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim()));
    table(command.get_arguments().filter(|arg| !arg.is_global_set()), page);
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        section(part, page);
    }
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>, page: &mut String) {
    let shown =
        |arg: &&Arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str());
    let rows: Vec<_> = arguments.filter(shown).map(row).collect();
    if !rows.is_empty() {
        page.push_str(&format!("\n| argument | what it does |\n|---|---|\n{}\n", rows.join("\n")));
    }
}

fn row(arg: &Arg) -> String {
    let takes = arg.get_action().takes_values();
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut forms = Vec::new();
    if let Some(short) = arg.get_short() {
        forms.push(format!("`-{short}`"));
    }
    match arg.get_long() {
        Some(long) if takes => forms.push(format!("`--{long} {value}`")),
        Some(long) => forms.push(format!("`--{long}`")),
        None => forms.push(format!("`{value}`")),
    }
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut help = cell(&help);
    let defaults = arg.get_default_values();
    if takes && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let defaults: Vec<_> = defaults.iter().map(|one| one.to_string_lossy()).collect();
        help.push_str(&format!(" (`{}` by default)", defaults.join(" ")));
    }
    let possible: Vec<_> = arg
        .get_possible_values()
        .iter()
        .filter(|one| takes && !one.is_hide_set())
        .map(|one| format!("`{}`", one.get_name()))
        .collect();
    if !possible.is_empty() {
        help.push_str(&format!(": {}", possible.join(", ")));
    }
    format!("| {} | {} |", forms.join(", "), help.trim())
}
