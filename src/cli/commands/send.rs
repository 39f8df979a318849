//! `stratavore send`: types text into a runner.

use std::io::{self, IsTerminal as _, Read as _};

use crate::{
    cli::{args::SendArgs, context::Context, printer::Printer},
    domain::failure::Failure,
};

/// Text at most; the daemon refuses more.
const MAX_TEXT: u64 = (1 << 20) + 1;

/// Types the text given, or standard input.
pub(super) async fn run(
    args: &SendArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let text = if args.text.is_empty() { read_stdin()? } else { args.text.join(" ") };
    let text = text.trim_end_matches('\n');
    let client = context.client().await?;
    let accepted = client.send_text(&args.runner, text, !args.no_submit).await?;
    printer.note(&format!("sent {accepted} bytes to {}", args.runner));
    Ok(())
}

fn read_stdin() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::usage("NO_TEXT", "there is no text")
            .with_hint("stratavore send RUNNER TEXT, or: stratavore send RUNNER < FILE"));
    }
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_TEXT).read_to_end(&mut bytes).map_err(|error| {
        Failure::unavailable("NO_TEXT", format!("read standard input: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
