//! `stratavore man`.

use std::fs;

use crate::{
    cli::{host::ManArgs, man, printer::Printer},
    domain::failure::Failure,
};

/// Prints the first page, or writes all of them.
pub(super) fn run(args: &ManArgs, printer: Printer) -> Result<(), Failure> {
    let pages =
        man::pages().map_err(|error| Failure::internal(format!("make the pages: {error}")))?;
    let Some(dir) = &args.dir else {
        return pages.last().map_or(Ok(()), |(_, text)| printer.bytes(text));
    };
    let written = fs::create_dir_all(dir)
        .and_then(|()| pages.iter().try_for_each(|(name, text)| fs::write(dir.join(name), text)));
    written.map_err(|error| {
        Failure::unavailable("NOT_WRITTEN", format!("write to `{}`: {error}", dir.display()))
    })?;
    printer.note(&format!("wrote {} pages to {}", pages.len(), dir.display()));
    Ok(())
}
