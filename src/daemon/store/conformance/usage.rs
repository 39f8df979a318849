//! What agents used and what they may use: counted once, charged in its period, never promised twice.

use futures_util::future::join_all;

use super::*;
use crate::{
    daemon::store::{Counted, ItemFilter, SessionFilter, TakenIn},
    domain::{
        budget::{BudgetChange, BudgetScope, Limit, Period},
        inbox::Reason,
        session::SessionNews,
        usage::{Cost, INTERRUPTED, Quality, Tokens, UsageBy, UsageFilter, UsageRecord},
    },
};

fn request(key: &str, output: u64, second: i64) -> Counted {
    let record = UsageRecord {
        key: key.to_owned(),
        model: "m".to_owned(),
        at: at(second),
        tokens: Tokens { input: 100, cache_read: 1000, output, ..Tokens::default() },
        cost: Some(Cost(i64::try_from(output).unwrap() * 10)),
        quality: Quality::Exact,
        ..UsageRecord::default()
    };
    Counted { record, session: "s".to_owned(), list: None, is_placed: false }
}

impl World {
    async fn take(&self, runner: &Runner, requests: Vec<Counted>, position: u64) -> u64 {
        let sessions = vec![SessionNews {
            id: "s".to_owned(),
            origin: Some("started"),
            transcript: "/t".to_owned(),
            prompt: "do it".to_owned(),
            messages: 1,
            at: at(5),
            ..SessionNews::default()
        }];
        let session = Some("s".to_owned());
        let taken = TakenIn { requests, sessions, session, position: Some(position) };
        let added = self.store.take_in(runner, &taken, |_| Vec::new(), at(6)).await.unwrap();
        added.tokens
    }

    async fn set_budget(&self, scope: BudgetScope, limit: u64, from: i64, to: i64) {
        let change = BudgetChange {
            scope,
            period: Period::Daily,
            limit: Limit::Tokens(limit),
            action: None,
            count_cache_reads: None,
            enforce_estimates: None,
            time_zone: None,
        };
        let event = NewEvent { at: at(10), ..event(EventType::BudgetChanged, "budget", "x") };
        self.store.budget_set(&change, (at(from), at(to)), event).await.unwrap();
    }
}

async fn a_request_is_counted_once_and_later_only_what_is_more(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    assert_eq!(world.take(&runner, vec![request("a", 1, 5), request("a", 50, 5)], 10).await, 150);
    assert_eq!(world.take(&runner, vec![request("a", 50, 5)], 20).await, 0);
    assert_eq!(world.take(&runner, vec![request("a", 80, 5), request("b", 20, 7)], 30).await, 150);
    let now = world.store.runner_get(runner.id).await.unwrap().unwrap();
    assert_eq!(
        (now.tokens_used, now.cost, now.session_id.as_deref()),
        (300, Cost(1000), Some("s"))
    );
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!((project.total_tokens, project.total_sessions), (300, 1));
    assert_eq!(world.store.spool_position(runner.id).await.unwrap(), 30);
    for by in UsageBy::ALL {
        let totals = world.store.usage_totals(by, &UsageFilter::default()).await.unwrap();
        assert_eq!(totals.len(), 1, "{by:?}");
        assert_eq!((totals[0].requests, totals[0].tokens.counted()), (2, 300), "{by:?}");
        assert_eq!((totals[0].cost, totals[0].quality), (Cost(1000), Quality::Exact));
    }
    let day = world.store.usage_totals(UsageBy::Day, &UsageFilter::default()).await.unwrap();
    assert_eq!(day[0].key, at(5).format("%Y-%m-%d").to_string());
    let hour = world.store.usage_totals(UsageBy::Hour, &UsageFilter::default()).await.unwrap();
    assert_eq!(hour[0].key, at(5).format("%Y-%m-%dT%H").to_string());
    let none = UsageFilter { since: Some(at(8)), ..UsageFilter::default() };
    assert_eq!(world.store.usage_totals(UsageBy::Day, &none).await.unwrap(), []);
    let filter = SessionFilter { runner: runner.id.to_string(), ..SessionFilter::default() };
    let sessions = world.store.session_list(&filter).await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!((sessions[0].tokens_used, sessions[0].message_count), (300, 3));
    assert_eq!(sessions[0].first_prompt, "do it");
    assert!(sessions[0].resumable && sessions[0].ended_at.is_none());
    assert_eq!(world.store.session_find("s").await.unwrap(), sessions);

    // It ends with its runner, and is open from the start of one that goes on with it.
    let event = event(EventType::RunnerFailed, "runner", &runner.id.to_string());
    let change = RunnerChange::default();
    let ends = async || {
        let filter = EventFilter { event_type: "session.ended".into(), ..EventFilter::default() };
        let events = world.store.event_list(&filter, 10).await.unwrap();
        events.into_iter().map(|event| event.entity_id).collect::<Vec<_>>()
    };
    assert_eq!(ends().await, [""; 0]);
    world.store.runner_move(&runner, RunnerStatus::Failed, change, event).await.unwrap();
    assert!(world.store.session_find("s").await.unwrap()[0].ended_at.is_some());
    assert!(!world.store.session_ends_with("s", runner.id).await.unwrap(), "it has ended");
    assert_eq!(ends().await, ["s"]);
    let session_id = Some("s".to_owned());
    let next = NewRunner { session_id, takes_up: true, ..World::new_runner("p") };
    let (next, _) = world.runner(&next).await;
    let session = world.store.session_find("s").await.unwrap().remove(0);
    assert_eq!((session.ended_at, session.runner_id), (None, next.id.to_string()));
    assert_eq!(session.origin, "resumed", "not every agent tells so itself");
    let filter = SessionFilter { runner: next.id.to_string(), ..SessionFilter::default() };
    assert_eq!(world.store.session_list(&filter).await.unwrap().len(), 1);

    // A second one in it leaves it to the first, whichever of the two ends is told first.
    let other =
        NewRunner { session_id: Some("s".to_owned()), takes_up: true, ..World::new_runner("p") };
    let (other, _) = world.runner(&other).await;
    assert!(!world.store.session_ends_with("s", other.id).await.unwrap(), "another one holds it");
    let over =
        SessionNews { id: "s".to_owned(), has_ended: true, at: at(9), ..SessionNews::default() };
    let taken = TakenIn { sessions: vec![over], ..TakenIn::default() };
    world.store.take_in(&other, &taken, |_| Vec::new(), at(9)).await.unwrap();
    let session = world.store.session_find("s").await.unwrap().remove(0);
    assert_eq!((session.ended_at, session.runner_id), (None, other.id.to_string()));
    world.go(&other, RunnerStatus::Failed).await.unwrap();
    let session = world.store.session_find("s").await.unwrap().remove(0);
    assert_eq!((session.ended_at, session.runner_id), (None, next.id.to_string()));
    assert_eq!(ends().await, ["s"], "it ended once");
    assert!(world.store.session_ends_with("s", next.id).await.unwrap());
}

async fn budgets_count_what_was_used_in_their_period(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    world.take(&runner, vec![request("old", 1, -500), request("a", 100, 5)], 1).await;
    // One that is set later counts what was used before, in its period.
    world.set_budget(BudgetScope::Project("p".into()), 1000, 0, 100).await;
    world.set_budget(BudgetScope::Global, 1000, 0, 100).await;
    world.set_budget(BudgetScope::Project("q".into()), 1000, 0, 100).await;
    let used = async |at| {
        let budgets = world.store.budget_list(at).await.unwrap();
        budgets.into_iter().map(|it| (it.scope.to_string(), it.used)).collect::<Vec<_>>()
    };
    let want = |p: u64| {
        [("global", p), ("project:p", p), ("project:q", 0)].map(|(s, n)| (s.to_owned(), n)).to_vec()
    };
    assert_eq!(used(at(20)).await, want(200));
    world.take(&runner, vec![request("b", 100, 50)], 2).await;
    assert_eq!(used(at(60)).await, want(400));
    // The next period begins with what was used in it while nobody looked.
    world.take(&runner, vec![request("late", 0, 150)], 3).await;
    assert_eq!(used(at(160)).await, []);
    let ended = world.store.budget_ended(at(160)).await.unwrap();
    assert_eq!(ended.len(), 3);
    for budget in &ended {
        for _ in 0..2 {
            let began = NewEvent { at: at(160), ..event(EventType::BudgetChanged, "budget", "x") };
            world.store.budget_roll(budget, (at(100), at(200)), began).await.unwrap();
        }
    }
    assert_eq!(used(at(160)).await, want(100));
    assert_eq!(world.store.budget_ended(at(160)).await.unwrap(), []);
    // Raised, it keeps its count; reset, it begins anew; removed, it is gone.
    world.set_budget(BudgetScope::Global, 5, 100, 200).await;
    let global = BudgetScope::Global;
    let changed = || NewEvent { at: at(165), ..event(EventType::BudgetChanged, "budget", "x") };
    world.store.budget_reset(&BudgetScope::Project("p".into()), None, changed()).await.unwrap();
    world.store.budget_remove(&global, Some(Period::Daily), changed()).await.unwrap();
    let error = world.store.budget_remove(&global, None, changed()).await.unwrap_err();
    assert_eq!(reason(&error), "BUDGET_NOT_FOUND");
    let left = [("project:p".to_owned(), 0), ("project:q".to_owned(), 0)];
    assert_eq!(used(at(166)).await, left);
}

async fn a_budget_says_what_it_cannot_count(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let gaps = async || {
        let budget = world.store.budget_list(at(20)).await.unwrap().remove(0);
        (budget.floors, budget.unpriced)
    };
    let changed = || NewEvent { at: at(10), ..event(EventType::BudgetChanged, "budget", "x") };
    let floor = |key: &str, output| {
        let mut floor = request(key, output, 5);
        (floor.record.quality, floor.record.cost) = (Quality::Floor, None);
        floor
    };
    // One that is set later knows of what was before; nothing was used of the mark of a turn's end.
    let mut mark = floor("mark", 0);
    (mark.record.tokens, mark.record.purpose) = (Tokens::default(), INTERRUPTED.to_owned());
    world.take(&runner, vec![floor("a", 10), mark], 1).await;
    world.set_budget(BudgetScope::Global, 1000, 0, 100).await;
    assert_eq!(gaps().await, (2, 1));
    world.take(&runner, vec![floor("b", 10), floor("b", 20)], 2).await;
    assert_eq!(gaps().await, (3, 2), "each request once");
    // Whoever knows better is believed.
    world.take(&runner, vec![request("b", 20, 5)], 3).await;
    assert_eq!(gaps().await, (2, 1));
    let budget = world.store.budget_list(at(20)).await.unwrap().remove(0);
    assert_eq!(world.store.budget_unpriced_models(&budget, 5).await.unwrap(), ["m"]);
    let component = budget.scope.component(Some(budget.period));
    let data = serde_json::json!({ "component": component, "message": "m has no price" });
    let alert = || NewEvent {
        at: at(10),
        data: data.clone(),
        ..event(EventType::SystemAlert, "daemon", "node")
    };
    let tell = || world.store.budget_tell_unpriced(&budget, alert());
    assert_eq!((tell().await.unwrap(), tell().await.unwrap()), (true, false));
    let alerts = async || {
        let items = world.store.inbox_list(&ItemFilter::default(), at(20)).await.unwrap();
        items.iter().filter(|item| item.reason == Reason::Alert).count()
    };
    assert_eq!(alerts().await, 1);
    // The next period knows what was used in it, and that it was told.
    let mut late = floor("late", 10);
    late.record.at = at(150);
    world.take(&runner, vec![late], 4).await;
    let ended = world.store.budget_ended(at(160)).await.unwrap().remove(0);
    let began = NewEvent { at: at(160), ..changed() };
    world.store.budget_roll(&ended, (at(100), at(200)), began).await.unwrap();
    let next = world.store.budget_list(at(160)).await.unwrap().remove(0);
    assert_eq!((next.floors, next.unpriced, next.unpriced_told), (1, 1, true));
    let reset = || NewEvent { at: at(160), ..changed() };
    assert_eq!(alerts().await, 1, "it is not counted still");
    let other = BudgetScope::Project("p".to_owned());
    world.set_budget(other.clone(), 1000, 0, 200).await;
    world.store.budget_reset(&other, None, reset()).await.unwrap();
    assert_eq!(alerts().await, 1, "it is another one's");
    world.store.budget_reset(&BudgetScope::Global, None, reset()).await.unwrap();
    assert_eq!(alerts().await, 0);
    let next = world.store.budget_list(at(160)).await.unwrap().remove(0);
    assert_eq!((next.floors, next.unpriced, next.unpriced_told), (0, 0, false));
    // What was known before the reset and is known better now takes nothing off.
    let mut late = request("late", 10, 5);
    late.record.at = at(150);
    world.take(&runner, vec![late], 5).await;
    let next = world.store.budget_list(at(160)).await.unwrap().remove(0);
    assert_eq!((next.floors, next.unpriced), (0, 0));
}

async fn a_budget_that_is_set_again_counts_what_it_is_told_to(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    world.take(&runner, vec![request("early", 10, -50), request("a", 100, 5)], 1).await;
    let plain = BudgetChange {
        scope: BudgetScope::Global,
        period: Period::Daily,
        limit: Limit::Tokens(5000),
        action: None,
        count_cache_reads: None,
        enforce_estimates: None,
        time_zone: None,
    };
    let set = async |change: &BudgetChange, (from, to): (i64, i64)| {
        let changed = NewEvent { at: at(10), ..event(EventType::BudgetChanged, "budget", "x") };
        world.store.budget_set(change, (at(from), at(to)), changed).await.unwrap();
        let budgets = world.store.budget_list(at(10)).await.unwrap();
        assert_eq!(budgets.len(), 1);
        (budgets[0].used, budgets[0].start, budgets[0].end)
    };
    assert_eq!(set(&plain, (0, 100)).await, (200, at(0), at(100)));
    // Without a zone its period stays; cache reads count from its beginning.
    let with_reads = BudgetChange { count_cache_reads: Some(true), ..plain.clone() };
    assert_eq!(set(&with_reads, (-100, 50)).await, (1200, at(0), at(100)));
    let elsewhere = BudgetChange { time_zone: Some("Europe/Berlin".to_owned()), ..plain.clone() };
    assert_eq!(set(&elsewhere, (-100, 50)).await, (2310, at(-100), at(50)));
    world.take(&runner, vec![request("later", 0, 20)], 2).await;
    assert_eq!(set(&plain, (0, 100)).await, (3410, at(-100), at(50)), "charged as it is counted");
    // What was reset stays so where the same is counted, and is counted anew in another unit.
    let changed = NewEvent { at: at(10), ..event(EventType::BudgetChanged, "budget", "x") };
    world.store.budget_reset(&BudgetScope::Global, None, changed).await.unwrap();
    assert_eq!(set(&elsewhere, (-100, 50)).await, (0, at(-100), at(50)));
    let money = BudgetChange { limit: Limit::Money(Cost(5000)), ..plain.clone() };
    assert_eq!(set(&money, (0, 100)).await, (1100, at(-100), at(50)));
    let without = BudgetChange { count_cache_reads: Some(false), ..plain };
    assert_eq!(set(&without, (0, 100)).await, (410, at(-100), at(50)));
}

async fn what_is_set_aside_for_a_runner_ends_with_it(world: World) {
    world.project("p").await;
    world.set_budget(BudgetScope::Project("p".into()), 1000, 0, 100).await;
    let new = NewRunner { max_tokens: Some(300), ..World::new_runner("p") };
    let (runner, _) = world.runner(&new).await;
    let listed = async || {
        let budgets = world.store.budget_list(at(20)).await.unwrap();
        budgets.into_iter().map(|it| (it.scope.words().0, it.reserved)).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [("project", 300), ("runner", 0)]);
    let ended = world.go(&runner, RunnerStatus::Failed).await.unwrap();
    // It may start again, with the same limit.
    assert_eq!(listed().await, [("project", 0), ("runner", 0)]);
    let removed = event(EventType::RunnerRemoved, "runner", &runner.id.to_string());
    world.store.runner_remove(&ended, removed).await.unwrap();
    assert_eq!(listed().await, [("project", 0)]);
}

async fn a_share_is_told_by_one_and_a_hand_made_row_has_its_defaults(world: World) {
    world.project("p").await;
    world
        .database
        .execute(
            "INSERT INTO token_budgets (scope, limit_tokens, period_granularity, period_start, \
             period_end) VALUES ('global', 100, 'daily', '2027-01-15T00:00:00.000000Z', \
             '2027-01-16T00:00:00.000000Z')",
        )
        .await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    world.take(&runner, vec![request("a", 0, 5)], 1).await;
    let budget = world.store.budget_list(at(20)).await.unwrap().remove(0);
    assert!(budget.is_exhausted());
    assert_eq!(budget.to_tell(), Some(100));
    // What was used before is counted once it is looked at, unless the row says how much that was.
    let write = "INSERT INTO token_budgets (scope, scope_id, limit_tokens, used_tokens, \
         period_granularity, period_start, period_end) VALUES ('project', 'p', 1000, USED, 'PERIOD', \
         '2027-01-15T00:00:00.000000Z', '2027-01-16T00:00:00.000000Z')";
    for (period, used) in [("daily", "0"), ("weekly", "7")] {
        world.by_hand(&write.replace("USED", used).replace("PERIOD", period)).await;
    }
    for _ in 0..2 {
        for budget in world.store.budget_list(at(20)).await.unwrap() {
            world.store.budget_count(&budget, at(20)).await.unwrap();
        }
        let budgets = world.store.budget_list(at(20)).await.unwrap();
        let of_p = budgets.iter().filter(|budget| budget.scope != BudgetScope::Global);
        let mut counted: Vec<_> = of_p.map(|it| (it.period.as_str(), it.used)).collect();
        counted.sort_unstable();
        assert_eq!(counted, [("daily", 100), ("weekly", 7)]);
        assert!(budgets.iter().all(|budget| budget.is_counted));
    }
    world.by_hand("DELETE FROM token_budgets WHERE scope = 'project'").await;
    let tell = || world.store.budget_tell(&budget, 100, Vec::new());
    assert_eq!((tell().await.unwrap(), tell().await.unwrap()), (true, false));
    let event = event(EventType::RunnerStarting, "runner", "x");
    let error = world.store.runner_create(&World::new_runner("p"), event).await.unwrap_err();
    assert_eq!(reason(&error), "BUDGET_EXHAUSTED");
}

async fn nothing_is_promised_twice(world: World) {
    world.project("p").await;
    world.set_budget(BudgetScope::Project("p".into()), 1000, 0, 100).await;
    let other = world.database.open(world.dir.path(), "other").await;
    // A file has one daemon.
    let stores: Vec<&Store> = std::iter::once(&world.store).chain(other.as_ref().ok()).collect();
    let launches = (0..16).map(|n| {
        let store = stores[n % stores.len()];
        let new = NewRunner { max_tokens: Some(300), ..World::new_runner("p") };
        let event = event(EventType::RunnerStarting, "runner", &new.id.to_string());
        async move { store.runner_create(&new, event).await.is_ok() }
    });
    let let_in = join_all(launches).await.into_iter().filter(|it| *it).count();
    assert_eq!(let_in, 3);
    let budgets = world.store.budget_list(at(20)).await.unwrap();
    assert_eq!((budgets[0].reserved, budgets[0].remaining()), (900, 100));
    // Without a promise there is still something left.
    world.runner(&World::new_runner("p")).await;
    if let Ok(other) = other {
        other.close().await;
    }
}

on_both! {
    a_request_is_counted_once_and_later_only_what_is_more,
    budgets_count_what_was_used_in_their_period,
    a_budget_says_what_it_cannot_count,
    a_budget_that_is_set_again_counts_what_it_is_told_to,
    what_is_set_aside_for_a_runner_ends_with_it,
    a_share_is_told_by_one_and_a_hand_made_row_has_its_defaults,
    nothing_is_promised_twice,
}
