//! Checks the event log against its chain: one row after the other, in the order of their places.
//!
//! What it finds: rows that were changed, removed, moved, inserted or taken from elsewhere; an end
//! that was cut off or rolled back behind a checkpoint. It believes nothing that is stored beside
//! the rows, only the first keys and checkpoints it is given.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    chain::{BEGINNING, Checkpoint, Code, Key, KeyRef, canonical, from_hex, to_hex},
    event::Event,
};

/// Findings told in full; more are only counted.
const TOLD: usize = 50;

/// A key that evolved further than this was not evolved by us.
const MOST_EPOCHS: u64 = 100_000_000;

/// A row of the log with its codes.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedEvent {
    /// The event.
    pub event: Event,
    /// Its signature, `key:epoch:code`.
    pub signature: String,
    /// The key of its seal, `key:epoch`.
    pub sealed_by: String,
    /// Its seal.
    pub seal: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AuditReport {
    /// Rows that were looked at.
    pub checked: u64,
    /// The first and the newest place.
    pub first: u64,
    /// See `first`.
    pub newest: u64,
    /// Rows from before the chain existed: without a signature, but sealed.
    pub unsigned: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// What is wrong, the first of it in full.
    pub findings: Vec<String>,
    /// How much is wrong altogether.
    pub wrong: u64,
    /// Keys that rows name and of which no first key was given.
    pub unknown_keys: BTreeSet<String>,
}

impl AuditReport {
    /// Whether nothing is wrong and everything could be checked.
    pub fn is_good(&self) -> bool {
        self.wrong == 0 && self.unknown_keys.is_empty()
    }
}

/// A check under way.
#[derive(Debug)]
pub struct Audit {
    keys: BTreeMap<String, KeyRing>,
    checkpoints: BTreeMap<u64, Vec<Checkpoint>>,
    before: Option<Code>,
    /// Where the oldest events were removed in order, as later events tell.
    pruned: BTreeMap<u64, String>,
    /// The first row, when it is not the first of all: what it must follow is told later.
    open_beginning: Option<Box<SealedEvent>>,
    epochs: BTreeMap<String, u64>,
    saw_signature: bool,
    report: AuditReport,
}

/// A first key, and the key of the epoch that was asked for last.
#[derive(Debug)]
struct KeyRing {
    first: Key,
    epoch: u64,
    key: Key,
}

impl KeyRing {
    fn at(&mut self, epoch: u64) -> Option<&Key> {
        if epoch < self.epoch {
            (self.epoch, self.key) = (0, self.first.clone());
        }
        if epoch > MOST_EPOCHS {
            return None;
        }
        while self.epoch < epoch {
            self.key = self.key.next();
            self.epoch += 1;
        }
        Some(&self.key)
    }
}

impl Audit {
    /// Begins a check with first keys and checkpoints.
    pub fn new(keys: Vec<Key>, checkpoints: Vec<Checkpoint>) -> Self {
        let ring = |key: Key| (key.name(), KeyRing { first: key.clone(), epoch: 0, key });
        let mut by_position: BTreeMap<u64, Vec<Checkpoint>> = BTreeMap::new();
        for checkpoint in checkpoints {
            by_position.entry(checkpoint.position).or_default().push(checkpoint);
        }
        Self {
            keys: keys.into_iter().map(ring).collect(),
            checkpoints: by_position,
            before: None,
            pruned: BTreeMap::new(),
            open_beginning: None,
            epochs: BTreeMap::new(),
            saw_signature: false,
            report: AuditReport::default(),
        }
    }

    /// Takes the next row.
    pub fn check(&mut self, row: &SealedEvent) {
        let position = row.event.position;
        if self.report.checked == 0 {
            self.report.first = position;
            if position > 1 {
                self.open_beginning = Some(Box::new(row.clone()));
            }
        } else if position != self.report.newest + 1 {
            let (from, to) = (self.report.newest + 1, position.saturating_sub(1));
            self.wrong(if from == to {
                format!("event {from} is missing")
            } else {
                format!("events {from} to {to} are missing")
            });
            self.before = None;
        }
        self.report.checked += 1;
        self.report.newest = position;
        let bytes = canonical(&row.event);
        let is_signed = self.check_signature(row, &bytes);
        self.check_epoch(row);
        let seal = from_hex(&row.seal);
        if let Some(before) = self.before_of(position) {
            self.check_seal(row, &bytes, &before, is_signed);
        }
        if seal.is_none() {
            self.wrong(format!("event {position} has no seal"));
        }
        self.before = seal;
        if row.event.event_type == "events.pruned" {
            let of = |name: &str| row.event.data.get(name);
            let up_to = of("up_to").and_then(serde_json::Value::as_u64);
            if let (Some(up_to), Some(seal)) = (up_to, of("seal").and_then(|seal| seal.as_str())) {
                self.pruned.insert(up_to, seal.to_owned());
            }
        }
        for checkpoint in self.checkpoints.remove(&position).unwrap_or_default() {
            self.report.checkpoints += 1;
            self.check_checkpoint(&checkpoint);
            if checkpoint.seal != row.seal {
                self.wrong(format!(
                    "event {position} is not the one of the checkpoint: the log was rolled back or \
                     rewritten"
                ));
            }
        }
    }

    /// Ends the check.
    pub fn finish(mut self) -> AuditReport {
        if let Some(row) = self.open_beginning.take() {
            let end = row.event.position - 1;
            match self.pruned.get(&end).and_then(|seal| from_hex(seal)) {
                // Its signature was looked at when it came.
                Some(before) => self.check_seal(&row, &canonical(&row.event), &before, true),
                None => self.wrong(format!(
                    "events 1 to {end} are missing, and no event tells that they were removed in \
                     order"
                )),
            }
        }
        let newest = self.report.newest;
        let first = self.report.first;
        for (position, checkpoints) in std::mem::take(&mut self.checkpoints) {
            if position < first {
                // Removed in order, which the beginning was checked for.
                continue;
            }
            for checkpoint in &checkpoints {
                self.report.checkpoints += 1;
                self.check_checkpoint(checkpoint);
            }
            if position > newest {
                self.wrong(format!(
                    "the log ends at event {newest}, and a checkpoint knows event {position}: its \
                     end was cut off or rolled back"
                ));
            }
        }
        self.report
    }

    /// The seal that the row at a place must follow; `None` when that cannot be known.
    fn before_of(&self, position: u64) -> Option<Code> {
        if position == 1 { Some(BEGINNING) } else { self.before }
    }

    fn check_signature(&mut self, row: &SealedEvent, bytes: &[u8]) -> bool {
        let position = row.event.position;
        if row.signature.is_empty() {
            if self.saw_signature {
                self.wrong(format!("event {position} has no signature"));
            } else {
                self.report.unsigned += 1;
            }
            return !self.saw_signature;
        }
        self.saw_signature = true;
        let parts = row.signature.rsplit_once(':');
        let Some((reference, code)) =
            parts.and_then(|(reference, code)| Some((KeyRef::parse(reference)?, code)))
        else {
            self.wrong(format!("event {position} has a garbled signature"));
            return false;
        };
        let Some(key) = self.key(&reference) else { return true };
        if to_hex(&key.sign(bytes)) != code {
            self.wrong(format!(
                "event {position} ({} {}) was changed",
                row.event.event_type, row.event.event_id
            ));
            return false;
        }
        true
    }

    /// Keys do not go back.
    fn check_epoch(&mut self, row: &SealedEvent) {
        let Some(reference) = KeyRef::parse(&row.sealed_by) else { return };
        let newest = self.epochs.entry(reference.name).or_insert(0);
        let before = *newest;
        *newest = before.max(reference.epoch);
        if reference.epoch < before {
            let (position, epoch) = (row.event.position, reference.epoch);
            self.wrong(format!("event {position} has key epoch {epoch}, after epoch {before}"));
        }
    }

    fn check_seal(&mut self, row: &SealedEvent, bytes: &[u8], before: &Code, is_signed: bool) {
        let position = row.event.position;
        let Some(reference) = KeyRef::parse(&row.sealed_by) else {
            self.wrong(format!("event {position} does not tell the key of its seal"));
            return;
        };
        let Some(key) = self.key(&reference) else { return };
        let expected = key.seal(before, position, &row.signature, bytes);
        if to_hex(&expected) != row.seal && is_signed {
            self.wrong(format!(
                "the chain is broken at event {position}: it, or the one before it, was changed, \
                 moved or put there"
            ));
        }
    }

    fn check_checkpoint(&mut self, checkpoint: &Checkpoint) {
        let position = checkpoint.position;
        let is_signed = match KeyRef::parse(&checkpoint.key) {
            None => false,
            Some(reference) => match self.key(&reference) {
                None => return,
                Some(key) => checkpoint.is_signed_by(key),
            },
        };
        if !is_signed {
            self.wrong(format!("the checkpoint of event {position} is forged or damaged"));
        }
    }

    fn key(&mut self, reference: &KeyRef) -> Option<&Key> {
        let key = self.keys.get_mut(&reference.name).and_then(|ring| ring.at(reference.epoch));
        if key.is_none() {
            self.report.unknown_keys.insert(reference.name.clone());
        }
        key
    }

    fn wrong(&mut self, what: String) {
        self.report.wrong += 1;
        if self.report.findings.len() < TOLD {
            self.report.findings.push(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    /// A log of so many events, sealed with keys that change every third time, and where it stands.
    fn log(count: u64) -> (Key, Vec<SealedEvent>, Checkpoint) {
        let first = Key::new([7; 32]);
        let (mut key, mut before) = (first.clone(), BEGINNING);
        let mut reference = KeyRef { name: first.name(), epoch: 0 };
        let mut rows = Vec::new();
        for position in 1..=count {
            let event = Event {
                position,
                event_id: Uuid::from_u128(position.into()).to_string(),
                timestamp: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
                event_type: "runner.started".into(),
                entity_type: "runner".into(),
                entity_id: "r".into(),
                sequence: position,
                project: "p".into(),
                runner: "p-1".into(),
                user_id: String::new(),
                hostname: String::new(),
                node_id: String::new(),
                trace_id: String::new(),
                data: serde_json::json!({ "n": position }),
            };
            let row = seal(&key, &reference, event, &mut before);
            rows.push(row);
            if position % 3 == 0 {
                key = key.next();
                reference.epoch += 1;
            }
        }
        let checkpoint = Checkpoint::new("log", count, &before, (&key, &reference));
        (first, rows, checkpoint)
    }

    fn seal(key: &Key, reference: &KeyRef, event: Event, before: &mut Code) -> SealedEvent {
        let bytes = canonical(&event);
        let signature = format!("{reference}:{}", to_hex(&key.sign(&bytes)));
        *before = key.seal(before, event.position, &signature, &bytes);
        SealedEvent { event, signature, sealed_by: reference.to_string(), seal: to_hex(before) }
    }

    fn verify(key: &Key, rows: &[SealedEvent], checkpoint: Option<&Checkpoint>) -> AuditReport {
        let mut audit = Audit::new(vec![key.clone()], checkpoint.cloned().into_iter().collect());
        for row in rows {
            audit.check(row);
        }
        audit.finish()
    }

    #[test]
    fn an_untouched_log_is_good_and_a_stranger_key_proves_nothing() {
        let (key, rows, checkpoint) = log(10);
        let report = verify(&key, &rows, Some(&checkpoint));
        assert!(report.is_good(), "{report:?}");
        assert_eq!((report.checked, report.newest, report.checkpoints), (10, 10, 1));
        let report = verify(&Key::new([8; 32]), &rows, None);
        assert_eq!(report.unknown_keys.len(), 1);
        assert!(!report.is_good());
    }

    #[test]
    fn every_kind_of_tampering_is_found() {
        type Change = (&'static str, fn(&mut Vec<SealedEvent>));
        let changes: [Change; 12] = [
            ("data", |rows| rows[4].event.data = serde_json::json!({ "n": 6 })),
            ("actor", |rows| rows[4].event.user_id = "uid:1".into()),
            ("sequence", |rows| rows[4].event.sequence += 1),
            ("signature", |rows| rows[4].signature = rows[3].signature.clone()),
            ("no signature", |rows| rows[4].signature.clear()),
            ("seal", |rows| rows[4].seal = rows[3].seal.clone()),
            ("key", |rows| rows[4].sealed_by = rows[0].sealed_by.clone()),
            ("deleted", |rows| drop(rows.remove(4))),
            ("first deleted", |rows| drop(rows.remove(0))),
            ("swapped", |rows| {
                rows.swap(3, 4);
                rows[3].event.position = 4;
                rows[4].event.position = 5;
            }),
            ("closed up", |rows| {
                rows.remove(4);
                rows[4..].iter_mut().for_each(|row| row.event.position -= 1);
            }),
            ("repeated", |rows| {
                let row = rows[4].clone();
                rows.insert(5, row);
                for (row, position) in rows.iter_mut().zip(1..) {
                    row.event.position = position;
                }
            }),
        ];
        let (key, rows, _) = log(10);
        for (name, change) in changes {
            let mut rows = rows.clone();
            change(&mut rows);
            assert!(!verify(&key, &rows, None).is_good(), "{name}");
        }
    }

    #[test]
    fn a_cut_or_rewritten_end_is_found_by_a_checkpoint() {
        let (key, rows, checkpoint) = log(10);
        assert!(verify(&key, &rows[..8], None).is_good(), "invisible without one");
        assert!(!verify(&key, &rows[..8], Some(&checkpoint)).is_good());
        // Whoever has today's key writes another end: it is sealed well, and is another.
        let mut before = from_hex(&rows[8].seal).unwrap();
        let today = (0..3).fold(key.clone(), |key, _| key.next());
        let reference = KeyRef { name: key.name(), epoch: 3 };
        let forged = Event { user_id: "x".into(), ..rows[9].event.clone() };
        let mut rewritten = rows[..9].to_vec();
        rewritten.push(seal(&today, &reference, forged, &mut before));
        assert!(verify(&key, &rewritten, None).is_good());
        assert!(!verify(&key, &rewritten, Some(&checkpoint)).is_good());
        // But not with yesterday's place.
        let mut before = from_hex(&rows[4].seal).unwrap();
        let mut forged = rows.clone();
        forged[5] = seal(&today, &reference, rows[5].event.clone(), &mut before);
        assert!(!verify(&key, &forged, None).is_good());
        let damaged = Checkpoint { position: 9, ..checkpoint };
        assert!(!verify(&key, &rows, Some(&damaged)).is_good());
    }

    #[test]
    fn a_beginning_that_was_removed_in_order_is_told_by_the_log() {
        let (key, rows, _) = log(9);
        assert!(!verify(&key, &rows[3..], None).is_good());
        let mut kept = rows[3..].to_vec();
        let mut before = from_hex(&rows[8].seal).unwrap();
        let pruned = Event {
            position: 10,
            event_type: "events.pruned".into(),
            data: serde_json::json!({ "up_to": 3, "seal": rows[2].seal }),
            ..rows[8].event.clone()
        };
        let reference = KeyRef { name: key.name(), epoch: 3 };
        let today = (0..3).fold(key.clone(), |key, _| key.next());
        kept.push(seal(&today, &reference, pruned, &mut before));
        let report = verify(&key, &kept, None);
        assert!(report.is_good(), "{report:?}");
        // The first that is left is checked too: another one with today's key does not fit.
        let forged = Event { user_id: "x".into(), ..kept[0].event.clone() };
        let old_seal = kept[0].seal.clone();
        kept[0] = seal(&today, &reference, forged, &mut BEGINNING.clone());
        kept[0].seal = old_seal;
        assert!(!verify(&key, &kept, None).is_good());
    }
}
