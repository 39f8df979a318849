//! What the daemon tells: runners, screens, events, and how actions went.

use chrono::TimeDelta;

use crate::{
    client::RunnerUpdate,
    domain::{digest::Digest, event::Event, id::RunnerId, runner::Runner},
    terminal::Pane,
    ui::{
        effect::Effect,
        event::{Frame, UiEvent},
        keymap::{Action, Context},
        state::{
            Connection, FIGURES_FROM, Group, Line, MAX_EVENTS, Mode, State, View, age_text,
            event_line, geometry, reason, word,
        },
    },
};

/// Who has not looked for so long was away.
const AWAY: TimeDelta = TimeDelta::minutes(10);

/// Applies what the daemon told.
pub(super) fn on_event(state: &mut State, event: UiEvent) -> Vec<Effect> {
    match event {
        UiEvent::Connected(daemon) => {
            state.is_dirty |= !state.is_current() || state.daemon != daemon;
            // Budgets written into the table by hand cause no event.
            state.spending.outdate();
            state.connection = Connection::Live;
            state.daemon = daemon;
        }
        UiEvent::Disconnected(why) => {
            state.is_dirty = true;
            state.connection = Connection::Lost(why);
            state.spending.lose();
            mark_stale(state, None);
        }
        UiEvent::Runners(update) => return on_runners(state, update),
        UiEvent::Projects(projects) => {
            state.is_dirty |= state.projects != projects;
            state.projects = projects;
        }
        UiEvent::Quotas(quotas) => {
            let quotas = quotas.into_iter().map(|quota| (quota.project.clone(), quota)).collect();
            state.is_dirty |= state.quotas != quotas;
            state.quotas = quotas;
        }
        UiEvent::Away(digest) => tell_of_absence(state, &digest),
        UiEvent::Inbox(items) => state.learn_inbox(items),
        UiEvent::Spent(spent) => super::spending::on_spent(state, *spent),
        UiEvent::Happened(events) => return on_happened(state, events),
        UiEvent::Log(id, text) => {
            if let Some(log) = state.log.as_mut().filter(|log| log.id == id) {
                let forgotten = log.take(&text);
                state.keep_place(View::Log, &forgotten);
                state.is_dirty = true;
            }
        }
        UiEvent::LogEnded(id, why) => {
            if let Some(log) = state.log.as_mut().filter(|log| log.id == id) {
                log.ended = Some(why);
                state.is_dirty = true;
            }
        }
        UiEvent::Changes(id, read) => {
            if let Some(changes) = state.changes.as_mut().filter(|changes| changes.id == id) {
                changes.learn(read.map(|read| *read));
                state.is_dirty = true;
            }
        }
        UiEvent::Explained(id, told) => {
            if let Some(evidence) = state.evidence.as_mut().filter(|evidence| evidence.id == id) {
                evidence.told = Some(told);
                state.is_dirty = true;
            }
        }
        event @ (UiEvent::Found(..) | UiEvent::Said(..) | UiEvent::SaidAll(..)) => {
            return super::conversations::on_event(state, event);
        }
        UiEvent::LookedAt(id, looked) => super::correct::on_looked(state, id, *looked),
        UiEvent::Version(name, version) => {
            state.is_dirty = true;
            state.here.versions.insert(name, version);
        }
        UiEvent::Branch(directory, branch) => {
            state.is_dirty |= state.branches.learn(directory, branch);
        }
        UiEvent::SeenFound(Ok(looked)) => state.is_dirty |= state.seen.learn(&looked),
        UiEvent::SeenFound(Err(why)) => state.complain(why),
        UiEvent::FrameLost(id) => mark_stale(state, Some(id)),
        UiEvent::ResizeRefused(id) => on_resize_refused(state, id),
        UiEvent::LastScreen(id, lines) => {
            if let Some(screen) = state.screens.get_mut(&id) {
                screen.last = lines;
                state.is_dirty = true;
            }
        }
        UiEvent::Outcome(outcome) => super::outcome::on_outcome(state, outcome),
        _ => {}
    }
    Vec::new()
}

/// Tells somebody who comes back what happened meanwhile; who is here for the first time was not away.
fn tell_of_absence(state: &mut State, digest: &Digest) {
    let away = digest.until - digest.since;
    if away >= AWAY && !digest.is_first && !digest.is_empty() {
        let key = state.keys.label(Context::List, Action::ShowInbox);
        let (age, line) = (age_text(away), digest.line());
        state.say(format!("while you were away ({age}): {line}; {key} shows the inbox"));
    }
}

fn on_resize_refused(state: &mut State, id: RunnerId) {
    let is_news = state.panes.fixed.replace(id) != Some(id);
    if is_news && state.runners.get(&id).is_some_and(|r| r.status.is_live()) {
        state.complain("its terminal keeps its size: its supervisor is older than this");
    }
}

fn on_runners(state: &mut State, update: RunnerUpdate) -> Vec<Effect> {
    let mut effects = Vec::new();
    if update.complete {
        let kept: Vec<RunnerId> = update.runners.iter().map(|runner| runner.id).collect();
        let before = state.runners.len();
        state.runners.retain(|id, _| kept.contains(id));
        state.histories.retain(|id, _| kept.contains(id));
        state.is_dirty |= !state.is_complete || state.runners.len() != before;
        state.is_complete = true;
    }
    for id in update.removed {
        state.is_dirty |= state.runners.remove(&id).is_some();
        state.histories.remove(&id);
    }
    let areas = geometry(state);
    let with_figures = areas.text_of(areas.list).width >= FIGURES_FROM;
    for runner in update.runners {
        let known = state.runners.get(&runner.id);
        state.is_dirty |= known.is_none_or(|known| is_seen(known, &runner, with_figures));
        if known.is_some_and(|known| known.run != runner.run) {
            // Another run has another screen, and half a line typed is not meant for it.
            state.screens.remove(&runner.id);
            if state.mode == Mode::Typing(runner.id) {
                state.hold(format!("{} was started anew; nothing more is typed", runner.name));
            }
        }
        let known = state.runners.get(&runner.id);
        let before = known.map(|known| (state.group(known), known.activity.since));
        state.histories.entry(runner.id).or_default().note(&runner, known, state.now);
        let id = runner.id;
        state.runners.insert(id, runner);
        if let Some((group, since)) = before
            && state.raise(group, since, id)
        {
            effects.extend(alert(state, id));
        }
    }
    effects
}

/// What a piece of news does besides the note, as configured.
fn alert(state: &State, id: RunnerId) -> Option<Effect> {
    let runner = state.runners.get(&id)?;
    let group = state.group(runner);
    let notify = &state.settings.notify;
    let bell = notify.bell && group != Group::Done;
    let text = || format!("{}: {} · {}", runner.name, word(runner, group), reason(runner, group));
    let desktop = notify.desktop.then(text);
    (bell || desktop.is_some()).then_some(Effect::Alert { bell, desktop })
}

/// Whether a change can be seen: a heartbeat alone must not cost a frame.
fn is_seen(known: &Runner, now: &Runner, with_figures: bool) -> bool {
    let mut same = known.clone();
    same.last_heartbeat = now.last_heartbeat;
    same.updated_at = now.updated_at;
    if known.topic() == now.topic() {
        same.title.clone_from(&now.title);
    }
    if !with_figures {
        same.cpu_percent = now.cpu_percent;
        same.memory_mb = now.memory_mb;
        same.processes = now.processes;
    }
    same != *now
}

fn on_happened(state: &mut State, events: Vec<Event>) -> Vec<Effect> {
    let newest = state.events.back().map_or(0, |event| event.position);
    let is_about = |kind: &str| events.iter().any(|event| event.event_type.starts_with(kind));
    super::spending::on_happened(state, &events);
    let (about_projects, about_quotas) = (is_about("project."), is_about("quota."));
    for event in events.into_iter().filter(|event| event.position > newest) {
        state.note_event(&event);
        state.outdate_branch(&event);
        state.events.push_back(event);
        state.is_dirty = true;
    }
    let more = state.events.len().saturating_sub(MAX_EVENTS);
    let forgotten: Vec<Line> = state.events.drain(..more).map(|event| event_line(&event)).collect();
    state.keep_place(View::Events, &forgotten);
    let mut effects = Vec::new();
    effects.extend(about_projects.then_some(Effect::ListProjects));
    effects.extend((about_quotas || about_projects).then_some(Effect::ListQuotas));
    effects
}

/// Applies a change of a watched screen; true when the agent now wants another input.
pub(super) fn on_frame(state: &mut State, id: RunnerId, frame: &Frame) -> bool {
    let Some(screen) = state.screens.get_mut(&id) else { return false };
    screen.is_live = true;
    let before = screen.pane.as_ref().map(Pane::modes);
    let pane = match &mut screen.pane {
        Some(pane) => pane,
        // A difference without what it differs from shows nothing.
        None if !frame.full => return false,
        None => screen.pane.insert(Pane::new(frame.size)),
    };
    if pane.size() != frame.size {
        pane.resize(frame.size);
    }
    pane.feed(&frame.bytes);
    state.is_dirty = true;
    before != Some(pane.modes())
}

fn mark_stale(state: &mut State, id: Option<RunnerId>) {
    for (_, screen) in
        state.screens.iter_mut().filter(|(known, _)| id.is_none_or(|id| id == **known))
    {
        state.is_dirty |= screen.is_live;
        screen.is_live = false;
    }
}
