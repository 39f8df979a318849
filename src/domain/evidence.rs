//! What each source said last of what an agent is doing, and who is believed.
//!
//! One source is the author at a time, the best that has spoken; what the others say is kept, to
//! explain why. Invariant: a weaker source overrules a better one only where the better one is known
//! to stay silent: no hook tells that a person pressed Esc.
//!
//! Titles and screens lag, so that what they say is believed over a hook only when the hook has been
//! silent for a while. That while passes without any news: [`Evidence::due`] says when to look again.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    activity::{Activity, ActivitySource, ActivityState, INTERRUPTED},
    runner::Runner,
};

/// A hook must have been silent for so long before a weaker source overrules it: titles and screens lag.
const LATER: TimeDelta = TimeDelta::milliseconds(1500);

/// As [`LATER`], for one that says the same as before the hook spoke: a busy machine may not have come to
/// draw what the hook told. One that is drawn anew and says the same tells of a turn that was broken off
/// before anything else was drawn.
const STILL: TimeDelta = TimeDelta::seconds(4);

/// So long an agent that works at its start is not believed to be at a turn, when no hook says so.
const UNPROVEN: TimeDelta = TimeDelta::seconds(2);

/// What two sources say so close together is about the same question.
const TOGETHER: TimeDelta = TimeDelta::seconds(2);

/// What one source said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Word {
    /// The state.
    pub state: ActivityState,
    /// Why, for a blocked agent: permission, question, auth, trust, onboarding.
    pub kind: Option<String>,
    /// Its own words.
    pub message: Option<String>,
    /// Since when it says so.
    pub at: DateTime<Utc>,
    /// When it said so last, if that was not the first time. A daemon that starts looks again.
    #[serde(skip)]
    #[schema(ignore)]
    pub again: Option<DateTime<Utc>>,
    /// Whether it said before this that a question stands there. A daemon that starts has not seen that.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_after_question: bool,
}

impl Word {
    /// Returns what is said for the first time.
    pub fn new(
        (state, kind, message): (ActivityState, Option<String>, Option<String>),
        at: DateTime<Utc>,
    ) -> Self {
        Self { state, kind, message, at, again: None, is_after_question: false }
    }
}

/// The last word of each source, for one run of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Evidence {
    /// The run it belongs to.
    pub run: u32,
    /// By source, the best first.
    pub words: BTreeMap<ActivitySource, Word>,
}

/// Why a runner's state is what it is.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The runner.
    pub runner: Runner,
    /// What each source said last, the best first.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    pub words: Vec<(ActivitySource, Word)>,
    /// The source that is believed.
    pub author: Option<ActivitySource>,
}

impl Evidence {
    /// Returns the evidence of a run; that of an earlier one says nothing.
    #[must_use]
    pub fn of_run(self, run: u32) -> Self {
        if self.run == run { self } else { Self { run, ..Self::default() } }
    }

    /// Takes note of what a source says; `None` withdraws what it said. True when that changes
    /// anything.
    pub fn note(&mut self, source: ActivitySource, word: Option<Word>) -> bool {
        match word {
            None => self.words.remove(&source).is_some(),
            Some(word) => {
                let same = |known: &Word| {
                    (known.state, &known.kind, &known.message)
                        == (word.state, &word.kind, &word.message)
                };
                if let Some(known) = self.words.get_mut(&source).filter(|known| same(known)) {
                    known.again = Some(word.at);
                    return false;
                }
                let known = self.words.get(&source).map(|known| known.state);
                let is_after_question = known == Some(ActivityState::Blocked);
                self.words.insert(source, Word { is_after_question, ..word });
                true
            }
        }
    }

    /// Returns the source that is believed at a time.
    pub fn author(&self, now: DateTime<Utc>) -> Option<ActivitySource> {
        let (best, word) = self.words.first_key_value()?;
        // A dialog stands on the screen under a title that speaks of rest.
        let is_asked = |word: &Word| word.state == ActivityState::Blocked;
        if *best == ActivitySource::Title
            && word.state == ActivityState::Idle
            && self.words.get(&ActivitySource::Screen).is_some_and(is_asked)
        {
            return Some(ActivitySource::Screen);
        }
        // Not every dialog of an agent is in the file that it keeps; one that is was drawn with it.
        if *best == ActivitySource::File
            && self
                .words
                .get(&ActivitySource::Screen)
                .is_some_and(|seen| is_asked(seen) && !is_asked(word) && seen.at - word.at >= LATER)
        {
            return Some(ActivitySource::Screen);
        }
        if *best != ActivitySource::Hook {
            return Some(*best);
        }
        match self.objection(word) {
            Some((source, from)) if from <= now => Some(source),
            _ => Some(*best),
        }
    }

    /// Returns when another source will be believed although nobody says anything until then.
    pub fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (best, word) = self.words.first_key_value()?;
        let (_, from) = self.objection(word).filter(|_| *best == ActivitySource::Hook)?;
        (from > now).then_some(from)
    }

    /// Returns until when it is not believed that an agent works which says so at its start, too: no turn
    /// begins without a hook. One whose hooks do not come is believed after a while.
    pub fn unproven(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (_, word) = self.words.first_key_value()?;
        let is_proof = |(source, word): (&ActivitySource, &Word)| {
            *source == ActivitySource::Hook
                || *source == ActivitySource::Api && word.state == ActivityState::Working
        };
        let until = word.at + UNPROVEN;
        let is_unproven = word.state == ActivityState::Working && !self.words.iter().any(is_proof);
        (is_unproven && now < until).then_some(until)
    }

    /// The weaker source that knows better than the hooks, whose last word this is, and from when on it is
    /// believed.
    fn objection(&self, word: &Word) -> Option<(ActivitySource, DateTime<Utc>)> {
        let weaker = self
            .words
            .range((std::ops::Bound::Excluded(ActivitySource::Hook), std::ops::Bound::Unbounded));
        // A turn that hooks saw begin may have been broken off, and a dialog answered, unseen by them.
        let from = |other: &Word| match word.state {
            // What is seen right behind a question was drawn before it, unless the question was seen, too.
            ActivityState::Blocked if !other.is_after_question => word.at + LATER,
            _ => word.at,
        };
        let failed = |(source, other): (&ActivitySource, &Word)| {
            let is_of_this_turn = other.at + TOGETHER >= word.at;
            (other.state == ActivityState::Error && is_of_this_turn)
                .then(|| (*source, other.at.max(word.at)))
        };
        match word.state {
            ActivityState::Working | ActivityState::Blocked => {}
            // Not every version's hooks tell that a turn ended in an error.
            ActivityState::Done => return weaker.into_iter().find_map(failed),
            _ => return None,
        }
        let objects = |(source, other): (&ActivitySource, &Word)| {
            if other.state == word.state {
                None
            } else if other.at > word.at && other.at >= from(other) {
                Some((*source, word.at + LATER))
            } else {
                let is_still = word.state == ActivityState::Working
                    && other.again.is_some_and(|again| again > word.at);
                is_still.then_some((*source, word.at + STILL))
            }
        };
        weaker.into_iter().find_map(objects)
    }

    /// What is asked, where the source that is believed has no words for it: those of the best of the
    /// others that speaks of the same, which is what came about when it did, or stands on the screen.
    fn asked(&self, word: &Word) -> Option<String> {
        if word.state != ActivityState::Blocked {
            return None;
        }
        let is_same = |source: ActivitySource, other: &Word| {
            let is_now = (other.at - word.at).abs() <= TOGETHER;
            other.state == word.state && (source == ActivitySource::Screen || is_now)
        };
        let others = self.words.iter().filter(|(source, other)| is_same(**source, other));
        others.into_iter().find_map(|(_, other)| other.message.clone())
    }

    /// Returns what the agent is doing at a time by all that was said, after what it was doing before.
    pub fn verdict(&self, before: &Activity, now: DateTime<Utc>) -> Activity {
        let Some(source) = self.author(now) else { return Activity::default() };
        let Some(word) = self.words.get(&source) else { return Activity::default() };
        let was_at_it = match before.state {
            ActivityState::Working | ActivityState::Done => true,
            // Signing in, trust and the like come before any turn.
            ActivityState::Blocked => {
                matches!(before.kind.as_deref(), None | Some("permission" | "question"))
            }
            _ => false,
        };
        // Only the program itself tells a turn's end from rest, and who knows of an interruption.
        let is_told =
            source == ActivitySource::Osc7501 || word.kind.as_deref() == Some(INTERRUPTED);
        let state = match word.state {
            ActivityState::Idle if !is_told && was_at_it => ActivityState::Done,
            state => state,
        };
        let message = word.message.clone().or_else(|| self.asked(word));
        // What overrules a hook holds since the hook spoke, however long it was said before.
        let hook = self.words.get(&ActivitySource::Hook).filter(|_| source > ActivitySource::Hook);
        let since = Some(hook.map_or(word.at, |hook| word.at.max(hook.at)));
        // Who says later that it rests speaks of the same rest: no other turn has ended since.
        let is_same = state != word.state && before.state == state;
        let since = if is_same { before.since.or(since) } else { since };
        Activity { state, kind: word.kind.clone(), message, source, since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1000 + second, 0).unwrap()
    }

    fn word(state: ActivityState, second: i64) -> Word {
        Word::new((state, None, None), at(second))
    }

    fn state(evidence: &Evidence) -> (ActivityState, ActivitySource) {
        state_at(evidence, 1000)
    }

    fn state_at(evidence: &Evidence, second: i64) -> (ActivityState, ActivitySource) {
        let verdict = evidence.verdict(&Activity::default(), at(second));
        (verdict.state, verdict.source)
    }

    #[test]
    fn the_best_source_that_spoke_is_believed() {
        use ActivitySource::{Hook, Osc7501, Screen, Title};
        use ActivityState::{Idle, Working};
        let mut evidence = Evidence::default();
        evidence.note(Screen, Some(word(Idle, 0)));
        assert_eq!(state(&evidence), (Idle, Screen));
        evidence.note(Title, Some(word(Working, 1)));
        assert_eq!(state(&evidence), (Working, Title));
        evidence.note(Osc7501, Some(word(Idle, 2)));
        evidence.note(Hook, Some(word(Working, 9)));
        assert_eq!(state(&evidence), (Idle, Osc7501));
        evidence.note(Osc7501, None);
        assert_eq!(state(&evidence), (Working, Hook));
    }

    #[test]
    fn esc_which_no_hook_tells_is_seen_by_the_title() {
        use ActivitySource::{Hook, Title};
        use ActivityState::{Idle, Working};
        let mut evidence = Evidence::default();
        evidence.note(Title, Some(word(Idle, 0)));
        evidence.note(Hook, Some(word(Working, 5)));
        assert_eq!(state(&evidence), (Working, Hook), "the title is older");
        evidence.note(Title, Some(word(Working, 6)));
        evidence.note(Title, Some(word(Idle, 8)));
        assert_eq!(state(&evidence), (Idle, Title));
        evidence.note(Hook, Some(word(Idle, 3)));
        assert_eq!(state(&evidence), (Idle, Hook));
    }

    #[test]
    fn esc_right_after_the_beginning_of_a_turn_is_believed_when_the_hooks_stay_silent() {
        use ActivitySource::{Hook, Screen};
        use ActivityState::{Idle, Working};
        let mut evidence = Evidence::default();
        evidence.note(Hook, Some(word(Working, 5)));
        assert_eq!(evidence.due(at(5)), None);
        evidence.note(Screen, Some(word(Idle, 6)));
        assert_eq!(state_at(&evidence, 6), (Working, Hook), "it may be drawn late");
        assert_eq!(evidence.due(at(6)), Some(at(5) + LATER));
        assert_eq!(state_at(&evidence, 7), (Idle, Screen));
        assert_eq!(evidence.due(at(7)), None);
    }

    #[test]
    fn esc_before_anything_was_drawn_is_seen_on_a_screen_that_says_the_same_again() {
        use ActivitySource::{Hook, Screen};
        use ActivityState::{Idle, Working};
        let mut evidence = Evidence::default();
        evidence.note(Screen, Some(word(Idle, 0)));
        evidence.note(Hook, Some(word(Working, 5)));
        assert_eq!(evidence.due(at(5)), None);
        assert!(!evidence.note(Screen, Some(word(Idle, 6))));
        assert_eq!(evidence.due(at(6)), Some(at(5) + STILL));
        assert_eq!(state_at(&evidence, 8), (Working, Hook), "it may be drawn later still");
        let verdict = evidence.verdict(&Activity::default(), at(9));
        assert_eq!((verdict.state, verdict.source), (Idle, Screen));
        assert_eq!(verdict.since, Some(at(5)), "not as old as what was said before the turn");
        // The next turn.
        evidence.note(Hook, None);
        evidence.note(Hook, Some(word(Working, 20)));
        assert_eq!(state(&evidence), (Working, Hook));
    }

    #[test]
    fn a_question_that_is_dismissed_at_once_does_not_stay() {
        use ActivitySource::{Hook, Screen};
        use ActivityState::{Blocked, Idle, Working};
        let mut evidence = Evidence::default();
        evidence.note(Screen, Some(word(Working, 0)));
        evidence.note(Hook, Some(word(Blocked, 5)));
        let mut unseen = evidence.clone();
        evidence.note(Screen, Some(word(Blocked, 6)));
        evidence.note(Screen, Some(word(Idle, 6)));
        assert_eq!(state_at(&evidence, 6), (Blocked, Hook), "hooks may have a word of it");
        assert_eq!(evidence.due(at(6)), Some(at(5) + LATER));
        assert_eq!(state_at(&evidence, 7), (Idle, Screen));
        // Where no question was seen yet it is about to be drawn.
        unseen.note(Screen, Some(word(Idle, 6)));
        assert_eq!(state_at(&unseen, 60), (Blocked, Hook));
    }

    #[test]
    fn a_turn_that_ended_in_an_error_is_seen_on_the_screen() {
        use ActivitySource::{Hook, Screen};
        use ActivityState::{Done, Error, Idle, Working};
        let mut evidence = Evidence::default();
        evidence.note(Screen, Some(word(Working, 5)));
        evidence.note(Hook, Some(word(Done, 8)));
        assert_eq!(state_at(&evidence, 8), (Done, Hook));
        evidence.note(Screen, Some(word(Error, 9)));
        assert_eq!(state_at(&evidence, 9), (Error, Screen));
        // The next turn ends well; its screen is drawn a moment later.
        evidence.note(Hook, Some(word(Working, 20)));
        assert_eq!(state_at(&evidence, 20), (Working, Hook));
        evidence.note(Hook, Some(word(Done, 24)));
        assert_eq!(state_at(&evidence, 24), (Done, Hook));
        evidence.note(Screen, Some(word(Idle, 25)));
        assert_eq!(state_at(&evidence, 60), (Done, Hook));
    }

    #[test]
    fn who_works_at_its_start_is_at_a_turn_when_a_hook_or_time_says_so() {
        use ActivitySource::{Api, Hook, Osc7501};
        use ActivityState::{Idle, Working};
        let mut evidence = Evidence::default();
        assert_eq!(evidence.unproven(at(5)), None);
        evidence.note(Osc7501, Some(word(Working, 5)));
        assert_eq!(evidence.unproven(at(5)), Some(at(5) + UNPROVEN));
        assert_eq!(evidence.unproven(at(5) + UNPROVEN), None);
        evidence.note(Api, Some(word(Idle, 5)));
        assert!(evidence.unproven(at(5)).is_some());
        for source in [Api, Hook] {
            let mut proven = evidence.clone();
            proven.note(source, Some(word(Working, 5)));
            assert_eq!(proven.unproven(at(5)), None);
        }
        evidence.note(Osc7501, Some(word(Idle, 6)));
        assert_eq!(evidence.unproven(at(6)), None);
    }

    #[test]
    fn what_is_drawn_right_behind_a_question_is_older_than_it() {
        use ActivitySource::{Hook, Screen};
        use ActivityState::{Blocked, Working};
        let mut evidence = Evidence::default();
        evidence.note(Hook, Some(word(Blocked, 5)));
        evidence.note(Screen, Some(word(Working, 6)));
        assert_eq!(state(&evidence), (Blocked, Hook));
        assert_eq!(evidence.due(at(6)), None);
        evidence.note(Screen, None);
        evidence.note(Screen, Some(word(Working, 7)));
        assert_eq!(state(&evidence), (Working, Screen));
    }

    #[test]
    fn what_is_asked_is_told_by_whoever_has_words_for_it() {
        use ActivitySource::{Hook, Osc7501, Screen};
        use ActivityState::Blocked;
        let says =
            |text: &str, second| Word { message: Some(text.to_owned()), ..word(Blocked, second) };
        let told = |evidence: &Evidence| evidence.verdict(&Activity::default(), at(1000)).message;
        let mut evidence = Evidence::default();
        evidence.note(Osc7501, Some(word(Blocked, 20)));
        evidence.note(Hook, Some(says("Bash(rm) of before", 10)));
        assert_eq!(told(&evidence), None);
        evidence.note(Screen, Some(says("$ touch a", 20)));
        assert_eq!(told(&evidence).as_deref(), Some("$ touch a"));
        evidence.note(Hook, Some(says("Bash(touch a)", 19)));
        assert_eq!(told(&evidence).as_deref(), Some("Bash(touch a)"));
        evidence.note(Osc7501, Some(word(ActivityState::Working, 21)));
        assert_eq!(told(&evidence), None);
    }

    #[test]
    fn a_dialog_under_a_title_of_rest_is_seen() {
        let mut evidence = Evidence::default();
        evidence.note(ActivitySource::Title, Some(word(ActivityState::Idle, 0)));
        evidence.note(ActivitySource::Screen, Some(word(ActivityState::Blocked, 0)));
        assert_eq!(state(&evidence), (ActivityState::Blocked, ActivitySource::Screen));
        evidence.note(ActivitySource::Screen, None);
        assert_eq!(state(&evidence), (ActivityState::Idle, ActivitySource::Title));
    }

    #[test]
    fn a_dialog_of_which_a_file_does_not_tell_is_seen() {
        use ActivitySource::{File, Screen};
        use ActivityState::{Blocked, Working};
        let mut evidence = Evidence::default();
        evidence.note(Screen, Some(word(Blocked, 9)));
        evidence.note(File, Some(word(Working, 10)));
        assert_eq!(state(&evidence), (Working, File), "it was answered");
        evidence.note(Screen, None);
        evidence.note(Screen, Some(word(Blocked, 12)));
        assert_eq!(state(&evidence), (Blocked, Screen));
        evidence.note(File, Some(word(Blocked, 12)));
        assert_eq!(state(&evidence), (Blocked, File));
    }

    #[test]
    fn rest_after_a_turn_is_a_turn_done() {
        let mut evidence = Evidence::default();
        evidence.note(ActivitySource::Title, Some(word(ActivityState::Idle, 0)));
        let working = Activity { state: ActivityState::Working, ..Activity::default() };
        assert_eq!(evidence.verdict(&working, at(1000)).state, ActivityState::Done);
        assert_eq!(evidence.verdict(&Activity::default(), at(1000)).state, ActivityState::Idle);
    }

    #[test]
    fn a_turn_that_is_over_is_not_over_again_when_another_source_tells_of_rest() {
        let mut evidence = Evidence::default();
        evidence.note(ActivitySource::Screen, Some(word(ActivityState::Idle, 9)));
        let done = Activity {
            state: ActivityState::Done,
            since: Some(at(3)),
            source: ActivitySource::File,
            ..Activity::default()
        };
        let verdict = evidence.verdict(&done, at(1000));
        assert_eq!((verdict.state, verdict.since), (ActivityState::Done, Some(at(3))));
        let working = Activity { state: ActivityState::Working, ..done };
        assert_eq!(evidence.verdict(&working, at(1000)).since, Some(at(9)));
    }

    #[test]
    fn a_turn_that_was_broken_off_is_not_done() {
        let mut evidence = Evidence::default();
        let kind = Some(INTERRUPTED.to_owned());
        let rest = Word { kind, ..word(ActivityState::Idle, 0) };
        evidence.note(ActivitySource::Api, Some(rest));
        let working = Activity { state: ActivityState::Working, ..Activity::default() };
        assert_eq!(evidence.verdict(&working, at(1000)).state, ActivityState::Idle);
    }

    #[test]
    fn rest_after_signing_in_is_no_turn_done() {
        let mut evidence = Evidence::default();
        evidence.note(ActivitySource::Title, Some(word(ActivityState::Idle, 0)));
        let blocked = |kind: &str| Activity {
            state: ActivityState::Blocked,
            kind: Some(kind.to_owned()),
            ..Activity::default()
        };
        assert_eq!(evidence.verdict(&blocked("auth"), at(1000)).state, ActivityState::Idle);
        assert_eq!(evidence.verdict(&blocked("permission"), at(1000)).state, ActivityState::Done);
    }

    #[test]
    fn what_is_said_again_keeps_its_age_and_another_run_begins_with_nothing() {
        let mut evidence = Evidence::default();
        assert!(evidence.note(ActivitySource::Hook, Some(word(ActivityState::Idle, 0))));
        assert!(!evidence.note(ActivitySource::Hook, Some(word(ActivityState::Idle, 50))));
        assert_eq!(evidence.clone().of_run(0), evidence);
        assert!(evidence.of_run(1).words.is_empty());
    }
}
