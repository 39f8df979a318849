//! Claude Code's state files.
//!
//! A file is written anew at each change. Which is a runner's own is known by its name, a process id,
//! and by what it says of that process's start.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::DateTime;
use tokio::time::{Instant, sleep, timeout};

use super::{Mouth, News, files::Files, now};
use crate::{
    agents::claude::state_file,
    process::{ProcessId, Table, start_time},
};

/// The longest file that is read.
const LONGEST: u64 = 64 << 10;

/// A file that does not come within this time will not come: an older version, or a command.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looked for so often meanwhile: its directory may not be there either.
const PAUSE: Duration = Duration::from_millis(500);

/// A file that is being written is looked at again, a few times.
const MOMENT: Duration = Duration::from_millis(20);
const HALVES: u32 = 5;

/// Says what the file of a process, or of one below it, says, until the process is gone.
pub(super) async fn follow(mouth: &Mouth, files: &Files, dir: &Path, process: ProcessId) {
    let until = Instant::now() + PATIENCE;
    let (watched, file) = loop {
        // The watch comes first, so that no change falls in between.
        if let Ok(watched) = files.watch(dir)
            && let Some(file) = own_file(dir, process)
        {
            break (watched, file);
        }
        if Instant::now() > until || !process.is_alive() {
            tracing::debug!(runner.id = %mouth.id, "an agent keeps no state file");
            // What an earlier daemon read of one does not hold any more.
            mouth.say(News::Lost).await;
            return;
        }
        sleep(PAUSE).await;
    };
    let mut changes = watched.changes.subscribe();
    let mut last = None;
    let mut halves = 0;
    loop {
        changes.borrow_and_update();
        match read(&file) {
            Some(stand) => {
                halves = 0;
                if last.as_ref() != Some(&stand) {
                    say(mouth, &stand).await;
                    last = Some(stand);
                }
            }
            // It is being written, or says what we do not know.
            None if file.process.is_alive() && file.path.exists() => {
                if halves < HALVES {
                    halves += 1;
                    timeout(MOMENT, changes.changed()).await.ok();
                    continue;
                }
            }
            None => {
                mouth.say(News::Lost).await;
                return;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// A file and the process it is of.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    process: ProcessId,
}

/// Finds the file of a process or, where a launcher stands before the agent, of one below it.
fn own_file(dir: &Path, process: ProcessId) -> Option<File> {
    let of = |process: ProcessId| {
        let path = dir.join(format!("{}.json", process.pid));
        let file = File { path, process };
        read(&file).map(|_| file)
    };
    if let Some(file) = of(process) {
        return Some(file);
    }
    let entries = fs::read_dir(dir).ok()?;
    let pids = entries.filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.parse::<i32>().ok()
    });
    let pids: Vec<_> = pids.collect();
    if pids.is_empty() {
        return None;
    }
    let table = Table::scan();
    let below = table.below(process.pid);
    below.iter().filter(|it| pids.contains(&it.id.pid)).find_map(|it| of(it.id))
}

fn read(file: &File) -> Option<state_file::Stand> {
    // A pid that was given out again is another process.
    if start_time(file.process.pid) != Some(file.process.start_time) {
        return None;
    }
    let length = fs::metadata(&file.path).ok()?.len();
    let text = (length <= LONGEST).then(|| fs::read(&file.path).ok())??;
    state_file::read(&text, file.process.start_time)
}

async fn say(mouth: &Mouth, stand: &state_file::Stand) {
    let since = DateTime::from_timestamp_millis(stand.since_ms);
    let now = now();
    let at = since.filter(|since| *since <= now).unwrap_or(now);
    // Its conversation is told by hooks, which know where it came from.
    mouth.say_at(News::Told(stand.told.clone()), at).await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        agents::control::Told,
        domain::{
            activity::{ActivitySource, ActivityState},
            id::RunnerId,
        },
    };

    fn write(path: &Path, own: ProcessId, status: &str) {
        let text = format!(
            r#"{{"pid":{},"procStart":"{}","sessionId":"s1","status":"{status}","statusUpdatedAt":1}}"#,
            own.pid, own.start_time
        );
        fs::write(path, text).unwrap();
    }

    #[tokio::test]
    async fn a_file_is_followed_from_before_it_is_there_to_its_end() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("sessions");
        let own = ProcessId::own().unwrap();
        let (heard, mut receiver) = mpsc::channel(16);
        let id = RunnerId::random();
        let mouth = Mouth { id, run: 1, source: ActivitySource::File, heard };
        let (files, place) = (Files::default(), dir.clone());
        let task = tokio::spawn(async move { follow(&mouth, &files, &place, own).await });
        fs::create_dir(&dir).unwrap();
        // Left over by a process with the same number.
        let path = dir.join(format!("{}.json", own.pid));
        write(&path, ProcessId { start_time: own.start_time + 1, ..own }, "busy");
        write(&path, own, "busy");
        let mut next = async || receiver.recv().await.unwrap().news;
        let told = |state| News::Told(Told::Activity(state, None, None));
        assert_eq!(next().await, told(ActivityState::Working));
        write(&path, own, "idle");
        assert_eq!(next().await, told(ActivityState::Idle));
        fs::remove_file(&path).unwrap();
        assert_eq!(next().await, News::Lost);
        task.await.unwrap();
    }
}
