//! Leaves in order when asked to: every wait looks here, and an error clears everything up.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Set once a signal has asked to leave.
static LEAVING: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The pause between two looks at a condition that cannot be waited for otherwise.
const LOOK: Duration = Duration::from_millis(2);

/// Handles the signals that end a program.
pub(crate) fn install() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&LEAVING))?;
    }
    Ok(())
}

/// Fails once a signal has asked to leave.
pub(crate) fn check() -> Result<()> {
    if LEAVING.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Waits until `look` finds something.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        check()?;
        if began.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        std::thread::sleep(LOOK);
    }
}

/// Lets time pass, where time itself is what is measured.
pub(crate) fn pass(time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
    Ok(())
}
