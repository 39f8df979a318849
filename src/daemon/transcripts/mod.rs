//! d0: the files in which agents write down their conversations: where they are, that they grew, and
//! what stands in them.
//!
//! Nothing here decides or remembers: a piece of a file is read from a place that is given, and the
//! place behind it is returned with what was found. Files are read on blocking threads, a bounded piece
//! at a time; one that is gone, cut short or replaced is no error of ours.

pub mod find;
pub mod opencode;
pub mod read;
pub mod watch;

pub use self::{
    find::{Root, conversation, everything, subagents},
    read::{Found, Piece, Place, read_on},
    watch::Watch,
};
