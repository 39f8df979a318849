//! How fast transcripts are read, in MB/s of one core: what an agent writes, and the worst of it.
//!
//! The mixes are what was seen in files of Claude Code 2.1.329 and Codex 0.169: most bytes are requests as
//! they were sent and snapshots of prompts. Figures are no assertions.

use std::time::Instant;

use stratavore::{
    agents::transcript::{Entry, Reader},
    domain::{agent::Agent, redact::redact},
};

/// How much is read, in bytes.
const SIZE: usize = 256 << 20;

/// Prints the figures.
pub(crate) fn run() {
    let text = "All work and no play makes \\\"Jack\\\" a dull boy.\\n".repeat(40);
    let claude = |kind: &str, block: &str, n: usize| {
        format!(
            r#"{{"parentUuid":"4c13a96f-a03e-4160-8105-e9261586ec39","isSidechain":false,"message":{{"id":"msg_{n}","type":"message","role":"{kind}","model":"claude-opus-5-5","content":[{block}],"stop_reason":"tool_use","usage":{{"input_tokens":1005,"cache_creation_input_tokens":205,"cache_read_input_tokens":5005,"output_tokens":105,"cache_creation":{{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":205}}}}}},"requestId":"req_{n}","type":"{kind}","uuid":"u{n}","timestamp":"2026-11-20T06:50:36.754Z","cwd":"/home/c3","sessionId":"s"}}"#
        )
    };
    let said = |n| claude("assistant", &format!(r#"{{"type":"text","text":"{text}"}}"#), n);
    let result = |n| {
        let block = format!(r#"{{"type":"tool_result","content":"{}"}}"#, text.repeat(4));
        claude("user", &block, n)
    };
    let sent =
        format!(r#"{{"type":"api-request-shape","sessionId":"s","a":"{}"}}"#, text.repeat(18));
    let snapshot = format!(
        r#"{{"parentUuid":"x","isSidechain":false,"attachment":{{"type":"prompt_snapshot","a":"{}"}}}}"#,
        text.repeat(28)
    );
    measure("claude, as it is written", Agent::Claude, |n| match n % 6 {
        0 => sent.clone(),
        1 => snapshot.clone(),
        2 | 3 => result(n),
        _ => said(n),
    });
    measure("claude, messages alone", Agent::Claude, said);
    measure("claude, results of tools alone", Agent::Claude, result);
    measure("codex", Agent::Codex, |n| match n % 4 {
        0 => format!(
            r#"{{"timestamp":"2026-11-20T06:59:42.350Z","ordinal":{n},"type":"token_usage_record","payload":{{"thread_id":"t","response_id":"resp_{n}","usage":{{"input_tokens":6052,"cached_input_tokens":5026,"output_tokens":126,"reasoning_output_tokens":36}}}}}}"#
        ),
        1 => format!(
            r#"{{"timestamp":"2026-11-20T06:59:42.350Z","ordinal":{n},"type":"event_msg","payload":{{"type":"item_completed","item":{{"type":"AgentMessage","id":"m{n}","content":[{{"type":"Text","text":"{text}"}}]}}}}}}"#
        ),
        _ => format!(
            r#"{{"timestamp":"2026-11-20T06:59:42.350Z","ordinal":{n},"type":"response_item","payload":{{"type":"function_call_output","output":"{text}"}}}}"#
        ),
    });
    redaction(&text);
    measure("gemini", Agent::Gemini, |n| {
        format!(
            r#"{{"id":"m{n}","timestamp":"2026-11-20T07:12:40.872Z","type":"gemini","content":"{text}","tokens":{{"input":6012,"output":106,"cached":5006,"thoughts":16,"tool":0,"total":6134}},"model":"gemini-3.8-flash"}}"#
        )
    });
}

/// Prints how fast secrets are taken out of a text that has a few.
fn redaction(text: &str) {
    let text = format!("{text}\nexport API_KEY=0123456789abcdef\n").repeat(64);
    let (mut size, start) = (0, Instant::now());
    while size < SIZE / 4 {
        size += redact(&text).len();
    }
    let mega = u32::try_from(size >> 20).unwrap_or_default();
    let rate = f64::from(mega) * 1.048_576 / start.elapsed().as_secs_f64();
    println!("{:32} {rate:6.0} MB/s", "secrets taken out");
}

/// Reads lines until there were enough, and prints how fast.
fn measure(name: &str, agent: Agent, line: impl Fn(usize) -> String) {
    let mut lines = Vec::new();
    let mut size = 0;
    while size < SIZE {
        let line = line(lines.len()).into_bytes();
        size += line.len() + 1;
        lines.push(line);
    }
    let mut reader = Reader::new(agent).expect("an agent that writes lines");
    let (mut entries, mut used) = (0_u64, 0_u64);
    let start = Instant::now();
    for line in &lines {
        reader.line(line, &mut |entry| {
            entries += 1;
            used += u64::from(matches!(entry, Entry::Usage(_)));
        });
    }
    let took = start.elapsed();
    let mega = u32::try_from(size >> 20).unwrap_or_default();
    println!(
        "{name:32} {:6.0} MB/s  {:>8} lines {entries:>8} entries {used:>8} requests",
        f64::from(mega) * 1.048_576 / took.as_secs_f64(),
        lines.len(),
    );
}
