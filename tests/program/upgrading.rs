//! Replacing the program: agents go on, the next daemon is the new program, and supervisors of older
//! versions are understood.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use prost::Message as _;
use stratavore::proto::{
    framing::{Decoder, encode},
    link::v1::{FromSupervisor, Hello, Role, ToSupervisor, from_supervisor, to_supervisor},
};

use crate::support::{EXE, Say as _, Terminal, World, wait_until};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn the_program_is_replaced_under_twenty_runners() {
    const RUNNERS: usize = 20;
    let world = World::new();
    let program = world.path("stratavore");
    fs::copy(EXE, &program).unwrap();
    let run = |words: &[&str]| {
        let mut command = world.foreign(&program);
        command.args(words);
        world.run_command(command).expect_code(0)
    };
    let dir = world.path("p-p");
    fs::create_dir(&dir).unwrap();
    run(&["new", "p", "--path", dir.to_str().unwrap()]);
    let pids = |world: &World| {
        let mut found: Vec<_> = world
            .runners()
            .iter()
            .map(|r| (r.text("name").to_owned(), r.text("status").to_owned(), r.number("pid")))
            .collect();
        found.sort();
        found
    };
    for _ in 0..RUNNERS {
        run(&["launch", "p", "--", EXE, "demo-agent", "--mode", "echo"]);
    }
    let before = pids(&world);
    assert_eq!(before.len(), RUNNERS);
    assert!(before.iter().all(|(_, status, _)| status == "running"), "{before:?}");
    let old = world.daemon_pid();
    let exe = |pid: i32| fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert_eq!(exe(old.pid), program);

    // As a package manager does: a new file takes the name of the old one.
    let new = world.path("stratavore.new");
    fs::copy(EXE, &new).unwrap();
    fs::rename(&new, &program).unwrap();
    assert!(exe(old.pid).to_string_lossy().ends_with(" (deleted)"));
    let told = world.run_command({
        let mut command = world.foreign(&program);
        command.args(["doctor"]);
        command
    });
    assert!(told.stdout.contains("its program was replaced"), "{}", told.stdout);

    run(&["daemon", "restart"]);
    let next = world.daemon_pid();
    assert_ne!(next, old);
    assert_eq!(exe(next.pid), program, "the new daemon is the new program");
    let inode = fs::metadata(format!("/proc/{}/exe", next.pid)).unwrap().ino();
    assert_eq!(inode, fs::metadata(&program).unwrap().ino());
    wait_until("every supervisor is linked", SOON, || world.run(["health"]).code == 0);
    assert_eq!(pids(&world), before, "the same agents, none twice");
    for (name, ..) in &before {
        run(&["send", name, "after the upgrade"]);
    }
    for (name, ..) in &before {
        world.wait_log(name, "after the upgrade");
    }
    let mut command = world.foreign(&program);
    command.args(["attach", &before[RUNNERS - 1].0]);
    let mut terminal = Terminal::start(command);
    terminal.wait_for("after the upgrade");
    terminal.type_bytes(b"\x1c");
    assert_eq!(terminal.wait_exit(), 0);
    // One more is started by the new program beside those of the old one.
    run(&["launch", "p", "--", "sleep", "1000"]);
    world.run(["kill", "all", "--force"]).expect_code(0);
}

/// Where captures of links are: what supervisors and daemons of older versions said.
fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/link")
}

/// Reads what a supervisor says at first: welcome and status.
fn first_words(socket: &Path, greeting: &[u8]) -> (Vec<u8>, Vec<from_supervisor::Message>) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(greeting).unwrap();
    let (mut bytes, mut decoder, mut messages) = (Vec::new(), Decoder::default(), Vec::new());
    while messages.len() < 2 {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "it cut us off after {messages:?}");
        bytes.extend_from_slice(&buffer[..n]);
        decoder.push(&buffer[..n]);
        while let Some(message) = decoder.next_message::<FromSupervisor>().unwrap() {
            messages.extend(message.message);
        }
    }
    (bytes, messages)
}

/// With `STRATAVORE_BLESS=1` what this version says is written down, for the next version to be tested
/// with; the files of older versions stay as they are.
#[test]
fn a_supervisor_understands_the_greetings_of_older_daemons() {
    let world = World::with_project();
    let agent = world.agent("echo", &[]);
    let id = world.show(&agent.name).text("id").to_owned();
    let socket = world.root().join("runners").join(&id).join("link");
    let mut greeting = Vec::new();
    let hello =
        Hello { min_version: 1, max_version: 1, role: Role::Daemon.into(), ..Hello::default() };
    encode(&ToSupervisor { message: Some(to_supervisor::Message::Hello(hello)) }, &mut greeting);
    if stratavore::config::environment::get("STRATAVORE_BLESS").is_some() {
        let (bytes, _) = first_words(&socket, &greeting);
        fs::create_dir_all(captures()).unwrap();
        let name = |what| captures().join(format!("{}-{what}.bin", env!("CARGO_PKG_VERSION")));
        fs::write(name("daemon"), &greeting).unwrap();
        fs::write(name("supervisor"), bytes).unwrap();
    }
    let mut replayed = 0;
    for entry in fs::read_dir(captures()).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().ends_with("-daemon.bin") {
            continue;
        }
        let (_, messages) = first_words(&socket, &fs::read(&path).unwrap());
        let from_supervisor::Message::Welcome(welcome) = &messages[0] else {
            panic!("{}: {messages:?}", path.display())
        };
        assert_eq!(welcome.identity.as_ref().unwrap().runner_id, id, "{}", path.display());
        assert!(matches!(messages[1], from_supervisor::Message::Status(_)));
        replayed += 1;
    }
    assert!(replayed > 0, "no capture was found");
    assert!(hello_of_the_future_is_answered(&socket), "a newer daemon that still speaks version 1");
}

/// A daemon of a later version offers more, and sends fields that nobody here knows.
fn hello_of_the_future_is_answered(socket: &Path) -> bool {
    let hello =
        Hello { min_version: 1, max_version: 9, role: Role::Daemon.into(), ..Hello::default() };
    let mut body = ToSupervisor { message: Some(to_supervisor::Message::Hello(hello)) };
    let mut bytes = Vec::new();
    body.encode(&mut bytes).unwrap();
    // Field 99 of the outer message: a varint.
    bytes.extend_from_slice(&[0x98, 0x06, 0x01]);
    body = ToSupervisor::decode(bytes.as_slice()).unwrap();
    assert!(body.message.is_some());
    let mut framed = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
    framed.extend_from_slice(&bytes);
    let (_, messages) = first_words(socket, &framed);
    matches!(&messages[0], from_supervisor::Message::Welcome(welcome) if welcome.version == 1)
}
