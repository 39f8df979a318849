//! Turns a loop that sends into a stream that a client reads.

use std::pin::Pin;

use futures_util::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// A stream of answers.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Runs `produce` until it ends, the client goes away, or the daemon stops. The channel holds one
/// answer: a client that does not read holds up its own loop and nothing else.
pub(super) fn answer_with<T, P, F>(stop: &CancellationToken, produce: P) -> Answers<T>
where
    T: Send + 'static,
    P: FnOnce(mpsc::Sender<Result<T, Status>>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    let gone = sender.clone();
    let producing = produce(sender);
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = producing => {}
            () = gone.closed() => {}
            () = stop.cancelled() => {}
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}
