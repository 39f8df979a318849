//! Opens the PTY and starts the agent in it, with exact errors and nothing inherited by accident.
//!
//! What portable-pty would do by itself was measured to be wrong (a missing directory runs the
//! agent in `$HOME`, a failed exec goes unnoticed), so it opens the pair and nothing else: the
//! child is started by `std::process::Command`, whose error is the system's. Invariant: when
//! [`spawn`] fails, no process was left; when it succeeds, the agent was really executed.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead as _, Read as _},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{fs::PermissionsExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use portable_pty::{PtySize, native_pty_system};
use rustix::{
    fs::{Mode, OFlags},
    termios::{InputModes, OptionalActions, tcgetattr, tcsetattr},
};

use super::pty::set_size;
use crate::{
    domain::size::TerminalSize,
    proto::link::v1::{LaunchError, LaunchSpec},
};

/// A started agent and its terminal.
pub(super) struct Spawned {
    /// The master side, non-blocking. It lives in this process only: closing it hangs up the agent.
    pub master: OwnedFd,
    /// The slave side, held so that the master never reports an end while the agent lives.
    pub slave: OwnedFd,
    /// The agent's process, leader of its session.
    pub pid: i32,
}

/// A terminal for an agent that is not known yet.
pub(super) struct PtyPair {
    master: OwnedFd,
    slave: OwnedFd,
}

/// Starts the agent in a terminal.
///
/// # Errors
///
/// The system's error number with a sentence that names the directory or program.
pub(super) fn spawn(spec: &LaunchSpec, pair: PtyPair) -> Result<Spawned, LaunchError> {
    let cwd = spec.working_directory();
    check_directory(&cwd)?;
    let argv = spec.command();
    let environment = spec.environment();
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let program = find_program(argv.first().map(OsString::as_os_str), path, &cwd)?;
    let PtyPair { master, slave } = pair;
    let size = spec.size.map(TerminalSize::from).unwrap_or_default();
    set_size(slave.as_fd(), size).map_err(|error| failure(&error, "set up the PTY"))?;

    let stdio = || slave.try_clone().map(Stdio::from);
    let wire = |error: &io::Error| failure(error, "duplicate the terminal");
    let mut command = Command::new(&program);
    command
        .args(argv.iter().skip(1))
        .env_clear()
        .envs(environment)
        .current_dir(&cwd)
        .stdin(stdio().map_err(|error| wire(&error))?)
        .stdout(stdio().map_err(|error| wire(&error))?)
        .stderr(stdio().map_err(|error| wire(&error))?);
    if let Some(name) = argv.first() {
        command.arg0(name);
    }
    prepare_child(&mut command, spec.umask, true);
    let child = command.spawn().map_err(|error| explain(&error, &program))?;
    let pid = i32::try_from(child.id()).unwrap_or_default();
    Ok(Spawned { master, slave, pid })
}

/// Makes the child the leader of a session, on its terminal if it has one, with default signals, the
/// user's file mode mask and no descriptor but 0, 1 and 2.
#[expect(unsafe_code, reason = "pre_exec is the only place for what must happen after fork")]
pub(super) fn prepare_child(command: &mut Command, umask: u32, has_terminal: bool) {
    let umask = libc::mode_t::from(umask & 0o777);
    // What allocates is done before the fork.
    let score = agents_oom_score().to_string();
    let set_up = move || {
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; setsid, ioctl,
        // signal, umask, open, write, close and close_range are, and nothing here allocates or locks. The supervisor
        // has one thread at this point, so no lock can be held by another.
        unsafe {
            if libc::setsid() == -1 {
                return Err(io::Error::last_os_error());
            }
            if has_terminal && libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                return Err(io::Error::last_os_error());
            }
            for signal in 1..32 {
                libc::signal(signal, libc::SIG_DFL);
            }
            libc::umask(umask);
            let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY);
            if file >= 0 {
                // Without it everything works as well, until memory is short.
                libc::write(file, score.as_ptr().cast(), score.len());
                libc::close(file);
            }
            // Marked, not closed: the pipe on which an exec error is reported must live until then.
            // An old kernel without the call leaves the marks that every descriptor has anyway.
            libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        }
        Ok(())
    };
    // SAFETY: see the closure.
    unsafe {
        command.pre_exec(set_up);
    }
}

/// Where memory is short, an agent or what it started is ended before the supervisor, which could
/// then not even tell how: its score is raised by a tenth of all there is. It is never lowered.
fn agents_oom_score() -> i32 {
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    own.trim().parse::<i32>().unwrap_or(0).saturating_add(100).min(1000)
}

/// Opens a PTY pair, UTF-8 aware; the master is non-blocking.
///
/// # Errors
///
/// What the system says.
pub(super) fn open_pty() -> io::Result<PtyPair> {
    let pair = native_pty_system()
        .openpty(PtySize::default())
        .map_err(|error| io::Error::other(format!("{error:#}")))?;
    let missing = || io::Error::other("the PTY has no descriptor");
    let raw = pair.master.as_raw_fd().ok_or_else(missing)?;
    #[expect(unsafe_code, reason = "portable-pty hands out the number only")]
    // SAFETY: `pair.master` owns the descriptor and lives until the end of this function.
    let master = unsafe { BorrowedFd::borrow_raw(raw) }.try_clone_to_owned()?;
    let name = pair.master.tty_name().ok_or_else(missing)?;
    let slave =
        rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let mut attributes = tcgetattr(&slave)?;
    attributes.input_modes |= InputModes::IUTF8;
    tcsetattr(&slave, OptionalActions::Now, &attributes)?;
    rustix::fs::fcntl_setfl(&master, OFlags::NONBLOCK | OFlags::RDWR)?;
    Ok(PtyPair { master, slave })
}

/// Refuses a working directory in which the agent could not be started.
fn check_directory(cwd: &Path) -> Result<(), LaunchError> {
    let what = || format!("enter the directory `{}`", cwd.display());
    let meta = fs::metadata(cwd).map_err(|error| failure(&error, &what()))?;
    if !meta.is_dir() {
        return Err(failure(&io::Error::from_raw_os_error(libc::ENOTDIR), &what()));
    }
    rustix::fs::access(cwd, rustix::fs::Access::EXEC_OK)
        .map_err(|error| failure(&error.into(), &what()))
}

/// Returns the program's absolute path: a name is looked up in the absolute directories of `PATH`,
/// so that nothing in the working directory is run by accident.
pub(super) fn find_program(
    word: Option<&OsStr>,
    path: Option<&OsString>,
    cwd: &Path,
) -> Result<PathBuf, LaunchError> {
    let word = word.filter(|word| !word.is_empty()).ok_or_else(|| LaunchError {
        errno: libc::EINVAL,
        message: "start an empty command".to_owned(),
    })?;
    let what = format!("run `{}`", word.display());
    if word.as_encoded_bytes().contains(&b'/') {
        let file = cwd.join(word);
        return runnable(&file).map(|()| file).map_err(|error| failure(&error, &what));
    }
    let mut denied = None;
    for dir in std::env::split_paths(path.map_or(OsStr::new(""), |path| path)) {
        let file = dir.join(word);
        match runnable(&file) {
            Ok(()) if dir.is_absolute() => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => denied = Some(error),
            _ => {}
        }
    }
    let error = denied.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT));
    Err(failure(&error, &format!("{what}, which is in no directory of PATH")))
}

/// Checks that a file can be executed as far as its permissions tell.
fn runnable(file: &Path) -> io::Result<()> {
    let meta = fs::metadata(file)?;
    if meta.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    check_format(file)
}

/// Refuses a binary for another machine, or a damaged one: the C library would hand what the kernel
/// refuses to a shell, which would try to read it as a script.
fn check_format(file: &Path) -> io::Result<()> {
    /// Magic number, class and byte order; the machine stands at 18.
    const HEADER: usize = 20;
    let head = |path: &Path| {
        let mut bytes = Vec::new();
        File::open(path)?.take(HEADER as u64).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    // What may be executed but not read is for the kernel to judge.
    let Ok(theirs) = head(file) else { return Ok(()) };
    if !theirs.starts_with(b"\x7fELF") {
        return Ok(());
    }
    let ours = head(Path::new("/proc/self/exe"))?;
    let kind = |bytes: &[u8]| Some((bytes.get(4..6)?.to_vec(), bytes.get(18..HEADER)?.to_vec()));
    // A 64-bit kernel runs its 32-bit sibling too.
    let sibling = cfg!(target_arch = "x86_64") && theirs.get(18..HEADER) == Some(&[3, 0]);
    if kind(&theirs).is_some() && (kind(&theirs) == kind(&ours) || sibling) {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(libc::ENOEXEC))
}

/// Says why exec failed; the kernel's "no such file" for a script means its interpreter.
fn explain(error: &io::Error, program: &Path) -> LaunchError {
    let what = format!("run `{}`", program.display());
    let missing = error.raw_os_error() == Some(libc::ENOENT);
    match interpreter(program).filter(|_| missing) {
        Some(interpreter) => failure(error, &format!("{what}: its interpreter `{interpreter}`")),
        None => failure(error, &what),
    }
}

/// Returns the interpreter that a script names in its first line.
fn interpreter(program: &Path) -> Option<String> {
    let mut line = Vec::new();
    let file = File::open(program).ok()?.take(256);
    io::BufReader::new(file).read_until(b'\n', &mut line).ok()?;
    let rest = line.strip_prefix(b"#!")?;
    Some(String::from_utf8_lossy(rest).trim().to_owned())
}

/// Builds the error that is reported to whoever launched.
fn failure(error: &io::Error, what: &str) -> LaunchError {
    let errno = error.raw_os_error().unwrap_or(0);
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text).to_owned();
    let message = if errno == 0 {
        format!("{what}: {text}")
    } else {
        format!("{what}: {text} (errno {errno})")
    };
    LaunchError { errno, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(argv: &[&str], cwd: &Path) -> LaunchSpec {
        LaunchSpec {
            argv: argv.iter().map(|word| word.as_bytes().to_vec().into()).collect(),
            cwd: cwd.to_str().unwrap().as_bytes().to_vec().into(),
            environment: crate::proto::launch::variables(&vec![(
                "PATH".into(),
                "/usr/bin:/bin".into(),
            )]),
            umask: 0o027,
            ..LaunchSpec::default()
        }
    }

    fn errno(argv: &[&str], cwd: &Path) -> (i32, String) {
        let error = spawn(&spec(argv, cwd), open_pty().unwrap()).err().unwrap();
        (error.errno, error.message)
    }

    #[test]
    fn launch_errors_carry_errno_and_path() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let (code, message) = errno(&["true"], &gone);
        assert_eq!(code, libc::ENOENT);
        assert!(message.contains(gone.to_str().unwrap()), "{message}");

        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert_eq!(errno(&["true"], &file).0, libc::ENOTDIR);
        assert_eq!(errno(&["./file"], dir.path()).0, libc::EACCES);
        assert_eq!(errno(&["no-such-program"], dir.path()).0, libc::ENOENT);
        assert_eq!(errno(&[""], dir.path()).0, libc::EINVAL);

        fs::write(&file, "#!/no/such/interpreter\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let (code, message) = errno(&["./file"], dir.path());
        assert_eq!(code, libc::ENOENT);
        assert!(message.contains("/no/such/interpreter"), "{message}");

        fs::write(&file, [0x7f, b'E', b'L', b'F', 9, 9, 9]).unwrap();
        assert_ne!(errno(&["./file"], dir.path()).0, 0);
    }

    #[test]
    fn a_program_in_the_working_directory_is_not_run_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("planted");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(errno(&["planted"], dir.path()).0, libc::ENOENT);
    }
}
