//! Text on its way into a program as a paste.

/// Start and end of a bracketed paste.
const START: &[u8] = b"\x1b[200~";
const END: &[u8] = b"\x1b[201~";

/// Returns the text without anything that could end a bracketed paste or act as a key.
///
/// Control characters other than line feed and tab go, C1 controls too; CR LF and CR become
/// line feeds.
pub fn sanitise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Returns the bytes that paste the text, sanitised, into a program.
///
/// `bracketed` is the program's wish (`?2004`). Without it line feeds become carriage returns,
/// which is what the Enter key sends.
pub fn encode(text: &str, bracketed: bool) -> Vec<u8> {
    let text = sanitise(text);
    if bracketed {
        [START, text.as_bytes(), END].concat()
    } else {
        text.replace('\n', "\r").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn breakouts_are_defused() {
        assert_eq!(encode("a\x1b[201~b\u{9b}201~c", true), b"\x1b[200~a[201~b201~c\x1b[201~");
        assert_eq!(encode("a\r\nb\rc\nd", false), b"a\rb\rc\rd");
        assert_eq!(sanitise("\x03\x04\x7f\tx\0"), "\tx");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_breaks_out(text in "(\\PC|[\\x00-\\x1f\\u{80}-\\u{9f}]|\\x1b\\[201~){0,40}") {
            let bytes = encode(&text, true);
            let inner = &bytes[START.len()..bytes.len() - END.len()];
            prop_assert!(!inner.contains(&0x1b));
            let inner = std::str::from_utf8(inner).unwrap();
            prop_assert!(inner.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}
