//! Mutants 11 and 12: who ends processes by a number that was written down, and who ends a process group and
//! takes that for the tree.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use stratavore::{
    domain::launch::RUNNER_MARK,
    process::{ProcessId, marked},
};

use super::{Form, prove};
use crate::{
    checker::Invariant,
    history::{Call, History, Op, Outcome, Seen, Sighting},
    options,
    strangers::Strangers,
    support::{Witness, elapsed_since, now, wait_until},
};

const SOON: Duration = Duration::from_secs(20);

fn kill(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        kill_process(pid, signal).ok();
    }
}

/// An agent dies unnoticed, a stranger gets its number, and then the agent is to be stopped.
fn stop_by_number(form: Form) -> History {
    let dir = tempfile::tempdir().unwrap();
    let mut agent = Command::new("sleep").arg("600").spawn().unwrap();
    let written_down = ProcessId::of(agent.id().try_into().unwrap()).unwrap();
    agent.kill().and_then(|()| agent.wait().map(drop)).unwrap();
    let strangers = Strangers::default();
    let witness = dir.path().join("stranger");
    let program = options::program();
    let mut written_down = written_down;
    if !strangers.take_number(written_down.pid, &program, witness.clone()) {
        // Where the kernel gives out numbers in its own order only: as after a start of the machine, when
        // what is written down is from before.
        written_down.pid = strangers.add(&program, witness);
    }
    let heard = Witness::new(dir.path().join("stranger"));
    wait_until("the stranger is there", SOON, || !heard.lines().is_empty());
    match form {
        Form::Naive => kill(written_down.pid, Signal::TERM),
        Form::Right if written_down.is_alive() => written_down.signal(Signal::TERM),
        Form::Right => {}
    }
    if form == Form::Naive {
        wait_until("the stranger is hit", SOON, || {
            heard.lines().iter().any(|l| l.starts_with("signal"))
        });
    }
    History { strangers: strangers.end(), ..History::default() }
}

/// An agent with a child in a session of its own is stopped, and looked for.
fn stop_group(form: Form) -> History {
    let dir = tempfile::tempdir().unwrap();
    let id = uuid::Uuid::new_v4().to_string();
    let witness = Witness::new(dir.path().join("witness"));
    let mut command = Command::new(options::program());
    command.args(["demo-agent", "--mode", "setsid-child", "--witness"]).arg(witness.path());
    command.env(RUNNER_MARK, &id).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut agent = command.spawn().unwrap();
    wait_until("the child is there", SOON, || witness.processes().len() == 2);
    let begun = now();
    match form {
        Form::Naive => kill_process_group(Pid::from_child(&agent), Signal::KILL).unwrap(),
        Form::Right => wait_until("all that carry the mark are gone", SOON, || {
            let left = marked(&id);
            for process in &left {
                process.signal(Signal::KILL);
            }
            agent.try_wait().ok();
            left.is_empty()
        }),
    }
    agent.wait().unwrap();
    let at = elapsed_since(begun);
    let seen = Some(Seen { id: id.clone(), run: 1, ended: true });
    let stop = Call { client: 0, op: Op::Stop, key: id.clone(), outcome: Outcome::Ok(seen), at };
    let looked = elapsed_since(begun).max(at + Duration::from_nanos(1));
    let sightings = witness.alive().into_iter().map(|process| {
        kill(process.pid, Signal::KILL);
        Sighting {
            runner: id.clone(),
            process: (process.pid, process.start_time),
            is_agent: false,
            cwd: String::new(),
            seen: (Duration::ZERO, looked),
        }
    });
    History { sightings: sightings.collect(), calls: vec![stop], ..History::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_11_a_number_taken_for_a_process() {
    prove(Invariant::C07, 1, async |form| tokio::task::block_in_place(|| stop_by_number(form)))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutant_12_a_process_group_taken_for_the_tree() {
    prove(Invariant::C06, 1, async |form| tokio::task::block_in_place(|| stop_group(form))).await;
}
