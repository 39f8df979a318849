//! Who may look and type, and what viewers do: arrive, type, resize, leave.

use std::{
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use super::{
    clock::monotonic,
    connection::Peer,
    pty::MAX_INPUT,
    run::Supervisor,
    viewer::{Sink, Tty, Viewer},
};
use crate::{
    domain::size::TerminalSize,
    process::supervisor_above,
    proto::link::{
        VERSIONS,
        v1::{self as link, Hello, Role, from_supervisor::Message},
    },
    terminal::{LeaveKey, Typed},
};

/// What is longer was not typed by hand.
const MOST_KEY: usize = 16;

/// How long a grant may be used.
const GRANT_LIFE: Duration = Duration::from_secs(30);

/// Grants held at the same time; the oldest goes.
const MAX_GRANTS: usize = 64;

/// Permissions the daemon gave, each for one viewer.
#[derive(Debug, Default)]
pub(super) struct Grants(Vec<(Vec<u8>, Role, Instant)>);

impl Grants {
    /// Remembers a grant.
    pub(super) fn add(&mut self, token: &[u8], role: Role, now: Instant) {
        self.0.retain(|(_, _, until)| *until > now);
        if self.0.len() >= MAX_GRANTS {
            self.0.remove(0);
        }
        self.0.push((token.to_vec(), role, now + GRANT_LIFE));
    }

    /// Uses a grant up and returns the role it is for.
    fn take(&mut self, token: &[u8], now: Instant) -> Option<Role> {
        self.0.retain(|(_, _, until)| *until > now);
        let index = self.0.iter().position(|(known, ..)| known == token && !token.is_empty())?;
        Some(self.0.swap_remove(index).1)
    }
}

/// Whether a socket's other end belongs to our user.
pub(super) fn is_ours(socket: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(socket)
        .is_ok_and(|peer| peer.uid == rustix::process::getuid())
}

impl Supervisor {
    /// Handles a stranger's first message.
    pub(super) fn on_hello(&mut self, id: u64, hello: &Hello) {
        let common = hello.max_version.min(*VERSIONS.end());
        if common < hello.min_version.max(*VERSIONS.start()) {
            let (low, high) = (VERSIONS.start(), VERSIONS.end());
            return self.refuse(id, format!("this supervisor speaks versions {low} to {high}"));
        }
        match hello.role() {
            Role::Daemon => self.welcome_daemon(id, common),
            Role::Driver | Role::Viewer => {
                match self.grants.take(&hello.token, monotonic()) {
                    // A grant for looking is not one for typing.
                    Some(Role::Driver) => self.welcome_viewer(id, common, hello),
                    Some(Role::Viewer) if hello.role() == Role::Viewer => {
                        self.welcome_viewer(id, common, hello);
                    }
                    _ => self.refuse(id, "no permission: ask the daemon for one".to_owned()),
                }
            }
            Role::Unspecified => self.refuse(id, "no role given".to_owned()),
        }
    }

    fn refuse(&mut self, id: u64, message: String) {
        if let Some(connection) = self.connection(id) {
            connection.closing = true;
            connection.send(Message::Refused(link::Refused { message }));
        }
    }

    /// The daemon runs outside of every runner: an agent of any that claims to be it is refused, and
    /// so is a peer of which nothing is known any more.
    fn welcome_daemon(&mut self, id: u64, version: u32) {
        let Some(connection) = self.connection(id) else { return };
        let peer = rustix::net::sockopt::socket_peercred(connection.fd());
        let outside =
            peer.is_ok_and(|peer| supervisor_above(peer.pid.as_raw_nonzero().get()) == Ok(None));
        if !outside {
            return self.refuse(id, "a process inside a runner cannot command one".to_owned());
        }
        connection.peer = Peer::Daemon(None);
        self.send_welcome(id, version, false);
        self.send_status();
        self.tell_spooled();
    }

    fn send_welcome(&mut self, id: u64, version: u32, tty: bool) {
        let welcome = link::Welcome {
            version,
            identity: Some(self.identity.clone()),
            spec: Some(self.spec.clone()),
            tty,
        };
        if let Some(connection) = self.connection(id) {
            connection.send(Message::Welcome(welcome));
        }
    }

    fn welcome_viewer(&mut self, id: u64, version: u32, hello: &Hello) {
        let size = hello.size.map(TerminalSize::from).unwrap_or_default();
        let driver = hello.role() == Role::Driver;
        let resumed = hello.resume_offset.and_then(|offset| self.stream.since(offset));
        let Some(connection) = self.connection(id) else { return };
        let fd = connection.received_fd.take();
        let tty = fd.as_ref().filter(|_| hello.tty).and_then(Tty::reopen);
        let taken = tty.is_some();
        let mut viewer = Viewer::new(driver, size, tty.map_or(Sink::Link, Sink::Tty));
        let forms = hello.detach_keys.iter().map(|form| form.to_vec()).collect();
        viewer.leave_key = LeaveKey::new(forms);
        viewer.history = hello.history_lines as usize;
        viewer.inline = hello.inline;
        connection.peer = Peer::Viewer(Box::new(viewer));
        self.send_welcome(id, version, taken);
        // The picture is taken before the resize, or the agent's repaint would come twice.
        if let (Some(bytes), Some(offset)) = (resumed, hello.resume_offset)
            && let Some(connection) = self.connection(id)
        {
            if let Some(viewer) = connection.viewer() {
                viewer.lagging = false;
            }
            connection.send(Message::Data(link::Bytes { offset, bytes: bytes.into() }));
        }
        if driver {
            self.set_size(size);
        }
        self.catch_up(id);
        self.status_due = Some(monotonic());
    }

    /// Takes the size of the viewer that drives, and shows everybody the new picture.
    pub(super) fn set_size(&mut self, size: TerminalSize) {
        if size == self.terminal.size() {
            return;
        }
        let same_cells = {
            let now = self.terminal.size();
            (now.cols(), now.rows()) == (size.cols(), size.rows())
        };
        if self.pty.resize(size).is_err() {
            return;
        }
        self.terminal.current().resize(size);
        if same_cells {
            return;
        }
        self.redraw_viewers();
    }

    /// A viewer's terminal changed its size.
    pub(super) fn on_resize(&mut self, id: u64, size: TerminalSize) {
        let Some(viewer) = self.connection(id).and_then(|c| c.viewer()) else { return };
        viewer.size = size;
        viewer.lagging = true;
        if viewer.driver {
            self.set_size(size);
        }
        self.catch_up(id);
    }

    /// A terminal that was handed over is ready.
    pub(super) fn on_tty(&mut self, id: u64, writable: bool, readable: bool) {
        let Some(viewer) = self.connection(id).and_then(|c| c.viewer()) else { return };
        let Some(tty) = viewer.tty() else { return };
        let mut alive = !writable || tty.flush();
        let mut buffer = [0_u8; 4096];
        let read = if readable { tty.read(&mut buffer) } else { None };
        alive &= read != Some(0);
        if let Some(count) = read
            && alive
        {
            self.on_keys(id, buffer.get(..count).unwrap_or_default());
        }
        if alive {
            self.catch_up(id);
        } else if let Some(connection) = self.connection(id) {
            connection.dead = true;
        }
    }

    /// A viewer typed.
    pub(super) fn on_keys(&mut self, id: u64, bytes: &[u8]) {
        let Some(viewer) = self.connection(id).and_then(|c| c.viewer()) else { return };
        let size = viewer.size;
        let driver = viewer.driver;
        let Typed { bytes: typed, leaves } = viewer.keys(bytes);
        if driver && !typed.is_empty() {
            self.set_size(size);
            if !self.pty.write(&typed) {
                let refused = typed.len() as u64;
                if let Some(connection) = self.connection(id) {
                    connection.send(Message::InputRefused(refused));
                }
            } else if typed.len() <= MOST_KEY {
                self.await_echo();
            }
        }
        if leaves {
            self.detach(id);
        }
    }

    /// Lets a viewer go, its terminal being its own again.
    pub(super) fn detach(&mut self, id: u64) {
        let Some(connection) = self.connection(id) else { return };
        connection.peer = Peer::Unknown;
        connection.closing = true;
        connection.send(Message::Detached(link::Detached {}));
        self.status_due = Some(monotonic());
    }
}

/// Keys that may wait for an agent that does not read; the rest of the queue is for the daemon. Above
/// it, viewers are not read: their terminals then hold back a paste that is too fast.
pub(super) const MAX_TYPED: usize = MAX_INPUT - (64 << 10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_good_once_and_not_for_ever() {
        let now = monotonic();
        let mut grants = Grants::default();
        grants.add(b"token", Role::Viewer, now);
        assert_eq!(grants.take(b"other", now), None);
        assert_eq!(grants.take(b"token", now), Some(Role::Viewer));
        assert_eq!(grants.take(b"token", now), None);
        grants.add(b"token", Role::Driver, now);
        assert_eq!(grants.take(b"token", now + GRANT_LIFE), None);
        grants.add(b"", Role::Driver, now);
        assert_eq!(grants.take(b"", now), None);
    }
}
