//! The scripted agent: a program that looks and behaves like an AI coding agent in a terminal.
//!
//! It has two uses. `stratavore demo` runs several of them, so that anyone sees the product at work
//! without a key or a network. The whole-program tests run it in its test modes and read its
//! witness file, which the product never opens, to learn what really happened to the agent.
//!
//! It calls no model, opens no network connection and knows nothing about the rest of Stratavore;
//! the rest knows only [`DemoArgs`] and [`run`]. Linux only, as the supervisor is.
//!
//! Invariants: the same seed gives the same script; nothing wakes up while nothing progresses;
//! every process it starts says so in the witness and ends by itself; a closed terminal ends it
//! quietly.

mod agent;
mod args;
mod attack;
mod checksum;
mod children;
mod corpus;
mod dialog;
mod host;
mod input;
mod plain;
mod probe;
mod report;
mod scenes;
mod screen;
mod script;
mod seq;
mod spew;
mod term;
mod text;
mod view;
mod witness;

use std::io::Write as _;
use std::process::ExitCode;

pub use args::{ChildKind, DemoArgs, Mode};
use host::{Host, Stop};
use witness::Witness;

/// The hidden subcommand under which the program starts itself again for its children.
const SUBCOMMAND: &str = "demo-agent";

/// Plays the mode the arguments name and returns the exit code the script ends with.
///
/// A signal ends the program with 128 plus its number, a closed terminal with 0, an operating
/// system error with a line on standard error and 1.
pub fn run(args: &DemoArgs) -> ExitCode {
    // Before anything is opened here, so that the list shows what was inherited.
    let inherited = (args.mode == Mode::Env).then(plain::open_descriptors);
    let opened = match args.child {
        Some(kind) => Witness::join(args.witness.as_deref(), kind),
        None => Witness::begin(args.witness.as_deref(), args.mode),
    };
    let witness = match opened {
        Ok(witness) => witness,
        Err(error) => {
            complain(&format!("open the witness file: {error}"));
            return ExitCode::from(2);
        }
    };
    let deaf = args.mode == Mode::IgnoreTerm && args.child.is_none();
    let mut host = match Host::open(witness, deaf) {
        Ok(host) => host,
        Err(error) => {
            complain(&format!("prepare signals and output: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = match play(&mut host, args, inherited.as_deref().unwrap_or_default()) {
        Ok(code) => code,
        Err(Stop::Signal(signal)) => signal.exit_code(),
        Err(Stop::Hangup) => 0,
        Err(Stop::Failed(error)) => {
            complain(&error.to_string());
            1
        }
    };
    host.witness().line(&format!("exit code={code}"));
    ExitCode::from(code)
}

/// Runs one mode to its end and returns its exit code.
fn play(host: &mut Host, args: &DemoArgs, inherited: &[String]) -> Result<u8, Stop> {
    if let Some(kind) = args.child
        && kind != ChildKind::Nested
    {
        return children::be(host, args, kind);
    }
    match args.mode {
        Mode::Work | Mode::Ask | Mode::Question | Mode::Finish | Mode::Fail => {
            agent::run(host, args)
        }
        Mode::Spew => spew::spew(host, args),
        Mode::Flood => spew::flood(host, args),
        Mode::Seq => seq::run(host, args),
        Mode::Echo => plain::echo(host, args),
        Mode::NeverRead => plain::never_read(host, args),
        Mode::IgnoreTerm => plain::ignore_term(host, args),
        Mode::ExitNow => plain::exit_now(host, args),
        Mode::StopSelf => plain::stop_self(host, args),
        Mode::BadUtf8 => plain::bad_utf8(host, args),
        Mode::EscCorpus => plain::esc_corpus(host, args),
        Mode::Mem => plain::mem(host, args),
        Mode::FillDisk => plain::fill_disk(host, args),
        Mode::Env => plain::env(host, args, inherited),
        Mode::SetsidChild => children::setsid_child(host, args),
        Mode::DoubleFork => children::double_fork(host, args),
        Mode::HoldPty => children::hold_pty(host, args),
        Mode::ForkBomb => children::fork_bomb(host, args),
        Mode::NestedAgent => children::nested_agent(host, args),
        Mode::Query => probe::query(host, args),
        Mode::Alt => probe::alt(host, args),
        Mode::AttackDaemon => attack::run(host, args),
    }
}

/// Writes one line on standard error; nobody listening is not an error.
fn complain(text: &str) {
    writeln!(std::io::stderr().lock(), "demo-agent: {text}").ok();
}
