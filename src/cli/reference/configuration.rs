//! The reference of the configuration, from its types: keys and defaults as they are serialised, what
//! they mean from the comments on the fields.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use super::{cell, check, root};
use crate::config::Config;

const HEAD: &str = "# Configuration\n\nGenerated from the program's types by `./tests/run docs`.\n\n\
Layers, later ones win: the defaults, `/etc/stratavore/stratavore.yaml`, \
`~/.config/stratavore/stratavore.yaml`, files that hold one secret each, variables, flags. A file named by \
`--config` or `$STRATAVORE_CONFIG` takes the place of the first two files, `$XDG_CONFIG_HOME` that of `~/.config`. \
An unknown key is refused with the nearest one that exists. The daemon reads its configuration when it starts: after \
a change run `stratavore daemon restart`; runners go on. The dashboard and the command line read it at each \
start. While it has a mistake nothing is started; commands that look at agents or end them warn and ask the \
daemon that runs.\n\n\
- A variable is `STRATAVORE_` and the key in capitals with `_` for `.`: `STRATAVORE_DATABASE_URL`. Lists are \
divided by commas. An unknown variable is ignored, also one that is misspelt: `stratavore config show --source` \
tells whether yours was taken.\n\
- A secret may stand in a file of its own: `url_file` in place of `url`, a variable with `_FILE` at its end \
(`STRATAVORE_DATABASE_URL_FILE`), or a credential of systemd with the key's name \
(`LoadCredential=database.url:/etc/stratavore/url`).\n\
- `stratavore config show --source` lists every key with its value and where that is from, and \
`stratavore config validate` checks all of it. Secrets are shown as `********`.\n\n\
The keys of the dashboard, `keys.CONTEXT.ACTION`, are listed by `stratavore config show` and, where they work, \
by `?`.\n\n\
## Keys with a structure\n\n\
Four keys hold more than a value each. They stand in a file; variables and flags cannot set them, but for \
`agents.codex.mode`.\n\n\
```yaml\n\
presets:                      # each key may be left out\n\
\x20 review:\n\
\x20   command: codex            # program and arguments, as typed\n\
\x20   permissions: ask          # own, plan, ask, edits, auto, god\n\
\x20   prompt: review the last commit\n\
\x20   model: gpt-5\n\
\x20   project: shop             # a project's name, or a directory\n\
\x20   worktree: new             # or a branch\n\
\x20   name: \"*3\"                # the runner's name; *3 launches three\n\
\x20   max_tokens: 500k\n\
prices:                       # in dollars per million tokens\n\
\x20 - model: my-model           # as its agent names it\n\
\x20   input: 3\n\
\x20   output: 15\n\
\x20   cache_read: 0.3           # without it as input\n\
\x20   cache_write_5m: 3.75      # without it as input\n\
\x20   cache_write_1h: 6         # without it as cache_write_5m\n\
notify:\n\
\x20 rules:                      # the first that fits decides; each key may be left out\n\
\x20   - event: runner.          # a type of event, or the beginning of some, with a dot at its end\n\
\x20     project: experiments\n\
\x20     severity: warning       # fits from this weight up: info, warning, critical\n\
\x20     channels: [ntfy]        # telegram, ntfy, webhook, desktop; without it all\n\
\x20     mute: false             # true: not pushed at all\n\
agents:\n\
\x20 mine:\n\
\x20   command: [mine, --model, \"{model}\", \"{prompt}\"]\n```\n\n\
- **Presets** are chosen in the last field of the dashboard's launch dialog (`N`). `ctrl-s` there keeps what is filled \
in, under the name in that field, in `dashboard.presets` of the root directory; a preset of the configuration goes \
before one of the same name there. What each permission means: [agents](agents.md).\n\
- **Types of events** are listed in [events](events.md). Rules also know `runner.activity.blocked`, \
`runner.activity.error` and `runner.activity.done`.\n\
- **Agents of your own** have `command`, `god`, `resume`, `interrupt` and `screens`: [agents](agents.md).\n";

/// A field: its comment and the last word of its type.
struct Field {
    comment: String,
    kind: String,
}

/// All structs of the configuration: their fields and, under an empty name, their own comment.
type Structs = BTreeMap<String, BTreeMap<String, Field>>;

#[test]
fn the_reference_of_the_configuration_has_every_key() {
    let structs = structs();
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut page = HEAD.to_owned();
    let mut missing = Vec::new();
    for (section, value) in defaults.as_object().unwrap() {
        if section == "keys" {
            continue;
        }
        let field = structs["Config"].get(section);
        let (comment, kind) = field.map_or(("", ""), |field| (&field.comment, &field.kind));
        page.push_str(&format!("\n## {section}\n\n{comment}\n"));
        let own = structs.get(kind).and_then(|fields| fields.get("")).map(|own| &own.comment);
        if let Some(own) = own.filter(|own| !own.is_empty() && own.as_str() != comment) {
            page.push_str(&format!("\n{own}\n"));
        }
        let mut walk = Walk { structs: &structs, rows: Vec::new(), missing: &mut missing };
        walk.value(section, kind, value, comment);
        let rows = walk.rows.join("\n");
        page.push_str(&format!("\n| key | default | what it is |\n|---|---|---|\n{rows}\n"));
    }
    assert!(missing.is_empty(), "keys without a comment on their field: {missing:?}");
    check("configuration.md", &page);
}

/// One section's rows.
struct Walk<'a> {
    structs: &'a Structs,
    rows: Vec<String>,
    missing: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, path: &str, kind: &str, value: &Value, comment: &str) {
        if let (Value::Object(parts), Some(fields)) = (value, self.structs.get(kind)) {
            for (name, part) in parts {
                let path = format!("{path}.{name}");
                match fields.get(name).or_else(|| fields.get("*")) {
                    Some(field) => self.value(&path, &field.kind, part, &field.comment),
                    None => self.missing.push(path),
                }
            }
            return;
        }
        if comment.is_empty() {
            self.missing.push(path.to_owned());
        }
        let shown = match value {
            Value::String(text) if text.is_empty() => "empty".to_owned(),
            Value::String(text) => format!("`{text}`"),
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            Value::Object(parts) if parts.is_empty() => "none".to_owned(),
            other => format!("`{other}`"),
        };
        self.rows.push(format!("| `{path}` | {} | {} |", cell(&shown), cell(comment)));
    }
}

/// Reads all structs in `src/config`.
fn structs() -> Structs {
    let mut found = Structs::new();
    for entry in walkdir::WalkDir::new(root().join("src/config")).into_iter().map(Result::unwrap) {
        if entry.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let file = syn::parse_file(&fs::read_to_string(entry.path()).unwrap()).unwrap();
        for item in file.items {
            let syn::Item::Struct(item) = item else { continue };
            let mut fields = BTreeMap::new();
            fields.insert(
                String::new(),
                Field { comment: comment(&item.attrs), kind: String::new() },
            );
            for field in &item.fields {
                let Some(name) = &field.ident else {
                    // A map by names that the user gives: each value is of this type.
                    let (comment, kind) = (comment(&item.attrs), value_of_map(&field.ty));
                    fields.insert("*".to_owned(), Field { comment, kind });
                    continue;
                };
                let name = name.to_string().trim_start_matches("r#").to_owned();
                let field = Field { comment: comment(&field.attrs), kind: kind(&field.ty) };
                fields.insert(name, field);
            }
            found.insert(item.ident.to_string(), fields);
        }
    }
    found
}

fn kind(of: &syn::Type) -> String {
    match of {
        syn::Type::Path(path) => {
            path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// The last word of the type of a map's values.
fn value_of_map(of: &syn::Type) -> String {
    let syn::Type::Path(path) = of else { return String::new() };
    let last = path.path.segments.last().map(|last| &last.arguments);
    let Some(syn::PathArguments::AngleBracketed(types)) = last else { return String::new() };
    match types.args.last() {
        Some(syn::GenericArgument::Type(of)) => kind(of),
        _ => String::new(),
    }
}

fn comment(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ").trim().to_owned()
}
