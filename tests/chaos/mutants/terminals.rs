//! Mutants 13 and 14: a library for terminals, used as its examples show: it works elsewhere when the
//! directory is missing, and presses Enter when somebody stops writing.

use std::{io::Write as _, mem::ManuallyDrop, path::Path, time::Duration};

use portable_pty::{CommandBuilder, PtyPair, PtySize, native_pty_system};

use super::{Form, prove};
use crate::{
    checker::Invariant,
    history::{Call, History, Op, Outcome, RunnerRow, Sighting, Testimony},
    support::{Witness, wait_until, wait_value},
};

const SOON: Duration = Duration::from_secs(20);

fn pair() -> PtyPair {
    native_pty_system().openpty(PtySize::default()).unwrap()
}

fn shell(dir: &Path, script: &str) -> CommandBuilder {
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", script]);
    command.env("HOME", dir);
    command
}

/// Starts an agent in a directory that is gone.
fn start_nowhere(form: Form) -> History {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("project");
    let mut history = History::default();
    if form == Form::Right && !missing.is_dir() {
        // Refused, with a reason; nothing runs and nothing is written down.
        return history;
    }
    let mut command = shell(home.path(), "exec sleep 600");
    command.cwd(&missing);
    let pair = pair();
    let mut agent = pair.slave.spawn_command(command).unwrap();
    let pid = i32::try_from(agent.process_id().unwrap()).unwrap();
    let cwd = wait_value("the agent works", SOON, || {
        let process = procfs::process::Process::new(pid).ok()?;
        process.cmdline().ok().filter(|line| line.first().is_some_and(|word| word == "sleep"))?;
        process.cwd().ok()
    });
    history.runners.push(RunnerRow {
        id: "r".to_owned(),
        cwd: missing.to_string_lossy().into_owned(),
        ..RunnerRow::default()
    });
    history.sightings.push(Sighting {
        runner: "r".to_owned(),
        process: (pid, 1),
        is_agent: true,
        cwd: cwd.to_string_lossy().into_owned(),
        seen: (Duration::ZERO, Duration::ZERO),
    });
    agent.kill().unwrap();
    agent.wait().unwrap();
    history
}

/// A line is half typed when whoever carries it has to go; the next one finishes it.
fn type_half(form: Form) -> History {
    let dir = tempfile::tempdir().unwrap();
    let witness = Witness::new(dir.path().join("witness"));
    let ready = dir.path().join("ready");
    let script = format!(
        "stty -echo; : > '{}'; while read -r line; do echo \"$line\" >> '{}'; done",
        ready.display(),
        witness.path().display()
    );
    let pair = pair();
    let mut agent = pair.slave.spawn_command(shell(dir.path(), &script)).unwrap();
    wait_until("it reads", SOON, || ready.exists());
    // Whether it is dropped is for the forms to decide.
    let mut writer = ManuallyDrop::new(pair.master.take_writer().unwrap());
    writer.write_all(b"delete everything").unwrap();
    let mut calls = Vec::new();
    match form {
        Form::Naive => drop(ManuallyDrop::into_inner(writer)),
        Form::Right => {
            // The terminal is kept; another client goes on where the first stopped.
            writer.write_all(b" but this\n").unwrap();
            let key = "delete everything but this".to_owned();
            let outcome = Outcome::Ok(None);
            calls.push(Call { client: 0, op: Op::Send, key, outcome, at: Duration::ZERO });
        }
    }
    wait_until("a line is read", SOON, || !witness.lines().is_empty());
    agent.kill().ok();
    agent.wait().unwrap();
    let heard = witness.lines();
    let testimony = Testimony { runner: "r".to_owned(), heard, ..Testimony::default() };
    History { calls, testimonies: vec![testimony], ..History::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_13_an_agent_at_home_when_its_directory_is_gone() {
    prove(Invariant::C05, 1, async |form| tokio::task::block_in_place(|| start_nowhere(form)))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_14_an_enter_that_nobody_pressed() {
    prove(Invariant::C01, 1, async |form| tokio::task::block_in_place(|| type_half(form))).await;
}
