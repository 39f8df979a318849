//! The harness: a throw-away world, the program in it, terminals, and what the agents witnessed.

#![allow(
    clippy::allow_attributes,
    dead_code,
    unused_imports,
    reason = "the chaos tests use a part of this"
)]

mod agents;
mod bot;
mod collector;
mod command;
mod http;
mod terminal;
mod wait;
mod witness;
mod world;

pub(crate) use self::{
    agents::{Agent, Say, demo_line, launch_line, sequence_in},
    bot::{Bot, Call, TOKEN, Trouble, USER, message, press},
    collector::Collector,
    command::{Follower, Output, code_of, try_run},
    http::{Answer, Api, Call as HttpCall, connect},
    terminal::{MARK, Terminal},
    wait::{elapsed_since, now, pause, stays, wait_until, wait_value},
    witness::{Witness, assert_contiguous},
    world::{EXE, World, write_script},
};
