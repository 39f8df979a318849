//! Input meant to do harm: memory stays bounded, nothing panics.

use proptest::prelude::*;

use super::{feed, terminal};
use crate::domain::size::TerminalSize;
use crate::terminal::{FrameEncoder, HistoryLimits, InputFilter, Mirror, Terminal};

const CHUNK: usize = 64 * 1024;

#[test]
fn unterminated_strings_are_not_stored() {
    for intro in [
        "\x1b]0;",
        "\x1b]52;c;",
        "\x1b]8;;",
        "\x1bPq",
        "\x1bP+q",
        "\x1b_G",
        "\x1b^",
        "\x1bX",
        "\x1b[",
    ] {
        let mut terminal = terminal(80, 24);
        let mut replies = Vec::new();
        let mut forwarded = 0;
        let filler = vec![b'1'; CHUNK];
        for batch in std::iter::once(intro.as_bytes())
            .chain(std::iter::repeat_n(filler.as_slice(), 200 * 1024 * 1024 / CHUNK))
        {
            let scan = terminal.scan(batch);
            forwarded += scan.forward(batch).len();
            terminal.apply(batch, &scan, &mut replies);
            assert!(terminal.buffered_bytes() <= 3 << 20, "{intro:?}");
        }
        assert_eq!((forwarded, replies.len()), (0, 0), "{intro:?}");
        feed(&mut terminal, b"\x1b\\m\x1b[Hstill alive", 99);
        assert_eq!(terminal.screen_text()[0], "still alive", "{intro:?}");
    }
}

#[test]
fn an_endless_line_stays_within_the_limits() {
    let limits = HistoryLimits { lines: 10_000, bytes: 256 * 1024 };
    let mut terminal = Terminal::new(TerminalSize::new(80, 24), limits);
    for n in 0..2000u32 {
        let noise: Vec<u8> = (0..8192u32)
            .map(|at| at.wrapping_mul(2_654_435_761).wrapping_add(n).to_le_bytes()[2] % 90 + b'!')
            .collect();
        feed(&mut terminal, &noise, CHUNK);
    }
    assert!(terminal.history_len() <= 10_000);
    assert!(terminal.buffered_bytes() < 512 * 1024, "{}", terminal.buffered_bytes());
    assert!(terminal.search("no such text", 1).is_empty());
}

#[test]
fn endless_clusters_stacks_and_titles_are_cut() {
    let mut terminal = terminal(20, 5);
    feed(&mut terminal, b"a", 9);
    feed(&mut terminal, "\u{301}".repeat(100_000).as_bytes(), 4096);
    assert!(terminal.screen_text()[0].chars().count() < 20);
    feed(&mut terminal, "\x1b[>1u\x1b[22t".repeat(50_000).as_bytes(), 4096);
    feed(&mut terminal, format!("\x1b]2;{}\x07", "t".repeat(4000)).as_bytes(), 4096);
    assert_eq!(terminal.title().chars().count(), 512);
    assert!(terminal.snapshot(0).len() < 4096);
}

#[test]
fn cheap_requests_do_not_cost_dear() {
    let mut terminal = terminal(80, 24);
    for text in
        ["\x1b[65535b", "\x1b[65535Z", "\x1b[65535I", "\x1b[65535S", "\x1b[65535M", "\x1b[65535@"]
    {
        feed(&mut terminal, format!("\x1b[3gx{}", text.repeat(200)).as_bytes(), 4096);
    }
    assert!(!terminal.is_degraded());
}

#[test]
fn resize_storms() {
    let mut terminal = terminal(80, 24);
    let mut x = 7u32;
    for round in 0..2000u32 {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let cols = (x >> 24) as u16 % 140;
        let rows = (x >> 16) as u16 % 50;
        terminal.resize(TerminalSize::new(cols, rows));
        let text = match round % 5 {
            0 => "\x1b[?1049h\x1b[9;9Htext \u{65e5}\u{672c}",
            1 => "\x1b[?1049l",
            2 => "\x1b[2;4r\x1b[?6h",
            3 => "some text that is long enough to wrap in a narrow terminal \u{1f469}\r\n",
            _ => "\x1b[r\x1b[?6l\x1b7\x1b[999;999H\x1b8",
        };
        feed(&mut terminal, text.as_bytes(), 99);
    }
    assert!(!terminal.is_degraded());
    assert!(terminal.buffered_bytes() < 2 << 20);
}

#[test]
fn extreme_sizes() {
    for (cols, rows) in [(0, 0), (1, 1), (2, 2), (u16::MAX, u16::MAX), (1000, 2), (2, 500)] {
        let mut terminal = terminal(cols, rows);
        feed(&mut terminal, "\u{65e5}\u{672c}abc\r\n\x1b[999;999Hx\x1b[2J".as_bytes(), 5);
        terminal.resize(TerminalSize::new(rows, cols));
        let mut encoder = FrameEncoder::new();
        let mut mirror = Mirror::new(terminal.size());
        mirror.feed(&encoder.encode(&terminal).unwrap());
        assert!(!terminal.is_degraded());
        terminal.settle();
        while terminal.pack() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(
        bytes in proptest::collection::vec(
            prop_oneof![
                4 => any::<u8>(),
                2 => proptest::sample::select(b"\x1b\x1b\x1b[]P_^\\;?0123456789hlmHJKrqcnptu\x07\x18\xc2\x9b".to_vec()),
            ],
            0..600,
        ),
        batch in 1..50usize,
    ) {
        let mut terminal = terminal(20, 5);
        let mut encoder = FrameEncoder::new();
        let mut mirror = Mirror::new(terminal.size());
        for piece in bytes.chunks(batch) {
            feed(&mut terminal, piece, batch);
            if let Some(frame) = encoder.encode(&terminal) {
                mirror.feed(&frame);
            }
        }
        prop_assert!(!terminal.is_degraded());
        let snapshot = terminal.snapshot(100);
        prop_assert!(std::str::from_utf8(&snapshot).is_ok());
        prop_assert!(terminal.history(0, 999, true).iter().all(|row| !row.contains('\n')));
        let mut out = Vec::new();
        let mut filter = InputFilter::new();
        for piece in bytes.chunks(batch) {
            filter.filter(piece, &mut out);
        }
    }

    #[test]
    fn batches_do_not_matter(
        bytes in proptest::collection::vec(
            prop_oneof![
                3 => proptest::sample::select(b"abc \r\n\t".to_vec()),
                3 => proptest::sample::select(b"\x1b\x1b\x1b[]P_\\;?0123456789hlmHJKrqcnptu\x07\x18\xe2\x82\xac\xc2\x9b\xff".to_vec()),
            ],
            0..300,
        ),
        batch in 1..20usize,
    ) {
        let mut whole = terminal(20, 5);
        let mut pieces = terminal(20, 5);
        let one = feed(&mut whole, &bytes, usize::MAX);
        let many = feed(&mut pieces, &bytes, batch);
        prop_assert_eq!(one.forwarded, many.forwarded);
        prop_assert_eq!(one.replies, many.replies);
        prop_assert_eq!(whole.screen_text(), pieces.screen_text());
        prop_assert_eq!(whole.cursor(), pieces.cursor());
    }
}
