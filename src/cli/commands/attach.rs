//! `stratavore attach`: goes into a runner's terminal.

use super::dashboard;
use crate::{
    cli::{
        args::AttachArgs,
        context::{Context, block_on},
        is_interactive,
        printer::Printer,
    },
    client::{self, AttachEnd, AttachOptions, Path},
    domain::failure::Failure,
};

/// Attaches to the runner named, to the only live one, or to the one that is picked.
pub(super) fn run(args: &AttachArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    need_terminal(args.runner.as_deref())?;
    let options = AttachOptions {
        read_only: args.read_only,
        path: args.via,
        inline: args.inline,
        keys: context.config().attach.clone(),
    };
    go(args.runner.as_deref(), &options, context, printer)
}

/// Attaches to a runner just launched.
pub(super) fn by_name(name: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    need_terminal(Some(name))?;
    let options = AttachOptions {
        read_only: false,
        path: Path::Direct,
        inline: false,
        keys: context.config().attach.clone(),
    };
    go(Some(name), &options, context, printer)
}

fn go(
    name: Option<&str>,
    options: &AttachOptions,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let chosen = match name {
        Some(name) => Some((name.to_owned(), Vec::new())),
        None => choose(context)?,
    };
    let Some((name, typed)) = chosen else { return Ok(()) };
    let (name, end) = block_on(async {
        let client = context.client().await?;
        if !typed.is_empty() && !options.read_only {
            client.send_keys(&name, typed.into()).await?;
        }
        client::attach(&client, &name, options).await
    })?;
    tell(&name, &end, printer)
}

/// Returns the only live runner, or the one of several that the user picks, and what they typed for its
/// agent already; `None` if they pick none.
fn choose(context: &Context) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let list = async || context.client().await?.list_runners("", "live", 0).await;
    let live = block_on(list())?;
    match live.as_slice() {
        [] => Err(Failure::not_found("NO_RUNNER", "no runner is live")
            .with_hint("stratavore launch starts one")),
        [only] => Ok(Some((only.name.clone(), Vec::new()))),
        _ => {
            let Some(picked) = dashboard::pick(context)? else { return Ok(None) };
            let known = block_on(list())?.into_iter().find(|runner| runner.id == picked.id);
            let name = known.map_or_else(|| picked.id.to_string(), |runner| runner.name);
            Ok(Some((name, picked.typed)))
        }
    }
}

/// Says how it ended and how to come back.
fn tell(name: &str, end: &AttachEnd, printer: Printer) -> Result<(), Failure> {
    match end {
        AttachEnd::Detached => {
            printer.note(&format!("detached from {name}, which goes on"));
            printer.note(&format!("  back: stratavore attach {name}"));
            Ok(())
        }
        AttachEnd::Exited { code, signal } => {
            let how = match (signal, code) {
                (Some(signal), _) => format!("was ended by {signal}"),
                (None, Some(code)) => format!("ended with exit code {code}"),
                (None, None) => "ended".to_owned(),
            };
            printer.note(&format!("{name} {how}"));
            printer.note(&format!(
                "  again: stratavore restart {name}   output: stratavore logs {name}"
            ));
            Ok(())
        }
        AttachEnd::Lost => {
            let what = format!("keep the terminal of {name}: its supervisor is gone");
            Err(Failure::unavailable("SUPERVISOR_LOST", what)
                .with_hint(format!("stratavore runners show {name}")))
        }
    }
}

fn need_terminal(runner: Option<&str>) -> Result<(), Failure> {
    if is_interactive() {
        return Ok(());
    }
    Err(Failure::usage("NO_TERMINAL", "standard input and output must be a terminal").with_hint(
        match runner {
            Some(name) => format!("stratavore logs {name} --follow shows the output without one"),
            None => "stratavore logs RUNNER --follow shows the output without one".to_owned(),
        },
    ))
}
