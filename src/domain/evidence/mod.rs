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
use uuid::Uuid;

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

/// As [`LATER`], for a screen that says that a turn was broken off, which it did not say when the hook spoke: it is
/// drawn for that alone. The next turn's first picture may show it still.
const BROKEN_OFF: TimeDelta = TimeDelta::milliseconds(100);

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
    /// Whether it says no more than that a question of which more was told stands there still.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_reminder: bool,
    /// Whether a title has come to speak of rest since it was seen: it may have been answered. A daemon that
    /// starts looks again.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_doubted: bool,
    /// Which dialog was seen on the screen (`question::mark`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog: Option<String>,
    /// When that dialog took the place of another one, of which nobody else has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<DateTime<Utc>>,
}

/// Which dialog stood on the screen when it was shown with an item of the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Shown {
    /// The item.
    pub item: Uuid,
    /// The dialog (`question::mark`).
    pub dialog: String,
}

impl Word {
    /// Returns what is said for the first time.
    pub fn new(
        (state, kind, message): (ActivityState, Option<String>, Option<String>),
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            state,
            kind,
            message,
            at,
            again: None,
            is_after_question: false,
            is_reminder: false,
            is_doubted: false,
            dialog: None,
            renewed: None,
        }
    }

    /// Returns it with the dialog that was seen.
    #[must_use]
    pub fn with_dialog(self, dialog: Option<String>) -> Self {
        Self { dialog, ..self }
    }

    /// Whether all that it says was told before, and better.
    pub fn reminds_of(&self, before: &Self) -> bool {
        let is_same = (self.state, &self.kind) == (before.state, &before.kind);
        self.is_reminder && is_same && !before.is_reminder && before.message.is_some()
    }

    /// Whether it tells of a turn that was broken off.
    fn is_off(&self) -> bool {
        self.kind.as_deref() == Some(INTERRUPTED)
    }

    /// Whether a dialog was seen where another one stood before.
    fn is_another(&self, before: &Self) -> bool {
        matches!((&self.dialog, &before.dialog), (Some(now), Some(then)) if now != then)
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
    /// What was shown of the last question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// When somebody looked at a turn that had ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked: Option<DateTime<Utc>>,
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
    /// Of the title and the screen, the pattern of the rule that matches what they show now.
    #[schema(value_type = Vec<Vec<String>>)]
    pub rules: Vec<(ActivitySource, String)>,
}

impl Explanation {
    /// The pattern of the rule by which a source tells what it says.
    pub fn rule_of(&self, source: ActivitySource) -> Option<&str> {
        let found = self.rules.iter().find(|(known, _)| *known == source);
        found.map(|(_, pattern)| pattern.as_str())
    }
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
                    word.reminds_of(known)
                        || (known.state, &known.kind, &known.message)
                            == (word.state, &word.kind, &word.message)
                };
                let is_asked = |word: &Word| word.state == ActivityState::Blocked;
                let known = self.words.get(&source);
                let asked = known.filter(|known| is_asked(known));
                let is_another = asked.is_some_and(|asked| word.is_another(asked));
                let is_after_question = asked.is_some();
                // Unless a better source has told of the new one already.
                let stood = asked.map(|asked| asked.again.unwrap_or(asked.at));
                let better = self.words.range(..source).map(|(_, word)| word);
                let told = better.filter(|word| is_asked(word)).map(|word| word.at).max();
                let renewed = if is_another && stood >= told {
                    Some(word.at)
                } else {
                    asked.filter(|_| is_asked(&word)).and_then(|asked| asked.renewed)
                };
                let known = self.words.get_mut(&source);
                if let Some(known) = known.filter(|known| same(known) && !is_another) {
                    known.again = Some(word.at);
                    known.is_doubted = false;
                    let is_better = known.dialog.is_none() && word.dialog.is_some();
                    if is_better {
                        known.dialog = word.dialog;
                    }
                    return is_better;
                }
                let rests = source == ActivitySource::Title && word.state == ActivityState::Idle;
                let before = self.words.insert(source, Word { is_after_question, renewed, ..word });
                // Its first word takes back nothing.
                if rests
                    && before.is_some()
                    && let Some(seen) = self.words.get_mut(&ActivitySource::Screen)
                {
                    seen.is_doubted = is_asked(seen);
                }
                true
            }
        }
    }

    /// Whether the screen has to be looked at again: what was seen on it may have been answered since.
    pub fn is_in_doubt(&self) -> bool {
        self.words.get(&ActivitySource::Screen).is_some_and(|seen| seen.is_doubted)
    }

    /// Returns the source that is believed at a time.
    pub fn author(&self, now: DateTime<Utc>) -> Option<ActivitySource> {
        let (best, word) = self.words.first_key_value()?;
        // A dialog, or what has failed, stands on the screen under a title that speaks of rest.
        let is_asked = |word: &Word| word.state == ActivityState::Blocked;
        let has_failed =
            |seen: &Word| seen.state == ActivityState::Error && seen.at + TOGETHER >= word.at;
        if *best == ActivitySource::Title
            && word.state == ActivityState::Idle
            && self
                .words
                .get(&ActivitySource::Screen)
                .is_some_and(|seen| is_asked(seen) && !seen.is_doubted || has_failed(seen))
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
        let mut weaker = self
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
        let began = |(source, other): (&ActivitySource, &Word)| {
            let is_later = other.at > word.at + TOGETHER;
            (other.state == ActivityState::Working && is_later).then(|| (*source, other.at + LATER))
        };
        match word.state {
            ActivityState::Working | ActivityState::Blocked => {}
            // Not every version's hooks tell that a turn ended in an error. On a busy machine the hook that
            // tells of the next one may not have come through.
            ActivityState::Done => {
                return weaker.clone().find_map(failed).or_else(|| weaker.find_map(began));
            }
            ActivityState::Error => return weaker.find_map(began),
            _ => return None,
        }
        let objects = |(source, other): (&ActivitySource, &Word)| {
            if other.state == word.state {
                None
            } else if other.at > word.at && other.at >= from(other) {
                let later = word.at + LATER;
                let is_certain = word.state == ActivityState::Working && other.is_off();
                Some((*source, if is_certain { later.min(other.at + BROKEN_OFF) } else { later }))
            } else {
                let is_still = word.state == ActivityState::Working
                    && other.again.is_some_and(|again| again > word.at);
                is_still.then_some((*source, word.at + STILL))
            }
        };
        weaker.find_map(objects)
    }

    /// The dialog that an answer to the question of an item is meant for; `None` where it is not known.
    pub fn dialog_of(&self, item: Option<Uuid>) -> Option<&str> {
        let shown = self.shown.as_ref().filter(|shown| Some(shown.item) == item);
        shown
            .map(|shown| shown.dialog.as_str())
            .or_else(|| self.seen().find_map(|word| word.dialog.as_deref()))
    }

    /// The questions that were seen on the screen, the best first.
    fn seen(&self) -> impl Iterator<Item = &Word> {
        let screens = [ActivitySource::Taught, ActivitySource::Screen];
        let words = screens.into_iter().filter_map(|source| self.words.get(&source));
        words.filter(|word| word.state == ActivityState::Blocked)
    }

    /// What is asked or was said last, where the source that is believed has no words for it: those of the
    /// best of the others that speaks of the same, which is what came about when it did; a question also
    /// stands on the screen.
    fn asked(&self, word: &Word) -> Option<String> {
        let is_asked = word.state == ActivityState::Blocked;
        if !is_asked && word.state != ActivityState::Done {
            return None;
        }
        let is_same = |source: ActivitySource, other: &Word| {
            let is_now = (other.at - word.at).abs() <= TOGETHER;
            let is_seen = is_asked && source == ActivitySource::Screen;
            other.state == word.state && (is_seen || is_now)
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
        // A title has no word for that; the screen has, at the same time.
        let is_seen_off = self
            .words
            .get(&ActivitySource::Screen)
            .is_some_and(|seen| seen.is_off() && (seen.at - word.at).abs() <= TOGETHER);
        let is_told = source == ActivitySource::Osc7501 || word.is_off() || is_seen_off;
        let state = match word.state {
            ActivityState::Idle if !is_told && was_at_it => ActivityState::Done,
            state => state,
        };
        let message = word.message.clone().or_else(|| self.asked(word));
        // What overrules a hook holds since the hook spoke, however long it was said before.
        let hook = self.words.get(&ActivitySource::Hook).filter(|_| source > ActivitySource::Hook);
        let since = Some(hook.map_or(word.at, |hook| word.at.max(hook.at)));
        // A turn that no hook told of has ended when others saw it end.
        let is_rest = matches!(state, ActivityState::Done | ActivityState::Error);
        let since = match before.state {
            _ if source != ActivitySource::Hook || !is_rest || before.since <= since => since,
            same if same == state => before.since,
            ActivityState::Working if before.source > ActivitySource::Hook => {
                self.words.values().map(|word| word.at).max()
            }
            _ => since,
        };
        // Titles and hooks can say the same of two dialogs; an answer to the first is none to the second.
        let is_asked = word.state == ActivityState::Blocked;
        let renewed = self.seen().filter_map(|seen| seen.renewed).max().filter(|_| is_asked);
        let since = since.max(renewed);
        // Who says later that it rests speaks of the same rest: no other turn has ended since.
        let is_same = state != word.state && before.state == state;
        let since = if is_same { before.since.or(since) } else { since };
        // An end that somebody has looked at is rest.
        let is_looked_at = since.is_some_and(|since| Some(since) <= self.looked);
        if state == ActivityState::Done && is_looked_at {
            let kind = word.kind.clone();
            return Activity { state: ActivityState::Idle, kind, message: None, source, since };
        }
        Activity { state, kind: word.kind.clone(), message, source, since }
    }
}

#[cfg(test)]
mod tests;
