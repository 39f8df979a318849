//! How an agent is started so that it reports, and so that it can be spoken to: what of that needs the
//! machine, and what goes into the specification.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::Services;
use crate::{
    agents::launch::{self, Interface, Start, Started, qwen},
    daemon::programs::has_own_telemetry,
    domain::{
        agent::Agent, agent_template::Template, failure::Failure, id::RunnerId, launch::Environment,
    },
    proto::{
        launch::variables,
        link::v1::{Control, LaunchSpec, Meter, Sidecar},
    },
};

/// Where a client leaves a place for the conversation's id in the command of an agent of the user's own.
const SESSION: &str = "{session_id}";

impl Services {
    /// Returns how a program is started so that it reports what it does and uses, going on with a
    /// conversation if one is named.
    pub(super) async fn arrange(
        &self,
        (id, run): (RunnerId, u32),
        (command, environment): (&[OsString], &Environment),
        resume: Option<&str>,
    ) -> Result<Started, Failure> {
        let program = command.first().cloned().unwrap_or_default();
        let Some(agent) = Agent::of(&program.to_string_lossy()) else {
            let own = self.context.config.agents.of_command(command);
            if let Some((_, own)) = own {
                return own_agent(&own, command, resume).ok_or_else(|| {
                    let what = format!("{} has no template to resume a session", program.display());
                    Failure::usage("NOT_RESUMABLE", what)
                        .with_hint("set agents.NAME.resume in the configuration")
                });
            }
            if resume.is_some() {
                let what = format!("how {} resumes a session is not known", program.display());
                return Err(Failure::usage("NOT_RESUMABLE", what)
                    .with_hint("restart it without --preserve-session"));
            }
            let notes = command.iter().any(is_unfilled).then(|| {
                format!(
                    "{SESSION} in its command stays as it is: the daemon knows no agent of yours that has \
                     it, as one that was configured after the daemon's start; stratavore daemon restart \
                     reads the configuration anew, runners go on"
                )
            });
            let notes = notes.into_iter().collect();
            return Ok(Started { command: command.to_vec(), notes, ..Started::default() });
        };
        // It decides which hooks these know, and with them whether rules of approval are asked. Of the
        // others it decides little; the first launch must not wait for it.
        let is_needed = matches!(agent, Agent::Claude | Agent::Codex);
        let version = self.programs.version(&program, environment, is_needed).await;
        let secret = Uuid::new_v4().simple().to_string();
        let with_server = self.context.config.agents.codex_server();
        let socket = (agent == Agent::Codex && with_server)
            .then(|| self.fleet.dir(id).path().join(format!("api-{run}")));
        let defaults = if agent == Agent::Qwen { self.qwen_defaults() } else { None };
        let interface = Interface {
            port: (agent == Agent::Opencode).then(free_port).flatten(),
            secret: &secret,
            socket: socket.as_deref().and_then(Path::to_str),
            defaults: defaults.as_deref().and_then(Path::to_str),
        };
        let start = Start {
            interface,
            command,
            environment,
            version: version.as_deref(),
            hook_program: &self.context.program,
            conversation: Uuid::new_v4(),
            resume,
            has_own_telemetry: has_own_telemetry(agent, environment),
        };
        let refused = |why| {
            let what = format!("resume: {why}");
            let id = resume.unwrap_or("SESSION");
            Failure::usage("NOT_RESUMABLE", what)
                .with_hint(format!("stratavore sessions resume {id} --new-runner"))
        };
        let started = launch::start(agent, &start).map_err(refused)?;
        for note in &started.notes {
            tracing::info!(agent = agent.as_str(), note, "an agent reports less than it could");
        }
        Ok(started)
    }
}

impl Services {
    /// Writes the file of defaults by which Qwen Code is told its hooks; `None` where an administrator's
    /// stands in its place, or it cannot be written.
    fn qwen_defaults(&self) -> Option<PathBuf> {
        if Path::new(qwen::OWN_DEFAULTS).exists() {
            return None;
        }
        let path = self.context.places.root().join("qwen-defaults.json");
        let text = qwen::defaults(&self.context.program);
        if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
            return Some(path);
        }
        // Another launch may write the same at the same time.
        let new = path.with_extension(format!("{}.new", Uuid::new_v4().simple()));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path)).ok()?;
        Some(path)
    }
}

/// Returns how an agent of the user's own is started: its conversation gets an id where its command has a
/// place for one. `None` where it cannot go on with one.
fn own_agent(own: &Template, command: &[OsString], resume: Option<&str>) -> Option<Started> {
    if let Some(id) = resume {
        let asked: Vec<_> =
            command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let command = own.go_on(&own.wished_by(&asked), id)?;
        let conversation = Some(id.to_owned());
        return Some(Started { command, conversation, goes_on: true, ..Started::default() });
    }
    let id = Uuid::new_v4().to_string();
    let has_place = command.iter().any(is_unfilled);
    let put = |word: &OsString| match word.to_str() {
        Some(text) => text.replace(SESSION, &id).into(),
        None => word.clone(),
    };
    let command = command.iter().map(put).collect();
    Some(Started { command, conversation: has_place.then_some(id), ..Started::default() })
}

fn is_unfilled(word: &OsString) -> bool {
    word.to_string_lossy().contains(SESSION)
}

/// Puts into a specification how its program is started.
pub(super) fn arranged(
    spec: LaunchSpec,
    asked: &[OsString],
    environment: &Environment,
    started: &Started,
) -> LaunchSpec {
    use std::os::unix::ffi::OsStrExt as _;
    let words = |command: &[OsString]| -> Vec<bytes::Bytes> {
        command.iter().map(|word| word.as_bytes().to_vec().into()).collect()
    };
    let added = started.environment.iter();
    let mut all = environment.clone();
    all.extend(added.clone().map(|(name, value)| (name.into(), value.into())));
    LaunchSpec {
        argv: words(&started.command),
        asked_argv: words(asked),
        environment: variables(&all),
        added_variables: added.map(|(name, _)| name.clone()).collect(),
        control: started.control.as_ref().map(wire_control),
        sidecar: started.sidecar.as_ref().map(|sidecar| Sidecar {
            argv: words(&sidecar.command),
            ready: sidecar.ready.clone(),
            instead_argv: words(&sidecar.instead),
        }),
        meter: started.is_metered().then(|| Meter {
            needles: started.needles.iter().map(|&needle| needle.to_owned()).collect(),
        }),
        ..spec
    }
}

fn wire_control(control: &launch::Control) -> Control {
    match control {
        launch::Control::Opencode(port) => {
            Control { kind: "opencode".to_owned(), port: (*port).into(), ..Control::default() }
        }
        launch::Control::Codex(socket) => {
            Control { kind: "codex".to_owned(), socket: socket.clone(), ..Control::default() }
        }
    }
}

/// A port of the loopback that is free now. Somebody else may take it before the agent does: it then
/// has no interface, and its screen is watched.
fn free_port() -> Option<u16> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).ok()?;
    listener.local_addr().ok().map(|address| address.port())
}
