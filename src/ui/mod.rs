//! L3: the dashboard, full screen: who needs a person, what runs, what just happened.
//!
//! ```text
//! keys, mouse ─┐                      ┌▶ view ─▶ terminal
//! feed ────────┼▶ event ─▶ update ─▶ state
//! outcomes ────┘             └▶ effects ─▶ perform ─▶ daemon
//! ```
//!
//! `update` is pure: a state and an event in, effects out. `app` is the only loop, and it and
//! what it starts (`feed`, `perform`) are the only I/O. Invariant: a frame is drawn only after
//! something visible changed, and beyond what a person waits for at most sixty a second; with nothing
//! due nothing wakes up. The agents never depend on this program: it may end at any moment.

mod ahead;
mod app;
mod checkout;
mod choices;
mod clipboard;
mod conversing;
mod correcting;
mod effect;
mod event;
mod feed;
mod files;
mod input;
mod keeper;
mod keymap;
mod layouts;
mod leaving;
mod looks;
mod pace;
mod perform;
mod recorder;
mod report;
mod resizing;
mod screen;
mod seen;
mod spending;
mod state;
mod surroundings;
mod theme;
mod typist;
mod update;
mod versions;
mod view;
mod widgets;
mod words;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use self::looks::theme_fault;

use crate::{
    config::{Loaded, Places},
    domain::{failure::Failure, id::RunnerId, launch::Environment},
};

/// What the dashboard needs to know of the world it was started in.
#[derive(Debug, Clone)]
pub struct UiOptions {
    /// Where the daemon lives.
    pub places: Places,
    /// What is configured, and where from. The key that detaches also leaves a pane.
    pub loaded: Loaded,
    /// Where the user stands; what is launched first is launched here.
    pub cwd: PathBuf,
    /// What launched agents inherit.
    pub environment: Environment,
    /// File mode creation mask of launched agents.
    pub umask: u32,
    /// Only a runner is to be picked, nothing else done.
    pub picker: bool,
    /// This is the demonstration, with a root and agents of its own.
    pub demo: bool,
}

/// The runner that was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// Which.
    pub id: RunnerId,
    /// What was typed after that already, as the agent expects it.
    pub typed: Vec<u8>,
}

/// Shows the dashboard until the user leaves it; the agents go on. Returns the runner that was
/// picked, if that was what it was opened for.
///
/// # Errors
///
/// When there is no terminal, no daemon at the start, or the terminal is lost.
pub async fn run(options: UiOptions) -> Result<Option<Picked>, Failure> {
    app::run(options).await
}
