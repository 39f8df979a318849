//! The theme in force: found by its name when that changes, for the colours that the terminal has.

use std::collections::BTreeMap;

use super::{
    choices,
    state::{State, Themes},
    theme::{DEFAULT, Depth, Library, Theme},
};
use crate::config::{Config, Origin, Places, environment, user_file};

/// The themes, and the one that was drawn with last.
pub(super) struct Looks {
    library: Library,
    depth: Depth,
    is_accessible: bool,
    last: Option<(String, Theme)>,
}

/// Returns why the theme that is configured cannot be shown; `None` when it can, or when none is.
pub fn theme_fault(config: &Config) -> Option<String> {
    let wanted = &config.dashboard.theme;
    let library = library();
    (!wanted.is_empty() && !library.has(wanted)).then(|| {
        let names: Vec<_> = library.list().into_iter().map(|(name, _)| name).collect();
        format!("{}; there are {}", missing(&library, wanted), names.join(", "))
    })
}

/// Reads the themes: those that are built in, and the user's.
fn library() -> Library {
    let directory = environment::config_home().map(|home| user_file(&home));
    let directory = directory.map(|file| file.with_file_name("themes"));
    directory.map_or_else(Library::built_in, |directory| Library::with_directory(&directory))
}

/// Says why there is no such theme.
fn missing(library: &Library, wanted: &str) -> String {
    let damaged = library.refused.iter().find(|why| {
        why.strip_prefix("theme ").is_some_and(|why| why.starts_with(&format!("{wanted}:")))
    });
    damaged.cloned().unwrap_or_else(|| format!("there is no theme `{wanted}`"))
}

impl Looks {
    /// Reads the themes and tells the state which there are and which one is shown: the configured
    /// one, else the one that was chosen last.
    pub(super) fn new(
        state: &mut State,
        config: &Config,
        origins: &BTreeMap<String, Origin>,
        places: &Places,
    ) -> Self {
        let library = library();
        let configured = Some(config.dashboard.theme.clone()).filter(|name| !name.is_empty());
        let set_in = configured.as_ref().and_then(|_| origins.get("dashboard.theme"));
        let wanted = configured.or_else(|| choices::theme(places));
        let shown = wanted.clone().filter(|name| library.has(name));
        if let (Some(wanted), None) = (&wanted, &shown) {
            state.complain(format!("{}; this is {DEFAULT}", missing(&library, wanted)));
        } else if let Some(refused) = library.refused.first() {
            state.complain(refused.clone());
        }
        state.themes = Themes {
            all: library.list(),
            is_chosen: set_in.is_none() && shown.is_some(),
            shown: shown.unwrap_or_else(|| DEFAULT.to_owned()),
            set_in: set_in.map(ToString::to_string),
        };
        Self { library, depth: depth(), is_accessible: config.dashboard.accessible, last: None }
    }

    /// Returns the theme that the state asks for.
    pub(super) fn theme(&mut self, state: &State) -> Theme {
        let wanted = &state.themes.shown;
        match &self.last {
            Some((name, theme)) if name == wanted => *theme,
            _ => {
                let theme = self.library.theme(wanted, self.depth, self.is_accessible);
                self.last = Some((wanted.clone(), theme));
                theme
            }
        }
    }
}

/// How many colours our terminal has, by what it says of itself.
fn depth() -> Depth {
    let says = |name| environment::get_text(name).unwrap_or_default();
    Depth::of(environment::no_color(), &says("COLORTERM"), &says("TERM"))
}
