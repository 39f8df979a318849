//! A terminal that watches a runner through whatever daemon there is, and asks the next one for the bytes
//! that follow those it has: as `attach --via daemon` does, with every byte kept.

use std::{sync::Arc, sync::Mutex, sync::PoisonError, time::Duration};

use hyper_util::rt::TokioIo;
use stratavore::{
    config::Places,
    proto::v1::{
        AttachOpen, AttachRunnerRequest, attach_runner_request::Message as Out,
        attach_runner_response::Message as In, runners_client::RunnersClient,
    },
};
use tokio::{
    net::UnixStream,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tonic::transport::{Channel, Endpoint};

/// A connection that says nothing for so long is made anew.
const SILENCE: Duration = Duration::from_secs(3);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes that follow each other, from an offset on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The offset of the first.
    pub from: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Offsets that were not those expected: what was, and what came.
    pub breaks: Vec<(u64, u64)>,
    /// How often the connection was made.
    pub connections: u32,
}

impl Stretch {
    fn next(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

/// A viewer at work.
pub(crate) struct Viewer {
    got: Arc<Mutex<Vec<Stretch>>>,
    task: JoinHandle<()>,
}

impl Viewer {
    /// Begins to watch a runner of the daemon that lives here.
    pub(crate) fn start(places: Places, runner: String) -> Self {
        let got = Arc::<Mutex<Vec<Stretch>>>::default();
        let into = Arc::clone(&got);
        let task = tokio::spawn(async move {
            loop {
                watch(&places, &runner, &into).await;
                sleep(PAUSE).await;
            }
        });
        Self { got, task }
    }

    /// Returns what it has seen: a new stretch each time it was shown the present instead of what
    /// follows.
    pub(crate) fn seen(&self) -> Vec<Stretch> {
        lock(&self.got).clone()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(got: &Mutex<Vec<Stretch>>) -> std::sync::MutexGuard<'_, Vec<Stretch>> {
    got.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches until the connection is lost.
async fn watch(places: &Places, runner: &str, got: &Mutex<Vec<Stretch>>) -> Option<()> {
    let channel = timeout(SILENCE, connect(places)).await.ok()?.ok()?;
    let open = AttachOpen {
        runner: runner.to_owned(),
        read_only: true,
        size: None,
        resume_offset: lock(got).last().map(Stretch::next),
    };
    let first = AttachRunnerRequest { message: Some(Out::Open(open)) };
    // What is sent ends never: a viewer that has hung up would be let go.
    let requests = futures_util::StreamExt::chain(
        tokio_stream::once(first),
        tokio_stream::pending::<AttachRunnerRequest>(),
    );
    let mut client = RunnersClient::new(channel);
    let mut answers =
        timeout(SILENCE, client.attach_runner(requests)).await.ok()?.ok()?.into_inner();
    let mut counted = false;
    while let Ok(Some(answer)) = answers.message().await {
        let mut got = lock(got);
        match answer.message? {
            In::Snapshot(picture) => {
                got.push(Stretch { from: picture.offset, connections: 1, ..Stretch::default() });
                counted = true;
            }
            In::Data(data) => {
                let stretch = got.last_mut()?;
                stretch.connections += u32::from(!std::mem::replace(&mut counted, true));
                if data.offset != stretch.next() {
                    stretch.breaks.push((stretch.next(), data.offset));
                }
                stretch.bytes.extend_from_slice(&data.bytes);
            }
            In::Exit(_) => return None,
            In::InputRefused(_) => {}
        }
    }
    Some(())
}

async fn connect(places: &Places) -> Result<Channel, tonic::transport::Error> {
    let path = places.socket();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    });
    Endpoint::from_static("http://stratavore").connect_with_connector(connector).await
}
