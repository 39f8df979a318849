//! What is under way, and what became of it. Pure.
//!
//! An unroutable message is returned *and* then confirmed. The client hands a returned message over
//! together with whichever confirmation comes next, so it is matched by its id, not by the
//! confirmation it came with; and a confirmation counts only after every return that the client had
//! by then is known, which is why they are settled in batches (see `confirms`).
//!
//! Invariant: each entry leaves the ledger exactly once, by [`Ledger::settle`] or
//! [`Ledger::abandon`].

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::Outcome;

/// What the broker said of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Confirmed.
    Ack,
    /// Not taken.
    Nack,
    /// The client lost the connection or the channel.
    Lost,
}

/// One confirmation, with the message that was returned along with it, whosever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    /// The number that [`Ledger::enter`] gave.
    pub(super) number: u64,
    /// What was said.
    pub(super) word: Word,
    /// The id of a message that came back, and why.
    pub(super) returned: Option<(Uuid, String)>,
}

/// Messages under way, in the order in which they were sent, each with what its sender is told by.
#[derive(Debug)]
pub(super) struct Ledger<T> {
    next: u64,
    bytes: usize,
    open: BTreeMap<u64, Entry<T>>,
    returned: HashMap<Uuid, Vec<String>>,
}

#[derive(Debug)]
struct Entry<T> {
    id: Uuid,
    size: usize,
    reply: T,
}

/// What to tell whom.
pub(super) type Told<T> = (T, Uuid, Outcome);

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { next: 0, bytes: 0, open: BTreeMap::new(), returned: HashMap::new() }
    }
}

impl<T> Ledger<T> {
    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many bytes their bodies have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Enters a message that is about to be sent and returns its number.
    pub(super) fn enter(&mut self, id: Uuid, size: usize, reply: T) -> u64 {
        let number = self.next;
        self.next += 1;
        self.bytes += size;
        self.open.insert(number, Entry { id, size, reply });
        number
    }

    /// Settles a batch: all returns first, then the confirmations. What was lost stays, to be
    /// abandoned with the connection.
    pub(super) fn settle(&mut self, batch: Vec<Settled>) -> Vec<Told<T>> {
        let mut words = Vec::with_capacity(batch.len());
        for Settled { number, word, returned } in batch {
            if let Some((id, why)) = returned {
                self.returned.entry(id).or_default().push(why);
            }
            words.push((number, word));
        }
        let told = words.into_iter().filter_map(|(number, word)| self.decide(number, &word));
        told.collect()
    }

    fn decide(&mut self, number: u64, word: &Word) -> Option<Told<T>> {
        if *word == Word::Lost {
            return None;
        }
        let Entry { id, size, reply } = self.open.remove(&number)?;
        self.bytes -= size;
        let returned = self.returned.get_mut(&id).and_then(Vec::pop);
        self.returned.retain(|_, reasons| !reasons.is_empty());
        let outcome = match (returned, word) {
            (Some(why), _) => Outcome::Refused(why),
            (None, Word::Ack) => Outcome::Confirmed,
            (None, _) => Outcome::Refused("a queue did not take it (nack): is one full?".into()),
        };
        Some((reply, id, outcome))
    }

    /// Gives up on all that is under way: it is unknown, except for what the end was about.
    pub(super) fn abandon(&mut self, culprit: &Culprit) -> Vec<Told<T>> {
        let alone = self.open.len() == 1;
        self.returned.clear();
        self.bytes = 0;
        let open = std::mem::take(&mut self.open).into_values();
        open.map(|Entry { id, size, reply }| {
            let outcome = match culprit {
                Culprit::Larger(limit) if size > *limit => {
                    Outcome::Refused(format!("it has {size} bytes, the broker takes {limit}"))
                }
                Culprit::Alone(why) if alone => Outcome::Refused(why.clone()),
                _ => Outcome::Unknown,
            };
            (reply, id, outcome)
        })
        .collect()
    }
}

/// Whose fault the end of a connection was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Culprit {
    /// No message's.
    None,
    /// Every message's that has more bytes.
    Larger(usize),
    /// The broker objected to something that was sent; if only one was under way, to that.
    Alone(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>(ledger: &mut Ledger<()>) -> [Uuid; N] {
        let ids = std::array::from_fn(|_| Uuid::new_v4());
        for id in ids {
            ledger.enter(id, 10, ());
        }
        ids
    }

    fn said(number: u64, word: Word, returned: Option<Uuid>) -> Settled {
        Settled { number, word, returned: returned.map(|id| (id, "no queue".to_owned())) }
    }

    fn outcomes(told: Vec<Told<()>>) -> Vec<(Uuid, Outcome)> {
        told.into_iter().map(|((), id, outcome)| (id, outcome)).collect()
    }

    #[test]
    fn a_return_belongs_to_its_id_whatever_it_came_with() {
        let mut ledger = Ledger::default();
        let [a, b, c] = ids(&mut ledger);
        // c's return came with a's confirmation, and in the batch a's stands last.
        let batch = vec![said(2, Word::Ack, None), said(0, Word::Ack, Some(c))];
        let refused = Outcome::Refused("no queue".into());
        assert_eq!(outcomes(ledger.settle(batch)), [(c, refused.clone()), (a, Outcome::Confirmed)]);
        // One that comes with its own, and one that comes earlier than its confirmation.
        let [d] = ids(&mut ledger);
        let told = ledger.settle(vec![said(3, Word::Ack, Some(b))]);
        assert_eq!(outcomes(told), [(d, Outcome::Confirmed)]);
        assert_eq!(outcomes(ledger.settle(vec![said(1, Word::Ack, None)])), [(b, refused)]);
        assert_eq!((ledger.len(), ledger.bytes()), (0, 0));
        assert!(ledger.returned.is_empty());
    }

    #[test]
    fn the_same_id_twice_is_two_entries() {
        let mut ledger = Ledger::default();
        let id = Uuid::new_v4();
        let (one, two) = (ledger.enter(id, 1, ()), ledger.enter(id, 1, ()));
        let told = ledger.settle(vec![said(one, Word::Ack, Some(id)), said(two, Word::Ack, None)]);
        let refused = Outcome::Refused("no queue".into());
        assert_eq!(outcomes(told), [(id, refused), (id, Outcome::Confirmed)]);
    }

    #[test]
    fn a_nack_is_a_refusal_and_what_is_lost_waits_to_be_abandoned() {
        let mut ledger = Ledger::default();
        let [a, b] = ids(&mut ledger);
        let told = ledger.settle(vec![said(0, Word::Nack, None), said(1, Word::Lost, None)]);
        assert!(matches!(&outcomes(told)[..], [(id, Outcome::Refused(_))] if *id == a));
        assert_eq!(outcomes(ledger.abandon(&Culprit::None)), [(b, Outcome::Unknown)]);
        // Whatever comes later is of no consequence.
        assert!(ledger.settle(vec![said(1, Word::Ack, None)]).is_empty());
    }

    #[test]
    fn only_a_culprit_is_refused() {
        let mut ledger = Ledger::default();
        let [a] = ids(&mut ledger);
        let big = Uuid::new_v4();
        ledger.enter(big, 100, ());
        let told = outcomes(ledger.abandon(&Culprit::Larger(50)));
        assert_eq!(told[0], (a, Outcome::Unknown));
        assert!(matches!(&told[1], (id, Outcome::Refused(_)) if *id == big));

        let objection = Culprit::Alone("406".into());
        let [_, _] = ids(&mut ledger);
        assert!(ledger.abandon(&objection).iter().all(|(.., said)| *said == Outcome::Unknown));
        let [c] = ids(&mut ledger);
        assert_eq!(ledger.bytes(), 10);
        assert_eq!(outcomes(ledger.abandon(&objection)), [(c, Outcome::Refused("406".into()))]);
    }
}
