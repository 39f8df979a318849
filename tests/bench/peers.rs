//! Others that keep sessions: how each is started, attached, detached and ended, and what serves it.
//!
//! shpool and zellij are not here: neither starts a session without a terminal, so that nothing of them can
//! be measured in the same way.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// Another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// One server for all sessions, with panes and windows.
    Tmux,
    /// A process for each session.
    Screen,
    /// A process for each session that keeps no screen: bytes pass and are forgotten.
    Dtach,
}

impl Peer {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Tmux, Self::Screen, Self::Dtach];

    /// Its name, which is its program's, too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tmux => "tmux",
            Self::Screen => "screen",
            Self::Dtach => "dtach",
        }
    }

    /// Parses names with commas between them.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>> {
        let mut peers = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let Some(peer) = Self::ALL.into_iter().find(|peer| peer.name() == name) else {
                let known = Self::ALL.map(Self::name).join(", ");
                bail!("`{name}` is none of {known}")
            };
            peers.push(peer);
        }
        peers.sort();
        peers.dedup();
        Ok(peers)
    }

    /// Finds its program.
    pub(crate) fn find(self) -> Result<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let name = self.name();
        let found =
            std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
        found.with_context(|| {
            format!("{name} is on no directory of PATH; run: apt-get install {name}")
        })
    }

    /// Returns the command by which it says its version.
    pub(crate) fn version(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg(match self {
            Self::Tmux => "-V",
            Self::Screen => "-v",
            Self::Dtach => "--version",
        });
        command
    }

    /// What an attached client does first.
    pub(crate) fn first_bytes(self) -> &'static [u8] {
        match self {
            Self::Tmux | Self::Screen => b"\x1b[?1049h",
            Self::Dtach => b"\x1b[H\x1b[J",
        }
    }

    /// The keys that detach.
    pub(crate) fn detach_keys(self) -> &'static [u8] {
        match self {
            Self::Tmux => b"\x02d",
            Self::Screen => b"\x01d",
            Self::Dtach => b"\x1c",
        }
    }

    /// Whether it can show what was said before somebody attached.
    pub(crate) fn keeps_output(self) -> bool {
        self != Self::Dtach
    }
}
