//! Figures for people: ages, sizes, exits.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::runner::{Runner, RunnerStatus};

/// Returns a duration in its two largest units: `4m12s`, `3h05m`, `2d4h`; `-` for a negative one.
pub(super) fn age(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    span(now - since)
}

/// Returns how long it is until a time, like [`age`].
pub(super) fn until(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    // Some of it went by on the way here.
    span(time - now + TimeDelta::milliseconds(500))
}

/// Returns how long a time was, like [`age`], without a second unit that is nothing.
pub(super) fn period(since: DateTime<Utc>, until: DateTime<Utc>) -> String {
    let text = span(until - since);
    let whole = text.strip_suffix("00s").or_else(|| text.strip_suffix("00m"));
    let whole = whole.or_else(|| text.strip_suffix("d0h").map(|_| text.trim_end_matches("0h")));
    whole.map_or_else(|| text.clone(), str::to_owned)
}

fn span(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// In a table a reason is cut to so many characters, also where every word has room: one sentence would widen
/// the column for all. `runners show` has it whole.
const REASON: usize = 40;

/// Returns what a runner is at, with the reason where there is one: `blocked · permission: …`.
pub(super) fn state(runner: &Runner) -> String {
    told(runner, usize::MAX)
}

/// The same for a table, where the reason is cut.
pub(super) fn brief_state(runner: &Runner) -> String {
    told(runner, REASON)
}

fn told(runner: &Runner, most: usize) -> String {
    if runner.status != RunnerStatus::Running {
        let next = runner.next_start().map(|(at, _)| {
            let left = until(at, Utc::now());
            format!("starts again in {left}")
        });
        // Paused by a budget: who lets it go on is to know.
        let hold = Some(held(runner)).filter(|why| runner.status.is_live() && !why.is_empty());
        let reason = runner.reason.clone().or(hold).map(|reason| clip(&reason, most));
        return standing(runner.status.as_str(), reason, next);
    }
    // As in the dashboard: what holds it goes before what it does, a question of its own before that.
    if runner.is_held() {
        return clip(&held(runner), most);
    }
    clip(&activity(runner), 48)
}

/// Returns what an agent itself is at, as its sources say, whatever holds it.
pub(super) fn said(runner: &Runner) -> String {
    if runner.status == RunnerStatus::Running { clip(&activity(runner), 48) } else { state(runner) }
}

fn activity(runner: &Runner) -> String {
    let activity = &runner.activity;
    let mut text = runner.at().to_owned();
    let why: Vec<_> = activity.kind.iter().chain(&activity.message).map(String::as_str).collect();
    if !why.is_empty() {
        text.push_str(" · ");
        text.push_str(&why.join(": "));
    }
    text
}

/// That a budget holds it, and which: `held · the daily budget of project api is used up: …`.
fn held(runner: &Runner) -> String {
    runner.held_by().map_or_else(String::new, |why| format!("held · {why}"))
}

/// Returns where a runner stands that is not running, why, and what comes next.
fn standing(status: &str, reason: Option<String>, next: Option<String>) -> String {
    let why: Vec<_> = reason.into_iter().chain(next).collect();
    if why.is_empty() { status.to_owned() } else { format!("{status} ({})", why.join("; ")) }
}

/// Prompts come from agents: what would break the line or the terminal is left out.
pub(super) fn one_line(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(shown).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts a text to so many characters, with `…` at the end.
pub(super) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Returns how a runner ended: `0`, `3`, `SIGKILL`, or nothing while it lives.
pub(super) fn exit(runner: &Runner) -> String {
    match (&runner.exit_signal, runner.exit_code) {
        (Some(signal), _) => signal.clone(),
        (None, Some(code)) => code.to_string(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        for (seconds, text) in
            [(-5, "0s"), (59, "59s"), (252, "4m12s"), (11_100, "3h05m"), (187_200, "2d4h")]
        {
            assert_eq!(span(TimeDelta::seconds(seconds)), text);
        }
    }

    #[test]
    fn a_period_has_no_unit_that_is_nothing() {
        for (seconds, text) in [
            (0, "0s"),
            (600, "10m"),
            (86_400, "1d"),
            (864_000, "10d"),
            (7200, "2h"),
            (630, "10m30s"),
        ] {
            let now = Utc::now();
            assert_eq!(period(now - TimeDelta::seconds(seconds), now), text);
        }
    }

    #[test]
    fn a_long_reason_is_cut_and_what_comes_next_is_not() {
        assert_eq!(standing("terminated", None, None), "terminated");
        let long = "the daily budget of project api is used up: 1.02M of 1.00M tokens";
        let next = Some("starts again in 4s".to_owned());
        let text = standing("failed", Some(clip(long, REASON)), next);
        let cut = "the daily budget of project api is used…";
        assert_eq!(text, format!("failed ({cut}; starts again in 4s)"));
    }

    #[test]
    fn what_a_budget_holds_is_told_as_held_unless_it_asks_something() {
        let now = Utc::now();
        let runner = |status: &str, state: &str| -> Runner {
            let id = "74a4ee15-0000-4000-8000-000000000001";
            let reason =
                format!("the total budget of runner {id} is used up: 80.0k of 80.0k tokens");
            let mut value = serde_json::json!({
                "id": id, "name": "api-1", "project": "api", "project_path": "/p", "agent": "claude",
                "command": ["claude"], "cwd": "/p", "status": status, "title": "", "node_id": "n",
                "activity": { "state": state, "source": "hook", "since": now },
                "hold": { "level": "turn", "reason": reason },
            });
            let figures = serde_json::json!({
                "run": 1, "cpu_percent": 0.0, "memory_mb": 1, "processes": 1, "restart": "never",
                "restart_attempts": 0, "max_restart_attempts": 0, "tokens_used": 1, "cost": 0,
                "usage_quality": "exact", "adopted": false, "survivors": [], "created_at": now,
                "started_at": now, "updated_at": now,
            });
            value.as_object_mut().unwrap().extend(figures.as_object().unwrap().clone());
            serde_json::from_value(value).unwrap()
        };
        let why = "the total budget of runner api-1 is used up: 80.0k of 80.0k tokens";
        assert_eq!(state(&runner("running", "idle")), format!("held · {why}"));
        assert_eq!(said(&runner("running", "idle")), "idle");
        assert_eq!(state(&runner("running", "blocked")), "blocked");
        assert_eq!(state(&runner("paused", "working")), format!("paused (held · {why})"));
        assert_eq!(brief_state(&runner("running", "idle")).chars().count(), REASON);
    }

    #[test]
    fn texts_are_cut_at_the_end() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abcd", 3), "ab…");
    }
}
