//! The HTTP API: whoever may call it gets what the command line gets, and nobody else gets anything.

mod agents;
mod lifecycle;
mod limits;
mod security;
mod surface;
