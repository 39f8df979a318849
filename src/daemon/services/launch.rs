//! Launch and restart: decide, write, start, write again.
//!
//! The row is written before anything is started, and the supervisor claims the run before it
//! starts the agent: wherever this is interrupted, there is one agent or none, and the reconciler
//! can tell which.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use prost::Message as _;
use uuid::Uuid;

use super::{Services, arrange::arranged, room};
use crate::{
    config::environment::find_program,
    daemon::{
        fleet::Waiting,
        store::{NewRunner, RunnerChange},
        trace,
    },
    domain::{
        agent::Agent,
        amount::named,
        event::EventType,
        failure::Failure,
        id::RunnerId,
        launch::{LaunchRequest, Launched, MIXING, agent_environment},
        name::check_runner_name,
        project::Project,
        redact::redact_words,
        runner::{Runner, RunnerStatus, SUPERVISOR_LOST},
        size::TerminalSize,
    },
    proto::link::v1::{Identity, LaunchSpec},
};

/// The kernel's limit for one argument (`MAX_ARG_STRLEN`) and, with room to spare, for all.
const MAX_ARGUMENT: usize = 128 << 10;
const MAX_ARGUMENTS: usize = 1 << 20;

/// Runners in the same directory that are named, at most.
const MOST_NAMED: usize = 8;

/// A launch waits so long for a database that is away, before it is refused.
const DATABASE: Duration = Duration::from_millis(900);

impl Services {
    /// Starts an agent, in a worktree of its own if that was asked for.
    ///
    /// # Errors
    ///
    /// For a request that makes no sense, or an agent that cannot be started: then the runner is
    /// kept as `failed` with the reason.
    pub async fn launch(&self, request: LaunchRequest) -> Result<Launched, Failure> {
        self.launch_in(request, None).await
    }

    /// The same, going on with a conversation of its agent's if one is named.
    pub(super) async fn launch_in(
        &self,
        request: LaunchRequest,
        resume: Option<String>,
    ) -> Result<Launched, Failure> {
        // A server that was restarted is found again in less.
        self.store.wait_until_up(DATABASE).await;
        let project = self.get_project(&request.project).await?;
        if !request.name.is_empty() {
            check_runner_name(&request.name)
                .map_err(|error| Failure::usage("BAD_NAME", error.to_string()))
                .map_err(|failure| {
                    failure.with_hint("another --name, or none: then it is given")
                })?;
        }
        let command = self.command(&request)?;
        check_arguments(&command)?;
        self.check_room()?;
        room::check_system()?;
        let services = self.clone();
        self.detached(async move {
            let name = project.name.clone();
            let launch = Box::pin(services.launch_checked(request, project, command, resume));
            trace::span("launch", &[("project", &name)], launch).await
        })
        .await
    }

    /// Returns the command to run: the one asked for, the configured one, or the first agent found.
    fn command(&self, request: &LaunchRequest) -> Result<Vec<OsString>, Failure> {
        if !request.command.is_empty() {
            return Ok(request.command.clone());
        }
        let configured = &self.context.config.runner.default_command;
        if !configured.is_empty() {
            return Ok(configured.split_whitespace().map(OsString::from).collect());
        }
        let path = request.environment.iter().find(|(name, _)| name == "PATH").map(|(_, v)| v);
        let installed = |name: &&&str| match path {
            Some(path) => {
                std::env::split_paths(path).any(|dir| dir.is_absolute() && dir.join(name).is_file())
            }
            None => find_program(name).is_some(),
        };
        let agents = Agent::ALL.map(Agent::as_str);
        let found = agents.iter().find(installed).map(|name| vec![OsString::from(name)]);
        found.ok_or_else(|| {
            let what = format!("none of {} is on the PATH", agents.join(", "));
            let hint = format!("stratavore launch {} -- COMMAND runs any program", request.project);
            Failure::not_found("NO_AGENT", what).with_hint(hint)
        })
    }

    async fn launch_checked(
        &self,
        request: LaunchRequest,
        project: Project,
        command: Vec<OsString>,
        resume: Option<String>,
    ) -> Result<Launched, Failure> {
        let id = RunnerId::random();
        let _guard = self.locks.lock(id).await;
        let cwd = request.cwd.clone().unwrap_or_else(|| project.path.clone());
        let mut new = self.new_runner(id, &request, &project, &command, &cwd);
        if let Some(earlier) = self.store.runner_by_request(&new).await? {
            return Ok(Launched { runner: earlier, repeated: true, warnings: Vec::new() });
        }
        let environment = agent_environment(
            request.environment.clone(),
            self.context.places.root(),
            &id.to_string(),
        );
        let started = self.arrange((id, 1), (&command, &environment), resume.as_deref()).await?;
        new.session_id.clone_from(&started.conversation);
        new.takes_up = started.goes_on;
        // What cannot be had of it is said, and stands in the event.
        let noted = started.notes.iter().map(|note| format!("{}: {note}", new.agent));
        let mut warnings: Vec<String> = noted.collect();
        if let Some(session) = started.conversation.as_deref().filter(|_| started.goes_on)
            && let Some(holder) = self.holder_of(session, None).await?
        {
            let holder = holder.name;
            warnings.push(format!("{holder} is in the same session: what both say is mixed up"));
        }
        let mut sharers = Vec::new();
        let plan = if let Some(wish) = &request.worktree {
            Some(self.plan_worktree(&project, &cwd, wish).await?)
        } else {
            (new.checkout, sharers) = self.surroundings(&cwd, id, &mut warnings).await;
            None
        };
        if let Some(warning) = mixing(&sharers) {
            warnings.insert(0, warning);
        }
        // An event that named a thousand would be told a thousand times.
        sharers.truncate(MOST_NAMED);
        let data = serde_json::json!({
            "agent": new.agent, "command": redact_words(&new.command), "cwd": new.cwd, "notes": started.notes,
            "shares_directory_with": sharers,
        });
        let event = self.context.new_runner_event(EventType::RunnerStarting, &new, data);
        // Taken first: if none was in reserve, it starts while the row is written. When the row is
        // refused it is dropped, and leaves.
        let waiting = self.fleet.take_waiting()?;
        let created = self.store.runner_create(&new, event).await;
        if !matches!(created, Ok((_, false))) {
            self.forget_capture(new.checkout.as_ref(), id).await;
        }
        let (runner, repeated) = created?;
        if repeated {
            return Ok(Launched { runner, repeated, warnings: Vec::new() });
        }
        self.changes.runner(&runner);
        let runner = match plan {
            None => runner,
            Some(plan) => {
                let made = self.make_worktree(&runner, plan, &request, &mut warnings).await;
                match made {
                    Ok(runner) => runner,
                    Err(failure) => {
                        self.mark_failed(&runner, &failure.message).await?;
                        return Err(failure);
                    }
                }
            }
        };
        let cwd = if request.worktree.is_some() { runner.cwd.clone() } else { cwd };
        let spec = self.spec(&runner, cwd, &request);
        let spec = LaunchSpec {
            watch_screen: self.context.is_screen_read(&runner.agent),
            ..arranged(spec, &command, &environment, &started)
        };
        let started = self.start(runner, waiting, &spec).await;
        self.fleet.keep_reserve();
        Ok(Launched { runner: started?, repeated: false, warnings })
    }

    /// Returns the row of a runner about to be launched.
    fn new_runner(
        &self,
        id: RunnerId,
        request: &LaunchRequest,
        project: &Project,
        command: &[OsString],
        cwd: &Path,
    ) -> NewRunner {
        NewRunner {
            id,
            project: project.name.clone(),
            name: (!request.name.is_empty()).then(|| request.name.clone()),
            project_path: project.path.to_string_lossy().into_owned(),
            node_id: self.context.origin.node_id.clone(),
            agent: self.context.agent_of(command),
            command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            cwd: cwd.to_string_lossy().into_owned(),
            checkout: None,
            restart: request.restart.as_str().to_owned(),
            max_restart_attempts: self.context.config.runner.max_restart_attempts,
            request_id: request.request_id,
            request_digest: digest(request, &project.name, command, cwd),
            session_id: None,
            takes_up: false,
            max_tokens: request.max_tokens,
            at: self.context.clock.now(),
        }
    }

    /// Returns what a runner's first run is started with, but for the program.
    fn spec(&self, runner: &Runner, cwd: PathBuf, request: &LaunchRequest) -> LaunchSpec {
        use std::os::unix::ffi::OsStringExt as _;
        let limits = &self.context.config.runner;
        LaunchSpec {
            name: runner.name.clone(),
            project: runner.project.clone(),
            project_path: runner.project_path.to_string_lossy().into_owned(),
            agent: runner.agent.clone(),
            cwd: cwd.into_os_string().into_vec().into(),
            size: Some(request.size.into()),
            run: runner.run,
            runner_dir: self.context.places.runner(runner.id).to_string_lossy().into_owned(),
            restart: runner.restart.clone(),
            max_restart_attempts: runner.max_restart_attempts,
            created_at_us: runner.created_at.timestamp_micros(),
            history_lines: limits.history_lines,
            history_bytes: limits.history_kb << 10,
            log_bytes: limits.output_log_mb << 20,
            umask: request.umask,
            runner_id: runner.id.to_string(),
            ..LaunchSpec::default()
        }
    }

    /// Starts the supervisor of a runner that is `starting`, and records what came of it.
    async fn start(
        &self,
        runner: Runner,
        waiting: Waiting,
        spec: &LaunchSpec,
    ) -> Result<Runner, Failure> {
        self.confine(&runner.project, &waiting).await;
        match self.fleet.launch(runner.id, waiting, spec).await {
            Ok(identity) => {
                let running = self.mark_running(&runner, &identity).await?;
                if running.status.is_live() && !self.fleet.is_linked(runner.id) {
                    self.settle_unlinked(&running, Vec::new(), SUPERVISOR_LOST).await?;
                    return Ok(self.store.runner_get(runner.id).await?.unwrap_or(running));
                }
                Ok(running)
            }
            Err(error) => {
                let failure = Failure::from(error);
                let reason = failure.message.clone();
                self.mark_failed(&runner, &reason).await?;
                let logs = format!("stratavore runners show {}", runner.name);
                Err(if failure.hint.is_empty() { failure.with_hint(logs) } else { failure })
            }
        }
    }

    /// Records that a runner's agent runs.
    pub(super) async fn mark_running(
        &self,
        runner: &Runner,
        identity: &Identity,
    ) -> Result<Runner, Failure> {
        let data = serde_json::json!({
            "pid": identity.pid, "agent": runner.agent, "command": redact_words(&runner.command),
            "run": runner.run,
        });
        let event = self.context.runner_event(EventType::RunnerStarted, runner, data);
        let change = RunnerChange {
            pid: Some(identity.pid),
            supervisor_pid: Some(identity.supervisor_pid),
            ..RunnerChange::default()
        };
        match self.store.runner_move(runner, RunnerStatus::Running, change, event).await {
            Ok(moved) => {
                self.changes.runner(&moved);
                self.note_own_session(&moved).await;
                Ok(moved)
            }
            // An agent that ended at once may have been recorded as ended before we got here.
            Err(error) => {
                let now = self.store.runner_get(runner.id).await?;
                let now = now
                    .filter(|now| now.run == runner.run && now.status != RunnerStatus::Starting)
                    .ok_or(error)?;
                self.note_own_session(&now).await;
                Ok(now)
            }
        }
    }

    /// Ends a runner, if it lives, and starts its command again with the same environment.
    ///
    /// # Errors
    ///
    /// When it cannot be ended or started, or what it was started with is lost.
    pub async fn restart(
        &self,
        word: &str,
        grace_ms: Option<u32>,
        preserve_session: bool,
    ) -> Result<Runner, Failure> {
        let runner = self.resolve_here(word).await?;
        let mut kept = if preserve_session { self.conversation_of(&runner).await? } else { None };
        // Before it is ended for nothing.
        check_program(runner.command.first().map(OsStr::new))?;
        self.check_room()?;
        let services = self.clone();
        self.detached(async move {
            if runner.status.is_live() {
                Self::check_hold(&runner)?;
                let spec = services.spec_of(&runner)?;
                let (asked, environment) = (spec.asked(), spec.asked_environment());
                let next = (runner.id, runner.run + 1);
                services.arrange(next, (&asked, &environment), kept.as_deref()).await?;
                services.stop(&runner, grace_ms, false, None).await?;
            }
            if preserve_session {
                // What it told with its end may be that it had gone over to another one.
                services.take_in(runner.id, 0).await?;
                if let Some(ended) = services.store.runner_get(runner.id).await? {
                    kept = services.conversation_of(&ended).await?;
                }
            }
            services.next_run(runner.id, 0, kept.as_deref()).await
        })
        .await
    }

    /// Begins the next run of an ended runner; `attempts` counts automatic restarts in a row, `resume`
    /// names the session to go on with.
    pub(crate) async fn next_run(
        &self,
        id: RunnerId,
        attempts: u32,
        resume: Option<&str>,
    ) -> Result<Runner, Failure> {
        let _guard = self.locks.lock(id).await;
        self.check_room()?;
        let gone = || Failure::not_found("RUNNER_NOT_FOUND", format!("no runner {id}"));
        let runner = self.store.runner_get(id).await?.ok_or_else(gone)?;
        if attempts > 0 && runner.next_start().is_none_or(|(_, next)| next != attempts) {
            // It was stopped, or started, since it was due.
            return Ok(runner);
        }
        let spec = self.spec_of(&runner)?;
        let asked = spec.asked();
        // Written down under another root, where it came out of a backup.
        let root = self.context.places.root();
        let environment = agent_environment(spec.asked_environment(), root, &id.to_string());
        let started = self.arrange((id, runner.run + 1), (&asked, &environment), resume).await?;
        let data = serde_json::json!({
            "restart": true, "attempt": attempts, "resumes": resume, "notes": started.notes,
        });
        let event = self.context.runner_event(EventType::RunnerStarting, &runner, data);
        let change = RunnerChange {
            next_run: Some(attempts),
            session: started.conversation.clone(),
            ..RunnerChange::default()
        };
        let waiting = self.fleet.take_waiting()?;
        let runner = self.store.runner_move(&runner, RunnerStatus::Starting, change, event).await?;
        self.changes.runner(&runner);
        let limits = &self.context.config.runner;
        let spec = LaunchSpec {
            run: runner.run,
            history_lines: limits.history_lines,
            history_bytes: limits.history_kb << 10,
            log_bytes: limits.output_log_mb << 20,
            size: Some(spec.size.map(TerminalSize::from).unwrap_or_default().into()),
            ..arranged(spec, &asked, &environment, &started)
        };
        self.start(runner, waiting, &spec).await
    }

    /// Returns what a runner was started with.
    fn spec_of(&self, runner: &Runner) -> Result<LaunchSpec, Failure> {
        let bytes = self.fleet.dir(runner.id).read_spec().map_err(|error| {
            let what = format!("read what {} was started with: {error}", runner.name);
            Failure::unavailable("SPEC_LOST", what)
                .with_hint(format!("stratavore launch {} -- COMMAND", runner.project))
        })?;
        LaunchSpec::decode(bytes.as_slice()).map_err(|error| {
            Failure::internal(format!("read the spec of {}: {error}", runner.name))
        })
    }
}

/// Says who works in the same directory already; `None` when nobody does.
fn mixing(sharers: &[String]) -> Option<String> {
    const NAMES: usize = 3;
    match sharers {
        [] => None,
        [one] => Some(format!("{one} works in the same directory: {MIXING}")),
        all => Some(format!("{} work in the same directory: {MIXING}", named(all, NAMES))),
    }
}

/// Refuses a command without a program, before anything is started or ended for it.
fn check_program(program: Option<&OsStr>) -> Result<(), Failure> {
    if program.is_some_and(OsStr::is_empty) {
        return Err(Failure::usage("BAD_COMMAND", "the program's name must not be empty")
            .with_hint(
                "stratavore launch PROJECT -- COMMAND, or without one the first agent found",
            ));
    }
    Ok(())
}

/// Refuses what the kernel would refuse after the fork.
fn check_arguments(command: &[OsString]) -> Result<(), Failure> {
    check_program(command.first().map(OsString::as_os_str))?;
    let too_long = |what: String| {
        Failure::usage("ARGUMENT_TOO_LONG", what)
            .with_hint("put the text into a file, or send it with: stratavore send RUNNER < FILE")
    };
    if let Some(word) = command.iter().find(|word| word.len() >= MAX_ARGUMENT) {
        return Err(too_long(format!(
            "an argument has {} bytes, at most {MAX_ARGUMENT} can be passed",
            word.len()
        )));
    }
    let total: usize = command.iter().map(|word| word.len()).sum();
    if total > MAX_ARGUMENTS {
        return Err(too_long(format!(
            "the arguments have {total} bytes, at most {MAX_ARGUMENTS} can be passed"
        )));
    }
    if command.iter().any(|word| word.as_encoded_bytes().contains(&0)) {
        return Err(Failure::usage("BAD_ARGUMENT", "an argument contains a NUL byte"));
    }
    Ok(())
}

/// Tells whether two requests are the same one.
fn digest(request: &LaunchRequest, project: &str, command: &[OsString], cwd: &Path) -> String {
    let (name, restart) = (&request.name, request.restart.as_str());
    let mut text = format!("{project}\0{}\0{restart}\0{name}", cwd.display());
    if let Some(wish) = &request.worktree {
        text.extend(["\0worktree\0", &wish.branch, "\0", &wish.base]);
    }
    if let Some(most) = request.max_tokens {
        text.extend(["\0max tokens\0", &most.to_string()]);
    }
    for word in command {
        text.push('\0');
        text.push_str(&word.to_string_lossy());
    }
    // A name-based UUID is a digest with a fixed, standard definition.
    Uuid::new_v5(&Uuid::NAMESPACE_URL, text.as_bytes()).to_string()
}
