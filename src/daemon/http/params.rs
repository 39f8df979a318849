//! What may stand behind the `?`: the parameters that the document names for a route, and no others.
//!
//! A filter with a slip in its name would otherwise give everything, in silence. The readers of a route
//! each take their own part of the query, so none of them can tell that a name is nobody's.

use std::collections::HashMap;

use axum::{
    extract::Query,
    http::{StatusCode, Uri},
};
use utoipa::openapi::{OpenApi, RefOr, path::ParameterIn};

use super::{document::operations, problem::Problem};

/// The names of parameters, by `METHOD path`.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, Vec<String>>);

impl Known {
    /// Returns those of the routes that need a token; what anybody may call takes anything.
    pub(super) fn new(document: &OpenApi) -> Self {
        let mut all = HashMap::new();
        for (path, mut item) in document.paths.paths.clone() {
            for (method, operation) in operations(&mut item) {
                if operation.security.is_none() {
                    continue;
                }
                let named = operation.parameters.iter().flatten().filter_map(|one| match one {
                    RefOr::T(one) if matches!(one.parameter_in, ParameterIn::Query) => {
                        Some(one.name.clone())
                    }
                    RefOr::T(_) | RefOr::Ref(_) => None,
                });
                all.insert(format!("{method} {path}"), named.collect());
            }
        }
        Self(all)
    }

    /// Refuses a query with a name that the call does not take.
    pub(super) fn check(&self, call: &str, uri: &Uri) -> Result<(), Problem> {
        let Some(known) = self.0.get(call) else { return Ok(()) };
        // What cannot be taken apart is refused by who reads it.
        let Ok(Query(given)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return Ok(());
        };
        let Some((name, _)) = given.iter().find(|(name, _)| !known.contains(name)) else {
            return Ok(());
        };
        let shown: String = name.chars().take(64).collect();
        let what = format!("there is no parameter `{}`", shown.escape_debug());
        let hint = if known.is_empty() {
            "this call takes none".to_owned()
        } else {
            format!("this call takes: {}", known.join(", "))
        };
        Err(Problem::new(StatusCode::BAD_REQUEST, "BAD_QUERY", what).with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::http::api_document;

    #[test]
    fn a_query_names_what_the_document_names() {
        let known = Known::new(&api_document());
        let check = |call: &str, uri: &str| known.check(call, &uri.parse().unwrap());
        let events = "GET /api/v1/events";
        for fits in ["/x", "/x?", "/x?type=a&limit=3&cursor=&project=p", "/x?type=%20"] {
            assert_eq!(check(events, fits), Ok(()), "{fits}");
        }
        for slip in ["/x?typ=a", "/x?type=a&typ=b", "/x?Type=a", "/x?=a", "/x?after=1"] {
            let problem = check(events, slip).unwrap_err();
            assert!(format!("{problem:?}").contains("project, type, runner"), "{problem:?}");
        }
        assert_eq!(check("GET /api/v1/events/stream", "/x?after=1&type=a"), Ok(()));
        assert!(check("GET /api/v1/status", "/x?verbose").is_err());
        // Whoever is let in without a token says what they like.
        assert_eq!(check("GET /livez", "/livez?now=1"), Ok(()));
        assert_eq!(check("GET /nothing", "/nothing?now=1"), Ok(()));
    }
}
