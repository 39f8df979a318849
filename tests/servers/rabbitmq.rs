//! A throw-away `RabbitMQ`: a node of its own with its own name server (epmd), directory, cookie
//! and ports of 127.0.0.1, started by the server's own script without root.
//!
//! Tests that share one get a virtual host each; a test that kills, pauses or alarms the shared
//! server takes it alone.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    process::Child,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    clock::wait_for,
    place::Place,
    programs::{self, free_port, tail},
};

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a question to the running server may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Starts tried, since another process may take a port between our look and the server's.
const TRIES: u32 = 3;
/// The user that may do anything in every virtual host.
pub(crate) const USER: &str = "stratavore";
/// Their password: easily found in what must not show it.
pub(crate) const PASSWORD: &str = "test-broker-password";

/// A running broker; dropping it ends it and removes its data.
pub(crate) struct RabbitMq {
    place: Place,
    ports: Ports,
    /// The broker and its name server.
    children: Mutex<Option<[Child; 2]>>,
    hosts: AtomicU32,
    turn: RwLock<()>,
}

/// The ports of a node.
#[derive(Clone, Copy)]
struct Ports {
    amqp: u16,
    distribution: u16,
    epmd: u16,
}

/// A virtual host of a broker, and with it the right to use the broker; removed when dropped.
pub(crate) struct Vhost<'a> {
    server: &'a RabbitMq,
    name: String,
    _turn: Turn<'a>,
}

/// The right to use a broker.
enum Turn<'a> {
    Beside { _guard: RwLockReadGuard<'a, ()> },
    Alone { _guard: RwLockWriteGuard<'a, ()> },
}

impl RabbitMq {
    /// Returns the broker that this process shares, started with the first use.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a broker of one's own.
    pub(crate) fn start() -> Self {
        let place = Place::new("svmq");
        let ports = Ports { amqp: 0, distribution: 0, epmd: 0 };
        let mut server = Self {
            place,
            ports,
            children: Mutex::default(),
            hosts: AtomicU32::new(0),
            turn: RwLock::default(),
        };
        let mut tries = Vec::new();
        for _ in 0..TRIES {
            server.ports =
                Ports { amqp: free_port(), distribution: free_port(), epmd: free_port() };
            server.prepare();
            if let Err(why) = server.spawn() {
                tries.push(why);
            } else {
                server.eval(&format!(
                    "rabbit_auth_backend_internal:add_user(<<\"{USER}\">>,<<\"{PASSWORD}\">>,<<\"test\">>)"
                ));
                server.permit("/");
                return server;
            }
        }
        panic!("start RabbitMQ: {tries:?}: {}", server.log());
    }

    /// Returns a fresh virtual host, to be used beside other tests.
    pub(crate) fn vhost(&self) -> Vhost<'_> {
        let guard = self.turn.read().unwrap_or_else(PoisonError::into_inner);
        self.make_vhost(Turn::Beside { _guard: guard })
    }

    /// Waits until nobody else uses the broker and returns a fresh virtual host; nobody else will
    /// while it lives, so the broker may be killed, paused or alarmed.
    pub(crate) fn alone(&self) -> Vhost<'_> {
        let guard = self.turn.write().unwrap_or_else(PoisonError::into_inner);
        self.make_vhost(Turn::Alone { _guard: guard })
    }

    /// The URL of the virtual host `/`.
    pub(crate) fn url(&self) -> String {
        url_of("%2f", self.ports.amqp)
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// Evaluates an Erlang expression inside of the broker and returns its value as text.
    pub(crate) fn eval(&self, expression: &str) -> String {
        let socket = self.place.path("control");
        let connected = wait_for(ANSWER, || UnixStream::connect(&socket).ok());
        let mut stream = connected.expect("the broker answers questions");
        stream.set_read_timeout(Some(ANSWER)).expect("set a timeout");
        let line = format!("{}.\n", expression.replace('\n', " "));
        stream.write_all(line.as_bytes()).expect("ask the broker");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("the broker's answer");
        assert!(!answer.contains("'EXIT'"), "{expression}: {answer}");
        answer.trim_end().to_owned()
    }

    /// Raises or clears the memory alarm: the broker stops reading from all who publish.
    pub(crate) fn memory_alarm(&self, on: bool) {
        let limit = if on { "0.00001" } else { "{absolute,4000000000}" };
        self.eval(&format!("vm_memory_monitor:set_vm_memory_high_watermark({limit})"));
        let shown = wait_for(ANSWER, || {
            (self.eval("rabbit_alarm:get_alarms()").contains("memory") == on).then_some(())
        });
        shown.expect("the alarm follows the limit");
    }

    /// Kills the broker without a word.
    pub(crate) fn kill(&self) {
        if let Some(children) = self.lock().take() {
            for mut child in children {
                self.place.kill(&mut child);
            }
        }
    }

    /// Stops every process of the broker: it neither answers nor closes a connection.
    pub(crate) fn pause(&self) {
        self.place.pause();
    }

    /// Lets a paused broker go on.
    pub(crate) fn resume(&self) {
        self.place.signal(Signal::CONT);
    }

    /// Shuts the broker down in good order.
    pub(crate) fn stop(&self) {
        if let Some([mut broker, mut epmd]) = self.lock().take() {
            kill_process(Pid::from_child(&broker), Signal::TERM).ok();
            wait_for(PATIENCE, || broker.try_wait().ok().flatten()).expect("RabbitMQ stops");
            self.place.kill(&mut epmd);
        }
    }

    /// Starts it again on the same port and data, after stopping it if it runs.
    pub(crate) fn restart(&self) {
        self.stop();
        if let Err(why) = self.spawn() {
            panic!("restart RabbitMQ: it {why}: {}", self.log());
        }
    }

    /// Writes the node's configuration.
    fn prepare(&self) {
        let Ports { amqp, distribution, .. } = self.ports;
        let write = |name: &str, text: String| {
            fs::write(self.place.path(name), text).expect("write the configuration");
        };
        write(
            "rabbitmq.conf",
            format!(
                "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
                 distribution.listener.port_range.min = {distribution}\n\
                 distribution.listener.port_range.max = {distribution}\n\
                 disk_free_limit.absolute = 50MB\n\
                 vm_memory_high_watermark.absolute = 4000MB\n\
                 log.file = false\nlog.console = true\nlog.console.level = info\n"
            ),
        );
        write("plugins", "[].\n".to_owned());
        let control = include_str!("control.erl");
        let path = self.place.path("control");
        write("control.erl", format!("Path = {:?}.\n{control}", path.display().to_string()));
        let cookie = self.place.path(".erlang.cookie");
        if !cookie.exists() {
            write(".erlang.cookie", uuid::Uuid::new_v4().simple().to_string());
            let mode = fs::Permissions::from_mode(0o400);
            fs::set_permissions(&cookie, mode).expect("protect the cookie");
        }
    }

    /// Starts the node and waits until it speaks AMQP.
    ///
    /// # Errors
    ///
    /// How it failed.
    fn spawn(&self) -> Result<(), String> {
        let Ports { amqp, distribution, epmd } = self.ports;
        let mut name_server = self.place.command(&programs::epmd(), "log");
        name_server.args(["-port", &epmd.to_string(), "-address", "127.0.0.1"]);
        let mut name_server = name_server.spawn().expect("start epmd");
        // Its start of a node asks for the name server, and would start one that we do not know.
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, epmd)).ok();
        wait_for(PATIENCE, listens).expect("epmd listens");

        let mut command = self.place.command(&programs::rabbitmq().join("rabbitmq-server"), "log");
        let in_place = |name: &str| self.place.path(name);
        let script = in_place("control.erl");
        command
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("test{amqp}@localhost"))
            .env("RABBITMQ_NODE_PORT", amqp.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", in_place("data"))
            .env("RABBITMQ_LOG_BASE", in_place("logs"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", in_place("plugins"))
            .env("RABBITMQ_CONFIG_FILE", in_place("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_PID_FILE", in_place("pid"))
            // Makes the script become the broker, so that our child is it.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            // The script splits this at blanks and keeps the quotes.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!(
                    "+S 2:2 -kernel inet_dist_use_interface {{127,0,0,1}} \
                     -eval file:script(\"{}\")",
                    script.display()
                ),
            );
        let mut broker = command.spawn().expect("start RabbitMQ");
        let ready = wait_for(PATIENCE, || match broker.try_wait() {
            Ok(None) => speaks_amqp(amqp).then_some(Ok(())),
            ended => Some(Err(format!("ended: {ended:?}"))),
        });
        let ready = ready.unwrap_or_else(|| Err(format!("is silent for {PATIENCE:?}")));
        if ready.is_err() {
            self.place.kill(&mut broker);
            self.place.kill(&mut name_server);
            return ready;
        }
        *self.lock() = Some([broker, name_server]);
        Ok(())
    }

    fn make_vhost<'a>(&'a self, turn: Turn<'a>) -> Vhost<'a> {
        let name = format!("test_{}", self.hosts.fetch_add(1, Ordering::Relaxed));
        self.eval(&format!("rabbit_vhost:add(<<\"{name}\">>,<<\"test\">>)"));
        self.permit(&name);
        Vhost { server: self, name, _turn: turn }
    }

    fn permit(&self, vhost: &str) {
        self.eval(&format!(
            "rabbit_auth_backend_internal:set_permissions(<<\"{USER}\">>,<<\"{vhost}\">>,\
             <<\".*\">>,<<\".*\">>,<<\".*\">>,<<\"test\">>)"
        ));
    }

    fn log(&self) -> String {
        tail(&self.place.path("log"))
    }

    fn lock(&self) -> MutexGuard<'_, Option<[Child; 2]>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vhost<'_> {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its broker.
    pub(crate) fn server(&self) -> &RabbitMq {
        self.server
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.url_through(self.server.ports.amqp)
    }

    /// Its URL on another port of 127.0.0.1, a proxy's.
    pub(crate) fn url_through(&self, port: u16) -> String {
        url_of(&self.name, port)
    }
}

impl Drop for Vhost<'_> {
    fn drop(&mut self) {
        // After a failed test the broker may be down, and it is not worth a second failure.
        if !std::thread::panicking() && self.server.lock().is_some() {
            let delete = format!("rabbit_vhost:delete(<<\"{}\">>,<<\"test\">>)", self.name);
            self.server.eval(&delete);
        }
    }
}

fn url_of(vhost: &str, port: u16) -> String {
    format!("amqp://{USER}:{PASSWORD}@127.0.0.1:{port}/{vhost}")
}

/// Whether the protocol's header is answered by the first frame of a handshake.
fn speaks_amqp(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"AMQP\0\0\x09\x01")?;
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        Ok::<_, std::io::Error>(kind == [1])
    };
    ask().unwrap_or(false)
}
