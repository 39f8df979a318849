//! Does what `update` wants done with the daemon, each in a task of its own, so that no answer is
//! waited for while keys are pressed.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    checkout, conversing, correcting,
    effect::{AnswerOrder, Effect, ItemDeed, ItemOrder, LaunchOrder},
    event::{ANSWER, Outcome, UiEvent},
    feed, resizing, spending,
    state::{CHUNK, MOST_MATCHES, Present, Wants, Watched, Work},
    typist::Typist,
};
use crate::{
    client::Client,
    domain::{
        budget::{BudgetScope, Period},
        checkout::SETUP_NOT_TRUSTED,
        failure::Failure,
        id::RunnerId,
        launch::{Environment, LaunchRequest, RestartPolicy},
        prompt::{PromptWish, When},
        size::TerminalSize,
    },
};

/// Calls that change runners under way at once; others wait. More than a machine runs agents, so that
/// no agent's time to leave holds up another's stop.
const TOGETHER: usize = 128;

/// So often the daemon is told that somebody is here.
const PRESENT: Duration = Duration::from_mins(1);

/// How what is done here is written down.
const SURFACE: &str = "dashboard";

/// Carries out effects.
pub(super) struct Performer {
    client: watch::Receiver<Option<Client>>,
    events: mpsc::Sender<UiEvent>,
    typist: Typist,
    sizes: mpsc::Sender<(RunnerId, TerminalSize)>,
    watching: HashMap<Watched, JoinHandle<()>>,
    reading: Option<JoinHandle<()>>,
    comparing: Option<JoinHandle<()>>,
    conversing: Option<JoinHandle<()>>,
    /// Places for those who look at what is checked out.
    checkouts: Arc<Semaphore>,
    /// Places for calls.
    calls: Arc<Semaphore>,
    /// When the daemon was told last that somebody is here.
    told_at: Option<Instant>,
    environment: Environment,
    umask: u32,
}

impl Performer {
    /// Returns one that tells how it went through `events`.
    pub(super) fn new(
        client: watch::Receiver<Option<Client>>,
        events: mpsc::Sender<UiEvent>,
        environment: Environment,
        umask: u32,
    ) -> Self {
        let typist = Typist::new(client.clone(), events.clone());
        let sizes = resizing::start(client.clone(), events.clone());
        Self {
            client,
            events,
            typist,
            sizes,
            watching: HashMap::new(),
            reading: None,
            comparing: None,
            conversing: None,
            checkouts: Arc::new(Semaphore::new(checkout::TOGETHER)),
            calls: Arc::new(Semaphore::new(TOGETHER)),
            told_at: None,
            environment,
            umask,
        }
    }

    /// Tells the daemon now and then that somebody is here.
    pub(super) fn somebody_is_here(&mut self) {
        let is_told = self.told_at.is_some_and(|at| at.elapsed() < PRESENT);
        let Some(client) = self.client().filter(|_| !is_told) else { return };
        self.told_at = Some(Instant::now());
        // The next key tells it if this does not.
        tokio::spawn(async move { client.note_presence(SURFACE).await.ok() });
    }

    /// Where outcomes go.
    pub(super) fn events(&self) -> &mpsc::Sender<UiEvent> {
        &self.events
    }

    /// The connection, if there is one.
    pub(super) fn client(&self) -> Option<Client> {
        self.client.borrow().clone()
    }

    /// Carries out what concerns the daemon; the rest is the loop's.
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Watch(screens) => self.watch(&screens),
            Effect::SendKeys(id, bytes) => self.typist.type_bytes(id, bytes),
            Effect::Resize(id, size) => {
                // When there are too many, the next key asks again.
                self.sizes.try_send((id, size)).ok();
            }
            Effect::ReadLog(id) => self.read_log(id),
            Effect::ReadChanges(id) => self.read_changes(id),
            Effect::ReadConversation(which) => self.read_conversation(which),
            Effect::Search(ask) => {
                let (client, events) = (self.client(), self.events.clone());
                tokio::spawn(conversing::search(client, ask, events));
            }
            Effect::ReadSpending(wants, pause) => self.read_spending(*wants, pause),
            Effect::ReadBranch(directory) => self.read_branch(directory),
            effect => self.call(effect),
        }
    }

    /// Follows these screens and no others.
    pub(super) fn watch(&mut self, screens: &BTreeSet<Watched>) {
        self.watching.retain(|watched, task| {
            let is_kept = screens.contains(watched);
            if !is_kept {
                task.abort();
            }
            is_kept
        });
        let Some(client) = self.client() else { return };
        for watched in screens {
            self.watching.entry(*watched).or_insert_with(|| {
                let (client, events) = (client.clone(), self.events.clone());
                tokio::spawn(feed::follow_screen(client, *watched, events))
            });
        }
    }

    fn read_log(&mut self, id: Option<RunnerId>) {
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
        if let (Some(id), Some(client)) = (id, self.client()) {
            let events = self.events.clone();
            self.reading = Some(tokio::spawn(feed::follow_log(client, id, events)));
        }
    }

    fn read_changes(&mut self, id: Option<RunnerId>) {
        if let Some(comparing) = self.comparing.take() {
            comparing.abort();
        }
        if let Some(id) = id {
            let (client, events) = (self.client.clone(), self.events.clone());
            self.comparing = Some(tokio::spawn(feed::follow_changes(client, id, events)));
        }
    }

    fn read_conversation(&mut self, which: Option<(String, u64)>) {
        if let Some(conversing) = self.conversing.take() {
            conversing.abort();
        }
        if let Some((id, reading)) = which {
            let (client, events) = (self.client(), self.events.clone());
            self.conversing = Some(tokio::spawn(conversing::read(client, id, reading, events)));
        }
    }

    fn read_branch(&self, directory: PathBuf) {
        let (events, places) = (self.events.clone(), Arc::clone(&self.checkouts));
        tokio::spawn(async move {
            let Ok(_place) = places.acquire().await else { return };
            let branch = checkout::read(&directory).await;
            events.send(UiEvent::Branch(directory, branch)).await.ok();
        });
    }

    fn read_spending(&self, wants: Wants, pause: Duration) {
        // Without a connection all is read again when there is one.
        let Some(client) = self.client() else { return };
        let events = self.events.clone();
        tokio::spawn(async move {
            sleep(pause).await;
            let spent = spending::read(&client, wants).await;
            events.send(UiEvent::Spent(Box::new(spent))).await.ok();
        });
    }

    fn call(&self, effect: Effect) {
        let Some(client) = self.client() else {
            // What has begun must end.
            let count = if let Effect::Launch(order) = &effect { order.count } else { 1 };
            for told in (0..count).filter_map(|_| unconnected(&effect)) {
                self.events.try_send(UiEvent::Outcome(told)).ok();
            }
            return;
        };
        let (events, calls) = (self.events.clone(), Arc::clone(&self.calls));
        let (environment, umask) = (self.environment.clone(), self.umask);
        tokio::spawn(async move {
            let Ok(_place) = calls.acquire().await else { return };
            if let Effect::Launch(order) = effect {
                Box::pin(launch(&client, *order, (environment, umask), &events)).await;
            } else if let Effect::ResumeSession(session, size) = effect {
                let with = (&environment, size, umask);
                let told = match Box::pin(client.resume_session(&session, false, with)).await {
                    Ok(runner) => Outcome::Resumed(Box::new(runner)),
                    Err(failure) => Outcome::Failed("go on with the conversation", failure),
                };
                events.send(UiEvent::Outcome(told)).await.ok();
            } else if let Effect::ResumeRunner(id, session, size) = effect {
                let with = (&environment, size, umask);
                let told = match Box::pin(client.resume_session(&session, false, with)).await {
                    Ok(runner) => Outcome::Continued(id, Box::new(runner)),
                    Err(failure) => Outcome::Refused(Work::Resume, id, failure),
                };
                events.send(UiEvent::Outcome(told)).await.ok();
            } else if let Some(told) = Box::pin(ask(&client, effect)).await {
                events.send(told).await.ok();
            }
        });
    }
}

impl Drop for Performer {
    fn drop(&mut self) {
        self.watch(&BTreeSet::new());
        self.read_log(None);
        self.read_changes(None);
        self.read_conversation(None);
    }
}

/// Makes the call an effect stands for and returns what there is to tell.
async fn ask(client: &Client, effect: Effect) -> Option<UiEvent> {
    let done = |what: &'static str, answer: Result<String, Failure>| {
        Some(UiEvent::Outcome(match answer {
            Ok(text) => Outcome::Done(text),
            Err(failure) => Outcome::Failed(what, failure),
        }))
    };
    match effect {
        Effect::ListProjects => client.list_projects("").await.ok().map(UiEvent::Projects),
        Effect::ListQuotas => client.list_quotas("").await.ok().map(UiEvent::Quotas),
        Effect::SetQuota(project, change) => {
            let set = client.set_quota(&project, &change).await;
            done("set the quota", set.map(|_| format!("the quotas of {project} are set")))
        }
        Effect::SetBudget(_) | Effect::RemoveBudget(..) | Effect::ResetBudget(..) => {
            let (what, went) = budget(client, effect).await?;
            done(what, went)
        }
        Effect::LastScreen(id) => {
            // Nothing may be known of it; then nothing is shown.
            let lines = client.screen(&id.to_string()).await.map(|screen| screen.lines);
            Some(UiEvent::LastScreen(id, lines.unwrap_or_default()))
        }
        Effect::OpenScrollback(id) => {
            let screen = client.screen(&id.to_string()).await.ok()?;
            let present = Present {
                rows: screen.lines,
                wrapped: screen.wrapped,
                history: screen.history_lines,
                forgotten: screen.forgotten_lines,
            };
            Some(UiEvent::ScrollbackOpened(id, Box::new(present)))
        }
        Effect::ReadScrollback(id, from) => {
            let count = u32::try_from(CHUNK).unwrap_or(u32::MAX);
            let read = client.scrollback(&id.to_string(), from, count, true).await;
            Some(UiEvent::ScrollbackRead(id, from, read.unwrap_or_default()))
        }
        Effect::SearchScrollback(id, text) => {
            match client.search(&id.to_string(), &text, MOST_MATCHES).await {
                Ok(found) => {
                    let lines = found.into_iter().map(|(line, _)| line).collect();
                    Some(UiEvent::ScrollbackFound(id, text, lines))
                }
                Err(failure) => done("search", Err(failure)),
            }
        }
        Effect::Stop(..) | Effect::Remove(_) | Effect::Restart(_) => work(client, &effect).await,
        Effect::DeleteProject(project) => {
            // Never forced: what lives is stopped by a key of its own.
            let deleted = client.delete_project(&project.name, false).await;
            Some(UiEvent::Outcome(match deleted {
                Ok(_) => Outcome::Forgotten(project),
                Err(failure) => Outcome::Failed("delete the project", failure),
            }))
        }
        Effect::CreateProject(project) => {
            let created = client.create_project(*project).await;
            let said = created.map(|project| format!("{} is a project again", project.name));
            done("register the project", said)
        }
        Effect::SetPaused(id, paused) => {
            let runner = client.set_paused(&id.to_string(), paused).await;
            let word = if paused { "is paused" } else { "goes on" };
            done("do that", runner.map(|runner| format!("{} {word}", runner.name)))
        }
        Effect::ActOnItem(order) => done("do that", act_on_item(client, *order).await),
        Effect::MarkSeen(looked) => {
            // Tried again with the next look, and by whoever attaches.
            client.mark_seen(looked).await.ok();
            None
        }
        Effect::Answer(order) => done(ANSWER, answer(client, *order).await),
        Effect::SendText(id, text) => done("send the line", send_line(client, id, &text).await),
        effect => correcting::ask(client, effect).await,
    }
}

/// Makes the calls about budgets; returns what was tried and how it went.
async fn budget(
    client: &Client,
    effect: Effect,
) -> Option<(&'static str, Result<String, Failure>)> {
    let named =
        |scope: &BudgetScope, period: Period| format!("the {} budget for {scope}", period.as_str());
    Some(match effect {
        Effect::SetBudget(change) => {
            let named = named(&change.scope, change.period);
            let set = client.set_budget(*change).await;
            ("set the budget", set.map(|()| format!("{named} is set")))
        }
        Effect::RemoveBudget(scope, period) => {
            let removed = client.remove_budget(&scope, Some(period)).await;
            let said = format!("{} is removed", named(&scope, period));
            ("remove the budget", removed.map(|()| said))
        }
        Effect::ResetBudget(scope, period) => {
            let reset = client.reset_budget(&scope, Some(period)).await;
            let said = format!("{} begins anew", named(&scope, period));
            ("reset the budget", reset.map(|()| said))
        }
        _ => return None,
    })
}

/// Returns how it is told that an effect cannot be carried out without a connection, `None` for
/// what nobody waits for.
fn unconnected(effect: &Effect) -> Option<Outcome> {
    let gone = conversing::gone;
    Some(match effect {
        Effect::Stop(id, false) => Outcome::Refused(Work::Stop, *id, gone()),
        Effect::Stop(id, true) => Outcome::Refused(Work::Kill, *id, gone()),
        Effect::Restart(id) => Outcome::Refused(Work::Restart, *id, gone()),
        Effect::Remove(id) => Outcome::Refused(Work::Remove, *id, gone()),
        Effect::ResumeRunner(id, ..) => Outcome::Refused(Work::Resume, *id, gone()),
        Effect::Launch(_) => Outcome::NotLaunched("launch", gone()),
        _ => return None,
    })
}

/// Makes the calls whose progress is shown: what is done to a runner.
async fn work(client: &Client, effect: &Effect) -> Option<UiEvent> {
    let (work, id, went) = match *effect {
        Effect::Stop(id, force) => {
            let stopped = client.stop(&id.to_string(), None, force).await;
            let told = |(runner, before)| Outcome::Stopped(Box::new(runner), before);
            (if force { Work::Kill } else { Work::Stop }, id, stopped.map(told))
        }
        Effect::Remove(id) => {
            let removed = client.remove_runner(&id.to_string()).await;
            (Work::Remove, id, removed.map(|runner| Outcome::Removed(Box::new(runner))))
        }
        Effect::Restart(id) => {
            let started = client.restart(&id.to_string(), None, false).await;
            (Work::Restart, id, started.map(|runner| Outcome::Restarted(Box::new(runner))))
        }
        _ => return None,
    };
    Some(UiEvent::Outcome(went.unwrap_or_else(|failure| Outcome::Refused(work, id, failure))))
}

/// Sends a line when its agent is at rest: at once, or later from the queue. Says what is known of it.
async fn send_line(client: &Client, id: RunnerId, text: &str) -> Result<String, Failure> {
    let wish = PromptWish {
        text: text.to_owned(),
        submit: true,
        run: None,
        session: String::new(),
        when: When::Queued,
    };
    Ok(client.send_prompt(&id.to_string(), &wish).await?.sentence())
}

/// Answers a question; the daemon knows whether it is still the one that is asked.
async fn answer(client: &Client, order: AnswerOrder) -> Result<String, Failure> {
    client.answer(&order.id.to_string(), order.asked, &order.answer).await?;
    Ok(order.said)
}

/// Does something about an item of the inbox.
async fn act_on_item(client: &Client, order: ItemOrder) -> Result<String, Failure> {
    let id = order.id.to_string();
    match order.deed {
        ItemDeed::Answer(answer) => {
            client.answer_item(&id, Some(order.asked), answer, SURFACE).await?;
        }
        ItemDeed::Snooze(time) => drop(client.snooze_item(&id, time, SURFACE).await?),
        ItemDeed::Dismiss => drop(client.dismiss_items(&[id], SURFACE).await?),
    }
    Ok(order.said)
}

/// Registers the project where needed and starts the agents; tells of each how it went.
async fn launch(
    client: &Client,
    order: LaunchOrder,
    (environment, umask): (Environment, u32),
    events: &mpsc::Sender<UiEvent>,
) {
    let again = LaunchOrder { register: None, ..order.clone() };
    let registered = match order.register {
        Some(new) => client.create_project(new).await.map(drop),
        None => Ok(()),
    };
    let mut request = LaunchRequest {
        request_id: None,
        project: order.project,
        name: order.name,
        command: order.command,
        cwd: Some(order.cwd),
        worktree: order.worktree,
        environment,
        size: order.size,
        restart: RestartPolicy::Never,
        umask,
        max_tokens: order.max_tokens,
    };
    for done in 0..order.count {
        let outcome = match &registered {
            Ok(()) => {
                request.request_id = Some(Uuid::new_v4());
                match client.launch(&request).await {
                    Ok(launched) => Outcome::Launched(Box::new(launched)),
                    Err(failure) if failure.reason == SETUP_NOT_TRUSTED => {
                        // Asked once for all that are left.
                        let rest = LaunchOrder { count: order.count - done, ..again };
                        let untrusted = Outcome::Untrusted(Box::new(rest), failure);
                        events.send(UiEvent::Outcome(untrusted)).await.ok();
                        return;
                    }
                    Err(failure) => Outcome::NotLaunched("launch", failure),
                }
            }
            Err(failure) => Outcome::NotLaunched("register the project", failure.clone()),
        };
        events.send(UiEvent::Outcome(outcome)).await.ok();
    }
}
