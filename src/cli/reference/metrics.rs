//! The reference of the metrics, from their table; and dashboards and alert rules, which name no metric
//! that there is not.

use std::collections::BTreeSet;

use super::{check, root};
use crate::domain::metric::{
    MOST, OTHER,
    families::{ALL, Family},
};

const HEAD: &str = "# Metrics\n\nGenerated from the program's table by `./tests/run docs`.\n\n\
The daemon serves them in Prometheus' text format at `http://127.0.0.1:9091/metrics` \
(`docker.prometheus.enabled`, `.listen`, `.port`); `stratavore metrics show` prints the same. They are gathered when \
somebody asks and not before. Scrapes within one second get the same page. What the database does not tell within \
1.5 s is left out, the rest is there, and `stratavore_database_up` is 0.\n\n\
\"Of this node\" can be added up over daemons that share a database; \"of the database\" is the same for all of them: take the \
largest (`max without (instance)`).";

#[test]
fn the_reference_of_metrics_is_the_table() {
    let mut page = format!(
        "{HEAD}\n\nA label whose values users choose, `project`, `scope` and `model`, has {MOST} of them at most; the rest is \
         summed up as `{OTHER}`. Sums by model are read anew every 15 s, less often where that takes long.\n\n| metric | type | labels | what it is |\n|---|---|---|---|\n"
    );
    for Family { name, kind, labels, help } in ALL {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = kind.as_str();
        page.push_str(&format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", ")));
    }
    check("metrics.md", &page);
}

#[test]
fn dashboards_and_rules_name_metrics_that_there_are() {
    let known: BTreeSet<_> = ALL.iter().map(|family| family.name).collect();
    let mut used = BTreeSet::new();
    for dir in ["assets/grafana", "assets/prometheus"] {
        for entry in std::fs::read_dir(root().join(dir)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            for word in text.split(|c: char| !is_name(c)) {
                if word.starts_with("stratavore_") || word.starts_with("process_") {
                    let suffixes = ["_bucket", "_sum", "_count"];
                    let name = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
                    let name = name.filter(|name| known.contains(name)).unwrap_or(word);
                    assert!(known.contains(name), "{dir} names `{word}`, which there is not");
                    used.insert(name.to_owned());
                }
            }
        }
    }
    assert!(used.len() > 20, "dashboards and rules were not read: {used:?}");
}
