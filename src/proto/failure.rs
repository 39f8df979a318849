//! Failures on the wire: a gRPC status whose metadata carries the stable reason and the hint.

use tonic::{Code, Status, metadata::MetadataValue};

use crate::domain::failure::{Failure, FailureKind};

const REASON: &str = "stratavore-reason";
const HINT: &str = "stratavore-hint-bin";

/// Returns the status that carries a failure.
pub fn failure_to_status(failure: &Failure) -> Status {
    let code = match failure.kind {
        FailureKind::Usage => Code::InvalidArgument,
        FailureKind::NotFound => Code::NotFound,
        FailureKind::Conflict => Code::FailedPrecondition,
        FailureKind::Denied => Code::PermissionDenied,
        FailureKind::Unavailable => Code::Unavailable,
        FailureKind::Limit => Code::ResourceExhausted,
        FailureKind::Internal => Code::Internal,
    };
    let mut status = Status::new(code, failure.message.clone());
    if let Ok(reason) = failure.reason.parse() {
        status.metadata_mut().insert(REASON, reason);
    }
    if !failure.hint.is_empty() {
        let hint = MetadataValue::from_bytes(failure.hint.as_bytes());
        status.metadata_mut().insert_bin(HINT, hint);
    }
    status
}

/// Returns the failure that a status carries; one that is not ours keeps its message.
pub fn status_to_failure(status: &Status) -> Failure {
    let kind = match status.code() {
        Code::InvalidArgument | Code::OutOfRange => FailureKind::Usage,
        Code::NotFound => FailureKind::NotFound,
        Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => FailureKind::Conflict,
        Code::PermissionDenied | Code::Unauthenticated => FailureKind::Denied,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => FailureKind::Unavailable,
        Code::ResourceExhausted => FailureKind::Limit,
        _ => FailureKind::Internal,
    };
    let reason = status.metadata().get(REASON).and_then(|value| value.to_str().ok());
    let hint = status.metadata().get_bin(HINT).and_then(|value| value.to_bytes().ok());
    let code = format!("{:?}", status.code());
    Failure {
        kind,
        reason: reason.unwrap_or(&code).to_owned(),
        message: status.message().to_owned(),
        hint: hint.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_survive_the_wire() {
        for kind in [FailureKind::Usage, FailureKind::NotFound, FailureKind::Conflict] {
            let failure = Failure::new(kind, "SOME_REASON", "open `ü`").with_hint("run: é");
            assert_eq!(status_to_failure(&failure_to_status(&failure)), failure);
        }
    }
}
