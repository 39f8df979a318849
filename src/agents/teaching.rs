//! Drafts a rule from a screen that was read wrongly, so that it is read rightly from now on.
//!
//! A line of the screen that stands on no known screen of another state tells the state; where every
//! line does, one is narrowed by what must not stand beside it, or by a second one. Invariant: a draft
//! matches the screen it was made of and no known screen of another state; where there is none, nothing
//! is drafted, and it is said which screen is in the way. What must not stand there is never a path: it
//! would be that of one machine. Lines with times or counts, which are others the next time, come last.

use std::fmt::Write as _;

use regex::Regex;

use super::{
    fixtures::{Fixture, quoted},
    screens::{On, Rules, compile, tail},
};
use crate::domain::{
    activity::ActivityState,
    correction::{Screenshot, Truth},
};

/// Lines that are offered.
const OFFERED: usize = 8;

/// Characters of a line that count.
const LONGEST: usize = 120;

/// How far behind all others a line stands that is another one the next time.
const PASSING: i64 = 500;

/// Letters and digits that a line needs to tell anything.
const LEAST: usize = 6;

/// What stands behind a number that counts or measures.
const UNITS: [&str; 32] = [
    "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h", "hr",
    "hrs", "hour", "hours", "ms", "am", "pm", "d", "day", "days", "ago", "k", "b", "kb", "mb",
    "gb", "token", "tokens", "left", "used", "context",
];

/// Words that dialogs and lines of keys have, and what agents say seldom.
const TELLING: [&str; 18] = [
    "esc",
    "enter",
    "press",
    "select",
    "allow",
    "approve",
    "confirm",
    "continue",
    "interrupt",
    "cancel",
    "proceed",
    "trust",
    "yes",
    "no",
    "shortcuts",
    "send",
    "waiting",
    "tab",
];

/// A rule that could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The line that tells it, as it stands on the screen.
    pub line: String,
    /// The live runners of which something else is said now, and that this rule would be told by, too.
    pub changes: Vec<String>,
    pattern: String,
    also: Option<String>,
    unless: Option<String>,
}

/// A line that may tell something.
#[derive(Debug)]
struct Candidate {
    text: String,
    pattern: String,
    regex: Regex,
    score: i64,
}

impl Draft {
    /// Returns it as it stands in a file of rules, under a comment.
    pub fn text(&self, truth: &Truth, comment: &str) -> String {
        let mut text = format!(
            "# {}\n[[rule]]\non = \"screen\"\nstate = \"{}\"\n",
            one_line(comment),
            truth.state.as_str()
        );
        // A string takes everything.
        let mut add = |name: &str, value: String| writeln!(text, "{name} = {value}").ok();
        if let Some(kind) = &truth.kind {
            add("kind", quoted(kind));
        }
        add("pattern", quoted(&self.pattern));
        if let Some(also) = &self.also {
            add("also", format!("[{}]", quoted(also)));
        }
        if let Some(unless) = &self.unless {
            add("unless", quoted(unless));
        }
        text
    }
}

/// Returns the rules that tell this state from all that is known, the best first. `beside` are the other
/// live runners of this agent, by their names: what their screens show and what is said of them.
///
/// # Errors
///
/// Says what is in the way when there is none.
pub fn drafts(
    looked: &Screenshot,
    truth: &Truth,
    known: &[Fixture],
    beside: &[Fixture],
) -> Result<Vec<Draft>, String> {
    let screen = tail(&looked.lines);
    let (others, same): (Vec<_>, Vec<_>) =
        known.iter().partition(|fixture| fixture.is_other(truth));
    let texts = |fixtures: &[&Fixture]| -> Vec<(String, String)> {
        let text = |fixture: &&Fixture| (fixture.name.clone(), tail(&fixture.looked.lines));
        fixtures.iter().map(text).collect()
    };
    let (others, same) = (texts(&others), texts(&same));
    let mut candidates = candidates(&screen, &same, truth);
    if candidates.is_empty() {
        return Err("no line of the screen has enough letters to be told by".to_owned());
    }
    if let Some((name, _)) = others.iter().find(|(_, other)| *other == screen) {
        return Err(format!("{name} is the same screen, and said to be something else"));
    }
    candidates.sort_by_key(|candidate| -candidate.score);
    let mut drafts: Vec<(i64, Draft)> = Vec::new();
    let mut in_the_way = None;
    for candidate in &candidates {
        let matched: Vec<_> =
            others.iter().filter(|(_, text)| candidate.regex.is_match(text)).collect();
        let draft = |also, unless| Draft {
            line: candidate.text.clone(),
            changes: Vec::new(),
            pattern: candidate.pattern.clone(),
            also,
            unless,
        };
        let Some((name, _)) = matched.first() else {
            drafts.push((candidate.score, draft(None, None)));
            continue;
        };
        in_the_way.get_or_insert_with(|| name.clone());
        // What must not stand there says more than a second line that happens to stand there.
        if let Some(unless) = guard(&matched, &screen, &same) {
            drafts.push((candidate.score - 15, draft(None, Some(unless))));
            continue;
        }
        let second = candidates.iter().find(|second| {
            second.text != candidate.text
                && !matched.iter().any(|(_, text)| second.regex.is_match(text))
        });
        if let Some(second) = second {
            let score = candidate.score.min(second.score) - 25;
            drafts.push((score, draft(Some(second.pattern.clone()), None)));
        }
    }
    if drafts.is_empty() {
        let name = in_the_way.unwrap_or_default();
        return Err(format!("every line of the screen stands in {name} as well"));
    }
    drafts.sort_by_key(|(score, _)| -score);
    let with_changes = |(_, mut draft): (i64, Draft)| {
        // What cannot be read is told of when it is to be learnt.
        draft.changes = wrong_by(&draft.text(truth, ""), truth, beside).unwrap_or_default();
        draft
    };
    Ok(drafts.into_iter().take(OFFERED).map(with_changes).collect())
}

/// Returns the screens of another state that a rule would be wrong about, by their names.
///
/// # Errors
///
/// When the rule cannot be read.
pub fn wrong_by(rule: &str, truth: &Truth, screens: &[Fixture]) -> Result<Vec<String>, String> {
    // Whose rule it is changes nothing about what it matches.
    let rules = Rules::parse(&format!("version = 1\nagent = \"any\"\n{rule}"))?;
    let is_wrong = |fixture: &&Fixture| {
        let text = tail(&fixture.looked.lines);
        fixture.is_other(truth) && rules.look(On::Screen, &text).is_some()
    };
    Ok(screens.iter().filter(is_wrong).map(|fixture| fixture.name.clone()).collect())
}

/// A line that all screens in the way have, and neither this one nor those of the same state.
fn guard(
    in_the_way: &[&(String, String)],
    screen: &str,
    same: &[(String, String)],
) -> Option<String> {
    let (_, first) = in_the_way.first()?;
    let lines = first.lines().rev().filter_map(|line| {
        let text = core(line);
        if has_path(&text) {
            return None;
        }
        let pattern = is_telling(&text).then(|| general(&text))?;
        Some(((has_word(&text), !is_passing(&text)), compile(&pattern).ok()?, pattern))
    });
    let mut lines: Vec<_> = lines
        .filter(|(_, regex, _)| {
            in_the_way.iter().all(|(_, text)| regex.is_match(text))
                && !regex.is_match(screen)
                && !same.iter().any(|(_, text)| regex.is_match(text))
        })
        .collect();
    lines.sort_by_key(|((has_word, is_lasting), ..)| (!has_word, !is_lasting));
    lines.into_iter().next().map(|(.., pattern)| pattern)
}

fn candidates(screen: &str, same: &[(String, String)], truth: &Truth) -> Vec<Candidate> {
    let lines: Vec<&str> = screen.lines().collect();
    let mut found: Vec<Candidate> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let text = core(line);
        if !is_telling(&text) || found.iter().any(|known| known.text == text) {
            continue;
        }
        let pattern = general(&text);
        let Ok(regex) = compile(&pattern) else { continue };
        let mut score = i64::try_from(at).unwrap_or(0);
        if has_word(&text) {
            score += 30;
        }
        let is_asking = truth.state == ActivityState::Blocked && text.ends_with('?');
        if is_asking {
            score += 40;
        }
        // What an agent or a person has said does not come again.
        if line.trim_start().starts_with(['●', '⏺', '•', '>', '⎿', '$']) {
            score -= 30;
        }
        // Nor do a time, a duration and a count. What asks or tells of keys is told by its words.
        if is_passing(&text) {
            score -= if is_asking || has_word(&text) { 5 } else { PASSING };
        }
        // What is named there is of this machine.
        if has_path(&text) {
            score -= 30;
        }
        let support = same.iter().filter(|(_, text)| regex.is_match(text)).count();
        score += 20 * i64::try_from(support.min(5)).unwrap_or(0);
        found.push(Candidate { text, pattern, regex, score });
    }
    found
}

fn is_telling(text: &str) -> bool {
    text.chars().filter(|letter| letter.is_alphanumeric()).count() >= LEAST
}

fn has_word(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.split(|letter: char| !letter.is_alphanumeric()).any(|word| TELLING.contains(&word))
}

/// Whether a text has a path in it: two names or more with a slash each.
fn has_path(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let word = word.trim_matches(|letter: char| "()[]'\"`,;:".contains(letter));
        let is_rooted = word.starts_with(['/', '~']) || word.starts_with("./");
        let slashes = word.matches('/').count();
        (is_rooted && slashes > 0 && word.len() > 2) || slashes > 1
    })
}

/// Whether a text tells a time, a duration or a count: it will be another one.
fn is_passing(text: &str) -> bool {
    let is_end = |letter: char| !letter.is_alphanumeric() && !":.,%".contains(letter);
    let words: Vec<&str> = text.split(is_end).filter(|word| !word.is_empty()).collect();
    words.iter().enumerate().any(|(at, word)| {
        let word = word.trim_matches([':', '.', ',']);
        let is_of_number = |letter: char| letter.is_ascii_digit() || ".,:".contains(letter);
        let unit = word.trim_start_matches(is_of_number);
        let number = word.strip_suffix(unit).unwrap_or_default();
        if !number.contains(|letter: char| letter.is_ascii_digit()) {
            return false;
        }
        let next = words.get(at + 1).map_or("", |next| next.trim_matches([':', '.', ',']));
        let unit = if unit.is_empty() { next } else { unit };
        let unit = unit.to_lowercase();
        number.contains(':') || unit.starts_with('%') || UNITS.contains(&unit.as_str())
    })
}

/// The longest part of a line between lines that are drawn, without the mark of a choice.
fn core(line: &str) -> String {
    let is_drawn = |letter: char| ('\u{2500}'..='\u{259f}').contains(&letter) || letter == '|';
    let parts = line.split(is_drawn).map(str::trim);
    let longest = parts.max_by_key(|part| part.chars().count()).unwrap_or_default();
    let text = longest.trim_start_matches(['›', '❯', '▶']).trim();
    let kept: String = text.chars().take(LONGEST).collect();
    kept.trim_end().to_owned()
}

/// A pattern for a text whose numbers, blanks and turning signs may be others.
fn general(text: &str) -> String {
    let mut pattern = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_ascii_digit() {
            while letters.next_if(char::is_ascii_digit).is_some() {}
            pattern.push_str("[0-9]+");
        } else if letter.is_whitespace() {
            while letters.next_if(|next| next.is_whitespace()).is_some() {}
            pattern.push_str(r"\s+");
        } else if is_turning(letter) {
            pattern.push_str(r"\S");
        } else {
            pattern.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
        }
    }
    pattern
}

/// Whether a sign is one of those that agents turn while they work.
fn is_turning(letter: char) -> bool {
    ('\u{2800}'..='\u{28ff}').contains(&letter) || "✽✻✶✳✢·◐◑◒◓".contains(letter)
}

fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(text: &str) -> Screenshot {
        Screenshot { title: String::new(), lines: text.lines().map(str::to_owned).collect() }
    }

    fn truth(state: &str) -> Truth {
        Truth::parse(state, "").unwrap()
    }

    fn fixture(name: &str, state: &str, text: &str) -> Fixture {
        let (name, agent) = (name.to_owned(), "tool".to_owned());
        Fixture { name, agent, truth: truth(state), looked: looked(text) }
    }

    /// Reads the draft as the daemon would and says where it matches.
    fn reads(draft: &Draft, state: &str, text: &str) -> bool {
        let file = format!(
            "version = 1\nagent = \"tool\"\nadds = true\n\n{}",
            draft.text(&truth(state), "a\nb")
        );
        let rules = Rules::parse(&file).unwrap_or_else(|error| panic!("{error}:\n{file}"));
        let seen = rules.look(On::Screen, &tail(&looked(text).lines));
        seen.is_some_and(|seen| seen.state == truth(state).state)
    }

    const ASKS: &str = "● I will push it.\n\n│ git push origin fix-12 │\n│ Shall I go on (12 s)? │\n│ ❯ 1. Yes │\n│   2. No, and tell me why │";
    const WORKS: &str =
        "● I will push it.\n\n✻ Thinking… (12s · esc to interrupt)\n> \n? for shortcuts";
    const RESTS: &str = "● I have pushed it.\n\n> \n? for shortcuts";

    #[test]
    fn a_question_is_told_by_its_own_words_with_any_number() {
        let known = [fixture("works", "working", WORKS), fixture("rests", "idle", RESTS)];
        let drafts = drafts(&looked(ASKS), &truth("blocked"), &known, &[]).unwrap();
        assert_eq!(drafts[0].line, "Shall I go on (12 s)?");
        assert!(reads(&drafts[0], "blocked", ASKS));
        assert!(reads(&drafts[0], "blocked", &ASKS.replace("12 s", "345 s")));
        assert!(!reads(&drafts[0], "blocked", WORKS) && !reads(&drafts[0], "blocked", RESTS));
        assert!(drafts.iter().any(|draft| draft.line.starts_with("git push")));
    }

    #[test]
    fn what_stands_on_other_screens_too_is_narrowed_by_what_must_not() {
        let known = [
            fixture("works", "working", WORKS),
            fixture("rests", "idle", "● It is done.\n\n> \n? for shortcuts"),
        ];
        let drafts = drafts(&looked(RESTS), &truth("idle"), &known, &[]).unwrap();
        let draft = &drafts[0];
        assert_eq!(draft.line, "? for shortcuts");
        assert!(draft.unless.as_ref().is_some_and(|unless| unless.contains("interrupt")));
        assert!(reads(draft, "idle", RESTS) && !reads(draft, "idle", WORKS));
    }

    #[test]
    fn a_line_that_tells_a_time_is_offered_last_and_none_is_guarded_by_a_path() {
        let finished = "● It is done.\n\n✻ Cogitated for 2s · done 1:48 AM\n> \n? for shortcuts";
        let works =
            "/tmp/dash-x/p/api\n\n✻ Thinking… (12s · esc to interrupt)\n> \n? for shortcuts";
        let drafts =
            drafts(&looked(finished), &truth("done"), &[fixture("w", "working", works)], &[]);
        let drafts = drafts.unwrap();
        assert!(!drafts[0].line.contains("Cogitated"), "{drafts:?}");
        assert!(drafts.last().is_some_and(|last| last.line.contains("Cogitated")), "{drafts:?}");
        assert!(drafts.iter().all(|it| !it.unless.as_ref().is_some_and(|it| it.contains("tmp"))));
        // Where nothing but a path tells them apart, it is not what must not stand there.
        let other = fixture("w", "working", "/tmp/dash-x/p/api\n> \n? for shortcuts");
        let drafts = super::drafts(&looked("> \n? for shortcuts"), &truth("done"), &[other], &[]);
        assert!(drafts.is_err(), "{drafts:?}");
    }

    #[test]
    fn times_durations_counts_and_paths_are_known() {
        for text in [
            "✻ Cogitated for 2s · done 1:48 AM",
            "Thinking… (12 s)",
            "context left 98%",
            "↑ 3.2k tokens",
            "took 1m 20s",
            "5 minutes ago",
        ] {
            assert!(is_passing(text), "{text}");
        }
        for text in ["? for shortcuts", "1. Yes", "Do you want to run these 3 commands", "v2.1"] {
            assert!(!is_passing(text), "{text}");
        }
        for text in ["/tmp/dash-x/p/api", "cwd: ~/src/shop", "in (src/ui/mod.rs)"] {
            assert!(has_path(text), "{text}");
        }
        for text in ["? for shortcuts", "yes/no", "ctrl+c / esc", "press / to search"] {
            assert!(!has_path(text), "{text}");
        }
    }

    #[test]
    fn no_draft_ever_matches_a_known_screen_of_another_state() {
        let screens = [("blocked", ASKS), ("working", WORKS), ("idle", RESTS)];
        for (state, text) in screens {
            let known: Vec<_> = screens
                .iter()
                .filter(|(other, _)| *other != state)
                .map(|(other, text)| fixture(other, other, text))
                .collect();
            for draft in drafts(&looked(text), &truth(state), &known, &[]).unwrap() {
                assert!(reads(&draft, state, text), "{draft:?}");
                for (_, text) in screens.iter().filter(|(other, _)| *other != state) {
                    assert!(!reads(&draft, state, text), "{draft:?}");
                }
            }
        }
    }

    #[test]
    fn a_screen_that_tells_nothing_is_refused_with_what_is_in_the_way() {
        let known = [fixture("rests-1", "idle", RESTS)];
        let same = drafts(&looked(RESTS), &truth("working"), &known, &[]).unwrap_err();
        assert!(same.contains("rests-1"), "{same}");
        let part = drafts(&looked("> \n? for shortcuts"), &truth("working"), &known, &[]);
        // What stands only there tells them apart, as long as anything does.
        assert!(part.unwrap()[0].unless.is_some());
        assert!(drafts(&looked("──\n> "), &truth("idle"), &[], &[]).is_err());
    }

    #[test]
    fn a_line_names_the_runners_that_show_it_and_are_said_to_be_something_else() {
        let footer = "bypass permissions on (shift+tab to cycle)";
        let asks = format!("Which colour is it\n  red\n  blue\n{footer}");
        let beside = [
            fixture("shop-2", "idle", &format!("> \n{footer}")),
            fixture("shop-3", "blocked", &format!("Which colour is it\n{footer}")),
        ];
        let drafts = drafts(&looked(&asks), &truth("blocked"), &[], &beside).unwrap();
        let told: Vec<_> = drafts.iter().map(|draft| (&*draft.line, &draft.changes[..])).collect();
        let other = ["shop-2".to_owned()];
        assert_eq!(told, [(footer, &other[..]), ("Which colour is it", &[])]);
    }

    #[test]
    fn nothing_of_a_screen_can_break_the_file() {
        let nasty = "a \"\"\" b \\d [[rule]] {x} (y) $z 1.5 \u{1b}[31m ^ | more words here?";
        for draft in drafts(&looked(nasty), &truth("blocked"), &[], &[]).unwrap() {
            assert!(reads(&draft, "blocked", nasty), "{draft:?}");
        }
    }
}
