//! Makes turns out of scenes: which steps, how long they take, which numbers they show.
//!
//! Pure: the same seed, turn number and mode give the same turn on every machine. Time is only
//! planned here; `agent.rs` lets it pass.

use std::time::Duration;

use super::args::Mode;
use super::dialog::Dialog;
use super::scenes::{Beat, Part, SCENES, Scene};
use super::text::Tone;

/// Something that stands in the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// What the user wrote.
    Prompt(String),
    /// What the agent says.
    Say(String),
    /// A tool call and what came of it.
    Tool {
        /// Name and argument, such as `Bash(npm test)`.
        call: String,
        /// The lines under it.
        result: Vec<(Tone, String)>,
    },
    /// A remark of the program itself.
    Note(String),
    /// An error.
    Error(String),
}

/// One step of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes time, then stands in the transcript.
    Work {
        /// The word of the spinner meanwhile.
        verb: &'static str,
        /// The result.
        block: Block,
        /// How long it takes.
        time: Duration,
        /// Tokens it costs.
        tokens: u64,
    },
    /// Waits for the user.
    Ask(Dialog),
    /// Ends the program.
    Fail(String),
}

/// A turn: a prompt and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    /// The title of the conversation.
    pub(super) title: &'static str,
    /// What the user wrote.
    pub(super) prompt: String,
    /// The steps in order.
    pub(super) steps: Vec<Step>,
}

/// A small generator of numbers (splitmix64); good enough to look unplanned.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Starts at a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number in `low..high`; `low` when that is empty.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % high.saturating_sub(low).max(1)
    }
}

/// Returns the scene of a seed; neighbouring seeds have different scenes.
pub(super) fn scene(seed: u64) -> &'static Scene {
    let at = usize::try_from(seed % 8).unwrap_or(0);
    SCENES.get(at).copied().unwrap_or(SCENES[0])
}

/// Makes the turn with number `index`; `asked` is what the user wrote, if anything.
pub(super) fn turn(args: &Plan, index: u64, asked: Option<&str>) -> Turn {
    let scene = scene(args.seed);
    let mut dice = Dice::new(args.seed.wrapping_mul(1_000_003).wrapping_add(index));
    let part = if index.is_multiple_of(2) { &scene.turns[0] } else { &scene.turns[1] };
    let mut writer = Writer::new(&mut dice);
    let mut steps: Vec<Step> = part.beats.iter().map(|beat| writer.step(*beat)).collect();
    match args.mode {
        Mode::Ask => {
            steps = shorten(last(steps), 3, args.lead.unwrap_or(Duration::from_secs(2)));
            let (command, why) = (writer.fill(scene.ask.0), writer.fill(scene.ask.1));
            if !args.allowed {
                steps.push(Step::Ask(Dialog::permission(&command, &why)));
            }
            steps.push(writer.command(&command, &[scene.ask.2]));
            steps.push(writer.say(part.end));
        }
        Mode::Question => {
            steps = shorten(steps, 3, args.lead.unwrap_or(Duration::from_secs(2)));
            steps.push(Step::Ask(Dialog::question(scene.question.0, scene.question.1)));
            let line = format!("+{}", scene.answer_file.1);
            steps.push(writer.edit(scene.answer_file.0, &[&line]));
            steps.push(writer.say("I have put {answer} into the configuration."));
        }
        Mode::Finish => {
            steps = finish(&mut writer, part, steps, args.lead);
        }
        Mode::Fail => {
            steps = shorten(steps, 4, args.lead.unwrap_or(Duration::from_secs(3)));
            steps.push(Step::Fail(scene.error.to_owned()));
        }
        _ => steps.push(writer.say(part.end)),
    }
    let prompt = asked.unwrap_or(part.prompt).to_owned();
    Turn { title: scene.title, prompt, steps }
}

/// What a turn is made from besides its number.
#[derive(Debug)]
pub(super) struct Plan {
    /// The mode, which decides how the turn ends.
    pub(super) mode: Mode,
    /// The seed.
    pub(super) seed: u64,
    /// How long the agent works before it asks, finishes or fails; `None` for the mode's default.
    pub(super) lead: Option<Duration>,
    /// Whether the permission was given for good.
    pub(super) allowed: bool,
}

/// Returns the pause between two turns that follow each other by themselves.
pub(super) fn pause(seed: u64, index: u64) -> Duration {
    Duration::from_millis(Dice::new(seed ^ (index << 32)).between(3_000, 9_000))
}

/// Ends a turn with its last words inside the time given.
fn finish(
    writer: &mut Writer<'_>,
    part: &Part,
    steps: Vec<Step>,
    lead: Option<Duration>,
) -> Vec<Step> {
    let mut steps = last(steps);
    steps.push(writer.say(part.end));
    shorten(steps, 4, lead.unwrap_or(Duration::from_secs(3)))
}

/// Keeps the last three steps, those that lead to the end of the turn.
fn last(mut steps: Vec<Step>) -> Vec<Step> {
    steps.split_off(steps.len().saturating_sub(3))
}

/// Keeps the first steps and scales them to a whole time.
fn shorten(mut steps: Vec<Step>, keep: usize, whole: Duration) -> Vec<Step> {
    steps.truncate(keep);
    let planned: Duration = steps.iter().map(planned_time).sum();
    for step in &mut steps {
        if let Step::Work { time, .. } = step {
            let share = time.as_micros().saturating_mul(whole.as_micros());
            let micros = share.checked_div(planned.as_micros()).unwrap_or(0);
            *time = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        }
    }
    steps
}

/// Returns how long a step takes by itself.
fn planned_time(step: &Step) -> Duration {
    match step {
        Step::Work { time, .. } => *time,
        Step::Ask(_) | Step::Fail(_) => Duration::ZERO,
    }
}

/// Puts the user's answer into the steps that follow it.
pub(super) fn put_answer(steps: &mut [Step], answer: &str) {
    for step in steps {
        if let Step::Work { block, .. } = step {
            match block {
                Block::Say(text) => *text = text.replace("{answer}", answer),
                Block::Tool { result, .. } => {
                    for (_, line) in result {
                        *line = line.replace("{answer}", answer);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Fills in numbers and makes steps; `{n}` and `{m}` keep their value for a whole turn.
struct Writer<'a> {
    /// Where the numbers come from.
    dice: &'a mut Dice,
    /// The value of `{n}`.
    big: u64,
    /// The value of `{m}`.
    small: u64,
}

impl<'a> Writer<'a> {
    /// Chooses the numbers of a turn.
    fn new(dice: &'a mut Dice) -> Self {
        let big = dice.between(24, 260);
        let small = dice.between(3, 10);
        Self { dice, big, small }
    }

    /// Fills in the placeholders except the answer.
    fn fill(&mut self, text: &str) -> String {
        let hundredths = self.dice.between(41, 980);
        let seconds = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        text.replace("{n}", &self.big.to_string())
            .replace("{m}", &self.small.to_string())
            .replace("{s}", &seconds)
    }

    /// Makes a step of a beat.
    fn step(&mut self, beat: Beat) -> Step {
        match beat {
            Beat::Say(text) => self.say(text),
            Beat::Read(path) => {
                let count = self.dice.between(38, 420);
                self.tool("Reading", format!("Read({path})"), plain(&format!("Read {count} lines")))
            }
            Beat::Search(pattern) => {
                let count = self.dice.between(4, 31);
                let found = plain(&format!("Found {count} matches in {} files", count.div_ceil(3)));
                self.tool("Searching", format!("Search(\"{pattern}\")"), found)
            }
            Beat::Edit(path, lines) => self.edit(path, lines),
            Beat::Bash(command, lines) => self.command(command, lines),
        }
    }

    /// Makes a step that says something.
    fn say(&mut self, text: &str) -> Step {
        let block = Block::Say(self.fill(text));
        self.work("Thinking", block, (1_200, 3_800))
    }

    /// Makes a step that runs a command.
    fn command(&mut self, command: &str, lines: &[&str]) -> Step {
        let result = lines.iter().map(|line| (Tone::Dim, self.fill(line))).collect();
        let block = Block::Tool { call: format!("Bash({command})"), result };
        self.work("Running", block, (2_000, 7_500))
    }

    /// Makes a step that changes a file.
    fn edit(&mut self, path: &str, lines: &[&str]) -> Step {
        let added = lines.iter().filter(|line| line.starts_with('+')).count();
        let removed = lines.iter().filter(|line| line.starts_with('-')).count();
        let mut number = self.dice.between(8, 240);
        let mut result = plain(&format!("Added {added}, removed {removed}"));
        for line in lines {
            let (sign, rest) = line.split_at_checked(1).unwrap_or(("", line));
            let tone = if sign == "-" { Tone::Bad } else { Tone::Good };
            result.push((tone, format!("{number:>4} {sign} {rest}")));
            number += u64::from(sign != "-");
        }
        self.tool("Editing", format!("Edit({path})"), result)
    }

    /// Makes a step of a quick tool.
    fn tool(&mut self, verb: &'static str, call: String, result: Vec<(Tone, String)>) -> Step {
        self.work(verb, Block::Tool { call, result }, (700, 2_600))
    }

    /// Makes a step that takes between `range` milliseconds.
    fn work(&mut self, verb: &'static str, block: Block, range: (u64, u64)) -> Step {
        let time = Duration::from_millis(self.dice.between(range.0, range.1));
        Step::Work { verb, block, time, tokens: self.dice.between(140, 1_900) }
    }
}

/// Returns one faint line.
fn plain(text: &str) -> Vec<(Tone, String)> {
    vec![(Tone::Dim, text.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(mode: Mode, seed: u64) -> Plan {
        Plan { mode, seed, lead: None, allowed: false }
    }

    fn lead(turn: &Turn) -> Duration {
        let waits = |step: &&Step| matches!(step, Step::Work { .. });
        turn.steps.iter().take_while(waits).map(planned_time).sum()
    }

    #[test]
    fn a_seed_decides_everything() {
        for mode in [Mode::Work, Mode::Ask, Mode::Question, Mode::Finish, Mode::Fail] {
            for index in 0..4 {
                let one = turn(&plan(mode, 11), index, None);
                assert_eq!(one, turn(&plan(mode, 11), index, None));
                assert_ne!(one, turn(&plan(mode, 12), index, None));
                assert_ne!(one.steps, turn(&plan(mode, 19), index, None).steps);
            }
        }
    }

    #[test]
    fn modes_end_as_they_should() {
        let near =
            |time: Duration, ms: u64| time.abs_diff(Duration::from_millis(ms)).as_millis() < 5;
        let ask = turn(&plan(Mode::Ask, 0), 0, None);
        assert!(near(lead(&ask), 2_000));
        let wanted = Step::Ask(Dialog::permission("git push origin fix-login", "Push the branch"));
        assert!(ask.steps.contains(&wanted));
        let question = turn(&plan(Mode::Question, 3), 0, None);
        assert!(near(lead(&question), 2_000));
        assert!(near(lead(&turn(&plan(Mode::Finish, 5), 0, None)), 3_000));
        let fail = turn(&plan(Mode::Fail, 1), 0, None);
        assert!(near(lead(&fail), 3_000));
        assert!(matches!(fail.steps.last(), Some(Step::Fail(_))));
        let allowed = Plan { allowed: true, ..plan(Mode::Ask, 0) };
        assert!(!turn(&allowed, 0, None).steps.contains(&wanted));
    }

    #[test]
    fn no_placeholder_is_left() {
        for seed in 0..8 {
            for mode in [Mode::Work, Mode::Ask, Mode::Question, Mode::Finish, Mode::Fail] {
                for index in 0..2 {
                    let mut made = turn(&plan(mode, seed), index, None);
                    put_answer(&mut made.steps, "8080");
                    let text = format!("{made:?}");
                    for mark in ["{n}", "{m}", "{s}", "{answer}"] {
                        assert!(!text.contains(mark), "{mark} in {text}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_users_words_are_the_prompt() {
        assert_eq!(turn(&plan(Mode::Work, 2), 0, Some("hello")).prompt, "hello");
        assert_eq!(turn(&plan(Mode::Work, 2), 0, None).prompt, SCENES[2].turns[0].prompt);
    }
}
