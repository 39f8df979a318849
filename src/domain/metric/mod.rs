//! Metrics: figures with a name and labels, and how Prometheus reads them.
//!
//! Every metric there is stands in the table [`families`]; its reference, the dashboards and the alert
//! rules are held to it. Invariant: a label has at most [`MOST`] values of what users name, projects or
//! models; what is beyond is summed up under [`OTHER`].

pub mod families;
mod histogram;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write as _,
};

pub use self::{families::Family, histogram::Histogram};

/// The type of what is served.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Values of a label that users name, at most.
pub const MOST: usize = 50;

/// The label's value for all that found no place.
pub const OTHER: &str = "other";

/// The longest value of a label, in characters.
const LONGEST: usize = 128;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, but for a restart.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How values are distributed.
    Histogram,
    /// A gauge with an old name that ends as a counter's does.
    Untyped,
}

impl Kind {
    /// Prometheus' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Untyped => "untyped",
        }
    }
}

/// All metrics at a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    families: Vec<(&'static Family, Vec<(String, f64)>)>,
}

impl Page {
    /// Adds a value; labels in the family's order.
    pub fn add(&mut self, family: &'static Family, labels: &[&str], value: f64) {
        debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
        let labels: Vec<_> = family.labels.iter().copied().zip(labels.iter().copied()).collect();
        self.sample(family, "", &labels, value);
    }

    /// Adds a count.
    pub fn count(&mut self, family: &'static Family, labels: &[&str], count: u64) {
        self.add(family, labels, real(count));
    }

    /// Adds a distribution.
    pub fn histogram(&mut self, family: &'static Family, histogram: &Histogram) {
        let mut sum = 0;
        for (bound, count) in histogram.buckets() {
            sum += count;
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            self.sample(family, "_bucket", &[("le", &bound)], real(sum));
        }
        self.sample(family, "_sum", &[], histogram.sum());
        self.sample(family, "_count", &[], real(sum));
    }

    fn sample(
        &mut self,
        family: &'static Family,
        suffix: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let mut line = format!("{}{suffix}", family.name);
        for (at, (name, value)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            write!(line, "{open}{name}=\"{}\"", escaped(value)).ok();
        }
        if !labels.is_empty() {
            line.push('}');
        }
        match self.families.iter_mut().find(|(known, _)| known.name == family.name) {
            Some((_, samples)) => samples.push((line, value)),
            None => self.families.push((family, vec![(line, value)])),
        }
    }

    /// Returns all values by name and labels, as they stand in the text.
    pub fn values(&self) -> BTreeMap<String, f64> {
        self.families.iter().flat_map(|(_, samples)| samples.iter().cloned()).collect()
    }

    /// Returns the text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (family, samples) in &self.families {
            let Family { name, kind, help, .. } = family;
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str()).ok();
            for (line, value) in samples {
                writeln!(text, "{line} {value}").ok();
            }
        }
        text
    }
}

/// Returns a count as a metric's value.
#[expect(clippy::cast_precision_loss, reason = "nobody reads the last digits of more than 2^52")]
pub fn real(count: u64) -> f64 {
    count as f64
}

/// Returns values by label, the first [`MOST`] as they are and the rest as one: pass the largest first.
pub fn bounded<T>(
    rows: impl IntoIterator<Item = (String, T)>,
    add: impl Fn(&mut T, T),
) -> BTreeMap<String, T> {
    let mut found: BTreeMap<String, T> = BTreeMap::new();
    for (label, value) in rows {
        let label = if label.is_empty() { "unknown".to_owned() } else { label };
        let is_full = found.len() >= MOST && !found.contains_key(&label);
        match found.entry(if is_full { OTHER.to_owned() } else { label }) {
            Entry::Occupied(mut entry) => add(entry.get_mut(), value),
            Entry::Vacant(entry) => drop(entry.insert(value)),
        }
    }
    found
}

/// Returns a label's value as it may stand in the text.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars().take(LONGEST) {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.count(&families::RUNNERS_BY_PROJECT, &["a\\b\"c\nd"], 3);
        page.count(&families::RUNNERS_BY_PROJECT, &["web"], 1);
        page.add(&families::BROKER_UP, &[], 0.0);
        let name = "stratavore_runners_by_project";
        let text = page.text();
        let (head, rest) = text.split_once(&format!("# TYPE {name} gauge\n")).unwrap();
        assert!(head.starts_with(&format!("# HELP {name} ")) && head.lines().count() == 1);
        assert!(rest.starts_with(&format!(
            "{name}{{project=\"a\\\\b\\\"c\\nd\"}} 3\n{name}{{project=\"web\"}} 1\n# HELP "
        )));
        assert!(rest.ends_with("stratavore_broker_up 0\n"));
        assert_eq!(page.values().get("stratavore_runners_by_project{project=\"web\"}"), Some(&1.0));
        page.add(&families::RUNNERS_BY_PROJECT, &[&"x".repeat(1000)], 1.0);
        assert!(page.text().lines().all(|line| line.len() < 400));
    }

    #[test]
    fn a_distribution_counts_what_is_below_each_bound() {
        let histogram = Histogram::default();
        for millis in [0, 1, 3, 40, 700_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut page = Page::default();
        page.histogram(&families::RELAY_LATENCY, &histogram);
        let text = page.text();
        let name = "stratavore_relay_latency_seconds";
        for (bound, count) in [("0.001", 2), ("0.005", 3), ("0.05", 4), ("300", 4), ("+Inf", 5)] {
            let line = format!("\n{name}_bucket{{le=\"{bound}\"}} {count}\n");
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(text.ends_with(&format!("\n{name}_sum 700.044\n{name}_count 5\n")), "{text}");
    }

    #[test]
    fn names_that_users_choose_are_bounded() {
        let rows = (0..200).map(|n| (format!("p{n}"), 1)).chain([(String::new(), 5)]);
        let found = bounded(rows, |sum, more| *sum += more);
        assert_eq!(found.len(), MOST + 1);
        assert_eq!(found[OTHER], 200 - 50 + 5);
        assert_eq!(found.values().sum::<i32>(), 205);
        let one = bounded([(OTHER.to_owned(), 2), (String::new(), 3)], |sum, more| *sum += more);
        assert_eq!(one, BTreeMap::from([(OTHER.to_owned(), 2), ("unknown".to_owned(), 3)]));
    }

    #[test]
    fn every_family_is_named_once_and_as_it_is_usual() {
        let names: BTreeSet<_> = families::ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), families::ALL.len());
        for Family { name, kind, help, .. } in families::ALL {
            let may_end_so = matches!(kind, Kind::Counter | Kind::Untyped);
            assert_eq!(name.ends_with("_total"), may_end_so, "{name}");
            assert!(name.starts_with("stratavore_") || name.starts_with("process_"), "{name}");
            assert!(help.len() > 15 && !help.contains('\n') && help.ends_with('.'), "{name}");
        }
    }
}
