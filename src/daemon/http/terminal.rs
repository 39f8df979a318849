//! A runner's terminal: looked at, typed into, read back.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    lists::{exact, within},
    problem::Problem,
};
use crate::{
    domain::size::TerminalSize,
    proto::link::v1::{ScrollbackQuery, SearchQuery, Type},
};

/// Lines that one call gives.
const MOST_LINES: u32 = 10_000;

/// Bytes of the record that are given, if nothing is said.
const USUAL_TAIL: u64 = 1 << 20;

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(get_screen))
        .routes(routes!(read_scrollback))
        .routes(routes!(search_scrollback))
        .routes(routes!(read_log));
    routes.operator = routes.operator.routes(routes!(send_input)).routes(routes!(resize_runner));
    routes
}

/// What a screen shows.
#[derive(Debug, Serialize, ToSchema)]
struct ScreenBody {
    /// Its size.
    size: TerminalSize,
    /// Its rows, from the top.
    lines: Vec<String>,
    /// The cursor's row, from 0.
    cursor_row: u32,
    /// The cursor's column, from 0.
    cursor_col: u32,
    /// The title of the window.
    title: String,
    /// A full-screen program draws.
    alternate: bool,
    /// Lines of history above it.
    history_lines: u64,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Lines {
    /// The first line, from 0; the last lines, if nothing is said.
    #[param(maximum = 9_007_199_254_740_991_i64)]
    from: Option<u64>,
    /// So many at most; 100 if nothing is said.
    #[param(minimum = 1, maximum = 10000)]
    count: Option<u32>,
}

/// Lines above the screen.
#[derive(Debug, Serialize, ToSchema)]
struct LinesBody {
    /// The lines.
    lines: Vec<String>,
    /// So many there are.
    total: u64,
    /// Older lines that were forgotten.
    forgotten: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// What is looked for.
    text: String,
    /// So many lines at most; 100 if nothing is said.
    #[serde(default)]
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<u32>,
}

/// Lines with what was looked for.
#[derive(Debug, Serialize, ToSchema)]
struct FoundBody {
    /// The lines, by their number.
    matches: Vec<FoundLine>,
    /// Older lines that were forgotten.
    forgotten: u64,
}

/// A line with what was looked for.
#[derive(Debug, Serialize, ToSchema)]
struct FoundLine {
    /// Its number, from 0.
    line: u64,
    /// All of it.
    text: String,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Tail {
    /// So many bytes from the end; a mebibyte if nothing is said.
    #[param(maximum = 9_007_199_254_740_991_i64)]
    tail_bytes: Option<u64>,
}

/// What is typed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InputBody {
    /// The text; pasted.
    #[serde(default)]
    text: String,
    /// Enter is pressed after it.
    #[serde(default)]
    submit: bool,
    /// Keys in place of a text, sent byte by byte: the character U+0003 is ctrl-c.
    #[serde(default)]
    keys: String,
}

/// What was typed.
#[derive(Debug, Serialize, ToSchema)]
struct InputAnswer {
    /// Bytes that were taken.
    accepted_bytes: u64,
}

/// A terminal's size.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SizeBody {
    /// Columns.
    #[schema(maximum = 65_535)]
    cols: u16,
    /// Rows.
    #[schema(maximum = 65_535)]
    rows: u16,
}

/// Shows what is on a runner's screen.
#[utoipa::path(get, path = "/runners/{runner}/screen", tag = "terminal", params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "The screen", body = ScreenBody)))]
async fn get_screen(State(http): State<Http>, Path(runner): Path<String>) -> Answer<ScreenBody> {
    let screen = http.services.screen(&runner).await?;
    Ok(Json(ScreenBody {
        size: screen.size,
        lines: screen.lines,
        cursor_row: screen.cursor.0,
        cursor_col: screen.cursor.1,
        title: screen.title,
        alternate: screen.alternate,
        history_lines: screen.history_lines,
    }))
}

/// Shows lines above a runner's screen.
#[utoipa::path(get, path = "/runners/{runner}/scrollback", tag = "terminal",
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it"), Lines),
    responses((status = 200, description = "The lines", body = LinesBody)))]
async fn read_scrollback(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Params(wanted): Params<Lines>,
) -> Answer<LinesBody> {
    let count = within("count", wanted.count.unwrap_or(100), 1..=MOST_LINES)?;
    let from = if let Some(from) = wanted.from {
        exact("from", from)?
    } else {
        let screen = http.services.screen(&runner).await?;
        screen.history_lines.saturating_sub(count.into())
    };
    let query = ScrollbackQuery { from, count, styled: false, number: None };
    let found = http.services.scrollback(&runner, query).await?;
    Ok(Json(LinesBody { lines: found.lines, total: found.total, forgotten: found.forgotten }))
}

/// Finds lines in what a runner has shown.
#[utoipa::path(get, path = "/runners/{runner}/search", tag = "terminal", params(("runner" = String, Path, description = "Its name, its id or a beginning of it"), Wanted),
    responses((status = 200, description = "The lines", body = FoundBody)))]
async fn search_scrollback(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Answer<FoundBody> {
    let limit = within("limit", wanted.limit.unwrap_or(100), 1..=MOST_LINES)?;
    let query = SearchQuery { text: wanted.text, limit };
    let (found, forgotten) = http.services.search(&runner, query).await?;
    let matches = found.into_iter().map(|(line, text)| FoundLine { line, text }).collect();
    Ok(Json(FoundBody { matches, forgotten }))
}

/// Gives what a runner has printed, byte for byte, up to now.
#[utoipa::path(get, path = "/runners/{runner}/logs", tag = "terminal", params(("runner" = String, Path, description = "Its name, its id or a beginning of it"), Tail),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream",
        body = Vec<u8>)))]
async fn read_log(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Params(tail): Params<Tail>,
) -> Result<Response, Problem> {
    let tail = exact("tail_bytes", tail.tail_bytes.unwrap_or(USUAL_TAIL))?;
    let (_, reader) = http.services.read_log(&runner, Some(tail)).await?;
    let pieces = unfold((reader, tail), |(mut reader, left)| async move {
        if left == 0 {
            return None;
        }
        let read = spawn_blocking(move || (reader.next_piece(), reader)).await;
        let (piece, reader) = read.ok()?;
        match piece {
            Ok(piece) => {
                let mut bytes = Bytes::from(piece?.bytes);
                // It may grow faster than it is read.
                bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left.saturating_sub(bytes.len() as u64);
                Some((Ok(bytes), (reader, left)))
            }
            Err(error) => Some((Err(error), (reader, 0))),
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, Body::from_stream(pieces)).into_response())
}

/// Types into a runner at once, whatever its agent is doing; prompts are better sent as such.
#[utoipa::path(post, path = "/runners/{runner}/input", tag = "terminal", request_body = InputBody,
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "It is typed", body = InputAnswer)))]
async fn send_input(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Json(body): Json<InputBody>,
) -> Answer<InputAnswer> {
    let (text, submit, raw) = (body.text, body.submit, body.keys.into_bytes().into());
    let input = Type { text, submit, raw, ..Type::default() };
    let accepted_bytes = http.services.send_input(&runner, input).await?;
    Ok(Json(InputAnswer { accepted_bytes }))
}

/// Gives a runner's terminal another size.
#[utoipa::path(post, path = "/runners/{runner}/resize", tag = "terminal", request_body = SizeBody,
    params(("runner" = String, Path, description = "Its name, its id or a beginning of it")),
    responses((status = 200, description = "The size that it has now", body = TerminalSize)))]
async fn resize_runner(
    State(http): State<Http>,
    Path(runner): Path<String>,
    Json(body): Json<SizeBody>,
) -> Answer<TerminalSize> {
    let size = TerminalSize::new(body.cols, body.rows);
    http.services.resize(&runner, size).await?;
    Ok(Json(size))
}
