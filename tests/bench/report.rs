//! The figures: judged, printed as a table and as JSON.

use serde_json::{Value, json};

use crate::facts::{Facts, load};

/// What a figure must reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most so many times tmux's figure.
    RatioAtMost(f64),
    /// At least so many times tmux's figure.
    RatioAtLeast(f64),
    /// At most so much by itself.
    AtMost(f64),
    /// Printed for the reader.
    None,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    unit: &'static str,
    ours: f64,
    theirs: Option<f64>,
    target: Target,
}

impl Row {
    /// Returns a row with tmux's figure beside ours.
    pub(crate) fn pair(
        name: impl Into<String>,
        unit: &'static str,
        (ours, theirs): (f64, f64),
        target: Target,
    ) -> Self {
        Self { name: name.into(), unit, ours, theirs: Some(theirs), target }
    }

    /// Returns a row with our figure only.
    pub(crate) fn single(
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        target: Target,
    ) -> Self {
        Self { name: name.into(), unit, ours, theirs: None, target }
    }

    fn ratio(&self) -> Option<f64> {
        self.theirs.filter(|theirs| *theirs > 0.0).map(|theirs| self.ours / theirs)
    }

    /// Whether the target is reached, `None` when there is none.
    fn reached(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        match self.target {
            Target::RatioAtMost(most) => Some(ratio <= most),
            Target::RatioAtLeast(least) => Some(ratio >= least),
            Target::AtMost(most) => Some(self.ours <= most),
            Target::None => None,
        }
    }

    fn target_text(&self) -> String {
        match self.target {
            Target::RatioAtMost(most) => format!("≤ {most} ×"),
            Target::RatioAtLeast(least) => format!("≥ {least} ×"),
            Target::AtMost(most) => format!("≤ {most} {}", self.unit),
            Target::None => String::new(),
        }
    }

    fn cells(&self) -> [String; 6] {
        let figure = |value: f64| format!("{} {}", number(value), self.unit);
        let verdict = match self.reached() {
            Some(true) => "ok",
            Some(false) => "MISSED",
            None => "",
        };
        [
            self.name.clone(),
            figure(self.ours),
            self.theirs.map(figure).unwrap_or_default(),
            self.ratio().map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default(),
            self.target_text(),
            verdict.to_owned(),
        ]
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
    rows: Vec<(&'static str, Row)>,
    failures: Vec<String>,
}

impl Report {
    /// Returns an empty report.
    pub(crate) fn new(facts: Facts) -> Self {
        Self { facts, rows: Vec::new(), failures: Vec::new() }
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

    /// Prints the figures.
    pub(crate) fn print_table(&self) {
        let head = ["", "stratavore", "tmux", "ratio", "target", ""].map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(|(_, row)| row.cells()));
        let mut widths = [0; 6];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        println!();
        for [name, ours, theirs, ratio, target, verdict] in &lines {
            let [w0, w1, w2, w3, w4, _] = widths;
            let line = format!(
                "{name:w0$}  {ours:>w1$}  {theirs:>w2$}  {ratio:>w3$}  {target:>w4$}  {verdict}"
            );
            println!("{}", line.trim_end());
        }
        let reached: Vec<bool> = self.rows.iter().filter_map(|(_, row)| row.reached()).collect();
        let missed = reached.iter().filter(|reached| !**reached).count();
        println!("\n{} targets, {missed} missed; load at the end {}", reached.len(), load());
        for failure in &self.failures {
            println!("NOT MEASURED  {failure}");
        }
    }

    /// Returns everything for other programs.
    pub(crate) fn json(&self) -> Value {
        let facts: serde_json::Map<_, _> =
            self.facts.0.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|(measure, row)| {
                json!({
                    "measure": measure,
                    "name": row.name,
                    "unit": row.unit,
                    "stratavore": row.ours,
                    "tmux": row.theirs,
                    "ratio": row.ratio(),
                    "target": row.target_text(),
                    "reached": row.reached(),
                })
            })
            .collect();
        json!({ "facts": facts, "figures": rows, "not_measured": self.failures })
    }
}
