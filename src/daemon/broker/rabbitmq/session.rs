//! One connection's life: from the declaration to the first doubt.
//!
//! Messages are taken while fewer than the window are under way, none while the broker has asked us
//! to wait. Silence is measured from the last sign of life while something is under way; time in
//! which the broker has us wait does not count. Any doubt ends the session, and all that is under
//! way is unknown.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt as _};
use lapin::{Channel, Confirmation, Event, options::BasicPublishOptions};
use tokio::{
    sync::mpsc::{self, OwnedPermit},
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::{
    super::{BrokerStatus, Message, Outcome, WINDOW},
    Ends,
    confirms::Confirms,
    drip::Drip,
    encode::{Envelope, encode},
    fault::Fault,
    ledger::{Culprit, Ledger, Settled, Told, Word},
    link::Link,
};

/// What is under way when we are to stop may take this long.
const FAREWELL: Duration = Duration::from_secs(1);
/// Between two declarations because of messages that no queue wanted.
const REPAIR: Duration = Duration::from_secs(1);
/// Bytes of bodies under way, not counting the one that goes beyond.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The right to tell one outcome.
type Reply = OwnedPermit<(Uuid, Outcome)>;
/// What became of one publish.
type Landed = (u64, lapin::Result<Confirmation>);

/// A connection that is ready for messages.
pub(super) struct Session {
    link: Link,
    channel: Channel,
    drip: Drip,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    warning: Option<String>,
    ledger: Ledger<Reply>,
    confirms: Confirms<Landed>,
    /// Messages under way at most: one while a message is suspected of having ended a session.
    window: usize,
    confirmed: usize,
    /// Why the broker has us wait, while it does.
    blocked: Option<String>,
    heard: Instant,
    declared: Instant,
    repair: bool,
}

/// Why a session ended.
pub(super) enum End {
    /// We were told to, or nobody sends or listens any more.
    Stopped,
    /// In doubt.
    Doubt(Fault),
}

impl Session {
    /// Makes a connection ready for messages.
    ///
    /// # Errors
    ///
    /// A sentence when the broker does not answer or refuses.
    pub(super) async fn begin(
        ends: &Ends,
        link: Link,
        careful: bool,
    ) -> Result<Self, (Link, Fault)> {
        let events = Box::pin(link.connection.events_listener());
        let prepared = async {
            let warning = ends.topology.declare(&link).await?;
            Ok((warning, link.confirming_channel().await?, link.channel().await?))
        };
        let (warning, channel, drip) = match prepared.await {
            Ok(prepared) => prepared,
            Err(fault) => return Err((link, fault)),
        };
        Ok(Self {
            link,
            channel,
            drip: Drip::new(drip),
            events,
            warning,
            ledger: Ledger::default(),
            confirms: Confirms::default(),
            window: if careful { 1 } else { WINDOW },
            confirmed: 0,
            blocked: None,
            heard: Instant::now(),
            declared: Instant::now(),
            repair: false,
        })
    }

    /// Tells the outcome of everything that was taken, and ends the connection.
    pub(super) async fn finish(mut self, ends: &mut Ends, culprit: &Culprit) {
        if let Culprit::Larger(limit) = culprit {
            ends.max_body = ends.max_body.min(*limit);
        }
        let told = self.ledger.abandon(culprit);
        for (_, id, outcome) in &told {
            if *outcome == Outcome::Unknown {
                ends.lose(*id);
            }
        }
        tell(told);
        self.link.close().await;
    }

    /// Publishes until the end.
    pub(super) async fn run(&mut self, ends: &mut Ends) -> End {
        self.show(ends);
        // The right to tell the next message's outcome, had before the message is taken.
        let mut reply: Option<Reply> = None;
        loop {
            self.fill(ends, &mut reply).await;
            let takes = self.takes();
            let silence = self.heard + ends.silence;
            tokio::select! {
                biased;
                () = ends.stop.cancelled() => return self.drain().await,
                event = self.events.next() => {
                    if let Some(fault) = self.hear(event) {
                        return End::Doubt(fault);
                    }
                    self.show(ends);
                }
                batch = self.confirms.settled() => {
                    if let Some(fault) = self.settle(batch) {
                        return End::Doubt(fault);
                    }
                    if let Some(fault) = self.repair(ends).await {
                        return End::Doubt(fault);
                    }
                }
                () = sleep_until(silence), if self.ledger.len() > 0 && self.blocked.is_none() => {
                    let why = format!("no confirmation within {} s", ends.silence.as_secs());
                    return End::Doubt(Fault::of_nobody(why));
                }
                right = ends.outcomes.clone().reserve_owned(), if takes && reply.is_none() => {
                    let Ok(right) = right else { return End::Stopped };
                    reply = Some(right);
                }
                message = ends.messages.recv(), if takes && reply.is_some() => {
                    let (Some(message), Some(right)) = (message, reply.take()) else {
                        return self.drain().await;
                    };
                    self.send(ends, message, right).await;
                }
                () = self.drip.sent() => {}
                Some(message) = ends.transient.recv() => if self.blocked.is_none() {
                    self.drip.send(&ends.topology.exchange, message, ends.max_body);
                },
            }
        }
    }

    /// Whether another message may be sent now.
    fn takes(&self) -> bool {
        self.ledger.len() < self.window
            && self.ledger.bytes() < MOST_BYTES
            && self.blocked.is_none()
            && !self.link.connection.status().blocked()
    }

    /// Sends what is there already, as far as it fits and can be answered.
    async fn fill(&mut self, ends: &mut Ends, reply: &mut Option<Reply>) {
        while self.takes() {
            let right = reply.take().or_else(|| ends.outcomes.clone().try_reserve_owned().ok());
            let Some(right) = right else { return };
            let Ok(message) = ends.messages.try_recv() else {
                *reply = Some(right);
                return;
            };
            self.send(ends, message, right).await;
        }
    }

    async fn send(&mut self, ends: &mut Ends, message: Message, reply: Reply) {
        if !ends.admits(message.id) {
            return tell(vec![(reply, message.id, Outcome::Unknown)]);
        }
        let Envelope { routing_key, properties } = match encode(&message, ends.max_body, true) {
            Ok(envelope) => envelope,
            Err(why) => return tell(vec![(reply, message.id, Outcome::Refused(why))]),
        };
        if self.ledger.len() == 0 {
            self.heard = Instant::now();
        }
        let number = self.ledger.enter(message.id, message.body.len(), reply);
        let exchange = ends.topology.exchange.as_str().into();
        let channel = self.channel.clone();
        // Nothing cancels it: a publish that is dropped is sent all the same.
        let publish = async move {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let body = &message.body;
            let sent = channel.basic_publish(exchange, routing_key, options, body, properties);
            match sent.await {
                Ok(confirm) => (number, confirm.await),
                Err(error) => (number, Err(error)),
            }
        };
        self.confirms.push(Box::pin(publish)).await;
    }

    /// Tells the outcomes of a batch; returns a fault when something was lost.
    fn settle(&mut self, batch: Vec<Landed>) -> Option<Fault> {
        self.heard = Instant::now();
        let mut fault = None;
        let settled = batch.into_iter().map(|(number, result)| {
            let (word, came_back) = match result {
                Ok(Confirmation::Ack(message)) => (Word::Ack, message),
                Ok(Confirmation::Nack(message)) => (Word::Nack, message),
                Ok(Confirmation::NotRequested) => {
                    let why = "it does not confirm what is published";
                    fault.get_or_insert_with(|| Fault::of_nobody(why));
                    (Word::Lost, None)
                }
                Err(error) => {
                    fault.get_or_insert_with(|| Fault::from(&error));
                    (Word::Lost, None)
                }
            };
            let returned = came_back.and_then(|message| {
                let id = message.delivery.properties.message_id().as_ref()?.as_str();
                let why = format!(
                    "no queue takes it: {} {}",
                    message.reply_code,
                    super::fault::plain(message.reply_text.as_str())
                );
                Some((Uuid::parse_str(id).ok()?, why))
            });
            Settled { number, word, returned }
        });
        let settled: Vec<_> = settled.collect();
        self.repair |= settled.iter().any(|settled| settled.returned.is_some());
        let told = self.ledger.settle(settled);
        self.confirmed += told.len();
        // Whatever it was that ended the last session, it is behind us.
        if self.confirmed >= WINDOW {
            self.window = WINDOW;
        }
        tell(told);
        fault
    }

    /// Declares again what a returned message says is missing.
    async fn repair(&mut self, ends: &Ends) -> Option<Fault> {
        if !self.repair || self.declared.elapsed() < REPAIR {
            return None;
        }
        self.repair = false;
        let declared = ends.topology.declare(&self.link).await;
        (self.declared, self.heard) = (Instant::now(), Instant::now());
        match declared {
            Ok(warning) => {
                self.warning = warning;
                self.show(ends);
                None
            }
            Err(fault) => Some(fault),
        }
    }

    /// Takes note of what the connection says; returns a fault when it is of no more use.
    fn hear(&mut self, event: Option<Event>) -> Option<Fault> {
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                let reason = super::fault::plain(&reason);
                tracing::warn!(%reason, "RabbitMQ has us wait");
                self.blocked = Some(reason);
                None
            }
            Some(Event::ConnectionUnblocked) => {
                tracing::info!("RabbitMQ takes messages again");
                (self.blocked, self.heard) = (None, Instant::now());
                None
            }
            // A channel of a declaration that was refused is no loss.
            Some(Event::Error(error)) => {
                let alive = self.link.connection.status().connected()
                    && self.channel.status().connected()
                    && self.drip.channel.status().connected();
                (!alive).then(|| Fault::from(&error))
            }
            Some(_) => None,
            None => Some(Fault::of_nobody("the connection was closed")),
        }
    }

    fn show(&self, ends: &Ends) {
        let status = match &self.blocked {
            Some(reason) => BrokerStatus::Blocked { reason: reason.clone() },
            None => BrokerStatus::Ready {
                server: self.link.server.clone(),
                warning: self.warning.clone(),
            },
        };
        ends.show(status);
    }

    /// Waits a little for what is under way, taking nothing more.
    async fn drain(&mut self) -> End {
        let deadline = Instant::now() + FAREWELL;
        while self.ledger.len() > 0 {
            tokio::select! {
                batch = self.confirms.settled() => if self.settle(batch).is_some() { break },
                () = sleep_until(deadline) => break,
            }
        }
        End::Stopped
    }
}

fn tell(told: Vec<Told<Reply>>) {
    for (reply, id, outcome) in told {
        drop::<mpsc::Sender<_>>(reply.send((id, outcome)));
    }
}
