//! The themes there are: those that are built in, and the user's own.
//!
//! Invariant: a theme of the user's that cannot be read never keeps the dashboard from opening; it
//! is left out, and why is told.

use std::{collections::BTreeMap, fs, path::Path};

use super::{Depth, Theme, sheet::Sheet};

/// The theme that is used when nothing else is asked for.
pub(in crate::ui) const DEFAULT: &str = "terminal";

/// What is built in; a parent stands before its children.
const BUILT_IN: &[(&str, &str)] = &[
    ("terminal", include_str!("../../../themes/terminal.toml")),
    ("mono", include_str!("../../../themes/mono.toml")),
    ("night", include_str!("../../../themes/night.toml")),
    ("frost", include_str!("../../../themes/frost.toml")),
    ("dusk", include_str!("../../../themes/dusk.toml")),
    ("okabe", include_str!("../../../themes/okabe.toml")),
    ("contrast", include_str!("../../../themes/contrast.toml")),
    ("day", include_str!("../../../themes/day.toml")),
    ("paper", include_str!("../../../themes/paper.toml")),
    ("okabe-day", include_str!("../../../themes/okabe-day.toml")),
    ("contrast-day", include_str!("../../../themes/contrast-day.toml")),
];

/// The largest theme file that is read, in bytes; a larger one is a mistake.
const MAX_FILE: u64 = 1 << 16;

/// All themes, in the order they are listed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Library {
    themes: Vec<(String, Sheet)>,
    /// What was left out, and why.
    pub(in crate::ui) refused: Vec<String>,
}

impl Library {
    /// Returns the built-in themes.
    pub(in crate::ui) fn built_in() -> Self {
        let mut library = Self { themes: Vec::new(), refused: Vec::new() };
        for (name, text) in BUILT_IN {
            library.add(name, text);
        }
        library
    }

    /// Returns the built-in themes and those of a directory, which may use them as parents and each
    /// other if they come later by name; one of the same name takes the other's place.
    pub(in crate::ui) fn with_directory(directory: &Path) -> Self {
        let mut library = Self::built_in();
        let mut files = BTreeMap::new();
        // No directory, no themes.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "toml")
                && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            {
                files.insert(name.to_owned(), path);
            }
        }
        for (name, path) in files {
            let small = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= MAX_FILE);
            match small.then(|| fs::read_to_string(&path)) {
                Some(Ok(text)) => library.add(&name, &text),
                Some(Err(error)) => library.refused.push(format!("theme {name}: {error}")),
                None => library.refused.push(format!("theme {name}: not a file of a theme's size")),
            }
        }
        library
    }

    /// Names with what they are, in order.
    pub(in crate::ui) fn list(&self) -> Vec<(String, String)> {
        self.themes.iter().map(|(name, sheet)| (name.clone(), sheet.about.clone())).collect()
    }

    /// Returns a theme as a terminal of some depth shows it; the default for a name that is not
    /// known.
    pub(in crate::ui) fn theme(&self, name: &str, depth: Depth, is_accessible: bool) -> Theme {
        let sheet = self.sheet(name).or_else(|| self.sheet(DEFAULT));
        sheet.map_or_else(Theme::default, |sheet| Theme::of(sheet, depth, is_accessible))
    }

    /// Returns whether there is a theme of this name.
    pub(in crate::ui) fn has(&self, name: &str) -> bool {
        self.sheet(name).is_some()
    }

    fn sheet(&self, name: &str) -> Option<&Sheet> {
        self.themes.iter().find(|(known, _)| known == name).map(|(_, sheet)| sheet)
    }

    fn add(&mut self, name: &str, text: &str) {
        match Sheet::parse(text, |parent| self.sheet(parent).cloned()) {
            Ok(sheet) => match self.themes.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 = sheet,
                None => self.themes.push((name.to_owned(), sheet)),
            },
            Err(why) => self.refused.push(format!("theme {name}: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Modifier;

    use super::*;
    use crate::ui::theme::{
        Role,
        color::{Ink, known},
    };

    #[test]
    fn all_built_in_themes_are_right_and_readable() {
        let library = Library::built_in();
        assert_eq!(library.refused, Vec::<String>::new());
        assert!(library.themes.len() >= 8);
        for (name, sheet) in &library.themes {
            assert!(!sheet.about.is_empty(), "{name}");
            let Some(background) = sheet.background else { continue };
            for role in Role::ALL.iter().filter(|role| **role != Role::Rule) {
                let look = sheet.looks[*role as usize];
                let contrast = look.ink.contrast(background).unwrap();
                assert!(contrast >= 4.5, "{name}: {role:?} has {contrast:.2}");
                assert!(!look.weight.contains(Modifier::DIM), "{name}: {role:?} is dim");
            }
        }
    }

    #[test]
    fn what_agents_write_in_the_sixteen_colours_is_readable_on_every_background() {
        for (name, sheet) in &Library::built_in().themes {
            let Some(background) = sheet.background else {
                assert!(sheet.palette.iter().all(Option::is_none), "{name}");
                continue;
            };
            for (at, ink) in sheet.palette.iter().enumerate() {
                let ink = ink.unwrap_or_else(|| panic!("{name}: colour {at} is not readable"));
                let contrast = ink.contrast(background).unwrap();
                assert!(contrast >= 3.0, "{name}: colour {at} has {contrast:.2}");
                let indexed = |ink: Ink| known(ink.on(Depth::Indexed).unwrap()).unwrap();
                let contrast = indexed(ink).contrast(indexed(background)).unwrap();
                assert!(contrast >= 3.0, "{name}: colour {at} of 256 has {contrast:.2}");
            }
            // Told apart, as what is added and removed must be.
            assert_ne!(sheet.palette[1], sheet.palette[2], "{name}");
        }
    }

    #[test]
    fn a_parents_palette_is_not_put_on_a_background_that_does_not_bear_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = "parent = \"night\"\nbackground = \"#ffffff\"\n[palette]\nred = \"#a00000\"\n";
        fs::write(dir.path().join("mine.toml"), text).unwrap();
        fs::write(dir.path().join("odd.toml"), "[palette]\npink = \"red\"\n").unwrap();
        let library = Library::with_directory(dir.path());
        let mine = library.sheet("mine").unwrap();
        assert_eq!(mine.palette[1], Some(Ink::Exact(0xa0, 0, 0)));
        assert_eq!(mine.palette[3], None, "night's yellow on white");
        assert_eq!(library.refused, ["theme odd: the palette has no `pink`"]);
    }

    #[test]
    fn every_theme_is_told_apart_on_every_terminal() {
        let library = Library::built_in();
        for (name, _) in &library.themes {
            for depth in [Depth::True, Depth::Indexed, Depth::Palette, Depth::None] {
                let theme = library.theme(name, depth, false);
                let differ = |a, b| theme.style(a) != theme.style(b);
                assert!(differ(Role::Needs, Role::Text), "{name} {depth:?}");
                assert!(differ(Role::Muted, Role::Strong), "{name} {depth:?}");
                assert!(differ(Role::Accent, Role::Text), "{name} {depth:?}");
                let has_color = Role::ALL.iter().any(|role| theme.style(*role).fg.is_some());
                assert_eq!(has_color, depth != Depth::None && name != "mono", "{name} {depth:?}");
            }
        }
    }

    #[test]
    fn a_users_theme_takes_what_it_leaves_out_from_its_parent() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("mine.toml", "parent = \"day\"\n[roles]\nneeds = \"#ff0000 bold\"\n");
        write("wrong.toml", "[roles]\nneed = \"red\"\n");
        write("notes.txt", "no theme");
        let library = Library::with_directory(dir.path());
        let mine = library.sheet("mine").unwrap();
        let day = library.sheet("day").unwrap();
        assert_eq!(mine.looks[Role::Needs as usize].ink, Ink::Exact(255, 0, 0));
        assert_eq!(mine.looks[Role::Done as usize], day.looks[Role::Done as usize]);
        assert_eq!(library.refused, ["theme wrong: there is no role `need`"]);
    }
}
