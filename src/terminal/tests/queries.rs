//! Which questions are answered how, whatever the batches they arrive in.

use super::{Fed, feed, feed_batch, terminal};
use crate::terminal::{Signal, Terminal};

/// A question, what came before it, and the answer; nothing of the question is forwarded.
const QUESTIONS: &[(&str, &str, &str)] = &[
    ("", "\x1b[c", "\x1b[?62;22c"),
    ("", "\x1b[0c", "\x1b[?62;22c"),
    ("", "\x1bZ", "\x1b[?62;22c"),
    ("", "\x1b[>c", "\x1b[>1;10;0c"),
    ("", "\x1b[=c", "\x1bP!|00000000\x1b\\"),
    ("", "\x1b[5n", "\x1b[0n"),
    ("ab\r\n", "\x1b[6n", "\x1b[2;1R"),
    ("\x1b[3;5H", "\x1b[?6n", "\x1b[?3;5R"),
    ("\x1b[2;4r\x1b[?6h\x1b[2;2H", "\x1b[6n", "\x1b[2;2R"),
    ("", "\x1b[?15n", ""),
    ("", "\x1b[?996n", "\x1b[?997;1n"),
    ("", "\x1b[?u", "\x1b[?0u"),
    ("\x1b[>5u", "\x1b[?u", "\x1b[?5u"),
    ("\x1b[>5u\x1b[=2;2u", "\x1b[?u", "\x1b[?7u"),
    ("\x1b[>5u\x1b[?1049h", "\x1b[?u", "\x1b[?0u"),
    ("\x1b[>5u\x1b[>1u\x1b[<u", "\x1b[?u", "\x1b[?5u"),
    ("", "\x1b[?2026$p", "\x1b[?2026;2$y"),
    ("\x1b[?2026h", "\x1b[?2026$p", "\x1b[?2026;1$y"),
    ("", "\x1b[?2027$p", "\x1b[?2027;0$y"),
    ("", "\x1b[?2031$p", "\x1b[?2031;0$y"),
    ("", "\x1b[?2048$p", "\x1b[?2048;0$y"),
    ("\x1b[?2004h", "\x1b[?2004$p", "\x1b[?2004;1$y"),
    ("\x1b[?1002;1006h", "\x1b[?1002$p\x1b[?1006$p", "\x1b[?1002;1$y\x1b[?1006;1$y"),
    ("", "\x1b[?25$p\x1b[?7$p\x1b[?1049$p", "\x1b[?25;1$y\x1b[?7;1$y\x1b[?1049;2$y"),
    ("\x1b[4h", "\x1b[4$p\x1b[20$p\x1b[7$p", "\x1b[4;1$y\x1b[20;2$y\x1b[7;0$y"),
    ("\x1b[>4;2m", "\x1b[?4m", "\x1b[>4;2m"),
    ("", "\x1b]10;?\x07", "\x1b]10;rgb:d0d0/d0d0/d0d0\x07"),
    ("", "\x1b]11;?\x1b\\", "\x1b]11;rgb:1010/1010/1010\x1b\\"),
    ("\x1b]11;#ffffff\x07", "\x1b]11;?\x07", "\x1b]11;rgb:ffff/ffff/ffff\x07"),
    ("", "\x1b]4;1;?\x07", "\x1b]4;1;rgb:cdcd/0000/0000\x07"),
    (
        "",
        "\x1b]4;16;?;255;?\x07",
        "\x1b]4;16;rgb:0000/0000/0000\x07\x1b]4;255;rgb:eeee/eeee/eeee\x07",
    ),
    ("", "\x1b]19;?\x07", ""),
    ("", "\x1b]52;c;?\x07", "\x1b]52;c;\x07"),
    ("", "\x1bP+q524742\x1b\\", "\x1bP1+r524742=382F382F38\x1b\\"),
    ("", "\x1bP+q5463;7A7A\x1b\\", "\x1bP1+r5463\x1b\\\x1bP0+r7A7A\x1b\\"),
    ("", "\x1bP+q\x1b\\", "\x1bP0+r\x1b\\"),
    ("\x1b[1;31m", "\x1bP$qm\x1b\\", "\x1bP1$r0;1;31m\x1b\\"),
    ("\x1b[2;4r", "\x1bP$qr\x1b\\", "\x1bP1$r2;4r\x1b\\"),
    ("\x1b[5 q", "\x1bP$q q\x1b\\", "\x1bP1$r5 q\x1b\\"),
    ("", "\x1bP$qevil\x1b\\", "\x1bP0$r\x1b\\"),
    ("", "\x1b[14t", "\x1b[4;80;160t"),
    ("", "\x1b[16t", "\x1b[6;16;8t"),
    ("", "\x1b[18t", "\x1b[8;5;20t"),
    ("\x1b]2;evil\x07", "\x1b[21t", ""),
    ("", "\x1b[20t", ""),
    ("", "\x05", ""),
    ("", "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", ""),
    ("", "\x1b]7501;?\x1b\\", "\x1b]7501;?\x1b\\"),
    ("", "\x1b]7501;?\x07\x1b[c", "\x1b]7501;?\x07\x1b[?62;22c"),
    ("", "\x1b[x", ""),
    ("", "\x1b[?1;1;0S", ""),
];

#[test]
fn answers() {
    let mut wrong = Vec::new();
    for (before, question, answer) in QUESTIONS {
        let mut terminal = terminal(20, 5);
        feed(&mut terminal, before.as_bytes(), usize::MAX);
        let fed = feed(&mut terminal, question.as_bytes(), usize::MAX);
        if fed.replies != answer.as_bytes() || !fed.forwarded.is_empty() {
            wrong.push(format!("{question:?}: {:?}", String::from_utf8_lossy(&fed.replies)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_version_names_us() {
    let fed = feed(&mut terminal(20, 5), b"\x1b[>q\x1b[>0q", usize::MAX);
    let text = String::from_utf8(fed.replies).unwrap();
    assert_eq!(text.matches("\x1bP>|stratavore(").count(), 2);
}

/// Streams whose every cut must make no difference.
fn streams() -> Vec<String> {
    let mut streams: Vec<String> = QUESTIONS
        .iter()
        .map(|(before, question, _)| format!("{before}a\u{20ac}{question}b\u{65e5}\u{1f469}"))
        .collect();
    streams.extend([
        "\x1b]0;title\x07\x1b]2;other;part\x1b\\".to_owned(),
        "\x07x\x1b]7;file://h/a%20b\x1b\\\x1b]9;note\x07\x1b]777;notify;a;b\x07".to_owned(),
        "\x1b]7501;state=working:app=x:msg=aGk=\x1b\\y".to_owned(),
        "a\x1b\x1b[31mb\x1b\rc\x1b]0;t\x1b[1mx\x1b[3\x181md\x1bP1;2qsixel\x1b\\e".to_owned(),
        "\u{9b}6n\u{85}\x1b[!p\x1b[3b\x1b(0q\x1b(B\x1b#8".to_owned(),
        "\x1b]52;c;aGVsbG8=\x07\x1b[?1049h\x1b[?25l\x1b[31;1mz".to_owned(),
    ]);
    streams
}

fn run(pieces: &[&[u8]]) -> (Fed, Terminal) {
    let mut terminal = terminal(20, 5);
    let mut fed = Fed::default();
    for piece in pieces {
        feed_batch(&mut terminal, piece, &mut fed);
    }
    (fed, terminal)
}

#[test]
fn cuts_make_no_difference() {
    for stream in streams() {
        let bytes = stream.as_bytes();
        let (whole, terminal) = run(&[bytes]);
        let text = terminal.screen_text();
        let same = |pieces: &[&[u8]], what: &str| {
            let (fed, terminal) = run(pieces);
            let mut signals = fed.signals.clone();
            signals.dedup_by(|a, b| *a == Signal::Bell && *b == Signal::Bell);
            assert_eq!(
                (&fed.forwarded, &fed.replies, &signals),
                (&whole.forwarded, &whole.replies, &whole.signals),
                "{stream:?} {what}"
            );
            assert_eq!(terminal.screen_text(), text, "{stream:?} {what}");
        };
        for cut in 0..=bytes.len() {
            let (a, b) = bytes.split_at(cut);
            same(&[a, b], &format!("cut at {cut}"));
        }
        same(&bytes.chunks(1).collect::<Vec<_>>(), "byte by byte");
    }
}

#[test]
fn batches_end_between_sequences_and_characters() {
    for stream in streams() {
        for cut in 0..=stream.len() {
            let mut terminal = terminal(20, 5);
            let mut fed = Fed::default();
            feed_batch(&mut terminal, &stream.as_bytes()[..cut], &mut fed);
            let text = std::str::from_utf8(&fed.forwarded).expect("whole characters");
            let again = terminal.scan(b"");
            assert!(again.forward(b"").is_empty());
            assert!(!text.ends_with(['\x1b', '[']), "{text:?}");
        }
    }
}

#[test]
fn signals_are_cleaned_copies() {
    let stream = "\x1b]0;a\x01b\u{202e}c\x07\x1b]7;file://h/x\x07\x1b]9;n\x1b\\\x07\x07";
    let fed = feed(&mut terminal(20, 5), stream.as_bytes(), usize::MAX);
    assert_eq!(
        fed.signals,
        [
            Signal::Title("abc".into()),
            Signal::Cwd("/x".into()),
            Signal::Notify("n".into()),
            Signal::Bell
        ]
    );
    assert_eq!(fed.forwarded, stream.as_bytes());
}

#[test]
fn learnt_colours_are_told() {
    let mut terminal = terminal(20, 5);
    terminal.set_colors((1, 2, 3), (250, 250, 250));
    let fed = feed(&mut terminal, b"\x1b]10;?\x07\x1b[?996n", usize::MAX);
    assert_eq!(fed.replies, b"\x1b]10;rgb:0101/0202/0303\x07\x1b[?997;2n");
}

#[test]
fn titles_are_stacked_in_order() {
    let mut terminal = terminal(20, 5);
    feed(&mut terminal, b"\x1b]2;a\x07\x1b[22t\x1b]2;b\x07", usize::MAX);
    assert_eq!(terminal.title(), "b");
    feed(&mut terminal, b"\x1b[23t", usize::MAX);
    assert_eq!(terminal.title(), "a");
}

#[test]
fn sync_is_told_and_holds_nothing_back() {
    let mut terminal = terminal(20, 5);
    feed(&mut terminal, b"\x1b[?2026hhello", usize::MAX);
    assert!(terminal.in_sync());
    assert_eq!(terminal.screen_text()[0], "hello");
    feed(&mut terminal, b"\x1b[?2026l", usize::MAX);
    assert!(!terminal.in_sync());
}
