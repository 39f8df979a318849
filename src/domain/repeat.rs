//! Calls under a key of the caller's, which are made once.

/// What is known of a call before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing: it is made now, and nobody else makes it.
    New,
    /// The key was used for another request.
    Other,
    /// It was begun and not finished: it is under way, or what made it died with it.
    Unfinished,
    /// It was made.
    Done(KeptAnswer),
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The status of HTTP.
    pub status: u16,
    /// What the body is; empty for none.
    pub content_type: String,
    /// The body; `None` when it was not kept.
    pub body: Option<String>,
}
