//! Who is at the other end of a TCP connection on this machine.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use super::{UnknownProcess, supervisor_above};

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// Another machine.
    Elsewhere,
    /// A process of this machine, and the supervisor that it is below of.
    Here(Result<Option<i32>, UnknownProcess>),
}

/// Returns who holds the other end of a connection, by both of its addresses.
///
/// A socket may have several holders; one that is inside a runner is enough. One of our own user whose
/// holder is not found, as it is gone already, is unknown; what another user does is not to be seen,
/// nor can it be inside a runner of ours. Slow: every process is looked at.
pub fn neighbour(peer: SocketAddr, own: SocketAddr) -> Neighbour {
    let own_user = rustix::process::getuid().as_raw();
    match socket_of(plain(peer), plain(own)) {
        None if plain(peer).ip().is_loopback() => Neighbour::Here(Err(UnknownProcess)),
        None => Neighbour::Elsewhere,
        Some((inode, user)) => {
            let holders = holders(inode);
            if holders.is_empty() {
                let is_ours = inode == 0 || user == own_user;
                return Neighbour::Here(if is_ours { Err(UnknownProcess) } else { Ok(None) });
            }
            let above: Vec<_> = holders.into_iter().map(supervisor_above).collect();
            let inside = above.iter().find(|one| matches!(one, Ok(Some(_))));
            let unknown = || above.iter().find(|one| one.is_err());
            Neighbour::Here(inside.or_else(unknown).copied().unwrap_or(Ok(None)))
        }
    }
}

/// Returns an address as IPv4 where it is one in the clothes of IPv6.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Returns inode and user of the socket that has these addresses, seen from its side.
fn socket_of(local: SocketAddr, remote: SocketAddr) -> Option<(u64, u32)> {
    let find = |entries: procfs::ProcResult<Vec<procfs::net::TcpNetEntry>>| {
        entries.ok()?.into_iter().find_map(|entry| {
            let is_it =
                plain(entry.local_address) == local && plain(entry.remote_address) == remote;
            is_it.then_some((entry.inode, entry.uid))
        })
    };
    let v4 = match local.ip() {
        IpAddr::V4(_) => find(procfs::net::tcp()),
        IpAddr::V6(_) => None,
    };
    v4.or_else(|| find(procfs::net::tcp6()))
}

/// Returns the processes that have a socket open, as far as we may look.
fn holders(inode: u64) -> Vec<i32> {
    let name = format!("socket:[{inode}]");
    let has_it = |pid: &i32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        inode != 0 && links.any(|link| link == Path::new(&name))
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has_it).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_other_end_is_found_while_it_is_there() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, peer) = listener.accept().unwrap();
            let own = server.local_addr().unwrap();
            // The test runs in no runner.
            assert_eq!(neighbour(peer, own), Neighbour::Here(Ok(None)), "{address}");
            drop(client);
            assert_eq!(neighbour(peer, own), Neighbour::Here(Err(UnknownProcess)), "{address}");
        }
        let far = "192.0.2.1:1".parse().unwrap();
        assert_eq!(neighbour(far, far), Neighbour::Elsewhere);
    }
}
