//! Frames from one supervisor to any number of subscribers, each at its own pace.
//!
//! The supervisor sends each change once; a mirror keeps the screen, and a subscriber that is ready
//! gets the difference to what it saw last. Nothing queues: the latest wins.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Fleet, FleetError, LIMIT, link::LinkHandle};
use crate::{
    domain::{
        echo::{ECHO_INTERVAL, ECHO_WINDOW},
        id::RunnerId,
        size::TerminalSize,
    },
    proto::link::v1::{Frame, FrameControl, request::Command},
    terminal::{Mirror, MirrorState},
};

/// Frames per second asked of a supervisor.
const SOURCE_FPS: u32 = 60;

struct Shared {
    mirror: Mutex<Option<Mirror>>,
    /// Counts frames; closed when the link is gone.
    version: Mutex<Option<watch::Sender<u64>>>,
    subscribers: Mutex<usize>,
    /// Until then a change may be the echo of a key.
    echo_until: watch::Sender<Option<Instant>>,
    /// Held while the supervisor is told to begin or to end, so that the two never cross.
    control: tokio::sync::Mutex<()>,
}

/// The frames of one link.
#[derive(Clone)]
pub(super) struct FrameHub(Arc<Shared>);

impl Default for FrameHub {
    fn default() -> Self {
        Self(Arc::new(Shared {
            mirror: Mutex::default(),
            version: Mutex::new(Some(watch::Sender::new(0))),
            subscribers: Mutex::new(0),
            echo_until: watch::Sender::new(None),
            control: tokio::sync::Mutex::new(()),
        }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FrameHub {
    /// Takes in a frame.
    pub(super) fn feed(&self, frame: &Frame) {
        let size = frame.size.map(TerminalSize::from).unwrap_or_default();
        {
            let mut mirror = lock(&self.0.mirror);
            match mirror.as_mut() {
                Some(mirror) if mirror.size() == size => {}
                Some(mirror) => mirror.resize(size),
                None => *mirror = Some(Mirror::new(size)),
            }
            if let Some(mirror) = mirror.as_mut() {
                mirror.feed(&frame.bytes);
            }
        }
        if let Some(version) = lock(&self.0.version).as_ref() {
            version.send_modify(|version| *version += 1);
        }
    }

    /// Takes note that something is being typed: its echo is waited for.
    pub(super) fn typed(&self) {
        self.0.echo_until.send_replace(Some(Instant::now() + ECHO_WINDOW));
    }

    /// Tells subscribers that there will be no more.
    pub(super) fn close(&self) {
        *lock(&self.0.version) = None;
    }
}

/// One subscriber's frames.
pub struct FrameFeed {
    hub: FrameHub,
    link: LinkHandle,
    version: watch::Receiver<u64>,
    interval: Duration,
    echo_until: watch::Receiver<Option<Instant>>,
    last: Option<Instant>,
    seen: Option<(TerminalSize, MirrorState)>,
}

impl Fleet {
    /// Subscribes to a runner's frames, so many a second at most.
    ///
    /// # Errors
    ///
    /// When there is no supervisor or it does not answer.
    pub async fn watch_frames(&self, id: RunnerId, fps: u32) -> Result<FrameFeed, FleetError> {
        let (link, hub) = self.frame_hub(id)?;
        let version = lock(&hub.0.version).as_ref().map(watch::Sender::subscribe);
        let version = version.ok_or(FleetError::NoLink)?;
        let shared = Arc::clone(&hub.0);
        let _control = shared.control.lock().await;
        let first = {
            let mut subscribers = lock(&hub.0.subscribers);
            *subscribers += 1;
            *subscribers == 1
        };
        let feed = FrameFeed {
            echo_until: hub.0.echo_until.subscribe(),
            hub,
            link: link.clone(),
            version,
            interval: Duration::from_secs(1) / fps.clamp(1, SOURCE_FPS),
            last: None,
            seen: None,
        };
        if first {
            let control = FrameControl { max_fps: SOURCE_FPS };
            link.ask(Command::Frames(control), LIMIT).await?;
        }
        Ok(feed)
    }
}

impl FrameFeed {
    /// Returns the next frame: the size, whether it repaints everything, the bytes. `None` when the
    /// runner is gone.
    pub async fn next(&mut self) -> Option<(TerminalSize, bool, Bytes)> {
        loop {
            let due = self.due();
            tokio::select! {
                () = sleep_until(due) => {}
                // It may be due earlier now.
                Ok(()) = self.echo_until.changed() => continue,
            }
            self.version.borrow_and_update();
            if let Some(frame) = self.difference() {
                self.last = Some(Instant::now());
                return Some(frame);
            }
            self.version.changed().await.ok()?;
        }
    }

    /// When the next frame may be sent.
    fn due(&self) -> Instant {
        let now = Instant::now();
        let is_echo = self.echo_until.borrow().is_some_and(|until| now < until);
        self.last.map_or(now, |last| last + if is_echo { ECHO_INTERVAL } else { self.interval })
    }

    /// Returns what changed since the last frame.
    fn difference(&mut self) -> Option<(TerminalSize, bool, Bytes)> {
        let mirror = lock(&self.hub.0.mirror);
        let mirror = mirror.as_ref()?;
        let size = mirror.size();
        let (full, bytes) = match &self.seen {
            Some((seen_size, state)) if *seen_size == size => (false, mirror.diff(state)),
            _ => (true, mirror.full()),
        };
        if bytes.is_empty() {
            return None;
        }
        self.seen = Some((size, mirror.snapshot()));
        Some((size, full, bytes.into()))
    }
}

impl Drop for FrameFeed {
    fn drop(&mut self) {
        let last = {
            let mut subscribers = lock(&self.hub.0.subscribers);
            *subscribers = subscribers.saturating_sub(1);
            *subscribers == 0
        };
        if last {
            *lock(&self.hub.0.mirror) = None;
            let (link, hub) = (self.link.clone(), self.hub.clone());
            tokio::spawn(async move {
                let _control = hub.0.control.lock().await;
                // Somebody may have come meanwhile, and asked already.
                if *lock(&hub.0.subscribers) == 0 {
                    let control = FrameControl { max_fps: 0 };
                    link.ask(Command::Frames(control), LIMIT).await.ok();
                }
            });
        }
    }
}
