//! Stratavore runs and watches many AI coding agents (Claude Code, Codex, Gemini CLI, opencode,
//! any command) across many projects. This page is the map of its code, and is kept true.
//!
//! # Terms
//!
//! A **project** is a directory with settings. An **agent** is a program such as Claude Code. A
//! **runner** is one supervised running agent. A **session** is the agent's conversation, which can
//! outlive runners. A **supervisor** is the small process that owns one runner's PTY. A **node** is
//! one machine with a daemon.
//!
//! # Processes
//!
//! ```text
//!  stratavore (dashboard, command line)   one per terminal
//!        │ gRPC over a unix socket          │ `attach` on the same node: the terminal itself goes
//!        │ (0700 directory, peer uid)       │ to the supervisor, with a grant of the daemon
//!  stratavore --daemon                    │ one per root directory; state, events, API
//!        │ length-delimited protobuf        │
//!        │ over a unix socket each          │
//!  stratavore supervise (hidden) ─────────┘ one per runner; owns PTY, agent, screen, record
//!        │ PTY
//!  the agent
//! ```
//!
//! One binary; the role is chosen by the command line. A supervisor needs nobody: it drains the
//! PTY, answers terminal queries and records the output with no daemon at all. A daemon that starts
//! finds supervisors by their sockets and adopts them; a socket that accepts is the proof of life,
//! and neither age nor a missing row ever ends or starts an agent.
//!
//! # Layers
//!
//! | module | may use | what it is |
//! |---|---|---|
//! | [`domain`] | nothing of ours | types and rules; no I/O, no clock |
//! | [`config`] | domain | what is configured and where from; places; the process environment |
//! | [`git`] | domain, config, process | what is checked out and changed, worktrees, snapshots; the only one that starts git |
//! | [`process`] | domain | processes as the kernel shows them; trees, identities, signals, room for more; the heap given back |
//! | [`runner_dir`] | domain | the files that a supervisor and the daemon share |
//! | [`agents`] | domain | how each agent is started so that it reports, and how that is read |
//! | [`terminal`] | domain | bytes in, screen out |
//! | [`proto`] | domain | generated code, wire ↔ domain |
//! | [`logging`] | nothing of ours | where log lines go |
//! | [`demo`] | domain | the scripted agent: demonstration and test agent |
//! | [`supervisor`] | domain, config, terminal, proto, process, `runner_dir` | the per-runner process |
//! | [`client`] | domain, config, proto, terminal | how ui and cli reach the daemon |
//! | [`daemon`] | domain, config, agents, git, terminal, proto, process, `runner_dir` | the daemon process |
//! | [`ui`] | domain, config, client, git, terminal | the dashboard |
//! | [`cli`] | domain, config, agents (hooks), client, logging; the others at their entry points | commands |
//!
//! `tests/architecture.rs` holds this table.
//!
//! # Walks
//!
//! **Launch.** `cli/commands/launch` → `client/runners` → `daemon/grpc/runners` →
//! `daemon/services/launch`: a supervisor is taken from reserve (or started), the row is written as
//! `starting` together with its event, then `daemon/fleet/launch` hands the waiting supervisor its
//! specification on its standard input; one that is told nothing leaves, having started nothing.
//! The supervisor claims the run by creating a file, opens the PTY, starts the agent, and reports on
//! its standard output; the row becomes `running`. Whoever creates the claim first decides: a
//! daemon that died anywhere in between leaves one agent or none, and the next one's reconciler can
//! tell which.
//!
//! **Output.** agent → PTY → `supervisor/output`: `terminal` makes text of the batch (what is none
//! becomes U+FFFD), answers its queries, cuts them from what is forwarded, draws the screen when
//! somebody looks, keeps the history in a compressed ring; viewers get bytes, the record gets
//! everything. A viewer that lags loses the past and is shown the present. A dashboard pane gets
//! frames: the supervisor sends differences, the daemon's `fleet/frames` keeps a mirror and sends
//! each subscriber what it has not seen, at its own pace.
//!
//! **Event.** A service hands the store a [`daemon::store::Write`]: statements and the events they
//! cause. The one writer applies many in one transaction, in which each event is numbered within its
//! entity, signed, and, where this daemon seals, given its place in the log and queued for the
//! broker. `daemon/tasks/relay` is handed what was just queued and reads what it has no room for, has one
//! event of each entity at a time at `daemon/broker`, and removes what was confirmed. Followers read on from their place; the doorbell
//! only wakes them.
//!
//! **Usage to budget.** agent → telemetry and hooks to a loopback port of its `supervisor/meter`, which
//! keeps them in the runner's spool and answers hooks with what the daemon last said →
//! `daemon/services/intake` reads the spool on, through `agents` → one write of `store/usage`: the
//! requests, every total, every budget whose period they lie in, and the place in the spool →
//! `services/budgets` tells what share is used and asks `domain::enforcement` what is to be done:
//! hooks refuse, keys interrupt, processes pause or end; raised or over, all of it is undone.
//!
//! **Transcript.** What an agent writes down is the second source. `daemon/transcripts` finds files,
//! hears from the kernel that they grew, and reads them on through `agents`;
//! `services/transcripts` says whose each request was, takes secrets out of what was said, and writes
//! a piece together with the place behind it → `store/accounts` finds the request that telemetry told
//! of already: by its key, or, where an agent names it in one of both only, by runner or conversation, time and
//! numbers; what was charged to another holder of the conversation is moved to the one that told of it.
//! Packed copies are `daemon/blobs`'.
//!
//! **Telling people.** `tasks/notify`, under a lease, reads the event log on →
//! `domain::notification` says what an event says, where and when → one write of `store/notifications`:
//! a row for each channel, and the place in the log → `services/notifications` looks whether it is
//! still true and nobody is before that screen, and hands it to `daemon/notify`; what the channel has
//! not taken is due again. Of a question that ends, `notifications/endings` takes the buttons away. What
//! is said to the bot goes the other way: `daemon/notify/telegram` → `services/chat` → the same services
//! that any client calls.
//!
//! **HTTP.** `daemon/http/server` (TLS, deadlines; `http/open`: idle connections give way) → `http/guard`: `Host` and `Origin`, whose process it is
//! (`process`: an agent is refused, whatever it shows), token, pace, the scope and the parameters that the document names →
//! `http/<resource>`, which calls the same services as gRPC. The document (`http/document`) is made of the
//! handlers and of the domain's types, which derive their schemas.
//!
//! **Status.** What the supervisor hears and sees (reports, title, screen), what hooks tell, and what
//! `daemon/sources` hear on agents' own interfaces and state files goes to `services/evidence`;
//! `domain::evidence` keeps each source's last word and says which is believed. Where a person says that
//! it is wrong, `services/correct` keeps the screen, has `agents/teaching` draft a rule that is wrong about
//! no known screen (`agents/fixtures`), and `daemon/screens` puts it in force.
//!
//! **Inbox.** A change of a runner → `domain::inbox` says which items it opens, refines or resolves → steps
//! of that change's own write (`store/inbox`), whose rows cause the events. An answer, from whatever surface →
//! `services/inbox` → `services/answer`: over the agent's interface, else through its hook, which
//! `supervisor/meter` holds open and `services/approvals` has paired with the item, else by keys. The policy
//! (`domain::approval`) is asked before a person: to deny, in the hook itself (`cli/hook`); to allow, by the daemon.
//! Alerts are items that no runner resolves (`store/alerts`): their component says that they are over.
//!
//! **Metrics.** A scrape → `daemon/metrics` → `services/metrics`, which asks store, fleet and broker then and
//! there, once for all who ask within a second; latencies are counted where they happen, in
//! `domain::metric`'s histograms. Every metric stands in its table. `daemon/trace` is the trace a call belongs to;
//! with a collector configured its spans go there.
//!
//! **End.** The supervisor reaps the agent, drains the PTY for 500 ms at most, ends what the agent
//! left behind, writes how it ended to disk, and tells the daemon; `daemon/services/settle` writes
//! the row with its event. If the supervisor itself dies, its link ends without a word: the daemon
//! ends the tree it knew and everything that carries the runner's mark, and the runner is `failed
//! (supervisor lost)`.

pub mod agents;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod domain;
pub mod git;
pub mod logging;
pub mod process;
pub mod proto;
pub mod runner_dir;
pub mod supervisor;
pub mod terminal;
pub mod ui;
