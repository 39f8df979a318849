//! Copilot's events: the file of the conversation that a process holds, read on as it grows.
//!
//! Which conversation that is tells a file beside it that is named after the process; it changes with
//! `/clear`. Lines from before the process began are those of an earlier one.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::{Mouth, News, files::Files, now};
use crate::{
    agents::{
        control::Told,
        copilot::events::{Follower, Word},
    },
    domain::session::SessionNews,
    process::{ProcessId, Table},
};

/// The longest line that is read: what a tool has printed stands in one, and tells nothing here.
const LONGEST: u64 = 1 << 20;

/// While an agent starts, or begins another conversation, its file is looked for so often; later seldom:
/// it may ask for something first, or begin none.
const PAUSE: Duration = Duration::from_millis(250);
const EARLY: Duration = Duration::from_mins(1);
const LATE_PAUSE: Duration = Duration::from_secs(3);

/// So often it is looked whether the process is still there, and for what a notice was lost of.
const LOOK: Duration = Duration::from_secs(10);

/// Says what the conversations of a process say, until it is gone. `dir` holds all conversations, `since`
/// is when the process began, and `before` is the conversation that it is known to have held last.
pub(super) async fn follow(
    mouth: &Mouth,
    files: &Files,
    dir: &Path,
    process: ProcessId,
    (since, mut before): (DateTime<Utc>, Option<String>),
) {
    // What an earlier daemon has read may not hold any more.
    mouth.say(News::Lost).await;
    loop {
        let Some(place) = find(dir, process).await else { return };
        let id = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if before.as_ref().is_some_and(|before| *before != id) {
            let news = SessionNews {
                id: id.clone(),
                origin: Some("cleared"),
                parent: before.take(),
                transcript: place.join("events.jsonl").to_string_lossy().into_owned(),
                at: now(),
                ..SessionNews::default()
            };
            mouth.say(News::Told(Told::Session(Box::new(news)))).await;
        }
        before = Some(id);
        // One that was let go of stays where it is for a moment.
        let until_left = follow_one(mouth, files, &place, process, since).await;
        mouth.say(News::Lost).await;
        if until_left.is_err() {
            sleep(LATE_PAUSE).await;
        }
        if !process.is_alive() {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Finds the conversation that a process, or one below it, holds; `None` when the process is gone.
async fn find(dir: &Path, process: ProcessId) -> Option<PathBuf> {
    let early = Instant::now() + EARLY;
    while process.is_alive() {
        let all = dir.to_owned();
        let found = spawn_blocking(move || held(&all, process)).await.ok().flatten();
        if found.is_some() {
            return found;
        }
        sleep(if Instant::now() < early { PAUSE } else { LATE_PAUSE }).await;
    }
    None
}

/// The directory with a file that is named after the process or one below it.
fn held(dir: &Path, process: ProcessId) -> Option<PathBuf> {
    let all = fs::read_dir(dir).ok()?;
    let table = Table::scan();
    let below = table.below(process.pid).into_iter().map(|it| it.id.pid);
    let names: Vec<_> =
        std::iter::once(process.pid).chain(below).map(|pid| format!("inuse.{pid}.lock")).collect();
    let places = all.filter_map(|entry| Some(entry.ok()?.path()));
    places.into_iter().find(|place| names.iter().any(|name| place.join(name).exists()))
}

/// Says what one conversation says, until it is let go of or the process is gone.
async fn follow_one(
    mouth: &Mouth,
    files: &Files,
    place: &Path,
    process: ProcessId,
    since: DateTime<Utc>,
) -> io::Result<()> {
    // The watch comes first, so that no change falls in between.
    let watched = files.watch(place)?;
    let mut changes = watched.changes.subscribe();
    let mut reading = Reading { path: place.join("events.jsonl"), ..Reading::default() };
    let mut said: Option<Word> = None;
    loop {
        changes.borrow_and_update();
        let read = spawn_blocking(move || {
            let outcome = reading.read_on();
            (reading, outcome)
        });
        let (back, outcome) = read.await.map_err(io::Error::other)?;
        reading = back;
        match outcome {
            Ok(()) => {}
            // It comes with the first prompt.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        for word in std::mem::take(&mut reading.changes) {
            let word = word.filter(|word| word.at >= since);
            if word == said {
                continue;
            }
            match &word {
                Some(word) => {
                    mouth.say_at(News::Told(word.told.clone()), word.at.min(now())).await;
                }
                None => mouth.say(News::Lost).await,
            }
            said = word;
        }
        if reading.follower.is_over() && reading.is_young(since) {
            return Ok(());
        }
        if !process.is_alive() || !place.exists() {
            return Ok(());
        }
        // Only when the watch is gone, which is held here, can it end.
        timeout(LOOK, changes.changed()).await.ok();
    }
}

/// A file, up to where it was read, and what it said.
#[derive(Debug, Default)]
struct Reading {
    path: PathBuf,
    offset: u64,
    follower: Follower,
    /// What it has said since this was taken, in order: a turn that is over when it is read has begun, too.
    changes: Vec<Option<Word>>,
}

impl Reading {
    /// Reads the lines that have come.
    fn read_on(&mut self) -> io::Result<()> {
        let file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        if length < self.offset {
            (self.offset, self.follower) = (0, Follower::default());
        }
        if length == self.offset {
            return Ok(());
        }
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(self.offset))?;
        let mut line = Vec::new();
        // What happened before it was followed is the past: only how it stands counts.
        let is_past = self.offset == 0;
        loop {
            line.clear();
            let mut read = (&mut file).take(LONGEST).read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') {
                if read < LONGEST {
                    // It is being written.
                    return Ok(());
                }
                line.clear();
                let Some(rest) = skip_line(&mut file)? else { return Ok(()) };
                read += rest;
            }
            self.offset += read;
            self.follower.line(&line);
            let word = self.follower.word();
            let last = self.changes.last().map(Option::as_ref);
            // What was asked and answered meanwhile needs nobody.
            let is_passed = |last: Option<&Word>| is_past || last.is_some_and(Word::asks);
            if last.is_some_and(|last| last != word && is_passed(last)) {
                self.changes.pop();
            }
            let told = |word: &Word| word.told.clone();
            let last = self.changes.last().map(|last| last.as_ref().map(told));
            if last != Some(word.map(told)) {
                self.changes.push(word.cloned());
            }
        }
    }

    /// Whether the file was written to since then.
    fn is_young(&self, since: DateTime<Utc>) -> bool {
        let written = fs::metadata(&self.path).and_then(|meta| meta.modified());
        written.is_ok_and(|written| DateTime::<Utc>::from(written) >= since)
    }
}

/// Skips to the end of a line; returns by how much, or `None` when it has no end yet.
fn skip_line(file: &mut BufReader<File>) -> io::Result<Option<u64>> {
    let mut skipped = 0;
    loop {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', buffer);
        let used = end.map_or(buffer.len(), |end| end + 1);
        file.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(Some(skipped));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::{
        activity::{ActivitySource, ActivityState, INTERRUPTED},
        id::RunnerId,
    };

    fn line(kind: &str, at: DateTime<Utc>, rest: &str) -> String {
        format!("{{\"type\":\"{kind}\",\"timestamp\":\"{}\"{rest}}}\n", at.to_rfc3339())
    }

    #[tokio::test]
    async fn a_process_is_followed_from_before_its_conversation_into_the_next() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("session-state");
        let own = ProcessId::own().unwrap();
        let (heard, mut receiver) = mpsc::channel(64);
        let mouth = Mouth { id: RunnerId::random(), run: 1, source: ActivitySource::File, heard };
        let since = Utc::now();
        let (files, place) = (Files::default(), dir.clone());
        let (other, again) = (mouth.clone(), (files.clone(), place.clone()));
        let task =
            tokio::spawn(async move { follow(&mouth, &files, &place, own, (since, None)).await });
        let mut next = async || loop {
            let news = receiver.recv().await.unwrap().news;
            if news != News::Lost {
                return news;
            }
        };
        let told = |state, kind: Option<&str>| {
            News::Told(Told::Activity(state, kind.map(str::to_owned), None))
        };
        // Of an earlier process, which left in the middle of a turn; and somebody else's.
        let first = dir.join("a");
        fs::create_dir_all(&first).unwrap();
        let events = first.join("events.jsonl");
        let old = since - chrono::TimeDelta::hours(1);
        fs::write(&events, line("user.message", old, "")).unwrap();
        fs::create_dir(dir.join("other")).unwrap();
        fs::write(dir.join("other/inuse.1.lock"), "1").unwrap();
        let mark = format!("inuse.{}.lock", own.pid);
        fs::write(first.join(&mark), "").unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(&events).unwrap();
        let mut write = |text: String| file.write_all(text.as_bytes()).unwrap();
        let long = format!(",\"x\":\"{}\"", "y".repeat(2 << 20));
        write(line("session.resume", Utc::now(), ""));
        write(line("tool.execution_complete", Utc::now(), &long));
        write(line("user.message", Utc::now(), ""));
        assert_eq!(next().await, told(ActivityState::Working, None));
        // A turn that is over when it is read; what it asked was answered meanwhile.
        let request = ",\"data\":{\"requestId\":\"r\"}";
        let turn = [
            line("abort", Utc::now(), ""),
            line("user.message", Utc::now(), ""),
            line("permission.requested", Utc::now(), request),
            line("permission.completed", Utc::now(), request),
            line("abort", Utc::now(), ""),
        ];
        write(turn.concat());
        assert_eq!(next().await, told(ActivityState::Idle, Some(INTERRUPTED)));
        assert_eq!(next().await, told(ActivityState::Working, None));
        assert_eq!(next().await, told(ActivityState::Idle, Some(INTERRUPTED)));
        // It lets go of this one and begins another.
        fs::remove_file(first.join(&mark)).unwrap();
        fs::create_dir(dir.join("b")).unwrap();
        fs::write(dir.join("b").join(&mark), "").unwrap();
        write(line("session.shutdown", Utc::now(), ""));
        let News::Told(Told::Session(session)) = next().await else { panic!() };
        assert_eq!((session.id.as_str(), session.parent.as_deref()), ("b", Some("a")));
        fs::write(dir.join("b/events.jsonl"), line("user.message", Utc::now(), "")).unwrap();
        assert_eq!(next().await, told(ActivityState::Working, None));
        task.abort();
        // Who comes later knows what it held before.
        let held = Some("a".to_owned());
        let (files, place) = again;
        let task =
            tokio::spawn(async move { follow(&other, &files, &place, own, (since, held)).await });
        let News::Told(Told::Session(session)) = next().await else { panic!() };
        assert_eq!((session.id.as_str(), session.parent.as_deref()), ("b", Some("a")));
        task.abort();
    }
}
