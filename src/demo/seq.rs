//! `seq`: numbered, timed and checksummed lines, for proving that no output was lost or held up.
//!
//! A line is `@<seq> <ns> <crc>`: the number from 1, the monotonic clock in nanoseconds, and eight
//! hexadecimal digits of the CRC-32 of `<seq> <ns>`. The same numbers go to the witness as `seq
//! <seq> <ns> <crc>` once the terminal has taken the whole line, so every number in the witness was
//! handed over. `stall <ns>` is the longest time one line took so far, including a line that is
//! still waiting; it is written every second and at the end.

use std::time::Duration;

use super::args::DemoArgs;
use super::checksum::crc32;
use super::host::{Host, Stop, nanos, now_ns};

/// Lines a second when none is asked for.
const RATE: u32 = 10;
/// One second.
const SECOND: u64 = 1_000_000_000;

/// The longest wait so far and when it was last written down.
struct Stall {
    /// The longest time one line took, in nanoseconds.
    longest: u64,
    /// When the witness is told next.
    due: u64,
}

impl Stall {
    /// Counts a time.
    fn saw(&mut self, time: u64) {
        self.longest = self.longest.max(time);
    }

    /// Tells the witness when a second has passed.
    fn tick(&mut self, host: &Host, now: u64) {
        if now >= self.due {
            self.due = now.saturating_add(SECOND);
            self.tell(host);
        }
    }

    /// Tells the witness now.
    fn tell(&self, host: &Host) {
        host.witness().line(&format!("stall {}", self.longest));
    }
}

/// Prints lines until the count, the time or a signal ends it.
pub(super) fn run(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let mut stall = Stall { longest: 0, due: now_ns().saturating_add(SECOND) };
    host.witness().line("ready");
    let result = print(host, args, &mut stall);
    stall.tell(host);
    result
}

/// Prints the lines at their times.
fn print(host: &mut Host, args: &DemoArgs, stall: &mut Stall) -> Result<u8, Stop> {
    let began = now_ns();
    let end = args.seconds.map_or(u64::MAX, |time| began.saturating_add(nanos(time)));
    let pause = SECOND.checked_div(u64::from(args.rate.unwrap_or(RATE))).unwrap_or(0);
    let last = args.count.unwrap_or(u64::MAX);
    let mut next = began;
    for seq in 1..=last {
        wait_until(host, next.min(end), stall)?;
        if now_ns() >= end {
            break;
        }
        let body = body(seq, now_ns());
        send(host, &format!("@{body}\n"), stall)?;
        host.witness().line(&format!("seq {body}"));
        // After a stall the lines go on at their rate instead of catching up.
        next = next.saturating_add(pause).max(now_ns().saturating_sub(pause));
    }
    Ok(args.own_exit_code())
}

/// Returns number, time and checksum as they stand behind the `@`.
fn body(seq: u64, now: u64) -> String {
    let text = format!("{seq} {now}");
    format!("{text} {:08x}", crc32(text.as_bytes()))
}

/// Waits for a time and keeps the witness informed.
fn wait_until(host: &mut Host, time: u64, stall: &mut Stall) -> Result<(), Stop> {
    loop {
        let now = now_ns();
        stall.tick(host, now);
        let left = time.min(stall.due).saturating_sub(now);
        if time <= now {
            // One look at the signals for every line, however fast they follow.
            return host.wait(Some(Duration::ZERO), false).map(drop);
        }
        host.wait(Some(Duration::from_nanos(left)), false)?;
    }
}

/// Writes one line and measures how long the terminal took to take it.
fn send(host: &mut Host, line: &str, stall: &mut Stall) -> Result<(), Stop> {
    let began = now_ns();
    let mut rest = line.as_bytes();
    loop {
        let done = host.try_write(rest)?;
        rest = rest.get(done..).unwrap_or_default();
        let now = now_ns();
        stall.saw(now.saturating_sub(began));
        if rest.is_empty() {
            return Ok(());
        }
        stall.tick(host, now);
        let left = Duration::from_nanos(stall.due.saturating_sub(now));
        let waited = host.wait_writable(Some(left));
        stall.saw(now_ns().saturating_sub(began));
        waited?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_checks_itself() {
        let line = body(7, 123_456_789);
        let (text, crc) = line.rsplit_once(' ').unwrap();
        assert_eq!(text, "7 123456789");
        assert_eq!(u32::from_str_radix(crc, 16).unwrap(), crc32(text.as_bytes()));
        assert_eq!(crc.len(), 8);
    }

    #[test]
    fn the_longest_wait_is_kept() {
        let mut stall = Stall { longest: 0, due: 0 };
        stall.saw(5);
        stall.saw(3);
        assert_eq!(stall.longest, 5);
    }
}
