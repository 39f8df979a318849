//! Themes: tried, kept or taken back; plain drawing.

use ratatui::{Terminal, backend::TestBackend};

use super::{fleet, key, press, state};
use crate::{
    config::KeysConfig,
    domain::key::{Key, KeyPress},
    ui::{
        effect::Effect,
        event::UiEvent,
        state::{Mode, State, Themes},
        theme::{Depth, Library},
        update::update,
        view,
    },
};

fn choosing() -> State {
    let mut state = state((80, 24), fleet());
    let all = Library::built_in().list();
    state.themes = Themes { all, shown: "terminal".to_owned(), ..Themes::default() };
    update(&mut state, UiEvent::Key(KeyPress::parse("ctrl-t").unwrap()));
    assert!(matches!(state.mode, Mode::Themes(_)));
    state
}

#[test]
fn a_theme_is_shown_while_the_cursor_is_on_it_and_kept_when_chosen() {
    let mut state = choosing();
    press(&mut state, "jj");
    assert_eq!(state.themes.shown, "night");
    insta::assert_snapshot!(super::screen(&state));
    assert_eq!(key(&mut state, Key::Enter), [Effect::KeepTheme("night".to_owned())]);
    assert_eq!(state.mode, Mode::List);
}

#[test]
fn escape_takes_back_what_was_tried() {
    let mut state = choosing();
    press(&mut state, "jjj");
    assert_eq!(key(&mut state, Key::Escape), []);
    assert_eq!(state.themes.shown, "terminal");
}

/// What is drawn where ASCII alone is wanted.
fn plain(state: &mut State) -> String {
    state.keys = crate::ui::keymap::Keymap::new(&KeysConfig::default(), true);
    let theme = Library::built_in().theme("terminal", Depth::None, true);
    let mut terminal = Terminal::new(TestBackend::new(state.size.0, state.size.1)).unwrap();
    terminal.draw(|frame| view::draw(frame, state, theme)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn plain_drawing_is_ascii_alone_and_says_every_state_as_a_word() {
    let shown = plain(&mut state((120, 40), fleet()));
    assert!(shown.is_ascii(), "{shown}");
    for word in ["permission", "working", "done", "failed", "idle", "enter open"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

#[test]
fn plain_drawing_needs_no_sign_where_it_is_narrow_and_among_panes() {
    let shown = plain(&mut state((40, 12), fleet()));
    let header = shown.lines().next().unwrap();
    assert!(header.contains("2 need you 3 working 1 done"), "{header}");
    assert!(shown.contains(" v ") && !shown.contains("vdone"), "{shown}");
    let mut panes = state((120, 40), fleet());
    super::keys(&mut panes, "v ctrl-\\ v enter");
    let shown = plain(&mut panes);
    assert!(shown.is_ascii() && shown.contains("api-3"), "{shown}");
    super::keys(&mut panes, "ctrl-\\");
    let shown = plain(&mut panes);
    assert!(shown.is_ascii(), "{shown}");
}

#[test]
fn agents_yellow_is_the_themes_on_its_background_and_left_alone_on_the_agents_own() {
    use ratatui::style::Color;
    let mut state = state((120, 40), fleet());
    let bytes = b"\x1b[33my\x1b[43;30mz\x1b[0;40md\x1b[0;38;2;1;2;3mx".to_vec().into();
    let size = crate::domain::size::TerminalSize::new(40, 5);
    let frame = crate::ui::event::Frame { size, full: true, bytes };
    let id = state.selected.unwrap();
    update(&mut state, UiEvent::Frame(id, Box::new(frame)));
    let preview = crate::ui::state::geometry(&state).preview;
    let cells = |name: &str| {
        let theme = Library::built_in().theme(name, Depth::True, false);
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal.draw(|frame| view::draw(frame, &state, theme)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let row = (0..40).find(|y| buffer[(preview.x, *y)].symbol() == "y").unwrap();
        [0, 1, 2, 3].map(|x| buffer[(preview.x + x, row)].clone())
    };
    let [yellow, own, dark, exact] = cells("day");
    assert_eq!(yellow.fg.to_string(), "#855300");
    assert!(own.bg != yellow.bg && own.fg != dark.fg, "its own background and text");
    assert_eq!(dark.fg, yellow.bg, "dark text on black would not be seen");
    assert_eq!(exact.fg.to_string(), "#010203");
    // The terminal's palette stays the terminal's.
    let [yellow, ..] = cells("terminal");
    assert!(!yellow.fg.to_string().starts_with('#') && yellow.bg == Color::Reset);
}

#[test]
fn a_background_is_put_behind_everything() {
    let state = state((80, 24), fleet());
    let theme = Library::built_in().theme("day", Depth::True, false);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| view::draw(frame, &state, theme)).unwrap();
    let cells = terminal.backend().buffer().content();
    let background = cells[0].bg;
    assert!(cells.iter().all(|cell| cell.bg == background));
    assert_ne!(background, ratatui::style::Color::Reset);
}
