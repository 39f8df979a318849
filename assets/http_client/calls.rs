//! A function for each call of the HTTP API. Made from the API's own description by `./tests/run docs`: changes here are lost.
//!
//! Each fails when the API refuses, or does not answer.

use reqwest::{Method, Response};
use serde_json::Value;

use super::{Client, Failed, Query, keyed};

impl Client {
    /// Lists the agents that can be launched by name.
    ///
    /// For: `viewer`.
    pub(crate) async fn list_agents(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["agents"])).await
    }

    /// Checks whether the event log is what was written. That it is not is an answer too.
    ///
    /// For: `admin`.
    pub(crate) async fn verify_audit(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["audit", "verify"]).json(body), key)).await
    }

    /// Gives a backup, as it is made now: the database, the keys of the event log, configuration. It is put back on the machine itself, with `stratavore restore`, while no daemon runs.
    ///
    /// For: `admin`.
    ///
    /// Parameters: `with_output`.
    pub(crate) async fn get_backup(&self, query: Query<'_>) -> Result<Response, Failed> {
        self.response(self.call(Method::GET, &["backup"]).query(query)).await
    }

    /// Lists the budgets that are in force.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `limit`, `cursor`.
    pub(crate) async fn list_budgets(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["budgets"]).query(query)).await
    }

    /// Removes the budgets of a scope.
    ///
    /// For: `admin`.
    ///
    /// Parameters: `period`.
    pub(crate) async fn remove_budget(&self, scope: &str, query: Query<'_>) -> Result<(), Failed> {
        self.response(self.call(Method::DELETE, &["budgets", scope]).query(query)).await?;
        Ok(())
    }

    /// Lets the budgets of a scope begin anew.
    ///
    /// For: `admin`.
    ///
    /// Parameters: `period`.
    pub(crate) async fn reset_budget(&self, scope: &str, query: Query<'_>, key: Option<&str>) -> Result<(), Failed> {
        self.response(keyed(self.call(Method::POST, &["budgets", scope, "reset"]).query(query), key)).await?;
        Ok(())
    }

    /// Sets a budget.
    ///
    /// For: `admin`.
    pub(crate) async fn set_budget(&self, scope: &str, period: &str, body: &Value) -> Result<(), Failed> {
        self.response(self.call(Method::PUT, &["budgets", scope, period]).json(body)).await?;
        Ok(())
    }

    /// Shows the configuration that the daemon runs with; secrets are masked.
    ///
    /// For: `admin`.
    pub(crate) async fn get_config(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["config"])).await
    }

    /// Lists conversations that agents have on the daemon's disk and that can be taken in.
    ///
    /// For: `operator`.
    ///
    /// Parameters: `agent`.
    pub(crate) async fn find_conversations(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["conversations"]).query(query)).await
    }

    /// Shows how it stands with the database.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_database(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["database"])).await
    }

    /// Tells what happened while nobody looked.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `since`.
    pub(crate) async fn get_digest(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["digest"]).query(query)).await
    }

    /// Lists events in the order in which they happened, from the oldest that is kept.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `project`, `type`, `runner`, `since`, `until`, `limit`, `cursor`.
    pub(crate) async fn list_events(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["events"]).query(query)).await
    }

    /// Follows the events, as server-sent events: `id` is the position, `event` the type, `data` the event. Whoever comes back with the last id misses nothing. The stream ends when its token does; a position that the log has not reached is refused.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `project`, `type`, `runner`, `since`, `until`, `after`.
    pub(crate) async fn follow_events(&self, query: Query<'_>) -> Result<Response, Failed> {
        self.response(self.call(Method::GET, &["events", "stream"]).query(query)).await
    }

    /// Shows an event.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_event(&self, event: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["events", event])).await
    }

    /// Shows how each part of the daemon is.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_health(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["health"])).await
    }

    /// Lists what waits for a person, the newest first.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `project`, `snoozed`, `closed`, `limit`, `cursor`.
    pub(crate) async fn list_items(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["inbox"]).query(query)).await
    }

    /// Puts away all that may be, of one project or of all.
    ///
    /// For: `operator`.
    pub(crate) async fn dismiss_items(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["inbox", "dismiss"]).json(body), key)).await
    }

    /// Shows an item.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_item(&self, item: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["inbox", item])).await
    }

    /// Answers an item.
    ///
    /// For: `operator`.
    pub(crate) async fn answer_item(&self, item: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["inbox", item, "answer"]).json(body), key)).await
    }

    /// Allows what an item asks for, this once.
    ///
    /// For: `operator`.
    pub(crate) async fn approve_item(&self, item: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["inbox", item, "approve"]).json(body), key)).await
    }

    /// Refuses what an item asks for.
    ///
    /// For: `operator`.
    pub(crate) async fn deny_item(&self, item: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["inbox", item, "deny"]).json(body), key)).await
    }

    /// Puts an item away.
    ///
    /// For: `operator`.
    pub(crate) async fn dismiss_item(&self, item: &str, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["inbox", item, "dismiss"]), key)).await
    }

    /// Puts an item off.
    ///
    /// For: `operator`.
    pub(crate) async fn snooze_item(&self, item: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["inbox", item, "snooze"]).json(body), key)).await
    }

    /// Shows figures by name.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_metrics(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["metrics"])).await
    }

    /// Lists the nodes that share the database.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `limit`, `cursor`.
    pub(crate) async fn list_nodes(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["nodes"]).query(query)).await
    }

    /// Forgets a node that is gone, and with it its runners.
    ///
    /// For: `admin`.
    pub(crate) async fn forget_node(&self, node: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::DELETE, &["nodes", node])).await
    }

    /// Lists what people outside are told, the newest first.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `state`, `limit`, `cursor`.
    pub(crate) async fn list_notifications(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["notifications"]).query(query)).await
    }

    /// Tells people outside something.
    ///
    /// For: `operator`.
    pub(crate) async fn notify(&self, body: &Value, key: Option<&str>) -> Result<(), Failed> {
        self.response(keyed(self.call(Method::POST, &["notifications"]).json(body), key)).await?;
        Ok(())
    }

    /// Gives notifications up.
    ///
    /// For: `admin`.
    pub(crate) async fn discard_notifications(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["notifications", "discard"]).json(body), key)).await
    }

    /// Gives notifications that were not taken their tries back and ends the rest of every channel, or has one that waits tried at once.
    ///
    /// For: `admin`.
    pub(crate) async fn retry_notifications(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["notifications", "retry"]).json(body), key)).await
    }

    /// Tries the channels to people outside.
    ///
    /// For: `operator`.
    pub(crate) async fn test_channels(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["notifications", "test"]).json(body), key)).await
    }

    /// Describes this API, as `OpenAPI` 3.1.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_document(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["openapi.json"])).await
    }

    /// Lists the events that wait for the broker, the oldest first.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `parked`, `limit`, `cursor`.
    pub(crate) async fn list_outbox(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["outbox"]).query(query)).await
    }

    /// Counts the events that wait for the broker.
    ///
    /// For: `viewer`.
    pub(crate) async fn count_outbox(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["outbox", "counts"])).await
    }

    /// Gives events up that wait for the broker.
    ///
    /// For: `admin`.
    pub(crate) async fn discard_outbox(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["outbox", "discard"]).json(body), key)).await
    }

    /// Gives parked events their tries back.
    ///
    /// For: `admin`.
    pub(crate) async fn retry_outbox(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["outbox", "retry"]).json(body), key)).await
    }

    /// Lists the projects, by name.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `status`, `limit`, `cursor`.
    pub(crate) async fn list_projects(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["projects"]).query(query)).await
    }

    /// Registers a directory as a project.
    ///
    /// For: `operator`.
    pub(crate) async fn create_project(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["projects"]).json(body), key)).await
    }

    /// Removes a project; its directory stays.
    ///
    /// For: `admin`.
    ///
    /// Parameters: `force`.
    pub(crate) async fn delete_project(&self, project: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::DELETE, &["projects", project]).query(query)).await
    }

    /// Shows a project.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_project(&self, project: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["projects", project])).await
    }

    /// Shows the rules for what agents may do in a project without asking: the user's, and the project's.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_approvals(&self, project: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["projects", project, "approvals"])).await
    }

    /// Says what would be decided if an agent wanted this in a project.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `argument`.
    pub(crate) async fn test_approvals(&self, project: &str, agent: &str, tool: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["projects", project, "approvals", "verdict"]).query(&[("agent", agent), ("tool", tool)]).query(query)).await
    }

    /// Takes limits of a project away.
    ///
    /// For: `admin`.
    ///
    /// Parameters: `name`.
    pub(crate) async fn clear_quota(&self, project: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::DELETE, &["projects", project, "quota"]).query(query)).await
    }

    /// Shows what a project may use at once, and what it uses.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_quota(&self, project: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["projects", project, "quota"])).await
    }

    /// Sets the limits of a project; those that are missing or null are taken away.
    ///
    /// For: `admin`.
    pub(crate) async fn set_quota(&self, project: &str, body: &Value) -> Result<Value, Failed> {
        self.value(self.call(Method::PUT, &["projects", project, "quota"]).json(body)).await
    }

    /// Takes back a prompt that waits.
    ///
    /// For: `operator`.
    pub(crate) async fn cancel_prompt(&self, prompt: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::DELETE, &["prompts", prompt])).await
    }

    /// Lists what projects may use at once, and what they use.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `limit`, `cursor`.
    pub(crate) async fn list_quotas(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["quotas"]).query(query)).await
    }

    /// Settles every row against what really runs.
    ///
    /// For: `admin`.
    pub(crate) async fn reconcile(&self, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["reconcile"]), key)).await
    }

    /// Lists the runners, the newest first.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `project`, `status`, `limit`, `cursor`.
    pub(crate) async fn list_runners(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners"]).query(query)).await
    }

    /// Launches an agent, or any command.
    ///
    /// For: `operator`.
    pub(crate) async fn launch_runner(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners"]).json(body), key)).await
    }

    /// Removes an ended runner with what it printed.
    ///
    /// For: `operator`.
    pub(crate) async fn remove_runner(&self, runner: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::DELETE, &["runners", runner])).await
    }

    /// Shows a runner.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_runner(&self, runner: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners", runner])).await
    }

    /// Answers what a runner's agent asks.
    ///
    /// For: `operator`.
    pub(crate) async fn answer_runner(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "answer"]).json(body), key)).await
    }

    /// Shows what has changed since a runner was launched.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `patch_bytes`.
    pub(crate) async fn get_changes(&self, runner: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners", runner, "changes"]).query(query)).await
    }

    /// Says what a runner is really at, where its state is wrong; a rule is learnt from it.
    ///
    /// For: `operator`.
    pub(crate) async fn correct_runner(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "correct"]).json(body), key)).await
    }

    /// Tells why a runner's state is what it is.
    ///
    /// For: `viewer`.
    pub(crate) async fn explain_runner(&self, runner: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners", runner, "explanation"])).await
    }

    /// Takes a sign of life of an agent; one inside a runner needs no token, and speaks for itself alone.
    ///
    /// For: `operator`.
    pub(crate) async fn send_heartbeat(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "heartbeat"]).json(body), key)).await
    }

    /// Types into a runner at once, whatever its agent is doing; prompts are better sent as such.
    ///
    /// For: `operator`.
    pub(crate) async fn send_input(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "input"]).json(body), key)).await
    }

    /// Ends a runner at once.
    ///
    /// For: `operator`.
    pub(crate) async fn kill_runner(&self, runner: &str, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "kill"]), key)).await
    }

    /// Gives what a runner has printed, byte for byte, up to now.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `tail_bytes`.
    pub(crate) async fn read_log(&self, runner: &str, query: Query<'_>) -> Result<Response, Failed> {
        self.response(self.call(Method::GET, &["runners", runner, "logs"]).query(query)).await
    }

    /// Stops a runner's processes where they stand.
    ///
    /// For: `operator`.
    pub(crate) async fn pause_runner(&self, runner: &str, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "pause"]), key)).await
    }

    /// Lists the prompts that wait for a runner.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `all`, `limit`, `cursor`.
    pub(crate) async fn list_prompts(&self, runner: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners", runner, "prompts"]).query(query)).await
    }

    /// Types a prompt when the agent is ready for one; tells what is known of it.
    ///
    /// For: `operator`.
    pub(crate) async fn send_prompt(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "prompts"]).json(body), key)).await
    }

    /// Gives a runner's terminal another size.
    ///
    /// For: `operator`.
    pub(crate) async fn resize_runner(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "resize"]).json(body), key)).await
    }

    /// Ends a runner and starts it again.
    ///
    /// For: `operator`.
    pub(crate) async fn restart_runner(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "restart"]).json(body), key)).await
    }

    /// Lets a paused runner go on.
    ///
    /// For: `operator`.
    pub(crate) async fn resume_runner(&self, runner: &str, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "resume"]), key)).await
    }

    /// Shows what is on a runner's screen.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_screen(&self, runner: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners", runner, "screen"])).await
    }

    /// Shows lines above a runner's screen.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `from`, `count`.
    pub(crate) async fn read_scrollback(&self, runner: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners", runner, "scrollback"]).query(query)).await
    }

    /// Finds lines in what a runner has shown.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `limit`.
    pub(crate) async fn search_scrollback(&self, runner: &str, text: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["runners", runner, "search"]).query(&[("text", text)]).query(query)).await
    }

    /// Ends a runner; it is asked first.
    ///
    /// For: `operator`.
    pub(crate) async fn stop_runner(&self, runner: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["runners", runner, "stop"]).json(body), key)).await
    }

    /// Lists the conversations, the newest first.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `project`, `runner`, `limit`, `cursor`.
    pub(crate) async fn list_sessions(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["sessions"]).query(query)).await
    }

    /// Takes in a conversation that an agent has on the disk.
    ///
    /// For: `operator`.
    pub(crate) async fn import_conversation(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["sessions", "import"]).json(body), key)).await
    }

    /// Finds what was said, in all conversations.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `project`, `agent`, `since`, `limit`.
    pub(crate) async fn search_sessions(&self, words: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["sessions", "search"]).query(&[("words", words)]).query(query)).await
    }

    /// Shows a conversation.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_session(&self, session: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["sessions", session])).await
    }

    /// Goes on with a conversation.
    ///
    /// For: `operator`.
    pub(crate) async fn resume_session(&self, session: &str, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["sessions", session, "resume"]).json(body), key)).await
    }

    /// Gives what was said in a conversation, without secrets: a line of JSON for each utterance.
    ///
    /// For: `viewer`.
    pub(crate) async fn read_transcript(&self, session: &str) -> Result<Response, Failed> {
        self.response(self.call(Method::GET, &["sessions", session, "transcript"])).await
    }

    /// Shows what the daemon is and has.
    ///
    /// For: `viewer`.
    pub(crate) async fn get_status(&self) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["status"])).await
    }

    /// Lists the tokens, the newest first.
    ///
    /// For: `admin`.
    ///
    /// Parameters: `limit`, `cursor`.
    pub(crate) async fn list_tokens(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["tokens"]).query(query)).await
    }

    /// Makes a token.
    ///
    /// For: `admin`.
    pub(crate) async fn create_token(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["tokens"]).json(body), key)).await
    }

    /// Revokes a token.
    ///
    /// For: `admin`.
    pub(crate) async fn revoke_token(&self, token: &str) -> Result<Value, Failed> {
        self.value(self.call(Method::DELETE, &["tokens", token])).await
    }

    /// Sums up what agents used.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `by`, `project`, `runner`, `session`, `since`, `until`, `imported`.
    pub(crate) async fn get_usage(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["usage"]).query(query)).await
    }

    /// Lists the worktrees of runners.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `project`, `limit`, `cursor`.
    pub(crate) async fn list_worktrees(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["worktrees"]).query(query)).await
    }

    /// Removes the worktrees that nobody needs any more.
    ///
    /// For: `operator`.
    pub(crate) async fn prune_worktrees(&self, body: &Value, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["worktrees", "prune"]).json(body), key)).await
    }

    /// Lists the worktrees that were removed and can be made again.
    ///
    /// For: `viewer`.
    ///
    /// Parameters: `limit`, `cursor`.
    pub(crate) async fn list_trash(&self, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::GET, &["worktrees", "trash"]).query(query)).await
    }

    /// Removes a worktree; what was in it is kept for a while.
    ///
    /// For: `operator`.
    ///
    /// Parameters: `force`.
    pub(crate) async fn remove_worktree(&self, worktree: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.value(self.call(Method::DELETE, &["worktrees", worktree]).query(query)).await
    }

    /// Makes a worktree again that was removed.
    ///
    /// For: `operator`.
    pub(crate) async fn restore_worktree(&self, worktree: &str, key: Option<&str>) -> Result<Value, Failed> {
        self.value(keyed(self.call(Method::POST, &["worktrees", worktree, "restore"]), key)).await
    }
}
