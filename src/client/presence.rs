//! Tells the daemon that a person is before a runner's screen, so that nothing is pushed of it.
//!
//! While attached, the supervisor reads the terminal and nobody here sees a key: that somebody types
//! is told by the terminal itself, by when it was last read from.

use std::{io, time::Duration};

use chrono::Utc;
use rustix::fs::fstat;
use tokio::{task::JoinHandle, time::sleep};

use super::Client;
use crate::domain::id::RunnerId;

/// Between two looks; the time of the last read is kept to eight seconds.
const LOOK: Duration = Duration::from_secs(15);

/// A read so long ago was since the last look.
const RECENT: i64 = 24;

/// Somebody attached, until it is dropped.
#[derive(Debug)]
pub(super) struct Presence(JoinHandle<()>);

impl Presence {
    /// Tells it now, and again as long as something is typed.
    pub(super) fn start(client: &Client, id: RunnerId) -> Self {
        let client = client.clone();
        Self(tokio::spawn(async move {
            loop {
                // An old daemon does not know the call; nothing depends on it.
                client.note_looking(&[id]).await.ok();
                loop {
                    sleep(LOOK).await;
                    if is_typed() {
                        break;
                    }
                }
            }
        }))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether something was read from the terminal since the last look.
fn is_typed() -> bool {
    fstat(io::stdin()).is_ok_and(|stat| Utc::now().timestamp() - stat.st_atime < RECENT)
}
