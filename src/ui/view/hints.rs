//! The last line: the keys that work here, and where keys go.

use ratatui::{buffer::Buffer, text::Span};

use crate::{
    domain::{
        inbox::{Class, Reason},
        quota::{ProjectQuota, Quota},
        runner::RunnerStatus,
    },
    ui::{
        keymap::{Action, Binding, Context},
        state::{Area, Arrangement, Group, Mode, State, View, question},
        theme::{Role, Theme},
        update,
        widgets::{piece, put, total, width},
    },
};

/// Draws the keys that fit, the most important first.
pub(super) fn draw(buf: &mut Buffer, state: &State, theme: Theme, area: Area) {
    if let Mode::Held(held) = &state.mode {
        let pieces = vec![
            piece(format!(" {}", held.why), theme.style(Role::Warning)),
            piece("   esc", theme.style(Role::Accent)),
            piece(" go on", theme.style(Role::Muted)),
        ];
        put(buf, area, 0, pieces);
        return;
    }
    let Some(context) = update::context(state) else {
        let mut pieces = typing(state, theme);
        // What has no room is left out whole; where keys go and the way back never are.
        while pieces.len() > 4 && total(&pieces) > usize::from(area.width) {
            pieces.truncate(pieces.len() - 2);
        }
        put(buf, area, 0, pieces);
        return;
    };
    let mut pieces = Vec::new();
    // How to get out is said before everything else gets its room.
    let bindings = state.keys.in_context(context).filter(|binding| !binding.keys.is_empty());
    let vital = bindings.clone().filter(|binding| is_vital(binding));
    let reserved: usize = vital
        .filter_map(|binding| Some((label(state, binding), hint(state, binding)?)))
        .map(|(label, hint)| width(&label) + width(hint) + 3)
        .sum();
    let room = usize::from(area.width);
    let (vital, mut others): (Vec<_>, Vec<_>) = bindings.partition(|b| is_vital(b));
    let first = first_here(state, context);
    // Stable: all others stay in the order of the table.
    others.sort_by_key(|binding| {
        first.iter().position(|action| *action == binding.command.action).unwrap_or(first.len())
    });
    for binding in others.into_iter().chain(vital) {
        let Some(hint) = hint(state, binding) else { continue };
        let key = piece(format!(" {}", label(state, binding)), theme.style(Role::Accent));
        let word = piece(format!(" {hint} "), theme.style(Role::Muted));
        let needed = total(&[key.clone(), word.clone()]);
        let limit = if is_vital(binding) { room } else { room.saturating_sub(reserved) };
        if total(&pieces) + needed <= limit {
            pieces.extend([key, word]);
        }
    }
    put(buf, area, 0, pieces);
}

/// What matters most before everything else: for the runner that is selected, else the way back.
fn first_here(state: &State, context: Context) -> &'static [Action] {
    if context == Context::Page && state.view == View::Found {
        return &[Action::Cancel, Action::Inspect, Action::SearchAll];
    }
    if context == Context::Inbox {
        return &[Action::Cancel];
    }
    let Some(runner) = state.selected_runner().filter(|_| context == Context::List) else {
        return &[];
    };
    if question(runner).is_some() {
        // Answered from here, or looked at first; then whoever waits as well. To type into an agent
        // that asks, or to split the screen for it, is the long way round.
        &[
            Action::Approve,
            Action::Deny,
            Action::Choose,
            Action::Line,
            Action::Open,
            Action::NextNeeding,
            Action::Quotas,
            Action::Launch,
            Action::Stop,
        ]
    } else if runner.hold.is_some() && runner.status.is_live() {
        // What holds it is changed there.
        &[Action::ShowBudgets, Action::NextNeeding, Action::Open, Action::Stop]
    } else if runner.status.is_live() {
        &[Action::NextNeeding, Action::Open, Action::Line, Action::Stop, Action::Quotas]
    } else {
        &[
            Action::NextNeeding,
            Action::ResumeLost,
            Action::Continue,
            Action::Restart,
            Action::ShowLog,
            Action::Remove,
            Action::Open,
            Action::Launch,
            Action::Quotas,
        ]
    }
}

/// Kinds of questions that are answered inside only.
const OWN: [&str; 3] = ["auth", "trust", "onboarding"];

/// Where the keys go, and how to get back from there.
fn typing(state: &State, theme: Theme) -> Vec<Span<'static>> {
    let name = state.selected_runner().map_or("", |runner| runner.name.as_str());
    let are_panes = state.view == View::Panes;
    let is_one_of_many = are_panes && state.panes.alone.is_none();
    let is_synchronised = is_one_of_many && state.panes.is_synchronised;
    let count = state.panes.runners().len();
    let (text, role) = if is_synchronised {
        (format!(" keys go to all {count} panes at once"), Role::Warning)
    } else {
        (format!(" keys go to {name}"), Role::Accent)
    };
    let leave = match (are_panes, is_one_of_many) {
        // What ends it is a key among the panes: typed now, it would go to all agents.
        (true, true) if is_synchronised => {
            let end = state.keys.label(Context::Panes, Action::Synchronise);
            format!(" then {end} ends this")
        }
        (true, true) => " arrange panes".to_owned(),
        (true, false) => " dashboard".to_owned(),
        (false, _) => " back".to_owned(),
    };
    let mut pieces = vec![
        piece(text, theme.style(role)),
        piece("   ", theme.style(Role::Text)),
        piece(state.here.leave_label.clone(), theme.style(Role::Accent)),
        piece(leave, theme.style(Role::Muted)),
    ];
    if is_one_of_many && !is_synchronised && count > 1 {
        let side = state.keys.label(Context::Typing, Action::FocusLeft);
        pieces.push(piece(format!("   {side}"), theme.style(Role::Accent)));
        pieces.push(piece("↑↓→ other pane", theme.style(Role::Muted)));
    }
    if are_panes {
        let back = state.keys.label(Context::Typing, Action::PageUp);
        let keys = state.keys.label(Context::Typing, Action::Scrollback);
        pieces.push(piece(format!("   {back}"), theme.style(Role::Accent)));
        pieces.push(piece(" scroll", theme.style(Role::Muted)));
        pieces.push(piece(format!("   {keys}"), theme.style(Role::Accent)));
        pieces.push(piece(" search, copy", theme.style(Role::Muted)));
    }
    pieces
}

/// How a key is called among the panes: what needs others is left out where there are none.
fn pane_hint(state: &State, binding: &Binding) -> Option<&'static str> {
    let is_alone = state.panes.alone.is_some();
    let are_many = !is_alone && state.panes.runners().len() > 1;
    let is_live = state.selected_runner().is_some_and(|runner| runner.status.is_live());
    let applies = match binding.command.action {
        Action::Type => is_live,
        Action::NextNeeding => state
            .runners
            .values()
            .any(|r| state.group(r) == Group::NeedsYou && state.selected != Some(r.id)),
        Action::FocusLeft | Action::PaneByNumber | Action::Zoom | Action::Synchronise => are_many,
        Action::ClosePane | Action::Undo => !is_alone,
        Action::Restart => !is_live,
        _ => true,
    };
    let word = match binding.command.action {
        Action::NextNeeding if state.size.0 < 160 => "needs you",
        Action::Zoom if state.panes.layout.is_zoomed => "show all",
        Action::Synchronise if state.panes.is_synchronised => "one at a time",
        _ => binding.command.hint,
    };
    applies.then_some(word)
}

/// How the keys of an action are written here; keys that belong together are written together.
fn label(state: &State, binding: &Binding) -> String {
    let Binding { command, labels, .. } = binding;
    match (command.context, command.action, labels.as_slice()) {
        (Context::Panes, Action::FocusLeft, _) => {
            let sides = [Action::FocusLeft, Action::FocusDown, Action::FocusUp, Action::FocusRight];
            sides.map(|side| state.keys.label(Context::Panes, side)).concat()
        }
        (Context::Panes, Action::PaneByNumber, [first, .., last]) => {
            format!("{first}-{last}")
        }
        (_, Action::Choose, [first, second, ..]) => {
            format!("{first} {second}…")
        }
        _ => binding.label(),
    }
}

fn is_vital(binding: &Binding) -> bool {
    let Binding { command, .. } = binding;
    let leaves = command.context == Context::Panes && command.action == Action::Cancel;
    leaves || matches!(command.action, Action::Help | Action::Quit)
}

/// How a key is called in a view that is lines to read.
fn page_hint(state: &State, binding: &Binding) -> Option<&'static str> {
    let applies = match binding.command.action {
        Action::Follow => matches!(state.view, View::Events | View::Log) && !state.page.is_whole(),
        _ if !state.is_for_view(binding.command) => false,
        Action::Inspect => {
            let is_there = state.view != View::Found || state.hit_at_cursor().is_some();
            let is_whole = state.page.is_whole() || !is_there;
            !is_whole && !matches!(state.view, View::Usage | View::Conversation)
        }
        Action::Filter => !state.page.is_whole(),
        Action::Narrow => state.is_searched() && !state.page.is_whole(),
        Action::NextMatch | Action::PreviousMatch => !state.page.find.is_blank(),
        Action::ShowEvents => state.view != View::Events,
        Action::ShowSettings => state.view != View::Settings,
        Action::ShowHealth => state.view != View::Health,
        Action::ShowUsage => state.view != View::Usage,
        Action::ShowBudgets => state.view != View::Budgets,
        Action::ShowSessions => state.view != View::Sessions,
        _ => true,
    };
    let word = match binding.command.action {
        Action::Filter if !state.is_searched() => "filter",
        Action::Inspect if state.file_at_cursor().is_some() => "difference",
        Action::Inspect if state.view == View::Budgets => "change",
        Action::Inspect if state.view == View::Found => "read",
        Action::SearchAll if state.view == View::Found => "search again",
        Action::Range if state.spending.ask.is_month => "24 hours",
        Action::OneProject if !state.spending.ask.project.is_empty() => "all projects",
        _ => binding.command.hint,
    };
    applies.then_some(word)
}

/// How a key is called in the inbox.
fn inbox_hint(state: &State, binding: &Binding) -> Option<&'static str> {
    let item = state.item_at_cursor();
    let asks = item.is_some_and(|item| item.class == Class::Ask);
    let applies = match binding.command.action {
        Action::Approve | Action::Deny => {
            asks && item.is_some_and(|item| item.reason == Reason::Permission)
        }
        Action::Choose => asks,
        Action::Open | Action::Line => item.is_some_and(|item| !item.runner.is_empty()),
        Action::Snooze | Action::Remove => item.is_some(),
        Action::Inspect => item.is_some() && !state.page.is_whole(),
        _ => true,
    };
    applies.then_some(binding.command.hint)
}

/// How a key is called now, `None` when it has nothing to do.
fn hint(state: &State, binding: &Binding) -> Option<&'static str> {
    if binding.command.hint.is_empty() {
        return None;
    }
    match binding.command.context {
        Context::List => {}
        Context::Panes => return pane_hint(state, binding),
        Context::Page => return page_hint(state, binding),
        Context::Inbox => return inbox_hint(state, binding),
        // Without an agent the first key starts the shell already.
        Context::Welcome if binding.command.action == Action::LaunchShell => {
            return (!state.here.found.is_empty()).then_some(binding.command.hint);
        }
        _ => return Some(binding.command.hint),
    }
    let status = state.selected_runner().map(|runner| runner.status);
    let panes = state.panes.runners().len();
    let is_live = status.is_some_and(RunnerStatus::is_live);
    let needs = state.runners.values().any(|r| state.group(r) == Group::NeedsYou);
    let asked = state.selected_runner().filter(|runner| question(runner).is_some());
    let kind = asked.map(|runner| runner.activity.kind.as_deref().unwrap_or_default());
    let applies = match binding.command.action {
        Action::Approve | Action::Deny => {
            kind.is_some_and(|kind| !OWN.contains(&kind) && kind != "question")
        }
        Action::Choose => kind.is_some_and(|kind| !OWN.contains(&kind)),
        Action::Attach
        | Action::Type
        | Action::Line
        | Action::Stop
        | Action::Pause
        | Action::Correct => is_live,
        Action::Remove => status.is_some_and(|status| !status.is_live()),
        Action::Restart | Action::ShowLog | Action::ShowEvidence => status.is_some(),
        Action::ResumeLost => !state.lost().is_empty(),
        Action::Continue => {
            let selected = state.selected_runner().filter(|runner| !runner.status.is_live());
            selected.is_some_and(|runner| runner.session_id.is_some())
        }
        Action::ShowChanges => state.selected_runner().is_some_and(|r| r.checkout.is_some()),
        Action::NextNeeding => needs,
        Action::ShowPanes => panes > 0,
        // Where projects are the headings, or one has a limit.
        Action::Quotas => {
            let is_limited = |quota: &ProjectQuota| quota.quota != Quota::default();
            state.arrangement == Arrangement::ByProject || state.quotas.values().any(is_limited)
        }
        _ => true,
    };
    let word = match binding.command.action {
        Action::Line if kind.is_none() => "send line",
        Action::NextNeeding if state.size.0 < 100 => "next",
        Action::Pause if status == Some(RunnerStatus::Paused) => "resume",
        Action::Arrange if state.arrangement == Arrangement::ByProject => "by state",
        _ => binding.command.hint,
    };
    (applies && state.mode == Mode::List).then_some(word)
}
