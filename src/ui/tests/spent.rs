//! What agents used and may use, for tests: figures, budgets, conversations.

use chrono::TimeDelta;

use super::{fleet, id, list, now, project, state};
use crate::{
    domain::{
        budget::{Budget, BudgetAction, BudgetScope, Limit, Period, never},
        hook::{Hold, HoldLevel},
        runner::Runner,
        session::Session,
        usage::{Cost, Quality, Tokens, UsageBy, UsageTotal},
    },
    ui::{
        event::UiEvent,
        state::{Basics, Bin, Spent, State},
        update::update,
    },
};

pub(super) fn total(key: &str, tokens: u64, dollars: f64, quality: Quality) -> UsageTotal {
    let tokens = Tokens {
        input: tokens / 2,
        cache_read: tokens * 4,
        cache_write_5m: tokens / 8,
        cache_write_1h: tokens / 8,
        output: tokens / 4,
        reasoning: tokens / 16,
    };
    let cost = Cost::from_dollars(dollars).unwrap();
    let (key, name) = (key.to_owned(), key.to_owned());
    UsageTotal { key, name, requests: 12, tokens, cost, unpriced: 0, quality }
}

pub(super) fn budget(scope: BudgetScope, period: Period, limit: Limit, percent: u64) -> Budget {
    Budget {
        id: 1,
        scope,
        period,
        time_zone: String::new(),
        limit,
        used: limit.amount() / 100 * percent,
        estimated: 0,
        floors: 0,
        unpriced: 0,
        unpriced_told: false,
        is_counted: true,
        reserved: 0,
        start: now(),
        end: if period == Period::Total { never() } else { now() + TimeDelta::minutes(265) },
        action: BudgetAction::Interrupt,
        count_cache_reads: false,
        enforce_estimates: false,
        told: 0,
    }
}

pub(super) fn bins() -> Vec<Bin> {
    let used = [0, 0, 3, 9, 40, 80, 20, 5, 0, 0, 0, 0, 0, 2, 7, 30, 60, 120, 90, 10, 0, 4, 33, 70];
    let bin = |(hour, used): (usize, u64)| Bin {
        label: format!("{hour:02}:00"),
        tokens: used * 1000,
        cost: Cost::default(),
    };
    used.into_iter().enumerate().map(|(hour, used)| bin((hour, used))).collect()
}

pub(super) fn session(
    number: u32,
    project: &str,
    prompt: &str,
    hours: i64,
    is_open: bool,
) -> Session {
    let at = now() - TimeDelta::hours(hours);
    Session {
        id: format!("{number:08}-1111-4222-8333-444444444444"),
        agent: "claude".to_owned(),
        runner_id: id(2).to_string(),
        project: project.to_owned(),
        node_id: "node".to_owned(),
        cwd: format!("/home/ann/src/{project}"),
        model: "claude-opus-4-5".to_owned(),
        started_at: at,
        ended_at: (!is_open).then_some(at),
        last_message_at: Some(at),
        message_count: 14,
        tokens_used: 48_200,
        cost: Cost(1_230_000_000),
        quality: Quality::Floor,
        unpriced: 0,
        resumable: true,
        origin: "started".to_owned(),
        resumed_from: None,
        first_prompt: prompt.to_owned(),
        summary: String::new(),
        transcript: "/home/ann/.claude/projects/x.jsonl".to_owned(),
    }
}

pub(super) fn budgets() -> Vec<Budget> {
    let dollars = |dollars| Limit::Money(Cost::from_dollars(dollars).unwrap());
    let project = |name: &str| BudgetScope::Project(name.to_owned());
    let all = BudgetScope::Global;
    let mut runner =
        budget(BudgetScope::Runner(id(4).to_string()), Period::Total, Limit::Tokens(80_000), 100);
    (runner.reserved, runner.estimated) = (2_000, 0);
    vec![
        budget(all, Period::Daily, dollars(40.0), 46),
        budget(project("api"), Period::Daily, Limit::Tokens(500_000), 91),
        budget(project("web"), Period::Weekly, Limit::Tokens(2_000_000), 18),
        runner,
    ]
}

pub(super) fn basics() -> Basics {
    Basics {
        today: vec![
            total("api", 1_180_000, 17.2, Quality::Exact),
            total("web", 60_000, 1.2, Quality::Floor),
        ],
        hours: bins(),
        budgets: budgets(),
        midnight: Some(now() + TimeDelta::hours(5)),
    }
}

/// Everybody has used something, and there are budgets, one of them used up.
pub(super) fn spend(state: &mut State) {
    let mut all = fleet();
    for (runner, used) in all.iter_mut().zip([38_400, 12_300, 987, 1_234_567, 51_000, 0, 0, 7_000])
    {
        runner.tokens_used = used;
        runner.cost = Cost(i64::try_from(used).unwrap() * 30_000);
    }
    if let Some(one) = all.get_mut(1) {
        one.usage_quality = Quality::Floor;
        one.session_id = Some("3f2a91c0-1111-4222-8333-444444444444".to_owned());
    }
    hold(&mut all, "web-9");
    update(state, UiEvent::Projects(vec![project("api"), project("web"), project("shop")]));
    list(state, all);
    let mut whole = vec![total("claude-opus-4-5", 36_000, 1.1, Quality::Exact)];
    whole.push(total("claude-haiku-4-5", 2_400, 0.05, Quality::Exact));
    let spent = Spent { basics: Some(basics()), runner: Some((id(1), whole)), ..Spent::default() };
    answer(state, spent);
}

pub(super) fn hold(all: &mut [Runner], name: &str) {
    for runner in all.iter_mut().filter(|runner| runner.name == name) {
        let (whose, used) = (runner.id, "80.0k of 80.0k tokens");
        let reason = format!("the total budget of runner {whose} is used up: {used}");
        runner.hold = Some(Hold { level: HoldLevel::Turn, reason });
    }
}

pub(super) fn answer(state: &mut State, spent: Spent) {
    update(state, UiEvent::Spent(Box::new(spent)));
}

/// Answers what the views of usage and sessions want.
pub(super) fn answer_view(state: &mut State) {
    let ask = state.spending.ask.clone();
    let totals = match ask.by {
        UsageBy::Session => {
            vec![total("3f2a91c0-1111-4222-8333-444444444444", 9000, 0.4, Quality::Exact)]
        }
        _ => vec![
            total("api", 3_180_000, 47.2, Quality::Exact),
            UsageTotal { unpriced: 2, ..total("web", 260_000, 4.2, Quality::Floor) },
            total("docs", 9_000, 0.004, Quality::Estimated),
        ],
    };
    let sessions = vec![
        session(11, "api", "Fix the login redirect\nand add tests", 0, true),
        session(12, "web", "Which port does the server use?", 30, false),
        session(13, "docs", "", 400, false),
    ];
    let project = ask.project.clone();
    let spent = Spent {
        usage: Some((ask, totals, bins())),
        sessions: Some((project, sessions)),
        ..Spent::default()
    };
    answer(state, spent);
}

pub(super) fn spent(size: (u16, u16)) -> State {
    let mut state = state(size, fleet());
    spend(&mut state);
    state
}

/// The state after keys, with what the view then wants.
pub(super) fn after(keys: &str) -> impl Fn((u16, u16)) -> State {
    let keys = keys.to_owned();
    move |size| {
        let mut state = spent(size);
        super::keys(&mut state, &keys);
        answer_view(&mut state);
        state.drawn();
        state
    }
}
