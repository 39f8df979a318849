//! What processors are used for: on few of them everything that an event needs shares them.

use std::collections::{BTreeMap, BTreeSet};

/// Processor time by program, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Cost(BTreeMap<&'static str, f64>);

impl Cost {
    /// Looks how much this process, and each kind of those that it started, has used so far.
    pub(crate) fn now() -> Self {
        let own = std::process::id().cast_signed();
        let processes = procfs::process::all_processes().into_iter().flatten();
        let mut stats: Vec<_> = processes.filter_map(|process| process.ok()?.stat().ok()).collect();
        stats.sort_by_key(|stat| stat.starttime);
        let mut ours = BTreeSet::from([own]);
        let mut used = BTreeMap::new();
        for stat in stats {
            if stat.pid != own && !ours.contains(&stat.ppid) {
                continue;
            }
            ours.insert(stat.pid);
            let name = match stat.comm.as_str() {
                _ if stat.pid == own => "own parts and consumer",
                "postgres" => "PostgreSQL",
                "beam.smp" => "RabbitMQ",
                _ => continue,
            };
            let ticks = (stat.utime + stat.stime) as f64;
            *used.entry(name).or_default() += ticks / procfs::ticks_per_second() as f64;
        }
        Self(used)
    }

    /// What each has used since then.
    pub(crate) fn since(&self, then: &Self) -> Self {
        let used =
            self.0.iter().map(|(name, used)| (*name, used - then.0.get(name).unwrap_or(&0.0)));
        Self(used.collect())
    }

    /// Adds what was used in another stretch of time.
    pub(crate) fn add(&mut self, other: &Self) {
        for (name, used) in &other.0 {
            *self.0.entry(name).or_default() += used;
        }
    }

    /// Says what each has used for an event.
    pub(crate) fn per_event(&self, events: u64) -> String {
        let one =
            |(name, used): (&&str, &f64)| format!("{name} {:.0} µs", used * 1e6 / events as f64);
        self.0.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}
