//! `stratavore` alone: the dashboard.

use super::Outcome;
use crate::{
    cli::{context::Context, is_interactive, printer::Printer},
    domain::failure::Failure,
};

/// Opens the dashboard; without a terminal, prints the help.
pub(super) fn run(context: &Context, _printer: Printer) -> Outcome {
    ("open the dashboard", open(context, false))
}

/// Opens the dashboard on these places.
pub(super) fn open(_context: &Context, _demo: bool) -> Result<(), Failure> {
    if !is_interactive() {
        return Err(Failure::usage("NO_TERMINAL", "standard input and output must be a terminal")
            .with_hint("stratavore --help lists the commands"));
    }
    Err(Failure::internal("not there yet"))
}
