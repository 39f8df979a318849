//! What is also done by hand on the machine: the database, the event log, backups, the configuration.

use std::{fs::File, io::Read as _};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use chrono::Utc;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params},
    problem::Problem,
};
use crate::{
    config::Config,
    daemon::services::DatabaseReport,
    domain::{audit::AuditReport, failure::Failure},
};

/// Bytes of a backup that are read at once.
const PIECE: usize = 256 << 10;

/// Keys that one check takes: one for each node.
const MOST_KEYS: usize = 100;

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes.viewer.routes(routes!(get_database));
    routes.admin = routes
        .admin
        .routes(routes!(get_config))
        .routes(routes!(verify_audit))
        .routes(routes!(get_backup));
    routes
}

/// How the log is checked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct VerifyBody {
    /// The first key of each node, as `stratavore audit key` has shown it: `{"keys":["HEX"]}`. Needed as
    /// soon as it has been shown: it is then gone from the machine. Whoever has one can write the log anew:
    /// where this machine is not trusted, check the database from another one.
    #[schema(max_items = 100, value_type = Vec<KeyText>)]
    keys: Vec<String>,
}

/// A key as it is printed.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9A-Fa-f]{64}$")]
struct KeyText(#[expect(dead_code, reason = "it stands in the document only")] String);

/// What is configured, by section. What stands in each is in the reference of the configuration; a secret
/// is `********`, and an address that is one ends with its host.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands in the document only")]
struct Configuration {
    #[schema(value_type = Object)]
    daemon: (),
    #[schema(value_type = Object)]
    database: (),
    #[schema(value_type = Object)]
    docker: (),
    #[schema(value_type = Object)]
    api: (),
    #[schema(value_type = Object)]
    events: (),
    #[schema(value_type = Object)]
    audit: (),
    #[schema(value_type = Object)]
    agents: (),
    #[schema(value_type = Object)]
    runner: (),
    #[schema(value_type = Object)]
    worktree: (),
    #[schema(value_type = Object)]
    attach: (),
    #[schema(value_type = Object)]
    storage: (),
    #[schema(value_type = Object)]
    logging: (),
    #[schema(value_type = Object)]
    observability: (),
    #[schema(value_type = Object)]
    dashboard: (),
    #[schema(value_type = Object)]
    notify: (),
    #[schema(value_type = Object)]
    presets: (),
    #[schema(value_type = Vec<Object>)]
    prices: (),
    #[schema(value_type = Object)]
    keys: (),
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
struct Verified {
    /// Nothing is wrong, and everything could be checked.
    good: bool,
    /// The rest.
    #[serde(flatten)]
    report: AuditReport,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Contents {
    /// With what all runners have printed.
    with_output: bool,
}

/// Shows how it stands with the database.
#[utoipa::path(get, path = "/database", tag = "system",
    responses((status = 200, description = "The database", body = DatabaseReport)))]
async fn get_database(State(http): State<Http>) -> Answer<DatabaseReport> {
    Ok(Json(http.services.database_report().await?))
}

/// Shows the configuration that the daemon runs with; secrets are masked.
#[utoipa::path(get, path = "/config", tag = "system",
    responses((status = 200, description = "The configuration", body = Configuration)))]
async fn get_config(State(http): State<Http>) -> Answer<Config> {
    Ok(Json(Config::clone(&http.services.context().config)))
}

/// Checks whether the event log is what was written. That it is not is an answer too.
#[utoipa::path(post, path = "/audit/verify", tag = "operations", request_body = VerifyBody,
    responses((status = 200, description = "What was found", body = Verified)))]
async fn verify_audit(State(http): State<Http>, Json(body): Json<VerifyBody>) -> Answer<Verified> {
    if body.keys.len() > MOST_KEYS {
        let what = format!("at most {MOST_KEYS} keys are taken");
        return Err(Failure::usage("BAD_KEY", what).into());
    }
    let report = http.services.verify_events(&body.keys).await?;
    Ok(Json(Verified { good: report.is_good(), report }))
}

/// Gives a backup, as it is made now: the database, the keys of the event log, configuration. It is put
/// back on the machine itself, with `stratavore restore`, while no daemon runs.
#[utoipa::path(get, path = "/backup", tag = "operations", params(Contents),
    responses((status = 200, description = "The backup", content_type = "application/gzip",
        body = Vec<u8>)))]
async fn get_backup(
    State(http): State<Http>,
    Params(contents): Params<Contents>,
) -> Result<Response, Problem> {
    let file = http.services.make_backup(contents.with_output).await?;
    let length = file.metadata().map(|about| about.len());
    let length = length.map_err(|error| Failure::internal(format!("read a backup: {error}")))?;
    let pieces = unfold(Some(file), |file| async move {
        let mut file = file?;
        let read = spawn_blocking(move || {
            let piece = piece(&mut file);
            (piece, file)
        });
        let (piece, file) = read.await.ok()?;
        match piece {
            Ok(piece) if piece.is_empty() => None,
            Ok(piece) => Some((Ok(piece), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let name = format!("stratavore-backup-{}.tar.gz", Utc::now().format("%Y%m%d-%H%M%S"));
    let head = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((head, Body::from_stream(pieces)).into_response())
}

/// Reads what comes next of a file; nothing at its end.
fn piece(file: &mut File) -> std::io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(PIECE);
    file.take(PIECE as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Secret, fixtures},
        daemon::http::api_document,
    };

    #[test]
    fn no_secret_of_the_configuration_is_given_out() {
        let told = serde_json::to_string(&fixtures::full_of_secrets()).unwrap();
        assert!(!told.contains(fixtures::CANARY), "{told}");
        assert!(told.contains("https://ntfy.sh/********"), "{told}");
        assert_eq!(serde_json::to_string(&Secret::default()).unwrap(), "\"\"");
    }

    #[test]
    fn the_document_names_every_section_of_the_configuration() {
        let told = serde_json::to_value(Config::default()).unwrap();
        let document = serde_json::to_value(api_document()).unwrap();
        let schema = &document["components"]["schemas"]["Configuration"];
        let described = schema["properties"].as_object().unwrap();
        for (section, value) in told.as_object().unwrap() {
            let is_list = value.is_array();
            let wanted = if is_list { "array" } else { "object" };
            assert_eq!(schema["properties"][section]["type"], wanted, "{section}");
        }
        assert_eq!(described.len(), told.as_object().unwrap().len());
    }
}
