//! What a wish for an agent means here: the command that is run.

use std::ffi::OsString;

use super::{Config, environment};
use crate::domain::{
    agent::Agent,
    agent_command::{self, Permission, Wishes},
    failure::Failure,
};

/// Returns the command, with the flags for what is wished of its agent: the agent of this name, the
/// command that was given, or the first agent there is.
///
/// # Errors
///
/// `NO_AGENT`, `BAD_WISH` for what the agent cannot do, `GOD_AS_ROOT`.
pub fn command(
    config: &Config,
    agent: Option<&str>,
    mut command: Vec<OsString>,
    wishes: &Wishes,
) -> Result<Vec<OsString>, Failure> {
    command.extend(agent.map(OsString::from));
    let named = command.first().and_then(|word| word.to_str()).filter(|_| command.len() == 1);
    if let Some((name, own)) = named.and_then(|name| Some((name, config.agents.named(name)?))) {
        // Its conversation gets its id when it is started.
        return own
            .fill(wishes, "{session_id}")
            .map_err(|why| Failure::usage("BAD_WISH", format!("{name} {why}")));
    }
    if let Some(name) = agent.filter(|name| Agent::of(name).is_none()) {
        let what = format!("there is no agent `{}`", name.escape_debug());
        return Err(Failure::not_found("NO_AGENT", what)
            .with_hint("stratavore agents lists them; agents.NAME in the configuration adds one"));
    }
    if *wishes == Wishes::default() {
        return Ok(command);
    }
    if command.is_empty() {
        let configured = &config.runner.default_command;
        command = configured.split_whitespace().map(OsString::from).collect();
    }
    if command.is_empty() {
        let is_there = |agent: &Agent| environment::find_program(agent.as_str()).is_some();
        let agent = Agent::ALL.into_iter().find(is_there).ok_or_else(|| {
            Failure::not_found("NO_AGENT", "no agent is on the PATH")
                .with_hint("stratavore launch PROJECT -- COMMAND runs any program")
        })?;
        command.push(agent.as_str().into());
    }
    let program = command.first().map(|word| word.to_string_lossy().into_owned());
    let agent = program.as_deref().and_then(Agent::of);
    if wishes.permission == Permission::Everything {
        let is_root = rustix::process::geteuid().is_root();
        let is_confined = environment::is_confined();
        agent_command::may_be_god(agent, is_root, is_confined).map_err(|why| {
            Failure::denied("GOD_AS_ROOT", why)
                .with_hint("run as another user, or set IS_SANDBOX=1 where root is confined")
        })?;
    }
    agent_command::command(command, None, wishes).map_err(|why| Failure::usage("BAD_WISH", why))
}
