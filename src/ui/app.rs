//! The loop: the only one, and the only place where events meet the state and the screen.
//!
//! `pace` says when a frame is drawn. Nothing is drawn when nothing changed, and nothing wakes up
//! before an age on the screen reads differently.

use std::{collections::BTreeSet, io::Write as _, panic::PanicHookInfo, sync::Arc, time::Duration};

use chrono::Utc;
use crossterm::event::EventStream;
use futures_util::{FutureExt as _, StreamExt as _};
use rustix::process::{Signal as PosixSignal, getpid, kill_current_process_group, kill_process};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use super::{
    Picked, UiOptions, ahead, choices, clipboard,
    effect::Effect,
    event::UiEvent,
    feed::{self, Outlet},
    input,
    keymap::Keymap,
    layouts::{Found, Layouts},
    leaving,
    looks::Looks,
    pace::Pace,
    perform::Performer,
    report,
    screen::Screen,
    seen::SeenFile,
    state::{Mode, Palette, Scope, Settings, State},
    surroundings,
    update::update,
    versions, view,
};
use crate::{
    client::{AttachEnd, AttachOptions, attach},
    config::{AttachConfig, Loaded, Places, environment},
    domain::{failure::Failure, id::RunnerId},
    terminal::Pane,
};

/// Without an age on the screen there is nothing to wait for.
const LONG: Duration = Duration::from_hours(24);
/// What the feed may be ahead of the loop; a slow terminal slows it down.
const AHEAD: usize = 256;
/// Events applied before the next frame is considered.
const BATCH: usize = 64;
/// The daemon is told so often at most that a person is here.
const PRESENCE: Duration = Duration::from_secs(15);
/// The kernel may take a moment to stop all threads after the signal was sent.
const STOP_PAUSE: Duration = Duration::from_millis(20);

/// How the loop goes on after an effect.
enum Next {
    On,
    Leave,
}

/// Shows the dashboard until the user leaves it.
pub(super) async fn run(options: UiOptions) -> Result<Option<Picked>, Failure> {
    let is_picker = options.picker;
    let recorder = report::Shared::default();
    let (logs, shared) = (options.places.logs(), Arc::clone(&recorder));
    let report = move |info: &PanicHookInfo<'_>| report::write_panic(&logs, &shared, info).ok();
    let mut screen = Screen::take(Box::new(report))?;
    let mut app = App::new(options, recorder, &screen)?;
    let result = app.run(&mut screen).await;
    drop(screen);
    if let Some(layouts) = app.layouts.take() {
        layouts.close().await;
    }
    if let Some(seen) = app.seen.take() {
        seen.close().await;
    }
    if result.is_ok() && !is_picker {
        app.say_goodbye();
    }
    result.map(|()| app.picked.take())
}

struct App {
    state: State,
    looks: Looks,
    places: Places,
    keys: AttachConfig,
    layouts: Option<Layouts>,
    seen: Option<SeenFile>,
    input: Option<EventStream>,
    events: mpsc::Receiver<UiEvent>,
    performer: Performer,
    feed: JoinHandle<Result<(), Failure>>,
    quit: [Signal; 2],
    continued: Signal,
    stopped: Signal,
    pace: Pace,
    picked: Option<Picked>,
    recorder: report::Shared,
    /// When the daemon was last told that a person is here.
    present: Option<Instant>,
}

impl App {
    fn new(options: UiOptions, recorder: report::Shared, screen: &Screen) -> Result<Self, Failure> {
        let here = surroundings::look(&options);
        let (events_tx, events) = mpsc::channel(AHEAD);
        let (client_tx, client) = watch::channel(None);
        let outlet = Outlet { events: events_tx.clone(), client: client_tx };
        let config = options.loaded.config.clone();
        let mut state = State::new(here, Utc::now(), screen.size());
        state.settings = Settings::new(&config);
        let (layouts, found) = Layouts::open(&options.places, events_tx.clone());
        let found = match found {
            Found::Nothing => None,
            Found::Layout(layout) => Some(Ok(Box::new(layout))),
            Found::Damaged(why) => Some(Err(why)),
        };
        // Nothing can follow from it yet: nobody is connected.
        drop(found.map(|found| update(&mut state, UiEvent::LayoutFound(found))));
        let (seen, looked) = SeenFile::open(&options.places, events_tx.clone());
        drop(update(&mut state, UiEvent::SeenFound(looked)));
        let looks = Looks::new(&mut state, &config, &options.loaded.origins, &options.places);
        state.keys = Keymap::new(&config.keys, config.dashboard.accessible);
        // What is configured goes before what was kept here.
        state.presets = choices::presets(&options.places);
        state.presets.extend(config.presets);
        state.config = config_rows(&options.loaded);
        if options.picker {
            state.mode = Mode::Palette(Palette::new(Scope::Standalone, None));
        }
        let on_signal = |kind| {
            signal(kind).map_err(|error| Failure::internal(format!("watch signals: {error}")))
        };
        Ok(Self {
            state,
            looks,
            places: options.places.clone(),
            keys: config.attach,
            layouts: Some(layouts),
            seen: Some(seen),
            input: Some(EventStream::new()),
            events,
            performer: Performer::new(client, events_tx, options.environment, options.umask),
            feed: tokio::spawn(feed::follow(options.places, outlet)),
            quit: [on_signal(SignalKind::terminate())?, on_signal(SignalKind::hangup())?],
            continued: on_signal(SignalKind::from_raw(PosixSignal::CONT.as_raw()))?,
            stopped: on_signal(SignalKind::from_raw(PosixSignal::TSTP.as_raw()))?,
            pace: Pace::new(environment::is_remote()),
            picked: None,
            recorder,
            present: None,
        })
    }

    async fn run(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        leaving::in_time()?;
        loop {
            if self.state.is_dirty && self.pace.due(Instant::now()) <= Instant::now() {
                self.draw(screen)?;
            }
            let Some(event) = self.wait(screen).await? else { return Ok(()) };
            let mut next = Some(event);
            let mut applied = 0;
            while let Some(event) = next {
                if let Next::Leave = self.apply(screen, event).await? {
                    return Ok(());
                }
                applied += 1;
                next = if applied < BATCH { self.events.try_recv().ok() } else { None };
            }
        }
    }

    fn draw(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        let theme = self.looks.theme(&self.state);
        let state = &self.state;
        let mut size = state.size;
        let bytes = screen.draw(|frame| {
            size = (frame.area().width, frame.area().height);
            view::draw(frame, state, theme);
        })?;
        self.pace.drawn(Instant::now(), bytes);
        // The terminal may have changed under the frame; then it is drawn again.
        self.state.is_dirty = size != self.state.size;
        self.state.size = size;
        self.state.drawn();
        Ok(())
    }

    /// Waits for the next event; `None` to leave.
    async fn wait(&mut self, screen: &Screen) -> Result<Option<UiEvent>, Failure> {
        let now = Instant::now();
        let wake = if self.state.is_dirty {
            self.pace.due(now)
        } else {
            let change = view::next_change(&self.state).and_then(|change| change.to_std().ok());
            self.pace.drawn_at(now) + change.unwrap_or(LONG)
        };
        let [terminate, hang_up] = &mut self.quit;
        let input = self.input.get_or_insert_with(EventStream::new);
        loop {
            tokio::select! {
                biased;
                _ = terminate.recv() => return Ok(None),
                _ = hang_up.recv() => return Ok(None),
                _ = self.continued.recv() => return Ok(Some(UiEvent::Continued)),
                _ = self.stopped.recv() => return Ok(Some(UiEvent::Stopped)),
                () = screen.panicked() => {
                    return Err(Failure::internal("show the dashboard: a part of it panicked"));
                }
                event = input.next() => match event {
                    Some(Ok(event)) => if let Some(event) = input::understand(event) {
                        return Ok(Some(event));
                    },
                    // The terminal is gone.
                    Some(Err(_)) | None => return Ok(None),
                },
                Some(event) = self.events.recv() => return Ok(Some(event)),
                ended = &mut self.feed => {
                    let gone = || Failure::internal("follow the daemon: the feed ended");
                    return Err(ended.ok().and_then(Result::err).unwrap_or_else(gone));
                }
                () = sleep_until(wake) => return Ok(Some(UiEvent::Tick(Utc::now()))),
            }
        }
    }

    async fn apply(&mut self, screen: &mut Screen, event: UiEvent) -> Result<Next, Failure> {
        self.state.now = Utc::now();
        self.pace.saw(&event, Instant::now());
        self.note_presence(&event);
        if let Ok(mut recorder) = self.recorder.lock() {
            recorder.note(&self.state, &event);
        }
        match event {
            UiEvent::Resized(..) => screen.repaint(),
            UiEvent::Key(_) | UiEvent::Mouse(_) | UiEvent::Paste(_) => {
                self.performer.somebody_is_here();
            }
            _ => {}
        }
        for effect in update(&mut self.state, event) {
            match effect {
                Effect::Quit => return Ok(Next::Leave),
                Effect::Redraw => {
                    screen.leave();
                    self.take_back(screen)?;
                }
                Effect::Picked(id) => {
                    self.picked = Some(Picked { id, typed: self.typed_ahead(id) });
                    return Ok(Next::Leave);
                }
                Effect::KeepPreset(name, preset) => {
                    let kept = choices::keep_preset(&self.places, &name, preset);
                    self.state.tell(kept.map(|()| format!("the preset {name} is kept")));
                }
                Effect::AskVersions => {
                    versions::ask(&self.state.here.found, self.performer.events());
                }
                Effect::Dump => {
                    let written = report::write_events(&self.places.logs(), &self.recorder);
                    let written = written.map(|path| format!("it is in {}", path.display()));
                    self.state.tell(written.map_err(|error| {
                        Failure::internal(format!("write what happened: {error}"))
                    }));
                }
                Effect::KeepTheme(name) => {
                    if let Err(failure) = choices::keep_theme(&self.places, &name) {
                        self.state.tell(Err(failure));
                    }
                }
                Effect::Alert { bell, desktop } => screen.alert(bell, desktop.as_deref()),
                Effect::Suspend(whole) => self.suspend(screen, whole).await?,
                Effect::ReportMouse(mode) => screen.report_mouse(mode)?,
                Effect::Attach(id) => Box::pin(self.attach(screen, id)).await?,
                Effect::Copy(text) => {
                    if let Some(sequence) = clipboard::sequence(&text) {
                        screen.write(&sequence)?;
                    }
                    clipboard::give(text);
                }
                Effect::KeepSeen(looked) => {
                    if let Some(seen) = &self.seen {
                        seen.keep(&looked);
                    }
                    self.performer.perform(Effect::MarkSeen(looked));
                }
                Effect::SaveLayout(layout) => {
                    if let Some(layouts) = &self.layouts {
                        layouts.save(*layout);
                    }
                }
                effect => {
                    if let Effect::SendKeys(id, _) = effect {
                        self.pace.typed(id, Instant::now());
                    }
                    self.performer.perform(effect);
                }
            }
        }
        Ok(Next::On)
    }

    /// Tells the daemon before which screens a person is who presses keys here.
    fn note_presence(&mut self, event: &UiEvent) {
        let is_person = matches!(event, UiEvent::Key(_) | UiEvent::Paste(_) | UiEvent::Mouse(_));
        let is_due = self.present.is_none_or(|last| last.elapsed() >= PRESENCE);
        if !is_person || !is_due {
            return;
        }
        let (ids, client) = (self.state.before_eyes(), self.performer.client());
        if let Some(client) = client.filter(|_| !ids.is_empty()) {
            self.present = Some(Instant::now());
            tokio::spawn(async move { client.note_looking(&ids).await });
        }
    }

    /// Stops until somebody continues us: with the rest of the job, as any program in a shell does on
    /// ctrl-z, or alone where we alone were asked to.
    async fn suspend(&mut self, screen: &mut Screen, whole: bool) -> Result<(), Failure> {
        self.input = None;
        screen.leave();
        // SIGTSTP, which we handle to put the terminal back, no longer stops us by itself; and nobody
        // could continue us where there is no shell.
        if leaving::has_shell() {
            if whole {
                kill_current_process_group(PosixSignal::TSTP).ok();
            }
            kill_process(getpid(), PosixSignal::STOP).ok();
            sleep(STOP_PAUSE).await;
        }
        self.take_back(screen)
    }

    /// Takes what the user typed after the key that hands the terminal to a runner.
    fn typed_ahead(&mut self, id: RunnerId) -> Vec<u8> {
        let screen = self.state.screens.get(&id).and_then(|screen| screen.pane.as_ref());
        let modes = screen.map(Pane::modes).unwrap_or_default();
        // It holds the reader's lock; a new one is opened when it is waited for.
        self.input = None;
        ahead::typed(&modes)
    }

    /// Hands the terminal to a runner until the user comes back from it.
    async fn attach(&mut self, screen: &mut Screen, id: RunnerId) -> Result<(), Failure> {
        let Some(client) = self.performer.client() else { return Ok(()) };
        let options = AttachOptions { keys: self.keys.clone(), ..AttachOptions::default() };
        let (word, typed) = (id.to_string(), self.typed_ahead(id));
        self.performer.watch(&BTreeSet::new());
        self.input = None;
        screen.leave();
        if !typed.is_empty() {
            // What is refused is told by the attach itself, which needs the same runner.
            client.send_keys(&word, typed.into()).await.ok();
        }
        let attached = attach(&client, &word, &options);
        tokio::pin!(attached);
        let ended = loop {
            tokio::select! {
                ended = &mut attached => break ended,
                // What happens meanwhile is known when the user comes back.
                Some(event) = self.events.recv() => {
                    for effect in update(&mut self.state, event) {
                        let is_reading = matches!(
                            effect,
                            Effect::ListProjects
                                | Effect::LastScreen(_)
                                | Effect::ReadSpending(..)
                        );
                        if is_reading {
                            self.performer.perform(effect);
                        }
                    }
                }
            }
        };
        self.take_back(screen)?;
        self.performer.watch(&self.state.watched);
        match ended {
            Ok((name, AttachEnd::Detached)) => {
                self.state.say(format!("detached; {name} goes on"));
            }
            Ok((name, AttachEnd::Exited { code, signal })) => {
                let how = match (code, signal) {
                    (_, Some(signal)) => format!("by {signal}"),
                    (Some(code), None) => format!("with exit code {code}"),
                    (None, None) => String::new(),
                };
                self.state.say(format!("{name} ended {how}"));
            }
            Ok((name, AttachEnd::Lost)) => {
                self.state.complain(format!("the supervisor of {name} is gone"));
            }
            Err(failure) => {
                let text = format!("failed to {} ({})", failure.message, failure.hint);
                self.state.complain(text.trim_end_matches(" ()"));
            }
        }
        Ok(())
    }

    fn take_back(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        screen.enter_again()?;
        screen.report_mouse(self.state.mouse)?;
        // A new one is opened when it is waited for: it needs the lock that the old one holds.
        self.input = None;
        // Nothing is to be stopped any more by what we were asked before.
        self.stopped.recv().now_or_never();
        self.state.now = Utc::now();
        self.state.size = screen.size();
        self.state.is_dirty = true;
        Ok(())
    }

    /// Says on the ordinary screen that nothing was ended.
    fn say_goodbye(&self) {
        if self.state.here.demo {
            return;
        }
        let live = self.state.runners.values().filter(|runner| runner.status.is_live()).count();
        let text = match live {
            0 => return,
            1 => "1 agent goes on; stratavore shows it again".to_owned(),
            count => format!("{count} agents go on; stratavore shows them again"),
        };
        // The terminal may be gone.
        writeln!(std::io::stderr(), "{text}").ok();
    }
}

/// Every setting with its value and where that is from.
fn config_rows(loaded: &Loaded) -> Vec<(String, String, String)> {
    let row = |(key, value): (String, serde_json::Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let origin = loaded.origin(&key);
        (key, value, origin)
    };
    loaded.values().unwrap_or_default().into_iter().map(row).collect()
}

impl Drop for App {
    fn drop(&mut self) {
        self.feed.abort();
    }
}
