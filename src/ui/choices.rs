//! What the user chose in the dashboard and finds again next time: small files in the root.
//!
//! Invariant: a file is replaced as a whole or not at all; one that cannot be read counts as none.

use std::path::PathBuf;

use super::files::{self, replace};
use crate::{
    config::{
        Places,
        presets::{Preset, Presets},
    },
    domain::failure::Failure,
};

/// The longest name that is read back, in bytes.
const MAX: usize = 256;

/// Returns the theme that was chosen last.
pub(super) fn theme(places: &Places) -> Option<String> {
    let text = files::read(&theme_file(places)).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty() && name.len() <= MAX)
}

/// Keeps the theme that was chosen.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn keep_theme(places: &Places, name: &str) -> Result<(), Failure> {
    let path = theme_file(places);
    replace(&path, name.as_bytes()).map_err(|error| {
        Failure::internal(format!("write `{}`: {error}", path.display()))
            .with_hint("dashboard.theme in the configuration sets it, too")
    })
}

/// Returns the presets that were kept.
pub(super) fn presets(places: &Places) -> Presets {
    let text = files::read(&preset_file(places)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Keeps a preset among the others.
///
/// # Errors
///
/// When they cannot be written.
pub(super) fn keep_preset(places: &Places, name: &str, preset: Preset) -> Result<(), Failure> {
    let path = preset_file(places);
    let mut all = presets(places);
    all.insert(name.to_owned(), preset);
    let failed = |why: String| {
        Failure::internal(format!("write `{}`: {why}", path.display()))
            .with_hint("presets in the configuration do the same")
    };
    let text = serde_json::to_string_pretty(&all).map_err(|error| failed(error.to_string()))?;
    replace(&path, text.as_bytes()).map_err(|error| failed(error.to_string()))
}

fn preset_file(places: &Places) -> PathBuf {
    places.root().join("dashboard.presets")
}

fn theme_file(places: &Places) -> PathBuf {
    places.root().join("dashboard.theme")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path());
        assert_eq!(theme(&places), None);
        keep_theme(&places, "night").unwrap();
        keep_theme(&places, "day").unwrap();
        assert_eq!(theme(&places).as_deref(), Some("day"));
        assert!(keep_theme(&Places::at("/no/such/place"), "day").is_err());
    }
}
