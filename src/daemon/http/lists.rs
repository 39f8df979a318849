//! Lists in pages: so many at most, and a cursor for what comes after them.
//!
//! A cursor is the key of the last item that was told: what is added or removed meanwhile neither
//! repeats nor hides anything else.

use std::ops::RangeInclusive;

use axum::http::StatusCode;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    extract::{Answer, Json},
    problem::Problem,
};

/// Items in a page, if nothing else is asked for, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1000;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Paging {
    /// So many items at most; 100 if nothing is said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// The cursor of the page after this one; missing in the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Paging {
    /// So many items are wanted.
    pub(super) fn limit(&self) -> Result<u32, Problem> {
        within("limit", self.limit.unwrap_or(USUAL), 1..=MOST)
    }

    /// The key after which it begins.
    pub(super) fn after(&self) -> Result<Option<String>, Problem> {
        let wrong = || {
            let what = "the cursor is none that a page ended with";
            Problem::new(StatusCode::NOT_FOUND, "NO_PAGE", what)
        };
        let Some(cursor) = self.cursor.as_deref().filter(|cursor| !cursor.is_empty()) else {
            return Ok(None);
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_garbled| wrong())?;
        String::from_utf8(bytes).map(Some).map_err(|_garbled| wrong())
    }

    /// Cuts a page out of a whole list, in the order of these keys.
    pub(super) fn cut<T>(&self, all: Vec<T>, key: impl Fn(&T) -> String) -> Answer<Page<T>> {
        let (limit, after) = (self.limit()? as usize, self.after()?);
        let mut keyed: Vec<(String, T)> = all.into_iter().map(|item| (key(&item), item)).collect();
        if let Some(after) = after {
            keyed.retain(|(key, _)| *key > after);
        }
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        let more = keyed.len() > limit;
        keyed.truncate(limit);
        let last = keyed.last().map(|(key, _)| key.clone());
        let items = keyed.into_iter().map(|(_, item)| item).collect();
        Ok(Json(Page::new(items, last.filter(|_| more))))
    }
}

impl<T> Page<T> {
    /// Returns a page, and the key of its last item when there is more.
    pub(super) fn new(items: Vec<T>, last: Option<String>) -> Self {
        Self { items, next: last.map(|key| BASE64_URL_SAFE_NO_PAD.encode(key)) }
    }
}

/// Returns a number that lies within its bounds.
pub(super) fn within(name: &str, number: u32, bounds: RangeInclusive<u32>) -> Result<u32, Problem> {
    if bounds.contains(&number) {
        return Ok(number);
    }
    let what = format!("{name} {number} is not between {} and {}", bounds.start(), bounds.end());
    Err(Problem::new(StatusCode::BAD_REQUEST, "BAD_LIMIT", what))
}

/// The largest whole number that every reader of JSON has exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// Returns a number that can be told exactly.
pub(super) fn exact(name: &str, number: u64) -> Result<u64, Problem> {
    if number <= LARGEST {
        return Ok(number);
    }
    let what = format!("{name} {number} is not between 0 and {LARGEST}");
    Err(Problem::new(StatusCode::BAD_REQUEST, "BAD_LIMIT", what))
}

/// Returns a key that puts what is newest first.
pub(super) fn newest(at: chrono::DateTime<chrono::Utc>, id: impl std::fmt::Display) -> String {
    // In the order of unsigned numbers, times before 1970 too.
    let at = at.timestamp_micros().cast_unsigned() ^ (1 << 63);
    format!("{:020} {id}", u64::MAX - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: u32, cursor: Option<String>, all: &[&str]) -> (Vec<String>, Option<String>) {
        let paging = Paging { limit: Some(limit), cursor };
        let all: Vec<String> = all.iter().map(|&item| item.to_owned()).collect();
        let Json(page) = paging.cut(all, Clone::clone).unwrap();
        (page.items, page.next)
    }

    #[test]
    fn pages_follow_each_other_whatever_comes_and_goes() {
        let (first, next) = page(2, None, &["c", "a", "b", "d"]);
        assert_eq!(first, ["a", "b"]);
        // `b` is gone, `aa` has come.
        let (second, next) = page(2, next, &["a", "aa", "c", "d"]);
        assert_eq!((second, next), (vec!["c".to_owned(), "d".to_owned()], None));
        assert_eq!(page(2, None, &[]), (vec![], None));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for limit in [0, 1001] {
            assert!(Paging { limit: Some(limit), cursor: None }.limit().is_err());
        }
        for cursor in ["%", "é", "_w"] {
            let paging = Paging { limit: None, cursor: Some(cursor.into()) };
            assert!(paging.after().is_err(), "{cursor}");
        }
    }

    #[test]
    fn the_newest_comes_first() {
        let at = |seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(newest(at(2), "b") < newest(at(1), "a"));
        assert!(newest(at(-2), "a") < newest(at(-2), "b"));
    }
}
