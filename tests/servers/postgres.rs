//! A throw-away `PostgreSQL`: its own data directory, a random port of 127.0.0.1.
//!
//! Passwords are asked for (SCRAM), so that a test which loses one fails. As root the server runs
//! as the user `postgres`, which is all that it accepts.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, Executor as _, postgres::PgConnection};

use super::{
    clock::wait_for,
    place::Place,
    programs::{self, free_port, tail},
};

/// The user of every database; owns the server.
const USER: &str = "stratavore";
/// Their password: easily found in what must not show it.
const PASSWORD: &str = "test-server-password";
/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_mins(1);
/// Ports tried, since another process may take one between our look and the server's.
const TRIES: u32 = 5;

/// A running server; dropping it ends it and removes its data.
pub(crate) struct Postgres {
    place: Place,
    port: u16,
    durable: bool,
    child: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl Postgres {
    /// Returns the server that this process shares, started with the first use. It does not wait
    /// for its disk: what must survive a crash is tested on one of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::launch(false))
    }

    /// Starts a server of one's own, with `fsync`.
    pub(crate) fn start() -> Self {
        Self::launch(true)
    }

    /// The URL of its first database, `postgres`.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes a fresh, empty database and returns its URL.
    pub(crate) async fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url()).await.expect("reach PostgreSQL");
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        connection.execute(sqlx::AssertSqlSafe(create)).await.expect("create a database");
        connection.close().await.expect("leave PostgreSQL");
        self.url_of(&name)
    }

    /// Kills the whole server without a word.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.lock().take() {
            self.place.kill(&mut child);
        }
    }

    /// Stops every process of the server: it neither answers nor closes a connection.
    pub(crate) fn pause(&self) {
        self.place.pause();
    }

    /// Lets a paused server go on.
    pub(crate) fn resume(&self) {
        self.place.signal(Signal::CONT);
    }

    /// Shuts the server down in good order; its clients lose their connections.
    pub(crate) fn stop(&self) {
        if let Some(mut child) = self.lock().take() {
            kill_process(Pid::from_child(&child), Signal::INT).ok();
            wait_for(PATIENCE, || child.try_wait().ok().flatten()).expect("PostgreSQL stops");
        }
    }

    /// Starts it again on the same port and data, after stopping it if it runs.
    pub(crate) fn restart(&self) {
        self.stop();
        let child = self.spawn(self.port);
        let child = child.unwrap_or_else(|| panic!("restart PostgreSQL: {}", self.log()));
        *self.lock() = Some(child);
    }

    fn launch(durable: bool) -> Self {
        let place = Place::new("svpg");
        initialise(&place);
        let mut server =
            Self { place, port: 0, durable, child: Mutex::default(), databases: AtomicU32::new(0) };
        for _ in 0..TRIES {
            server.port = free_port();
            if let Some(child) = server.spawn(server.port) {
                *server.lock() = Some(child);
                return server;
            }
        }
        panic!("start PostgreSQL: {}", server.log());
    }

    /// Starts the server process and waits until it is ready; `None` when it gave up.
    fn spawn(&self, port: u16) -> Option<Child> {
        let mut command = as_owner(&self.place, "postgres");
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "dynamic_shared_memory_type=mmap",
            "max_connections=200",
        ];
        // One that is measured keeps its usual memory.
        let quick =
            ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB"];
        let quick = if self.durable { &[] } else { quick.as_slice() };
        for setting in settings.iter().chain(quick) {
            command.args(["-c", setting]);
        }
        command.args(["-D", "data", "-p"]).arg(port.to_string());
        let mut child = command.spawn().expect("start PostgreSQL");
        let ready = wait_for(PATIENCE, || match child.try_wait() {
            Ok(None) => {
                is_ready(&self.place.path("data/postmaster.pid"), child.id()).then_some(true)
            }
            _ => Some(false),
        });
        if ready != Some(true) {
            self.place.kill(&mut child);
            return None;
        }
        Some(child)
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    fn log(&self) -> String {
        tail(&self.place.path("log"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the data directory.
fn initialise(place: &Place) {
    let mode = fs::Permissions::from_mode(0o711);
    fs::set_permissions(place.dir(), mode).expect("let the server's user in");
    for (name, text) in [("data", None), ("password", Some(PASSWORD))] {
        let path = place.path(name);
        match text {
            Some(text) => fs::write(&path, text).expect("write the password"),
            None => fs::create_dir(&path).expect("make the data directory"),
        }
        if let Some((user, group)) = owner() {
            std::os::unix::fs::chown(&path, Some(user), Some(group)).expect("give it to the user");
        }
    }
    let mut command = as_owner(place, "initdb");
    command.args(["-D", "data", "-U", USER, "-A", "scram-sha-256", "--pwfile=password"]);
    command.args(["-E", "UTF8", "--no-locale", "--no-sync"]);
    let status = command.status().expect("run initdb");
    assert!(status.success(), "initdb: {}", tail(&place.path("log")));
}

/// Returns a command for one of the server's programs, as a user that it accepts.
fn as_owner(place: &Place, program: &str) -> Command {
    let mut command = place.command(&programs::postgres().join(program), "log");
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command
}

/// Returns whom to run as: nobody else unless we are root.
fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user to run PostgreSQL as"))
}

/// Whether the server has written that it is ready: the eighth line of its lock file, and the first
/// is its process.
fn is_ready(lock: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(lock).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.first().is_some_and(|line| line.trim() == pid.to_string())
        && lines.get(7).is_some_and(|line| line.trim() == "ready")
}
