//! How a typed key's echo is told from other changes of a screen: by its time.
//!
//! Screens are passed on and drawn some sixty times a second, which nobody sees; but an echo that
//! waits for its turn is felt. For a moment after a key its screen is therefore passed on as it
//! changes. Constants only: every process has its own clock.

use std::time::Duration;

/// For so long after a key a change of the screen may be its echo.
pub const ECHO_WINDOW: Duration = Duration::from_millis(20);

/// Meanwhile the screen is passed on at this interval: a screen that changes all the time anyway must
/// not be passed on for each of its lines.
pub const ECHO_INTERVAL: Duration = Duration::from_millis(2);
