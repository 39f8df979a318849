//! A place of its own for all programs: home, state, sockets; and nothing of it left at the end.

use std::{
    cell::Cell,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{helper, herd::Herd, peers::Peer, proc, signal};

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
    /// Another program.
    Peer(Peer),
}

impl Side {
    /// What an attached client does first: it enters the alternate screen, as far as it knows one.
    pub(crate) fn first_bytes(self) -> &'static [u8] {
        match self {
            Self::Peer(peer) => peer.first_bytes(),
            Self::Direct | Self::Daemon => b"\x1b[?1049h",
        }
    }

    /// The keys that detach.
    pub(crate) fn detach_keys(self) -> &'static [u8] {
        match self {
            Self::Peer(peer) => peer.detach_keys(),
            Self::Direct | Self::Daemon => b"\x1c",
        }
    }

    /// Whether what was said before somebody attached can be shown.
    pub(crate) fn keeps_output(self) -> bool {
        !matches!(self, Self::Peer(peer) if !peer.keeps_output())
    }
}

/// A running runner or session.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    peers: Vec<(Peer, PathBuf)>,
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

impl World {
    /// Makes the place and starts the servers in it.
    pub(crate) fn create(binary: &Path, peers: Vec<(Peer, PathBuf)>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("svb-").tempdir_in("/tmp")?;
        std::fs::create_dir(dir.path().join("home"))?;
        let mut world = Self {
            dir,
            binary: binary.to_owned(),
            peers,
            count: Cell::new(0),
            daemon_pid: 0,
            tmux_pid: Cell::new(0),
        };
        let home = world.path("home");
        run(world.stratavore(&["new", PROJECT, "--path"]).arg(&home))?;
        let aside = world.path("aside");
        std::fs::create_dir(&aside)?;
        run(world.stratavore(&["new", ASIDE, "--path"]).arg(&aside))?;
        let status: Value =
            serde_json::from_str(&run(&mut world.stratavore(&["status", "--format", "json"]))?)?;
        world.daemon_pid = number(&status, "pid")?;
        DirBuilder::new().mode(0o700).create(world.path("screens"))?;
        if world.has(Peer::Tmux) {
            world.start_tmux()?;
        }
        Ok(world)
    }

    fn has(&self, peer: Peer) -> bool {
        self.peers.iter().any(|(other, _)| *other == peer)
    }

    /// The others that are measured.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Side> + '_ {
        self.peers.iter().map(|(peer, _)| Side::Peer(*peer))
    }

    /// Everything that is measured, ours first.
    pub(crate) fn sides(&self, ours: Side) -> Vec<Side> {
        [ours].into_iter().chain(self.peers()).collect()
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
        if !self.has(Peer::Tmux) {
            return Ok(());
        }
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
            .env("SCREENDIR", self.path("screens"))
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

    /// Returns a command of another program.
    fn peer(&self, peer: Peer, words: &[&str]) -> Command {
        let found = self.peers.iter().find(|(other, _)| *other == peer);
        let program = found.map_or(Path::new(peer.name()), |(_, program)| program);
        let mut command = self.command(program);
        match peer {
            Peer::Tmux => drop(command.args(["-L", "bench", "-f", "/dev/null"])),
            // Nothing is written about who is logged in.
            Peer::Screen => drop(command.args(["-c", "/dev/null", "-ln", "-U"])),
            Peer::Dtach => {}
        }
        command.args(words);
        command
    }

    /// Returns a command of tmux.
    fn tmux(&self, words: &[&str]) -> Command {
        self.peer(Peer::Tmux, words)
    }

    /// The socket of a session of dtach.
    fn socket(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.dtach"))
    }

    /// Returns the command that starts a program, and the name of the session if it needs one.
    pub(crate) fn start_command(&self, side: Side, program: &[String]) -> (Command, String) {
        let name = format!("s{}", self.next());
        let mut command = match side {
            Side::Peer(Peer::Tmux) => {
                let (cols, rows) = SIZE;
                let words = format!("new-session -d -s {name} -x {cols} -y {rows} --");
                self.tmux(&words.split(' ').collect::<Vec<_>>())
            }
            Side::Peer(Peer::Screen) => {
                self.peer(Peer::Screen, &["-h", &HISTORY.to_string(), "-dmS", &name])
            }
            Side::Peer(Peer::Dtach) => {
                let mut command = self.peer(Peer::Dtach, &["-n"]);
                command.arg(self.socket(&name));
                command
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
            Side::Peer(_) => session,
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
            Side::Peer(Peer::Tmux) => {
                self.tmux(&["attach-session", "-t", &format!("={}", running.name)])
            }
            Side::Peer(Peer::Screen) => self.peer(Peer::Screen, &["-r", &running.name]),
            Side::Peer(Peer::Dtach) => {
                let mut command = self.peer(Peer::Dtach, &["-a"]);
                command.arg(self.socket(&running.name));
                command
            }
        }
    }

    /// Ends a runner or a session.
    pub(crate) fn end(&self, running: &Running) -> Result<()> {
        let target = format!("={}", running.name);
        run(&mut match running.side {
            Side::Peer(Peer::Tmux) => self.tmux(&["kill-session", "-t", &target]),
            Side::Peer(Peer::Screen) => {
                self.peer(Peer::Screen, &["-S", &running.name, "-X", "quit"])
            }
            Side::Peer(Peer::Dtach) => return end_process(self.server_pid(running)?),
            Side::Direct | Side::Daemon => self.stratavore(&["kill", "--force", &running.name]),
        })
        .map(drop)
    }

    /// The process that serves a runner or session: its own, or tmux's one server.
    pub(crate) fn server_pid(&self, running: &Running) -> Result<u32> {
        match running.side {
            Side::Peer(Peer::Tmux) => return Ok(self.tmux_pid()),
            Side::Peer(Peer::Screen) => return self.screen_pid(&running.name),
            Side::Peer(Peer::Dtach) => {
                let socket = self.socket(&running.name);
                let found = proc::started_with(&["-n".as_ref(), socket.as_os_str()]);
                return found.context("a session of dtach is gone");
            }
            Side::Direct | Side::Daemon => {}
        }
        let words = ["runners", "show", &running.name, "--format", "json"];
        let runner: Value = serde_json::from_str(&run(&mut self.stratavore(&words))?)?;
        number(&runner, "supervisor_pid")
    }

    /// The process of a session of screen, which its socket is named after: that is there a moment after the
    /// command has ended that starts it.
    fn screen_pid(&self, name: &str) -> Result<u32> {
        signal::until("the socket of a session of screen", LIMIT, || {
            let sockets = std::fs::read_dir(self.path("screens"))?;
            let names = sockets.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let mut pids = names.filter_map(|socket| {
                let (pid, session) = socket.split_once('.')?;
                (session == name).then(|| pid.parse().ok()).flatten()
            });
            Ok(pids.next())
        })
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
        for side in self.peers() {
            for name in self.sessions(side)? {
                let running = Running { side, name };
                if !herd.theirs.contains(&running) {
                    self.end(&running)?;
                }
            }
        }
        Ok(())
    }

    /// The names of a program's sessions.
    fn sessions(&self, side: Side) -> Result<Vec<String>> {
        let files = |dir: &Path| -> Result<Vec<String>> {
            let entries = std::fs::read_dir(dir)?;
            Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        };
        Ok(match side {
            Side::Peer(Peer::Tmux) => {
                let all = run(&mut self.tmux(&["list-sessions", "-F", "#{session_name}"]))?;
                all.lines().filter(|name| *name != HOLD).map(str::to_owned).collect()
            }
            Side::Peer(Peer::Screen) => {
                let sockets = files(&self.path("screens"))?.into_iter();
                sockets.filter_map(|name| Some(name.split_once('.')?.1.to_owned())).collect()
            }
            Side::Peer(Peer::Dtach) => {
                let sockets = files(self.dir.path())?.into_iter();
                sockets.filter_map(|name| Some(name.strip_suffix(".dtach")?.to_owned())).collect()
            }
            Side::Direct | Side::Daemon => Vec::new(),
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // In order if possible; whoever is left after that is ended by its number.
        let commands = [
            self.stratavore(&["--quiet", "--timeout", "10s", "kill", "--force", "all"]),
            self.stratavore(&["--quiet", "daemon", "stop"]),
        ];
        let tmux = self.has(Peer::Tmux).then(|| self.tmux(&["kill-server"]));
        for mut command in commands.into_iter().chain(tmux) {
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

/// Ends a process of a peer's and waits until it is gone.
fn end_process(pid: u32) -> Result<()> {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, Signal::TERM).context("end a session")?;
    }
    signal::until("the end of a session", LIMIT, || Ok((!proc::is_alive(pid)).then_some(())))
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
