//! Processes that are nobody's business: they stand where a runner's processes stood before, under the same
//! numbers where the kernel lets us choose, and write down every signal they get.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    history::Stranger,
    servers::wait_for,
    support::{Witness, wait_value},
};

/// Where the kernel keeps the last number that it gave out.
const LAST: &str = "/proc/sys/kernel/ns_last_pid";
/// A dead process is asked how it ended within.
const REAPED: Duration = Duration::from_secs(1);
/// Tries to get a number: others start processes, too.
const TRIES: usize = 20;

/// All strangers.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<Vec<(Child, Witness, bool)>>);

impl Strangers {
    /// Starts one under any number, which is returned.
    pub(crate) fn add(&self, program: &std::path::Path, witness: PathBuf) -> i32 {
        let child = start(program, &witness);
        let number = i32::try_from(child.id()).expect("a number");
        self.push(child, witness, false);
        number
    }

    /// Starts one under the number of a process that is gone, or will be in a moment; says whether that is
    /// possible on this machine at all.
    pub(crate) fn take_number(
        &self,
        number: i32,
        program: &std::path::Path,
        witness: PathBuf,
    ) -> bool {
        let is_gone = || fs::metadata(format!("/proc/{number}")).is_err().then_some(());
        if wait_for(REAPED, is_gone).is_none() {
            // Nobody has asked yet how it ended: its number is not free.
            return true;
        }
        for _ in 0..TRIES {
            if fs::write(LAST, (number - 1).to_string()).is_err() {
                return false;
            }
            let mut child = start(program, &witness);
            if i32::try_from(child.id()) == Ok(number) {
                self.push(child, witness, true);
                return true;
            }
            child.kill().and_then(|()| child.wait().map(drop)).ok();
            fs::remove_file(&witness).ok();
        }
        // Somebody else has it now.
        true
    }

    fn push(&self, mut child: Child, witness: PathBuf, has_number: bool) {
        let witness = Witness::new(witness);
        wait_value("a stranger stands there", Duration::from_secs(20), || {
            let stands = witness.lines().iter().any(|line| line == "ready");
            (stands || !matches!(child.try_wait(), Ok(None))).then_some(())
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((child, witness, has_number));
    }

    /// Ends them and returns what befell them before.
    pub(crate) fn end(&self) -> Vec<Stranger> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let one = |(mut child, witness, has_number): (Child, Witness, bool)| {
            let is_alive = matches!(child.try_wait(), Ok(None));
            let lines = witness.lines();
            let signals = lines.iter().filter_map(|line| line.strip_prefix("signal "));
            let signals = signals.map(str::to_owned).collect();
            child.kill().and_then(|()| child.wait().map(drop)).ok();
            Stranger { pid: child.id(), has_number, signals, is_alive }
        };
        all.into_iter().map(one).collect()
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts one.
fn start(program: &std::path::Path, witness: &std::path::Path) -> Child {
    let mut command = Command::new(program);
    command.args(["demo-agent", "--mode", "ignore-term", "--witness"]).arg(witness);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own, so that signals to a dead process's group are seen, too; and the kernel sends
    // SIGHUP and SIGCONT to all of the tests' own group when the shell that began them leaves.
    command.process_group(0);
    command.spawn().expect("start a stranger")
}
