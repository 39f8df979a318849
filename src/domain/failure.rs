//! What can go wrong for the caller, with a reason that stays the same over releases.
//!
//! One [`Failure`] travels from the service that found it, over the wire, to the exit code of the
//! command: kind and reason are for programs, message and hint for people.

use std::fmt;

/// The class of a failure; decides the exit code (and the gRPC code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The request makes no sense. Exit code 2.
    Usage,
    /// The thing named does not exist. Exit code 3.
    NotFound,
    /// It exists already, or its state forbids it. Exit code 4.
    Conflict,
    /// The caller may not. Exit code 5.
    Denied,
    /// Something needed is not there now, or took too long. Exit code 6.
    Unavailable,
    /// A quota or budget forbids it. Exit code 7.
    Limit,
    /// A defect, or a schema from a newer version. Exit code 8.
    Internal,
}

impl FailureKind {
    /// The process exit code that tells it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Denied => 5,
            Self::Unavailable => 6,
            Self::Limit => 7,
            Self::Internal => 8,
        }
    }

    /// Returns the kind that an exit code tells.
    pub fn of_exit_code(code: i32) -> Option<Self> {
        const ALL: [FailureKind; 7] = [
            FailureKind::Usage,
            FailureKind::NotFound,
            FailureKind::Conflict,
            FailureKind::Denied,
            FailureKind::Unavailable,
            FailureKind::Limit,
            FailureKind::Internal,
        ];
        ALL.into_iter().find(|kind| i32::from(kind.exit_code()) == code)
    }
}

/// A failure as the caller meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its class.
    pub kind: FailureKind,
    /// A stable word in capitals, such as `RUNNER_NOT_FOUND`.
    pub reason: String,
    /// Finishes the sentence "failed to …:"; lower case, no full stop.
    pub message: String,
    /// What to do next; may be empty.
    pub hint: String,
}

impl Failure {
    /// Returns a failure without a hint.
    pub fn new(kind: FailureKind, reason: &str, message: impl Into<String>) -> Self {
        Self { kind, reason: reason.to_owned(), message: message.into(), hint: String::new() }
    }

    /// Returns the same failure with what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Returns message and hint in one line.
    pub fn in_a_line(&self) -> String {
        match self.hint.as_str() {
            "" => self.message.clone(),
            hint => format!("{}; {hint}", self.message),
        }
    }

    /// Returns a usage failure.
    pub fn usage(reason: &str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, reason, message)
    }

    /// Returns a failure to find something.
    pub fn not_found(reason: &str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::NotFound, reason, message)
    }

    /// Returns a conflict with what exists.
    pub fn conflict(reason: &str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Conflict, reason, message)
    }

    /// Returns a failure of something that should come back.
    pub fn unavailable(reason: &str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Unavailable, reason, message)
    }

    /// Returns a refusal.
    pub fn denied(reason: &str, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Denied, reason, message)
    }

    /// Returns a defect of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Internal, "INTERNAL", message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
