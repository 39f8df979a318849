//! What is told by a command: how everything is, what runs, who waits.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Saying,
    answers::{BY, asked, button},
};
use crate::{
    daemon::{services::Services, store::ItemFilter},
    domain::{
        amount::{cost_without, counted, tokens},
        chat::Press,
        failure::Failure,
        inbox::{Class, Item},
        runner::{Runner, RunnerStatus},
    },
};

/// Runners that are listed.
const MOST: usize = 40;

/// Questions that are shown one below the other.
const MOST_SHOWN: usize = 8;

impl Services {
    pub(super) async fn tell_status(&self) -> Result<Saying, Failure> {
        let status = self.status().await?;
        let live: u64 = RunnerStatus::ALL
            .iter()
            .filter(|status| status.is_live())
            .filter_map(|word| status.runners.get(word.as_str()))
            .sum();
        let count = |word: &str| status.activities.get(word).copied().unwrap_or(0);
        let mut doing = vec![
            counted(count("blocked"), "waits for you", "wait for you"),
            counted(count("working"), "works", "work"),
            counted(count("idle"), "is idle", "are idle"),
            counted(count("done"), "is done", "are done"),
        ];
        // Of what agents are at these are the rest; commands that tell nothing run.
        for (word, one, more) in [
            ("running", "runs", "run"),
            ("starting", "starts", "start"),
            ("error", "has failed", "have failed"),
            ("paused", "is paused", "are paused"),
        ] {
            doing.extend(Some(count(word)).filter(|n| *n > 0).map(|n| counted(n, one, more)));
        }
        let mut lines = vec![
            format!("🖥️ {} · version {}", status.hostname, env!("CARGO_PKG_VERSION")),
            format!("Up for {}", age(status.started_at, self.context.clock.now())),
            format!(
                "{live} live {} in {} {}",
                if live == 1 { "runner" } else { "runners" },
                status.projects,
                if status.projects == 1 { "project" } else { "projects" },
            ),
            doing.join(" · "),
        ];
        for part in self.health().await.iter().filter(|part| !part.healthy) {
            lines.push(format!("⚠️ {}: {}", part.name, part.detail));
        }
        Ok(Saying::words(lines.join("\n")))
    }

    pub(super) async fn tell_runners(&self) -> Result<Saying, Failure> {
        let runners = self.list_runners("", "live", 0).await?;
        if runners.is_empty() {
            return Ok(Saying::words("Nothing runs."));
        }
        let now = self.context.clock.now();
        let mut lines: Vec<_> = runners.iter().take(MOST).map(|r| line(r, now)).collect();
        if runners.len() > MOST {
            lines.push(format!("… and {} more", runners.len() - MOST));
        }
        Ok(Saying::words(lines.join("\n")))
    }

    pub(super) async fn tell_inbox(&self) -> Result<Saying, Failure> {
        let items = self.inbox(&ItemFilter::default()).await?;
        let more = items.len();
        if more == 0 {
            return Ok(Saying::words("Nothing waits for you."));
        }
        let mut all = Saying::default();
        let mut words = Vec::new();
        if more > 1 {
            words.push(format!("{more} wait for you:"));
        }
        for item in items.iter().take(MOST_SHOWN) {
            let shown = self.item(item).await?;
            words.push(shown.words);
            // Each button says whose it is: they stand together below.
            all.buttons.extend(shown.buttons.into_iter().map(|mut row| {
                for button in row.iter_mut().filter(|_| more > 1) {
                    button.text = format!("{} {}", button.text, item.runner);
                }
                row
            }));
        }
        if more > MOST_SHOWN {
            words.push(format!("… and {} more", more - MOST_SHOWN));
        }
        all.words = words.join("\n\n");
        Ok(all)
    }

    /// Returns an item with what can be done about it.
    async fn item(&self, item: &Item) -> Result<Saying, Failure> {
        if item.class == Class::Ask
            && let Some(runner) = self.store.runner_get(item.runner_id).await?
            && asked(&runner) == Some(item.asked_at)
        {
            return Ok(self.question(&runner).await);
        }
        let whose = if item.runner.is_empty() { "Stratavore" } else { &item.runner };
        let age = age(item.opened_at, self.context.clock.now());
        let words = format!("📌 {whose} · {} · {age}\n{}", item.reason.as_str(), item.message);
        let buttons = vec![vec![button("🗑️ Put away", &Press::Dismiss(item.id))]];
        Ok(Saying { buttons, ..Saying::words(words.trim_end()) })
    }

    /// Puts an item of the inbox away.
    pub(super) async fn put_away(&self, item: Uuid) -> Result<Saying, Failure> {
        self.inbox_dismiss(&[item.to_string()], BY).await?;
        Ok(Saying::settled("It is put away."))
    }

    pub(super) async fn tell_budgets(&self) -> Result<Saying, Failure> {
        let budgets = self.list_budgets().await?;
        if budgets.is_empty() {
            return Ok(Saying::words("No budget is set. (stratavore budget set …)"));
        }
        let lines: Vec<_> = budgets
            .iter()
            .map(|budget| {
                let share = budget.percent();
                let full = usize::try_from(share.min(100) / 10).unwrap_or(10);
                format!(
                    "{} · {}\n{}{} {share} % · {} of {}",
                    budget.scope,
                    budget.period.as_str(),
                    "▓".repeat(full),
                    "░".repeat(10 - full),
                    budget.limit.show(budget.used),
                    budget.limit.show(budget.limit.amount()),
                )
            })
            .collect();
        Ok(Saying::words(lines.join("\n")))
    }

    /// Shows a runner's screen.
    pub(super) async fn show(&self, word: &str) -> Result<Saying, Failure> {
        let runner = self.resolve(word).await?;
        let words = line(&runner, self.context.clock.now());
        if runner.status.is_live() {
            self.here(&runner).await?;
            if let Some(picture) = self.picture(runner.id).await {
                return Ok(Saying { picture: Some(picture), ..Saying::words(words) });
            }
        }
        let screen = self.screen(&runner.id.to_string()).await?;
        let text = screen.lines.join("\n");
        let text = if text.trim().is_empty() { "(its screen is empty)" } else { text.trim_end() };
        Ok(Saying::words(format!("{words}\n\n{text}")))
    }
}

/// Returns a runner in one line.
fn line(runner: &Runner, now: DateTime<Utc>) -> String {
    let state = runner.at();
    let since = runner.activity.since.map(|since| format!(" {}", age(since, now)));
    let used = if runner.tokens_used > 0 {
        let used = runner.tokens_used;
        let cost = cost_without(runner.unpriced, runner.cost, runner.usage_quality);
        format!(" · {} · {cost}", tokens(used))
    } else {
        String::new()
    };
    let mark = if asked(runner).is_some() { "🙋 " } else { "" };
    let agent = &runner.agent;
    format!("{mark}{} · {agent} · {state}{}{used}", runner.name, since.unwrap_or_default())
}

/// Returns an age in its greatest unit.
pub(super) fn age(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - since).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
