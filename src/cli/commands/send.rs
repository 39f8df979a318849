//! `stratavore send`: types a prompt into a runner, or queues it, and tells what is known of it.

use std::io::{self, IsTerminal as _, Read as _};

use crate::{
    cli::{args::SendArgs, context::Context, printer::Printer},
    domain::{
        failure::Failure,
        prompt::{Delivery, PromptWish, QueuedPrompt, Started, When},
    },
};

/// Text at most; the daemon refuses more.
const MAX_TEXT: u64 = (1 << 20) + 1;

/// Characters of a prompt that are shown in the list.
const SHOWN: usize = 60;

/// Types the text given, or standard input; or looks after the queue.
pub(super) async fn run(
    args: &SendArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let client = context.client().await?;
    let runner = args.runner.as_deref().unwrap_or_default();
    if args.list {
        let prompts = client.list_prompts(runner, args.all).await?;
        let head = ["id", "runner", "state", "prompt", "note"];
        return printer.list(&prompts, &head, row);
    }
    if let Some(id) = &args.cancel {
        let prompt = client.cancel_prompt(id).await?;
        return if printer.is_table() {
            printer.note(&format!("{} is taken back; nothing of it was typed", prompt.id));
            Ok(())
        } else {
            printer.list(&[prompt], &[], row)
        };
    }
    // A name that is empty names somebody, who is not there.
    if args.runner.is_none() {
        return Err(Failure::usage("NO_RUNNER", "no runner is named")
            .with_hint("stratavore send RUNNER TEXT"));
    }
    let text = if args.text.is_empty() { read_stdin()? } else { args.text.join(" ") };
    let when = match (args.when_idle, args.now || args.no_submit) {
        (true, _) => When::Queued,
        (false, true) => When::Now,
        (false, false) => When::AtRest(args.wait),
    };
    let wish = PromptWish {
        text: text.trim_end_matches('\n').to_owned(),
        submit: !args.no_submit,
        run: args.run,
        session: args.session.clone().unwrap_or_default(),
        when,
    };
    let delivery = client.send_prompt(runner, &wish).await?;
    tell(&delivery, &wish, printer)
}

/// Tells the facts; that a wish did not come true is a failure.
fn tell(delivery: &Delivery, wish: &PromptWish, printer: Printer) -> Result<(), Failure> {
    if printer.is_table() {
        printer.note(&delivery.sentence());
        if let Some(id) = delivery.queued {
            printer.note(&format!("  take it back: stratavore send --cancel {id}"));
        }
    } else {
        printer.list(std::slice::from_ref(delivery), &[], |_| Vec::new())?;
    }
    let name = &delivery.runner;
    let screen = format!("stratavore attach {name} shows what became of it; it is not sent again");
    if delivery.queued.is_some() || !wish.submit {
        return Ok(());
    }
    if !delivery.submitted {
        let what = format!(
            "the text was typed and Enter was not pressed: {name} does not read its input, or asks \
             something"
        );
        return Err(Failure::unavailable("NOT_SUBMITTED", what).with_hint(screen));
    }
    if let Started::No { stands } = delivery.started {
        let what = if stands {
            format!("Enter did not submit the prompt: it stands in the input box of {name}")
        } else {
            format!("the prompt was submitted to {name}, and no turn started")
        };
        return Err(Failure::unavailable("NOT_STARTED", what).with_hint(screen));
    }
    Ok(())
}

fn row(prompt: &QueuedPrompt) -> Vec<String> {
    let text: String = prompt.text.chars().take(SHOWN).collect();
    vec![
        prompt.id.to_string(),
        prompt.runner.clone(),
        prompt.state.as_str().to_owned(),
        text.escape_debug().to_string(),
        prompt.note.clone(),
    ]
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
