//! The memory of supervisors, alone and with a long history.

use std::time::Duration;

use anyhow::Result;

use crate::{
    helper,
    herd::Herd,
    peers::Peer,
    pipe::Pipe,
    proc,
    report::{Figures, Row, Target},
    signal,
    world::{HISTORY, Side, World, helper_words},
};

/// After so long without output a supervisor has given back what it can.
const SETTLED: Duration = Duration::from_secs(12);

/// Most memory of a supervisor with a full history, in KiB.
const MOST: f64 = 1024.0;

/// Measures.
pub(super) fn measure(world: &World, _herd: &mut Herd) -> Result<Vec<Row>> {
    let daemon = proc::rss_kib(world.daemon_pid)? / 1024.0;
    let idle = world.start(Side::Direct, &["sleep".to_owned(), "100000".to_owned()])?;
    let idle = world.server_pid(&idle)?;
    world.restart_tmux()?;
    let looks = [helper::PLAIN, helper::COLOURED];
    let ours = looks.map(|look| filled(world, Side::Direct, look));
    let peers: Vec<Side> = world.peers().collect();
    let theirs = looks.map(|look| peers.iter().map(|peer| theirs(world, *peer, look)).collect());
    signal::pass(SETTLED)?;
    let mut rows = vec![
        Row::single("daemon, RSS", "MiB", daemon, Target::None),
        Row::single("idle supervisor, PSS", "KiB", proc::pss_kib(idle)?, Target::AtMost(MOST)),
    ];
    rows.push(Row::single("  of that unshared", "KiB", proc::private_kib(idle)?, Target::None));
    for ((look, pid), theirs) in looks.into_iter().zip(ours).zip(theirs) {
        let name = format!("10,000 {look} lines, PSS");
        let pid = pid?;
        let theirs: Result<Vec<_>> = theirs;
        let figures = Figures { ours: proc::pss_kib(pid)?, theirs: theirs? };
        rows.push(Row::beside(name, "KiB", figures, Target::AtMost(MOST)));
        let unshared = proc::private_kib(pid)?;
        rows.push(Row::single("  of that unshared", "KiB", unshared, Target::None));
    }
    Ok(rows)
}

/// What a peer needs for a history, in KiB; `None` of one that keeps none.
fn theirs(world: &World, peer: Side, look: &str) -> Result<Option<f64>> {
    if !peer.keeps_output() {
        return Ok(None);
    }
    if peer == Side::Peer(Peer::Tmux) {
        let before = proc::pss_kib(world.tmux_pid())?;
        filled(world, peer, look)?;
        return Ok(Some(proc::pss_kib(world.tmux_pid())? - before));
    }
    let server = filled(world, peer, look)?;
    Ok(Some(proc::pss_kib(server)?))
}

/// Starts something that fills its history; returns the process that holds it.
fn filled(world: &World, side: Side, look: &str) -> Result<u32> {
    let mut pipe = Pipe::create(world)?;
    let count = HISTORY.to_string();
    let words = [helper::LINES, &pipe.name(), &count, look, "end"];
    let running = world.start(side, &helper_words(&words)?)?;
    pipe.stamp()?;
    world.server_pid(&running)
}
