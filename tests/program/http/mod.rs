//! The HTTP API: whoever may call it gets what the command line gets, and nobody else gets anything.

mod actors;
mod agents;
mod cookbook;
mod lifecycle;
mod limits;
mod resources;
mod security;
mod streams;
mod surface;
mod upkeep;
