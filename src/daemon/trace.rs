//! The trace that a call belongs to: what one request caused can be found again by it, in events,
//! messages and logs.
//!
//! It follows the task, not the arguments; a task that a call starts for its work has to be given it.

use uuid::Uuid;

tokio::task_local! {
    static TRACE: String;
}

/// Returns the trace of the present task, 32 hexadecimal digits; empty outside of any.
pub(super) fn current() -> String {
    TRACE.try_with(Clone::clone).unwrap_or_default()
}

/// Runs a future as part of a trace.
pub(super) fn within<F: Future>(
    trace: String,
    future: F,
) -> tokio::task::futures::TaskLocalFuture<String, F> {
    TRACE.scope(trace, future)
}

/// Returns the trace that a caller names by the W3C header `traceparent`, or a new one.
pub(super) fn of_header(traceparent: Option<&str>) -> String {
    let named = traceparent.and_then(|header| header.split('-').nth(1));
    let is_valid = |id: &&str| {
        id.len() == 32
            && id.bytes().all(|b| b.is_ascii_hexdigit())
            && !id.bytes().all(|b| b == b'0')
    };
    named.filter(is_valid).map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_trace_is_taken_over_or_begun_and_follows_the_task() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let header = format!("00-{id}-b7ad6b7169203331-01");
        assert_eq!(of_header(Some(&header)), id);
        for bad in
            [None, Some(""), Some("00-xyz-1-1"), Some("00-00000000000000000000000000000000-1-1")]
        {
            assert_eq!(of_header(bad).len(), 32);
            assert_ne!(of_header(bad), of_header(bad));
        }
        assert_eq!(current(), "");
        assert_eq!(within("t".into(), async { current() }).await, "t");
    }
}
