//! Where log lines go: standard error in the foreground, rotated JSON files in the background.

use std::path::Path;

use tracing::Level;
use tracing_appender::{
    non_blocking::WorkerGuard,
    rolling::{InitError, RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The beginning of a log file's name; the day follows.
pub const LOG_PREFIX: &str = "daemon";

/// Logs to standard error, for people and for the journal.
pub fn to_stderr(level: Level) {
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    lines.finish().with(wanted(level)).init();
}

/// Logs JSON lines to a file a day, keeping so many. Dropping the guard writes what is queued; when
/// the disk is slower than the log, lines are dropped and counted rather than waited for.
///
/// # Errors
///
/// When the directory cannot be written.
pub fn to_files(dir: &Path, level: Level, max_files: usize) -> Result<WorkerGuard, InitError> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(LOG_PREFIX)
        .filename_suffix("log")
        .max_log_files(max_files)
        .build(dir)?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let lines = tracing_subscriber::fmt().json().with_max_level(level).with_writer(writer);
    lines.finish().with(wanted(level)).init();
    Ok(guard)
}

/// Returns what is logged. The broker's client logs whole messages as warnings, and at the finest
/// level the password; what goes wrong with it we say ourselves.
fn wanted(level: Level) -> Targets {
    Targets::new().with_default(level).with_target("lapin", LevelFilter::OFF)
}
