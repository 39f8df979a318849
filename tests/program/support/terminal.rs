//! A person's terminal: the program in a PTY, and a terminal emulator that watches.

use std::{
    num::NonZeroU16,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};

use super::{
    command::{code_of, deadline, finish},
    wait::try_wait_value,
};

/// Lines of its own history that the terminal keeps.
const HISTORY: usize = 1000;

/// What the terminal has got.
struct Received {
    raw: Vec<u8>,
    emulator: vt100::Parser,
    closing: bool,
}

/// A terminal with a program in it.
pub(crate) struct Terminal {
    master: OwnedFd,
    slave: OwnedFd,
    child: Child,
    received: Arc<Mutex<Received>>,
    reader: Option<JoinHandle<()>>,
    before: String,
}

impl Terminal {
    /// Starts a command in a terminal of 80 × 24 that shows one line already.
    pub(crate) fn start(command: Command) -> Self {
        Self::sized(command, 80, 24)
    }

    /// Starts a command in a terminal of this size.
    pub(crate) fn sized(mut command: Command, columns: u16, rows: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a PTY");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a usable PTY");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, Mode::empty()).expect("its other side");
        set_size(&master, columns, rows);
        // What the person had on the screen before.
        rustix::io::write(&slave, b"before the program\n").expect("a first line");
        let before = attributes(&slave);
        let stdio = || Stdio::from(slave.try_clone().expect("another descriptor"));
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        lead_session(&mut command);
        let child = command.spawn().expect("start the program");
        let received = Arc::new(Mutex::new(Received {
            raw: Vec::new(),
            emulator: vt100::Parser::new(positive(rows), positive(columns), HISTORY),
            closing: false,
        }));
        let (from, to) = (master.try_clone().expect("another descriptor"), Arc::clone(&received));
        let reader = Some(thread::spawn(move || read_all(&from, &to)));
        Self { master, slave, child, received, reader, before }
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().expect("the reader does not panic")
    }

    /// Types bytes.
    pub(crate) fn type_bytes(&self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = rustix::io::write(&self.master, rest).expect("type");
            rest = rest.get(count..).unwrap_or_default();
        }
    }

    /// Types text.
    pub(crate) fn type_text(&self, text: &str) {
        self.type_bytes(text.as_bytes());
    }

    /// Returns the screen as text.
    pub(crate) fn screen(&self) -> String {
        self.received().emulator.screen().contents()
    }

    /// Asks the emulator something.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&vt100::Screen) -> T) -> T {
        question(self.received().emulator.screen())
    }

    /// Returns every byte the terminal has got.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.received().raw.clone()
    }

    /// Waits until the screen shows this text.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_limited(text, Duration::from_secs(10));
    }

    /// Waits so long until the screen shows this text.
    #[track_caller]
    pub(crate) fn wait_limited(&self, text: &str, limit: Duration) {
        let shown = || self.screen().contains(text).then_some(());
        let result = try_wait_value(limit, shown);
        assert!(result.is_ok(), "`{text}` is not shown in {limit:?}; screen:\n{}", self.screen());
    }

    /// Waits until the program has taken the screen: from then on no key is lost or misread.
    #[track_caller]
    pub(crate) fn wait_taken(&self) {
        let taken = || self.ask(vt100::Screen::alternate_screen).then_some(());
        let result = try_wait_value(deadline(), taken);
        assert!(result.is_ok(), "the program does not take the screen:\n{}", self.screen());
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.received().emulator.screen_mut().set_size(positive(rows), positive(columns));
        set_size(&self.master, columns, rows);
    }

    /// Checks that the terminal is as it was before the program: line settings, modes, screen.
    #[track_caller]
    pub(crate) fn assert_restored(&self) {
        self.assert_modes_restored();
        self.ask(|screen| {
            assert!(screen.contents().starts_with("before the program\n"), "{}", screen.contents());
            let rows: Vec<_> = screen.rows(0, screen.size().1.get()).collect();
            let shown = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |at| at + 1);
            let row = usize::from(screen.cursor_position().0);
            assert_eq!(row, shown, "the cursor is below the last line:\n{}", screen.contents());
        });
    }

    /// Checks that line settings and modes are as they were before the program.
    #[track_caller]
    pub(crate) fn assert_modes_restored(&self) {
        assert_eq!(attributes(&self.slave), self.before, "line settings");
        self.ask(|screen| {
            assert!(!screen.alternate_screen(), "still in the alternate screen");
            assert!(!screen.bracketed_paste(), "bracketed paste is still on");
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
            assert!(!screen.application_cursor() && !screen.application_keypad(), "keys");
            assert!(!screen.hide_cursor(), "the cursor is still hidden");
        });
        assert_eq!(keyboard_flags(&self.raw()), 0, "the keyboard protocol is still on");
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it still runs");
    }

    /// Waits for the program's end and returns its exit code, or minus the signal's number.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self) -> i32 {
        match finish(&mut self.child, deadline()) {
            Some(status) => {
                self.drain();
                code_of(status)
            }
            None => panic!("the program does not end; the screen is:\n{}", self.screen()),
        }
    }

    /// Waits until the reader has taken everything that was written so far.
    fn drain(&self) {
        // What a supervisor writes after it, because it
        // has not noticed yet that its client was killed, is no concern of the program that ended.
        let mark = MARK;
        let before = self.raw().len();
        rustix::io::write(&self.slave, mark).expect("write a mark");
        let arrived = || {
            let raw = self.raw();
            let since = raw.get(before..).unwrap_or_default();
            since.windows(mark.len()).any(|window| window == mark).then_some(())
        };
        assert!(try_wait_value(deadline(), arrived).is_ok(), "the mark arrives");
    }
}

/// What is written to a terminal after its program has ended, to know that everything before it has
/// arrived: a reset in a form that nobody else writes.
pub(crate) const MARK: &[u8] = b"\x1b[00000m";

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).ok();
        if let Ok(mut received) = self.received.lock() {
            received.closing = true;
        }
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }
}

/// Makes the command the leader of a session on the terminal that is its standard input.
#[expect(unsafe_code, reason = "a controlling terminal can only be taken between fork and exec")]
fn lead_session(command: &mut Command) {
    let set_up = || {
        rustix::process::setsid()?;
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        Ok(())
    };
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(set_up);
    }
}

/// Feeds the emulator until the terminal is dropped.
fn read_all(master: &OwnedFd, received: &Mutex<Received>) {
    let mut buffer = vec![0; 64 << 10];
    let patience = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    loop {
        let mut fds = [PollFd::new(master, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&patience)).unwrap_or(0);
        let count = if ready > 0 {
            rustix::io::read(master.as_fd(), buffer.as_mut_slice()).unwrap_or(0)
        } else {
            0
        };
        let Ok(mut received) = received.lock() else { return };
        if received.closing {
            return;
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        received.raw.extend_from_slice(bytes);
        received.emulator.process(bytes);
    }
}

fn set_size(master: &OwnedFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("set the size");
}

fn attributes(slave: &OwnedFd) -> String {
    format!("{:?}", tcgetattr(slave).expect("the line settings"))
}

fn positive(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has a size")
}

/// Returns the flags of the keyboard protocol (`CSI > flags u` pushes, `CSI < n u` pops, `CSI =
/// flags ; mode u` sets) that a terminal has after these bytes, each of its screens with a stack of
/// its own.
fn keyboard_flags(bytes: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(bytes);
    let mut stacks = [vec![0_u32], vec![0_u32]];
    let mut alternate = 0;
    for part in text.split("\x1b[").skip(1) {
        let end = part.find(|c: char| c.is_ascii_alphabetic() || c == '~' || c == '@');
        let Some((body, last)) = end.and_then(|end| Some((part.get(..end)?, part.get(end..=end)?)))
        else {
            continue;
        };
        let stack = &mut stacks[alternate];
        let number = |text: &str| text.split(';').next().and_then(|n| n.parse::<u32>().ok());
        match (body.chars().next(), last) {
            (Some('>'), "u") => stack.push(number(&body[1..]).unwrap_or(0)),
            (Some('<'), "u") => {
                let keep = stack.len().saturating_sub(number(&body[1..]).unwrap_or(1) as usize);
                stack.truncate(keep);
                if stack.is_empty() {
                    stack.push(0);
                }
            }
            (Some('='), "u") => {
                *stack.last_mut().expect("never empty") = number(&body[1..]).unwrap_or(0);
            }
            (Some('?'), "h" | "l") if body[1..].split(';').any(|mode| mode == "1049") => {
                alternate = usize::from(last == "h");
            }
            _ => {}
        }
    }
    stacks[alternate].last().copied().unwrap_or(0)
}
