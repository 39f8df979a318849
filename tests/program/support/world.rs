//! A throw-away home with a daemon of its own.
//!
//! Invariant: when a world ends, nothing of it is left: no daemon, no supervisor, no agent, no
//! agent's child, no listening socket. Whatever is left fails the test that made it.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{ffi::OsStrExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use stratavore::process::ProcessId;
use tempfile::TempDir;

use super::{
    command::{Output, try_run},
    wait::{try_wait_value, wait_until, wait_value},
    witness::Witness,
};

/// The program under test.
pub(crate) const EXE: &str = env!("CARGO_BIN_EXE_stratavore");

/// Tests that measure time run alone, all others side by side.
static MACHINE: RwLock<()> = RwLock::new(());

/// The right to use the machine.
pub(crate) enum Turn {
    /// Beside others.
    Shared { _guard: RwLockReadGuard<'static, ()> },
    /// Alone.
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl Turn {
    /// Waits for the right to run beside others.
    pub(crate) fn shared() -> Self {
        Self::Shared { _guard: MACHINE.read().unwrap_or_else(std::sync::PoisonError::into_inner) }
    }

    /// Waits for the right to run alone.
    pub(crate) fn alone() -> Self {
        Self::Alone { _guard: MACHINE.write().unwrap_or_else(std::sync::PoisonError::into_inner) }
    }
}

/// A home, a root below it, and whatever a test starts in them.
pub(crate) struct World {
    dir: TempDir,
    witnesses: AtomicU32,
    settings: Vec<(&'static str, String)>,
    _turn: Turn,
}

impl World {
    /// Returns a new, empty world.
    pub(crate) fn new() -> Self {
        Self::with_turn(Turn::shared())
    }

    /// Returns a new world in which no other test disturbs the clock.
    pub(crate) fn alone() -> Self {
        Self::with_turn(Turn::alone())
    }

    /// Returns a new world with a project `p`.
    pub(crate) fn with_project() -> Self {
        let world = Self::new();
        world.project("p");
        world
    }

    fn with_turn(turn: Turn) -> Self {
        // Not the system's temporary directory: paths of sockets must stay short.
        let dir = tempfile::Builder::new().prefix("sv").tempdir_in("/tmp").expect("a directory");
        fs::create_dir(dir.path().join("h")).expect("a home");
        Self { dir, witnesses: AtomicU32::new(0), settings: Vec::new(), _turn: turn }
    }

    /// Returns the same world with a setting, by the name of its variable, for all that is run in it.
    pub(crate) fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Returns a path in this world, outside of the product's root.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its home directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("h")
    }

    /// The product's root directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("s")
    }

    /// The daemon's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.root().join("run/daemon.sock")
    }

    /// Returns a witness with a name of its own.
    pub(crate) fn witness(&self) -> Witness {
        let number = self.witnesses.fetch_add(1, Ordering::Relaxed);
        Witness::new(self.path(&format!("w{number}")))
    }

    /// Returns a command with this world's environment and nothing else of ours.
    pub(crate) fn foreign(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home())
            .env("STRATAVORE_HOME", self.root())
            // All worlds together would want one port.
            .env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "false")
            // Worlds are side by side, and most need no API: whoever does asks for a free port.
            .env("STRATAVORE_API_ENABLED", "false")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env("RUST_BACKTRACE", "1")
            .envs(profile())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home());
        command
    }

    /// Returns the program with these arguments.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.foreign(EXE);
        command.args(words);
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Output {
        self.run_command(self.command(words))
    }

    /// Runs a prepared command to its end.
    #[track_caller]
    pub(crate) fn run_command(&self, command: Command) -> Output {
        match try_run(command, b"") {
            Ok(output) => output,
            Err(error) => panic!("{error} (world {})", self.dir.path().display()),
        }
    }

    /// Runs the program with `--format json` and returns what it says.
    #[track_caller]
    pub(crate) fn json<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Value {
        let mut command = self.command(words);
        command.args(["--format", "json"]);
        let output = self.run_command(command).expect_code(0);
        serde_json::from_str(&output.stdout).expect("JSON")
    }

    /// Returns the daemon's process, if one holds the lock and lives.
    pub(crate) fn daemon(&self) -> Option<ProcessId> {
        let text = fs::read_to_string(self.root().join("run/daemon.lock")).ok()?;
        let daemon = ProcessId::of(text.trim().parse().ok()?)?;
        // The pid of an old lock may be a stranger's now.
        (daemon.is_alive() && self.is_ours(daemon.pid)).then_some(daemon)
    }

    /// Returns the daemon's process.
    #[track_caller]
    pub(crate) fn daemon_pid(&self) -> ProcessId {
        wait_value("a daemon holds the lock", Duration::from_secs(5), || self.daemon())
    }

    /// Kills the daemon without a word and waits until it is gone.
    #[track_caller]
    pub(crate) fn kill_daemon(&self) {
        let daemon = self.daemon_pid();
        daemon.signal(Signal::KILL);
        // Its last thread, and the socket with it, outlives the process's death by a moment.
        wait_until("the daemon is gone", Duration::from_secs(5), || {
            // A client that was connected may have replaced it already.
            let replaced = || self.daemon().is_some_and(|other| other != daemon);
            !daemon.is_alive() && (replaced() || UnixStream::connect(self.socket()).is_err())
        });
    }

    /// Returns every live process of this world, with what it is: those that carry one of its
    /// paths in their environment, and supervisors, whose environment is empty, by their log.
    pub(crate) fn processes(&self) -> Vec<(ProcessId, String)> {
        let all = procfs::process::all_processes().into_iter().flatten().flatten();
        let ours = all.map(|process| process.pid).filter(|&pid| self.is_ours(pid));
        ours.filter_map(ProcessId::of)
            .filter(|process| process.is_alive())
            .map(|process| (process, describe(process.pid)))
            .collect()
    }

    fn is_ours(&self, pid: i32) -> bool {
        let here = self.dir.path().as_os_str().as_bytes();
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let marked = environment.windows(here.len()).any(|window| window == here);
        let log = || fs::read_link(format!("/proc/{pid}/fd/2")).unwrap_or_default();
        marked || log().starts_with(self.dir.path())
    }

    /// Ends everything and returns what should not have been there.
    fn close(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let others = |daemon: Option<ProcessId>| {
            self.processes().into_iter().any(|(process, _)| Some(process) != daemon)
        };
        if others(self.daemon()) {
            match try_run(self.command(["kill", "all", "--force"]), b"") {
                Ok(output) if output.code == 0 => {}
                Ok(output) => wrong.push(format!("kill all: {} {}", output.code, output.stderr)),
                Err(error) => wrong.push(error),
            }
        }
        if let Some(daemon) = self.daemon() {
            daemon.signal(Signal::TERM);
            if try_wait_value(Duration::from_secs(6), || (!daemon.is_alive()).then_some(()))
                .is_err()
            {
                wrong.push("the daemon ignores SIGTERM".to_owned());
            }
        }
        let empty = || self.processes().is_empty().then_some(());
        if try_wait_value(Duration::from_secs(4), empty).is_err() {
            for (process, what) in self.processes() {
                wrong.push(format!("still there: {} {what}", process.pid));
                process.signal(Signal::KILL);
            }
        }
        if UnixStream::connect(self.socket()).is_ok() {
            wrong.push("the daemon's socket still listens".to_owned());
        }
        wrong
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let wrong = self.close();
        assert!(wrong.is_empty() || std::thread::panicking(), "left behind: {}", wrong.join("; "));
    }
}

/// Returns the command line of a process.
fn describe(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// Writes a file that can be executed.
pub(crate) fn write_script(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).expect("write a script");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set its mode");
}

/// Returns where an instrumented program writes what of it was run, as a variable.
#[expect(clippy::disallowed_methods, reason = "it is for the instrumentation, not for the program")]
fn profile() -> Option<(&'static str, OsString)> {
    const FILE: &str = "LLVM_PROFILE_FILE";
    std::env::var_os(FILE).map(|file| (FILE, file))
}
