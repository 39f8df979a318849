//! The calls about why a state is what it is, and about one that is wrong.

use super::{
    effect::Effect,
    event::{CORRECT, Outcome, UiEvent},
};
use crate::{client::Client, domain::correction::Screenshot};

/// Makes the call an effect stands for and returns what there is to tell; `None` for other effects.
pub(super) async fn ask(client: &Client, effect: Effect) -> Option<UiEvent> {
    match effect {
        Effect::Explain(id) => {
            let told = client.explain(&id.to_string()).await;
            Some(UiEvent::Explained(id, told.map(Box::new).map_err(|failure| failure.message)))
        }
        Effect::LookAt(id) => {
            // Without it the daemon looks by itself, a moment later.
            let screen = client.screen(&id.to_string()).await.ok()?;
            let looked = Screenshot { title: screen.title, lines: screen.lines };
            Some(UiEvent::LookedAt(id, Box::new(looked)))
        }
        Effect::Correct(request) => Some(UiEvent::Outcome(match client.correct(&request).await {
            Ok(told) => Outcome::Corrected(Box::new(told)),
            Err(failure) => Outcome::Failed(CORRECT, failure),
        })),
        _ => None,
    }
}
