//! `stratavore setup telegram`: asks for the bot's token, finds out who the user is, writes both down
//! and sends a test.
//!
//! The token never stands on a command line, where others could read it, nor in the file of settings:
//! it has a file of its own.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tokio::time::{Instant, sleep};

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        notify::{SetupArgs, SetupCommand},
        printer::Printer,
        settings,
    },
    config::{self, Secret, Sources, TelegramConfig},
    daemon::notify::{Fault, Incoming, Telegram},
    domain::failure::Failure,
};

/// The token's file, beside the settings.
const TOKEN_FILE: &str = "telegram.token";

/// One question for updates is answered within so long.
const ASKING: Duration = Duration::from_secs(10);

/// Runs what was asked for.
pub(super) fn run(args: &SetupArgs, context: &Context, printer: Printer) -> Outcome {
    match &args.command {
        SetupCommand::Telegram { token_file, wait } => {
            ("set up Telegram", block_on(telegram(token_file.as_deref(), *wait, context, printer)))
        }
    }
}

async fn telegram(
    token_file: Option<&Path>,
    wait: Duration,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let file = context.file.clone().ok_or_else(|| {
        Failure::usage("NO_HOME", "nobody knows where settings are: HOME is not set")
    })?;
    let token = match token_file {
        Some(path) => fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?,
        None => ask_token(printer)?,
    };
    let token = token.trim().to_owned();
    if !looks_right(&token) {
        let what = "that is no token; one looks like 123456789:AAE… and comes from @BotFather";
        return Err(Failure::usage("BAD_TOKEN", what));
    }
    let configured = &context.config().docker.telegram;
    let config = TelegramConfig {
        token: Secret::from(token.as_str()),
        chat_id: "0".to_owned(),
        ..configured.clone()
    };
    let bot = Telegram::new(&config).map_err(|why| Failure::usage("BAD_API_URL", why))?;
    let name = bot.name().await.map_err(|fault| unavailable(&fault))?;
    printer.talk(&format!("the bot is @{name}"));
    if context.running_client().await?.is_some() && configured.is_configured() {
        printer.warn("a daemon runs that hears this or another bot; should nothing be heard here: stratavore daemon stop");
    }
    let user = find_user(&bot, &name, wait, printer).await?;
    write_down(&file, &token, user, &config)?;
    let chat = i64::try_from(user).unwrap_or_default();
    let words = format!(
        "👋 Stratavore can reach you from here, and hears you (your number is {user}). /help says \
         what you can say."
    );
    bot.say(chat, &words, &[]).await.map_err(|fault| unavailable(&fault))?;
    printer.talk(&format!("a test was sent; written: {}", file.display()));
    if context.running_client().await?.is_some() {
        printer.talk("now: stratavore daemon restart");
    }
    Ok(())
}

/// Waits for a message with a code, and returns who sent it.
async fn find_user(
    bot: &Telegram,
    name: &str,
    wait: Duration,
    printer: Printer,
) -> Result<u64, Failure> {
    let number = uuid::Uuid::new_v4().as_u128() % 1_000_000;
    let code = format!("{number:06}");
    printer.talk(&format!("open https://t.me/{name} and send it this code: {code}"));
    let end = Instant::now() + wait;
    let mut after = 0;
    while Instant::now() < end {
        match bot.updates_within(after, ASKING.min(end - Instant::now())).await {
            Ok(updates) => {
                for update in updates {
                    after = after.max(update.id);
                    match update.what {
                        Incoming::Message { user, text, .. } if text.trim() == code => {
                            // Taken out of the queue: the daemon must not read it as a command.
                            bot.updates_within(after, Duration::ZERO).await.ok();
                            return Ok(user);
                        }
                        _ => {}
                    }
                }
            }
            Err(fault @ Fault::Never(_)) => return Err(unavailable(&fault)),
            Err(fault) => {
                printer.warn(fault.why());
                sleep(Duration::from_secs(2)).await;
            }
        }
    }
    let what = format!("nobody has sent {code} to @{name}");
    Err(Failure::unavailable("NO_MESSAGE", what).with_hint("stratavore setup telegram --wait 15m"))
}

/// Writes the token into its file, and where it is and whom to write to into the settings.
fn write_down(file: &Path, token: &str, user: u64, config: &TelegramConfig) -> Result<(), Failure> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(|error| cannot("make", directory, &error))?;
    let before = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(cannot("read", file, &error)),
    };
    let mut lines = vec![
        ("token_file".to_owned(), TOKEN_FILE.to_owned()),
        ("chat_id".to_owned(), format!("\"{user}\"")),
    ];
    if config.api_url != TelegramConfig::default().api_url {
        lines.push(("api_url".to_owned(), format!("\"{}\"", config.api_url)));
    }
    let after = settings::with_telegram(&before, &lines);
    let token_file = directory.join(TOKEN_FILE);
    write_private(&token_file, &format!("{token}\n"))?;
    let new = file.with_extension("yaml.new");
    write_private(&new, &after)?;
    // What cannot be read again must not take the place of what can.
    let sources = Sources { explicit: Some(new.clone()), ..Sources::default() };
    let loaded = config::load(&sources);
    let is_right = loaded.as_ref().is_ok_and(|loaded| {
        let telegram = &loaded.config.docker.telegram;
        telegram.token.reveal() == token && telegram.chat_id == user.to_string()
    });
    if is_right {
        return fs::rename(&new, file).map_err(|error| cannot("write", file, &error));
    }
    fs::remove_file(&new).ok();
    let shown: Vec<_> = lines.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let what = format!(
        "`{}` is not changed: docker stands there in a form that is not written line by line; the \
         token is in `{}`",
        file.display(),
        token_file.display(),
    );
    Err(Failure::conflict("NOT_WRITTEN", what)
        .with_hint(format!("write below docker.telegram there: {}", shown.join(", "))))
}

/// Writes a file that only its owner can read, as a whole or not at all.
fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let new: PathBuf = path.with_extension("part");
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).and_then(
            |mut file| {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                fs::rename(&new, path)
            },
        );
    written.map_err(|error| cannot("write", path, &error))
}

/// Reads the token from standard input; what is typed is not shown.
fn ask_token(printer: Printer) -> Result<String, Failure> {
    let stdin = io::stdin();
    let unreadable = |error: io::Error| {
        Failure::unavailable("NO_TOKEN", format!("read standard input: {error}"))
    };
    if !stdin.is_terminal() {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).map_err(unreadable)?;
        return Ok(line);
    }
    printer.talk("talk to @BotFather in Telegram: /newbot gives you a bot and its token");
    printer.talk("the token (it is not shown):");
    let before = tcgetattr(&stdin).map_err(|error| unreadable(error.into()))?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(|error| unreadable(error.into()))?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Now, &before).map_err(|error| unreadable(error.into()))?;
    read.map_err(unreadable)?;
    Ok(line)
}

/// Whether a text has the form of a token: a number, a colon, letters.
fn looks_right(token: &str) -> bool {
    token.split_once(':').is_some_and(|(number, secret)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && secret.len() >= 20
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    })
}

fn unavailable(fault: &Fault) -> Failure {
    Failure::unavailable("TELEGRAM", fault.why())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::unavailable("NOT_WRITTEN", format!("{what} `{}`: {error}", path.display()))
}
