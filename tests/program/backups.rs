//! The drill: a backup under load, restored into a fresh root, is what was there.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::Value;

use crate::{
    servers::Postgres,
    support::{Say as _, World, wait_until},
};

const SOON: Duration = Duration::from_secs(20);

/// Runs the program on another root of the same world.
fn on(world: &World, root: &Path, words: &[&str]) -> crate::support::Output {
    let mut command = world.command(words);
    command.env("STRATAVORE_HOME", root);
    world.run_command(command)
}

fn json_on(world: &World, root: &Path, words: &[&str]) -> Value {
    let words: Vec<_> = words.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&on(world, root, &words).expect_code(0).stdout).unwrap()
}

/// Reads a database with nothing of ours.
async fn rows(file: &Path, sql: &'static str) -> Vec<(String,)> {
    use sqlx::Connection as _;
    let url = format!("sqlite://{}?mode=ro", file.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows
}

const EVENTS: &str = "SELECT position || ' ' || event_id || ' ' || event_type || ' ' || data || ' ' \
                      || seal FROM events WHERE position IS NOT NULL ORDER BY position";

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_restored_whole() {
    let world = World::with_project();
    let agent = world.agent("seq", &["--rate", "50"]);
    fs::create_dir_all(world.root().join("screens")).unwrap();
    fs::write(world.root().join("screens/mine.toml"), "# rules\n").unwrap();
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("stratavore.yaml"), "runner:\n  stop_grace_seconds: 7\n").unwrap();
    let file = world.path("b.tar.gz");
    let written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut made = 0;
            while !written.load(Ordering::Relaxed) || made < 10 {
                made += 1;
                world.run(["quotas", "set", "p", "max_memory_mb", &format!("{}", 9000 + made)]);
            }
            made
        });
        wait_until("there is load", SOON, || {
            let events = world.json(["events", "--type", "quota."]);
            events.as_array().is_some_and(|events| events.len() > 2)
        });
        let saved = world.run(["backup", "--output", file.to_str().unwrap()]).expect_code(0);
        assert!(saved.stdout.contains("screens/mine.toml"), "{}", saved.stdout);
        assert!(saved.stdout.contains("config/user/stratavore.yaml"), "{}", saved.stdout);
        written.store(true, Ordering::Relaxed);
        assert!(load.join().unwrap() >= 10);
    });
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = world.run(["backup", "--output", file.to_str().unwrap()]);
    again.expect_error(4, &["there already"]);
    assert!(!world.path("b.tar.gz.partial").exists());
    let nowhere = world.run(["backup", "--output", "/nosuch/x.tgz"]);
    nowhere.expect_error(6, &["next: mkdir -p '/nosuch'"]);
    world.run(["restore", "/nosuch.gz"]).expect_error(3, &["/nosuch.gz"]);

    // It is refused where something lives, and where something is.
    let path = file.to_str().unwrap();
    world.run(["restore", path]).expect_error(4, &["a daemon runs"]);
    let checked = world.run(["restore", path, "--dry-run"]).expect_code(0);
    assert!(checked.stderr.contains("it would be refused: a daemon runs"), "{}", checked.stderr);
    world.run(["daemon", "stop"]).expect_code(0);
    world.run(["restore", path, "--force"]).expect_error(4, &["runners live"]);

    let fresh = world.path("r");
    let checked = on(&world, &fresh, &["restore", path, "--dry-run"]).expect_code(0);
    let told = &checked.stderr;
    assert!(told.contains("the backup is whole") && !told.contains("refused"), "{told}");
    assert!(!fresh.exists(), "a dry run makes nothing");
    on(&world, &fresh, &["restore", path]).expect_code(0);
    assert_eq!(fs::metadata(&fresh).unwrap().permissions().mode() & 0o777, 0o700);
    let audit = on(&world, &fresh, &["audit", "verify"]).expect_code(0);
    assert!(audit.stderr.contains("the log is what was written"), "{}", audit.stderr);

    // What is in it is the beginning of what is in the original, to the last byte.
    let original = rows(&world.root().join("stratavore.db"), EVENTS).await;
    let restored = rows(&fresh.join("stratavore.db"), EVENTS).await;
    assert!(restored.len() > 3 && restored.len() <= original.len(), "{}", restored.len());
    assert_eq!(restored, original[..restored.len()]);
    assert_eq!(fs::read(fresh.join("screens/mine.toml")).unwrap(), b"# rules\n");
    assert!(fresh.join("config/user/stratavore.yaml").is_file());

    // A daemon of the restored root touches nothing of what lives in the original one.
    let shown = json_on(&world, &fresh, &["projects", "show", "p"]);
    assert_eq!(shown.text("path"), world.path("p-p").to_str().unwrap());
    wait_until("its row is settled", SOON, || {
        let runner = json_on(&world, &fresh, &["runners", "show", &agent.name]);
        runner.text("status") == "failed"
    });
    let runner = json_on(&world, &fresh, &["runners", "show", &agent.name]);
    assert_eq!(runner.text("reason"), "restored from a backup");
    on(&world, &fresh, &["daemon", "stop"]).expect_code(0);
    on(&world, &fresh, &["audit", "verify"]).expect_code(0);
    assert_eq!(world.show(&agent.name).text("status"), "running");
    assert_eq!(agent.witness.starts(), 1);
    assert!(!agent.witness.alive().is_empty(), "the agent of the original root was ended");

    put_aside(&world, &fresh, path, restored.len()).await;
    refused_when_damaged(&world, &file);
}

/// A root that holds something is put aside, not lost.
async fn put_aside(world: &World, fresh: &Path, path: &str, events: usize) {
    on(world, fresh, &["restore", path]).expect_error(4, &["--force"]);
    fs::create_dir_all(fresh.join("worktrees/p/one")).unwrap();
    let forced = on(world, fresh, &["restore", path, "--force", "--format", "json"]);
    let forced: Value = serde_json::from_str(&forced.expect_code(0).stdout).unwrap();
    let aside = Path::new(forced.text("put_aside")).join("stratavore.db");
    assert!(rows(&aside, EVENTS).await.len() > events, "what happened since is there");
    assert!(fresh.join("worktrees/p/one").is_dir(), "worktrees stay where git looks for them");
}

/// Damage is found before anything is changed.
fn refused_when_damaged(world: &World, file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    let damaged = world.path("damaged.tar.gz");
    fs::write(&damaged, bytes).unwrap();
    let other = world.path("o");
    let refused = on(world, &other, &["restore", damaged.to_str().unwrap()]);
    refused.expect_error(4, &["damaged"]);
    assert!(!other.exists());
    let missing = on(world, &other, &["restore", "/nonexistent.tar.gz"]);
    missing.expect_error(3, &["/nonexistent.tar.gz"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_rows_are_saved_at_one_moment_and_come_back() {
    let world = World::new();
    let url = Postgres::shared().database().await;
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    let file = config.join("stratavore.yaml");
    fs::write(&file, format!("database:\n  url: {url}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    world.project("p");
    world.run(["quotas", "set", "p", "max_memory_mb", "123"]).expect_code(0);
    let backup = world.path("b.tar.gz");
    let said = world.run(["backup", "-o", backup.to_str().unwrap()]).expect_code(0);
    assert!(said.stdout.contains("server-keys/audit.key"), "{}", said.stdout);
    let events = world.json(["events", "--limit", "1000"]).as_array().unwrap().len();

    fs::write(&file, "").unwrap();
    let fresh = world.path("r");
    on(&world, &fresh, &["restore", backup.to_str().unwrap()]).expect_code(0);
    on(&world, &fresh, &["audit", "verify"]).expect_code(0);
    let quotas = json_on(&world, &fresh, &["quotas", "show", "p"]);
    assert!(quotas.to_string().contains("123"), "{quotas}");
    let restored = json_on(&world, &fresh, &["events", "--limit", "1000"]);
    // The daemon of the restored root has begun by now.
    assert!(restored.as_array().unwrap().len() > events, "{events}");
    on(&world, &fresh, &["daemon", "stop"]).expect_code(0);

    // And up again, into an empty server.
    let empty = Postgres::shared().database().await;
    on(&world, &fresh, &["database", "copy", "--to", &empty]).expect_code(0);
}
