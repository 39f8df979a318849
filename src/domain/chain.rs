//! The chain that makes the event log tamper-evident: what is signed, sealed and checked.
//!
//! Every event carries two codes (HMAC-SHA256, RFC 2104). Its *signature* covers its own fields and
//! is written with it. Its *seal* covers its place in the log, its fields, its signature and the
//! seal before it, so that a row that is changed, removed, moved or inserted breaks the chain. Keys
//! evolve one way: who steals today's cannot forge what was sealed with yesterday's; only the first
//! key of a node, kept elsewhere, can check everything. No I/O and no clock here.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;

use super::event::Event;

/// A code or key of 256 bits.
pub type Code = [u8; 32];

/// The seal before the first event.
pub const BEGINNING: Code = [0; 32];

/// A key of one epoch, and what is made of it once for all the codes that it makes.
#[derive(Clone)]
pub struct Key {
    bytes: Code,
    signing: Keyed,
    sealing: Keyed,
}

/// What has taken a key in and no message yet.
type Keyed = Hmac<Sha256>;

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(********)")
    }
}

impl Key {
    /// Returns the key with these bytes.
    pub fn new(bytes: Code) -> Self {
        let own = keyed(&bytes);
        let signing = keyed(&code(&own, &[b"stratavore signature"]));
        let sealing = keyed(&code(&own, &[b"stratavore seal"]));
        Self { bytes, signing, sealing }
    }

    /// Returns its 64 hexadecimal digits, for the file it is kept in.
    pub fn to_hex(&self) -> String {
        to_hex(&self.bytes)
    }

    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        from_hex(text.trim()).map(Self::new)
    }

    /// Returns the key of the next epoch; there is no way back.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::new(code(&keyed(&self.bytes), &[b"stratavore next key"]))
    }

    /// Returns the name of the chain of keys that begins with this one: 16 hexadecimal digits, from
    /// which nothing of the key can be told.
    pub fn name(&self) -> String {
        to_hex(&code(&keyed(&self.bytes), &[b"stratavore key name"])).chars().take(16).collect()
    }

    /// Returns the signature of an event's fields.
    pub fn sign(&self, canonical: &[u8]) -> Code {
        code(&self.signing, &[canonical])
    }

    /// Returns the seal of an event at its place.
    pub fn seal(&self, before: &Code, position: u64, signature: &str, canonical: &[u8]) -> Code {
        let position = position.to_be_bytes();
        code(&self.sealing, &[before, &position, signature.as_bytes(), canonical])
    }
}

/// A key as a row names it: the chain of keys and the epoch, `0123456789abcdef:7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRef {
    /// See [`Key::name`].
    pub name: String,
    /// How many times the key had evolved.
    pub epoch: u64,
}

impl KeyRef {
    /// Parses `name:epoch`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, epoch) = text.split_once(':')?;
        Some(Self { name: name.to_owned(), epoch: epoch.parse().ok()? })
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.epoch)
    }
}

/// Where the log stood at a time: kept apart from it, it shows that the end was cut off or rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Which log: the file or the server that holds it. One file may keep checkpoints of several.
    pub log: String,
    /// The newest sealed event.
    pub position: u64,
    /// Its seal, in hexadecimal digits.
    pub seal: String,
    /// The key that this is signed with, see [`KeyRef`].
    pub key: String,
    /// The code of the two, in hexadecimal digits.
    pub code: String,
}

impl Checkpoint {
    /// Returns a checkpoint signed with a key.
    pub fn new(log: &str, position: u64, seal: &Code, (key, reference): (&Key, &KeyRef)) -> Self {
        let seal = to_hex(seal);
        let code = to_hex(&key.sign(&Self::bytes(log, position, &seal)));
        Self { log: log.to_owned(), position, seal, key: reference.to_string(), code }
    }

    /// Whether this key, which must be the one it names, has signed it.
    pub fn is_signed_by(&self, key: &Key) -> bool {
        to_hex(&key.sign(&Self::bytes(&self.log, self.position, &self.seal))) == self.code
    }

    fn bytes(log: &str, position: u64, seal: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, b"stratavore checkpoint 1");
        put(&mut bytes, log.as_bytes());
        put(&mut bytes, &position.to_be_bytes());
        put(&mut bytes, seal.as_bytes());
        bytes
    }
}

/// Returns the bytes of an event that its codes cover: each field with its length before it, so that
/// nothing can move from one field to the next. The position is not among them.
pub fn canonical(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    put(&mut bytes, b"stratavore event 1");
    let id = Uuid::parse_str(&event.event_id).unwrap_or_default();
    put(&mut bytes, id.as_bytes());
    put(&mut bytes, &event.timestamp.timestamp_micros().to_be_bytes());
    put(&mut bytes, &event.sequence.to_be_bytes());
    for text in [
        &event.event_type,
        &event.entity_type,
        &event.entity_id,
        &event.project,
        &event.runner,
        &event.user_id,
        &event.hostname,
        &event.node_id,
        &event.trace_id,
    ] {
        put(&mut bytes, text.as_bytes());
    }
    put_json(&mut bytes, &event.data);
    bytes
}

/// Appends a JSON value by its meaning: a database may keep its keys in another order and its numbers
/// in another form.
fn put_json(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => put(bytes, b"n"),
        Value::Bool(truth) => put(bytes, if *truth { b"t" } else { b"f" }),
        Value::Number(number) => {
            let text = match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => whole.to_string(),
                (None, Some(real)) => format!("{real:e}"),
                (None, None) => number.to_string(),
            };
            put(bytes, b"#");
            put(bytes, text.as_bytes());
        }
        Value::String(text) => {
            put(bytes, b"s");
            put(bytes, text.as_bytes());
        }
        Value::Array(items) => {
            put(bytes, b"[");
            put(bytes, &(items.len() as u64).to_be_bytes());
            for item in items {
                put_json(bytes, item);
            }
        }
        Value::Object(fields) => {
            put(bytes, b"{");
            put(bytes, &(fields.len() as u64).to_be_bytes());
            let mut names: Vec<_> = fields.keys().collect();
            names.sort_unstable();
            for name in names {
                put(bytes, name.as_bytes());
                if let Some(value) = fields.get(name) {
                    put_json(bytes, value);
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_be_bytes());
    bytes.extend(part);
}

/// Returns what makes codes with a key. A key that is shorter than a block is filled up with zeros (RFC 2104).
fn keyed(key: &Code) -> Keyed {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    Keyed::new(&block.into())
}

/// Returns the code of the parts, each with its length.
fn code(keyed: &Keyed, parts: &[&[u8]]) -> Code {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Returns the hexadecimal digits of a code.
pub fn to_hex(code: &Code) -> String {
    hex::encode(code)
}

/// Parses the hexadecimal digits of a code.
pub fn from_hex(text: &str) -> Option<Code> {
    let mut code = BEGINNING;
    hex::decode_to_slice(text, &mut code).ok()?;
    Some(code)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn event(data: Value) -> Event {
        Event {
            position: 7,
            event_id: Uuid::from_u128(9).to_string(),
            timestamp: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            event_type: "runner.started".into(),
            entity_type: "runner".into(),
            entity_id: "r".into(),
            sequence: 3,
            project: "p".into(),
            runner: "p-1".into(),
            user_id: "u".into(),
            hostname: "h".into(),
            node_id: "n".into(),
            trace_id: String::new(),
            data,
        }
    }

    #[test]
    fn keys_evolve_one_way_and_name_themselves() {
        let first = Key::new([1; 32]);
        let second = first.next();
        assert_ne!(first, second);
        assert_eq!(Key::parse(&second.to_hex()), Some(second.clone()));
        assert_ne!(first.name(), second.name());
        assert_ne!(first.sign(b"x"), second.sign(b"x"));
        assert_ne!(to_hex(&first.sign(b"x")), first.to_hex());
        assert!(!format!("{first:?}").contains("01"));
        let reference = KeyRef { name: first.name(), epoch: 12 };
        assert_eq!(KeyRef::parse(&reference.to_string()), Some(reference));
        for bad in ["", "x", "x:", ":y", "zz"] {
            assert!(KeyRef::parse(bad).is_none_or(|found| found.name.is_empty()), "{bad}");
            assert!(Key::parse(bad).is_none());
        }
    }

    #[test]
    fn the_form_of_json_does_not_matter_its_meaning_does() {
        let text = r#"{"b": 1.50, "a": [1, -2, null, true], "c": {"y": 1e2, "x": "é"}}"#;
        let other = r#"{"c":{"x":"\u00e9","y":100.0},"a":[1,-2,null,true],"b":1.5}"#;
        let parsed = |text| canonical(&event(serde_json::from_str(text).unwrap()));
        assert_eq!(parsed(text), parsed(other));
        let all = [
            json!({}),
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": 1.5}),
            json!({"a": true}),
            json!({"a": null}),
            json!({"a": [1]}),
            json!({"a": [[], 1]}),
            json!({"a": {"b": 1}}),
            json!({"a": 1, "b": 1}),
            json!(["a", 1]),
            json!(null),
        ];
        let mut seen: Vec<_> = all.into_iter().map(|data| canonical(&event(data))).collect();
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn nothing_can_move_between_fields_or_places() {
        let one = event(json!({}));
        let moved = Event { project: "pp".into(), runner: "-1".into(), ..one.clone() };
        assert_ne!(canonical(&one), canonical(&moved));
        let key = Key::new([2; 32]);
        let bytes = canonical(&one);
        let seal = |before: &Code, position| key.seal(before, position, "s", &bytes);
        assert_ne!(seal(&BEGINNING, 1), seal(&BEGINNING, 2));
        assert_ne!(seal(&BEGINNING, 1), seal(&[1; 32], 1));
        assert_ne!(seal(&BEGINNING, 1), key.sign(&bytes));
    }
}
