//! What a supervisor is started with.
//!
//! The specification of a runner's newest run is kept in its directory, readable by us alone: it
//! holds the environment, which restarts and adoption need and the database must not have.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
};

use bytes::Bytes;

use super::{
    link::v1::{LaunchSpec, Variable},
    v1,
};
use crate::domain::launch::Environment;

impl LaunchSpec {
    /// Returns the program and its arguments.
    pub fn command(&self) -> Vec<OsString> {
        self.argv.iter().map(|word| OsString::from_vec(word.to_vec())).collect()
    }

    /// Returns the environment the agent is given.
    pub fn environment(&self) -> Environment {
        self.environment
            .iter()
            .map(|v| (OsString::from_vec(v.name.to_vec()), OsString::from_vec(v.value.to_vec())))
            .collect()
    }

    /// Returns the working directory.
    pub fn working_directory(&self) -> std::path::PathBuf {
        OsString::from_vec(self.cwd.to_vec()).into()
    }

    /// Returns the same specification without its environment, for showing it to others.
    #[must_use]
    pub fn without_environment(&self) -> Self {
        Self { environment: Vec::new(), ..self.clone() }
    }
}

/// Returns the link form of an environment.
pub fn variables(environment: &Environment) -> Vec<Variable> {
    environment
        .iter()
        .map(|(name, value)| Variable { name: bytes(name), value: bytes(value) })
        .collect()
}

/// Returns the public form of an environment.
pub fn env_vars(environment: &Environment) -> Vec<v1::EnvVar> {
    environment
        .iter()
        .map(|(name, value)| v1::EnvVar { name: bytes(name), value: bytes(value) })
        .collect()
}

/// Returns the environment of its public form.
pub fn from_env_vars(vars: Vec<v1::EnvVar>) -> Environment {
    vars.into_iter()
        .map(|var| (OsString::from_vec(var.name.into()), OsString::from_vec(var.value.into())))
        .collect()
}

fn bytes(text: &OsStr) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
