//! The harness: a throw-away world, the program in it, terminals, and what the agents witnessed.

mod agents;
mod command;
mod terminal;
mod wait;
mod witness;
mod world;

pub(crate) use self::{
    agents::{Agent, Say},
    command::{Follower, Output, deadline},
    terminal::Terminal,
    wait::{elapsed_since, now, pause, stays, wait_until, wait_value},
    witness::Witness,
    world::{EXE, Turn, World},
};
