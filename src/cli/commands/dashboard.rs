//! `stratavore` alone: the dashboard.

use clap::CommandFactory as _;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on, current_dir, environment_of_client, umask},
        is_interactive,
        printer::Printer,
    },
    domain::failure::Failure,
    ui::{self, Picked, UiOptions},
};

/// Opens the dashboard; without a terminal, prints the help.
pub(super) fn run(context: &Context, printer: Printer) -> Outcome {
    if is_interactive() {
        return ("open the dashboard", open(context, false));
    }
    let help = crate::cli::top::Cli::command().render_long_help().to_string();
    let failure = Failure::usage("NO_TERMINAL", "standard input and output must be a terminal")
        .with_hint("stratavore status shows the state without one");
    ("open the dashboard", printer.bytes(help.as_bytes()).and(Err(failure)))
}

/// Opens the dashboard on these places.
pub(super) fn open(context: &Context, demo: bool) -> Result<(), Failure> {
    block_on(ui::run(options(context, demo, false)?)).map(drop)
}

/// Has the user pick a live runner; `None` if they pick none.
pub(super) fn pick(context: &Context) -> Result<Option<Picked>, Failure> {
    block_on(ui::run(options(context, false, true)?))
}

fn options(context: &Context, demo: bool, picker: bool) -> Result<UiOptions, Failure> {
    Ok(UiOptions {
        places: context.places.clone(),
        loaded: context.loaded.clone(),
        cwd: current_dir()?,
        environment: environment_of_client(),
        umask: umask(),
        picker,
        demo,
    })
}
