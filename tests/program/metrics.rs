//! Metrics as Prometheus sees them, what is shipped for it, and traces as a collector gets them.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    servers::{Postgres, RabbitMq},
    support::{
        Bot, Collector, Say as _, TOKEN, Terminal, USER, World, code_of, elapsed_since, now,
        wait_until, wait_value,
    },
};

const SOON: Duration = Duration::from_secs(20);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Starts the daemon with metrics on a free port, and settings beside; returns where they are served.
fn start(world: &World, settings: &[(&str, &str)]) -> String {
    let mut command = world.command(["daemon", "start"]);
    command.env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "true");
    command.env("STRATAVORE_DOCKER_PROMETHEUS_PORT", "0");
    for (name, value) in settings {
        command.env(format!("STRATAVORE_{name}"), value);
    }
    world.run_command(command).expect_code(0);
    wait_value("metrics are served", SOON, || {
        let health = world.run(["health", "--format", "json"]).stdout;
        let health: serde_json::Value = serde_json::from_str(&health).ok()?;
        let parts = health.as_array()?;
        let served = parts.iter().find(|part| part["name"] == "metrics")?["detail"].as_str()?;
        let address = served.strip_prefix("http://")?.strip_suffix("/metrics")?;
        Some(address.to_owned())
    })
}

/// Sends a request as it stands and returns the whole answer.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    answer
}

fn get(address: &str, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

/// Scrapes; the values' lines.
fn scrape(address: &str) -> String {
    let answer = get(address, "/metrics");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Runs Prometheus' own checker.
fn promtool(words: &[&str], input: &str) {
    let mut tool = Command::new("promtool")
        .args(words)
        .current_dir(root().join("assets/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which ./tests/run installs");
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert_eq!(code_of(output.status), 0, "promtool {words:?}: {said}");
    assert!(!input.is_empty() || said.contains("SUCCESS"), "promtool {words:?}: {said}");
    assert!(input.is_empty() || said.trim().is_empty(), "promtool {words:?}: {said}");
}

#[test]
fn a_scrape_tells_what_runs_and_is_what_prometheus_wants() {
    let world = World::new();
    let address = start(&world, &[]);
    world.project("p");
    world.run(["budget", "set", "project:p", "daily", "1000"]).expect_code(0);
    let agent = world.agent("echo", &[]);
    let live = "stratavore_runners_by_project{project=\"p\"}";
    let text = wait_value("the runner is counted", SOON, || {
        Some(scrape(&address)).filter(|text| value(text, live) == Some(1.0))
    });
    let expected = [
        ("stratavore_runners_total{status=\"running\"}", 1.0),
        ("stratavore_runners_total{status=\"failed\"}", 0.0),
        ("stratavore_supervisors", 1.0),
        ("stratavore_attach_clients", 0.0),
        ("stratavore_projects", 1.0),
        ("stratavore_tokens_used_total{scope=\"global\"}", 0.0),
        ("stratavore_database_up{kind=\"SQLite\"}", 1.0),
        ("stratavore_outbox_depth", 0.0),
        ("stratavore_inbox_open{reason=\"permission\"}", 0.0),
        ("stratavore_budget_remaining_tokens{scope=\"project:p\",period=\"daily\"}", 1000.0),
        ("stratavore_budget_used_ratio{scope=\"project:p\",period=\"daily\",unit=\"tokens\"}", 0.0),
        ("stratavore_component_healthy{component=\"database\"}", 1.0),
    ];
    for (name, expected) in expected {
        assert_eq!(value(&text, name), Some(expected), "{name} in {text}");
    }
    for name in ["stratavore_daemon_uptime_seconds", "process_resident_memory_bytes"] {
        assert!(value(&text, name).is_some_and(|value| value > 0.0), "{name} in {text}");
    }
    promtool(&["check", "metrics"], &text);

    // Each that is told is on the list, and the other way round the list holds nothing old.
    let known = fs::read_to_string(root().join("assets/docs/metrics.md")).unwrap();
    let told: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(told.len() > 25, "{told:?}");
    for name in &told {
        assert!(known.contains(&format!("| `{name}` |")), "{name} is not in metrics.md");
    }

    // Those who attach are counted, and those who leave are not.
    let attached = "stratavore_attach_clients";
    let terminal = Terminal::start(world.command(["attach", &agent.name]));
    wait_until("the terminal is counted", SOON, || value(&scrape(&address), attached) == Some(1.0));
    terminal.type_bytes(b"\x1c");
    wait_until("it has left", SOON, || value(&scrape(&address), attached) == Some(0.0));

    // The same by the command line.
    let shown = world.run(["metrics", "show"]).expect_code(0).stdout;
    assert!(shown.lines().any(|line| line.starts_with("stratavore_supervisors ")), "{shown}");
    let raw = world.run(["metrics", "show", "--raw"]).expect_code(0).stdout;
    assert!(raw.contains("\n# TYPE stratavore_supervisors gauge\nstratavore_supervisors 1\n"));
    assert_eq!(world.json(["metrics", "show"])["stratavore_supervisors"], 1.0);
}

#[test]
fn what_is_shipped_for_prometheus_and_grafana_is_sound() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "tests.yml"], "");
    promtool(&["check", "config", "prometheus.yml"], "");
    // What to do about an alert stands where it says.
    let rules = fs::read_to_string(root().join("assets/prometheus/alerts.yml")).unwrap();
    let page = fs::read_to_string(root().join("assets/docs/operations.md")).unwrap();
    let heads: BTreeSet<_> = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    let books: Vec<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("runbook: ")).collect();
    assert_eq!(books.len(), rules.matches("- alert: ").count());
    for book in books {
        let section = book.strip_prefix("assets/docs/operations.md#").unwrap();
        assert!(heads.contains(section), "{section} is no section of operations.md");
    }
    // Dashboards can be read, draw what is asked for, and each in its place.
    let (mut boards, mut drawn) = (0, "groups:\n  - name: drawn\n    rules:\n".to_owned());
    for entry in fs::read_dir(root().join("assets/grafana")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let board: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(board["uid"].as_str().unwrap().starts_with("stratavore-"));
        let panels = board["panels"].as_array().unwrap();
        let places: BTreeSet<_> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
        assert!(places.len() == panels.len() && panels.len() >= 8);
        for panel in panels {
            for target in panel["targets"].as_array().unwrap() {
                let expression = target["expr"].as_str().unwrap();
                assert!(expression.contains("instance=~\"$instance\""), "{expression}");
                let rule = serde_json::json!({ "record": "drawn", "expr": expression });
                writeln!(drawn, "      - {}", rule.to_string().replace("$instance", ".+")).unwrap();
            }
        }
        boards += 1;
    }
    assert_eq!(boards, 3);
    // As rules, the checker reads all that they draw.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("drawn.yml");
    fs::write(&file, drawn).unwrap();
    promtool(&["check", "rules", "--lint=none", file.to_str().unwrap()], "");
}

#[test]
fn only_a_decent_request_for_this_machine_is_answered() {
    let world = World::new();
    let address = start(&world, &[]);
    assert!(get(&address, "/healthz").ends_with("ok\n"));
    assert!(get(&address, "/").starts_with("HTTP/1.1 404"));
    let cases = [
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"),
        ("GET /metrics HTTP/1.1\r\nHost: localhost.evil.example:9091\r\n\r\n", "421"),
        ("GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "421"),
        ("GET /metrics HTTP/1.0\r\n\r\n", "421"),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"),
        ("HEAD /metrics HTTP/1.1\r\nHost: [::1]:9091\r\n\r\n", "200"),
        ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab", "405"),
        ("DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
    ];
    for (request, code) in cases {
        let answer = ask(&address, request);
        assert!(answer.contains(&format!(" {code} ")), "{request:?} is answered by {answer}");
        assert!(code == "200" || !answer.contains("stratavore_"), "{request:?}: {answer}");
    }
    let long =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!ask(&address, &long).contains("stratavore_"), "a huge head is answered");

    // Those who say nothing, or say it slowly, take no place from others for long, and none from the daemon.
    let begun = now();
    let mut idlers: Vec<_> = (0..64).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for idler in &mut idlers {
        idler.write_all(b"GET /metrics HTTP/1.1\r\nHost: loc").ok();
    }
    world.run(["status"]).expect_code(0);
    wait_until("there is room again", SOON, || {
        let mut stream = TcpStream::connect(&address).unwrap();
        let mut answer = String::new();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").ok();
        stream.read_to_string(&mut answer).is_ok() && answer.ends_with("ok\n")
    });
    assert!(elapsed_since(begun) < Duration::from_secs(8), "idlers keep their places");
}

#[test]
fn a_port_that_is_taken_is_told_and_stops_nothing() {
    let world = World::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let mut command = world.command(["daemon", "start"]);
    command.env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "true");
    command.env("STRATAVORE_DOCKER_PROMETHEUS_PORT", &port);
    world.run_command(command).expect_code(0);
    let health = wait_value("health tells", SOON, || {
        Some(world.run(["health"])).filter(|health| health.stdout.contains("metrics"))
    });
    let taken = format!("127.0.0.1:{port} is taken by another program");
    assert!(health.code == 1 && health.stdout.contains(&taken), "{}", health.stdout);
    // Where it cannot be scraped it can be asked.
    let values = world.json(["metrics", "show"]);
    assert_eq!(values["stratavore_component_healthy{component=\"metrics\"}"], 0.0);
    world.run(["new", "p", "--path", world.home().to_str().unwrap()]).expect_code(0);
}

#[tokio::test]
async fn without_its_database_the_rest_is_told_in_time() {
    let world = World::new();
    let server = Postgres::start();
    let url = server.database().await;
    let address = start(&world, &[("DATABASE_URL", &url)]);
    wait_until("the database is up", SOON, || {
        value(&scrape(&address), "stratavore_database_up{kind=\"PostgreSQL\"}") == Some(1.0)
    });
    let wait_for = |state: f64| {
        wait_value("it is told how the database is", SOON, || {
            let begun = now();
            let text = scrape(&address);
            assert!(elapsed_since(begun) < Duration::from_secs(3), "a scrape hangs");
            let told = value(&text, "stratavore_database_up{kind=\"PostgreSQL\"}");
            (told == Some(state)).then_some(text)
        })
    };
    server.pause();
    wait_for(0.0);
    server.resume();
    wait_for(1.0);
    server.kill();
    let text = wait_for(0.0);
    assert!(value(&text, "stratavore_daemon_uptime_seconds").is_some(), "{text}");
    assert!(value(&text, "stratavore_supervisors").is_some(), "{text}");
    assert!(!text.contains("stratavore_projects "), "what is not known is not told: {text}");
    promtool(&["check", "metrics"], &text);
}

#[test]
fn many_scrapes_cost_as_much_as_one() {
    let world = World::new();
    let address = start(&world, &[]);
    let one = scrape(&address);
    let asked = Arc::new(AtomicUsize::new(0));
    let same = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (address, one) = (address.clone(), value(&one, "stratavore_daemon_uptime_seconds"));
            let (asked, same) = (Arc::clone(&asked), Arc::clone(&same));
            thread::spawn(move || {
                for _ in 0..5 {
                    let text = scrape(&address);
                    asked.fetch_add(1, Ordering::Relaxed);
                    if value(&text, "stratavore_daemon_uptime_seconds") == one {
                        same.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 40);
    // A machine that is busy may take longer than the second in which a page is fresh.
    assert!(same.load(Ordering::Relaxed) > 0, "each scrape was gathered anew");
}

#[test]
fn a_collector_gets_spans_of_the_trace_that_events_and_log_have() {
    let world = World::new();
    let collector = Collector::start();
    let bot = Bot::start();
    let settings = [
        ("OBSERVABILITY_OTLP_ENDPOINT", &*collector.url()),
        ("LOGGING_LEVEL", "debug"),
        ("DOCKER_TELEGRAM_TOKEN", TOKEN),
        ("DOCKER_TELEGRAM_CHAT_ID", &USER.to_string()),
        ("DOCKER_TELEGRAM_API_URL", &bot.url()),
    ];
    start(&world, &settings);
    world.project("p");
    world.agent("echo", &[]);
    let events = world.json(["events", "list", "--type", "runner.starting"]);
    let trace = events[0].text("trace_id").to_owned();
    assert_eq!(trace.len(), 32, "{events}");
    let (call, launch) = wait_value("both spans came", SOON, || {
        let spans = collector.spans();
        let find = |name: &str| {
            spans.iter().find(|span| span.name == name && span.trace() == trace).cloned()
        };
        Some((find("/stratavore.v1.Runners/LaunchRunner")?, find("launch")?))
    });
    assert_eq!(launch.parent, call.id, "a launch belongs to its call");
    assert!(call.parent.is_empty(), "nobody called for it");
    let logs = fs::read_dir(world.root().join("log")).unwrap();
    let lines: String =
        logs.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let mut traced = 0;
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        traced += usize::from(line.text("trace_id") == trace);
    }
    assert!(traced > 0, "no line of the log has the trace");
    // So does what people outside are told of it.
    world.run(["notify", "the build is green"]).expect_code(0);
    let events = world.json(["events", "list", "--type", "notification.requested"]);
    let told = events[0].text("trace_id").to_owned();
    wait_until("the message is in the trace of its cause", SOON, || {
        collector.spans().iter().any(|span| span.name == "notify" && span.trace() == told)
    });
    bot.wait("SendMessage", "the build is green");
    // What was typed is in none of them.
    assert!(!collector.spans().iter().any(|span| format!("{span:?}").contains("the build")));
}

#[test]
fn a_collector_that_is_away_holds_nothing_up() {
    let world = World::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    // It accepts, in the backlog, and never says a word.
    let url = format!("http://{}", nobody.local_addr().unwrap());
    start(&world, &[("OBSERVABILITY_OTLP_ENDPOINT", &url)]);
    let begun = now();
    world.project("p");
    for _ in 0..20 {
        world.run(["status"]).expect_code(0);
    }
    world.run(["daemon", "stop"]).expect_code(0);
    assert!(elapsed_since(begun) < Duration::from_secs(10), "the collector is waited for");
}

#[test]
fn the_way_of_events_to_the_broker_can_be_followed() {
    let world = World::new();
    let broker = RabbitMq::start();
    let collector = Collector::start();
    let url = broker.url();
    let settings =
        [("DOCKER_RABBITMQ_URL", &*url), ("OBSERVABILITY_OTLP_ENDPOINT", &collector.url())];
    let address = start(&world, &settings);
    world.project("p");
    let relayed = "stratavore_relay_latency_seconds_count";
    let text = wait_value("all that happened is published", SOON, || {
        let text = scrape(&address);
        let depth = value(&text, "stratavore_outbox_depth")?;
        let is_done = depth == 0.0 && value(&text, relayed).is_some_and(|count| count >= 2.0);
        is_done.then_some(text)
    });
    assert_eq!(value(&text, "stratavore_broker_up"), Some(1.0), "{text}");
    promtool(&["check", "metrics"], &text);
    let events = world.json(["events", "list", "--type", "project.created"]);
    let trace = events[0].text("trace_id").to_owned();
    wait_until("its publication is in its trace", SOON, || {
        collector.spans().iter().any(|span| span.name == "publish" && span.trace() == trace)
    });
    broker.kill();
    wait_until("the broker is told to be away", SOON, || {
        value(&scrape(&address), "stratavore_broker_up") == Some(0.0)
    });
    world.project("q");
    wait_until("what waits is counted, and how long", SOON, || {
        let text = scrape(&address);
        let is_there = |name| value(&text, name).is_some_and(|value| value > 0.0);
        is_there("stratavore_outbox_depth") && is_there("stratavore_outbox_oldest_age_seconds")
    });
}
