//! What the chaos happens to: three daemons that share a `PostgreSQL`, one with a file of its own,
//! and a broker with a virtual host for each of the two; a proxy on every way to a server.
//!
//! Invariant: nothing of it is left at the end; the worlds of the daemons fail if something is.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use stratavore::config::Places;

use crate::{
    clock::Clock,
    limits, options,
    programs::Programs,
    servers::{Postgres, Proxy, RabbitMq, Vhost},
    support::{World, wait_until},
};

/// Daemons that share the server.
pub(crate) const SHARING: usize = 3;
/// The size of the disk that the embedded database is on.
const DISK: &str = "size=48m,mode=700";
/// How long a daemon may take to begin or to leave.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a daemon keeps what it knows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Database<'a> {
    /// A file.
    File,
    /// A file on a small disk of its own.
    SmallDisk,
    /// A server at this port, by this URL.
    Server(u16, &'a str),
}

/// A daemon in a world of its own.
pub(crate) struct Node {
    /// Its name in what is printed.
    pub name: String,
    /// The program that it is started from.
    program: PathBuf,
    world: World,
    environment: Vec<(&'static str, String)>,
    /// The way to its database, when that is a server.
    pub database: Option<Proxy>,
    /// The way to its broker, if it has one.
    pub broker: Option<Proxy>,
    child: Mutex<Option<Child>>,
    mount: Option<PathBuf>,
    clock: Option<Clock>,
    programs: Option<Arc<Programs>>,
}

impl Node {
    /// Makes one that is not yet started.
    pub(crate) fn new(
        name: &str,
        database: Database<'_>,
        broker: Option<(u16, &Vhost<'_>)>,
    ) -> Self {
        let world = World::new();
        let mut environment = vec![
            ("STRATAVORE_DAEMON_RECONCILE_INTERVAL_SECONDS", "5".to_owned()),
            ("STRATAVORE_DAEMON_HEARTBEAT_INTERVAL_SECONDS", "2".to_owned()),
        ];
        let broker = broker.map(|(port, vhost)| {
            let proxy = Proxy::start(port);
            let url = vhost.url_through(proxy.port());
            environment.push(("STRATAVORE_DOCKER_RABBITMQ_URL", url));
            proxy
        });
        let (mut way, mut mount) = (None, None);
        match database {
            Database::File => {}
            Database::SmallDisk => mount = small_disk(&world.root()),
            Database::Server(port, url) => {
                let proxy = Proxy::start(port);
                let url = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
                environment.push(("STRATAVORE_DATABASE_URL", url));
                way = Some(proxy);
            }
        }
        Self {
            name: name.to_owned(),
            program: options::program(),
            world,
            environment,
            database: way,
            broker,
            child: Mutex::default(),
            mount,
            clock: None,
            programs: None,
        }
    }

    /// Lets its clock be moved.
    pub(crate) fn with_clock(mut self) -> Self {
        self.clock = Clock::new(self.world.path("clock"));
        self
    }

    /// How many processes there are of it: the daemon, supervisors, agents.
    pub(crate) fn processes(&self) -> usize {
        self.world.processes().len()
    }

    /// Lets its clock be moved and its program be replaced.
    fn with_levers(mut self, programs: &Arc<Programs>) -> Self {
        self = self.with_clock();
        self.program = self.world.path("stratavore");
        programs.put(0, &self.program);
        self.programs = Some(Arc::clone(programs));
        self
    }

    /// Its clock, if that can be moved.
    pub(crate) fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    /// Puts another build in the place of its program.
    pub(crate) fn replace_program(&self, build: usize) {
        self.programs.iter().for_each(|programs| programs.put(build, &self.program));
    }

    /// Has this in its user's configuration.
    pub(crate) fn configure(&self, text: &str) {
        let dir = self.home().join(".config/stratavore");
        std::fs::create_dir_all(&dir).expect("make a directory");
        std::fs::write(dir.join("stratavore.yaml"), text).expect("write a configuration");
    }

    /// The program that it is started from.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Where it lives.
    pub(crate) fn places(&self) -> Places {
        Places::at(self.world.root())
    }

    /// Its home, which marks the agents that are started in it.
    pub(crate) fn home(&self) -> PathBuf {
        self.world.home()
    }

    /// A path in its world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    /// The small disk of its root, if it has one.
    pub(crate) fn disk(&self) -> Option<&Path> {
        self.mount.as_deref()
    }

    /// Returns a command of the program in its world and with its settings.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.world.foreign(&self.program);
        command.args(words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon if it does not run; does not wait until it can be reached.
    pub(crate) fn begin(&self) {
        let mut child = self.child();
        if let Some(running) = child.as_mut() {
            match running.try_wait() {
                Ok(None) => return,
                ended => println!("{}: the daemon had left: {ended:?}", self.name),
            }
        }
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.world.path("daemon.err"))
            .expect("open a log");
        let mut command = self.command(&["--daemon"]);
        command.envs(self.clock.iter().flat_map(Clock::environment));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        *child = Some(command.spawn().expect("start a daemon"));
    }

    /// Starts the daemon and waits until it can be reached.
    pub(crate) fn start(&self) {
        self.begin();
        wait_until("a daemon can be reached", PATIENCE, || {
            self.begin();
            self.greets().is_ok()
        });
    }

    /// Waits for the byte with which a daemon greets who connects once it is ready.
    fn greets(&self) -> std::io::Result<()> {
        use std::io::Read as _;
        let mut stream = std::os::unix::net::UnixStream::connect(self.world.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.read_exact(&mut [0])
    }

    /// Kills the daemon without a word.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().and_then(|()| child.wait().map(drop)).ok();
        }
    }

    /// Stops the daemon where it stands, or lets it go on.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = self.child().as_ref() {
            kill_process(Pid::from_child(child), signal).ok();
        }
    }

    /// The daemon's process, if one was started.
    pub(crate) fn process(&self) -> Option<Pid> {
        self.child().as_ref().map(Pid::from_child)
    }

    /// The daemon's process.
    pub(crate) fn pid(&self) -> Pid {
        self.process().expect("it runs")
    }

    /// Ends the daemon in good order.
    pub(crate) fn leave(&self) {
        let Some(mut child) = self.child().take() else { return };
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::CONT).ok();
        kill_process(pid, Signal::TERM).ok();
        let left = std::cell::Cell::new(false);
        wait_until("the daemon leaves", PATIENCE, || {
            left.set(left.get() || matches!(child.try_wait(), Ok(Some(_)) | Err(_)));
            left.get()
        });
    }

    /// Whether something is mounted over the database's file.
    fn is_protected(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        self.places().database().to_str().is_some_and(|path| mounts.contains(path))
    }

    /// Makes the database's file read-only for who opens it from now on, or writable again; says
    /// whether that could be done.
    pub(crate) fn write_protect(&self, on: bool) -> bool {
        if self.mount.is_none() {
            return false;
        }
        let file = self.places().database();
        let run = |command: &mut Command| command.status().is_ok_and(|status| status.success());
        if !on {
            return run(mount_command("umount").arg("-l").arg(&file));
        }
        run(mount_command("mount").arg("--bind").args([&file, &file]))
            && run(mount_command("mount").args(["-o", "remount,bind,ro"]).arg(&file))
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.signal(Signal::CONT);
            self.kill();
        } else {
            self.leave();
        }
        if self.is_protected() {
            self.write_protect(false);
        }
        if let Some(disk) = self.mount.take() {
            // Lazily: after a failed test something may still work there, which the world ends.
            mount_command("umount").arg("-l").arg(disk).status().ok();
        }
    }
}

/// Mounts a small disk; `None` where that is not allowed.
fn small_disk(at: &Path) -> Option<PathBuf> {
    std::fs::create_dir(at).expect("make the root");
    let mounting =
        mount_command("mount").args(["-t", "tmpfs", "-o", DISK, "none"]).arg(at).status();
    if mounting.is_ok_and(|status| status.success()) {
        return Some(at.to_owned());
    }
    println!("a disk cannot be mounted here: it will be neither full nor read-only");
    std::fs::remove_dir(at).ok();
    None
}

fn mount_command(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Everything.
pub(crate) struct Cluster<'a> {
    /// Those that share the server, then the one with a file.
    pub nodes: Vec<Node>,
    /// The server.
    pub postgres: &'a Postgres,
    /// Its database, directly.
    pub database: String,
    /// The broker.
    pub rabbitmq: &'a RabbitMq,
    /// The virtual hosts, of those that share and of the one with a file.
    pub vhosts: [Vhost<'a>; 2],
}

impl<'a> Cluster<'a> {
    /// Starts everything; each daemon has these settings.
    pub(crate) async fn start(
        postgres: &'a Postgres,
        rabbitmq: &'a RabbitMq,
        settings: &str,
    ) -> Self {
        let database = postgres.database().await;
        let vhosts = [rabbitmq.vhost(), rabbitmq.vhost()];
        let server = Database::Server(postgres.port(), &database);
        let programs = Arc::new(Programs::of(&options::program()));
        let broker = |at: usize| Some((rabbitmq.port(), &vhosts[at]));
        let shared = |n| Node::new(&format!("shared-{n}"), server, broker(0));
        let mut nodes: Vec<_> = (0..SHARING).map(shared).collect();
        nodes.push(Node::new("file", Database::SmallDisk, broker(1)));
        let nodes: Vec<_> = nodes.into_iter().map(|node| node.with_levers(&programs)).collect();
        for node in &nodes {
            node.configure(settings);
        }
        // All at once: one of them makes the schema.
        nodes.iter().for_each(Node::begin);
        nodes.iter().for_each(Node::start);
        Self { nodes, postgres, database, rabbitmq, vhosts }
    }

    /// Lets every server, way and daemon work again.
    pub(crate) fn heal(&self) {
        for node in &self.nodes {
            node.broker.iter().chain(&node.database).for_each(Proxy::heal);
            node.signal(Signal::CONT);
            node.clock.iter().for_each(Clock::set_right);
            node.process().into_iter().for_each(limits::enough_files);
            node.start();
        }
    }
}
