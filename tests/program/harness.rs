//! The harness itself: a check for what is left behind that sees nothing would prove nothing.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{World, wait_until};

#[test]
fn a_world_sees_its_daemon_its_supervisors_its_agents_and_their_children() {
    let world = World::with_project();
    let agent = world.agent("double-fork", &[]);
    wait_until("the tree is there", Duration::from_secs(5), || agent.witness.alive().len() == 2);
    let seen: Vec<_> = world.processes().into_iter().map(|(process, _)| process).collect();
    assert!(seen.contains(&world.daemon_pid()));
    assert!(seen.contains(&world.supervisor(&agent.name)));
    assert!(agent.witness.alive().iter().all(|process| seen.contains(process)));
    assert_eq!(seen.len(), 4);
}

#[test]
fn a_world_that_leaves_a_process_behind_fails() {
    let world = World::new();
    let mut stray = world.foreign("sleep").arg("60").spawn().unwrap();
    assert_eq!(world.processes().len(), 1);
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(world)));
    assert!(failed.is_err(), "a stray process went unnoticed");
    let status = stray.wait().unwrap();
    assert_eq!(crate::support::code_of(status), -Signal::KILL.as_raw(), "and it was ended");
}
