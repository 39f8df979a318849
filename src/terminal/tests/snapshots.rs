//! A snapshot fed into a new terminal shows the same screen.

use proptest::prelude::*;

use super::visible::{differences, visible};
use super::{CAPTURES, feed, terminal};
use crate::domain::size::TerminalSize;
use crate::terminal::style::{Style, Tint};
use crate::terminal::{HistoryLimits, Modes, Terminal};

/// Feeds the snapshot into a terminal in some other state and compares.
fn check(original: &Terminal, what: &str) {
    let snapshot = original.snapshot(0);
    let dirty = "\x1b[?1049h\x1b[3;4r\x1b[?6h\x1b[4h\x1b(0\x1b[31;7m\x1b[?25l\x1b[?1003;1006h\x1b[>5u\
                 \x1b[3g\x1b]8;;http://z/\x07dirt\x1b[?7l\x1b[5 q\x1b7";
    for before in ["", dirty] {
        let mut copy = Terminal::new(original.size(), HistoryLimits::default());
        feed(&mut copy, before.as_bytes(), usize::MAX);
        let fed = feed(&mut copy, &snapshot, 4096);
        assert!(fed.replies.is_empty(), "a snapshot asks nothing");
        let differences = differences(&copy, original);
        assert!(differences.is_empty(), "{what}, after {before:?}: {differences}");
        assert!(!copy.in_sync());
        if original.modes().alternate {
            let mut left = Terminal::new(original.size(), HistoryLimits::default());
            feed(&mut left, &snapshot, 4096);
            feed(&mut left, b"\x1b[?1049l", 99);
            let primary: Vec<String> = original
                .screen()
                .tracker
                .primary
                .iter()
                .flat_map(|saved| saved.rows.iter().map(|row| row.text.trim_end().to_owned()))
                .collect();
            let shown: Vec<String> =
                left.screen_text().iter().map(|row| row.trim_end().to_owned()).collect();
            assert_eq!(shown, primary, "{what}: the primary screen");
        }
    }
}

const CORPUS: &[&str] = &[
    "",
    "hello\r\nworld",
    "\x1b[1;31mred\x1b[0m \x1b[4:3;58;2;1;2;3mcurly\x1b[0m \x1b[9mstruck",
    "\x1b[48;5;20m\x1b[2J\x1b[3;3Hx\x1b[K",
    "\x1b]8;;http://x/y;z\x1b\\link\x1b]8;;\x1b\\ \x1b]8;id=7;http://y/\x1b\\open",
    "\x1b[?1049h\x1b[2;2Halt\x1b[7m",
    "primary\x1b[>5u\x1b[?1049h\x1b[>1u\x1b[>3uhi\x1b[?25l",
    "\x1b[2;4r\x1b[?6h\x1b[2;3Hx",
    "\x1b[3g\x1b[1;4H\x1bH\x1b[1;9H\x1bH\x1b[2;2H",
    "01234567890123456789",
    "0123456789012345678\u{65e5}",
    "\x1b[1;18H\u{65e5}e\u{301}",
    "\x1b(0abc\x1b)0\x0e",
    "\x1b[4h\x1b[?7l\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[?1002h\x1b[?1006h\x1b[?1007l",
    "\x1b]2;a title\x07\x1b]7;file://h/a%20b\x07\x1b]4;1;#010203\x07\x1b]11;#ffffff\x07",
    "\x1b[3;3H\x1b[32m\x1b7\x1b[0m\x1b[1;1H",
    "\x1b[5 q\x1b[>4;2m\x1b[=3u\x1b[?66h\x1b[?9h",
];

#[test]
fn corpus() {
    for text in CORPUS {
        for (cols, rows) in [(20, 5), (80, 24), (2, 2)] {
            let mut original = terminal(cols, rows);
            feed(&mut original, text.as_bytes(), 7);
            check(&original, &format!("{text:?} at {cols}x{rows}"));
        }
    }
}

#[test]
fn recorded_agents_at_every_stage() {
    for (name, bytes) in CAPTURES {
        for (cols, rows) in [(120, 40), (80, 24), (33, 9)] {
            let mut original = terminal(cols, rows);
            for (stage, piece) in bytes.chunks(1500).enumerate() {
                feed(&mut original, piece, 4096);
                check(&original, &format!("{name} at {cols}x{rows}, stage {stage}"));
            }
        }
    }
}

#[test]
fn history_goes_to_the_scrollback_of_the_viewer() {
    let mut original = terminal(20, 5);
    for n in 0..50 {
        feed(&mut original, format!("line {n}\r\n").as_bytes(), 9);
    }
    for count in [0, 1, 3, 10, 1000] {
        let mut copy = terminal(20, 5);
        feed(&mut copy, &original.snapshot(count), 999);
        let kept = count.min(original.history_len());
        let expected = original.history(original.history_len() - kept, kept, false);
        let printed: Vec<_> =
            copy.history(0, 9999, false).into_iter().filter(|row| !row.is_empty()).collect();
        assert_eq!(printed, expected, "{count} rows");
        assert_eq!(copy.screen_text(), original.screen_text());
    }
}

#[test]
fn restoring_undoes_everything() {
    for text in CORPUS {
        let mut terminal = terminal(20, 5);
        feed(&mut terminal, text.as_bytes(), 99);
        feed(&mut terminal, Terminal::restore_sequence(), 99);
        let now = visible(&terminal);
        let fresh = Modes { cursor_visible: true, alternate_scroll: true, ..Modes::default() };
        assert_eq!(now.modes, fresh, "{text:?}");
        assert_eq!((now.region, now.pen), ((0, 5), Style::default()), "{text:?}");
        assert_eq!(now.keyboard, [0], "{text:?}");
        assert_eq!(terminal.screen().tracker.modify_other_keys, 0);
        assert_eq!(terminal.screen().tracker.cursor_style, None);
    }
}

#[test]
fn restoring_leaves_the_cursor_where_an_inline_program_left_it() {
    let mut terminal = terminal(20, 5);
    feed(&mut terminal, b"$ agent\r\noutput\x1b[2;3r\x1b[3;4H", 99);
    feed(&mut terminal, Terminal::restore_sequence(), 99);
    assert_eq!(terminal.cursor(), (2, 3));
}

/// Pieces of streams, weighted towards what changes the state.
pub(super) fn piece() -> impl Strategy<Value = String> {
    let number = prop_oneof![4 => 0..12u16, 1 => 0..200u16];
    prop_oneof![
        4 => "[a-zA-Z ]{1,30}".prop_map(|text: String| text),
        1 => "[\u{65e5}\u{1f469}\u{e9}\u{301}\u{200d}\u{fe0f}\u{2764}\u{1f3fd}\u{1f1e9}\u{2642}\u{17d8}\u{fffd}]{1,6}",
        2 => proptest::sample::select(vec!["\r", "\n", "\r\n", "\t", "\x08", "\x0e", "\x0f"])
            .prop_map(str::to_owned),
        4 => (number.clone(), number, proptest::sample::select(
            b"@ABCDEFGHIJKLMPSTXZ`abdefgmr".to_vec()))
            .prop_map(|(a, b, last)| format!("\x1b[{a};{b}{}", char::from(last))),
        2 => (0..110u16).prop_map(|n| format!("\x1b[{n}m")),
        1 => (any::<u8>(), 0..3u8).prop_map(|(n, role)| {
            format!("\x1b[{}8;5;{n}m", 3 + role)
        }),
        3 => (proptest::sample::select(vec![
            1u16, 3, 6, 7, 9, 12, 25, 47, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1016, 1047,
            1048, 1049, 2004,
        ]), any::<bool>())
            .prop_map(|(mode, on)| format!("\x1b[?{mode}{}", if on { 'h' } else { 'l' })),
        3 => proptest::sample::select(vec![
            "\x1bM", "\x1bD", "\x1bE", "\x1b7", "\x1b8", "\x1bH", "\x1b(0", "\x1b(B", "\x1b)0",
            "\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[20l", "\x1b[s", "\x1b[u", "\x1b[!p", "\x1b=",
            "\x1b>", "\x1b[>5u", "\x1b[<u", "\x1b[=3;1u", "\x1b[5 q", "\x1b[0 q", "\x1b#8",
            "\x1b[?5h", "\x1b[5m", "\x1b[2b", "\x1b[?2J", "\x1b[?3;7l", "\x1b(A", "\x1b#3", "\x1b]104\x07",
            "\x1b]4;1;#123456\x07", "\x1b[4:3m", "\x1b[58;2;9;8;7m", "\x1b]8;;http://x/\x1b\\", "\x1b]8;;\x1b\\",
            "\x1b]2;title\x07", "\x1b[22t", "\x1b[23t", "\x1b[2J", "\x1b[3J", "\x1bc",
        ])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_streams(
        pieces in proptest::collection::vec(piece(), 1..60),
        size in proptest::sample::select(vec![(2u16, 2u16), (5, 3), (20, 5), (80, 24)]),
        batch in 1..40usize,
        resized in proptest::option::of((2..40u16, 2..10u16)),
    ) {
        let bytes = pieces.concat().into_bytes();
        let mut original = terminal(size.0, size.1);
        let (first, second) = bytes.split_at(bytes.len() / 2);
        feed(&mut original, first, batch);
        if let Some((cols, rows)) = resized {
            original.resize(TerminalSize::new(cols, rows));
        }
        feed(&mut original, second, batch);
        prop_assert!(!original.is_degraded());
        check(&original, "random");
    }
}

#[test]
fn colours_of_all_kinds_survive() {
    let style = |terminal: &Terminal| Style::of(&terminal.screen().term.grid().cursor.template);
    let mut original = terminal(20, 5);
    for (sgr, fg) in [
        ("31", Tint::Indexed(1)),
        ("95", Tint::Indexed(13)),
        ("38;5;99", Tint::Indexed(99)),
        ("38;2;1;2;3", Tint::Rgb(1, 2, 3)),
        ("38:2::4:5:6", Tint::Rgb(4, 5, 6)),
    ] {
        feed(&mut original, format!("\x1b[{sgr}m").as_bytes(), 99);
        assert_eq!(style(&original).fg, fg);
        check(&original, sgr);
    }
}
