//! The publisher to RabbitMQ: connects, publishes until there is a doubt, and begins again.
//!
//! The client's own recovery is not used: it was measured to hang for ever after a graceful restart
//! of the broker. Here a connection in doubt is thrown away with all that was under way, and nothing
//! that is awaited from the broker is awaited without a limit.

mod address;
mod backoff;
mod confirms;
mod drip;
mod encode;
mod fault;
mod hello;
mod ledger;
mod link;
mod session;
mod topology;

#[cfg(test)]
mod tests;

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    address::{Address, addresses},
    backoff::Backoff,
    fault::Fault,
    ledger::Culprit,
    link::Link,
    session::{End, Session},
    topology::Topology,
};
use super::{BrokerStatus, Message, Outcome, Publisher, TRANSIENT, Transient, WINDOW};
use crate::config::RabbitMqConfig;

/// Confirmations may take this long after the last one: brokers confirm within a few hundred
/// milliseconds (`reliability.md` §0.1, 9).
const SILENCE: Duration = Duration::from_secs(10);
/// A connection that lasted this long was a success.
const REPRIEVE: Duration = Duration::from_secs(1);
/// Lost messages that are remembered, if the sender goes on sending others meanwhile.
const LOST: usize = 32 * WINDOW;

/// Returns where the configured brokers are.
///
/// # Errors
///
/// See [`address::addresses`].
pub(super) fn places(config: &RabbitMqConfig) -> Result<Vec<(String, u16)>, String> {
    Ok(addresses(config)?.iter().map(Address::place).collect())
}

/// The publisher's side of its channels, and what outlives a connection.
struct Ends {
    messages: mpsc::Receiver<Message>,
    transient: mpsc::Receiver<Message>,
    outcomes: mpsc::Sender<(Uuid, Outcome)>,
    status: watch::Sender<BrokerStatus>,
    topology: Topology,
    /// How long confirmations may take after the last one.
    silence: Duration,
    /// Bytes of a body that the broker is known to take.
    max_body: usize,
    /// What became unknown and was not sent again yet.
    lost: HashSet<Uuid>,
    stop: CancellationToken,
}

impl Ends {
    /// Whether a message may go to the broker. After a loss the first one that may is one of those
    /// that were lost: what comes before it was sent in ignorance of the loss, and would overtake.
    fn admits(&mut self, id: Uuid) -> bool {
        let admitted = self.lost.is_empty() || self.lost.contains(&id);
        if admitted {
            self.lost.clear();
        } else {
            self.lose(id);
        }
        admitted
    }

    /// Remembers that a message became unknown.
    fn lose(&mut self, id: Uuid) {
        // Only a sender that ignores the status gets here; it is sent back once more.
        if self.lost.len() >= LOST {
            self.lost.clear();
        }
        self.lost.insert(id);
    }

    /// Answers what has been sent while there is no connection. `false` when nobody sends any more.
    fn send_back(&mut self) -> bool {
        while let Ok(reply) = self.outcomes.clone().try_reserve_owned() {
            match self.messages.try_recv() {
                Ok(message) => {
                    self.lose(message.id);
                    drop::<mpsc::Sender<_>>(reply.send((message.id, Outcome::Unknown)));
                }
                Err(mpsc::error::TryRecvError::Empty) => return true,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Tells how things stand, if that is news.
    fn show(&self, status: BrokerStatus) {
        self.status.send_if_modified(|shown| {
            let news = *shown != status;
            *shown = status;
            news
        });
    }
}

/// Starts publishing to the exchange and queues that consumers know.
pub(super) fn start(config: &RabbitMqConfig, stop: CancellationToken) -> Publisher {
    start_with(config, Topology::standard(&config.exchange), SILENCE, stop)
}

/// Starts the task that owns the connection.
fn start_with(
    config: &RabbitMqConfig,
    topology: Topology,
    silence: Duration,
    stop: CancellationToken,
) -> Publisher {
    let (messages_tx, messages) = mpsc::channel(WINDOW);
    let (transient_tx, transient) = mpsc::channel(TRANSIENT);
    let (outcomes, outcomes_rx) = mpsc::channel(2 * WINDOW);
    let (status, status_rx) = watch::channel(BrokerStatus::Connecting);
    let max_body = encode::MAX_BODY;
    let lost = HashSet::new();
    let ends =
        Ends { messages, transient, outcomes, status, topology, silence, max_body, lost, stop };
    tokio::spawn(run(addresses(config), ends));
    Publisher {
        messages: messages_tx,
        outcomes: outcomes_rx,
        status: status_rx,
        transient: Transient(transient_tx),
    }
}

/// What is remembered from one connection to the next.
#[derive(Default)]
struct Memory {
    backoff: Backoff,
    /// Since when there has been no connection.
    since: Option<DateTime<Utc>>,
    /// Whether a message may have ended the last one.
    careful: bool,
    /// What the brokers call themselves, until a connection is lost: it may be for an upgrade.
    names: Vec<Option<String>>,
}

impl Memory {
    /// Tells that there is no connection.
    fn away(&mut self, ends: &Ends, why: &str) {
        // The first failure of a series is news, the others are the same.
        if self.since.is_none() {
            tracing::warn!(why, "no connection to the broker");
        }
        let since = *self.since.get_or_insert_with(Utc::now);
        ends.show(BrokerStatus::Away { why: why.to_owned(), since });
    }
}

async fn run(addresses: Result<Vec<Address>, String>, mut ends: Ends) {
    let mut memory = Memory::default();
    let mut turn: usize = 0;
    loop {
        let why = match &addresses {
            Err(why) => why.clone(),
            Ok(addresses) => {
                let number = turn.checked_rem(addresses.len()).unwrap_or(0);
                turn = turn.wrapping_add(1);
                let Some(address) = addresses.get(number) else { break };
                match attend(number, address, &mut ends, &mut memory).await {
                    Some(why) => why,
                    None => break,
                }
            }
        };
        memory.away(&ends, &why);
        let until = Instant::now() + memory.backoff.next(Uuid::new_v4().as_u64_pair().1);
        if !wait(&mut ends, until).await {
            break;
        }
    }
    refuse_rest(&mut ends).await;
}

/// Connects and publishes; returns why there is no connection any more, `None` when we are to stop.
async fn attend(
    number: usize,
    address: &Address,
    ends: &mut Ends,
    memory: &mut Memory,
) -> Option<String> {
    if memory.names.len() <= number {
        memory.names.resize(number + 1, None);
    }
    let stop = ends.stop.clone();
    let failed = |fault: Fault| format!("RabbitMQ at {}: {}", address.shown(), fault.why);
    let begun = async {
        let name = memory.names.get_mut(number).ok_or("no such broker")?;
        let link = Link::open(address, name).await?;
        let begun = Session::begin(ends, link, memory.careful).await;
        match begun {
            Ok(session) => Ok(session),
            Err((link, fault)) => {
                link.close().await;
                Err(failed(fault))
            }
        }
    };
    let mut session = tokio::select! {
        () = stop.cancelled() => return None,
        begun = begun => match begun {
            Ok(session) => session,
            Err(why) => return Some(why),
        },
    };
    // What is of use now or never and was offered before, is of none.
    while ends.transient.try_recv().is_ok() {}
    memory.since = None;
    let began = Instant::now();
    let end = session.run(ends).await;
    memory.names.clear();
    // One that ends at once is as bad as none.
    if began.elapsed() > REPRIEVE {
        memory.backoff.reset();
    }
    let fault = match end {
        End::Stopped => {
            session.finish(ends, &Culprit::None).await;
            return None;
        }
        End::Doubt(fault) => fault,
    };
    memory.careful = matches!(fault.culprit, Culprit::Alone(_));
    let culprit = fault.culprit.clone();
    let why = failed(fault);
    // Before the outcomes, so that nobody sends again what would only come back.
    memory.away(ends, &why);
    session.finish(ends, &culprit).await;
    Some(why)
}

/// Waits for the next attempt. `false` when to stop.
async fn wait(ends: &mut Ends, until: Instant) -> bool {
    if !ends.send_back() {
        return false;
    }
    tokio::select! {
        () = ends.stop.cancelled() => false,
        () = ends.outcomes.closed() => false,
        () = sleep_until(until) => true,
    }
}

/// Answers everything that was still sent, at the end.
async fn refuse_rest(ends: &mut Ends) {
    ends.messages.close();
    while let Some(message) = ends.messages.recv().await {
        if ends.outcomes.send((message.id, Outcome::Unknown)).await.is_err() {
            return;
        }
    }
}
