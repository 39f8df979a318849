//! How each agent is started for a comparison, what it is asked, and where it writes.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use stratavore::{
    agents::{
        opencode,
        place::{self, Place},
        transcript::{Entry, Reader},
    },
    domain::{agent::Agent, launch::Environment, usage::UsageRecord},
};

use crate::mock::Mock;

/// How long a prompt may take; opencode fetches a package first.
const LONGEST: Duration = Duration::from_mins(3);

/// How long an agent that is to be cut off is let answer.
const CUT_OFF: Duration = Duration::from_secs(8);

/// How long telemetry may be behind.
const SETTLE: Duration = Duration::from_secs(10);

/// The conversation, for agents that are told its id.
const SESSION: &str = "11111111-1111-4111-8111-111111111111";

/// A fork of it.
const FORK: &str = "33333333-3333-4333-8333-333333333333";

/// Another, for an answer that is cut off.
const CUT: &str = "55555555-5555-4555-8555-555555555555";

/// What aider is told, but for the prompt.
const AIDER: &str = "--model openai/gpt-mock --no-show-model-warnings --no-check-update \
                     --analytics-disable --analytics-log LOG --no-stream --yes-always \
                     --no-gitignore --message";

/// One agent in a home of its own.
pub(crate) struct Client {
    /// Which.
    agent: Agent,
    /// Its program.
    program: PathBuf,
    /// Its home; also where it is told to write what is not in it.
    home: PathBuf,
    /// The project it works in.
    work: PathBuf,
    /// The stand-in's address.
    mock: String,
}

impl Client {
    /// Prepares a home. `folder` is where it is installed: its name, or that with a version, `claude@2.1.20`.
    pub(crate) fn new(folder: &str, installed: &Path, place: &Path, mock: String) -> Self {
        let agent = agent(folder).expect("a known agent");
        let name = agent.as_str();
        let inside = if agent == Agent::Aider {
            "bin/aider".to_owned()
        } else {
            format!("node_modules/.bin/{name}")
        };
        let program = installed.join(folder).join(inside);
        let client =
            Self { agent, program, home: place.join("home"), work: place.join("work"), mock };
        for directory in [&client.home, &client.work, &place.join("tmp")] {
            fs::create_dir_all(directory).expect("failed to create a directory");
        }
        client.configure();
        client
    }

    /// The version that is installed; nothing when it is not.
    pub(crate) fn version(&self) -> Option<String> {
        let init = Command::new("git").args(["init", "-q"]).arg(&self.work).status();
        assert!(init.is_ok_and(|it| it.success()), "git init failed");
        let output = self.command().arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Some(text.lines().next()?.chars().take(28).collect())
    }

    /// Asks what there is to ask. Returns how often it failed.
    pub(crate) fn run(&self, mock: &Mock) -> usize {
        let mut failed = 0;
        for (words, longest) in self.prompts() {
            let cut = longest == CUT_OFF;
            if !self.ask(&words, longest) && !cut {
                failed += 1;
            }
            if cut {
                mock.notice(SETTLE);
            }
            if reports(self.agent) {
                mock.settle(self.agent, SETTLE);
            }
        }
        failed
    }

    /// Its home.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Where it works.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// How it is started in a terminal: its words, and its environment without telemetry of its own.
    pub(crate) fn interactive(&self) -> (Vec<OsString>, Environment) {
        let words: &[&str] = match self.agent {
            Agent::Claude => &["--permission-mode", "default"],
            Agent::Codex => &["-a", "on-request", "-s", "read-only"],
            Agent::Gemini => &["--skip-trust"],
            Agent::Qwen => &["--auth-type", "openai", "--approval-mode", "default"],
            _ => &[],
        };
        let mut command = vec![self.program.clone().into_os_string()];
        command.extend(words.iter().map(OsString::from));
        let given = self.command();
        let set = given.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let is_telemetry = |name: &str| {
            ["OTEL_", "GEMINI_TELEMETRY", "QWEN_TELEMETRY"].iter().any(|it| name.starts_with(it))
                || name == "CLAUDE_CODE_ENABLE_TELEMETRY"
        };
        let set = set.filter(|(name, _)| !is_telemetry(&name.to_string_lossy()));
        let mut environment: Environment =
            set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if self.agent == Agent::Opencode {
            let asks = r#"{"permission":{"bash":"ask"}}"#;
            environment.push(("OPENCODE_CONFIG_CONTENT".into(), asks.into()));
        }
        (command, environment)
    }

    /// What the transcripts say was used.
    pub(crate) fn written(&self) -> Vec<UsageRecord> {
        let mut records = Vec::new();
        let mut keep = |entry: Entry| {
            if let Entry::Usage(record) = entry {
                records.push(record);
            }
        };
        let Some(home) = place::home(self.agent) else {
            read(self.agent, &self.home.join("analytics.jsonl"), &mut keep);
            return records;
        };
        let root = self.home.join(home.default);
        for path in files(&root) {
            let relative = path.strip_prefix(&root).ok().and_then(Path::to_str).unwrap_or_default();
            match place::place(self.agent, relative) {
                Some(Place::Database) => rows(&path).into_iter().for_each(&mut keep),
                Some(_) => read(self.agent, &path, &mut keep),
                None => {}
            }
        }
        records
    }

    /// The words of each prompt, and how long it may take.
    fn prompts(&self) -> Vec<(Vec<String>, Duration)> {
        let otlp = format!(
            r#"otel.exporter={{otlp-http={{endpoint="{}/v1/logs",protocol="json"}}}}"#,
            self.mock
        );
        let log = self.home.join("analytics.jsonl").display().to_string();
        let prompt = |(words, prompt, longest): &(&str, &str, Duration)| {
            let words = words.split(' ').map(|word| match word {
                "--resume=SESSION" => format!("--resume={SESSION}"),
                "SESSION" => SESSION.to_owned(),
                "FORK" => FORK.to_owned(),
                "CUT" => CUT.to_owned(),
                "OTLP" => otlp.clone(),
                "LOG" => log.clone(),
                word => word.to_owned(),
            });
            (words.chain([(*prompt).to_owned()]).collect(), *longest)
        };
        asked(self.agent).iter().map(prompt).collect()
    }

    /// Runs it to its end, or ends it. Returns whether it went well.
    fn ask(&self, words: &[String], longest: Duration) -> bool {
        let errors = fs::File::create(self.home.join("stderr")).expect("failed to create a file");
        let mut child = self
            .command()
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("failed to start the agent");
        let end = Instant::now() + longest;
        loop {
            match child.try_wait().expect("failed to wait for the agent") {
                Some(status) if status.success() => return true,
                None if Instant::now() < end => std::thread::sleep(Duration::from_millis(100)),
                status => {
                    if status.is_none() {
                        let pid = child.id().to_string();
                        drop(Command::new("kill").arg(pid).status());
                        drop(child.wait());
                    }
                    if longest != CUT_OFF {
                        let said = fs::read_to_string(self.home.join("stderr")).unwrap_or_default();
                        println!("          WRONG: {words:?} ended with {status:?}: {said}");
                    }
                    return false;
                }
            }
        }
    }

    /// The program with nothing of this process's own environment.
    fn command(&self) -> Command {
        let mock = &self.mock;
        let openai = format!("{mock}/v1");
        let own: &[(&str, &str)] = match self.agent {
            Agent::Claude => &[
                ("ANTHROPIC_BASE_URL", mock),
                ("ANTHROPIC_AUTH_TOKEN", "dummy"),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
                ("DISABLE_AUTOUPDATER", "1"),
                ("CLAUDE_CODE_ENABLE_TELEMETRY", "1"),
                ("OTEL_LOGS_EXPORTER", "otlp"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", mock),
                ("OTEL_LOGS_EXPORT_INTERVAL", "300"),
            ],
            Agent::Codex => &[("MOCK_KEY", "dummy")],
            Agent::Gemini => &[
                ("GEMINI_API_KEY", "dummy"),
                ("GOOGLE_GEMINI_BASE_URL", mock),
                ("GEMINI_TELEMETRY_ENABLED", "true"),
                ("GEMINI_TELEMETRY_TARGET", "local"),
                ("GEMINI_TELEMETRY_OTLP_ENDPOINT", mock),
                ("GEMINI_TELEMETRY_OTLP_PROTOCOL", "http"),
                ("GEMINI_TELEMETRY_LOG_PROMPTS", "false"),
            ],
            Agent::Qwen => &[
                ("OPENAI_API_KEY", "dummy"),
                ("OPENAI_BASE_URL", &openai),
                ("OPENAI_MODEL", "gpt-mock"),
                ("QWEN_TELEMETRY_ENABLED", "true"),
                ("QWEN_TELEMETRY_TARGET", "local"),
                ("QWEN_TELEMETRY_OTLP_ENDPOINT", mock),
                ("QWEN_TELEMETRY_OTLP_PROTOCOL", "http"),
                ("QWEN_TELEMETRY_LOG_PROMPTS", "false"),
            ],
            Agent::Copilot => &[
                ("COPILOT_AUTO_UPDATE", "false"),
                ("COPILOT_OFFLINE", "true"),
                ("COPILOT_PROVIDER_BASE_URL", &openai),
                ("COPILOT_PROVIDER_API_KEY", "dummy"),
                ("COPILOT_MODEL", "gpt-mock"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", mock),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ],
            Agent::Opencode => {
                &[("OPENCODE_DISABLE_AUTOUPDATE", "1"), ("OPENCODE_DISABLE_MODELS_FETCH", "1")]
            }
            Agent::Aider => &[
                ("OPENAI_API_KEY", "dummy"),
                ("OPENAI_API_BASE", &openai),
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@localhost"),
                ("GIT_COMMITTER_NAME", "a"),
                ("GIT_COMMITTER_EMAIL", "a@localhost"),
            ],
        };
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", self.work.with_file_name("tmp"))
            .envs(own.iter().copied())
            .current_dir(&self.work);
        command
    }

    /// Writes the settings without which an agent would ask or go elsewhere.
    fn configure(&self) {
        let (mock, work) = (&self.mock, self.work.display());
        let (path, text) = match self.agent {
            Agent::Claude => (
                ".claude.json",
                format!(r#"{{"hasCompletedOnboarding":true,"projects":{{"{work}":{{"hasTrustDialogAccepted":true}}}}}}"#),
            ),
            Agent::Codex => (
                ".codex/config.toml",
                format!(
                    "model = \"gpt-5.5\"\nmodel_provider = \"mock\"\ncheck_for_update_on_startup = false\n\
                     [model_providers.mock]\nname = \"mock\"\nbase_url = \"{mock}/v1\"\nwire_api = \"responses\"\n\
                     env_key = \"MOCK_KEY\"\n[notice.model_migrations]\n\"gpt-5.5\" = \"gpt-6-sol\"\n\
                     [projects.\"{work}\"]\ntrust_level = \"trusted\"\n"
                ),
            ),
            Agent::Gemini => (
                ".gemini/settings.json",
                r#"{"security":{"auth":{"selectedType":"gemini-api-key"}},"general":{"enableAutoUpdate":false},"privacy":{"usageStatisticsEnabled":false}}"#.to_owned(),
            ),
            Agent::Opencode => (
                ".config/opencode/opencode.json",
                format!(
                    r#"{{"autoupdate":false,"share":"disabled","model":"mock/claude-mock","small_model":"mock/claude-mock","enabled_providers":["mock"],"provider":{{"mock":{{"npm":"@ai-sdk/anthropic","name":"Mock","options":{{"baseURL":"{mock}/v1","apiKey":"dummy"}},"models":{{"claude-mock":{{"name":"Mock","limit":{{"context":200000,"output":8000}},"cost":{{"input":3,"output":15,"cache_read":0.3,"cache_write":3.75}}}}}}}}}}}}"#
                ),
            ),
            Agent::Copilot => {
                (".copilot/config.json", format!(r#"{{"trustedFolders":["{work}"]}}"#))
            }
            Agent::Qwen | Agent::Aider => return,
        };
        let path = self.home.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.home))
            .expect("failed to create a directory");
        fs::write(path, text).expect("failed to write the agent's settings");
    }
}

/// What each agent is asked: the options, in which words in capitals stand for something, the prompt,
/// and how long it may take.
fn asked(agent: Agent) -> &'static [(&'static str, &'static str, Duration)] {
    const SHELL: &str = "@mock sh echo hello";
    const SUBAGENT: &str = r#"@mock tool Agent {"description":"look","subagent_type":"general-purpose","prompt":"@mock shN 2 echo sub"}"#;
    match agent {
        Agent::Claude => &[
            ("--session-id SESSION -p --allowedTools Bash,Agent --", SHELL, LONGEST),
            ("--resume SESSION -p --allowedTools Bash,Agent --", "@mock par 3 true", LONGEST),
            (
                "--resume SESSION --fork-session --session-id FORK -p --allowedTools Bash,Agent --",
                SUBAGENT,
                LONGEST,
            ),
            ("--session-id CUT -p --allowedTools Bash,Agent --", "@mock slow 30", CUT_OFF),
        ],
        Agent::Codex => &[
            ("exec -c OTLP", SHELL, LONGEST),
            ("exec -c OTLP resume --last", "@mock shN 2 true", LONGEST),
            ("exec -c OTLP", "@mock slow 30", CUT_OFF),
        ],
        Agent::Gemini => &[
            ("--session-id SESSION --skip-trust --approval-mode yolo -p", SHELL, LONGEST),
            ("--resume SESSION --skip-trust --approval-mode yolo -p", "@mock shN 2 true", LONGEST),
        ],
        Agent::Qwen => &[
            ("--auth-type openai --session-id SESSION --approval-mode yolo", SHELL, LONGEST),
            ("--auth-type openai -r SESSION --approval-mode yolo", "@mock shN 2 true", LONGEST),
        ],
        Agent::Copilot => &[
            ("--session-id SESSION --allow-all-tools -p", SHELL, LONGEST),
            ("--resume=SESSION --allow-all-tools -p", "@mock shN 2 true", LONGEST),
        ],
        Agent::Opencode => &[
            ("run --format json", SHELL, LONGEST),
            ("run -c --format json", "@mock shN 2 true", LONGEST),
        ],
        Agent::Aider => &[(AIDER, "@mock say hello", LONGEST), (AIDER, "@mock say again", LONGEST)],
    }
}

/// The agent that is installed in a folder.
pub(crate) fn agent(folder: &str) -> Option<Agent> {
    Agent::of(folder.split_once('@').map_or(folder, |(name, _)| name))
}

/// Whether an agent has telemetry that we read.
pub(crate) fn reports(agent: Agent) -> bool {
    !matches!(agent, Agent::Opencode | Agent::Aider)
}

/// Feeds a file to a reader, line by line.
fn read(agent: Agent, path: &Path, found: &mut dyn FnMut(Entry)) {
    let mut reader = Reader::new(agent).expect("an agent that writes lines");
    for line in fs::read(path).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
        reader.line(line, found);
    }
    reader.end(found);
}

/// All files below a directory.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&path)),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

/// What opencode's database says.
fn rows(path: &Path) -> Vec<Entry> {
    const QUERY: &str = "SELECT p.id, p.session_id, p.time_updated, p.data, m.data FROM part p \
                         JOIN message m ON m.id = p.message_id ORDER BY p.id";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    runtime.expect("failed to start a runtime").block_on(async {
        let mut database =
            sqlx::ConnectOptions::connect(&options).await.expect("failed to open opencode.db");
        let rows: Vec<(String, String, i64, String, String)> =
            sqlx::query_as(QUERY).fetch_all(&mut database).await.expect("failed to read its parts");
        let part = |(id, session_id, updated_ms, data, message): &(
            String,
            String,
            i64,
            String,
            String,
        )| {
            opencode::transcript::part(&opencode::transcript::Part {
                id,
                session_id,
                updated_ms: *updated_ms,
                data,
                message,
            })
        };
        rows.iter().flat_map(part).collect()
    })
}
