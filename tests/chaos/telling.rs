//! What is told of a run: lines on the way, and the section of the report at the end.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    checker::{self, Findings, Invariant, summary},
    history::{History, Outcome},
    nemesis::Report,
    report::{Facts, Histogram, RELIABILITY, load, table},
    servers::version_commands,
    snapshot,
};

/// What each invariant says, in the words of a reader who has no list of them.
fn meaning(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::C01 => {
            "an answered request has one effect, a refused one none, any other at most one"
        }
        Invariant::C02 => "a runner has one live agent at most",
        Invariant::C03 => {
            "every live agent is listed, every live row has an agent, 15 s after healing"
        }
        Invariant::C04 => "runners move along their table, and each run ends once",
        Invariant::C05 => "recorded are the directory and the end that the agent saw",
        Invariant::C06 => "of what was stopped nothing is left",
        Invariant::C07 => "who stands under a dead process's number gets no signal",
        Invariant::C08 => "what is committed is consumed, and nothing else",
        Invariant::C09 => "events of an entity come in order, without a gap",
        Invariant::C10 => "repetitions are bounded by what was under way at faults",
        Invariant::C11 => "nothing overtakes a parked event of its entity",
        Invariant::C12 => "an event is there if and only if its change is",
        Invariant::C13 => "no event tells of what was undone; the log has no gap",
        Invariant::C14 => "no project has more live runners than it may",
        Invariant::C15 => "budgets and runners have used what requests add up to, each report once",
        Invariant::C16 => "no runner is called lost whose supervisor lives",
        Invariant::C17 => "a lease has one holder an epoch; who lost it writes no more",
        Invariant::C18 => "who has seen something does not see an earlier state of it",
        Invariant::C19 => "what was answered is in the log, and the log verifies",
        Invariant::C20 => "what agents must not do is refused and changes nothing",
        Invariant::C21 => "what is recorded is what was said, to the byte",
        Invariant::C22 => "who watches sees every byte once, across daemons",
        Invariant::C23 => "what is to be told is told, and again at faults only",
        Invariant::C24 => "no agent is held up over 250 ms (and what the machine itself held up)",
        Invariant::C25 => "memory, files and threads of daemons stay below their caps",
        Invariant::C26 => "everything is settled 30 s after the end at most",
        Invariant::C28 => "a runner's state is written by its own node",
        Invariant::C29 => "nothing lasts less than no time, no lease longer than given",
        Invariant::C30 => "no secret is in a file, an event or an agent's environment",
    }
}

/// Adds the versions of what takes part.
pub(crate) fn versions(facts: &mut Facts) {
    let [mut database, mut broker] = version_commands();
    facts.version("PostgreSQL", &mut database);
    facts.version("RabbitMQ", &mut broker);
}

/// Counts answers.
fn count(history: &History, test: fn(&Outcome) -> bool) -> usize {
    history.calls.iter().filter(|call| test(&call.outcome)).count()
}

/// Prints the figures of a history.
pub(crate) fn tell(name: &str, history: &History) {
    println!(
        "{name}: {} calls ({} ok, {} refused, {} unknown), {} runners, {} events, {} to publish, \
         {} consumed, {} deliveries, {} published again",
        history.calls.len(),
        count(history, |outcome| matches!(outcome, Outcome::Ok(_))),
        count(history, |outcome| matches!(outcome, Outcome::Fail(_))),
        count(history, |outcome| matches!(outcome, Outcome::Info(_))),
        history.runners.len(),
        history.events.len(),
        snapshot::published(history).len(),
        consumed(history),
        history.deliveries.len(),
        checker::duplicates(history),
    );
}

fn consumed(history: &History) -> usize {
    let distinct: BTreeSet<_> = history.deliveries.iter().map(|delivery| delivery.event).collect();
    distinct.len()
}

/// Writes the section of the report, where one is wanted.
pub(crate) fn write(
    facts: &Facts,
    seed: u64,
    length: Duration,
    report: &Report,
    histories: &[History; 2],
    findings: &[Findings],
) {
    let mut facts = facts.clone();
    facts.add("seed", seed.to_string());
    facts.add("load after", load());
    let text = section(&facts, length, report, histories, findings);
    if let Some(path) = RELIABILITY.put("chaos", &text).expect("write the report") {
        println!("{text}\nwritten: {}", path.display());
    }
}

fn section(
    facts: &Facts,
    length: Duration,
    report: &Report,
    histories: &[History; 2],
    findings: &[Findings],
) -> String {
    let sum = |figure: &dyn Fn(&History) -> usize| histories.iter().map(figure).sum::<usize>();
    let lost = |history: &History| {
        let consumed: BTreeSet<_> = history.deliveries.iter().map(|d| d.event).collect();
        snapshot::published(history).difference(&consumed).count()
    };
    let figure = |name: &str, value: usize| [name.to_owned(), value.to_string()];
    let duplicates = |h: &History| usize::try_from(checker::duplicates(h)).unwrap_or(0);
    let stalls = stalls(histories);
    let figures = table(
        &["", ""],
        [
            figure("calls of clients", sum(&|h| h.calls.len())),
            figure("of these answered", sum(&|h| count(h, |o| matches!(o, Outcome::Ok(_))))),
            figure("refused", sum(&|h| count(h, |o| matches!(o, Outcome::Fail(_))))),
            figure("without an answer", sum(&|h| count(h, |o| matches!(o, Outcome::Info(_))))),
            figure("runners", sum(&|h| h.runners.len())),
            figure("events committed for the broker", sum(&|h| snapshot::published(h).len())),
            figure("events consumed", sum(&consumed)),
            figure("events lost", sum(&lost)),
            figure("deliveries published again", sum(&duplicates)),
            figure("processes killed", report.kills as usize),
            figure(
                "strangers under a dead process's number",
                sum(&|h| h.strangers.iter().filter(|stranger| stranger.has_number).count()),
            ),
        ],
    );
    let faults = report.kinds.iter().map(|(kind, times)| [kind.clone(), times.to_string()]);
    let faults = table(&["fault", "times"], faults);
    let impossible = match report.impossible.iter().copied().collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        what => format!("\nNot possible on this machine: {}.\n", what.join(", ")),
    };
    let invariants = Invariant::ALL.map(|invariant| {
        let looked = |f: &Findings| f.looked_at.get(&invariant).copied().unwrap_or(0);
        let wrong = |f: &Findings| summary(&f.violations).get(&invariant).copied().unwrap_or(0);
        [
            format!("{invariant:?}: {}", meaning(invariant)),
            findings.iter().map(looked).sum::<usize>().to_string(),
            findings.iter().map(wrong).sum::<usize>().to_string(),
        ]
    });
    let invariants = table(&["what must hold", "looked at", "violated"], invariants);
    let [count, p50, p99, max] = stalls.cells();
    format!(
        "## Chaos\n\n`./tests/run chaos --seed {}`: faults for {} s, alone and in pairs, upon three daemons \
         with PostgreSQL and RabbitMQ and one with SQLite and RabbitMQ.\n\n{}\n{figures}\n{faults}{impossible}\n\
         {invariants}\nThe longest that a terminal took for a line, of each of {count} agents: p50 {p50}, \
         p99 {p99}, longest {max}; of one without Stratavore around it: {:?}.\n\n{}",
        facts.0.iter().find(|(name, _)| *name == "seed").map_or("", |(_, seed)| seed),
        length.as_secs(),
        facts.list(),
        histories[0].control_stall,
        stalls.bars(),
    )
}

/// The longest stall of each agent whose supervisor was let work.
fn stalls(histories: &[History; 2]) -> Histogram {
    let mut stalls = Histogram::default();
    for history in histories {
        let all = history.testimonies.iter();
        let counted = all.filter(|it| !history.paused_supervisors.contains(&it.runner));
        counted.filter_map(|it| it.stall).for_each(|stall| stalls.add(stall));
    }
    stalls
}
