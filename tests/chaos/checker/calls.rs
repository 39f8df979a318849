//! What clients were told against what happened: C01, C18, C19, C20.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finder, Findings, Invariant};
use crate::history::{Call, History, Op, Outcome, Seen};

pub(super) fn check(history: &History, findings: &mut Findings) {
    effects(history, &mut Finder::of(Invariant::C01, findings));
    monotonic(history, &mut Finder::of(Invariant::C18, findings));
    typed(history, &mut Finder::of(Invariant::C01, findings));
    audited(history, &mut Finder::of(Invariant::C19, findings));
    refused(history, &mut Finder::of(Invariant::C20, findings));
}

/// C20: who may not is refused, and everything is as before.
fn refused(history: &History, finder: &mut Finder<'_>) {
    for asked in &history.forbidden {
        finder.expect(asked.is_refused, || format!("{} was allowed", asked.what));
        finder.expect(asked.is_unchanged, || format!("{} changed something", asked.what));
    }
}

/// C01: the effect of a line that was typed is that an agent reads it: nobody reads what nobody typed, nor
/// a line twice, nor one that was refused.
fn typed(history: &History, finder: &mut Finder<'_>) {
    let sends = || history.calls.iter().filter(|call| call.op == Op::Send);
    let mut heard: BTreeMap<&str, usize> = BTreeMap::new();
    for line in history.testimonies.iter().flat_map(|testimony| &testimony.heard) {
        *heard.entry(line).or_default() += 1;
    }
    let asked: BTreeSet<&str> = sends().map(|call| call.key.as_str()).collect();
    finder.saw(asked.len());
    for (line, count) in &heard {
        if !asked.contains(line) {
            finder.found(format!("an agent read `{line}`, which nobody typed"));
        } else if *count > 1 {
            finder.found(format!("an agent read `{line}` {count} times"));
        }
    }
    for call in sends().filter(|call| heard.contains_key(call.key.as_str())) {
        if let Outcome::Fail(why) = &call.outcome {
            finder.found(format!("`{}` was refused ({why}), and was read", call.key));
        }
    }
}

/// C01: the effect of a launch is a row that carries its request.
fn effects(history: &History, finder: &mut Finder<'_>) {
    let mut effects: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for runner in &history.runners {
        if let Some(request) = &runner.request {
            effects.entry(request).or_default().push(&runner.id);
        }
    }
    for (request, runners) in effects.iter().filter(|(_, runners)| runners.len() > 1) {
        finder.found(format!("request {request} made {runners:?}"));
    }
    let mut answers: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for call in history.calls.iter().filter(|call| call.op == Op::Launch) {
        answers.entry(&call.key).or_default().push(&call.outcome);
    }
    finder.saw(answers.len());
    for (request, outcomes) in &answers {
        let made = effects.get(request).and_then(|made| made.first());
        for outcome in outcomes {
            match outcome {
                Outcome::Ok(seen) => {
                    let told = seen.as_ref().map(|seen| seen.id.as_str());
                    if made.is_none() || (told.is_some() && told != made.copied()) {
                        finder.found(format!("request {request} made {made:?}, answered {told:?}"));
                    }
                }
                // The same request may have been tried before with an unknown outcome.
                Outcome::Fail(why) if outcomes.len() == 1 && made.is_some() => {
                    finder
                        .found(format!("request {request} was refused ({why}) and made {made:?}"));
                }
                Outcome::Fail(_) | Outcome::Info(_) => {}
            }
        }
    }
    for request in effects.keys().filter(|request| !answers.contains_key(*request)) {
        finder.found(format!("request {request} was never made, and has an effect"));
    }
}

/// C18: what one client is shown of a runner never goes back, nor vanishes after it was shown.
fn monotonic(history: &History, finder: &mut Finder<'_>) {
    let mut known: BTreeMap<(usize, &str), (i64, bool)> = BTreeMap::new();
    for call in &history.calls {
        let looks = matches!(call.op, Op::Get | Op::Launch);
        match &call.outcome {
            Outcome::Ok(Some(seen)) if looks => {
                finder.saw(1);
                let at = known.entry((call.client, &seen.id)).or_insert((0, false));
                let now = (seen.run, seen.ended);
                // A repeated launch is answered with the runner as it is.
                if now < *at {
                    finder.found(format!(
                        "client {} saw {} at {now:?} after {at:?}",
                        call.client, seen.id
                    ));
                }
                *at = now.max(*at);
            }
            Outcome::Fail(why)
                if call.op == Op::Get
                    && why == "RUNNER_NOT_FOUND"
                    && known.contains_key(&(call.client, call.key.as_str())) =>
            {
                finder.found(format!(
                    "client {} no longer found {}, which it had seen",
                    call.client, call.key
                ));
            }
            _ => {}
        }
    }
}

/// C19: what was answered is in the log, and the log is what was written.
fn audited(history: &History, finder: &mut Finder<'_>) {
    if let Some(Err(why)) = &history.audit {
        finder.found(format!("the log does not verify: {why}"));
    }
    if !history.is_audited {
        return;
    }
    let mut log: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in history.events.iter().filter(|event| event.entity_type == "runner") {
        log.entry(&event.entity).or_default().insert(&event.kind);
    }
    for call in &history.calls {
        let Outcome::Ok(Some(seen)) = &call.outcome else { continue };
        let wanted = effect_in_log(call, seen);
        let has = |kind: &&str| log.get(seen.id.as_str()).is_some_and(|kinds| kinds.contains(kind));
        finder.saw(usize::from(!wanted.is_empty()));
        if !wanted.is_empty() && !wanted.iter().any(has) {
            finder
                .found(format!("{:?} of {} was answered and is not in the log", call.op, seen.id));
        }
    }
}

/// The events of which an answered call has at least one.
fn effect_in_log(call: &Call, seen: &Seen) -> &'static [&'static str] {
    match call.op {
        Op::Launch | Op::Restart => &["runner.starting"],
        Op::Stop if seen.ended => &["runner.stopped", "runner.failed"],
        Op::Pause(true) => &["runner.paused"],
        Op::Pause(false) => &["runner.resumed"],
        Op::Stop | Op::Get | Op::Send => &[],
    }
}
