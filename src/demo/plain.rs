//! The small test modes: exact output, one property each.
//!
//! A mode that is finished ends, or stays for `--seconds` when that is given. A mode that only
//! waits waits for a signal, or for `--seconds`. `ready` in the witness says that the mode is set
//! up.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use super::args::DemoArgs;
use super::checksum::Crc32;
use super::corpus;
use super::host::{Host, Stop, nanos, now_ns};
use super::term::RawMode;

/// One MiB.
const MIB: usize = 1024 * 1024;
/// How long answers of the terminal are collected after a corpus.
const ANSWERS: Duration = Duration::from_millis(300);

/// Echoes every byte at once until the terminal is closed; no key ends it.
pub(super) fn echo(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let _raw = RawMode::enter();
    let end = args.seconds.map(|time| now_ns().saturating_add(nanos(time)));
    let mut buffer = [0_u8; 4096];
    host.witness().line("ready");
    loop {
        let left = end.map(|end| Duration::from_nanos(end.saturating_sub(now_ns())));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(args.own_exit_code());
        }
        if host.wait(left, true)? {
            let count = host.read(&mut buffer)?;
            if count == 0 {
                return Ok(args.own_exit_code());
            }
            host.write(buffer.get(..count).unwrap_or_default())?;
        }
    }
}

/// Prints one line and never reads, in raw mode so that input backs up as it does for an agent.
pub(super) fn never_read(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let _raw = RawMode::enter();
    host.write(format!("never-read pid={}\r\n", std::process::id()).as_bytes())?;
    wait_around(host, args)
}

/// Prints one line and records TERM, HUP and INT instead of obeying them.
pub(super) fn ignore_term(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    host.write(format!("ignore-term pid={}\n", std::process::id()).as_bytes())?;
    wait_around(host, args)
}

/// Prints one line and exits.
pub(super) fn exit_now(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let code = args.own_exit_code();
    host.write(format!("exit-now code={code}\n").as_bytes())?;
    Ok(code)
}

/// Stops itself once, then says that it goes on and waits.
pub(super) fn stop_self(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    host.write(format!("stop-self pid={}\n", std::process::id()).as_bytes())?;
    host.witness().line("stopping");
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::STOP)?;
    host.witness().line("continued");
    host.write(b"continued\n")?;
    wait_around(host, args)
}

/// Prints bytes that are not UTF-8, and a very long line; byte-exact, in raw mode.
pub(super) fn bad_utf8(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let raw = RawMode::enter();
    let mut sent = Sent::default();
    host.witness().line("ready");
    for piece in corpus::BAD_UTF8 {
        sent.send(host, piece)?;
        // A pause between pieces makes most readers see a character in two parts.
        host.wait(Some(Duration::from_millis(5)), false)?;
    }
    let long = vec![b'x'; 64 * 1024];
    let length = usize::try_from(args.count.unwrap_or(1)).unwrap_or(1).saturating_mul(MIB);
    for _ in 0..length / long.len() {
        sent.send(host, &long)?;
    }
    sent.send(host, b"\xff\r\nbad-utf8 done\r\n")?;
    sent.tell(host);
    drop(raw);
    finish(host, args)
}

/// Prints a file or the built-in corpus, byte-exact, and records what the terminal answered.
pub(super) fn esc_corpus(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let raw = RawMode::enter();
    let mut sent = Sent::default();
    host.witness().line("ready");
    if let Some(path) = &args.file {
        sent.send(host, &std::fs::read(path)?)?;
    } else {
        for (name, bytes) in corpus::sequences() {
            host.witness().line(&format!("corpus {name}"));
            sent.send(host, &bytes)?;
            sent.send(host, b"\r\n")?;
        }
        sent.send(host, b"\x1b[0mesc-corpus done\r\n")?;
    }
    sent.tell(host);
    let answers = collect(host, ANSWERS, |_| false)?;
    host.witness().line(&format!("reply {}", hex(&answers)));
    drop(raw);
    finish(host, args)
}

/// Takes memory and touches every page of it, then waits.
pub(super) fn mem(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let count = args.count.unwrap_or(64);
    let mut held: Vec<Vec<u8>> = Vec::new();
    for number in 0..count {
        // A byte that is not zero makes the kernel hand out real pages.
        let fill = u8::try_from(number % 255).unwrap_or(0) + 1;
        held.push(vec![fill; MIB]);
        host.wait(Some(Duration::ZERO), false)?;
    }
    host.write(format!("mem {} MiB\n", held.len()).as_bytes())?;
    let result = wait_around(host, args);
    drop(std::hint::black_box(held));
    result
}

/// Fills a file up to a cap or until the disk is full.
pub(super) fn fill_disk(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    let Some(path) = &args.file else {
        host.write(b"fill-disk needs --file\n")?;
        return Ok(2);
    };
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let piece = vec![0xA5_u8; MIB];
    let mut written = 0_u64;
    let mut outcome = "cap reached".to_owned();
    host.witness().line("ready");
    for _ in 0..args.count.unwrap_or(16) {
        if let Err(error) = file.write_all(&piece) {
            outcome = error.to_string();
            break;
        }
        written += 1;
        host.wait(Some(Duration::ZERO), false)?;
    }
    let text = format!("disk written={written}MiB outcome={outcome}");
    host.witness().line(&text);
    host.write(format!("{text}\n").as_bytes())?;
    finish(host, args)
}

/// Prints the environment and the file descriptors that were open at the start, then waits.
pub(super) fn env(host: &mut Host, args: &DemoArgs, open: &[String]) -> Result<u8, Stop> {
    let mut lines: Vec<String> = variables()
        .map(|(name, value)| {
            let (name, value) = (name.as_bytes().escape_ascii(), value.as_bytes().escape_ascii());
            format!("env {name}={value}")
        })
        .collect();
    lines.sort();
    lines.extend(open.iter().cloned());
    let directory = std::env::current_dir().unwrap_or_default();
    lines.push(format!("cwd {}", directory.display()));
    lines.push("env done".to_owned());
    for line in lines {
        host.write(format!("{line}\n").as_bytes())?;
    }
    wait_around(host, args)
}

/// Returns this process's environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the agent stands for a foreign program, so the product's configuration is not its own"
)]
pub(super) fn variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// Returns `fd <number> -> <target>` for every open file descriptor but the one used to look.
pub(super) fn open_descriptors() -> Vec<String> {
    let mut found: Vec<(u32, String)> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let Ok(number) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        if let Ok(target) = std::fs::read_link(entry.path()) {
            let target = target.display().to_string();
            if !(target.starts_with("/proc/") && target.ends_with("/fd")) {
                found.push((number, target));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(number, target)| format!("fd {number} -> {target}")).collect()
}

/// Reads until `enough` says so, or the time is over.
pub(super) fn collect(
    host: &mut Host,
    time: Duration,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, Stop> {
    let end = now_ns().saturating_add(nanos(time));
    let mut got = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let left = end.saturating_sub(now_ns());
        if left == 0 || got.len() > MIB || enough(&got) {
            return Ok(got);
        }
        if host.wait(Some(Duration::from_nanos(left)), true)? {
            let count = host.read(&mut buffer)?;
            if count == 0 {
                return Ok(got);
            }
            got.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
    }
}

/// Returns bytes as hexadecimal digits, `none` for no bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "none".to_owned() } else { hex::encode(bytes) }
}

/// Counts and checksums what is sent.
#[derive(Debug)]
struct Sent {
    /// Bytes so far.
    bytes: usize,
    /// Their checksum.
    crc: Crc32,
}

impl Default for Sent {
    fn default() -> Self {
        Self { bytes: 0, crc: Crc32::new() }
    }
}

impl Sent {
    /// Sends bytes and counts them.
    fn send(&mut self, host: &mut Host, bytes: &[u8]) -> Result<(), Stop> {
        host.write(bytes)?;
        self.bytes += bytes.len();
        self.crc.update(bytes);
        Ok(())
    }

    /// Tells the witness.
    fn tell(&self, host: &Host) {
        host.witness().line(&format!("sent bytes={} crc={:08x}", self.bytes, self.crc.value()));
    }
}

/// Says that the mode is set up and waits for a signal or for `--seconds`.
pub(super) fn wait_around(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    host.witness().line("ready");
    host.stay(args.seconds)?;
    Ok(args.own_exit_code())
}

/// Stays for `--seconds` if given and ends.
fn finish(host: &mut Host, args: &DemoArgs) -> Result<u8, Stop> {
    host.stay(Some(args.seconds.unwrap_or_default()))?;
    Ok(args.own_exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal() {
        assert_eq!(hex(b""), "none");
        assert_eq!(hex(b"\x1b[c"), "1b5b63");
    }

    #[test]
    fn standard_descriptors_are_listed() {
        let open = open_descriptors();
        for number in 0..3 {
            assert!(open.iter().any(|line| line.starts_with(&format!("fd {number} -> "))));
        }
        assert!(!open.iter().any(|line| line.ends_with("/fd")));
    }

    #[test]
    fn sums_cover_everything_sent() {
        let mut sent = Sent::default();
        sent.bytes += 3;
        sent.crc.update(b"abc");
        assert_eq!((sent.bytes, sent.crc.value()), (3, 0x3524_41C2));
    }
}
