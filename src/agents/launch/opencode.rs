//! How opencode is started: with its server on the loopback, behind a password of this launch.

use super::{Control, Start, Started, insert, is_command};
use crate::{agents::words, domain::launch::OPENCODE_PASSWORD};

/// Commands that hold no conversation on a screen.
const COMMANDS: &[&str] = &[
    "acp",
    "agent",
    "attach",
    "auth",
    "completion",
    "db",
    "debug",
    "export",
    "github",
    "import",
    "mcp",
    "models",
    "plugin",
    "pr",
    "providers",
    "run",
    "serve",
    "session",
    "stats",
    "uninstall",
    "upgrade",
    "web",
];

/// Adds what opencode needs to be followed.
pub(super) fn start(start: &Start<'_>, started: &mut Started) {
    let is_command = is_command(start.command, COMMANDS);
    let names = ["-s", "--session"];
    if let Some(id) = start.resume {
        insert(&mut started.command, ["--session".into(), id.into()]);
        started.conversation = Some(id.to_owned());
    } else if !is_command {
        let named = words::value(start.command, &names).map(|(_, id)| id.into_owned());
        let forks = words::has(start.command, &["--fork"]);
        started.conversation = named.filter(|id| !forks && id.starts_with("ses_"));
    }
    if is_command {
        return;
    }
    if words::has(start.command, &["--port", "--hostname", "--mdns"]) {
        started.notes.push("its server is set up by the command: its screen is watched".to_owned());
        return;
    }
    if start.environment.iter().any(|(name, _)| name == "OPENCODE_SERVER_USERNAME") {
        started.notes.push("its server has a user of its own: its screen is watched".to_owned());
        return;
    }
    let Some(port) = start.interface.port else {
        started.notes.push("no port is free for its server: its screen is watched".to_owned());
        return;
    };
    let words = ["--port".into(), port.to_string().into(), "--hostname".into(), "127.0.0.1".into()];
    insert(&mut started.command, words);
    if !start.environment.iter().any(|(name, _)| name == OPENCODE_PASSWORD) {
        // Without one, every user of this machine could drive the session.
        let secret = start.interface.secret.to_owned();
        started.environment.push((OPENCODE_PASSWORD.to_owned(), secret));
    }
    started.control = Some(Control::Opencode(port));
}
