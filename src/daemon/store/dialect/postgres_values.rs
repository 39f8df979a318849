//! How values travel to PostgreSQL.

use sqlx::{
    AssertSqlSafe,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgHasArrayType, PgTypeInfo},
    query::Query as SqlxQuery,
};

use super::Kind;
use crate::daemon::store::query::{Query, Value};

/// Binds the values of a query.
pub(super) fn prepare(query: Query) -> SqlxQuery<'static, sqlx::Postgres, PgArguments> {
    let sql = AssertSqlSafe(query.sql);
    query.values.into_iter().fold(sqlx::query(sql), |prepared, value| match value {
        Value::Text(text) => prepared.bind(text),
        Value::OptionalText(text) => prepared.bind(text),
        Value::Integer(number) => prepared.bind(number),
        Value::OptionalInteger(number) => prepared.bind(number),
        Value::Real(number) => prepared.bind(number),
        Value::Bool(truth) => prepared.bind(truth),
        Value::Id(id) => prepared.bind(id),
        Value::OptionalId(id) => prepared.bind(id),
        Value::Time(time) => prepared.bind(time),
        Value::OptionalTime(time) => prepared.bind(time),
        Value::Json(json) => prepared.bind(json),
        Value::OptionalJson(json) => prepared.bind(json),
        Value::JsonText(text) => prepared.bind(JsonText(text)),
        Value::Texts(texts) => prepared.bind(texts),
        Value::List(kind, list) => bind_list(prepared, kind, list),
    })
}

/// Binds many values of one kind.
fn bind_list(
    query: SqlxQuery<'static, sqlx::Postgres, PgArguments>,
    kind: Kind,
    list: Vec<Value>,
) -> SqlxQuery<'static, sqlx::Postgres, PgArguments> {
    /// Binds those that have one of these forms; what has another one is nothing.
    macro_rules! bind {
        ($($form:pat => $value:expr),* $(,)?) => {{
            let values = list.into_iter().map(|value| match value { $($form => $value,)* _ => None });
            query.bind(values.collect::<Vec<_>>())
        }};
    }
    match kind {
        Kind::Text => bind!(Value::Text(text) => Some(text), Value::OptionalText(text) => text),
        Kind::Integer => {
            bind!(Value::Integer(number) => Some(number), Value::OptionalInteger(number) => number)
        }
        Kind::Real => bind!(Value::Real(number) => Some(number)),
        Kind::Truth => bind!(Value::Bool(truth) => Some(truth)),
        Kind::Id => bind!(Value::Id(id) => Some(id), Value::OptionalId(id) => id),
        Kind::Time => bind!(Value::Time(time) => Some(time), Value::OptionalTime(time) => time),
        Kind::Json => bind!(
            Value::JsonText(text) => Some(JsonText(text)),
            Value::Json(json) => Some(JsonText(json.to_string())),
            Value::OptionalJson(json) => json.map(|json| JsonText(json.to_string())),
        ),
        // A list of lists has one length: neither of these is ever one of many.
        Kind::Texts | Kind::Bytes => bind!(Value::Text(text) => Some(text)),
    }
}

/// A JSON value that is text already.
struct JsonText(String);

impl sqlx::Type<sqlx::Postgres> for JsonText {
    fn type_info() -> PgTypeInfo {
        <serde_json::Value as sqlx::Type<sqlx::Postgres>>::type_info()
    }
}

impl PgHasArrayType for JsonText {
    fn array_type_info() -> PgTypeInfo {
        <serde_json::Value as PgHasArrayType>::array_type_info()
    }
}

impl sqlx::Encode<'_, sqlx::Postgres> for JsonText {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The version of the binary form; the text follows.
        buffer.push(1);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}
