//! Keeps the budgets: looks at them after everything that was used or set, and now and then besides.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::daemon::services::Services;

/// Other nodes and people write to the table without ringing, and time passes: while there are
/// budgets, they are looked at so often.
const LOOK: Duration = Duration::from_secs(1);

/// While there are none.
const LOOK_FOR_FIRST: Duration = Duration::from_secs(3);

/// What was used comes in pieces: they are looked at together.
const TOGETHER: Duration = Duration::from_millis(20);

/// Keeps them until it is cancelled.
pub(super) async fn run(services: Services) {
    loop {
        let pause = match services.keep_budgets().await {
            Ok(true) => LOOK,
            Ok(false) => LOOK_FOR_FIRST,
            Err(error) => {
                tracing::debug!(%error, "failed to look at the budgets");
                LOOK_FOR_FIRST
            }
        };
        if timeout(pause, services.budgets_rung()).await.is_ok() {
            sleep(TOGETHER).await;
        }
    }
}
