//! Durations as people type them.

use std::time::Duration;

/// Parses `500ms`, `10s`, `2m`, `3h`, `1d`; a bare number means seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{}` is no duration like 500ms, 10s, 2m, 3h or 1d", text.escape_debug());
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_error| wrong())?;
    let factor = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = number.checked_mul(factor).filter(|seconds| *seconds <= 86_400 * 3650);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("`{text}` is longer than ten years"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_strict() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for bad in ["", "5x", "-1s", "1.5s", "999999999999d", "s", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
