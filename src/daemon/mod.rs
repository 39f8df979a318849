//! L2: only what the daemon process runs.
pub mod store;
