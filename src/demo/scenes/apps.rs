//! Scenes of people who build what users see. Material only, see the parent module.

use super::Beat::{Bash, Edit, Read, Say, Search};
use super::{Part, Scene};

/// A bug in a web shop's login.
pub(super) static LOGIN: Scene = Scene {
    title: "Fix login redirect",
    turns: [
        Part {
            prompt: "after login users land on / instead of the page they came from, fix it",
            beats: &[
                Say("I'll look at how the redirect target is carried through the login form."),
                Search("return_to"),
                Read("src/auth/session.rs"),
                Say("The target is read after the session is rotated, so it is always empty."),
                Edit(
                    "src/auth/session.rs",
                    &[
                        "-    session.rotate();",
                        "-    let target = session.take(\"return_to\");",
                        "+    let target = session.take(\"return_to\").filter(is_local_path);",
                        "+    session.rotate();",
                    ],
                ),
                Bash(
                    "cargo test auth",
                    &["running {m} tests", "test result: ok. {m} passed; 0 failed; {s}s"],
                ),
                Bash(
                    "npm test",
                    &["Test Suites: {m} passed, {m} total", "Tests:       {n} passed, {n} total"],
                ),
            ],
            end: "I have fixed the login redirect and all {n} tests pass. Only local paths are \
                accepted, so it cannot be used to send people elsewhere.",
        },
        Part {
            prompt: "add a test for an external url in return_to",
            beats: &[
                Read("tests/login.rs"),
                Edit(
                    "tests/login.rs",
                    &[
                        "+#[test]",
                        "+fn external_target_is_ignored() {",
                        "+    assert_eq!(login_with(\"//evil.example\"), \"/\");",
                        "+}",
                    ],
                ),
                Bash(
                    "cargo test --test login",
                    &[
                        "test external_target_is_ignored ... ok",
                        "test result: ok. {m} passed; 0 failed; {s}s",
                    ],
                ),
            ],
            end: "The new test covers scheme-relative and absolute URLs.",
        },
    ],
    ask: ("git push origin fix-login", "Push the branch", "fix-login -> fix-login"),
    question: ("Which port should the server use?", ["3000", "8080"]),
    answer_file: (".env.example", "PORT={answer}"),
    error: "connect ECONNREFUSED 127.0.0.1:5432",
};

/// A second set of colours.
pub(super) static DARK_MODE: Scene = Scene {
    title: "Dark mode",
    turns: [
        Part {
            prompt: "add a dark mode that follows the system and can be switched by hand",
            beats: &[
                Search("--color-"),
                Read("src/styles/tokens.css"),
                Say("The colours are already variables, so one second set is enough."),
                Edit(
                    "src/styles/tokens.css",
                    &[
                        "+@media (prefers-color-scheme: dark) {",
                        "+  :root:not([data-theme=light]) { --bg: #16181d; --fg: #e6e6e6; }",
                        "+}",
                    ],
                ),
                Edit(
                    "src/components/ThemeSwitch.tsx",
                    &[
                        "+export function ThemeSwitch() {",
                        "+  const [theme, setTheme] = useTheme();",
                    ],
                ),
                Bash(
                    "pnpm vitest run",
                    &["Test Files  {m} passed ({m})", "     Tests  {n} passed ({n})"],
                ),
                Bash("pnpm build", &["dist/index.js  {n}.{m} kB", "built in {s}s"]),
            ],
            end: "Dark mode follows the system and the switch in the header overrides it. The \
                bundle grew by {m} kB.",
        },
        Part {
            prompt: "the chart axis is unreadable in dark mode",
            beats: &[
                Read("src/components/Chart.tsx"),
                Edit(
                    "src/components/Chart.tsx",
                    &["-  stroke=\"#333\"", "+  stroke=\"var(--fg-muted)\""],
                ),
                Bash("pnpm vitest run Chart", &["     Tests  {m} passed ({m})"]),
            ],
            end: "The axis uses the muted text colour in both themes.",
        },
    ],
    ask: (
        "pnpm add -D @axe-core/playwright",
        "Add the contrast checker to the tests",
        "devDependencies: + @axe-core/playwright 4.{m}.0",
    ),
    question: ("What should the theme be when the system has no preference?", ["Light", "Dark"]),
    answer_file: ("src/theme.ts", "export const fallback = \"{answer}\";"),
    error: "Failed to load url /src/styles/tokens.css: too many open files",
};

/// An endpoint that is too slow.
pub(super) static ORDERS: Scene = Scene {
    title: "Paged orders endpoint",
    turns: [
        Part {
            prompt: "GET /orders times out for big customers, page it without breaking clients",
            beats: &[
                Read("api/orders.ts"),
                Bash(
                    "psql -c 'explain analyze select …'",
                    &["Seq Scan on orders  (actual time=0.03..{n}1.2 rows={n}000)"],
                ),
                Say("Old clients expect an array, so paging starts only when a cursor or a limit \
                     is given."),
                Edit(
                    "api/orders.ts",
                    &[
                        "+  const { cursor, limit } = page(req.query);",
                        "-  return db.orders.find({ customer });",
                        "+  return db.orders.after(cursor).take(limit);",
                    ],
                ),
                Edit(
                    "db/schema.sql",
                    &["+create index orders_customer_id on orders (customer, id);"],
                ),
                Bash(
                    "npm test -- orders",
                    &["Tests:       {n} passed, {n} total", "Time:        {s} s"],
                ),
            ],
            end: "Paging works with `cursor` and `limit`; a full page takes {m} ms instead of \
                {n}0 ms.",
        },
        Part {
            prompt: "write the openapi part",
            beats: &[
                Edit(
                    "openapi.yaml",
                    &[
                        "+      - name: cursor",
                        "+        in: query",
                        "+        schema: { type: string }",
                    ],
                ),
                Bash("npx redocly lint openapi.yaml", &["Woohoo! Your API description is valid."]),
            ],
            end: "Both parameters and the `next` link are described.",
        },
    ],
    ask: (
        "npm run migrate -- --env staging",
        "Create the index on staging",
        "0107_orders_index applied in {s}s",
    ),
    question: ("How many orders should one page hold by default?", ["50", "100"]),
    answer_file: ("api/config.ts", "export const pageSize = {answer};"),
    error: "migration 0107_orders_index failed: lock timeout after 30 s",
};

/// A wrong cent.
pub(super) static INVOICES: Scene = Scene {
    title: "Invoice rounding",
    turns: [
        Part {
            prompt: "invoices are off by one cent for some customers, find it",
            beats: &[
                Search("round("),
                Read("billing/invoice.rb"),
                Say(
                    "Tax is rounded per line and again for the sum. The law here wants it rounded \
                     once.",
                ),
                Edit(
                    "billing/invoice.rb",
                    &[
                        "-  lines.sum { |l| (l.net * l.rate).round(2) }",
                        "+  lines.group_by(&:rate).sum { |r, ls| (ls.sum(&:net) * r).round(2) }",
                    ],
                ),
                Bash(
                    "bundle exec rspec billing",
                    &["{n} examples, 0 failures", "Finished in {s} seconds"],
                ),
                Bash(
                    "bin/replay-invoices --month 2026-09",
                    &["{n}1 invoices, {m} differ, each by 0.01"],
                ),
            ],
            end: "Tax is rounded once per rate. {m} invoices of September would have been one \
                cent different; the list is in tmp/replay.csv.",
        },
        Part {
            prompt: "write a short note for accounting",
            beats: &[
                Read("tmp/replay.csv"),
                Edit(
                    "notes/2026-10-rounding.md",
                    &["+# Rounding of tax", "+From October on tax is rounded once per rate."],
                ),
            ],
            end: "The note is in notes/2026-10-rounding.md.",
        },
    ],
    ask: ("bin/deploy billing --to production", "Deploy the fix", "billing is live after {n}s"),
    question: ("Should invoices already sent be corrected?", ["No", "Send credit notes"]),
    answer_file: ("billing/policy.yml", "already_sent: {answer}"),
    error: "Stripe::APIConnectionError: could not resolve api.stripe.com",
};
