//! What the screen can do: bytes in, cells out.
//!
//! What it is known not to do is listed and asserted too, so that an improvement is noticed.

use super::{feed, shown, terminal};
use crate::domain::size::TerminalSize;

/// A probe: name, bytes, and the rows expected on a 20×5 screen.
type Probe = (&'static str, &'static str, &'static [&'static str]);

const PROBES: &[Probe] = &[
    ("DEC line drawing", "\x1b(0qx\x1b(Bq", &["\u{2500}\u{2502}q"]),
    ("REP", "ab\x1b[3b", &["abbbb"]),
    ("HTS and TBC", "\x1b[3g\x1b[1;5H\x1bH\r\tx", &["    x"]),
    ("CBT", "\x1b[1;18H\x1b[Zx", &["                x"]),
    ("CHT", "\x1b[2Ix", &["                x"]),
    ("IND and NEL", "a\x1bDb\x1bEc", &["a", " b", "c"]),
    ("IRM", "bc\r\x1b[4ha\x1b[4ld", &["adc"]),
    ("DECAWM off", "\x1b[?7l012345678901234567890123", &["01234567890123456783"]),
    ("DECSTR", "\x1b[4h\x1b[?6h\x1b[2;3r\x1b[!p\x1b[Hbc\ra", &["ac"]),
    ("SCOSC and SCORC", "\x1b[2;3H\x1b[sxx\x1b[1;1H\x1b[uy", &["", "  yx"]),
    ("DECALN", "\x1b#8\x1b[2J\x1b[Hx", &["x"]),
    ("1047", "a\x1b[?1047hb\x1b[?1047lc", &["a c"]),
    ("1049", "a\x1b[?1049h\x1b[Hb\x1b[?1049lc", &["ac"]),
    ("wide characters", "\u{65e5}\u{672c}x\x1b[1;5Hy", &["\u{65e5}\u{672c}y"]),
    ("flags", "\u{1f1e9}\u{1f1ea}x\x1b[1;3Hy", &["\u{1f1e9}\u{1f1ea}y"]),
    ("VS16 widens", "\u{2764}\u{fe0f}x\x1b[1;3Hy", &["\u{2764}\u{fe0f}y"]),
    ("ZWJ joins", "\u{1f468}\u{200d}\u{1f469}x\x1b[1;3Hy", &["\u{1f468}\u{200d}\u{1f469}y"]),
    ("combining", "e\u{301}x", &["e\u{301}x"]),
    ("DECSTBM and RI", "1\r\n2\r\n3\x1b[2;3r\x1b[2;1H\x1bMx", &["1", "x", "2"]),
    ("origin mode", "\x1b[2;4r\x1b[?6h\x1b[1;1Hx\x1b[9;1Hy", &["", "x", "", "y"]),
    ("cursor up stops at the margin", "\x1b[2;4r\x1b[3;1H\x1b[9Ax", &["", "x"]),
    ("CHA in origin mode", "\x1b[2;4r\x1b[?6h\x1b[2;1H\x1b[3Gx", &["", "", "  x"]),
    ("ECH splits a wide character", "\u{65e5}x\x1b[1;2H\x1b[X", &["  x"]),
    ("tab over text", "abc\r\tx", &["abc     x"]),
];

/// What the engine gets wrong: the rows it shows instead.
const KNOWN_GAPS: &[Probe] = &[("DECSLRM", "\x1b[?69h\x1b[3;6s\x1b[1;3Habcdefg", &["  abcdefg"])];

fn rows(text: &str) -> Vec<String> {
    let mut rows = shown(text).screen_text();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

#[test]
fn features() {
    let wrong: Vec<_> = PROBES
        .iter()
        .filter(|(_, bytes, expected)| rows(bytes) != *expected)
        .map(|(name, bytes, expected)| format!("{name}: {:?}, expected {expected:?}", rows(bytes)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn known_gaps_are_still_there() {
    for (name, bytes, shown_instead) in KNOWN_GAPS {
        assert_eq!(rows(bytes), *shown_instead, "{name} has changed: move it to the probes");
    }
}

#[test]
fn the_whole_screen_is_filled_by_the_alignment_test() {
    assert_eq!(shown("\x1b#8").screen_text(), vec!["E".repeat(20); 5]);
}

#[test]
fn text_is_wrapped_anew_in_a_wider_terminal() {
    let mut terminal = shown("0123456789012345678901234");
    terminal.resize(TerminalSize::new(40, 5));
    assert_eq!(terminal.screen_text()[0], "0123456789012345678901234");
}

#[test]
fn nothing_is_lost_by_narrowing_though_the_top_moves_to_the_history() {
    let mut terminal = terminal(40, 3);
    feed(&mut terminal, b"0123456789abcdefghijKLMNOPQRSTuvwxyz\r\nnext", 9);
    terminal.resize(TerminalSize::new(10, 3));
    assert_eq!(terminal.history(0, 9, false), ["0123456789", "abcdefghij", "KLMNOPQRST"]);
    assert_eq!(terminal.screen_text(), ["uvwxyz", "next", ""]);
    // A known gap: the history is not pulled back in.
    terminal.resize(TerminalSize::new(40, 3));
    assert_eq!(terminal.screen_text(), ["uvwxyz", "next", ""]);
    assert_eq!(terminal.search("0123456789abcdefghijKLMNOPQRST", 1).len(), 1);
}

#[test]
fn rows_scrolled_off_are_in_the_history_once() {
    for text in ["a\r\nb\r\nc\r\nd\r\ne\r\nf", "a\x1b[2;1Hb\x1b[3;1Hc\x1b[4;1Hd\x1b[5;1He\x1b[S"] {
        assert_eq!(shown(text).history(0, 9, false), ["a"], "{text:?}");
    }
    let wrapped = shown(&"x".repeat(101));
    assert_eq!(wrapped.history(0, 9, false), ["x".repeat(20)]);
    let wide = shown(&format!("{}\u{65e5}", "y".repeat(99)));
    assert_eq!(wide.history(0, 9, false), ["y".repeat(20)]);
    let repeated = shown("z\x1b[120b");
    // REP stops at one screenful.
    assert_eq!(repeated.history_len(), 1);
}

#[test]
fn rows_scrolled_within_a_region_or_the_alternate_screen_are_not_kept() {
    let lines = "a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng";
    assert_eq!(shown(&format!("\x1b[2;4r{lines}")).history_len(), 0);
    assert_eq!(shown(&format!("\x1b[?1049h{lines}")).history_len(), 0);
    // A status line at the bottom does not keep the rest from the history.
    assert_eq!(shown(&format!("\x1b[1;3r{lines}")).history(0, 9, false), ["a", "b", "c", "d"]);
}

#[test]
fn clearing_the_scrollback_clears_ours() {
    assert_eq!(shown("a\r\nb\r\nc\r\nd\r\ne\r\nf\x1b[2J\x1b[3J").history_len(), 0);
}

#[test]
fn history_keeps_its_colours_and_nothing_else() {
    let terminal =
        shown("\x1b[1;31mred\x1b[0m\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\\n\n\n\n\n\n");
    assert_eq!(terminal.history(0, 1, true), ["\x1b[0;1;31mred\x1b[mlink"]);
    assert_eq!(terminal.history(0, 1, false), ["redlink"]);
}

#[test]
fn search_finds_lines_in_history_and_on_screen() {
    let text = format!("Alpha\r\n{}needle\r\nb\r\nc\r\nd\r\ne\r\nneedle two", "x".repeat(17));
    let terminal = shown(&text);
    let found = terminal.search("needle", 9);
    assert_eq!(found[0], (1, format!("{}needle", "x".repeat(17))));
    assert_eq!(found[1], (7, "needle two".into()));
    assert_eq!(terminal.search("alpha", 9).len(), 1);
    assert_eq!(terminal.search("ALPHA", 9).len(), 0);
    assert_eq!(terminal.search("needle", 1).len(), 1);
    assert!(terminal.search("needle", 0).is_empty());
}

#[test]
fn resizing_on_the_alternate_screen_keeps_the_primary_one() {
    let mut terminal = terminal(20, 5);
    feed(&mut terminal, b"one\r\ntwo\r\nthree\r\nfour\r\nfive\x1b[?1049h\x1b[Halt", 99);
    terminal.resize(TerminalSize::new(30, 3));
    assert_eq!(terminal.screen_text(), ["alt", "", ""]);
    assert_eq!(terminal.history(0, 9, false), ["one", "two"]);
    feed(&mut terminal, b"\x1b[?1049l", 99);
    assert_eq!(terminal.screen_text(), ["three", "four", "five"]);
    assert_eq!(terminal.cursor(), (2, 4));
}
