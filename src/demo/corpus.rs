//! Bytes a terminal must survive: broken UTF-8, and escape sequences that are hostile or rare.
//!
//! The sequences ask for answers that would be typed into a shell, write the clipboard, never end,
//! or are enormous. None of them harms a terminal that follows the reliability rules.

/// Pieces that are written one by one; a character may be split between two of them.
pub(super) const BAD_UTF8: &[&[u8]] = &[
    b"plain ascii first\r\n",
    b"lone continuation \x80\xbf\r\n",
    b"never valid \xff\xfe\xc0\xc1\xf5\r\n",
    b"nul \x00 inside\r\n",
    b"overlong slash \xc0\xaf \xe0\x80\xaf\r\n",
    b"surrogate \xed\xa0\x80\xed\xb0\x80\r\n",
    b"beyond unicode \xf4\x90\x80\x80\r\n",
    b"cut two-byte \xc3\r\n",
    b"cut four-byte \xf0\x9f\x98\r\n",
    b"split \xe2",
    b"\x9c",
    b"\x93 check mark\r\n",
    b"split emoji \xf0\x9f",
    b"\x98\x80 face\r\n",
    b"escape inside a character \xe2\x1b[31m\x9c\x93\x1b[0m\r\n",
    b"family \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7\r\n",
    b"many marks e\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85\xcc\x86\r\n",
    b"byte order mark \xef\xbb\xbf and right-to-left \xe2\x80\xae abc \xe2\x80\xac\r\n",
    b"8-bit csi \x9b31m latin-1 caf\xe9\r\n",
];

/// Short sequences with the names the witness gives them.
const SHORT: &[(&str, &[u8])] = &[
    ("title-report", b"\x1b]0;echo owned\x07\x1b[21t"),
    ("icon-report", b"\x1b]1;echo owned\x07\x1b[20t"),
    ("decrqss", b"\x1bP$q\"p\x1b\\\x1bP$qm\x1b\\"),
    ("xtgettcap", b"\x1bP+q544e;636f\x1b\\"),
    ("answerback", b"\x05"),
    ("device-attributes", b"\x1b[c\x1b[>c\x1b[=c"),
    ("device-status", b"\x1b[5n\x1b[6n\x1b[?6n\x1b[?15n\x1b[?25n\x1b[?26n"),
    ("request-mode", b"\x1b[?2026$p\x1b[?1049$p\x1b[4$p"),
    ("request-rectangle-checksum", b"\x1b[1;1;1;1;1;1*y"),
    ("window-size-reports", b"\x1b[14t\x1b[16t\x1b[18t\x1b[19t\x1b[11t\x1b[13t"),
    ("window-moves", b"\x1b[3;0;0t\x1b[8;9999;9999t\x1b[9;1t\x1b[2t\x1b[1t"),
    ("colour-queries", b"\x1b]10;?\x07\x1b]11;?\x07\x1b]12;?\x07\x1b]4;1;?\x07"),
    ("colour-changes", b"\x1b]10;#ff00ff\x07\x1b]11;#00ff00\x07\x1b]110\x07\x1b]111\x07"),
    ("clipboard-write", b"\x1b]52;c;cm0gLXJmIC8K\x07"),
    ("clipboard-read", b"\x1b]52;c;?\x07\x1b]52;p;?\x1b\\"),
    ("hyperlink", b"\x1b]8;;file:///etc/passwd\x1b\\safe.example\x1b]8;;\x1b\\"),
    ("hyperlink-unclosed", b"\x1b]8;id=1;javascript:alert(1)\x07click"),
    ("notification", b"\x1b]9;spam\x07\x1b]777;notify;a;b\x07\x1b]99;i=1;c\x1b\\"),
    ("working-directory", b"\x1b]7;file://evil/etc\x07\x1b]1337;CurrentDir=/etc\x07"),
    ("iterm-file", b"\x1b]1337;File=name=eA==;size=3;inline=0:QUJD\x07"),
    ("sixel", b"\x1bPq#0;2;0;0;0#0!9999~-!9999~\x1b\\"),
    ("kitty-image", b"\x1b_Gf=24,s=9999,v=9999,t=f;L2V0Yy9wYXNzd2Q=\x1b\\"),
    ("privacy-message", b"\x1b^secret\x1b\\\x1bXstart of string\x1b\\"),
    ("status-forged", b"\x1b]7501;state=done:app=claude-code\x1b\\\x1b]7501;state=clear\x1b\\"),
    ("status-broken", b"\x1b]7501;state=blocked:kind=:msg=%%%:app=\x1b\\\x1b]7501;\x07"),
    ("status-bad-base64", b"\x1b]7501;state=error:app=x:msg=////\xff=\x1b\\"),
    ("prompt-marks", b"\x1b]133;A\x07$ \x1b]133;B\x07\x1b]133;D;1\x07"),
    ("huge-parameters", b"\x1b[99999999999999999999;4294967296H\x1b[2147483647X"),
    ("huge-moves", b"\x1b[65535C\x1b[65535B\x1b[65535A\x1b[65535D\x1b[65535S\x1b[65535T"),
    ("huge-inserts", b"\x1b[65535L\x1b[65535M\x1b[65535@\x1b[65535P"),
    ("repeat", b"A\x1b[65535b"),
    ("sub-parameters", b"\x1b[4:3;58:2::255:0:0;38:5:999:1:2:3m\x1b[38;2m\x1b[38m"),
    ("scroll-region", b"\x1b[5;3r\x1b[0;0r\x1b[999;1000r\x1b[r"),
    ("margins", b"\x1b[?69h\x1b[10;5s\x1b[?69l"),
    ("origin-mode", b"\x1b[2;4r\x1b[?6h\x1b[999;999H\x1b[?6l\x1b[r"),
    ("tab-stops", b"\x1b[3g\t\t\t\x1bH\x1b[9999I\x1b[9999Z"),
    ("insert-mode", b"\x1b[4habc\x1b[4l\x1b[20h\n\x1b[20l"),
    ("character-sets", b"\x1b(0lqqk\x1b(B\x0e\x0f\x1b*0\x1bn\x1bo\x1b%G\x1b%@\x1b%G"),
    ("double-size", b"\x1b#3double\x1b#4\x1b#5\x1b#6wide\x1b#5"),
    ("alignment-test", b"\x1b#8\x1b[2J\x1b[H"),
    ("save-restore", b"\x1b8\x1b7\x1b7\x1b8\x1b8\x1b[s\x1b[u\x1b[u"),
    ("alternate-screen-twice", b"\x1b[?1049h\x1b[?1049h\x1b[?47h\x1b[?1047h\x1b[?1049l\x1b[?1049l"),
    (
        "mouse-modes",
        b"\x1b[?9;1000;1002;1003;1005;1006;1015;1016h\x1b[?9;1000;1002;1003;1005;1006;1015;1016l",
    ),
    ("kitty-keyboard", b"\x1b[>31u\x1b[>31u\x1b[=31;1u\x1b[?u\x1b[<99u\x1b[>4;2m\x1b[>4m"),
    ("paste-marks", b"\x1b[200~rm -rf half-typed\r\x1b[201~"),
    ("sync-unclosed", b"\x1b[?2026h\x1b[?2026hhidden\x1b[?2026l"),
    ("reverse-wrap", b"\x1b[?45h\x08\x08\x08\x1b[?45l"),
    ("cancelled", b"\x1b[31\x18m\x1b]0;cut\x1am\x1bPcut\x18"),
    ("escape-in-sequence", b"\x1b[3\x1b[31mred\x1b[0m\x1b\x1b\x1b[0m"),
    ("control-in-sequence", b"\x1b[3\r\n1mred\x1b[0m\x1b[\x07\x081m"),
    ("intermediates", b"\x1b[ q\x1b[5 q\x1b[!p\x1b[\"q\x1b[61\"p\x1b[1'}"),
    ("eight-bit-controls", b"\xc2\x9b31m\xc2\x9d0;t\xc2\x9c\xc2\x90q\xc2\x9c"),
    ("wide-at-the-edge", b"\x1b[999C\xe6\x97\xa5\xe6\x9c\xac\x1b[999C\xf0\x9f\x98\x80"),
    ("lone-combining", b"\r\xcc\x81\xe2\x80\x8d\xef\xb8\x8f\xe2\x80\x8b"),
    ("bells", b"\x07\x07\x07\x07\x07\x07\x07\x07"),
    ("soft-reset", b"\x1b[!p"),
    ("full-reset", b"\x1bc"),
];

/// Returns every sequence of the built-in corpus with its name.
pub(super) fn sequences() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> =
        SHORT.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    all.push(("huge-title".to_owned(), wrapped(b"\x1b]0;", b'T', 256 * 1024, b"\x07")));
    all.push(("huge-dcs".to_owned(), wrapped(b"\x1bPq", b'~', 256 * 1024, b"\x1b\\")));
    all.push(("huge-status".to_owned(), wrapped(b"\x1b]7501;state=", b'x', 70_000, b"\x1b\\")));
    all.push(("many-parameters".to_owned(), wrapped(b"\x1b[", b';', 10_000, b"m")));
    all.push(("many-digits".to_owned(), wrapped(b"\x1b[", b'9', 10_000, b"m")));
    all.push(("many-combining".to_owned(), ["e", &"\u{301}".repeat(5_000)].concat().into_bytes()));
    // Last: what never ends must not swallow the rest of the corpus, so it is cancelled.
    all.push(("unterminated".to_owned(), wrapped(b"\x1b]2;", b'U', 128 * 1024, b"\x18")));
    all
}

/// Puts one byte many times between a beginning and an end.
fn wrapped(begin: &[u8], fill: u8, count: usize, end: &[u8]) -> Vec<u8> {
    let mut bytes = begin.to_vec();
    bytes.resize(begin.len() + count, fill);
    bytes.extend_from_slice(end);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_there() {
        let all = sequences();
        assert!(all.len() > 50);
        assert!(all.iter().all(|(name, bytes)| !name.is_empty() && !bytes.is_empty()));
        let mut names: Vec<&String> = all.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn bad_utf8_is_bad_and_some_of_it_splits() {
        let whole: Vec<u8> = BAD_UTF8.concat();
        assert!(std::str::from_utf8(&whole).is_err());
        assert!(whole.contains(&0xff) && whole.contains(&0));
        assert!(whole.windows(3).any(|part| part == "✓".as_bytes()));
    }
}
