//! Mutant 20: secrets are taken out of every piece as it comes, and one that comes in two pieces stays.

use stratavore::domain::redact::redact;

use super::{Form, prove};
use crate::{checker::Invariant, history::History};

/// A secret of a known form, and what is around it.
const CANARY: &str = "ghp_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry012345";
const AROUND: [&str; 2] = ["the agent printed ", " and went on\n"];

/// Writes a line in two pieces, cut at every place, through the redactor; returns what came out of it.
fn write(form: Form) -> History {
    let line = format!("{}{CANARY}{}", AROUND[0], AROUND[1]);
    let mut history = History::default();
    for cut in 0..=line.len() {
        let (one, other) = line.split_at(cut);
        let out = match form {
            Form::Naive => format!("{}{}", redact(one), redact(other)),
            // Held back until the line is whole, as what people and models said is.
            Form::Right => redact(&line).into_owned(),
        };
        history.searched += 1;
        // The larger part of it is as good as all.
        if out.contains(&CANARY[4..]) || out.contains(CANARY) {
            history.leaks.push(format!("cut at {cut}: {out}"));
        }
    }
    history
}

#[tokio::test]
async fn mutant_20_a_redactor_that_holds_nothing_back() {
    prove(Invariant::C30, 1, async |form| write(form)).await;
}
