//! The process environment, read in this one place.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use crate::domain::launch::{Environment, RUNNER_MARK};

/// What says how a process of ours is looked into; every one of them gets it.
pub const DIAGNOSTIC: [&str; 2] = ["RUST_BACKTRACE", "LLVM_PROFILE_FILE"];

/// Returns a variable's value, `None` when it is unset or empty.
#[expect(clippy::disallowed_methods, reason = "configuration is where the environment is read")]
pub fn get(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns a variable as text, `None` when it is unset, empty or not UTF-8.
pub fn get_text(name: &str) -> Option<String> {
    get(name).and_then(|value| value.into_string().ok())
}

/// Returns all variables.
#[expect(clippy::disallowed_methods, reason = "configuration is where the environment is read")]
pub fn all() -> Environment {
    std::env::vars_os().collect()
}

/// Whether the user says that root is confined: Claude Code takes `1` for it, and no other value.
pub fn is_confined() -> bool {
    says_confined(get("IS_SANDBOX").as_deref())
}

fn says_confined(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| value == "1")
}

/// Returns the id of the runner we are inside of, if any.
pub fn inside_runner() -> Option<String> {
    get_text(RUNNER_MARK)
}

/// Returns the home directory, `None` when it is unset, empty or relative.
pub fn home() -> Option<PathBuf> {
    get("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Returns the directory for user configuration: `$XDG_CONFIG_HOME` or `~/.config`.
pub fn config_home() -> Option<PathBuf> {
    get("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| home().map(|home| home.join(".config")))
}

/// Whether the terminal is on another machine, or seems to be.
pub fn is_remote() -> bool {
    ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"].iter().any(|name| get(name).is_some())
}

/// Whether colour is unwanted: `NO_COLOR` set, or a terminal without any.
pub fn no_color() -> bool {
    get("NO_COLOR").is_some() || get_text("TERM").is_none_or(|term| term == "dumb")
}

/// Returns the absolute path of a program on `PATH`, leaving out relative entries, which could be
/// planted in the directory we happen to stand in.
pub fn find_program(name: &str) -> Option<PathBuf> {
    find_program_in(&get("PATH")?, name)
}

/// Returns the absolute path of a program on another path, as [`find_program`] does.
pub fn find_program_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    std::env::split_paths(path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(
        |file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        },
    )
}

/// Returns where our own program lies, also when its file was replaced meanwhile: then the new one is
/// there.
///
/// # Errors
///
/// When the system does not know.
pub fn own_program() -> std::io::Result<PathBuf> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let path = std::env::current_exe()?;
    let name = path.as_os_str().as_bytes();
    Ok(match name.strip_suffix(b" (deleted)") {
        Some(name) => OsString::from_vec(name.to_vec()).into(),
        None => path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_says_that_root_is_confined() {
        let says = |value: &str| says_confined(Some(OsStr::new(value)));
        assert!(says("1"));
        assert!(!says("0") && !says("true") && !says("") && !says_confined(None));
    }
}
