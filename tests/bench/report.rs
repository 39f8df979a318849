//! The figures: judged, printed as a table, as JSON, and as a section of `assets/performance.md`.

use serde_json::{Value, json};

use crate::{
    documents::{Facts, PERFORMANCE, load, table},
    peers::Peer,
};

/// What a figure must reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most so many times tmux's figure, or that of what it is compared with.
    RatioAtMost(f64),
    /// At least so many times that.
    RatioAtLeast(f64),
    /// At most so much by itself.
    AtMost(f64),
    /// Printed for the reader.
    None,
}

/// One figure of each: ours, and those of the peers in their order; `None` of whoever cannot do it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// Stratavore's.
    pub ours: f64,
    /// The peers'.
    pub theirs: Vec<Option<f64>>,
}

impl Figures {
    /// Takes a figure of everything that was measured, ours first.
    pub(crate) fn of<T>(measured: &[Option<T>], figure: impl Fn(&T) -> f64) -> Self {
        let mut all = measured.iter().map(|one| one.as_ref().map(&figure));
        Self { ours: all.next().flatten().unwrap_or(f64::NAN), theirs: all.collect() }
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    unit: &'static str,
    figures: Figures,
    /// Something else that it is compared with.
    reference: Option<(&'static str, f64)>,
    target: Target,
}

impl Row {
    /// Returns a row with the peers' figures beside ours.
    pub(crate) fn beside(
        name: impl Into<String>,
        unit: &'static str,
        figures: Figures,
        target: Target,
    ) -> Self {
        Self { name: name.into(), unit, figures, reference: None, target }
    }

    /// Returns a row with our figure only.
    pub(crate) fn single(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        target: Target,
    ) -> Self {
        Self::beside(name, unit, Figures { ours, theirs: Vec::new() }, target)
    }

    /// Returns a row with our figure and that of something that is no peer.
    pub(crate) fn against(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        reference: (&'static str, f64),
        target: Target,
    ) -> Self {
        Self { reference: Some(reference), ..Self::single(name, unit, ours, target) }
    }

    /// What a ratio is taken of: the first peer, which is tmux where it takes part.
    fn other(&self) -> Option<f64> {
        let peer = || self.figures.theirs.first().copied().flatten();
        self.reference.map(|(_, figure)| figure).or_else(peer).filter(|other| *other > 0.0)
    }

    /// Whether the target is reached, `None` when there is none.
    fn reached(&self) -> Option<bool> {
        let ours = self.figures.ours;
        match self.target {
            Target::RatioAtMost(most) => Some(ours / self.other()? <= most),
            Target::RatioAtLeast(least) => Some(ours / self.other()? >= least),
            Target::AtMost(most) => Some(ours <= most),
            Target::None => None,
        }
    }

    /// The peers that have a better figure.
    fn ahead_of_us(&self, peers: &[Peer]) -> Vec<&'static str> {
        let is_better = |theirs: f64| match self.target {
            Target::RatioAtLeast(_) => theirs > self.figures.ours,
            Target::RatioAtMost(_) | Target::AtMost(_) => theirs < self.figures.ours,
            Target::None => false,
        };
        let pairs = peers.iter().zip(&self.figures.theirs);
        pairs
            .filter(|(_, theirs)| theirs.is_some_and(is_better))
            .map(|(peer, _)| peer.name())
            .collect()
    }

    fn target_text(&self) -> String {
        let of = self.reference.map(|(name, _)| format!(" {name}")).unwrap_or_default();
        match self.target {
            Target::RatioAtMost(most) => format!("≤ {most} ×{of}"),
            Target::RatioAtLeast(least) => format!("≥ {least} ×{of}"),
            Target::AtMost(most) => format!("≤ {most} {}", self.unit),
            Target::None => String::new(),
        }
    }

    /// Name, our figure, each peer's with how many times ours is of it, target, verdict.
    fn cells(&self, peers: &[Peer]) -> Vec<String> {
        let (unit, ours) = (self.unit, self.figures.ours);
        let figure = |value: f64| {
            if value.is_infinite() {
                return "never".to_owned();
            }
            format!("{} {unit}", number(value)).trim_end().to_owned()
        };
        let mut cells = vec![self.name.clone(), figure(ours)];
        for at in 0..peers.len() {
            let theirs = self.figures.theirs.get(at).copied();
            cells.push(match theirs {
                Some(Some(theirs)) if theirs > 0.0 && theirs.is_finite() => {
                    format!("{} ({:.2} ×)", figure(theirs), ours / theirs)
                }
                Some(Some(theirs)) => figure(theirs),
                Some(None) => "cannot".to_owned(),
                None => String::new(),
            });
        }
        let mut verdict = match self.reached() {
            Some(true) => "ok".to_owned(),
            Some(false) => "MISSED".to_owned(),
            None => String::new(),
        };
        let ahead = self.ahead_of_us(peers);
        if !ahead.is_empty() {
            let behind = format!("behind {}", ahead.join(", "));
            verdict = if verdict.is_empty() { behind } else { format!("{verdict}, {behind}") };
        }
        let reference = self.reference.map(|(_, value)| format!(" = {}", figure(value)));
        cells.push(self.target_text() + &reference.unwrap_or_default());
        cells.push(verdict);
        cells
    }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        0.1.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    facts: Facts,
    peers: Vec<Peer>,
    rows: Vec<(&'static str, Row)>,
    failures: Vec<String>,
}

impl Report {
    /// Returns an empty report.
    pub(crate) fn new(facts: Facts, peers: Vec<Peer>) -> Self {
        Self { facts, peers, rows: Vec::new(), failures: Vec::new() }
    }

    /// Adds what a measurement found.
    pub(crate) fn add(&mut self, measure: &'static str, rows: Vec<Row>) {
        self.rows.extend(rows.into_iter().map(|row| (measure, row)));
    }

    /// Notes that something could not be measured.
    pub(crate) fn fail(&mut self, measure: &str, error: &anyhow::Error) {
        eprintln!("  {measure}: {error:#}");
        self.failures.push(format!("{measure}: {error:#}"));
    }

    /// Whether everything could be measured.
    pub(crate) fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }

    /// Prints the facts.
    pub(crate) fn print_head(&self) {
        for (name, value) in &self.facts.0 {
            println!("{name:11} {value}");
        }
    }

    /// The lines of the table, the first of which says what stands below it.
    fn lines(&self) -> Vec<Vec<String>> {
        let mut head = vec![String::new(), "stratavore".to_owned()];
        head.extend(self.peers.iter().map(|peer| peer.name().to_owned()));
        head.extend(["target", ""].map(str::to_owned));
        let rows = self.rows.iter().map(|(_, row)| row.cells(&self.peers));
        [head].into_iter().chain(rows).collect()
    }

    /// The line under the table.
    fn summary(&self) -> String {
        let reached: Vec<bool> = self.rows.iter().filter_map(|(_, row)| row.reached()).collect();
        let missed = reached.iter().filter(|reached| !**reached).count();
        let behind = self.rows.iter().filter(|(_, row)| !row.ahead_of_us(&self.peers).is_empty());
        let (targets, behind) = (reached.len(), behind.count());
        format!(
            "{targets} targets, {missed} missed; {behind} figures of which somebody has a better one"
        )
    }

    /// Prints the figures.
    pub(crate) fn print_table(&self) {
        let lines = self.lines();
        let mut widths = vec![0; lines.first().map_or(0, Vec::len)];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        println!();
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                if at == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
            });
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        println!("\n{}; load at the end {}", self.summary(), load());
        for failure in &self.failures {
            println!("NOT MEASURED  {failure}");
        }
    }

    /// Writes the section of the report, where one is wanted.
    pub(crate) fn write(&self, section: &str, command: &str) -> std::io::Result<()> {
        let mut facts = self.facts.clone();
        facts.add("load after", load());
        let mut lines = self.lines().into_iter();
        let head = lines.next().unwrap_or_default();
        let figures = table(&head, lines);
        let mut failures = String::new();
        for failure in &self.failures {
            failures.push_str("\nNot measured: ");
            failures.push_str(failure);
            failures.push('\n');
        }
        let peers = if self.peers.is_empty() {
            ""
        } else {
            "In brackets, how many times the other's figure ours is. "
        };
        let text = format!(
            "## {command}\n\n{}\n{figures}\n{peers}{}.\n{failures}",
            facts.list(),
            self.summary()
        );
        if let Some(path) = PERFORMANCE.put(section, &text)? {
            println!("written: {}", path.display());
        }
        Ok(())
    }

    /// Returns everything for other programs.
    pub(crate) fn json(&self) -> Value {
        let facts: serde_json::Map<_, _> =
            self.facts.0.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(measure, row)| {
                let peers = self.peers.iter().zip(&row.figures.theirs);
                let peers: serde_json::Map<_, _> =
                    peers.map(|(peer, figure)| (peer.name().to_owned(), json!(figure))).collect();
                json!({
                    "measure": measure,
                    "name": row.name,
                    "unit": row.unit,
                    "stratavore": row.figures.ours,
                    "peers": peers,
                    "target": row.target_text(),
                    "reached": row.reached(),
                })
            })
            .collect();
        json!({ "facts": facts, "figures": rows, "not_measured": self.failures })
    }
}
