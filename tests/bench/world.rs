//! A place of its own for both programs: home, state, sockets; and nothing of it left at the end.

use std::{
    cell::Cell,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, FileType, Mode, OFlags},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{helper, herd::Herd, proc, signal};

/// The project that all runners belong to.
const PROJECT: &str = "bench";

/// The project of runners that are only to be there.
const ASIDE: &str = "aside";

/// The session that keeps tmux's server alive.
const HOLD: &str = "hold";

/// How long anything but a flood may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The size of all terminals.
pub(crate) const SIZE: (u16, u16) = (80, 24);

/// The lines of history that tmux keeps, as many as stratavore does by itself.
pub(crate) const HISTORY: u32 = 10_000;

/// Which program, and which way into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Stratavore, the terminal handed over.
    Direct,
    /// Stratavore, through its daemon.
    Daemon,
    /// tmux.
    Tmux,
}

/// A running runner or session.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// Where it runs.
    pub side: Side,
    /// What commands call it.
    pub name: String,
}

/// Where everything happens.
#[derive(Debug)]
pub(crate) struct World {
    dir: TempDir,
    binary: PathBuf,
    tmux: PathBuf,
    count: Cell<u32>,
    /// The daemon's process.
    pub daemon_pid: u32,
    tmux_pid: Cell<u32>,
}

/// Finds the binary to measure.
pub(crate) fn find_binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("STRATAVORE_BIN") {
        let named = PathBuf::from(named);
        return named.canonicalize().with_context(|| format!("find {}", named.display()));
    }
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).context("this program is in no target directory")?;
    let found = ["dist", "release"].map(|profile| target.join(profile).join("stratavore"));
    let found = found.into_iter().find(|file| file.is_file());
    found.context("nothing to measure; run: cargo build --profile dist")
}

/// Finds the distribution's tmux.
pub(crate) fn find_tmux() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|dir| dir.join("tmux")).find(|file| file.is_file());
    found.context("tmux is on no directory of PATH; run: apt-get install tmux")
}

impl World {
    /// Makes the place and starts both servers in it.
    pub(crate) fn create(binary: &Path, tmux: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("svb-").tempdir_in("/tmp")?;
        std::fs::create_dir(dir.path().join("home"))?;
        let mut world = Self {
            dir,
            binary: binary.to_owned(),
            tmux: tmux.to_owned(),
            count: Cell::new(0),
            daemon_pid: 0,
            tmux_pid: Cell::new(0),
        };
        let home = world.path("home");
        run(world.stratavore(&["new", PROJECT, "--path"]).arg(&home))?;
        run(world.stratavore(&["new", ASIDE, "--path"]).arg(&home))?;
        let status: Value =
            serde_json::from_str(&run(&mut world.stratavore(&["status", "--format", "json"]))?)?;
        world.daemon_pid = number(&status, "pid")?;
        world.start_tmux()?;
        Ok(world)
    }

    /// Starts tmux's server.
    fn start_tmux(&self) -> Result<()> {
        let (cols, rows) = SIZE;
        let size = format!("new-session -d -s {HOLD} -x {cols} -y {rows}");
        let words: Vec<&str> = size.split(' ').chain(["--", "sleep", "100000"]).collect();
        run(&mut self.tmux(&words))?;
        run(&mut self.tmux(&["set-option", "-g", "history-limit", &HISTORY.to_string()]))?;
        let pid = run(&mut self.tmux(&["display-message", "-p", "#{pid}"]))?;
        self.tmux_pid.set(pid.trim().parse().context("read the pid of tmux's server")?);
        Ok(())
    }

    /// Starts tmux's server anew: its memory is then that of what follows. Ends all sessions.
    pub(crate) fn restart_tmux(&self) -> Result<()> {
        let old = self.tmux_pid();
        run(&mut self.tmux(&["kill-server"]))?;
        signal::until("the end of tmux's server", LIMIT, || {
            Ok((!proc::is_alive(old)).then_some(()))
        })?;
        self.start_tmux()
    }

    /// The process of tmux's server.
    pub(crate) fn tmux_pid(&self) -> u32 {
        self.tmux_pid.get()
    }

    /// A path in the place.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path in the place that was not used before.
    pub(crate) fn fresh_path(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}-{}", self.next()))
    }

    fn next(&self) -> u32 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("STRATAVORE_HOME", self.path("s"))
            .env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "false")
            .env("STRATAVORE_API_ENABLED", "false")
            .env("TMUX_TMPDIR", self.dir.path())
            .env("LANG", "C.UTF-8")
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .current_dir(self.dir.path());
        command
    }

    /// The program that is measured.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Returns a command of stratavore.
    pub(crate) fn stratavore(&self, words: &[&str]) -> Command {
        let mut command = self.command(&self.binary);
        command.args(words);
        command
    }

    /// Returns a command of tmux.
    pub(crate) fn tmux(&self, words: &[&str]) -> Command {
        let mut command = self.command(&self.tmux);
        command.args(["-L", "bench", "-f", "/dev/null"]).args(words);
        command
    }

    /// Returns the command that starts a program, and the name of the session if it needs one.
    pub(crate) fn start_command(&self, side: Side, program: &[String]) -> (Command, String) {
        let name = format!("s{}", self.next());
        let mut command = match side {
            Side::Tmux => {
                let (cols, rows) = SIZE;
                let words = format!("new-session -d -s {name} -x {cols} -y {rows} --");
                self.tmux(&words.split(' ').collect::<Vec<_>>())
            }
            Side::Direct | Side::Daemon => self.stratavore(&["launch", PROJECT, "--"]),
        };
        command.args(program);
        (command, name)
    }

    /// Starts a program in a runner or a session.
    pub(crate) fn start(&self, side: Side, program: &[String]) -> Result<Running> {
        let (mut command, session) = self.start_command(side, program);
        let said = run(&mut command)?;
        let name = match side {
            Side::Tmux => session,
            Side::Direct | Side::Daemon => said.trim().to_owned(),
        };
        Ok(Running { side, name })
    }

    /// Starts a runner that does nothing, in a project of its own.
    pub(crate) fn start_aside(&self) -> Result<()> {
        run(&mut self.stratavore(&["launch", ASIDE, "--", "sleep", "100000"])).map(drop)
    }

    /// Returns the command that attaches a terminal.
    pub(crate) fn attach_command(&self, running: &Running) -> Command {
        match running.side {
            Side::Direct => self.stratavore(&["attach", &running.name]),
            Side::Daemon => self.stratavore(&["attach", "--via", "daemon", &running.name]),
            Side::Tmux => self.tmux(&["attach-session", "-t", &format!("={}", running.name)]),
        }
    }

    /// Ends a runner or a session.
    pub(crate) fn end(&self, running: &Running) -> Result<()> {
        let target = format!("={}", running.name);
        run(&mut match running.side {
            Side::Tmux => self.tmux(&["kill-session", "-t", &target]),
            Side::Direct | Side::Daemon => self.stratavore(&["kill", "--force", &running.name]),
        })
        .map(drop)
    }

    /// The process that serves a runner or session: its supervisor, or tmux's one server.
    pub(crate) fn server_pid(&self, running: &Running) -> Result<u32> {
        if running.side == Side::Tmux {
            return Ok(self.tmux_pid());
        }
        let words = ["runners", "show", &running.name, "--format", "json"];
        let runner: Value = serde_json::from_str(&run(&mut self.stratavore(&words))?)?;
        number(&runner, "supervisor_pid")
    }

    /// Supervisor and agent of every live runner.
    pub(crate) fn live(&self) -> Result<Vec<(String, u32, u32)>> {
        let words = ["runners", "list", "--status", "live", "--format", "json"];
        let runners: Value = serde_json::from_str(&run(&mut self.stratavore(&words))?)?;
        let runners = runners.as_array().context("the list of runners is no list")?;
        let one = |runner: &Value| {
            let name = runner.get("name").and_then(Value::as_str).unwrap_or_default();
            Ok((name.to_owned(), number(runner, "supervisor_pid")?, number(runner, "pid")?))
        };
        runners.iter().map(one).collect()
    }

    /// Ends everything that a measurement has left, but not the idle ones.
    pub(crate) fn clear(&self, herd: &Herd) -> Result<()> {
        let live = self.live()?;
        let names: Vec<&str> = live
            .iter()
            .map(|(name, ..)| name.as_str())
            .filter(|name| !herd.ours.iter().any(|running| running.name == **name))
            .collect();
        if !names.is_empty() {
            run(self.stratavore(&["kill", "--force"]).args(names))?;
        }
        let sessions = run(&mut self.tmux(&["list-sessions", "-F", "#{session_name}"]))?;
        for name in sessions.lines().filter(|name| *name != HOLD) {
            if !herd.theirs.iter().any(|running| running.name == name) {
                self.end(&Running { side: Side::Tmux, name: name.to_owned() })?;
            }
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // In order if possible; whoever is left after that is ended by its number.
        let commands = [
            self.stratavore(&["--quiet", "--timeout", "10s", "kill", "--force", "all"]),
            self.stratavore(&["--quiet", "daemon", "stop"]),
            self.tmux(&["kill-server"]),
        ];
        for mut command in commands {
            finish(&mut command, LIMIT);
        }
        let began = Instant::now();
        loop {
            let left = proc::belonging_to(self.dir.path());
            if left.is_empty() || began.elapsed() > Duration::from_secs(5) {
                break;
            }
            for pid in left.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
                // One that has just ended needs no ending.
                kill_process(pid, Signal::KILL).ok();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Returns the words that run a helper.
pub(crate) fn helper_words(words: &[&str]) -> Result<Vec<String>> {
    let own = std::env::current_exe()?.display().to_string();
    let words = [helper::MARK].iter().chain(words).map(|word| (*word).to_owned());
    Ok(std::iter::once(own).chain(words).collect())
}

/// Runs a command whose outcome does not matter, for so long at most.
fn finish(command: &mut Command, limit: Duration) {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = quiet.spawn() else { return };
    let began = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && began.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(5));
    }
    stop(&mut child);
}

/// Ends a process of ours.
pub(crate) fn stop(child: &mut Child) {
    // Both fail only when it has ended already.
    child.kill().ok();
    child.wait().ok();
}

/// Runs a command and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}: {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns a number of a JSON object.
fn number(value: &Value, name: &str) -> Result<u32> {
    let number = value.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    number.with_context(|| format!("no number `{name}` in the answer"))
}

/// A named pipe between the bench and the programs it starts; held open on our side, so that no
/// opening waits.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// Its path.
    pub path: PathBuf,
    file: File,
}

impl Pipe {
    /// Makes a pipe.
    pub(crate) fn create(world: &World) -> Result<Self> {
        let path = world.fresh_path("pipe");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::empty())?.into();
        Ok(Self { path, file })
    }

    /// The path as text.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Waits for a time that a helper writes.
    pub(crate) fn stamp(&mut self) -> Result<u64> {
        let began = Instant::now();
        let mut bytes = [0; 8];
        let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        while began.elapsed() < LIMIT {
            let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
            if poll(&mut fds, Some(&tenth)).is_ok_and(|ready| ready > 0) {
                self.file.read_exact(&mut bytes)?;
                return Ok(u64::from_ne_bytes(bytes));
            }
            signal::check()?;
        }
        bail!("waited {} s in vain for a helper", LIMIT.as_secs())
    }

    /// Whether something was written into it since the last look.
    pub(crate) fn was_written(&mut self) -> Result<bool> {
        match self.file.read(&mut [0; 64]) {
            Ok(count) => Ok(count > 0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a line for a shell that reads.
    pub(crate) fn say(&self, line: &str) -> Result<()> {
        use std::io::Write as _;
        Ok((&self.file).write_all(format!("{line}\n").as_bytes())?)
    }
}
