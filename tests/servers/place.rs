//! A server's directory and the processes that work in it.
//!
//! A process belongs to a server by its working directory: `PostgreSQL` overwrites its environment
//! and its children leave the session, but none of a server's processes changes that. A small shell
//! holds the read end of a pipe; when it closes, the shell kills them and removes the directory.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::clock::wait_for;

/// What ends a server whose test process is gone.
const WATCHDOG: &str = include_str!("watchdog.sh");

/// How long signalled processes may take to be gone.
const GONE: Duration = Duration::from_secs(20);

/// A directory that is removed, with all that works in it, at the end.
pub(super) struct Place {
    dir: PathBuf,
    watchdog: Child,
}

impl Place {
    /// Makes one; `/tmp`, since paths of sockets must stay short.
    pub(super) fn new(prefix: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(prefix).tempdir_in("/tmp").expect("a directory");
        // From here on the shell removes it.
        let dir = dir.keep();
        let watchdog = Command::new("/bin/sh")
            .args([OsStr::new("-c"), WATCHDOG.as_ref(), "watchdog".as_ref(), dir.as_os_str()])
            .current_dir("/")
            .process_group(0)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the watchdog");
        Self { dir, watchdog }
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns a path in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns a command that runs in the directory with a clean environment, apart from our
    /// terminal's signals, and writes what it says to a file there.
    pub(super) fn command(&self, program: &Path, log: &str) -> Command {
        let log = fs::File::options().create(true).append(true).open(self.path(log));
        let log = log.expect("open a log");
        let mut command = Command::new(program);
        command
            .current_dir(&self.dir)
            .process_group(0)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", &self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("share a log"))
            .stderr(log);
        command
    }

    /// Returns every process that works in the directory; the dead that wait to be reaped do not.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &i32| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|dir| dir.starts_with(&self.dir))
        })
        .filter_map(Pid::from_raw)
        .collect()
    }

    /// Sends a signal to every process here.
    pub(super) fn signal(&self, signal: Signal) {
        for pid in self.processes() {
            kill_process(pid, signal).ok();
        }
    }

    /// Stops every process here until [`Place::signal`] sends `CONT`.
    pub(super) fn pause(&self) {
        let stopped = wait_for(GONE, || {
            let running: Vec<_> =
                self.processes().into_iter().filter(|&pid| !is_stopped(pid)).collect();
            for &pid in &running {
                kill_process(pid, Signal::STOP).ok();
            }
            running.is_empty().then_some(())
        });
        stopped.expect("a server can be stopped");
    }

    /// Kills every process here and waits until they are gone, the child among them reaped.
    pub(super) fn kill(&self, child: &mut Child) {
        let gone = wait_for(GONE, || {
            self.signal(Signal::KILL);
            child.try_wait().ok();
            self.processes().is_empty().then_some(())
        });
        gone.expect("a killed server is gone");
        child.wait().ok();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        wait_for(GONE, || self.watchdog.try_wait().ok().flatten());
    }
}

/// Whether a process is stopped; one that is gone is nothing to wait for.
fn is_stopped(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    // The state follows the name, which stands in brackets and may contain any.
    stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
}
