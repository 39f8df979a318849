//! That layers are merged as they are said to be, and what is wrong is named.

use super::*;

fn with_file(text: &str) -> Result<Loaded, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    fs::write(&path, text).unwrap();
    crate::config::load(&Sources { explicit: Some(path), ..Sources::default() })
}

#[test]
fn later_layers_win_and_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    fs::write(&path, "\u{feff}runner:\r\n  stop_grace_seconds: 7\r\n  history_lines: 5\r\n")
        .unwrap();
    let loaded = crate::config::load(&Sources {
        files: vec![dir.path().join("missing.yaml"), path.clone()],
        environment: vec![("STRATAVORE_RUNNER_HISTORY_LINES".into(), "9".into())],
        flags: vec![("logging.level".into(), "debug".into(), "--debug".into())],
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(loaded.config.runner.stop_grace_seconds, 7);
    assert_eq!(loaded.config.runner.history_lines, 9);
    assert_eq!(loaded.config.logging.level, "debug");
    let origin = |key: &str| loaded.origin(key);
    assert_eq!(origin("runner.stop_grace_seconds"), path.display().to_string());
    assert_eq!(origin("runner.history_lines"), "$STRATAVORE_RUNNER_HISTORY_LINES");
    assert_eq!(origin("logging.level"), "--debug");
    assert_eq!(origin("attach.detach_key"), "default");
}

#[test]
fn a_mistake_is_named_with_the_line_of_its_own_section() {
    let line = |text: &str| {
        let told = with_file(text).unwrap_err().to_string();
        told.split("c.yaml")
            .nth(1)
            .unwrap_or_default()
            .split([' ', '\n'])
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(line("api:\n  listen: 127.0.0.1:1\n\nmetrics:\n  listen: 127.0.0.1:2\n"), ":5");
    assert_eq!(line("runner:\n  # listen: x\n  listen: 1\n"), ":3");
    assert_eq!(line("runner: {listen: 1}\n"), ":1");
    assert_eq!(line("docker:\n  rabbitmq:\n    port: 5672\nrabbitmq:\n  port: 1\n"), ":5");
}

#[test]
fn a_file_that_others_can_read_is_told_of_where_it_holds_a_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    let told = |text: &str, mode: u32| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let sources = Sources { explicit: Some(path.clone()), ..Sources::default() };
        !crate::config::load(&sources).unwrap().exposed().is_empty()
    };
    assert!(!told("runner:\n  history_lines: 5\nlogging:\n  level: debug\n", 0o644));
    let token = "docker:\n  telegram:\n    token: '1:abc'\n";
    assert_eq!((told(token, 0o644), told(token, 0o600)), (true, false));
    let address = "docker:\n  telegram:\n    api_url: 'http://me:secret@127.0.0.1:1'\n";
    assert!(told(address, 0o644), "a password in an address is one");
    let command = "agents:\n  mine:\n    command: [env, 'MY_API_KEY=abcdefgh1234', mine]\n";
    assert!(told(command, 0o644), "and what a command is given");
    let topic = "notify:\n  ntfy:\n    url: https://ntfy.sh/mine\n";
    assert!(told(topic, 0o644), "and an address that lets everybody write");
}

#[test]
fn a_variable_sets_a_list() {
    let loaded = crate::config::load(&Sources {
        environment: vec![("STRATAVORE_DOCKER_RABBITMQ_HOSTS".into(), "a, b:5673".into())],
        ..Sources::default()
    });
    assert_eq!(loaded.unwrap().config.docker.rabbitmq.hosts, ["a", "b:5673"]);
}

#[test]
fn defaults_are_in_order() {
    assert_eq!(crate::config::check(&Loaded::default()), Ok(()));
    let loaded = crate::config::load(&Sources::default()).unwrap();
    assert_eq!(loaded, Loaded::default());
}

#[test]
fn a_secret_from_a_file_is_read_also_when_nothing_else_is_set() {
    use std::os::unix::ffi::OsStringExt as _;
    let dir = tempfile::tempdir().unwrap();
    // A name that is no text.
    let path = dir.path().join(OsString::from_vec(b"t\xff".to_vec()));
    fs::write(&path, "secret").unwrap();
    let environment = vec![("STRATAVORE_DOCKER_TELEGRAM_TOKEN_FILE".into(), path.into())];
    let loaded = crate::config::load(&Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(loaded.config.docker.telegram.token.reveal(), "secret");
}

#[test]
fn empty_files_are_defaults() {
    for text in ["", "\n# nothing\n", "---\n", "daemon:\n"] {
        assert_eq!(with_file(text).unwrap().config, Config::default(), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("daemon: [", "c.yaml"),
        ("notify:\n  rules:\n    - mut: true\n", "c.yaml"),
        ("notify:\n  rules:\n    - event: runer.failed\n", "did you mean `runner.failed`"),
        ("api: 3\n", "a section with keys of its own, such as `api."),
        ("agents: 3\n", "such as `agents.codex.mode`"),
        ("presets: 3\n", "such as `presets.NAME.command`"),
        ("- a\n", "mapping"),
        ("daemon:\n  heartbeat_interval_second: 3\n", "heartbeat_interval_seconds"),
        ("runner:\n  history_lines: many\n", "runner.history_lines"),
        ("runner:\n  stop_grace_seconds: -1\n", "runner.stop_grace_seconds"),
        ("daemon:\n  heartbeat_interval_seconds: 0\n", "between 1 and 3600"),
        ("logging:\n  level: loud\n", "loud"),
        ("attach:\n  detach_key: ctrl-m\n", "Enter"),
        ("database:\n  url: mysql://x\n", "postgres://"),
        ("docker:\n  rabbitmq:\n    publisher_confirms: false\n", "lost unnoticed"),
        ("database:\n  postgresql:\n    ssl_mode: maybe\n", "verify-full"),
        ("presets:\n  mine:\n    modell: x\n", "presets.mine.modell"),
        ("presets:\n  mine:\n    permissions: all\n", "none of own, plan"),
        ("agents:\n  mine:\n    comand: [x]\n", "agents.mine.comand"),
        ("agents:\n  mine:\n    god: [x]\n", "program and arguments"),
        ("agents:\n  mine:\n    command: [x, '{modell}']\n", "{modell}"),
        ("agents:\n  claude:\n    command: [x]\n", "another name"),
        ("agents:\n  codex:\n    mode: server\n", "app-server"),
        ("keys:\n  list:\n    stopp: x\n", "did you mean `keys.list.stop`"),
        ("keys:\n  list:\n    stop: true\n", "keys.list.stop"),
        ("keys:\n  list:\n    stop: X\n", "keys.list.kill"),
        ("keys:\n  list:\n    stop: ctrl-\n", "not a key"),
    ];
    for (text, expected) in cases {
        let error = with_file(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    let error = with_file("\nrunner:\n  nope: 1\n").unwrap_err().to_string();
    assert!(error.contains("c.yaml:3"), "{error}");
}

#[test]
fn a_password_is_nowhere_to_be_read() {
    let text = "database:\n  url: postgres://u:hunter2@h/d\n  postgresql:\n    password: hunter2\n";
    let loaded = with_file(text).unwrap();
    assert_eq!(loaded.config.database.postgresql.password.reveal(), "hunter2");
    let shown = serde_json::to_string(&loaded.config).unwrap();
    for shown in [format!("{loaded:?}"), shown, format!("{:?}", loaded.values())] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let wrong = "database:\n  url: mysql://u:hunter2@h/d\n";
    assert!(!with_file(wrong).unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn every_secret_is_on_the_list_and_nothing_else() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut known = BTreeMap::new();
    flatten("", &defaults, &mut known);
    let is_masked = |key: &String| {
        let mut values = known.clone();
        values.insert(key.clone(), Value::String("hunter2".into()));
        let config = build(&values, &BTreeMap::new()).ok();
        config.is_some_and(|config| serde_json::to_string(&config).unwrap().contains("****"))
    };
    let found: Vec<_> = known.keys().filter(|key| is_masked(key)).collect();
    assert_eq!(found, secret::KEYS);
}

#[test]
fn a_secret_comes_from_a_file_a_credential_or_a_variable_that_names_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    file("token", "from-file\n");
    let config = file("c.yaml", "docker:\n  telegram:\n    token_file: token\n");
    let load = |environment: Vec<(OsString, OsString)>| {
        let sources = Sources { files: vec![config.clone()], environment, ..Sources::default() };
        crate::config::load(&sources)
    };
    let token = |environment| {
        let loaded = load(environment).unwrap();
        let origin = loaded.origin("docker.telegram.token");
        (loaded.config.docker.telegram.token.reveal().to_owned(), origin)
    };
    let (text, origin) = token(vec![]);
    assert_eq!(text, "from-file");
    assert!(origin.ends_with("/token"), "{origin}");
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("docker.telegram.token"), "credential").unwrap();
    let systemd = ("CREDENTIALS_DIRECTORY".into(), credentials.into_os_string());
    assert_eq!(token(vec![systemd.clone()]).0, "credential");
    let named = file("other", "by-variable\r\n").into_os_string();
    let named = ("STRATAVORE_DOCKER_TELEGRAM_TOKEN_FILE".into(), named);
    assert_eq!(token(vec![systemd.clone(), named.clone()]).0, "by-variable");
    let plain = ("STRATAVORE_DOCKER_TELEGRAM_TOKEN".into(), "plain".into());
    assert_eq!(token(vec![systemd, named, plain]).0, "plain");
    let missing = ("STRATAVORE_NOTIFY_WEBHOOK_SECRET_FILE".into(), "/no/such".into());
    let error = load(vec![missing]).unwrap_err().to_string();
    assert!(error.contains("notify.webhook.secret") && error.contains("/no/such"), "{error}");
    assert!(with_file("daemon:\n  grpc_file: x\n").is_err());
}

#[test]
fn devices_directories_and_giants_are_refused_at_once() {
    for path in ["/dev/zero", "/", "/no/such/file"] {
        let sources = Sources { explicit: Some(path.into()), ..Sources::default() };
        assert!(matches!(crate::config::load(&sources), Err(ConfigError::Unreadable { .. })));
    }
}
