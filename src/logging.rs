//! Where log lines go: standard error in the foreground, rotated JSON files in the background.
//!
//! A line that is written while something is done for a caller carries the id of its trace, `trace_id`.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    path::Path,
};

use tracing::{Event, Level, Subscriber};
use tracing_appender::{
    non_blocking::WorkerGuard,
    rolling::{InitError, RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    field::RecordFields,
    filter::{LevelFilter, Targets},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{DefaultFields, Format, Json, JsonFields, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// The beginning of a log file's name; the day follows.
pub const LOG_PREFIX: &str = "daemon";

/// Tells the id of the trace that a line belongs to; empty for none.
type TraceId = fn() -> String;

/// Logs to standard error, for people and for the journal. Colours are for terminals, unless
/// `NO_COLOR` is set, which the formatter looks at by itself.
pub fn to_stderr(level: Level, trace_id: TraceId) {
    let lines = tracing_subscriber::fmt()
        .fmt_fields(TracedFields { fields: DefaultFields::new(), trace_id })
        .with_max_level(level)
        .with_writer(io::stderr);
    // Asked for here, colours would come in spite of `NO_COLOR`: they are only ever taken away.
    let lines = if io::stderr().is_terminal() { lines } else { lines.with_ansi(false) };
    lines.finish().with(wanted(level)).init();
}

/// Logs JSON lines to a file a day, keeping so many. Dropping the guard writes what is queued; when
/// the disk is slower than the log, lines are dropped and counted rather than waited for.
///
/// # Errors
///
/// When the directory cannot be written.
pub fn to_files(
    dir: &Path,
    level: Level,
    max_files: usize,
    trace_id: TraceId,
) -> Result<WorkerGuard, InitError> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(LOG_PREFIX)
        .filename_suffix("log")
        .max_log_files(max_files)
        .build(dir)?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let lines = tracing_subscriber::fmt()
        .event_format(TracedJson { lines: Format::default().json(), trace_id })
        .fmt_fields(JsonFields::new())
        .with_max_level(level)
        .with_writer(writer);
    lines.finish().with(wanted(level)).init();
    Ok(guard)
}

/// JSON lines with the trace as one more field.
struct TracedJson {
    lines: Format<Json>,
    trace_id: TraceId,
}

impl<S, N> FormatEvent<S, N> for TracedJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let trace = (self.trace_id)();
        if trace.is_empty() {
            return self.lines.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.lines.format_event(context, Writer::new(&mut line), event)?;
        match line.trim_end().strip_suffix('}') {
            Some(open) => writeln!(writer, "{open},\"trace_id\":\"{trace}\"}}"),
            None => writer.write_str(&line),
        }
    }
}

/// Fields as they are always written, and after them the trace.
struct TracedFields {
    fields: DefaultFields,
    trace_id: TraceId,
}

impl<'writer> FormatFields<'writer> for TracedFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.fields.format_fields(writer.by_ref(), fields)?;
        let trace = (self.trace_id)();
        if trace.is_empty() { Ok(()) } else { write!(writer, " trace_id={trace}") }
    }
}

/// Returns what is logged. The broker's client logs whole messages as warnings, and at the finest
/// level the password; what goes wrong with it we say ourselves.
fn wanted(level: Level) -> Targets {
    Targets::new().with_default(level).with_target("lapin", LevelFilter::OFF)
}
