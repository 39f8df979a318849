//! The input modes a program has asked for: what keys, mouse and paste must look like to it.

/// Which mouse events a program wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MouseMode {
    /// None.
    #[default]
    None,
    /// Presses only (`?9`).
    X10,
    /// Presses and releases (`?1000`).
    Click,
    /// Also motion while a button is down (`?1002`).
    Drag,
    /// Also motion without a button (`?1003`).
    Motion,
}

/// How mouse events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MouseEncoding {
    /// `CSI M` and three bytes, columns up to 223.
    #[default]
    Default,
    /// `CSI M` with UTF-8 coordinates (`?1005`).
    Utf8,
    /// `CSI < … M` (`?1006`).
    Sgr,
    /// As [`Self::Sgr`], in pixels (`?1016`).
    SgrPixels,
}

/// The input modes in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modes {
    /// The alternate screen is shown.
    pub alternate: bool,
    /// Cursor keys send `SS3` instead of `CSI` (`?1`).
    pub app_cursor: bool,
    /// The keypad sends application codes.
    pub app_keypad: bool,
    /// Pastes are bracketed (`?2004`).
    pub bracketed_paste: bool,
    /// Which mouse events are wanted.
    pub mouse: MouseMode,
    /// How they are written.
    pub mouse_encoding: MouseEncoding,
    /// Focus changes are reported (`?1004`).
    pub focus: bool,
    /// The cursor is shown (`?25`).
    pub cursor_visible: bool,
    /// Flags of the kitty keyboard protocol, 0 when off.
    pub kitty_flags: u8,
    /// The wheel sends cursor keys on the alternate screen (`?1007`).
    pub alternate_scroll: bool,
}
