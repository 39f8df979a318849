//! The harness of real servers itself: what starts, can be used, killed and started again, and
//! leaves nothing.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use sqlx::{Connection as _, Executor as _, postgres::PgConnection};

use crate::{
    servers::{Postgres, Proxy, RabbitMq},
    support::{elapsed_since, now, stays, wait_until},
};

/// Set in the test process that is to be killed.
const CHILD: &str = "STRATAVORE_TEST_CHILD";

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn databases_of_a_shared_postgresql_are_fresh_and_apart() {
    let (one, other) = (Postgres::shared().database().await, Postgres::shared().database().await);
    assert_ne!(one, other);
    for url in [&one, &other] {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute("CREATE TABLE t (a int)").await.unwrap();
        connection.close().await.unwrap();
    }
    let wrong = one.replace("test-server-password", "another");
    PgConnection::connect(&wrong).await.expect_err("a wrong password is refused");
}

#[tokio::test]
async fn a_killed_postgresql_keeps_what_was_committed() {
    let server = Postgres::start();
    let url = server.database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute("CREATE TABLE t (a int)").await.unwrap();
    connection.execute("INSERT INTO t VALUES (7)").await.unwrap();
    server.kill();
    connection.execute("INSERT INTO t VALUES (8)").await.expect_err("nobody is there");
    PgConnection::connect(&url).await.expect_err("nobody is there");
    for stop_first in [false, true] {
        if stop_first {
            server.stop();
        }
        server.restart();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let rows: Vec<(i32,)> =
            sqlx::query_as("SELECT a FROM t").fetch_all(&mut connection).await.unwrap();
        assert_eq!(rows, [(7,)]);
    }
    server.pause();
    let connecting = PgConnection::connect(&url);
    tokio::time::timeout(Duration::from_millis(300), connecting).await.expect_err("it is paused");
    server.resume();
    PgConnection::connect(&url).await.unwrap();
}

#[test]
fn a_rabbitmq_can_be_used_paused_alarmed_killed_and_started_again() {
    let server = RabbitMq::start();
    let speaks = || speaks_amqp(server.port());
    assert!(speaks());
    {
        let vhost = server.vhost();
        assert!(server.eval("rabbit_vhost:list_names()").contains(vhost.name()));
        assert!(vhost.url().ends_with(vhost.name()), "{}", vhost.url());
    }
    assert_eq!(server.eval("length(rabbit_vhost:list_names())"), "1", "it is removed");
    server.memory_alarm(true);
    server.memory_alarm(false);
    server.pause();
    stays("a paused broker is silent", Duration::from_millis(300), || !speaks());
    server.resume();
    wait_until("it goes on", PATIENCE, speaks);
    server.eval("rabbit_vhost:add(<<\"kept\">>,<<\"test\">>)");
    server.kill();
    assert!(!speaks());
    server.restart();
    assert!(speaks());
    server.restart();
    assert!(server.eval("rabbit_vhost:list_names()").contains("kept"));
    server.stop();
    assert!(!speaks());
}

#[test]
fn a_proxy_delays_swallows_resets_and_heals() {
    let echo = echo_server();
    let proxy = Proxy::start(echo);
    let mut client = connect(proxy.port());
    assert!(answers(&mut client));

    proxy.latency(Duration::from_millis(100));
    let begun = now();
    assert!(answers(&mut client));
    assert!(elapsed_since(begun) >= Duration::from_millis(200), "both ways");
    proxy.heal();

    proxy.black_hole();
    assert!(!answers(&mut client), "nothing passes");
    let mut other = connect(proxy.port());
    assert!(!answers(&mut other), "new connections are accepted, and nothing passes");
    proxy.heal();
    let mut byte = [0];
    client.read_exact(&mut byte).expect("what was sent meanwhile arrives");
    other.read_exact(&mut byte).expect("what was sent meanwhile arrives");

    proxy.half_open();
    assert!(!answers(&mut client), "it does not notice");
    client.write_all(b"x").expect("it does not notice");
    proxy.heal();
    wait_until("it is reset", PATIENCE, || is_reset(&mut client));

    let mut client = connect(proxy.port());
    assert!(answers(&mut client));
    proxy.reset();
    wait_until("it is reset", PATIENCE, || is_reset(&mut client));
    assert!(answers(&mut connect(proxy.port())), "new ones pass");
}

#[test]
fn nothing_survives_a_test_process_that_is_killed() {
    if is_child() {
        let (postgres, rabbitmq) = (Postgres::start(), RabbitMq::start());
        println!("ports {} {}", postgres.port(), rabbitmq.port());
        stays("until it is killed", Duration::from_mins(5), || true);
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "real_servers::nothing_survives_a_test_process_that_is_killed"])
        .arg("--nocapture")
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut lines = lines.filter_map(|line| Some(line.split_once("ports ")?.1.to_owned()));
    let ports = lines.next();
    let watchdogs = children_of(child.id());
    let dirs: Vec<String> = watchdogs.iter().filter_map(|&pid| directory_of(pid)).collect();
    let segments: Vec<_> = dirs.iter().filter_map(|dir| shared_memory(Path::new(dir))).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let ports = ports.expect("both came up");
    assert_eq!((dirs.len(), segments.len()), (2, 1), "{dirs:?}");
    let gone = || dirs.iter().all(|dir| !Path::new(dir).exists() && workers(dir) == 0);
    wait_until("directories and processes are gone", PATIENCE, gone);
    for port in ports.split_whitespace() {
        let port: u16 = port.parse().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect_err("nobody listens");
    }
    wait_until("the watchdogs are gone", PATIENCE, || {
        watchdogs.iter().all(|&pid| directory_of(pid).is_none())
    });
    let left = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let left = left.lines().filter_map(|line| line.split_whitespace().nth(1));
    assert!(!left.map(str::to_owned).any(|id| segments.contains(&id)), "{segments:?}");
}

#[expect(clippy::disallowed_methods, reason = "how a test process learns that it is the child")]
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Returns the children of a process.
fn children_of(parent: u32) -> Vec<i32> {
    let all = procfs::process::all_processes().unwrap().flatten();
    let stats = all.filter_map(|process| process.stat().ok());
    stats.filter(|stat| u32::try_from(stat.ppid) == Ok(parent)).map(|stat| stat.pid).collect()
}

/// Returns the directory that a watchdog guards, its last argument; `None` for other processes.
fn directory_of(pid: i32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.trim_end_matches('\0').rsplit('\0');
    let dir = words.next()?.to_owned();
    (words.next() == Some("watchdog")).then_some(dir)
}

/// Returns the id of the System V memory that a `PostgreSQL` in this directory uses.
fn shared_memory(dir: &Path) -> Option<String> {
    let lock = fs::read_to_string(dir.join("data/postmaster.pid")).ok()?;
    Some(lock.lines().nth(6)?.split_whitespace().nth(1)?.to_owned())
}

/// Counts the processes that work in a directory.
fn workers(dir: &str) -> usize {
    let all = procfs::process::all_processes().unwrap().flatten();
    all.filter(|process| process.cwd().is_ok_and(|cwd| cwd.starts_with(dir))).count()
}

fn speaks_amqp(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut kind = [0];
    stream.write_all(b"AMQP\0\0\x09\x01").is_ok() && stream.read_exact(&mut kind).is_ok()
}

/// Starts a server that sends back what it gets; it ends with the process.
fn echo_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut back = stream.try_clone().unwrap();
                std::io::copy(&mut (&stream), &mut back).ok();
            });
        }
    });
    port
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream
}

fn answers(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    stream.write_all(b"x").is_ok() && stream.read_exact(&mut byte).is_ok()
}

fn is_reset(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    stream.read(&mut byte).is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset)
}
