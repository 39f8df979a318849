//! Carries out escape sequences: passes each to the engine and follows what it hides.
//!
//! Questions are not answered here (see [`super::answers`]), titles and keyboard flags are not
//! passed on because the engine would keep them without a useful limit.

use alacritty_terminal::term::TermMode;
use alacritty_terminal::vte::ansi::{
    Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, KeyboardModes,
    KeyboardModesApplyBehavior, LineClearMode, Mode, ModifyOtherKeys, NamedMode, NamedPrivateMode,
    PrivateMode, Rgb, StandardCharset, TabulationClearMode,
};
use unicode_width::UnicodeWidthChar;

use super::cluster::may_join;
use super::modes::{MouseEncoding, MouseMode};
use super::screen::{Screen, row_index};
use super::style::BLINK_FLAG;

const INVERTED: u16 = 5;
const SAVE_CURSOR: u16 = 1048;
const APP_KEYPAD: u16 = 66;
const X10_MOUSE: u16 = 9;
const SGR_PIXEL_MOUSE: u16 = 1016;

impl Screen {
    fn track_mode(&mut self, mode: u16, on: bool) {
        match (mode, on) {
            (47 | 1047, true) => self.enter_alternate(),
            (47 | 1047, false) => self.leave_alternate_as_is(),
            (SAVE_CURSOR, true) => self.save_cursor(),
            (SAVE_CURSOR, false) => self.restore_cursor(),
            (APP_KEYPAD, true) => self.term.set_keypad_application_mode(),
            (APP_KEYPAD, false) => self.term.unset_keypad_application_mode(),
            (2026, _) => self.tracker.sync = on,
            (INVERTED, _) => self.tracker.inverted = on,
            _ => self.track_mouse(mode, on),
        }
    }

    /// IL and DL do nothing outside the region.
    fn return_within_region(&mut self) {
        let (row, _) = self.cursor();
        if (self.tracker.region.0..self.tracker.region.1).contains(&row) {
            self.term.carriage_return();
        }
    }

    fn track_mouse(&mut self, mode: u16, on: bool) {
        let wanted = match mode {
            X10_MOUSE => Some(MouseMode::X10),
            1000 => Some(MouseMode::Click),
            1002 => Some(MouseMode::Drag),
            1003 => Some(MouseMode::Motion),
            _ => None,
        };
        let encoding = match mode {
            1005 => Some(MouseEncoding::Utf8),
            1006 => Some(MouseEncoding::Sgr),
            SGR_PIXEL_MOUSE => Some(MouseEncoding::SgrPixels),
            _ => None,
        };
        if let Some(wanted) = wanted {
            self.tracker.mouse = if on { wanted } else { MouseMode::None };
        }
        if let Some(encoding) = encoding {
            if on {
                self.tracker.mouse_encoding = encoding;
            } else if self.tracker.mouse_encoding == encoding {
                self.tracker.mouse_encoding = MouseEncoding::Default;
            }
        }
    }

    /// DECSTR. The screen and the cursor's place stay.
    pub(crate) fn soft_reset(&mut self) {
        let (row, col) = self.cursor();
        for mode in [NamedPrivateMode::Origin, NamedPrivateMode::CursorKeys] {
            self.term.unset_private_mode(mode.into());
        }
        for mode in [NamedPrivateMode::ShowCursor, NamedPrivateMode::LineWrap] {
            self.term.set_private_mode(mode.into());
        }
        self.term.unset_mode(NamedMode::Insert.into());
        self.term.unset_keypad_application_mode();
        self.term.terminal_attribute(Attr::Reset);
        self.term.set_hyperlink(None);
        for index in [CharsetIndex::G0, CharsetIndex::G1, CharsetIndex::G2, CharsetIndex::G3] {
            self.term.configure_charset(index, StandardCharset::Ascii);
        }
        self.set_active_charset(CharsetIndex::G0);
        self.set_scrolling_region(1, None);
        self.move_to(0, 0);
        self.save_cursor();
        self.move_to(row, col);
    }
}

impl Handler for Screen {
    fn set_title(&mut self, _: Option<String>) {}

    fn push_title(&mut self) {
        self.tracker.push_title();
    }

    fn pop_title(&mut self) {
        self.tracker.pop_title();
    }

    fn set_cursor_style(&mut self, style: Option<CursorStyle>) {
        self.tracker.cursor_style = style;
    }

    fn set_cursor_shape(&mut self, shape: CursorShape) {
        self.tracker.cursor_style.get_or_insert_default().shape = shape;
    }

    fn input(&mut self, c: char) {
        let width = if c.is_ascii() { 1 } else { c.width().unwrap_or(0) };
        if width == 0 {
            return self.print_mark(c);
        }
        if may_join(c) && self.joins_before(c) {
            return self.join(c);
        }
        self.save_before_input(width);
        self.term.input(c);
        if self.has(TermMode::INSERT) {
            self.mend_row();
        }
    }

    fn goto(&mut self, line: i32, col: usize) {
        self.term.goto(line, col);
    }

    fn goto_line(&mut self, line: i32) {
        self.term.goto_line(line);
    }

    // The engine adds the region's top once more in origin mode.
    fn goto_col(&mut self, col: usize) {
        let (row, _) = self.cursor();
        self.move_to(row, col);
    }

    fn insert_blank(&mut self, count: usize) {
        self.term.insert_blank(count);
        self.mend_row();
    }

    // The engine does not stop at the margins.
    fn move_up(&mut self, rows: usize) {
        let (row, col) = self.cursor();
        let top = if row >= self.tracker.region.0 { self.tracker.region.0 } else { 0 };
        self.move_to(row.saturating_sub(rows).max(top), col);
    }

    fn move_down(&mut self, rows: usize) {
        let (row, col) = self.cursor();
        let bottom = self.tracker.region.1;
        let end = if row < bottom { bottom } else { usize::from(self.size.rows()) };
        self.move_to((row + rows).min(end.saturating_sub(1)), col);
    }

    fn move_forward(&mut self, cols: usize) {
        let (row, col) = self.cursor();
        self.move_to(row, col + cols);
    }

    fn move_backward(&mut self, cols: usize) {
        let (row, col) = self.cursor();
        self.move_to(row, col.saturating_sub(cols));
    }

    fn move_down_and_cr(&mut self, rows: usize) {
        self.move_down(rows);
        self.carriage_return();
    }

    fn move_up_and_cr(&mut self, rows: usize) {
        self.move_up(rows);
        self.carriage_return();
    }

    fn put_tab(&mut self, count: u16) {
        self.move_forward_tabs(count);
    }

    fn backspace(&mut self) {
        self.term.backspace();
    }

    fn carriage_return(&mut self) {
        self.term.carriage_return();
    }

    fn linefeed(&mut self) {
        self.save_before_linefeed();
        self.term.linefeed();
        if self.has(TermMode::LINE_FEED_NEW_LINE) {
            self.term.carriage_return();
        }
    }

    fn newline(&mut self) {
        self.linefeed();
    }

    fn set_horizontal_tabstop(&mut self) {
        let (_, col) = self.cursor();
        if let Some(tab) = self.tracker.tabs.get_mut(col) {
            *tab = true;
        }
    }

    fn scroll_up(&mut self, rows: usize) {
        self.save_rows(rows);
        self.term.scroll_up(rows);
    }

    fn scroll_down(&mut self, rows: usize) {
        self.term.scroll_down(rows);
    }

    // Every terminal but the engine also moves the cursor to the first column.
    fn insert_blank_lines(&mut self, rows: usize) {
        self.term.insert_blank_lines(rows);
        self.return_within_region();
    }

    fn delete_lines(&mut self, rows: usize) {
        self.term.delete_lines(rows);
        self.return_within_region();
    }

    fn erase_chars(&mut self, count: usize) {
        self.term.erase_chars(count);
        self.mend_row();
    }

    // The engine would also clear what is before the cursor.
    fn delete_chars(&mut self, count: usize) {
        let (_, col) = self.cursor();
        self.term.delete_chars(count.min(usize::from(self.size.cols()) - col));
        self.mend_row();
    }

    // Done here: without tab stops the engine walks the row 65 535 times.
    fn move_backward_tabs(&mut self, count: u16) {
        let (row, mut col) = self.cursor();
        for _ in 0..count {
            if col == 0 {
                break;
            }
            col = self.tracker.previous_tab(col);
        }
        self.move_to(row, col);
    }

    fn move_forward_tabs(&mut self, count: u16) {
        if self.term.grid().cursor.input_needs_wrap {
            // Behind the last column there is no stop; what follows still wraps.
            return;
        }
        let (row, mut col) = self.cursor();
        for _ in 0..count {
            let next = self.tracker.next_tab(col);
            if next == col {
                break;
            }
            col = next;
        }
        self.move_to(row, col);
    }

    fn save_cursor_position(&mut self) {
        self.save_cursor();
    }

    fn restore_cursor_position(&mut self) {
        self.restore_cursor();
    }

    fn clear_line(&mut self, mode: LineClearMode) {
        self.term.clear_line(mode);
        self.mend_row();
    }

    fn clear_screen(&mut self, mode: ClearMode) {
        if matches!(mode, ClearMode::Saved) {
            self.ring.clear();
        }
        let is_above = matches!(mode, ClearMode::Above);
        self.term.clear_screen(mode);
        if is_above && self.cursor().0 == 1 {
            // The engine leaves the first row alone when it is the only one above.
            self.term.grid_mut().reset_region(..row_index(1));
        }
        self.mend_row();
    }

    fn clear_tabs(&mut self, mode: TabulationClearMode) {
        let (_, col) = self.cursor();
        match mode {
            TabulationClearMode::Current => {
                if let Some(tab) = self.tracker.tabs.get_mut(col) {
                    *tab = false;
                }
            }
            TabulationClearMode::All => self.tracker.tabs.fill(false),
        }
    }

    fn set_tabs(&mut self, interval: u16) {
        for (col, tab) in self.tracker.tabs.iter_mut().enumerate() {
            *tab = interval != 0 && col % usize::from(interval) == 0;
        }
    }

    fn reset_state(&mut self) {
        self.term.reset_state();
        self.tracker.reset(self.size);
    }

    fn reverse_index(&mut self) {
        self.term.reverse_index();
    }

    fn terminal_attribute(&mut self, attr: Attr) {
        let flags = &mut self.term.grid_mut().cursor.template.flags;
        match attr {
            Attr::BlinkSlow | Attr::BlinkFast => flags.insert(BLINK_FLAG),
            Attr::CancelBlink => flags.remove(BLINK_FLAG),
            // 21, which the engine alone takes for the end of bold.
            Attr::CancelBold => self.term.terminal_attribute(Attr::DoubleUnderline),
            _ => self.term.terminal_attribute(attr),
        }
    }

    fn set_mode(&mut self, mode: Mode) {
        self.term.set_mode(mode);
    }

    fn unset_mode(&mut self, mode: Mode) {
        self.term.unset_mode(mode);
    }

    fn set_private_mode(&mut self, mode: PrivateMode) {
        self.track_mode(mode.raw(), true);
        match mode {
            PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor) => {
                self.enter_alternate();
            }
            PrivateMode::Named(
                NamedPrivateMode::ReportMouseClicks
                | NamedPrivateMode::ReportCellMouseMotion
                | NamedPrivateMode::ReportAllMouseMotion
                | NamedPrivateMode::SgrMouse
                | NamedPrivateMode::Utf8Mouse
                // Changing the width of the window is not for a program: as in xterm it does nothing.
                | NamedPrivateMode::ColumnMode,
            )
            | PrivateMode::Unknown(_) => {}
            PrivateMode::Named(NamedPrivateMode::BlinkingCursor) => {
                self.tracker.cursor_style.get_or_insert_default().blinking = true;
            }
            PrivateMode::Named(NamedPrivateMode::Origin) => {
                self.term.set_private_mode(mode);
                self.goto(0, 0);
            }
            PrivateMode::Named(_) => self.term.set_private_mode(mode),
        }
    }

    fn unset_private_mode(&mut self, mode: PrivateMode) {
        match mode {
            PrivateMode::Named(NamedPrivateMode::SwapScreenAndSetRestoreCursor) => {
                self.leave_alternate();
            }
            PrivateMode::Named(NamedPrivateMode::BlinkingCursor) => {
                self.tracker.cursor_style.get_or_insert_default().blinking = false;
            }
            // Every terminal but the engine also moves the cursor home.
            PrivateMode::Named(NamedPrivateMode::Origin) => {
                self.term.unset_private_mode(mode);
                self.move_to(0, 0);
            }
            PrivateMode::Named(NamedPrivateMode::ColumnMode) | PrivateMode::Unknown(_) => {}
            PrivateMode::Named(_) => self.term.unset_private_mode(mode),
        }
        self.track_mode(mode.raw(), false);
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        let rows = usize::from(self.size.rows());
        let end = bottom.unwrap_or(rows);
        // A region of one row does not exist; the engine would accept it.
        if top >= end.min(rows) {
            return;
        }
        self.tracker.region = (top.saturating_sub(1), end.min(rows));
        self.term.set_scrolling_region(top, bottom);
    }

    fn set_keypad_application_mode(&mut self) {
        self.term.set_keypad_application_mode();
    }

    fn unset_keypad_application_mode(&mut self) {
        self.term.unset_keypad_application_mode();
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        self.tracker.charset = index;
        self.term.set_active_charset(index);
    }

    fn configure_charset(&mut self, index: CharsetIndex, charset: StandardCharset) {
        self.term.configure_charset(index, charset);
    }

    fn set_color(&mut self, index: usize, color: Rgb) {
        self.tracker.recolored = true;
        self.term.set_color(index, color);
    }

    fn reset_color(&mut self, index: usize) {
        self.term.reset_color(index);
    }

    fn decaln(&mut self) {
        self.term.decaln();
        self.term.unset_private_mode(NamedPrivateMode::Origin.into());
        self.set_scrolling_region(1, None);
    }

    fn set_hyperlink(&mut self, link: Option<Hyperlink>) {
        self.term.set_hyperlink(link);
    }

    fn push_keyboard_mode(&mut self, mode: KeyboardModes) {
        self.tracker.keyboard.push(mode.bits());
    }

    fn pop_keyboard_modes(&mut self, count: u16) {
        self.tracker.keyboard.pop(usize::from(count));
    }

    fn set_keyboard_mode(&mut self, mode: KeyboardModes, how: KeyboardModesApplyBehavior) {
        let now = self.tracker.keyboard.flags();
        self.tracker.keyboard.set(match how {
            KeyboardModesApplyBehavior::Replace => mode.bits(),
            KeyboardModesApplyBehavior::Union => now | mode.bits(),
            KeyboardModesApplyBehavior::Difference => now & !mode.bits(),
        });
    }

    fn set_modify_other_keys(&mut self, mode: ModifyOtherKeys) {
        self.tracker.modify_other_keys = match mode {
            ModifyOtherKeys::Reset => 0,
            ModifyOtherKeys::EnableExceptWellDefined => 1,
            ModifyOtherKeys::EnableAll => 2,
        };
    }
}
