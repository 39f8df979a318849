//! Everything that a terminal shows and would do next, to be compared.

use std::fmt::Write as _;

use alacritty_terminal::grid::Cursor;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{CharsetIndex, StandardCharset};

use crate::terminal::line::Line;
use crate::terminal::line::is_blank;
use crate::terminal::style::{INVERSE, STRIKE, Style};
use crate::terminal::{Modes, Terminal};

/// One cell: characters, looks, link, and whether it is one half of a wide character.
type Shown = (String, Style, Option<String>, bool);

/// What a reattached terminal must have in common with one that was always there.
#[derive(Debug, PartialEq)]
pub(super) struct Visible {
    pub(super) rows: Vec<Vec<Shown>>,
    pub(super) primary: Vec<String>,
    pub(super) cursor: (u16, u16),
    pub(super) pending_wrap: bool,
    pub(super) pen: Style,
    pub(super) modes: Modes,
    pub(super) region: (usize, usize),
    pub(super) keyboard: Vec<u8>,
    /// Whatever else is of importance, by name.
    others: Vec<(&'static str, String)>,
}

impl Visible {
    /// Takes over what a terminal that shows everything on its alternate screen has no part in.
    pub(super) fn forget_screens(&mut self, of: &Terminal) {
        let other = visible(of);
        self.modes.alternate = other.modes.alternate;
        self.primary = other.primary;
        let screens = |name: &str| name.starts_with("the primary screen");
        for (mine, theirs) in self.others.iter_mut().zip(other.others) {
            if screens(mine.0) {
                *mine = theirs;
            }
        }
    }
}

fn shown(cell: &Cell) -> Shown {
    let mut style = Style::of(cell);
    let lined = Flags::INVERSE | Flags::STRIKEOUT | Flags::ALL_UNDERLINES;
    if cell.c == ' ' && !cell.flags.intersects(lined) {
        // Colours and weight of nothing cannot be seen.
        style = Style { bg: style.bg, ..Style::default() };
    }
    let c = if cell.c.is_control() { ' ' } else { cell.c };
    let marks = cell.zerowidth().unwrap_or_default();
    let text: String = std::iter::once(c).chain(marks.iter().copied()).collect();
    let link = cell.hyperlink().filter(|_| !is_blank(cell));
    let half = cell.flags.intersects(Flags::WIDE_CHAR | Flags::WIDE_CHAR_SPACER);
    (text, style, link.map(|link| link.uri().to_owned()), half)
}

/// A row of the screen that is hidden, without what cannot be seen of it.
fn hidden_row(line: &Line) -> String {
    let styles = line.runs.iter().flat_map(|(count, style)| std::iter::repeat_n(*style, *count));
    let styles = styles.chain(std::iter::repeat(Style::default()));
    let mut chars: Vec<(char, Style)> = line.text.chars().zip(styles).collect();
    for (c, style) in &mut chars {
        if *c == ' ' && style.attrs & (INVERSE | STRIKE) == 0 && style.underline == 0 {
            *style = Style { bg: style.bg, ..Style::default() };
        }
    }
    let seen = chars.iter().rposition(|it| *it != (' ', Style::default())).map_or(0, |at| at + 1);
    format!("{:?}", chars.get(..seen))
}

fn charsets(cursor: &Cursor<Cell>) -> String {
    let slots = [CharsetIndex::G0, CharsetIndex::G1, CharsetIndex::G2, CharsetIndex::G3];
    slots
        .map(|slot| if cursor.charsets[slot] == StandardCharset::Ascii { 'B' } else { '0' })
        .iter()
        .collect()
}

/// What a cursor prints with, and where it is, kept within the region if it counts from that.
fn cursor(terminal: &Terminal, cursor: &Cursor<Cell>, origin: bool) -> String {
    let screen = terminal.screen();
    let (top, bottom) = screen.tracker.region;
    let row = usize::try_from(cursor.point.line.0).unwrap();
    let row = if origin { row.clamp(top, bottom - 1) } else { row };
    let link = cursor.template.hyperlink().map(|link| link.uri().to_owned());
    let pending = cursor.input_needs_wrap;
    let pen = Style::of(&cursor.template);
    format!("{row},{} {pending} {pen:?} {link:?} {}", cursor.point.column.0, charsets(cursor))
}

/// Returns what a terminal shows.
pub(super) fn visible(terminal: &Terminal) -> Visible {
    let screen = terminal.screen();
    let tracker = &screen.tracker;
    let grid = screen.term.grid();
    let on = |mode: TermMode| screen.has(mode);
    let primary = tracker.primary.as_ref();
    let others = vec![
        ("the cursor", cursor(terminal, &grid.cursor, false)),
        ("the saved cursor", cursor(terminal, &grid.saved_cursor, tracker.saved.origin)),
        ("what was saved with it", format!("{:?}", tracker.saved)),
        (
            "the primary screen's cursor",
            format!(
                "{:?}",
                primary.map(|it| (cursor(terminal, &it.cursor, false), tracker.other_saved))
            ),
        ),
        (
            "the primary screen's keyboard",
            primary.map(|_| format!("{:?}", tracker.other_keyboard)).unwrap_or_default(),
        ),
        ("the set in use", format!("{:?}", tracker.charset)),
        ("tab stops", format!("{:?}", tracker.tabs)),
        ("title and directory", format!("{:?} {:?}", terminal.title(), terminal.cwd())),
        (
            "origin, insertion, line feed, wrapping, inversion",
            format!(
                "{} {} {} {} {}",
                on(TermMode::ORIGIN),
                on(TermMode::INSERT),
                on(TermMode::LINE_FEED_NEW_LINE),
                on(TermMode::LINE_WRAP),
                tracker.inverted
            ),
        ),
        ("the cursor's shape", format!("{:?}", tracker.cursor_style)),
        ("modified keys", tracker.modify_other_keys.to_string()),
        (
            "colours",
            (0..260)
                .filter_map(|index| Some(format!("{index}={:?} ", screen.term.colors()[index]?)))
                .collect(),
        ),
    ];
    Visible {
        rows: (0..usize::from(terminal.size().rows()))
            .map(|row| screen.row(row).iter().map(shown).collect())
            .collect(),
        primary: primary.iter().flat_map(|it| it.rows.iter().map(hidden_row)).collect(),
        cursor: terminal.cursor(),
        pending_wrap: grid.cursor.input_needs_wrap && on(TermMode::LINE_WRAP),
        pen: Style::of(&grid.cursor.template),
        modes: terminal.modes(),
        region: tracker.region,
        keyboard: tracker.keyboard.entries().to_vec(),
        others,
    }
}

/// Returns what differs, short enough to be read; empty if nothing does.
pub(super) fn differences(copy: &Terminal, original: &Terminal) -> String {
    between(&visible(copy), &visible(original))
}

/// The same of two states.
pub(super) fn between(copy: &Visible, original: &Visible) -> String {
    let mut found = String::new();
    for (row, (a, b)) in copy.rows.iter().zip(&original.rows).enumerate() {
        for (col, (a, b)) in a.iter().zip(b).enumerate() {
            if a != b && found.len() < 2000 {
                writeln!(found, "({row},{col}): {a:?} for {b:?}").unwrap();
            }
        }
    }
    let rest = |it: &Visible| {
        let mut rest = vec![
            ("modes", format!("{:?}", it.modes)),
            ("the region", format!("{:?}", it.region)),
            ("the keyboard", format!("{:?}", it.keyboard)),
            ("the primary screen", format!("{:?}", it.primary)),
        ];
        rest.extend(it.others.iter().cloned());
        rest
    };
    for ((name, a), (_, b)) in rest(copy).iter().zip(&rest(original)) {
        if a != b {
            writeln!(found, "{name}: {a} for {b}").unwrap();
        }
    }
    found
}
