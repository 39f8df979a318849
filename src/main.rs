//! The one executable: dashboard, command line, daemon and supervisor, by its arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    stratavore::cli::main()
}
