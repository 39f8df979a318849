//! How fast the daemon takes in what agents have on the disk: 1,000 transcripts of 2 GB, written as
//! Claude Code writes them, imported by the program itself. Its memory is the kernel's figure.

use std::{
    fs,
    io::{BufWriter, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

/// Transcripts, and bytes of each.
const FILES: usize = 1000;
const SIZE: usize = 2 << 20;

/// Prints the figures.
pub(crate) fn run() {
    let place = tempfile::Builder::new().prefix("ix").tempdir_in("/tmp").expect("a directory");
    let (home, root) = (place.path().join("h"), place.path().join("s"));
    let work = place.path().join("w");
    let folder = home.join(".claude/projects/-w");
    for directory in [&folder, &work] {
        fs::create_dir_all(directory).expect("a directory");
    }
    let mut written = 0;
    for n in 0..FILES {
        written += write(&folder, &work, n);
    }
    let program = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_stratavore"))
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &home)
            .env("STRATAVORE_HOME", &root)
            .env("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "false")
            .env("STRATAVORE_API_ENABLED", "false")
            .output()
            .expect("the program");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    program(&["new", "w", "--path", &work.to_string_lossy()]);
    let lock = fs::read_to_string(root.join("run/daemon.lock")).expect("a daemon");
    let peak = || {
        let status = fs::read_to_string(format!("/proc/{}/status", lock.trim())).expect("a daemon");
        let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB") >> 10
    };
    let before = peak();
    let start = Instant::now();
    let imported = program(&["sessions", "import", "--all"]).lines().count();
    let took = start.elapsed().as_secs_f64();
    let start = Instant::now();
    program(&["sessions", "search", "jack", "boy"]);
    let searched = start.elapsed();
    let after = peak();
    let mega = f64::from(u32::try_from(written / 1000).unwrap_or(u32::MAX)) / 1000.0;
    let database = fs::metadata(root.join("stratavore.db")).map_or(0, |meta| meta.len() >> 20);
    program(&["daemon", "stop"]);
    println!("{imported} transcripts, {mega:.0} MB in {took:.1} s: {:.0} MB/s", mega / took);
    println!("the daemon's peak was {before} MiB before, {after} MiB after (100 asked)");
    println!("a search took {searched:?}; the database has {database} MiB");
}

/// Writes a transcript; returns its size. Most of one is requests as they were sent and snapshots.
fn write(folder: &Path, work: &Path, n: usize) -> usize {
    let id = format!("0f0e0d0c-0000-4000-8000-{n:012}");
    let file = fs::File::create(folder.join(format!("{id}.jsonl"))).expect("a file");
    let mut file = BufWriter::new(file);
    let text = "All work and no play makes \\\"Jack\\\" a dull boy.\\n".repeat(12);
    let cwd = work.display();
    let sent =
        format!(r#"{{"type":"api-request-shape","sessionId":"{id}","a":"{}"}}"#, text.repeat(60));
    let snapshot = format!(
        r#"{{"parentUuid":"x","isSidechain":false,"attachment":{{"type":"prompt_snapshot","a":"{}"}}}}"#,
        text.repeat(90)
    );
    let (mut size, mut line) = (0, 0);
    while size < SIZE {
        line += 1;
        let own = |kind: &str, rest: &str| {
            format!(
                r#"{{"type":"{kind}","uuid":"{id}-{line}","timestamp":"2026-11-20T06:50:36.754Z","cwd":"{cwd}","sessionId":"{id}",{rest}}}"#
            )
        };
        let result = text.repeat(14);
        let text = match line % 6 {
            0 => sent.clone(),
            1 => own("user", &format!(r#""message":{{"content":"do {line}: {text}"}}"#)),
            2 => snapshot.clone(),
            3 | 4 => own(
                "user",
                &format!(
                    r#""message":{{"content":[{{"type":"tool_result","content":"{result}"}}]}}"#
                ),
            ),
            _ => own(
                "assistant",
                &format!(
                    r#""requestId":"r{id}{line}","message":{{"id":"m{line}","model":"claude-opus-5-5","stop_reason":"tool_use","content":[{{"type":"text","text":"{text}"}}],"usage":{{"input_tokens":1005,"output_tokens":105}}}}"#
                ),
            ),
        };
        size += text.len() + 1;
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).expect("a line");
    }
    file.flush().expect("a file");
    size
}
