//! Who is at the other end of a TCP connection on this machine.

use std::{
    collections::{HashMap, HashSet},
    fs,
    net::SocketAddr,
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

/// A connection by its ends: the caller's, and ours.
pub type Ends = (SocketAddr, SocketAddr);

/// Returns who holds the other end of each connection, by both of its addresses, in their order.
///
/// A socket may have several holders; one that is inside a runner is enough. One of our own user whose
/// holder is not found, as it is gone already, is unknown; what another user does is not to be seen,
/// nor can it be inside a runner of ours. Slow: every process is looked at, once for all connections.
pub fn neighbours(connections: &[Ends]) -> Vec<Neighbour> {
    let own_user = rustix::process::getuid().as_raw();
    let ends: Vec<Ends> =
        connections.iter().map(|&(peer, own)| (plain(peer), plain(own))).collect();
    let sockets = sockets(&ends);
    let holders = holders(&sockets.values().map(|&(inode, _)| inode).collect());
    let whose = |ends: Ends| match sockets.get(&ends) {
        None if ends.0.ip().is_loopback() => Neighbour::Here(Err(UnknownProcess)),
        None => Neighbour::Elsewhere,
        Some((inode, user)) => {
            let Some(holders) = holders.get(inode) else {
                let is_ours = *inode == 0 || *user == own_user;
                return Neighbour::Here(if is_ours { Err(UnknownProcess) } else { Ok(None) });
            };
            let above: Vec<_> = holders.iter().copied().map(supervisor_above).collect();
            let inside = above.iter().find(|one| matches!(one, Ok(Some(_))));
            let unknown = || above.iter().find(|one| one.is_err());
            Neighbour::Here(inside.or_else(unknown).copied().unwrap_or(Ok(None)))
        }
    };
    ends.into_iter().map(whose).collect()
}

/// Returns an address as IPv4 where it is one in the clothes of IPv6.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Returns inode and user of the sockets that have these addresses, seen from their side.
fn sockets(wanted: &[Ends]) -> HashMap<Ends, (u64, u32)> {
    let mut found = HashMap::new();
    let mut look = |entries: procfs::ProcResult<Vec<procfs::net::TcpNetEntry>>| {
        for entry in entries.unwrap_or_default() {
            let ends = (plain(entry.local_address), plain(entry.remote_address));
            if wanted.contains(&ends) {
                found.entry(ends).or_insert((entry.inode, entry.uid));
            }
        }
        wanted.iter().all(|ends| found.contains_key(ends))
    };
    let is_all = wanted.iter().any(|(peer, _)| peer.is_ipv4()) && look(procfs::net::tcp());
    if !is_all {
        look(procfs::net::tcp6());
    }
    found
}

/// Returns the processes that have these sockets open, as far as we may look.
fn holders(sockets: &HashSet<u64>) -> HashMap<u64, Vec<i32>> {
    let mut found: HashMap<u64, Vec<i32>> = HashMap::new();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let links = files.filter_map(|file| fs::read_link(file.path()).ok());
        for inode in links.filter_map(|link| socket_inode(&link)) {
            // What has no number is nobody's.
            if inode != 0 && sockets.contains(&inode) {
                found.entry(inode).or_default().push(pid);
            }
        }
    }
    found
}

/// Returns the number of the socket that a descriptor is, `socket:[7]`.
fn socket_inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
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
            let far = SocketAddr::new("192.0.2.1".parse().unwrap(), 1);
            let found = neighbours(&[(far, own), (peer, own)]);
            assert_eq!(found, [Neighbour::Elsewhere, Neighbour::Here(Ok(None))], "{address}");
            drop(client);
            let found = neighbours(&[(peer, own)]);
            assert_eq!(found, [Neighbour::Here(Err(UnknownProcess))], "{address}");
        }
        let far = "192.0.2.1:1".parse().unwrap();
        assert_eq!(neighbours(&[(far, far)]), [Neighbour::Elsewhere]);
        assert_eq!(neighbours(&[]), []);
    }
}
