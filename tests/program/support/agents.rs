//! Launching and asking about runners: the sentences that most tests begin with.

use std::{ffi::OsString, time::Duration};

use serde_json::Value;
use stratavore::process::ProcessId;

use super::{
    wait::{wait_until, wait_value},
    witness::Witness,
    world::{EXE, World},
};

/// A scripted agent in a runner.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    /// The runner's name.
    pub name: String,
    /// What it says of itself.
    pub witness: Witness,
}

/// Short ways to read a runner's JSON.
pub(crate) trait Say {
    /// A field as text, empty when it is none.
    fn text(&self, key: &str) -> &str;
    /// A field as a number.
    fn number(&self, key: &str) -> Option<i64>;
}

impl Say for Value {
    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Self::as_str).unwrap_or_default()
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Self::as_i64)
    }
}

impl World {
    /// Registers a project in a directory of its own.
    pub(crate) fn project(&self, name: &str) {
        let path = self.path(&format!("p-{name}"));
        std::fs::create_dir_all(&path).expect("make a project's directory");
        self.run(["new", name, "--path", path.to_str().expect("ASCII")]).expect_code(0);
    }

    /// Launches a command in project `p` and returns the runner's name.
    #[track_caller]
    pub(crate) fn launch(&self, options: &[&str], command: &[&str]) -> String {
        let output = self.run(launch_line(options, command)).expect_code(0);
        output.stdout.trim().to_owned()
    }

    /// Launches a scripted agent in project `p`, with a witness of its own, and waits until it is
    /// set up.
    #[track_caller]
    pub(crate) fn agent(&self, mode: &str, arguments: &[&str]) -> Agent {
        let witness = self.witness();
        let command = demo_line(mode, &witness, arguments);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let name = self.launch(&[], &command);
        witness.wait_ready();
        Agent { name, witness }
    }

    /// Returns what is known of a runner.
    #[track_caller]
    pub(crate) fn show(&self, name: &str) -> Value {
        self.json(["runners", "show", name])
    }

    /// Returns all runners.
    #[track_caller]
    pub(crate) fn runners(&self) -> Vec<Value> {
        let Value::Array(runners) = self.json(["runners", "list"]) else { panic!("not a list") };
        runners
    }

    /// Waits until a runner has this status and returns it.
    #[track_caller]
    pub(crate) fn wait_status(&self, name: &str, status: &str, limit: Duration) -> Value {
        wait_value(&format!("{name} is {status}"), limit, || {
            Some(self.show(name)).filter(|runner| runner.text("status") == status)
        })
    }

    /// Returns the process of a runner's supervisor.
    #[track_caller]
    pub(crate) fn supervisor(&self, name: &str) -> ProcessId {
        let pid = self.show(name).number("supervisor_pid").expect("a live runner has one");
        ProcessId::of(pid.try_into().expect("a pid")).expect("the supervisor lives")
    }

    /// Returns the record of a runner, byte for byte.
    #[track_caller]
    pub(crate) fn raw_log(&self, name: &str) -> Vec<u8> {
        self.run(["logs", name, "--raw"]).expect_code(0).bytes
    }

    /// Waits until the record of a runner, as text, holds this.
    #[track_caller]
    pub(crate) fn wait_log(&self, name: &str, text: &str) {
        wait_until(&format!("`{text}` in the record of {name}"), Duration::from_secs(10), || {
            self.run(["logs", name]).expect_code(0).stdout.contains(text)
        });
    }

    /// Returns the numbered lines in the record of a runner, without their marks.
    #[track_caller]
    pub(crate) fn logged_sequence(&self, name: &str) -> Vec<String> {
        sequence_in(&self.raw_log(name))
    }
}

/// Returns the numbered lines that a `seq` agent printed, as the witness has them.
pub(crate) fn sequence_in(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split("\r\n").filter_map(|line| line.strip_prefix('@')).map(str::to_owned).collect()
}

/// Returns the words of `launch p …`.
pub(crate) fn launch_line(options: &[&str], command: &[&str]) -> Vec<OsString> {
    let words = ["launch", "p"].iter().chain(options).chain(&["--"]).chain(command);
    words.map(OsString::from).collect()
}

/// Returns the command of a scripted agent.
pub(crate) fn demo_line(mode: &str, witness: &Witness, arguments: &[&str]) -> Vec<String> {
    let path = witness.path().to_str().expect("ASCII");
    let fixed = [EXE, "demo-agent", "--mode", mode, "--witness", path];
    fixed.iter().chain(arguments).map(|word| (*word).to_owned()).collect()
}
