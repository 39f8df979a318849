//! The file in which a running Claude Code keeps its state: `sessions/<pid>.json` in its configuration
//! directory.
//!
//! It is undocumented. A file that is left over names a process that is gone: it is believed only with
//! the start time of the process that is meant. Seen with Claude Code 2.1.332; 2.1.20 has none.

use serde_json::Value;

use crate::{
    agents::control::{Told, message},
    domain::activity::ActivityState,
};

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Stand {
    /// What it is doing.
    pub told: Told,
    /// When that began, in milliseconds since 1970.
    pub since_ms: i64,
}

/// Returns what a file says of the process with this start time, in ticks since the machine started;
/// `None` for what is another's or cannot be read.
pub fn read(text: &[u8], start_time: u64) -> Option<Stand> {
    let file: Value = serde_json::from_slice(text).ok()?;
    let started = match &file["procStart"] {
        Value::String(text) => text.parse().ok()?,
        other => other.as_u64()?,
    };
    if started != start_time {
        return None;
    }
    let waits = file["waitingFor"].as_str().unwrap_or_default();
    let told = match file["status"].as_str()? {
        "idle" => Told::Activity(ActivityState::Idle, None, None),
        "busy" => Told::Activity(ActivityState::Working, None, None),
        "waiting" => {
            let kind = if waits.contains("permission") { "permission" } else { "question" };
            Told::Activity(ActivityState::Blocked, Some(kind.to_owned()), message(waits))
        }
        _ => return None,
    };
    Some(Stand { told, since_ms: file["statusUpdatedAt"].as_i64().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"pid":29578,"sessionId":"7ead4a9f-5a05-4926-884d-a1f54ab6a1ab","cwd":"/w",
        "procStart":"125191","version":"2.1.332","kind":"interactive","status":"waiting",
        "updatedAt":1796075223441,"statusUpdatedAt":1796075223441,"waitingFor":"permission prompt"}"#;

    #[test]
    fn a_file_is_that_of_one_process() {
        let stand = read(FILE.as_bytes(), 125_191).unwrap();
        let Told::Activity(state, kind, _) = stand.told else { panic!() };
        assert_eq!((state, kind.as_deref()), (ActivityState::Blocked, Some("permission")));
        assert_eq!(stand.since_ms, 1_796_075_223_441);
        assert_eq!(read(FILE.as_bytes(), 125_192), None);
    }

    #[test]
    fn other_words_and_halves_of_files_say_nothing() {
        let unknown = FILE.replace("waiting\"", "dreaming\"");
        assert_eq!(read(unknown.as_bytes(), 125_191), None);
        assert_eq!(read(&FILE.as_bytes()[..90], 125_191), None);
        assert_eq!(read(b"", 0), None);
    }
}
