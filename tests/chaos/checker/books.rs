//! What was spent and what was told, against what is written down: C15, C23.

use std::collections::BTreeMap;

use super::{Finder, Findings, Invariant};
use crate::history::History;

pub(super) fn check(history: &History, findings: &mut Findings) {
    spent(history, &mut Finder::of(Invariant::C15, findings));
    told(history, &mut Finder::of(Invariant::C23, findings));
}

/// C15: a budget has used what its requests add up to, and a runner what it reported: each report once.
fn spent(history: &History, finder: &mut Finder<'_>) {
    for book in &history.books {
        finder.expect(book.used == book.spent, || {
            format!("the budget {} says {}, {} were spent", book.scope, book.used, book.spent)
        });
    }
    let rows: BTreeMap<_, _> = history.runners.iter().map(|row| (row.id.as_str(), row)).collect();
    for row in history.runners.iter().filter(|row| row.tokens != (0, 0)) {
        let (told, reported) = row.tokens;
        finder.expect(told == reported, || {
            format!("{} says {told} tokens, its requests {reported}", row.id)
        });
    }
    for testimony in history.testimonies.iter().filter(|testimony| testimony.tokens > 0) {
        let Some(row) = rows.get(testimony.runner.as_str()) else { continue };
        let (taken, unknown) = testimony.reports;
        // What a full disk did not take is lost, and said to be.
        let least = if history.disk_was_full { 0 } else { taken * testimony.tokens };
        let most = (taken + unknown) * testimony.tokens;
        let used = u64::try_from(row.tokens.0).unwrap_or(0);
        finder.expect((least..=most).contains(&used), || {
            format!("{} reported {least} to {most} tokens, {used} are counted", row.id)
        });
    }
}

/// C23: what is marked as sent was taken by the channel; what was taken twice, at faults only.
fn told(history: &History, finder: &mut Finder<'_>) {
    let mut repeated = 0;
    for told in &history.told {
        let is_known = matches!(told.state.as_str(), "sent" | "suppressed" | "parked");
        finder.expect(is_known, || format!("{} is still {}", told.event, told.state));
        if told.state == "sent" && told.taken == 0 {
            finder.found(format!("{} is marked as sent, and nobody got it", told.event));
        }
        repeated += told.taken.saturating_sub(1);
    }
    if repeated > history.faults {
        finder.found(format!("{repeated} messages came again, {} faults", history.faults));
    }
}
