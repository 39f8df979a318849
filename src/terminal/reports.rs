//! Text that programs hand out through escape sequences, made safe to show and to store.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::domain::activity::{ActivityState, ProgramReport};

/// Most characters of a title, a message or a notification.
pub(crate) const MOST_CHARS: usize = 512;
const MOST_APP_CHARS: usize = 64;
const MOST_KIND_CHARS: usize = 32;
const MOST_ID_CHARS: usize = 128;
const MOST_PATH_BYTES: usize = 4096;

/// Returns the text without control characters and direction overrides, cut to `most` characters.
pub(crate) fn clean(bytes: &[u8], most: usize) -> String {
    let shown = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    String::from_utf8_lossy(bytes).chars().filter(shown).take(most).collect::<String>()
}

/// Reads the body of an OSC 7501 report: `key=value` pairs separated by `:`.
///
/// Unknown keys are ignored; a report without a known state is none at all.
pub(crate) fn program(body: &[u8]) -> Option<ProgramReport> {
    let mut known = false;
    let mut report = ProgramReport { id: None, state: None, app: None, kind: None, message: None };
    for pair in body.split(|byte| *byte == b':') {
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (key, value) = pair.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        let text = |most| Some(clean(value, most)).filter(|text| !text.is_empty());
        match key {
            b"state" => {
                known = true;
                if value != b"clear" {
                    report.state = Some(ActivityState::parse(std::str::from_utf8(value).ok()?)?);
                }
            }
            b"app" => report.app = text(MOST_APP_CHARS),
            b"kind" => report.kind = text(MOST_KIND_CHARS),
            b"id" => report.id = text(MOST_ID_CHARS),
            b"msg" => report.message = message(value),
            _ => {}
        }
    }
    known.then_some(report)
}

fn message(value: &[u8]) -> Option<String> {
    let bytes = STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value)).ok()?;
    Some(clean(&bytes, MOST_CHARS)).filter(|text| !text.is_empty())
}

/// Reads an OSC 7 address: `file://host/path` with `%` escapes, or a bare absolute path.
pub(crate) fn directory(body: &[u8]) -> Option<String> {
    let path = match body.strip_prefix(b"file://") {
        Some(rest) => rest.get(rest.iter().position(|byte| *byte == b'/')?..)?,
        None => body,
    };
    if path.first() != Some(&b'/') || path.len() > MOST_PATH_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(hex_byte);
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    let path = String::from_utf8(bytes).ok()?;
    (!path.chars().any(char::is_control)).then_some(path)
}

/// Returns the byte that two hexadecimal digits stand for.
pub(crate) fn hex_byte(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(text, 16).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_and_cleaned() {
        let report =
            program(b"state=blocked:app=x\x07y:kind=permission:msg=YRtiCmM=:new=1").unwrap();
        assert_eq!(report.state, Some(ActivityState::Blocked));
        assert_eq!(report.app.as_deref(), Some("xy"));
        assert_eq!(report.kind.as_deref(), Some("permission"));
        assert_eq!(report.message.as_deref(), Some("abc"));
    }

    #[test]
    fn clear_withdraws_and_unknown_states_do_nothing() {
        assert_eq!(program(b"state=clear").unwrap().state, None);
        assert_eq!(program(b"state=dreaming"), None);
        assert_eq!(program(b"app=x"), None);
        assert_eq!(program(b""), None);
    }

    #[test]
    fn directories_are_decoded_and_must_be_absolute() {
        assert_eq!(directory(b"file://host/a%20b").as_deref(), Some("/a b"));
        assert_eq!(directory(b"file:///tmp").as_deref(), Some("/tmp"));
        assert_eq!(directory(b"/tmp/100%").as_deref(), Some("/tmp/100%"));
        for bad in [&b"tmp"[..], b"http://x/y", b"file://host", b"/a%1bb", b"/a%ff"] {
            assert_eq!(directory(bad), None);
        }
    }
}
