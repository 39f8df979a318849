//! Units of systemd: those of `assets/systemd` with the paths of this installation.

use std::path::Path;

use crate::config::Places;

const USER_SERVICE: &str = include_str!("../../../assets/systemd/user/stratavore.service");
const USER_SOCKET: &str = include_str!("../../../assets/systemd/user/stratavore.socket");
const SYSTEM_SERVICE: &str = include_str!("../../../assets/systemd/system/stratavore@.service");

/// The service of one user.
pub(super) fn user_service(program: &Path, root: Option<&Path>) -> String {
    with_environment(&with_program(USER_SERVICE, program), root)
}

/// The socket of one user.
pub(super) fn user_socket(root: Option<&Path>) -> String {
    match root {
        None => USER_SOCKET.to_owned(),
        Some(root) => {
            let socket = percent(&Places::at(root).socket());
            replaced(USER_SOCKET, "ListenStream=", &format!("ListenStream={socket}"))
        }
    }
}

/// The service of any user, run by the system.
pub(super) fn system_service(program: &Path) -> String {
    with_program(SYSTEM_SERVICE, program)
}

fn with_program(unit: &str, program: &Path) -> String {
    let path = percent(program);
    // A path with a space is one word only in quotes.
    let word = if path.contains(|letter: char| letter.is_whitespace() || "\"'\\$".contains(letter))
    {
        let path = path.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
        format!("\"{path}\"")
    } else {
        path
    };
    replaced(unit, "ExecStart=", &format!("ExecStart={word} --daemon"))
}

fn with_environment(unit: &str, root: Option<&Path>) -> String {
    let Some(root) = root else { return unit.to_owned() };
    let root = percent(root).replace('\\', "\\\\").replace('"', "\\\"");
    let line = format!("Environment=\"STRATAVORE_HOME={root}\"\nExecStart=");
    unit.replacen("ExecStart=", &line, 1)
}

/// Replaces the line that begins so.
fn replaced(unit: &str, start: &str, line: &str) -> String {
    let lines = unit.lines().map(|old| if old.starts_with(start) { line } else { old });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// A path in which `%` stands for itself.
fn percent(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}
