//! The command line of the scripted agent, shared by its look-alike and its test modes.
//!
//! An option a mode has no use for is accepted and ignored, so that one launcher can start them
//! all.

use std::path::PathBuf;
use std::time::Duration;

/// Arguments of the hidden subcommand `demo-agent`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Choose what the agent does
    #[arg(long, value_enum, default_value_t = Mode::Work)]
    pub mode: Mode,
    /// Append what really happens to this file, one line at a time
    #[arg(long, value_name = "FILE")]
    pub witness: Option<PathBuf>,
    /// Print this many lines a second (0: as fast as the terminal takes them)
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Set how much the mode does: turns, lines, children or MiB
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// End with this code when the script ends by itself
    #[arg(long, value_name = "N")]
    pub exit_code: Option<u8>,
    /// Set how long the mode works or stays, in seconds (fractions allowed)
    #[arg(long, value_name = "N", value_parser = parse_seconds)]
    pub seconds: Option<Duration>,
    /// Name the file to replay (`esc-corpus`) or to fill (`fill-disk`)
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Choose whose work is played: the same seed gives the same script
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Colour the lines of `flood`
    #[arg(long, alias = "color")]
    pub colour: bool,
    /// Play the part of a child process (used when the agent starts itself again)
    #[arg(long, value_enum, hide = true, value_name = "KIND")]
    pub child: Option<ChildKind>,
    /// Begin with this prompt instead of the script's own
    #[arg(value_name = "PROMPT")]
    pub prompt: Vec<String>,
}

impl DemoArgs {
    /// Returns the prompt given on the command line, `None` when there is none.
    pub(super) fn prompt_text(&self) -> Option<String> {
        let text = self.prompt.join(" ");
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    }

    /// Returns the exit code for an end that the script chose itself.
    pub(super) fn own_exit_code(&self) -> u8 {
        self.exit_code.unwrap_or(0)
    }
}

/// What the scripted agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Work through scripted turns, then stay idle
    Work,
    /// Work for two seconds, then ask for permission
    Ask,
    /// Work for two seconds, then ask a question
    Question,
    /// Work for three seconds, report done and stay idle
    Finish,
    /// Work for three seconds, print an error and exit 1
    Fail,
    /// Print log lines as fast as the terminal takes them
    Spew,
    /// Print numbered, timed and checksummed lines
    Seq,
    /// Echo every byte at once, in raw mode
    Echo,
    /// Never read the terminal
    NeverRead,
    /// Ignore TERM, HUP and INT
    IgnoreTerm,
    /// Start a child in a session of its own
    SetsidChild,
    /// Start a daemonised grandchild
    DoubleFork,
    /// Exit and leave a daemonised child that keeps the terminal open
    HoldPty,
    /// Start a bounded number of children that each start one more
    ForkBomb,
    /// Exit at once
    ExitNow,
    /// Stop itself with SIGSTOP
    StopSelf,
    /// Print bytes that are not UTF-8
    BadUtf8,
    /// Print hostile and rare escape sequences
    EscCorpus,
    /// Use memory
    Mem,
    /// Fill a file
    FillDisk,
    /// Print the environment and the open file descriptors
    Env,
    /// Start another scripted agent and wait for it
    NestedAgent,
    /// Ask the terminal questions and print the answers in hexadecimal
    Query,
    /// Enter the alternate screen and never leave it properly
    Alt,
    /// Print a measured amount of output
    Flood,
    /// Try what an agent must not be able to do to the daemon
    AttackDaemon,
}

impl Mode {
    /// Returns the name used on the command line and in the witness.
    pub(super) fn name(self) -> String {
        name_of(&self)
    }
}

/// Which part a child process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ChildKind {
    /// Waits in a session of its own
    Setsid,
    /// Starts the daemonised process named by the mode and exits
    Middle,
    /// Waits as a daemonised grandchild
    DoubleFork,
    /// Waits as a daemonised grandchild that keeps the terminal open
    HoldPty,
    /// Starts one more child and waits
    Bomb,
    /// Waits as the child of a `Bomb`
    BombLeaf,
    /// Plays a whole agent inside another one
    Nested,
}

impl ChildKind {
    /// Returns the name used on the command line and in the witness.
    pub(super) fn name(self) -> String {
        name_of(&self)
    }
}

/// Returns the command line name of an enum value.
fn name_of<T: clap::ValueEnum>(value: &T) -> String {
    value.to_possible_value().map(|name| name.get_name().to_owned()).unwrap_or_default()
}

/// Reads a duration in seconds, with a fraction if there is one.
fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_error| format!("`{text}` is not a number"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        demo: DemoArgs,
    }

    #[test]
    fn names_are_kebab_case() {
        assert_eq!(Mode::BadUtf8.name(), "bad-utf8");
        assert_eq!(Mode::NeverRead.name(), "never-read");
        assert_eq!(ChildKind::DoubleFork.name(), "double-fork");
    }

    #[test]
    fn defaults_and_prompt_words() {
        let cli = Cli::parse_from(["x", "fix", "the", "login"]);
        assert_eq!(cli.demo.mode, Mode::Work);
        assert_eq!(cli.demo.prompt_text().as_deref(), Some("fix the login"));
        assert_eq!(Cli::parse_from(["x"]).demo.prompt_text(), None);
    }

    #[test]
    fn seconds_take_fractions_and_refuse_nonsense() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(parse_seconds("-1").is_err());
        assert!(parse_seconds("nan").is_err());
        assert!(parse_seconds("x").is_err());
    }
}
