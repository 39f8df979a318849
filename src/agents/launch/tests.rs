//! What an agent is started with, by what was asked for.

use serde_json::Value;

use super::*;

const ID: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);

fn begin(agent: Agent, command: &str, change: impl FnOnce(&mut Start<'_>)) -> Started {
    let command: Vec<_> = command.split(' ').map(OsString::from).collect();
    let environment = Environment::new();
    let mut given = Start {
        command: &command,
        environment: &environment,
        version: None,
        hook_program: "/opt/it's/stratavore",
        conversation: ID,
        resume: None,
        has_own_telemetry: false,
        interface: Interface { port: Some(4), secret: "s", socket: None, defaults: Some("/d") },
    };
    change(&mut given);
    start(agent, &given).unwrap()
}

fn line(started: &Started) -> String {
    started.command.join(std::ffi::OsStr::new(" ")).into_string().unwrap()
}

#[test]
fn claude_gets_an_id_hooks_and_a_meter() {
    let started = begin(Agent::Claude, "claude -- fix", |_| ());
    let line = line(&started);
    assert!(line.ends_with("-- fix"), "{line}");
    assert!(line.contains(&format!("--session-id {ID}")), "{line}");
    let (_, settings) = words::value(&started.command, &["--settings"]).unwrap();
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let hook = &settings["hooks"]["Stop"][0]["hooks"][0];
    assert_eq!(hook["command"], r"'/opt/it'\''s/stratavore' hook claude");
    assert_eq!(settings["hooks"].as_object().unwrap().len(), 9);
    assert!(started.environment.contains(&("OTEL_EXPORTER_OTLP_ENDPOINT".into(), METER.into())));
    assert_eq!(started.conversation, Some(ID.to_string()));
}

#[test]
fn a_new_claude_has_more_events() {
    for (version, asks, fails) in [
        ("2.0.44 (Claude Code)", false, false),
        ("2.0.45 (Claude Code)", true, false),
        ("2.1.77 (Claude Code)", true, false),
        ("2.1.78 (Claude Code)", true, true),
    ] {
        let started = begin(Agent::Claude, "claude", |start| start.version = Some(version));
        let line = line(&started);
        assert_eq!(line.contains("PermissionRequest"), asks, "{version}");
        assert_eq!(line.contains("StopFailure"), fails, "{version}");
    }
}

#[test]
fn what_an_unknown_version_costs_is_said_once() {
    let notes = |agent: Agent, command, version| {
        let begun = begin(agent, command, |start| {
            start.version = version;
            start.interface.socket = Some("/r/api");
        });
        begun.notes
    };
    let [claude]: [String; 1] = notes(Agent::Claude, "claude", None).try_into().unwrap();
    assert!(claude.contains("PermissionRequest and StopFailure are not used"), "{claude}");
    let [codex]: [String; 1] = notes(Agent::Codex, "codex", None).try_into().unwrap();
    assert!(codex.contains("--no-daemon") && codex.contains("app-server"), "{codex}");
    assert!(notes(Agent::Codex, "codex exec x", None).is_empty());
    assert!(notes(Agent::Claude, "claude mcp list", None).is_empty());
    assert!(notes(Agent::Claude, "claude", Some("2.1.332")).is_empty());
}

#[test]
fn settings_of_the_command_stay() {
    let given = r#"claude --settings {"tui":"default","hooks":{"Stop":[{"hooks":[]}]}} -p"#;
    let started = begin(Agent::Claude, given, |_| ());
    let (_, text) = words::value(&started.command, &["--settings"]).unwrap();
    let settings: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(settings["tui"], "default");
    assert_eq!(settings["hooks"]["Stop"].as_array().unwrap().len(), 2);
    assert_eq!(line(&started).matches("--settings").count(), 1);

    let started = begin(Agent::Claude, "claude --settings my.json", |_| ());
    assert_eq!(line(&started).matches("--settings").count(), 1);
    assert_eq!(started.notes.len(), 1);
}

#[test]
fn conversations_of_the_command_stay() {
    let id = "22222222-2222-4222-8222-222222222222";
    for (command, known) in [
        (format!("claude --resume {id}"), Some(id)),
        (format!("claude --session-id={id}"), Some(id)),
        (format!("claude -r {id} --fork-session"), None),
        ("claude --continue".to_owned(), None),
    ] {
        let started = begin(Agent::Claude, &command, |_| ());
        assert_eq!(started.conversation.as_deref(), known, "{command}");
        assert!(!line(&started).contains(&ID.to_string()), "{command}");
    }
}

#[test]
fn a_conversation_is_gone_on_with() {
    let resume = |start: &mut Start<'_>| start.resume = Some("abc");
    let started = begin(Agent::Claude, "claude --session-id=old --model m", resume);
    assert!(line(&started).contains("--resume=abc"), "{}", line(&started));
    assert!(!line(&started).contains("old"));
    let started = begin(Agent::Codex, "codex -m m -- fix", |start| {
        resume(start);
        start.version = Some("codex-cli 0.169.0");
    });
    let line = line(&started);
    assert!(line.ends_with("--no-daemon resume abc -m m"), "{line}");
    assert_eq!(started.conversation.as_deref(), Some("abc"));
    // What the command chose at its beginning gives way to what the runner holds now.
    for (agent, command, named) in [
        (Agent::Claude, "claude --resume old --fork-session", "--resume=abc"),
        (Agent::Qwen, "qwen --continue", "--resume=abc"),
        (Agent::Codex, "codex resume old", "resume abc"),
        (Agent::Opencode, "opencode -s old --fork", "--session abc"),
    ] {
        let line = self::line(&begin(agent, command, resume));
        assert!(line.contains(named) && !line.contains("old"), "{line}");
        assert!(!line.contains("fork") && !line.contains("continue"), "{line}");
    }
}

#[test]
fn what_holds_no_conversation_is_left_alone() {
    for (agent, command) in [
        (Agent::Claude, "claude mcp list"),
        (Agent::Claude, "claude --version"),
        (Agent::Codex, "codex login"),
        (Agent::Gemini, "gemini extensions list"),
    ] {
        let started = begin(agent, command, |_| ());
        assert_eq!(line(&started), command);
        assert!(started.environment.is_empty());
    }
}

#[test]
fn telemetry_of_the_user_is_left_alone() {
    let environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT".into(), "http://mine".into())];
    for agent in [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Qwen, Agent::Copilot] {
        let command = [OsString::from(agent.as_str())];
        let given = Start {
            command: &command,
            environment: &environment,
            version: Some("2.1.332"),
            hook_program: "/s",
            conversation: ID,
            resume: None,
            has_own_telemetry: false,
            interface: Interface { defaults: Some("/d"), ..Interface::default() },
        };
        let started = start(agent, &given).unwrap();
        assert!(started.needles.is_empty());
        assert!(!started.environment.iter().any(|(name, _)| name.contains("OTEL_")));
        assert!(!line(&started).contains("otel."));
        assert_eq!(started.notes.len(), 1);
    }
}

#[test]
fn versions_compare_as_numbers() {
    assert!(at_least("codex-cli 0.169.0", [0, 169, 0]));
    assert!(at_least("2.1.1000 (Claude Code)", [2, 1, 300]));
    assert!(!at_least("0.98.5", [0, 169, 0]));
    assert!(!at_least("", [0, 0, 1]));
}

#[test]
fn every_agent_that_can_reports_to_the_meter() {
    for agent in [Agent::Claude, Agent::Codex, Agent::Gemini, Agent::Qwen, Agent::Copilot] {
        let started = begin(agent, agent.as_str(), |_| ());
        assert_eq!(started.needles.len(), 1, "{agent:?}");
        let in_variables = started.environment.iter().any(|(_, value)| value.starts_with(METER));
        assert!(in_variables || line(&started).contains(METER), "{agent:?}");
    }
}

#[test]
fn opencode_gets_a_server_behind_a_password() {
    let started = begin(Agent::Opencode, "opencode -m a/b", |_| ());
    assert_eq!(line(&started), "opencode --port 4 --hostname 127.0.0.1 -m a/b");
    assert_eq!(started.environment, [("OPENCODE_SERVER_PASSWORD".to_owned(), "s".to_owned())]);
    assert_eq!(started.control, Some(Control::Opencode(4)));
    assert!(!started.is_metered());
    for command in ["opencode run x", "opencode --port 9", "opencode serve"] {
        let started = begin(Agent::Opencode, command, |_| ());
        assert_eq!((line(&started), started.control), (command.to_owned(), None));
    }
}

#[test]
fn codex_runs_beside_its_server_only_where_that_was_seen_to_work() {
    let with = |version, command| {
        begin(Agent::Codex, command, |start| {
            start.version = Some(version);
            start.interface.socket = Some("/r/api");
        })
    };
    let started = with("codex-cli 0.171.0", "codex -c a=1 -m m -- fix");
    assert_eq!(line(&started), "codex --remote unix:///r/api -c a=1 -m m -- fix");
    let sidecar = started.sidecar.unwrap();
    let words: Vec<_> = sidecar.command.iter().map(|word| word.to_str().unwrap()).collect();
    assert_eq!(&words[..6], ["codex", "app-server", "--listen", "unix:///r/api", "-c", "a=1"]);
    assert!(words.iter().any(|word| word.starts_with("hooks.state")));
    assert!(sidecar.instead.contains(&"--no-daemon".into()));
    let old = with("codex-cli 0.169.0", "codex");
    assert_eq!((old.sidecar, old.control, old.notes.len()), (None, None, 1));
    assert!(with("0.171.0", "codex exec x").sidecar.is_none());
}

#[test]
fn qwen_has_hooks_by_a_file_of_defaults_unless_it_has_its_own() {
    let variable = "QWEN_CODE_SYSTEM_DEFAULTS_PATH".to_owned();
    let started = begin(Agent::Qwen, "qwen", |_| ());
    assert!(started.environment.contains(&(variable.clone(), "/d".to_owned())));
    let environment = vec![(variable.clone().into(), "/mine".into())];
    let command = [OsString::from("qwen")];
    let own = begin(Agent::Qwen, "qwen", |start| start.interface.defaults = None);
    assert!(!own.environment.iter().any(|(name, _)| *name == variable));
    assert_eq!(own.notes.len(), 1);
    let given = Start {
        command: &command,
        environment: &environment,
        version: None,
        hook_program: "/s",
        conversation: ID,
        resume: None,
        has_own_telemetry: false,
        interface: Interface { defaults: Some("/d"), ..Interface::default() },
    };
    let started = start(Agent::Qwen, &given).unwrap();
    assert!(!started.environment.iter().any(|(name, _)| *name == variable));
}
