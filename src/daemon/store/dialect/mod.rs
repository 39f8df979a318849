//! What differs between the databases, one file each: connecting, binding, decoding, transactions.

pub(super) mod sqlite;
