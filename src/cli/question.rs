//! Asks the person at the terminal a question, in a line. Not for what is asked without one: whoever asks
//! has looked (`is_interactive`).

use std::io::{self, BufRead as _, Write as _};

use crate::domain::failure::Failure;

/// Asks for a line; returns it without blanks around it, or `None` at the end of the input.
///
/// # Errors
///
/// When the terminal cannot be read.
pub(super) fn line(asked: &str) -> Result<Option<String>, Failure> {
    let read = || {
        let mut stderr = io::stderr().lock();
        stderr.write_all(asked.as_bytes())?;
        stderr.flush()?;
        let mut answer = String::new();
        let count = io::stdin().lock().read_line(&mut answer)?;
        Ok::<_, io::Error>((count > 0).then(|| answer.trim().to_owned()))
    };
    read().map_err(|error| Failure::unavailable("NO_ANSWER", format!("read the answer: {error}")))
}

/// Asks for yes or no; an empty line means `default`, the end of the input no.
///
/// # Errors
///
/// When the terminal cannot be read.
pub(super) fn yes(asked: &str, default: bool) -> Result<bool, Failure> {
    Ok(line(asked)?.is_some_and(|answer| match answer.to_lowercase().as_str() {
        "" => default,
        answer => matches!(answer, "y" | "yes"),
    }))
}
