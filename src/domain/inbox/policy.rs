//! Which change of a runner opens, refines or resolves an item of the inbox, and what is kept of what
//! its agent says. Pure.

use chrono::{DateTime, Utc};

use super::{Class, Reason};
use crate::domain::{
    activity::{Activity, ActivityState},
    redact::redact,
    runner::{Runner, RunnerStatus},
};

/// Characters of a message that are kept.
const LONGEST_MESSAGE: usize = 512;
/// Characters of an agent's last words that are told.
const LONGEST_WORDS: usize = 1000;
/// Lines of a screen that are kept.
const MOST_LINES: usize = 12;
/// Characters of each.
const LONGEST_LINE: usize = 200;

/// An item about to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What it is resolved with.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// What the agent says.
    pub message: String,
    /// When it asked, ended or failed.
    pub asked_at: DateTime<Utc>,
}

/// What follows for a runner's items from a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// The open items of these classes are over.
    Resolve(&'static [Class], &'static str),
    /// The open item of this class is the same, told better.
    Refine(Class, String, DateTime<Utc>),
    /// There is a new one.
    Open(Opening),
}

/// Returns what follows when a runner's agent is found to do something else; `is_watched` while
/// somebody has its terminal before them.
pub fn after_activity(runner: &Runner, after: &Activity, is_watched: bool) -> Vec<Consequence> {
    let before = &runner.activity;
    let asked_at = after.since.unwrap_or(runner.updated_at);
    let said = after.message.as_deref().filter(|text| !text.trim().is_empty());
    // Of an agent that says nothing of it, its title tells what it was at.
    let message = || clean(said.unwrap_or(runner.topic()));
    let open =
        |class, reason| Consequence::Open(Opening { class, reason, message: message(), asked_at });
    match after.state {
        ActivityState::Blocked if is_same_question(before, after) => {
            vec![Consequence::Refine(Class::Ask, message(), asked_at)]
        }
        ActivityState::Blocked => {
            let reason = Reason::of_kind(after.kind.as_deref());
            vec![
                Consequence::Resolve(&[Class::Ask, Class::Turn], "it asks something else"),
                open(Class::Ask, reason),
            ]
        }
        // The agent's last words can come a moment after it was seen to be done.
        ActivityState::Done if after.is_told_better(before) => {
            vec![Consequence::Refine(Class::Turn, message(), asked_at)]
        }
        // What stands there still is told again with its age, after a restart of the daemon too.
        ActivityState::Done | ActivityState::Error if before.state == after.state => Vec::new(),
        ActivityState::Done | ActivityState::Error => {
            let is_error = after.state == ActivityState::Error;
            let reason = if is_error { Reason::Failed } else { Reason::Finished };
            let mut all = vec![Consequence::Resolve(&[Class::Ask, Class::Turn], "its turn ended")];
            if is_error || !is_watched {
                all.push(open(Class::Turn, reason));
            }
            all
        }
        ActivityState::Working => {
            vec![Consequence::Resolve(&[Class::Ask, Class::Turn], "the agent went on")]
        }
        // A turn that has ended is at rest; that does not mean that anybody has looked.
        ActivityState::Idle if before.state == ActivityState::Error => {
            vec![Consequence::Resolve(&[Class::Ask, Class::Turn], "the agent is ready again")]
        }
        ActivityState::Idle | ActivityState::Starting => {
            vec![Consequence::Resolve(&[Class::Ask], "the agent no longer asks")]
        }
    }
}

/// Returns what follows when a runner moves to another status, and why if it failed.
pub fn after_move(
    runner: &Runner,
    to: RunnerStatus,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> Vec<Consequence> {
    const ALL: &[Class] = &[Class::Ask, Class::Turn, Class::End, Class::Budget];
    match to {
        RunnerStatus::Starting => vec![Consequence::Resolve(ALL, "the runner was started again")],
        RunnerStatus::Terminated if reason.is_none() => {
            vec![Consequence::Resolve(ALL, "the runner ended")]
        }
        RunnerStatus::Terminated | RunnerStatus::Failed => {
            let message = clean(reason.unwrap_or("it failed"));
            let class = Class::End;
            // What is ended in order, and with a reason, a budget has ended.
            let is_failure = to == RunnerStatus::Failed;
            let reason = if is_failure { Reason::Failed } else { Reason::Budget };
            vec![
                Consequence::Resolve(ALL, "the runner ended"),
                Consequence::Open(Opening { class, reason, message, asked_at: at }),
            ]
        }
        // Whoever stops it knows of it; the rest is told by its end.
        RunnerStatus::Stopping if runner.status.is_live() => {
            vec![Consequence::Resolve(&[Class::Ask, Class::Turn], "the runner is being ended")]
        }
        RunnerStatus::Running | RunnerStatus::Paused | RunnerStatus::Stopping => Vec::new(),
    }
}

/// Returns what follows when a budget holds a runner, or no longer.
pub fn after_hold(reason: &str, at: DateTime<Utc>) -> Vec<Consequence> {
    if reason.is_empty() {
        return vec![Consequence::Resolve(&[Class::Budget], "the budget lets it go on")];
    }
    let (class, message) = (Class::Budget, clean(reason));
    vec![
        Consequence::Refine(class, message.clone(), at),
        Consequence::Open(Opening { class, reason: Reason::Budget, message, asked_at: at }),
    ]
}

/// Returns an item's cause, of which there is never a second one.
pub fn cause(runner: &Runner, opening: &Opening) -> String {
    let at = opening.asked_at.timestamp_micros();
    format!("{}:{}:{}:{at}", runner.id, opening.class.as_str(), runner.run)
}

/// Whether an agent that waited waits with the same question still: told by another source, which
/// words it differently, or told with more words.
fn is_same_question(before: &Activity, after: &Activity) -> bool {
    if before.state != ActivityState::Blocked || before.kind != after.kind {
        return false;
    }
    if before.source == after.source && before.since == after.since {
        return true;
    }
    let (Some(a), Some(b)) = (&before.message, &after.message) else { return true };
    let (a, b) = (subject(a), subject(b));
    before.source != after.source && (a.contains(b) || b.contains(a))
}

/// Whether what an agent says that it asks is about the use of this tool: `approve Bash: git push` is
/// about `Bash(git push)`, however either is cut off.
pub fn is_about(message: &str, tool: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (message, wish) = (words(subject(message)), words(subject(tool)));
    let (short, long) = if message.len() < wish.len() { (message, wish) } else { (wish, message) };
    !short.is_empty() && long.starts_with(&short)
}

/// What a question is about: `approve Bash: git push` and `Bash(git push)` are about `git push`.
fn subject(message: &str) -> &str {
    let after_verb = message.strip_prefix("approve ").or_else(|| message.strip_prefix("answer "));
    let inner = match after_verb {
        Some(rest) => rest.split_once(": ").map_or(rest, |(_, about)| about),
        None => message
            .split_once('(')
            .filter(|(name, _)| !name.contains(' '))
            .and_then(|(_, rest)| rest.strip_suffix(')'))
            .unwrap_or(message),
    };
    inner.trim()
}

/// Returns a message as it is kept: without secrets and control characters, of bounded length.
pub fn clean(message: &str) -> String {
    let plain: String = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_MESSAGE * 2)
        .collect();
    redact(plain.trim()).chars().take(LONGEST_MESSAGE).collect()
}

/// Returns an agent's last words in one line, as they are told of a turn that has ended; `None` without any.
pub fn last_words(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: String = line.chars().take(LONGEST_WORDS).collect();
    let cut = if told.len() < line.len() { "…" } else { "" };
    (!told.is_empty()).then(|| format!("{told}{cut}"))
}

/// Returns the last lines of a screen as they are kept.
pub fn last_lines(screen: &[String]) -> Vec<String> {
    let end = screen.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    let filled = screen.get(..end).unwrap_or_default();
    let text = filled.join("\n");
    // As a whole: a secret may go on in the next line.
    let clean = redact(&text);
    let lines: Vec<&str> = clean.lines().collect();
    let from = lines.len().saturating_sub(MOST_LINES);
    let cut = |line: &&str| line.trim_end().chars().take(LONGEST_LINE).collect();
    lines.get(from..).unwrap_or_default().iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::activity::ActivitySource;

    fn asks(message: Option<&str>, source: ActivitySource, second: i64) -> Activity {
        Activity {
            state: ActivityState::Blocked,
            kind: Some("permission".into()),
            message: message.map(str::to_owned),
            source,
            since: DateTime::from_timestamp(1_800_000_000 + second, 0),
        }
    }

    fn at(state: ActivityState) -> Activity {
        Activity { state, ..asks(None, ActivitySource::Osc7501, 9) }
    }

    fn opens(all: &[Consequence]) -> Option<Reason> {
        all.iter().find_map(|one| match one {
            Consequence::Open(opening) => Some(opening.reason),
            _ => None,
        })
    }

    #[test]
    fn a_question_told_again_is_refined_and_another_one_is_another_item() {
        let (hook, osc) = (ActivitySource::Hook, ActivitySource::Osc7501);
        let before = Runner::sample(asks(Some("Bash(touch a)"), hook, 0));
        let same = asks(Some("approve Bash: touch a"), osc, 1);
        assert!(matches!(
            after_activity(&before, &same, false).as_slice(),
            [Consequence::Refine(Class::Ask, ..)]
        ));
        // The command that is asked about has changed: whoever reports it, an answer must not fit.
        for other in [
            asks(Some("approve Bash: rm -rf /"), osc, 1),
            asks(Some("Bash(touch b)"), hook, 1),
            asks(Some("Bash(touch a)"), hook, 1),
        ] {
            assert_eq!(opens(&after_activity(&before, &other, false)), Some(Reason::Permission));
        }
        let explained = Runner::sample(asks(None, osc, 0));
        let told = asks(Some("$ touch a"), osc, 0);
        assert_eq!(opens(&after_activity(&explained, &told, false)), None);
    }

    #[test]
    fn a_question_is_paired_with_the_same_wish_only() {
        assert!(is_about("approve Bash: touch a", "Bash(touch a)"));
        assert!(is_about("approve Bash: a\u{20}\u{20}b", "Bash(a\nb)"));
        assert!(is_about(
            &format!("approve Bash: {}", "x".repeat(300)),
            &format!("Bash({})", "x".repeat(200))
        ));
        for (message, tool) in [
            ("approve Bash: touch a", "Bash(touch b)"),
            ("approve Bash: rm -rf / # touch a", "Bash(touch a)"),
            ("", "Bash(touch a)"),
            ("approve Bash: touch a", "Bash"),
            ("answer: Which?", "AskUserQuestion"),
        ] {
            assert!(!is_about(message, tool), "{message} {tool}");
        }
    }

    #[test]
    fn the_cause_gone_the_item_goes_and_a_turn_stays_until_it_is_looked_at() {
        let asking = Runner::sample(asks(Some("x"), ActivitySource::Osc7501, 0));
        for state in [ActivityState::Working, ActivityState::Idle, ActivityState::Done] {
            let all = after_activity(&asking, &at(state), false);
            let Some(Consequence::Resolve(classes, _)) = all.first() else { panic!("{state:?}") };
            assert!(classes.contains(&Class::Ask));
        }
        let working = Runner::sample(at(ActivityState::Working));
        let done = at(ActivityState::Done);
        assert_eq!(opens(&after_activity(&working, &done, false)), Some(Reason::Finished));
        assert_eq!(opens(&after_activity(&working, &done, true)), None);
        let done = Runner::sample(done);
        let all = after_activity(&done, &at(ActivityState::Idle), false);
        assert_eq!(all, [Consequence::Resolve(&[Class::Ask], "the agent no longer asks")]);
        assert!(after_activity(&done, &at(ActivityState::Done), false).is_empty());
    }

    #[test]
    fn an_agents_last_words_are_told_with_the_turn_that_they_ended() {
        let words = last_words("All green.\n\n- 3 files\tchanged");
        assert_eq!(words.as_deref(), Some("All green. - 3 files changed"));
        assert_eq!(last_words(" \n"), None);
        assert_eq!(last_words(&"x".repeat(5000)).unwrap().chars().count(), LONGEST_WORDS + 1);
        let done = |message: Option<&str>, second| Activity {
            state: ActivityState::Done,
            ..asks(message, ActivitySource::Hook, second)
        };
        let seen = Runner::sample(done(None, 5));
        let all = after_activity(&seen, &done(Some("All green."), 5), false);
        let at = DateTime::from_timestamp(1_800_000_005, 0).unwrap();
        assert_eq!(all, [Consequence::Refine(Class::Turn, "All green.".into(), at)]);
        // The same again, or of another turn, is nothing new about this one.
        let told = Runner::sample(done(Some("All green."), 5));
        for again in [done(Some("All green."), 5), done(None, 5), done(Some("More."), 6)] {
            assert!(after_activity(&told, &again, false).is_empty());
        }
    }

    #[test]
    fn only_an_end_that_nobody_wished_for_asks_for_a_person() {
        let one = Runner::sample(Activity::default());
        let moved = |to, why| opens(&after_move(&one, to, why, one.created_at));
        let why = Some("the total budget is used up");
        assert_eq!(moved(RunnerStatus::Failed, Some("exit code 3")), Some(Reason::Failed));
        assert_eq!(moved(RunnerStatus::Terminated, why), Some(Reason::Budget));
        assert_eq!(moved(RunnerStatus::Terminated, None), None);
        for to in [RunnerStatus::Starting, RunnerStatus::Stopping] {
            assert_eq!(moved(to, why), None);
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_has_no_secrets() {
        let key = format!("sk-ant-api03-{}", "aB3".repeat(10));
        assert_eq!(clean(&format!("use {key}\u{7}")), "use [redacted: api key]");
        assert!(clean(&"x".repeat(10_000)).len() <= LONGEST_MESSAGE);
        let mut screen: Vec<_> =
            (0..40).map(|line| format!("{line} {}", "y".repeat(900))).collect();
        screen.push(key);
        screen.extend([String::new(), "  ".to_owned()]);
        let kept = last_lines(&screen);
        assert_eq!(kept.len(), MOST_LINES);
        assert_eq!(kept.last().unwrap(), "[redacted: api key]");
        assert!(kept.iter().all(|line| line.chars().count() <= LONGEST_LINE));
    }
}
