//! Records the agent's output on disk, in a thread of its own, so that a stalled disk never stalls
//! the agent.
//!
//! The record is a row of segment files named by the offset of their first byte. Invariant: bytes
//! in the files are exactly the agent's; what could not be recorded shows as a gap between the end
//! of one segment and the name of the next. The oldest segments go when the limit is reached.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use crate::runner_dir::{end_of_record, segment_name, segments};

/// Output that waits for the disk, at most; what exceeds it is not recorded.
const MAX_QUEUE: usize = 4 << 20;

/// Output is collected up to this before the disk is bothered, or until [`OutputLog::flush`].
const COLLECT: usize = 64 << 10;

/// A runner's record consists of about this many segments.
const SEGMENTS: u64 = 8;

#[derive(Debug, Default)]
struct Queue {
    /// What waits to be written.
    bytes: Vec<u8>,
    /// An empty buffer to go on with: buffers that one thread allocates and the other frees would make
    /// them wait for each other.
    spare: Vec<u8>,
    /// Offset of the first byte in the queue.
    start: u64,
    /// Up to where everything was given to the system, or is a gap.
    written: u64,
    /// What is there is to be written now.
    due: bool,
    /// Closing: write what is there and end.
    closed: bool,
    /// The thread has ended.
    done: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The data is plain bytes: a panic elsewhere leaves it usable.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The recording end, held by the loop.
#[derive(Debug)]
pub(super) struct OutputLog {
    shared: Arc<Shared>,
    offset: u64,
    /// Where the disk was last waited for in vain.
    stalled_at: Option<u64>,
    thread: Option<JoinHandle<()>>,
}

impl OutputLog {
    /// Starts recording after what earlier runs left. If no thread can be had, nothing is recorded.
    pub(super) fn start(dir: PathBuf, limit: u64) -> Self {
        let offset = end_of_record(&dir);
        let shared = Arc::new(Shared::default());
        {
            let mut queue = shared.lock();
            (queue.start, queue.written) = (offset, offset);
        }
        let writer = Writer { dir, limit, segment: None, end: 0 };
        let thread = std::thread::Builder::new()
            .name("output-log".to_owned())
            .stack_size(64 << 10)
            .spawn({
                let shared = Arc::clone(&shared);
                move || write_all(&shared, writer)
            })
            .ok();
        Self { shared, offset, stalled_at: None, thread }
    }

    /// Records bytes, without waiting for anything.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if self.thread.is_none() {
            return;
        }
        let mut queue = self.shared.lock();
        let end = queue.start + queue.bytes.len() as u64;
        let fits = queue.bytes.len() + bytes.len() <= MAX_QUEUE;
        // After a gap the queue must run empty first: it can hold one contiguous piece only.
        if fits && (queue.bytes.is_empty() || end == self.offset) {
            if queue.bytes.is_empty() {
                queue.start = self.offset;
            }
            queue.bytes.extend_from_slice(bytes);
        }
        let is_due = queue.bytes.len() >= COLLECT && !queue.due;
        queue.due |= is_due;
        // Not under the lock: whoever wakes up wants it first of all.
        drop(queue);
        if is_due {
            self.shared.changed.notify_one();
        }
        self.offset += bytes.len() as u64;
    }

    /// The offset of what comes next.
    pub(super) fn end(&self) -> u64 {
        self.offset
    }

    /// Has what was collected written.
    pub(super) fn flush(&mut self) {
        self.shared.lock().due = true;
        self.shared.changed.notify_one();
    }

    /// Has what was collected written, and waits for it as long as given, so that it outlives this process;
    /// true when it does. A disk that did not keep up is not waited for until it has caught up.
    pub(super) fn hand_over(&mut self, patience: Duration) -> bool {
        if self.thread.is_none() {
            return false;
        }
        let mut queue = self.shared.lock();
        let end = queue.start + queue.bytes.len() as u64;
        queue.due = true;
        self.shared.changed.notify_one();
        if self.stalled_at.is_some_and(|at| queue.written < at) {
            return false;
        }
        let is_behind = |queue: &mut Queue| queue.written < end && !queue.done;
        let waited = self.shared.changed.wait_timeout_while(queue, patience, is_behind);
        let is_written = waited.is_ok_and(|(queue, _)| queue.written >= end);
        self.stalled_at = (!is_written).then_some(end);
        is_written
    }

    /// Gives spare memory back.
    pub(super) fn settle(&mut self) {
        let mut queue = self.shared.lock();
        queue.spare = Vec::new();
        queue.bytes.shrink_to_fit();
    }

    /// Writes what is queued and ends, waiting for the disk at most as long as given. May be called
    /// again to wait longer.
    pub(super) fn close(&mut self, patience: Duration) {
        if self.thread.is_none() {
            return;
        }
        let mut queue = self.shared.lock();
        queue.closed = true;
        self.shared.changed.notify_one();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(queue, patience, |queue| !queue.done)
            .map(|(queue, _)| queue.done);
        if matches!(waited, Ok(true))
            && let Some(thread) = self.thread.take()
        {
            thread.join().ok();
        }
    }
}

/// The thread: takes what is queued and writes it, until closed.
fn write_all(shared: &Shared, mut writer: Writer) {
    loop {
        let mut queue = shared.lock();
        while (!queue.due || queue.bytes.is_empty()) && !queue.closed {
            queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.bytes.is_empty() {
            queue.done = true;
            shared.changed.notify_all();
            return;
        }
        queue.due = false;
        let spare = std::mem::take(&mut queue.spare);
        let mut bytes = std::mem::replace(&mut queue.bytes, spare);
        let start = queue.start;
        queue.start += bytes.len() as u64;
        drop(queue);
        writer.write(start, &bytes);
        let end = start + bytes.len() as u64;
        bytes.clear();
        // After a stall of the disk it is large.
        bytes.shrink_to(2 * COLLECT);
        let mut queue = shared.lock();
        (queue.spare, queue.written) = (bytes, end);
        drop(queue);
        shared.changed.notify_all();
    }
}

/// The disk side.
#[derive(Debug)]
struct Writer {
    dir: PathBuf,
    limit: u64,
    segment: Option<(File, u64)>,
    end: u64,
}

impl Writer {
    /// Writes contiguous bytes; on an error they become a gap and the next try begins a segment.
    fn write(&mut self, start: u64, bytes: &[u8]) {
        let full = self.segment.as_ref().is_some_and(|(_, size)| *size >= self.limit / SEGMENTS);
        if full || start != self.end {
            self.segment = None;
        }
        self.end = start + bytes.len() as u64;
        if self.segment.is_none() {
            self.make_room();
            self.segment = self.open(start).map(|file| (file, 0));
        }
        if let Some((file, size)) = &mut self.segment {
            *size += bytes.len() as u64;
            if file.write_all(bytes).is_err() {
                self.segment = None;
            }
        }
    }

    fn open(&self, start: u64) -> Option<File> {
        fs::create_dir_all(&self.dir).ok()?;
        let path = self.dir.join(segment_name(start));
        OpenOptions::new().append(true).create(true).mode(0o600).open(path).ok()
    }

    /// Removes the oldest segments until another one fits.
    fn make_room(&self) {
        let mut segments = segments(&self.dir);
        let mut total: u64 = segments.iter().map(|segment| segment.length).sum();
        segments.reverse();
        while total + self.limit / SEGMENTS > self.limit {
            let Some(oldest) = segments.pop() else { return };
            total -= oldest.length;
            fs::remove_file(&oldest.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::clock::monotonic;

    fn content(dir: &std::path::Path) -> Vec<u8> {
        segments(dir).iter().flat_map(|s| fs::read(&s.path).unwrap()).collect()
    }

    #[test]
    fn what_is_appended_is_recorded_and_the_next_run_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        for (run, text) in ["hello ", "world"].into_iter().enumerate() {
            let mut log = OutputLog::start(dir.path().join("o"), 1 << 20);
            assert_eq!(log.offset, run as u64 * 6);
            log.append(text.as_bytes());
            log.close(Duration::from_secs(10));
        }
        assert_eq!(content(&dir.path().join("o")), b"hello world");
    }

    #[test]
    fn the_oldest_goes_when_the_limit_is_reached() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer { dir: dir.path().into(), limit: 8000, segment: None, end: 0 };
        for index in 0..100_u64 {
            writer.write(index * 500, &[b'x'; 500]);
        }
        let left = segments(dir.path());
        assert!(left.iter().map(|s| s.length).sum::<u64>() <= 8000);
        assert_eq!(left.last().map(|s| s.start + s.length), Some(50_000));
        assert!(left.windows(2).all(|w| w[0].start + w[0].length == w[1].start));
    }

    #[test]
    fn what_is_handed_over_is_there_and_a_disk_that_stalls_is_waited_for_once() {
        const LONG: Duration = Duration::from_mins(1);
        let dir = tempfile::tempdir().unwrap();
        let mut log = OutputLog::start(dir.path().into(), 8000);
        log.append(b"abc");
        assert!(log.hand_over(LONG));
        assert_eq!(content(dir.path()), b"abc");
        log.close(LONG);
        // To open a pipe takes until somebody reads it.
        let pipe = dir.path().join(segment_name(3));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut log = OutputLog::start(dir.path().into(), 8000);
        log.append(b"def");
        assert!(!log.hand_over(Duration::from_millis(20)));
        log.append(b"ghi");
        assert!(!log.hand_over(LONG), "it does not wait again");
        let reader = std::thread::spawn(move || fs::read(pipe));
        let end = monotonic() + LONG;
        while !log.hand_over(LONG) && monotonic() < end {
            std::thread::yield_now();
        }
        log.close(LONG);
        drop(log);
        assert_eq!(reader.join().unwrap().unwrap(), b"defghi");
    }

    #[test]
    fn a_gap_begins_a_segment() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer { dir: dir.path().into(), limit: 8000, segment: None, end: 0 };
        writer.write(0, b"abc");
        writer.write(10, b"def");
        let starts: Vec<_> = segments(dir.path()).iter().map(|s| s.start).collect();
        assert_eq!(starts, [0, 10]);
    }
}
