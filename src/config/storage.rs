//! The section `storage`: where transcripts are kept beside the agents' own files.

use serde::{Deserialize, Serialize};

use super::{Secret, secret::address};

/// Packed copies of transcripts: in the root directory, and on a server that speaks S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// Whether copies are kept at all.
    pub transcripts: bool,
    /// Days after a session's end for which its copy is kept; 0 for ever.
    pub keep_days: u64,
    /// Whether the copy in the root directory stays when the server has it.
    pub keep_local: bool,
    /// Seconds between two copies of a transcript that grows, 10…86400.
    pub interval_seconds: u64,
    /// The server; none unless `endpoint` and `bucket` are set.
    pub s3: S3Config,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            transcripts: true,
            keep_days: 0,
            keep_local: true,
            interval_seconds: 600,
            s3: S3Config::default(),
        }
    }
}

/// A server that speaks S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// The server's address, `https://…`; empty for none.
    #[serde(serialize_with = "address")]
    pub endpoint: String,
    /// The bucket, which must be there.
    pub bucket: String,
    /// The region that signatures name.
    pub region: String,
    /// The id of the access key.
    pub access_key: Secret,
    /// The secret of the access key.
    pub secret_key: Secret,
    /// What all our keys begin with.
    pub prefix: String,
    /// Whether the bucket stands in the path, not in the name of the server.
    pub path_style: bool,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            access_key: Secret::default(),
            secret_key: Secret::default(),
            prefix: "stratavore/".to_owned(),
            path_style: true,
        }
    }
}

impl S3Config {
    /// Whether there is one.
    pub fn is_configured(&self) -> bool {
        !self.endpoint.is_empty() && !self.bucket.is_empty()
    }
}
