//! d0: packed copies of transcripts: on this disk, and on a server that speaks S3.
//!
//! A copy is gzip, 0600 in a directory of 0700, and known by its SHA-256: what comes back from
//! anywhere is compared with it before it is used. Nothing here decides what is kept.

pub mod local;
pub mod s3;

pub use self::{
    local::{Packed, pack, unpack},
    s3::{S3, S3Error},
};
