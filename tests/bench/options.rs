//! What the command line asks for.

use std::{ffi::OsString, path::PathBuf};

use anyhow::{Result, bail};

use crate::{
    measure::{MEASURES, NAMED},
    peers::Peer,
};

/// The parsed command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
    /// The only measurements to make; all when empty.
    only: Vec<String>,
    /// Who is measured, too.
    peers: Vec<Peer>,
}

impl Options {
    /// Parses the words; `None` when nothing is to be measured.
    pub(crate) fn parse(words: &[OsString]) -> Result<Option<Self>> {
        let mut options = Self { peers: vec![Peer::Tmux], ..Self::default() };
        let mut words = words.iter().map(|word| word.to_string_lossy().into_owned()).peekable();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => match words.next() {
                    Some(file) => options.json = Some(file.into()),
                    None => bail!("--json needs a file"),
                },
                "--only" => {
                    while let Some(name) = words.next_if(|word| !word.starts_with('-')) {
                        options.only.push(known(&name)?);
                    }
                    if options.only.is_empty() {
                        bail!("--only needs one of {}", names());
                    }
                }
                "--vs" => match words.next() {
                    Some(peers) => options.peers = Peer::parse(&peers)?,
                    None => bail!("--vs needs names like tmux,screen,dtach"),
                },
                "--help" | "-h" => {
                    println!(
                        "bench [--vs NAME,…] [--only NAME…] [--json FILE]\nnames: {}",
                        names()
                    );
                    return Ok(None);
                }
                // Runners of tests ask every target for its tests: this one has none.
                "--list" => return Ok(None),
                _ => bail!("`{word}` is not understood; --help lists what is"),
            }
        }
        Ok(Some(options))
    }

    /// Who is measured, too; nobody beside what is there once only.
    pub(crate) fn peers(&self) -> &[Peer] {
        if self.is_only("scale") { &[] } else { &self.peers }
    }

    /// The section of the report that this run makes anew, and the command for it; `None` of a run that
    /// measures only a part.
    pub(crate) fn section(&self) -> Option<(&'static str, String)> {
        if self.is_only("scale") {
            return Some(("scale", "`./tests/run bench scale`".to_owned()));
        }
        let names: Vec<_> = self.peers.iter().map(|peer| peer.name()).collect();
        let command = format!("`./tests/run bench --vs {}`", names.join(","));
        self.only.is_empty().then_some(("bench", command))
    }

    fn is_only(&self, name: &str) -> bool {
        matches!(&self.only[..], [only] if only == name)
    }

    /// Whether a measurement is to be made.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let is_named = self.only.iter().any(|only| only == name);
        is_named || (self.only.is_empty() && !NAMED.contains(&name))
    }
}

/// Returns the name if there is such a measurement.
fn known(name: &str) -> Result<String> {
    if MEASURES.iter().any(|measure| measure.name == name) {
        return Ok(name.to_owned());
    }
    bail!("`{name}` is no measurement; there are {}", names())
}

/// The names of all measurements.
fn names() -> String {
    MEASURES.iter().map(|measure| measure.name).collect::<Vec<_>>().join(", ")
}
