//! What is for the machine: doctor, support bundle, installation, and what systemd is told.

use std::{
    fs,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt as _, PermissionsExt as _},
            net::{UnixDatagram, UnixListener},
        },
    },
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{EXE, Say as _, World, code_of, wait_until, write_script};

const SOON: Duration = Duration::from_secs(20);

/// Puts an agent on the path that says its version.
fn with_agent(world: &World) -> Command {
    let bin = world.path("bin");
    fs::create_dir_all(&bin).unwrap();
    write_script(&bin.join("claude"), "#!/bin/sh\necho '9.8.7 (a script)'\n", 0o755);
    let mut command = world.command(["doctor", "--format", "json"]);
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
    command
}

fn examine(world: &World, command: Command) -> (i32, Value) {
    let output = world.run_command(command);
    let found = serde_json::from_str(&output.stdout);
    (output.code, found.unwrap_or_else(|error| panic!("{error}: {}", output.stderr)))
}

/// Returns the findings of an area and a level.
fn of<'a>(found: &'a Value, area: &str, level: &str) -> Vec<&'a Value> {
    let all = found["findings"].as_array().unwrap().iter();
    all.filter(|one| one.text("area") == area && one.text("level") == level).collect()
}

#[test]
fn a_doctor_finds_what_is_wrong_and_says_how_it_is_mended() {
    let world = World::new();
    let (code, found) = examine(&world, with_agent(&world));
    assert!(of(&found, "agents", "ok")[0].text("what").contains("9.8.7"), "{found}");
    assert_eq!(of(&found, "daemon", "ok").len(), 1);
    let bad: Vec<_> = ["warning", "broken"]
        .iter()
        .flat_map(|level| found["findings"].as_array().unwrap().iter().map(move |one| (level, one)))
        .filter(|(level, one)| one.text("level") == **level)
        .collect();
    // The machine that this runs on may have its own faults; the exit code tells the worst.
    let expected = match found.text("worst") {
        "broken" => 6,
        "warning" => 1,
        _ => 0,
    };
    assert_eq!(code, expected, "{bad:?}");
    assert!(world.daemon().is_none(), "a doctor starts nothing");
    assert!(!world.root().exists(), "and makes nothing");

    // With a daemon, an exposed file, an open directory.
    world.project("p");
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    let file = config.join("stratavore.yaml");
    let text = "docker:\n  rabbitmq:\n    host: 127.0.0.1\n    port: 1\n    password: p\ndashboard:\n  theme: nosuch\n";
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let log = world.root().join("log");
    fs::set_permissions(&log, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, found) = examine(&world, with_agent(&world));
    assert_eq!(code, 6);
    let warnings = of(&found, "configuration", "warning");
    assert!(warnings[0].text("what").contains("has changed since"), "{found}");
    assert!(warnings[0].text("fix").contains("daemon restart"), "{found}");
    assert!(warnings[1].text("what").contains("there is no theme `nosuch`; there are "), "{found}");
    assert!(warnings[2].text("fix").contains("chmod 600"), "{found}");
    assert!(of(&found, "directories", "broken")[0].text("what").contains("chmod 700"));
    assert!(of(&found, "broker", "broken")[0].text("what").contains("127.0.0.1:1"), "{found}");
    assert!(of(&found, "daemon", "ok")[0].text("what").contains("process"));
    fs::set_permissions(&log, fs::Permissions::from_mode(0o700)).unwrap();

    // With a configuration that is refused, when it is needed most.
    fs::write(&file, "daemon: [\n").unwrap();
    let (code, found) = examine(&world, with_agent(&world));
    assert_eq!(code, 6);
    assert_eq!(of(&found, "configuration", "broken").len(), 1);
    let mut long = with_agent(&world);
    long.env("STRATAVORE_HOME", world.path(&"x".repeat(90)));
    let (code, found) = examine(&world, long);
    assert_eq!(code, 6);
    assert!(of(&found, "directories", "broken")[0].text("what").contains("107"));
}

#[test]
fn a_list_that_goes_into_a_pipe_asks_no_other_program_for_its_width() {
    let world = World::new();
    world.project("p");
    let (bin, asked) = (world.path("bin"), world.path("asked"));
    fs::create_dir_all(&bin).unwrap();
    write_script(&bin.join("tput"), &format!("#!/bin/sh\n: > '{}'\n", asked.display()), 0o755);
    let mut command = world.command(["projects"]);
    command.env("PATH", &bin);
    world.run_command(command).expect_code(0);
    assert!(!asked.exists(), "two programs more for each list take longer than the list");
}

#[test]
fn a_support_bundle_holds_no_secret_and_no_prompt() {
    const CANARY: &str = "canary-7f3a";
    let world = World::with_project();
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    let file = config.join("stratavore.yaml");
    let text = format!("docker:\n  rabbitmq:\n    password: {CANARY}\n");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let name = world.launch(&[], &["sh", "-c", &format!("sleep 1000 # {CANARY}")]);
    world.run(["send", &name, CANARY]).expect_code(0);
    let bundle = world.path("s.tar.gz");
    let written = world.run(["support", "-o", bundle.to_str().unwrap()]).expect_code(0);
    assert!(written.stdout.contains("events.jsonl"), "{}", written.stdout);
    assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
    let again = world.run(["support", "-o", bundle.to_str().unwrap()]);
    again.expect_error(4, &["is there already", "next: --output names another file"]);

    let unpacked = world.path("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let mut tar = world.foreign("tar");
    tar.arg("-xzf").arg(&bundle).arg("-C").arg(&unpacked);
    world.run_command(tar).expect_code(0);
    let dir = unpacked.join("stratavore-support");
    let (mut files, home) = (0, world.home().display().to_string());
    for entry in walkdir::WalkDir::new(&dir).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            let text = fs::read_to_string(entry.path()).unwrap();
            assert!(!text.contains(CANARY), "{}: {text}", entry.path().display());
            assert!(!text.contains(&home), "{}: {text}", entry.path().display());
            files += 1;
        }
    }
    assert!(files > 8, "{files} files");
    let events = fs::read_to_string(dir.join("events.jsonl")).unwrap();
    assert!(events.contains("runner.started") && events.contains("bytes left out"), "{events}");
    let settings = fs::read_to_string(dir.join("configuration.txt")).unwrap();
    assert!(settings.contains("docker.rabbitmq.password"), "{settings}");
}

#[test]
fn what_is_installed_can_be_removed_and_nothing_else() {
    let world = World::new();
    let dest = world.path("d");
    let words = |command: &'static str| [command, "--destdir", dest.to_str().unwrap()];
    let dry = world.run(words("install").iter().chain(&["--dry-run"])).expect_code(0);
    assert!(dry.stdout.contains("stratavore.service") && !dest.exists(), "{}", dry.stdout);
    world.run(words("install")).expect_code(0);
    let home = dest.join(world.home().strip_prefix("/").unwrap());
    let program = home.join(".local/bin/stratavore");
    assert_eq!(fs::metadata(&program).unwrap().len(), fs::metadata(EXE).unwrap().len());
    let version = world.run_command({
        let mut command = world.foreign(&program);
        command.arg("version");
        command
    });
    assert!(version.expect_code(0).stdout.starts_with("stratavore "));
    let page = home.join(".local/share/man/man1/stratavore-launch.1");
    assert!(fs::read_to_string(&page).unwrap().contains("launch"));
    fs::write(&page, "mine now").unwrap();
    fs::write(home.join(".local/bin/other"), "somebody else's").unwrap();
    let removed = world.run(words("uninstall")).expect_code(0);
    assert!(removed.stderr.contains("1 files were changed"), "{}", removed.stderr);
    assert!(!program.exists() && page.exists() && home.join(".local/bin/other").exists());
    world.run(words("uninstall")).expect_error(3, &["nothing was installed"]);
    assert!(world.daemon().is_none(), "files are installed without a daemon");
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let world = World::new();
    let dir = world.path("man");
    world.run(["man", "--dir", dir.to_str().unwrap()]).expect_code(0);
    for page in ["stratavore.1", "stratavore-runners-explain.1", "stratavore-restore.1"] {
        assert!(fs::read_to_string(dir.join(page)).unwrap().starts_with(".ie"), "{page}");
    }
    assert!(!dir.join("stratavore-demo-agent.1").exists(), "what is hidden has none");
    assert!(world.run(["man"]).expect_code(0).stdout.contains(".TH stratavore 1"));
}

/// Units are checked by systemd itself, where it is installed.
#[test]
fn units_are_what_systemd_understands() {
    let Some(verify) = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"]
        .into_iter()
        .find(|path| Path::new(path).exists())
    else {
        eprintln!("systemd is not installed: units are not verified");
        return;
    };
    let world = World::new();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/systemd");
    let runtime = world.path("run");
    fs::create_dir(&runtime).unwrap();
    let cases = [
        ("user/stratavore.service", "stratavore.service"),
        ("user/stratavore.socket", "stratavore.socket"),
        ("system/stratavore@.service", "stratavore@root.service"),
    ];
    for (source, name) in cases {
        let text = fs::read_to_string(assets.join(source)).unwrap();
        // The program is not where the unit says on the machine that tests.
        let lines: Vec<_> = text
            .lines()
            .map(|line| {
                let is_start = line.starts_with("ExecStart=");
                if is_start { format!("ExecStart={EXE} --daemon") } else { line.to_owned() }
            })
            .collect();
        if name.ends_with(".service") {
            for needed in ["KillMode=process", "OOMPolicy=continue", "Type=notify"] {
                assert!(lines.iter().any(|line| line == needed), "{source}: {needed}");
            }
        }
        fs::write(world.path(name), lines.join("\n")).unwrap();
    }
    for (source, name) in cases {
        let mut command = world.foreign(verify);
        command.args(["verify", "--man=no"]).env("XDG_RUNTIME_DIR", &runtime);
        if source.starts_with("user/") {
            command.arg("--user");
        }
        let output = world.run_command({
            command.arg(world.path(name));
            command
        });
        // A key of systemd 254, which older ones pass over.
        let wrong: Vec<_> = output
            .stderr
            .lines()
            .filter(|line| line.contains("stratavore") && !line.contains("DelegateSubgroup"))
            .collect();
        assert!(output.code == 0 && wrong.is_empty(), "{source}: {}", output.stderr);
    }
}

/// A daemon in the foreground, as a service manager starts it.
struct Service {
    child: Child,
}

impl Service {
    fn start(world: &World, mut command: Command) -> Self {
        let log = fs::File::create(world.path("service.log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child }
    }

    fn end(mut self) -> i32 {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        code_of(self.child.wait().unwrap())
    }
}

#[test]
fn the_service_manager_is_told_what_is_true() {
    let world = World::new();
    let path = world.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut command = world.command(["--daemon"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000").env_remove("NO_COLOR");
    let service = Service::start(&world, command);
    let next = || {
        let mut buffer = [0; 4096];
        let n = socket.recv(&mut buffer).expect("it says something");
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    };
    let until = |word: &str| while !next().lines().any(|line| line == word) {};
    until("READY=1");
    world.run(["status"]).expect_code(0);
    until("WATCHDOG=1");
    until("WATCHDOG=1");

    // Nobody can reach it any more: it gives no sign of life, though it lives.
    fs::remove_file(world.socket()).unwrap();
    let log = world.path("service.log");
    let failures = || fs::read_to_string(&log).unwrap().matches("no sign of life").count();
    wait_until("the probe fails", SOON, || failures() >= 1);
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 4096]).is_ok() {}
    let seen = failures();
    wait_until("it fails again", SOON, || failures() >= seen + 3);
    assert!(socket.recv(&mut [0; 4096]).is_err(), "a sign of life that is none");
    socket.set_nonblocking(false).unwrap();
    assert_eq!(service.end(), 0);
    until("STOPPING=1");
    let lines = fs::read_to_string(&log).unwrap();
    assert!(lines.contains("INFO") && !lines.contains('\u{1b}'), "colours in a file: {lines:?}");
}

#[test]
fn a_socket_that_is_handed_over_is_served_and_left() {
    let world = World::new();
    let run = world.root().join("run");
    fs::create_dir_all(&run).unwrap();
    for dir in [&world.root(), &run] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let listener = UnixListener::bind(world.socket()).unwrap();
    let inode = fs::metadata(world.socket()).unwrap().ino();
    let hand_over = |root: &Path| {
        // What systemd does: the socket is descriptor 3, the process's own id in LISTEN_PID.
        let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --daemon";
        let mut command = world.foreign("/bin/sh");
        command.args(["-c", script, EXE]).env("STRATAVORE_HOME", root);
        let log = fs::File::create(world.path("service.log")).unwrap();
        let handed = Stdio::from(OwnedFd::from(listener.try_clone().unwrap()));
        Service { child: command.stdin(handed).stdout(Stdio::null()).stderr(log).spawn().unwrap() }
    };
    let service = hand_over(&world.root());
    // The client waits in the socket's backlog until the daemon serves it.
    let status = world.json(["status"]);
    assert_eq!(status.number("pid"), Some(i64::from(service.child.id())));
    assert_eq!(service.end(), 0);
    assert_eq!(fs::metadata(world.socket()).unwrap().ino(), inode, "it is the manager's");

    // One that clients do not look for would be served for nobody.
    let mut other = hand_over(&world.path("other"));
    let code = code_of(other.child.wait().unwrap());
    assert_eq!(code, 6, "{}", fs::read_to_string(world.path("service.log")).unwrap());
    let said = fs::read_to_string(world.path("service.log")).unwrap();
    assert!(said.contains("ListenStream="), "{said}");
    drop(listener);
    fs::remove_file(world.socket()).unwrap();
}
