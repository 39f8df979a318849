//! The reference of the gRPC API, from the comments in the protocol files.

use std::fs;

use super::{cell, check, root};

const HEAD: &str = "# gRPC\n\nGenerated from `proto/stratavore/v1` by `./tests/run docs`.\n\n\
The daemon serves on the unix socket `run/daemon.sock` of the root directory, for processes of its own user \
that are not inside a runner; those may call `SendHeartbeat` for their own runner, and nothing else. Failures \
carry a stable reason, a sentence and what to do next. Fields and calls are only ever added.\n\n\
A call's full name is `/stratavore.v1.SERVICE/CALL`, `/stratavore.v1.Runners/ListRunners` for example. There is no \
reflection: a client needs the protocol files, or bytes. An empty request is five zero bytes:\n\n\
```shell\nprintf '\\0\\0\\0\\0\\0' | curl -sS --http2-prior-knowledge \\\n  \
--unix-socket ~/.local/state/stratavore/run/daemon.sock \\\n  -H 'content-type: application/grpc' -H 'te: trailers' \
--data-binary @- \\\n  http://localhost/stratavore.v1.Runners/ListRunners --output runners.bin\n```\n\n\
The same with grpcio of Python, which adds these five bytes itself; the answer is a `ListRunnersResponse`:\n\n\
```python\nimport grpc\nfrom pathlib import Path\n\n\
socket = Path.home() / \".local/state/stratavore/run/daemon.sock\"\n\
channel = grpc.insecure_channel(f\"unix:{socket}\", [(\"grpc.default_authority\", \"localhost\")])\n\
answer = channel.unary_unary(\"/stratavore.v1.Runners/ListRunners\")(b\"\")\n```\n";

#[test]
fn the_reference_of_the_api_is_what_the_protocol_says() {
    let dir = root().join("proto/stratavore/v1");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut page = HEAD.to_owned();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        page.push_str(&format!("\n## {name}.proto\n"));
        Reader::default().read(&fs::read_to_string(&file).unwrap(), &mut page);
    }
    assert!(page.contains("### Call LaunchRunner"), "calls are not read");
    assert!(page.contains("| `runner_id` |"), "fields are not read");
    check("grpc.md", &page);
}

/// Where a line stands.
#[derive(Default)]
struct Reader {
    comment: Vec<String>,
    /// Whether the fields of a message have begun, and so a table.
    in_table: bool,
    /// Names of the blocks around.
    blocks: Vec<String>,
    /// A statement that is not yet at its end.
    open: String,
}

impl Reader {
    fn read(mut self, text: &str, page: &mut String) {
        for line in text.lines() {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix("//") {
                self.comment.push(comment.trim().to_owned());
            } else if line.is_empty() {
                if self.blocks.is_empty() {
                    self.comment.clear();
                }
            } else {
                let code = line.split(" // ").next().unwrap_or(line);
                self.open = format!("{} {code}", self.open).trim().to_owned();
                if self.open.ends_with([';', '{', '}']) {
                    let statement = std::mem::take(&mut self.open);
                    self.statement(&statement, page);
                }
            }
        }
    }

    fn statement(&mut self, statement: &str, page: &mut String) {
        let comment = std::mem::take(&mut self.comment).join(" ");
        let words: Vec<_> = statement.split_whitespace().collect();
        match words.as_slice() {
            ["service", name, "{"] => {
                page.push_str(&format!("\n{}\n", sentence(&format!("Service `{name}`"), &comment)));
                self.blocks.push((*name).to_owned());
            }
            ["message" | "enum", name, "{", end @ ..] => {
                page.push_str(&format!("\n### {name}\n"));
                if !comment.is_empty() {
                    page.push_str(&format!("\n{comment}\n"));
                }
                self.in_table = false;
                if end.is_empty() {
                    self.blocks.push((*name).to_owned());
                }
            }
            ["oneof", name, "{"] => self.blocks.push(format!("one of {name}")),
            ["}" | "};"] => drop(self.blocks.pop()),
            ["rpc", ..] => {
                let call = statement.trim_start_matches("rpc ").trim_end_matches([';', '{']).trim();
                let name = call.split('(').next().unwrap_or(call).trim();
                page.push_str(&format!("\n### Call {name}\n\n`{call}`\n"));
                if !comment.is_empty() {
                    page.push_str(&format!("\n{comment}\n"));
                }
                if statement.ends_with('{') {
                    self.blocks.push(String::new());
                }
            }
            [.., name, "=", _number] | [.., name, "=", _number, _] if !self.blocks.is_empty() => {
                if !self.in_table {
                    page.push_str("\n| field | type | what it is |\n|---|---|---|\n");
                    self.in_table = true;
                }
                let kind = words.iter().take_while(|word| *word != name).copied();
                let kind = kind.collect::<Vec<_>>().join(" ");
                let within = self.blocks.last().filter(|block| block.starts_with("one of"));
                let within = within.map(|block| format!("{block}: ")).unwrap_or_default();
                page.push_str(&format!("| `{name}` | {kind} | {within}{} |\n", cell(&comment)));
            }
            _ => {}
        }
    }
}

fn sentence(start: &str, comment: &str) -> String {
    if comment.is_empty() { format!("{start}.") } else { format!("{start}: {comment}") }
}
