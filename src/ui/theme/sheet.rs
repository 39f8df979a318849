//! A theme as it is written: a sheet of roles with their colours and weights, and a parent for what
//! it leaves out.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use super::{
    Role,
    color::{Depth, Ink, PALETTE},
};

/// A theme file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    about: String,
    parent: Option<String>,
    background: Option<String>,
    #[serde(default)]
    roles: BTreeMap<String, String>,
    #[serde(default)]
    palette: BTreeMap<String, String>,
}

/// How a role looks: its colour and its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// The colour.
    pub(super) ink: Ink,
    /// The weight.
    pub(super) weight: Modifier,
}

/// The least contrast of text that can be read, as WCAG has it for large text and signs.
pub(super) const READABLE: f64 = 3.0;

/// The terminal's own text.
const PLAIN: Look = Look { ink: Ink::Default, weight: Modifier::empty() };

/// A theme, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Sheet {
    /// In a few words.
    pub(in crate::ui) about: String,
    /// What is behind everything, `None` for the terminal's own.
    pub(super) background: Option<Ink>,
    /// What the sixteen colours are that agents write in on this background; `None` for the
    /// terminal's own.
    pub(super) palette: [Option<Ink>; PALETTE],
    /// How the roles look, in their order.
    pub(super) looks: [Look; Role::ALL.len()],
}

impl Sheet {
    /// Parses a theme; `parent` finds another by its name.
    ///
    /// # Errors
    ///
    /// Says what is wrong.
    pub(super) fn parse(
        text: &str,
        parent: impl FnOnce(&str) -> Option<Self>,
    ) -> Result<Self, String> {
        let file: File =
            toml::from_str(text).map_err(|error| error.to_string().trim().to_owned())?;
        let mut sheet = match &file.parent {
            Some(name) => parent(name).ok_or_else(|| format!("there is no theme `{name}`"))?,
            None => Self::plain(),
        };
        sheet.about = file.about;
        if let Some(background) = file.background {
            let ink = Ink::parse(&background);
            let ink = ink.ok_or_else(|| format!("background: `{background}` is no colour"))?;
            sheet.background = Some(ink).filter(|ink| *ink != Ink::Default);
        }
        for (name, color) in file.palette {
            let place = match Ink::parse(&name) {
                Some(Ink::Palette(at)) => sheet.palette.get_mut(usize::from(at)),
                _ => None,
            };
            let place = place.ok_or_else(|| format!("the palette has no `{name}`"))?;
            let ink = Ink::parse(&color);
            *place = Some(ink.ok_or_else(|| format!("palette: `{color}` is no colour"))?);
        }
        sheet.drop_unreadable();
        for (name, look) in file.roles {
            let at = Role::ALL.iter().position(|role| role.name() == name);
            let place = at.and_then(|at| sheet.looks.get_mut(at));
            let place = place.ok_or_else(|| format!("there is no role `{name}`"))?;
            *place = parse_look(&look).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(sheet)
    }

    /// The terminal's text for everything.
    fn plain() -> Self {
        let (palette, looks) = ([None; PALETTE], [PLAIN; Role::ALL.len()]);
        Self { about: String::new(), background: None, palette, looks }
    }

    /// Leaves to the terminal what a parent's palette has and this background does not bear.
    fn drop_unreadable(&mut self) {
        let Some(background) = self.background else {
            self.palette = [None; PALETTE];
            return;
        };
        for place in &mut self.palette {
            let contrast = place.and_then(|ink| ink.contrast(background));
            *place = place.filter(|_| contrast.is_some_and(|contrast| contrast >= READABLE));
        }
    }

    /// Returns the colours for what agents write on a terminal of some depth.
    pub(super) fn palette(&self, depth: Depth) -> [Option<Color>; PALETTE] {
        let has_background = matches!(depth, Depth::True | Depth::Indexed);
        self.palette.map(|ink| ink.filter(|_| has_background).and_then(|ink| ink.on(depth)))
    }

    /// Returns the styles of the roles on a terminal of some depth, and the background's.
    pub(super) fn styles(&self, depth: Depth) -> ([Style; Role::ALL.len()], Option<Style>) {
        let styles = Role::ALL.map(|role| {
            let look = self.looks.get(role as usize).copied().unwrap_or(PLAIN);
            let style = Style::new().add_modifier(look.weight);
            match look.ink.on(depth) {
                Some(color) => style.fg(color),
                // Without colour what stands out does so by its weight.
                None if look.weight.is_empty() => style.add_modifier(weight_of(role, look.ink)),
                None => style,
            }
        });
        // With 16 colours the background is the terminal's own: what is readable on another is not
        // known.
        let has_background = matches!(depth, Depth::True | Depth::Indexed);
        let text = self.looks.first().and_then(|look| look.ink.on(depth));
        let background = self.background.filter(|_| has_background).and_then(|ink| ink.on(depth));
        let background = background.map(|color| {
            let style = Style::new().bg(color);
            text.map_or(style, |text| style.fg(text))
        });
        (styles, background)
    }
}

/// The weight that stands for a colour that is not to be had: dim for what matters less, bold for
/// what must be seen.
fn weight_of(role: Role, ink: Ink) -> Modifier {
    match role {
        Role::Muted | Role::Rule => Modifier::DIM,
        Role::Failed | Role::Accent | Role::Needs | Role::Strong if ink != Ink::Default => {
            Modifier::BOLD
        }
        _ => Modifier::empty(),
    }
}

fn parse_look(text: &str) -> Result<Look, String> {
    let mut look = PLAIN;
    for word in text.split_whitespace() {
        match word {
            "bold" => look.weight |= Modifier::BOLD,
            "dim" => look.weight |= Modifier::DIM,
            "underline" => look.weight |= Modifier::UNDERLINED,
            "reverse" => look.weight |= Modifier::REVERSED,
            word => {
                look.ink = Ink::parse(word).ok_or_else(|| format!("`{word}` is no colour"))?;
            }
        }
    }
    Ok(look)
}
