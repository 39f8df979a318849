//! `stratavore config`: what is in force, where it comes from, whether it is right.

use serde::Serialize;

use super::Outcome;
use crate::{
    cli::{
        context::config_failure,
        operations::{ConfigArgs, ConfigCommand},
        printer::Printer,
        top::GlobalArgs,
    },
    config::{self, Loaded, Sources},
    domain::failure::Failure,
    ui,
};

/// Runs what was asked for; needs no daemon.
pub(super) fn run(args: &ConfigArgs, global: &GlobalArgs, printer: Printer) -> Outcome {
    let sources = Sources::of_process(global.config.clone());
    let loaded = config::load(&sources).map_err(|error| config_failure(&error));
    match &args.command {
        ConfigCommand::Show { source } => {
            ("show the configuration", loaded.and_then(|loaded| show(&loaded, *source, printer)))
        }
        ConfigCommand::Validate => (
            "validate the configuration",
            loaded.map(|loaded| {
                for path in loaded.exposed() {
                    let path = path.display();
                    printer.talk(&format!(
                        "warning: others can read `{path}`; run: chmod 600 '{path}'"
                    ));
                }
                if let Some(why) = ui::theme_fault(&loaded.config) {
                    printer.talk(&format!("warning: dashboard.theme: {why}"));
                }
                printer.note("the configuration is valid");
            }),
        ),
    }
}

/// A setting with its origin.
#[derive(Serialize)]
struct Setting<'a> {
    key: &'a str,
    value: &'a serde_json::Value,
    source: String,
}

fn show(loaded: &Loaded, source: bool, printer: Printer) -> Result<(), Failure> {
    if !source && !printer.is_table() {
        return printer.one(&loaded.config, &[]);
    }
    let values = loaded.values().map_err(|error| config_failure(&error))?;
    let settings: Vec<_> = values
        .iter()
        .map(|(key, value)| Setting { key, value, source: loaded.origin(key) })
        .collect();
    let heads: &[&str] = if source { &["key", "value", "source"] } else { &["key", "value"] };
    printer.list(&settings, heads, |setting| {
        let value = match setting.value {
            serde_json::Value::String(text) if text.is_empty() => "-".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut row = vec![setting.key.to_owned(), value];
        if source {
            row.push(setting.source.clone());
        }
        row
    })
}
