//! The calls of the client in `assets/http_client`, from the API's own description.
//!
//! `program http::cookbook` makes some of them. Other names for the same call, and the WebSocket, are left
//! out.

use serde_json::Value;

use super::{cell, check_file};
use crate::daemon::api_document;

const HEAD: &str =
    "//! A function for each call of the HTTP API. Made from the API's own description by \
`./tests/run docs`: changes here are lost.
//!
//! Each fails when the API refuses, or does not answer.

use reqwest::{Method, Response};
use serde_json::Value;

use super::{Client, Failed, Query, keyed};

impl Client {
";

#[test]
fn the_client_has_a_function_for_each_call_of_the_description() {
    let document = serde_json::to_value(api_document()).unwrap();
    let mut functions = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v1/") else { continue };
        for (method, operation) in item.as_object().unwrap() {
            if operation["tags"][0] != "aliases" && !path.ends_with("/attach") {
                functions.push(function(path, &method.to_uppercase(), operation));
            }
        }
    }
    check_file("assets/http_client/calls.rs", &format!("{HEAD}{}}}\n", functions.join("\n")));
}

/// Returns a function that makes a call.
fn function(path: &str, method: &str, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array();
    let named = |place: &str, is_needed: bool| -> Vec<&str> {
        let some = parameters.into_iter().flatten().filter(|one| one["in"] == place);
        let some = some.filter(|one| (one["required"] == true) == is_needed);
        some.map(|one| one["name"].as_str().unwrap()).collect()
    };
    let (needed, others) = (named("query", true), named("query", false));
    let places = named("path", true).into_iter().chain(needed.iter().copied());
    let mut takes: Vec<String> = places.map(|name| format!("{name}: &str")).collect();
    let parts = path.split('/').map(|part| {
        let place = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        place.map_or_else(|| format!("\"{part}\""), str::to_owned)
    });
    let parts = parts.collect::<Vec<_>>().join(", ");
    let mut call = format!("self.call(Method::{method}, &[{parts}])");
    if !needed.is_empty() {
        let pairs: Vec<_> = needed.iter().map(|name| format!("(\"{name}\", {name})")).collect();
        call.push_str(&format!(".query(&[{}])", pairs.join(", ")));
    }
    if !others.is_empty() {
        takes.push("query: Query<'_>".to_owned());
        call.push_str(".query(query)");
    }
    let body = &operation["requestBody"];
    if body.is_object() {
        takes.push("body: &Value".to_owned());
        call.push_str(".json(body)");
    }
    if method == "POST" {
        takes.push("key: Option<&str>".to_owned());
        call = format!("keyed({call}, key)");
    }
    let (gives, how) = match answer(operation) {
        None => ("()", format!("self.response({call}).await?;\n        Ok(())")),
        Some("application/json") => ("Value", format!("self.value({call}).await")),
        Some(_) => ("Response", format!("self.response({call}).await")),
    };
    let (about, takes) = (about(operation, &others), takes.join(", "));
    let comma = if takes.is_empty() { "" } else { ", " };
    let name = operation["operationId"].as_str().unwrap();
    format!(
        "{about}    pub(crate) async fn {name}(&self{comma}{takes}) -> Result<{gives}, Failed> {{\n        \
         {how}\n    }}\n"
    )
}

/// What a call is for, who may make it, and what may be said with it.
fn about(operation: &Value, others: &[&str]) -> String {
    let mut text = format!("    /// {}\n", cell(operation["summary"].as_str().unwrap()));
    let mut more = |what: &str| text.push_str(&format!("    ///\n    /// {what}\n"));
    if let Some(scope) = operation["x-scope"].as_str() {
        more(&format!("For: `{scope}`."));
    }
    if !others.is_empty() {
        more(&format!("Parameters: `{}`.", others.join("`, `")));
    }
    text
}

/// The type of what a call is answered with when it went well; `None` for nothing.
fn answer(operation: &Value) -> Option<&str> {
    let all = operation["responses"].as_object().unwrap();
    let (_, good) = all.iter().find(|(code, _)| code.starts_with('2')).unwrap();
    good["content"].as_object()?.keys().next().map(String::as_str)
}
