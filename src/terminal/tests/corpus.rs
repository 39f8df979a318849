//! The corpus: what a terminal shows, on every way that the bytes can take to an eye.
//!
//! Each case of `tests/fixtures/terminal/cases.txt` and each recorded agent goes through
//!
//! * the supervisor's screen, which must show what the case says;
//! * raw attach: a terminal that is given what is forwarded, and the pictures for switches of
//!   screens, from the first byte on;
//! * reattach: one that is given a snapshot after any byte and then what is forwarded; both as an
//!   inline viewer (`snapshot`) and as one on its own alternate screen (`picture`);
//! * a pane: frames from the first byte on, and from any byte on, and through the daemon's mirror.
//!
//! At the end all of them show the same, cell by cell, and are in the same state.
//!
//! What the pane's decoder (vt100 0.18.1) cannot hold, and frames therefore leave out:
//!
//! * bold and faint at once: it is faint;
//! * underline other than single, its colour, struck text, blinking; hidden text arrives as blanks;
//! * hyperlinks;
//! * more than 22 bytes in a cell: of marks the first four;
//! * emoji joined by U+200D, and skin tones: the first emoji alone, in its two columns;
//! * U+FFFD: a question mark;
//! * U+FE00–U+FE0E, U+200C, U+200D: they show nothing;
//! * DECSCNM, DECSCUSR, the palette: a pane has the dashboard's;
//! * SGR mouse in pixels (told as in cells), scroll region, tab stops, character sets: frames need none.
//!
//! What the engine does not keep, so that a reattached viewer may look otherwise: overlining (SGR 53),
//! hyperlinks of the primary screen while the alternate one is shown, colours given by name (OSC 4;1;red),
//! what was saved with DECSC on the screen that is hidden, whether rows that are full go on in the next one,
//! and how many U+FFFD a viewer shows for malformed UTF-8.

use std::fmt::Write as _;

use alacritty_terminal::term::cell::Flags;

use proptest::prelude::*;

use super::snapshots::piece;
use super::visible::{Visible, between, visible};
use super::{CAPTURES, Fed, feed, feed_batch};
use crate::domain::size::TerminalSize;
use crate::terminal::cluster::glyphs;
use crate::terminal::line::Line;
use crate::terminal::style::{INVERSE, Style};
use crate::terminal::{FrameEncoder, HistoryLimits, Mirror, Pane, Terminal};

const CASES: &str = include_str!("../../../tests/fixtures/terminal/cases.txt");

/// What happens to a terminal.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Input(Vec<u8>),
    Resize(TerminalSize),
}

/// One case.
#[derive(Debug, Default)]
struct Case {
    name: String,
    size: Option<TerminalSize>,
    steps: Vec<Step>,
    /// What must be true after so many steps.
    checks: Vec<(usize, Check)>,
}

#[derive(Debug)]
enum Check {
    Row(String),
    At(u16, u16, bool),
    Look(usize, usize, String),
    Wide(usize, usize),
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next().expect("an escape") {
            'e' => out.push(0x1b),
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'b' => out.push(8),
            'a' => out.push(7),
            '\\' => out.push(b'\\'),
            'x' => {
                let digits: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&digits, 16).expect("two hexadecimal digits"));
            }
            'u' => {
                let digits: String =
                    chars.by_ref().skip(1).take_while(|digit| *digit != '}').collect();
                let c = char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap();
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => panic!("no such escape: {other}"),
        }
    }
    out
}

fn pair<T: std::str::FromStr>(text: &str, between: char) -> (T, T) {
    let (a, b) = text.split_once(between).unwrap_or_else(|| panic!("a pair: {text}"));
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("a number: {text}"));
    (number(a), number(b))
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case { name: name.to_owned(), ..Case::default() });
            continue;
        }
        let case = cases.last_mut().expect("a name first");
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let at = case.steps.len();
        match word {
            "size" => {
                let (cols, rows) = pair(rest, 'x');
                let size = TerminalSize::new(cols, rows);
                if at == 0 { case.size = Some(size) } else { case.steps.push(Step::Resize(size)) }
            }
            "in" => case.steps.push(Step::Input(unescaped(rest))),
            "row" => {
                let row = String::from_utf8(unescaped(rest)).unwrap();
                case.checks.push((at, Check::Row(row.trim_end_matches(' ').to_owned())));
            }
            "at" => {
                let (place, waits) = rest.split_once(' ').unwrap_or((rest, ""));
                let (row, col) = pair::<u16>(place, ',');
                case.checks.push((at, Check::At(row - 1, col - 1, waits == "waits")));
            }
            "look" => {
                let (place, look) = rest.split_once(' ').expect("a place and a look");
                let (row, col) = pair::<usize>(place, ',');
                case.checks.push((at, Check::Look(row - 1, col - 1, look.to_owned())));
            }
            "wide" => {
                let (row, col) = pair::<usize>(rest, ',');
                case.checks.push((at, Check::Wide(row - 1, col - 1)));
            }
            other => panic!("no such word: {other}"),
        }
    }
    assert!(cases.len() > 100, "the corpus was not read");
    cases
}

fn new(case: &Case) -> Terminal {
    let size = case.size.unwrap_or(TerminalSize::new(20, 5));
    Terminal::new(size, HistoryLimits::default())
}

/// Checks a terminal after so many steps, returns what is wrong.
fn check(case: &Case, steps: usize, terminal: &Terminal) -> String {
    let mut wrong = String::new();
    let mut rows: Vec<&str> = Vec::new();
    let screen = terminal.screen();
    for (_, check) in case.checks.iter().filter(|(at, _)| *at == steps) {
        match check {
            Check::Row(row) => rows.push(row),
            Check::At(row, col, waits) => {
                let pending = screen.term.grid().cursor.input_needs_wrap;
                if (terminal.cursor(), pending) != ((*row, *col), *waits) {
                    writeln!(wrong, "cursor {:?} {pending}", terminal.cursor()).unwrap();
                }
            }
            Check::Look(row, col, look) => {
                let mut found = Vec::new();
                Style::of(&screen.row(*row)[*col]).write_sgr(&mut found);
                let found = String::from_utf8(found[2..found.len() - 1].to_vec()).unwrap();
                if found != *look {
                    writeln!(wrong, "{row},{col} looks {found}, not {look}").unwrap();
                }
            }
            Check::Wide(row, col) => {
                let cells = screen.row(*row);
                let is = |at: usize, flag| cells.get(at).is_some_and(|it| it.flags.contains(flag));
                if !is(*col, Flags::WIDE_CHAR) || !is(col + 1, Flags::WIDE_CHAR_SPACER) {
                    writeln!(wrong, "{row},{col} is not wide").unwrap();
                }
            }
        }
    }
    if !rows.is_empty() {
        let text = terminal.screen_text();
        rows.resize(text.len(), "");
        if text != rows {
            writeln!(wrong, "{text:?}\n  for {rows:?}").unwrap();
        }
    }
    wrong
}

#[test]
fn screens_are_as_the_cases_say() {
    let mut wrong = String::new();
    for case in cases() {
        let mut terminal = new(&case);
        for (at, step) in case.steps.iter().enumerate() {
            match step {
                Step::Input(bytes) => drop(feed(&mut terminal, bytes, usize::MAX)),
                Step::Resize(size) => terminal.resize(*size),
            }
            let found = check(&case, at + 1, &terminal);
            if !found.is_empty() {
                writeln!(wrong, "== {}\n{found}", case.name).unwrap();
            }
        }
        assert!(!terminal.is_degraded(), "{}", case.name);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// How a viewer is shown the present.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Inline,
    Alternate,
}

/// A terminal that is attached to another one.
struct Attached {
    terminal: Terminal,
    kind: Kind,
}

impl Attached {
    /// A user's terminal, in the state that something else has left it in.
    fn new(to: &Terminal, kind: Kind) -> Self {
        let mut terminal = Terminal::new(to.size(), HistoryLimits::default());
        feed(
            &mut terminal,
            b"dirt\x1b[3;4r\x1b[?6h\x1b(0\x1b[31;5;7m\x1b[?25l\x1b[3g\x1b7\x0e",
            99,
        );
        if kind == Kind::Alternate {
            feed(&mut terminal, b"\x1b[?1049h", 99);
        }
        let mut attached = Self { terminal, kind };
        attached.catch_up(to);
        attached
    }

    fn catch_up(&mut self, to: &Terminal) {
        let bytes = match self.kind {
            Kind::Inline => to.snapshot(0),
            Kind::Alternate => to.picture(),
        };
        let fed = feed(&mut self.terminal, &bytes, 4096);
        assert!(fed.replies.is_empty(), "a picture asks nothing");
    }

    /// Its state; what the viewer on the alternate screen has no part in is taken from the other.
    fn visible(&self, other: &Terminal) -> Visible {
        let mut visible = visible(&self.terminal);
        if self.kind == Kind::Alternate {
            visible.forget_screens(other);
        }
        visible
    }
}

/// A pane, and what brings it up to date.
struct Watching {
    encoder: FrameEncoder,
    pane: Pane,
    mirror: Mirror,
}

impl Watching {
    fn new(size: TerminalSize) -> Self {
        Self { encoder: FrameEncoder::new(), pane: Pane::new(size), mirror: Mirror::new(size) }
    }

    fn catch_up(&mut self, terminal: &Terminal) {
        let size = terminal.size();
        if (self.pane.size().cols(), self.pane.size().rows()) != (size.cols(), size.rows()) {
            self.pane.resize(size);
            self.mirror.resize(size);
        }
        let before = self.mirror.snapshot();
        if let Some(frame) = self.encoder.encode(terminal) {
            self.mirror.feed(&frame);
            // What the daemon sends on is the difference of its copy.
            let frame = if frame.starts_with(b"\x1bc") { frame } else { self.mirror.diff(&before) };
            self.pane.feed(&frame);
        }
    }

    fn check(&self, terminal: &Terminal, what: &str) {
        let (cells, expected) = (self.pane.cells(), expected_cells(terminal));
        for (row, (cells, expected)) in cells.iter().zip(&expected).enumerate() {
            let differs = |(cell, expected): (&_, &_)| cell != expected;
            if let Some(col) = cells.iter().zip(expected).position(differs) {
                let (cell, expected) = (&cells[col], &expected[col]);
                panic!("{what}: the pane at {row},{col}: {cell:?} for {expected:?}");
            }
        }
        assert_eq!(self.pane.modes(), for_panes(terminal), "{what}: the pane's modes");
        let cursor = terminal.modes().cursor_visible.then(|| terminal.cursor());
        assert_eq!(self.pane.cursor(), cursor, "{what}: the pane's cursor");
        assert_eq!(self.mirror.text(), expected_text(terminal), "{what}: the mirror");
    }
}

fn for_panes(terminal: &Terminal) -> crate::terminal::Modes {
    use crate::terminal::MouseEncoding;
    let mut modes = terminal.modes();
    if modes.mouse_encoding == MouseEncoding::SgrPixels {
        modes.mouse_encoding = MouseEncoding::Sgr;
    }
    modes
}

fn expected_text(terminal: &Terminal) -> Vec<String> {
    let row = |row: u16| {
        let mut bytes = Vec::new();
        glyphs(&Line::of(terminal.screen().row(usize::from(row))))
            .for_each(|it| it.write(&mut bytes));
        String::from_utf8(bytes).unwrap().trim_end_matches(' ').to_owned()
    };
    (0..terminal.size().rows()).map(row).collect()
}

/// The cells of a pane as they ought to be: the base character, the part of the style that frames
/// carry, and whether it is wide, from the grid and not from the text.
fn expected_cells(terminal: &Terminal) -> Vec<Vec<(char, String, bool)>> {
    let screen = terminal.screen();
    let cell = |cell: &alacritty_terminal::term::cell::Cell| {
        let hidden = cell.flags.contains(Flags::HIDDEN);
        let spacer = cell.flags.contains(Flags::WIDE_CHAR_SPACER);
        let c = match cell.c {
            _ if hidden || spacer => ' ',
            char::REPLACEMENT_CHARACTER => '?',
            c if c.is_control() => ' ',
            c => c,
        };
        let mut style = Style::of(cell).for_frames();
        let wide = cell.flags.contains(Flags::WIDE_CHAR) && !hidden;
        if c == ' ' && style.attrs & INVERSE == 0 && style.underline == 0 {
            style = Style { bg: style.bg, ..Style::default() };
        }
        if spacer && !hidden {
            // The decoder gives a second half no look of its own.
            style = Style::default();
        }
        let mut sgr = Vec::new();
        style.write_sgr(&mut sgr);
        (c, String::from_utf8(sgr).unwrap(), wide)
    };
    (0..usize::from(terminal.size().rows()))
        .map(|row| screen.row(row).iter().map(cell).collect())
        .collect()
}

/// Feeds a case, attaching somebody new after so many bytes, and compares all in the end.
fn attach_at(steps: &[Step], mut terminal: Terminal, cut: Option<usize>, batch: usize, what: &str) {
    let mut viewers = Vec::new();
    let mut panes = Vec::new();
    let join = |terminal: &Terminal, viewers: &mut Vec<Attached>, panes: &mut Vec<Watching>| {
        viewers.extend([Kind::Inline, Kind::Alternate].map(|kind| Attached::new(terminal, kind)));
        let mut watching = Watching::new(terminal.size());
        watching.catch_up(terminal);
        panes.push(watching);
    };
    join(&terminal, &mut viewers, &mut panes);
    let mut fed = 0;
    for step in steps {
        match step {
            Step::Resize(size) => {
                terminal.resize(*size);
                for viewer in &mut viewers {
                    viewer.terminal.resize(*size);
                    viewer.catch_up(&terminal);
                }
            }
            Step::Input(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let until_cut = cut.and_then(|cut| cut.checked_sub(fed)).filter(|len| *len > 0);
                    let len = batch.min(rest.len()).min(until_cut.unwrap_or(usize::MAX));
                    let (piece, after) = rest.split_at(len);
                    let scan = terminal.scan(piece);
                    let forwarded = scan.forward(piece).into_owned();
                    terminal.apply(piece, &scan, &mut Vec::new());
                    for viewer in &mut viewers {
                        feed_batch(&mut viewer.terminal, &forwarded, &mut Fed::default());
                        if scan.has_switched() {
                            viewer.catch_up(&terminal);
                        }
                    }
                    fed += len;
                    rest = after;
                    for pane in &mut panes {
                        pane.catch_up(&terminal);
                    }
                    if cut == Some(fed) {
                        join(&terminal, &mut viewers, &mut panes);
                    }
                }
            }
        }
        for pane in &mut panes {
            pane.catch_up(&terminal);
        }
    }
    let original = visible(&terminal);
    for (number, viewer) in viewers.iter().enumerate() {
        let name = if number < 2 { "from the beginning" } else { "later" };
        let differences = between(&viewer.visible(&terminal), &original);
        let kind = viewer.kind;
        assert!(differences.is_empty(), "{what}: attached {name}, {kind:?}: {differences}");
    }
    for pane in &panes {
        pane.check(&terminal, what);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whoever_attaches_to_anything_sees_the_same(
        before in proptest::collection::vec(piece(), 1..30),
        after in proptest::collection::vec(piece(), 1..30),
        size in proptest::sample::select(vec![(2u16, 2u16), (7, 3), (20, 5), (80, 24)]),
        resized in proptest::option::of((2..40u16, 2..10u16)),
        cut in any::<prop::sample::Index>(),
        batch in 1..60usize,
    ) {
        let mut steps = vec![Step::Input(before.concat().into_bytes())];
        steps.extend(resized.map(|(cols, rows)| Step::Resize(TerminalSize::new(cols, rows))));
        steps.push(Step::Input(after.concat().into_bytes()));
        let size = TerminalSize::new(size.0, size.1);
        let terminal = Terminal::new(size, HistoryLimits::default());
        let cut = cut.index(length(&steps) + 1);
        attach_at(&steps, terminal, Some(cut), batch, &format!("{steps:?} in {batch} cut at {cut}"));
    }
}

fn length(steps: &[Step]) -> usize {
    let length = |step: &Step| if let Step::Input(bytes) = step { bytes.len() } else { 0 };
    steps.iter().map(length).sum()
}

#[test]
fn whoever_attaches_anywhere_sees_the_same() {
    for case in cases() {
        for cut in 0..=length(&case.steps) {
            let what = format!("{} cut at {cut}", case.name);
            attach_at(&case.steps, new(&case), Some(cut), usize::MAX, &what);
        }
        attach_at(&case.steps, new(&case), None, 1, &format!("{} byte by byte", case.name));
    }
}

#[test]
fn whoever_attaches_to_a_recorded_agent_anywhere_sees_the_same() {
    for (name, bytes) in CAPTURES {
        for (number, (cols, rows)) in [(120, 40), (80, 24), (33, 9)].into_iter().enumerate() {
            // Primes: the cuts of one size are none of another's.
            let stride = [1499, 1217, 1009][number];
            let size = TerminalSize::new(cols, rows);
            let (before, after) = bytes.split_at(bytes.len() / 2);
            // It is resized half-way, in the middle of whatever it was drawing.
            let other = TerminalSize::new(cols + 7, rows - 2);
            let steps =
                [Step::Input(before.to_vec()), Step::Resize(other), Step::Input(after.to_vec())];
            for cut in (number..bytes.len()).step_by(stride) {
                let terminal = Terminal::new(size, HistoryLimits::default());
                attach_at(
                    &steps,
                    terminal,
                    Some(cut),
                    700,
                    &format!("{name} {cols}x{rows} cut at {cut}"),
                );
            }
        }
    }
}
