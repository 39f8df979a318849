//! The description of the API: `OpenAPI` 3.1, from the handlers and the types they speak.

use serde_json::json;
use utoipa::openapi::{
    Components, ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
    RefOr, Required, ResponseBuilder, Schema,
    extensions::ExtensionsBuilder,
    path::Operation,
    schema::{AdditionalProperties, ObjectBuilder, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

use super::{Http, problem::ProblemBody};
use crate::domain::api_token::Scope;

/// How tokens are called in the document.
const SCHEME: &str = "bearer";

/// Where a problem is described.
const PROBLEM: &str = "Problem";

/// What can be answered instead, to anybody and to who has shown a token.
const TO_ANYBODY: &[u16] = &[400, 403, 405, 421, 429, 500];
const TO_KNOWN: &[u16] = &[401, 404, 408, 409, 413, 415, 422, 503];

/// Returns what stands before the resources.
pub(super) fn head() -> OpenApi {
    let about = "Everything that the command line can do. A call shows a token: `Authorization: \
Bearer …`; `stratavore tokens create` makes one. Failures are problems of RFC 9457, whose `code` stays the \
same. Lists come in pages: `next` of one is the `cursor` of the following. A POST with an \
`Idempotency-Key` is done once: for a day, also over a restart of the daemon, the same key and the same \
body get the first answer again; a launch is remembered beyond that.";
    let info = InfoBuilder::new()
        .title("Stratavore")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about));
    OpenApiBuilder::new().info(info.build()).build()
}

/// Says what a token needs for these routes.
pub(super) fn scoped(mut router: OpenApiRouter<Http>, scope: Scope) -> OpenApiRouter<Http> {
    for item in router.get_openapi_mut().paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            let needs = SecurityRequirement::new(SCHEME, [scope.as_str()]);
            operation.security = Some(vec![needs]);
            operation.extensions =
                Some(ExtensionsBuilder::new().add("x-scope", json!(scope)).build());
        }
    }
    router
}

/// Adds what is the same everywhere: the problems that may be answered, the scheme of tokens.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                let named = body.content.values().find_map(|content| match content {
                    RefOr::T(content) => content.schema.clone(),
                    RefOr::Ref(_) => None,
                });
                // Nothing of it is needed: then it may be missing.
                if named.is_some_and(|schema| needs_nothing(&schema, document.components.as_ref()))
                {
                    body.required = Some(Required::False);
                }
            }
            let known = operation.security.as_ref().map_or(&[][..], |_| TO_KNOWN);
            let answers = &mut operation.responses.responses;
            // A call that is to become a WebSocket, and did not ask for one.
            let upgrade = answers.contains_key("101").then_some(&426);
            for status in TO_ANYBODY.iter().chain(known).chain(upgrade) {
                let problem = || RefOr::Ref(Ref::from_response_name(PROBLEM));
                answers.entry(status.to_string()).or_insert_with(problem);
            }
        }
    }
    let mut components = document.components.take().unwrap_or_default();
    if let Some(limit) = components.schemas.get_mut("Limit") {
        choose_one(limit);
    }
    if let Some(launch) = components.schemas.get_mut("LaunchBody") {
        name_program(launch);
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let problem = ResponseBuilder::new()
        .description("What went wrong.")
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name(PROBLEM))))
        .build();
    let components = ComponentsBuilder::from(components)
        .schema_from::<ProblemBody<'_>>()
        .response(PROBLEM, problem)
        .security_scheme(SCHEME, SecurityScheme::Http(bearer))
        .build();
    document.components = Some(components);
    document
}

/// Says of a choice of objects what its reader does: there is one of them and nothing beside it, and a
/// number is one that a database holds.
fn choose_one(choice: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(choice)) = choice else { return };
    for item in &mut choice.items {
        let RefOr::T(Schema::Object(object)) = item else { continue };
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        for property in object.properties.values_mut() {
            if let RefOr::T(Schema::Object(number)) = property {
                number.maximum = Some(i64::MAX.into());
            }
        }
    }
}

/// Says of a command that its first word, which is its program, is not empty; its arguments may be.
fn name_program(launch: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(launch)) = launch else { return };
    if let Some(RefOr::T(Schema::Array(command))) = launch.properties.get_mut("command") {
        let program = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).build();
        command.prefix_items = vec![Schema::Object(program)];
    }
}

/// Whether a schema has no field that must be there.
fn needs_nothing(schema: &RefOr<Schema>, all: Option<&Components>) -> bool {
    let found = match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(named) => {
            let name = named.ref_location.rsplit('/').next().unwrap_or_default();
            match all.and_then(|all| all.schemas.get(name)) {
                Some(RefOr::T(schema)) => Some(schema),
                _ => None,
            }
        }
    };
    matches!(found, Some(Schema::Object(object)) if object.required.is_empty())
}

/// Returns what can be done at a path, by method.
pub(super) fn operations(
    item: &mut PathItem,
) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("GET", item.get.as_mut()),
        ("PUT", item.put.as_mut()),
        ("POST", item.post.as_mut()),
        ("DELETE", item.delete.as_mut()),
        ("PATCH", item.patch.as_mut()),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{daemon::http::api_document, domain::api_token};

    #[test]
    fn every_operation_says_what_it_is_and_what_a_token_needs() {
        let mut document = api_document();
        let (mut ids, mut count) = (BTreeSet::new(), 0);
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                count += 1;
                let id = operation.operation_id.clone().unwrap_or_default();
                assert!(ids.insert(id.clone()), "{method} {path}: `{id}` is there twice");
                assert!(operation.summary.is_some(), "{method} {path} says nothing");
                let is_open = operation.security.is_none();
                assert_eq!(is_open, !path.starts_with("/api/"), "{method} {path}");
                let codes: Vec<_> = operation.responses.responses.keys().collect();
                assert!(codes.iter().any(|code| code.starts_with(['1', '2'])), "{method} {path}");
                let scope = operation.extensions.as_ref().and_then(|all| all.get("x-scope"));
                assert_eq!(scope.is_none(), is_open, "{method} {path}");
                if method != "GET" && !is_open {
                    assert_ne!(scope, Some(&json!(Scope::Viewer)), "{method} {path}");
                }
            }
        }
        assert!(count > 20);
        let json = serde_json::to_value(&document).unwrap();
        assert_eq!(json["openapi"], "3.1.0");
        let schemas = &json["components"]["schemas"];
        for choice in schemas["Limit"]["oneOf"].as_array().unwrap() {
            assert_eq!(choice["additionalProperties"], false, "{choice}");
        }
        let tokens = &schemas["Limit"]["oneOf"][0]["properties"]["tokens"];
        assert_eq!(tokens["maximum"], i64::MAX);
        assert_eq!(schemas["KeyText"]["pattern"], "^[0-9A-Fa-f]{64}$");
        let command = &schemas["LaunchBody"]["properties"]["command"];
        assert_eq!(command["prefixItems"][0]["minLength"], 1, "{command}");
        assert_eq!(command["items"]["type"], "string", "{command}");
        let place = &schemas["ImportBody"]["properties"]["path"]["pattern"];
        let place = regex::Regex::new(place.as_str().unwrap()).unwrap();
        assert!(place.is_match("/a/b.jsonl") && !place.is_match("/") && !place.is_match("a"));
        let tag = &schemas["TagText"]["pattern"];
        let tag = regex::Regex::new(tag.as_str().unwrap()).unwrap();
        assert!(tag.is_match("") && tag.is_match("über alles") && !tag.is_match("a\tb"));
        let name = &schemas["TokenBody"]["properties"]["name"];
        assert_eq!(name["pattern"], api_token::NAME_PATTERN);
        assert_eq!(name["maxLength"], api_token::LONGEST_NAME);
        assert_eq!(json["components"]["securitySchemes"][SCHEME]["scheme"], "bearer");
    }
}
