//! Files for whoever looks for a mistake of the dashboard: what happened last, and where it
//! panicked.

use std::{
    backtrace::Backtrace,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    panic::PanicHookInfo,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, TryLockError},
};

use chrono::Utc;

use super::recorder::Recorder;

/// The recorder, shared with the hook that runs when a part of the program panics.
pub(super) type Shared = Arc<Mutex<Recorder>>;

/// Writes what happened last and returns the file.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn write_events(directory: &Path, recorder: &Shared) -> io::Result<PathBuf> {
    write(directory, "events.jsonl", &told(recorder))
}

/// Writes where and why a part of the program panicked and what had happened before.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn write_panic(
    directory: &Path,
    recorder: &Shared,
    info: &PanicHookInfo<'_>,
) -> io::Result<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let backtrace = Backtrace::force_capture();
    let events = told(recorder);
    let text = format!("stratavore {version}\n{info}\n\n{backtrace}\n\nlast events:\n{events}");
    write(directory, "panic.txt", &text)
}

fn told(recorder: &Shared) -> String {
    match recorder.try_lock() {
        Ok(recorder) => recorder.tell(),
        Err(TryLockError::Poisoned(recorder)) => recorder.into_inner().tell(),
        // It is the recorder that panics.
        Err(TryLockError::WouldBlock) => String::new(),
    }
}

fn write(directory: &Path, end: &str, text: &str) -> io::Result<PathBuf> {
    let time = Utc::now().format("%Y%m%dT%H%M%S%.3f");
    let path = directory.join(format!("dashboard-{time}-{end}"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&path)?.write_all(text.as_bytes())?;
    Ok(path)
}
