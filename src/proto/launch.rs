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
    link::v1::{LaunchSpec, Sidecar, Variable},
    v1,
};
use crate::domain::launch::{Environment, METER};

impl LaunchSpec {
    /// Returns the program and its arguments.
    pub fn command(&self) -> Vec<OsString> {
        self.argv.iter().map(|word| OsString::from_vec(word.to_vec())).collect()
    }

    /// Returns the program and its arguments as they were asked for.
    pub fn asked(&self) -> Vec<OsString> {
        let asked = if self.asked_argv.is_empty() { &self.argv } else { &self.asked_argv };
        asked.iter().map(|word| OsString::from_vec(word.to_vec())).collect()
    }

    /// Returns the environment without what was added to it.
    pub fn asked_environment(&self) -> Environment {
        let mut environment = self.environment();
        environment
            .retain(|(name, _)| !self.added_variables.iter().any(|added| name == added.as_str()));
        environment
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

    /// Returns the same specification with the meter's address where it belongs. Without one, variables
    /// that are to hold it are left out, and arguments name a port where nobody listens: agents take
    /// that without complaint.
    #[must_use]
    pub fn with_meter(&self, url: Option<&str>) -> Self {
        let nowhere = "http://127.0.0.1:9";
        let put = |text: &Bytes, url: &str| match std::str::from_utf8(text) {
            Ok(known) if known.contains(METER) => known.replace(METER, url).into(),
            _ => text.clone(),
        };
        let names_it =
            |text: &Bytes| std::str::from_utf8(text).is_ok_and(|text| text.contains(METER));
        let mut spec = self.clone();
        let beside = spec.sidecar.iter_mut();
        let beside = beside.flat_map(|it| it.argv.iter_mut().chain(it.instead_argv.iter_mut()));
        let words = spec.argv.iter_mut().chain(beside);
        words.for_each(|word| *word = put(word, url.unwrap_or(nowhere)));
        spec.environment.retain(|variable| url.is_some() || !names_it(&variable.value));
        for variable in &mut spec.environment {
            variable.value = put(&variable.value, url.unwrap_or(nowhere));
        }
        spec
    }

    /// Returns the same specification without its environment, for showing it to others.
    #[must_use]
    pub fn without_environment(&self) -> Self {
        Self { environment: Vec::new(), ..self.clone() }
    }
}

impl Sidecar {
    /// Returns the program and its arguments.
    pub fn command(&self) -> Vec<OsString> {
        self.argv.iter().map(|word| OsString::from_vec(word.to_vec())).collect()
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
