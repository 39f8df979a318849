//! Stratavore runs and watches many AI coding agents.

pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod domain;
pub mod logging;
pub mod process;
pub mod proto;
pub mod runner_dir;
pub mod supervisor;
pub mod terminal;
