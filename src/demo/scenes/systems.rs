//! Scenes of people who keep things running. Material only, see the parent module.

use super::Beat::{Bash, Edit, Read, Say};
use super::{Part, Scene};

/// A nightly job that gives up too early.
pub(super) static IMPORT: Scene = Scene {
    title: "Nightly import retries",
    turns: [
        Part {
            prompt: "the nightly import dies when the warehouse is briefly down. make it retry",
            beats: &[
                Read("jobs/import.py"),
                Bash("grep -c 'connection refused' logs/import.log", &["{n}"]),
                Say("All failures happen in the first minute after midnight, while the warehouse \
                     restarts. Retrying with a growing pause for two minutes is enough."),
                Edit(
                    "jobs/import.py",
                    &[
                        "-    rows = fetch(url)",
                        "+    rows = retry(fetch, url, tries=6, first_pause=2.0)",
                    ],
                ),
                Edit(
                    "jobs/retry.py",
                    &[
                        "+def retry(call, *args, tries, first_pause):",
                        "+    for n in range(tries):",
                        "+        ...",
                    ],
                ),
                Bash("pytest -q jobs", &["{n} passed in {s}s"]),
            ],
            end: "The import now retries for two minutes and then fails with the last error. {n} \
                tests pass.",
        },
        Part {
            prompt: "log each retry with the reason",
            beats: &[
                Edit(
                    "jobs/retry.py",
                    &["+        log.warning(\"try %d of %d: %s\", n + 1, tries, error)"],
                ),
                Bash("pytest -q jobs", &["{n} passed in {s}s"]),
                Bash("ruff check jobs", &["All checks passed!"]),
            ],
            end: "Every retry is one warning line with its number and the reason.",
        },
    ],
    ask: (
        "psql $WAREHOUSE -f migrations/0042_import_runs.sql",
        "Create the table import_runs",
        "CREATE TABLE",
    ),
    question: ("How long may the import keep retrying?", ["2 minutes", "15 minutes"]),
    answer_file: ("jobs/config.toml", "retry_for = \"{answer}\""),
    error: "connection to warehouse.internal:5439 failed: connection refused",
};

/// A worker that runs out of memory.
pub(super) static MEMORY: Scene = Scene {
    title: "Memory limits",
    turns: [
        Part {
            prompt: "the worker pods get OOM killed on mondays, find out why and set sane limits",
            beats: &[
                Bash(
                    "kubectl top pods -n jobs",
                    &["worker-7c9f  412m  1{n}Mi", "worker-x2kd  398m  1{n}Mi"],
                ),
                Read("deploy/worker.yaml"),
                Say(
                    "The weekly report loads every row at once. A limit alone would only move the \
                     kill.",
                ),
                Edit(
                    "worker/report.go",
                    &[
                        "-\trows, err := db.All(ctx)",
                        "+\terr := db.Each(ctx, 500, func(rows []Row) error {",
                    ],
                ),
                Edit("deploy/worker.yaml", &["-    memory: 512Mi", "+    memory: 768Mi"]),
                Bash(
                    "go test ./worker/...",
                    &["ok   worker         {s}s", "ok   worker/report  {s}s"],
                ),
            ],
            end: "The report reads 500 rows at a time and stays under {n} MiB; the limit is 768 \
                MiB.",
        },
        Part {
            prompt: "add an alert at 80 % of the limit",
            beats: &[
                Read("deploy/alerts.yaml"),
                Edit(
                    "deploy/alerts.yaml",
                    &[
                        "+  - alert: WorkerMemoryHigh",
                        "+    expr: worker_memory_ratio > 0.8",
                        "+    for: 10m",
                    ],
                ),
                Bash("promtool check rules deploy/alerts.yaml", &["SUCCESS: {m} rules found"]),
            ],
            end: "The alert fires after ten minutes above 80 %.",
        },
    ],
    ask: (
        "kubectl apply -n jobs -f deploy/worker.yaml",
        "Roll out the new limit",
        "deployment.apps/worker configured",
    ),
    question: ("Which cluster should get the change first?", ["staging", "eu-west"]),
    answer_file: ("deploy/rollout.yaml", "first: {answer}"),
    error: "dial tcp 10.0.3.17:6443: i/o timeout",
};

/// A page of documentation.
pub(super) static QUICK_START: Scene = Scene {
    title: "Rewrite quick start",
    turns: [
        Part {
            prompt: "the quick start takes 20 minutes, rewrite it so that a stranger needs five",
            beats: &[
                Read("docs/quick-start.md"),
                Bash(
                    "docker run --rm -v $PWD:/d alpine sh /d/docs/try.sh",
                    &["step 3: npm install -g ... {n}s", "step 5: missing DATABASE_URL"],
                ),
                Say("Step 5 fails for everyone without a database. I'll make the default a local \
                     file and move the rest to a second page."),
                Edit(
                    "docs/quick-start.md",
                    &[
                        "-Install PostgreSQL 15 or newer and create a user.",
                        "+Run `shop init`. It keeps its data in one local file.",
                    ],
                ),
                Bash(
                    "docker run --rm -v $PWD:/d alpine sh /d/docs/try.sh",
                    &["all steps ok in {n}s"],
                ),
            ],
            end: "A stranger needs four commands. Everything about PostgreSQL moved to \
                docs/production.md.",
        },
        Part {
            prompt: "check all links",
            beats: &[
                Bash("lychee docs", &["{n} links, {m} errors"]),
                Edit(
                    "docs/production.md",
                    &["-[backups](backup.md)", "+[backups](operations/backup.md)"],
                ),
                Bash("lychee docs", &["{n} links, 0 errors"]),
            ],
            end: "All links work.",
        },
    ],
    ask: ("rm docs/old/*.md", "Remove the pages nothing links to", "(no output)"),
    question: ("Should the page show npm or pnpm commands?", ["npm", "pnpm"]),
    answer_file: ("docs/quick-start.md", "{answer} install"),
    error: "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock",
};

/// A hot loop.
pub(super) static CSV: Scene = Scene {
    title: "Faster CSV parser",
    turns: [
        Part {
            prompt: "profile the csv parser and make the hot loop faster",
            beats: &[
                Bash("cargo bench csv", &["parse/1MB   time: [{s} ms]   thrpt: [{n} MiB/s]"]),
                Read("src/csv/split.rs"),
                Say("Most of the time goes into one allocation per field. Fields can borrow from \
                     the line unless they hold a quote."),
                Edit(
                    "src/csv/split.rs",
                    &[
                        "-    fields.push(field.to_string());",
                        "+    fields.push(unquote(field)); // Cow, borrowed in the usual case",
                    ],
                ),
                Bash("cargo test csv", &["test result: ok. {n} passed; 0 failed; {s}s"]),
                Bash(
                    "cargo bench csv",
                    &[
                        "parse/1MB   time: [{s} ms]   thrpt: [4{n} MiB/s]",
                        "Performance has improved.",
                    ],
                ),
            ],
            end: "Parsing is {m} times as fast; the public API is unchanged.",
        },
        Part {
            prompt: "fuzz it for a minute",
            beats: &[
                Bash(
                    "cargo fuzz run csv -- -max_total_time=60",
                    &["#{n}0412 DONE cov: {n} ft: {n}1", "stat::number_of_executed_units: {n}0412"],
                ),
                Read("fuzz/fuzz_targets/csv.rs"),
            ],
            end: "No crash in one minute.",
        },
    ],
    ask: ("cargo publish -p fastcsv", "Publish version 0.{m}.0", "Published fastcsv v0.{m}.0"),
    question: ("Should a stray quote be an error or be kept as text?", ["Error", "Keep it"]),
    answer_file: ("src/csv/options.rs", "// stray quotes: {answer}"),
    error: "linking with `cc` failed: no space left on device",
};
