//! Which faults come in which order: rounds that together befall each kind of victim, by the seed. What
//! a fault is, and does, is [`nemesis`](crate::nemesis)'s.

use crate::{
    cluster::SHARING,
    nemesis::{Fault, MOVES, Way},
    random::Random,
};

/// Returns the first round of faults: the broker is killed before one of its queues is deleted.
///
/// `RabbitMQ` 3.10.8 that is killed after a quorum queue was deleted and declared anew comes back with a
/// queue that has no leader, for good: seen 3 times out of 3 with nobody but itself involved. What is
/// published then is never confirmed, and stays where it is.
pub(crate) fn first(random: &mut Random) -> Vec<Fault> {
    let mut deck = deck(random);
    let place = |kind: fn(&Fault) -> bool| deck.iter().position(kind);
    let killed = place(|fault| matches!(fault, Fault::BrokerKilled));
    let deleted = place(|fault| matches!(fault, Fault::QueueDeleted(_)));
    if let (Some(killed), Some(deleted)) = (killed, deleted)
        && deleted < killed
    {
        deck.swap(killed, deleted);
    }
    deck
}

/// Returns a later round, in which the broker is not killed any more.
pub(crate) fn next(random: &mut Random) -> Vec<Fault> {
    let mut deck = deck(random);
    deck.retain(|fault| *fault != Fault::BrokerKilled);
    deck
}

/// Returns a round of faults that together befall each kind of victim, shuffled by the seed.
fn deck(random: &mut Random) -> Vec<Fault> {
    let ways = [Way::BlackHole, Way::HalfOpen, Way::Reset, Way::Slow];
    let mut deck = vec![
        Fault::DatabaseKilled,
        Fault::DatabasePaused,
        Fault::BrokerKilled,
        Fault::BrokerPaused,
        Fault::BrokerAlarmed,
        Fault::QueueDeleted(random.below(2)),
        Fault::ExchangeDeleted(random.below(2)),
        Fault::DiskFull,
        Fault::DiskReadOnly,
    ];
    let any = |random: &mut Random| random.below(SHARING + 1);
    for node in 0..=SHARING {
        deck.push(Fault::DaemonKilled(node));
        deck.push(Fault::SupervisorKilled(node));
    }
    for _ in 0..2 {
        let (daemon, sharing) = (any(random), random.below(SHARING));
        deck.push(Fault::BrokerWay(daemon, ways[random.below(ways.len())]));
        deck.push(Fault::DatabaseWay(sharing, ways[random.below(ways.len())]));
        deck.push(Fault::DaemonPaused(random.below(SHARING)));
        deck.push(Fault::SupervisorPaused(any(random)));
        deck.push(Fault::ProgramReplaced(any(random)));
    }
    // One that shares and the one with a file: their databases take the time from elsewhere.
    for daemon in [random.below(SHARING), SHARING] {
        deck.push(Fault::ClockMoved(daemon, MOVES[random.below(MOVES.len())]));
    }
    deck.push(Fault::FilesRunOut(any(random)));
    deck.push(Fault::ProcessesRunOut(any(random)));
    deck.push(Fault::ClientsCutOff(random.below(2)));
    for at in (1..deck.len()).rev() {
        deck.swap(at, random.below(at + 1));
    }
    deck
}
