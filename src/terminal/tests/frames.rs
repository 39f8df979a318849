//! Frames decoded by a mirror show what the terminal shows.

use proptest::prelude::*;

use super::snapshots::piece;
use super::{CAPTURES, feed, terminal};
use crate::domain::size::TerminalSize;
use crate::terminal::cluster::glyphs;
use crate::terminal::line::Line;
use crate::terminal::{FrameEncoder, Mirror, Pane, Terminal};

/// The rows as a frame carries them: selectors, joined partners and surplus marks are left out.
fn expected(terminal: &Terminal) -> Vec<String> {
    let row = |row: u16| {
        let mut bytes = Vec::new();
        for glyph in glyphs(&Line::of(terminal.screen().row(usize::from(row)))) {
            glyph.write(&mut bytes);
        }
        String::from_utf8(bytes).unwrap().trim_end_matches(' ').to_owned()
    };
    (0..terminal.size().rows()).map(row).collect()
}

#[test]
fn recorded_agents_look_the_same_in_a_mirror() {
    for (name, bytes) in CAPTURES {
        for (cols, rows) in [(120, 40), (80, 24), (40, 10)] {
            let size = TerminalSize::new(cols, rows);
            let mut terminal = terminal(cols, rows);
            let mut encoder = FrameEncoder::new();
            let mut mirror = Mirror::new(size);
            let mut late = Mirror::new(size);
            let mut before = late.snapshot();
            late.feed(&mirror.full());
            for (stage, piece) in bytes.chunks(700).enumerate() {
                feed(&mut terminal, piece, 4096);
                if let Some(frame) = encoder.encode(&terminal) {
                    mirror.feed(&frame);
                }
                assert_eq!(mirror.text(), expected(&terminal), "{name} {cols}x{rows} at {stage}");
                assert_eq!(encoder.encode(&terminal), None, "nothing has changed");
                if stage % 3 == 0 {
                    late.feed(&mirror.diff(&before));
                    before = mirror.snapshot();
                    assert_eq!(late.text(), mirror.text(), "{name}: the late mirror at {stage}");
                    assert_eq!(late.title(), mirror.title());
                }
            }
            assert_eq!(mirror.title(), terminal.title().replace(';', ","));
        }
    }
}

#[test]
fn a_pane_knows_the_modes() {
    for (name, bytes) in CAPTURES {
        let mut terminal = terminal(80, 24);
        let mut encoder = FrameEncoder::new();
        let mut pane = Pane::new(terminal.size());
        for piece in bytes.chunks(500) {
            feed(&mut terminal, piece, 4096);
            if let Some(frame) = encoder.encode(&terminal) {
                pane.feed(&frame);
            }
            assert_eq!(pane.modes(), terminal.modes(), "{name}");
            let cursor = terminal.modes().cursor_visible.then(|| terminal.cursor());
            assert_eq!(pane.cursor(), cursor, "{name}");
        }
    }
}

#[test]
fn frames_after_a_reset_or_a_resize_are_full() {
    let mut terminal = terminal(20, 5);
    feed(&mut terminal, b"hello\x1b[?1h\x1b]2;t\x07", 99);
    let mut encoder = FrameEncoder::new();
    let first = encoder.encode(&terminal).unwrap();
    assert!(first.starts_with(b"\x1bc"));
    encoder.reset();
    assert_eq!(encoder.encode(&terminal), Some(first));
    terminal.resize(TerminalSize::new(30, 4));
    let mut mirror = Mirror::new(TerminalSize::new(20, 5));
    mirror.feed(b"old stuff");
    mirror.resize(terminal.size());
    let frame = encoder.encode(&terminal).unwrap();
    assert!(frame.starts_with(b"\x1bc"));
    mirror.feed(&frame);
    assert_eq!(mirror.text(), expected(&terminal));
}

#[test]
fn small_changes_make_small_frames() {
    let mut terminal = terminal(120, 40);
    feed(&mut terminal, b"\x1b[2;1H> \x1b[38;5;99mprompt\x1b[0m \xe2\x9c\xbb", 99);
    let mut encoder = FrameEncoder::new();
    let full = encoder.encode(&terminal).unwrap();
    assert!(full.len() < 300, "{}", full.len());
    feed(&mut terminal, b"x", 99);
    let frame = encoder.encode(&terminal).unwrap();
    assert!(frame.len() < 30, "{:?}", String::from_utf8_lossy(&frame));
}

#[test]
fn wide_joined_and_hidden_text_keeps_its_columns() {
    let mut terminal = terminal(20, 5);
    let mut encoder = FrameEncoder::new();
    let mut mirror = Mirror::new(terminal.size());
    for text in [
        "\u{2764}\u{fe0f}x\u{1f468}\u{200d}\u{1f469}y",
        "\r\x1b[3Ce\u{301}\u{302}",
        "\r\u{65e5}\u{672c}z",
        "\r\n\x1b[8mhidden\x1b[0m!",
        "\x1b[1;1H\x1b[2K\x1b[41m \x1b[44m  \x1b[0m",
        "\x1b[1;2H\x1b[X",
        "\x1b[1;20H\u{e9}\u{301}",
    ] {
        feed(&mut terminal, text.as_bytes(), 99);
        mirror.feed(&encoder.encode(&terminal).unwrap());
        assert_eq!(mirror.text(), expected(&terminal), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_streams_look_the_same_in_a_mirror(
        pieces in proptest::collection::vec(piece(), 1..40),
        size in proptest::sample::select(vec![(2u16, 2u16), (7, 3), (20, 5), (80, 24)]),
    ) {
        let mut terminal = terminal(size.0, size.1);
        let mut encoder = FrameEncoder::new();
        let mut mirror = Mirror::new(terminal.size());
        for piece in &pieces {
            feed(&mut terminal, piece.as_bytes(), 99);
            if let Some(frame) = encoder.encode(&terminal) {
                mirror.feed(&frame);
            }
            prop_assert_eq!(mirror.text(), expected(&terminal));
        }
        let mut copy = Mirror::new(terminal.size());
        copy.feed(&mirror.full());
        prop_assert_eq!(copy.text(), mirror.text());
    }
}
