//! Usage, budgets, sessions: what is shown of them, what is asked for and when.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    event, fleet, id, key, list, now, press, screen,
    spent::{after, answer, answer_view, bins, hold, spent},
    state,
};
use crate::{
    domain::{
        budget::{BudgetAction, BudgetChange, BudgetScope, Limit, Period},
        key::Key,
        usage::UsageBy,
    },
    ui::{
        effect::Effect,
        event::{Outcome, UiEvent},
        state::{Basics, Mode, Spent, State, UsageAsk, View},
        update::update,
    },
};

fn reads(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::ReadSpending(..))).count()
}

fn row_of(state: &State, name: &str) -> String {
    let start = format!("{name} ");
    let shown = screen(state);
    shown
        .lines()
        .find(|line| line.get(3..).is_some_and(|l| l.starts_with(&start)) || line.contains(&start))
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn rows_say_what_was_used_where_there_is_room() {
    let state = spent((120, 40));
    assert!(row_of(&state, "docs-1").contains("51.0k"), "{}", screen(&state));
    assert!(!row_of(&state, "docs-1").contains("$1.53"), "{}", screen(&state));
    let state = spent((200, 50));
    let row = row_of(&state, "docs-1");
    assert!(row.contains("51.0k") && row.contains("$1.53"), "{}", screen(&state));
    assert!(row_of(&state, "api-1").contains("≥12.3k"), "{}", screen(&state));
}

#[test]
fn a_held_runner_needs_a_person_and_says_why() {
    let state = spent((200, 50));
    let shown = screen(&state);
    assert!(shown.contains("3 need you"), "{shown}");
    let row = shown.lines().find(|line| line.contains("! web-9")).unwrap();
    assert!(row.contains("held") && row.contains("the total budget of runner web-9"), "{row}");
    let mut state = state;
    super::keys(&mut state, "tab tab");
    let shown = screen(&state);
    let hints = shown.lines().last().unwrap();
    assert!(hints.starts_with(" B budgets") && shown.contains("held 0s · budget"), "{shown}");
    // What it asks goes before what it is held for.
    let mut all = fleet();
    hold(&mut all, "web-9");
    all[3].activity = all[0].activity.clone();
    let state = super::state((200, 50), all);
    let shown = screen(&state);
    assert!(shown.contains("? web-9") && !shown.contains("held"), "{shown}");
}

#[test]
fn who_is_held_from_now_on_is_held_since_now() {
    let mut state = state((120, 40), fleet());
    state.now += TimeDelta::hours(2);
    let mut all = fleet();
    hold(&mut all, "web-9");
    list(&mut state, all);
    let held = state.runners.get(&id(4)).unwrap();
    assert_eq!(state.age(held), TimeDelta::zero());
    assert!(state.notices.iter().any(|notice| notice.id == id(4)), "it is told");
}

#[test]
fn the_header_says_what_today_costs() {
    for (size, text) in [
        ((80, 24), "1 done      ≥1.24M  ≥$18.40  46 %"),
        ((120, 40), "today ≥1.24M tok  ≥$18.40  ▰▰▱▱▱ 46 %"),
        ((40, 12), "46 %"),
    ] {
        let state = spent(size);
        let shown = screen(&state);
        assert!(shown.lines().next().unwrap().contains(text), "{shown}");
        assert!(shown.contains("need you") || size.0 == 40, "{shown}");
    }
    let mut state = state((120, 40), fleet());
    answer(&mut state, Spent { basics: Some(Basics::default()), ..Spent::default() });
    assert!(!screen(&state).contains("today"), "nothing was used, nothing is limited");
}

#[test]
fn the_screen_has_the_budgets_under_it_that_count() {
    let state = spent((200, 50));
    let shown = screen(&state);
    assert_eq!(state.selected, Some(id(1)));
    assert!(shown.contains("38.4k tokens · $1.15 · claude-opus-4-5"), "{shown}");
    assert!(shown.contains("cache read 153k") && shown.contains("(reasoning"), "{shown}");
    assert!(shown.contains("api daily         ▰▰▰▰▰▰▰▰▰▰▱▱  91 %  455k of 500k"), "{shown}");
    assert!(shown.contains("everything daily  ▰▰▰▰▰▱▱▱▱▱▱▱  46 %  $18.40 of $40.00"), "{shown}");
    assert!(!shown.contains("web weekly"), "{shown}");
}

#[test]
fn a_title_says_what_was_used_where_nothing_else_does() {
    let state = after("v")((120, 40));
    assert!(screen(&state).contains("· osc7501 · 38.4k $1.15"), "{}", screen(&state));
    let state = spent((80, 24));
    assert!(screen(&state).contains("· 38.4k $1.15 ─"), "{}", screen(&state));
    assert!(!screen(&spent((120, 40))).contains("· 38.4k $1.15"));
}

#[test]
fn what_happens_is_read_once_for_many_events() {
    let mut state = spent((120, 40));
    let used = |n| event(n, "api-1", "tokens.used", serde_json::json!({ "tokens": 1200 }));
    // The selection is at a runner whose kinds are known already, as far as asked.
    answer(&mut state, Spent::default());
    let effects = update(&mut state, UiEvent::Happened(vec![used(1)]));
    assert_eq!(reads(&effects), 1, "{effects:?}");
    for n in 2..50 {
        assert_eq!(reads(&update(&mut state, UiEvent::Happened(vec![used(n)]))), 0);
    }
    let effects = update(&mut state, UiEvent::Spent(Box::default()));
    assert_eq!(reads(&effects), 1, "once more for all that came meanwhile");
    let effects = update(&mut state, UiEvent::Spent(Box::default()));
    assert_eq!(reads(&effects), 0);
    let other = event(60, "api-1", "project.created", serde_json::json!({}));
    assert_eq!(reads(&update(&mut state, UiEvent::Happened(vec![other]))), 0);
}

#[test]
fn nothing_is_asked_without_a_connection_and_all_again_with_one() {
    let mut state = spent((120, 40));
    update(&mut state, UiEvent::Disconnected("the daemon left".to_owned()));
    assert_eq!(reads(&press(&mut state, "U")), 0);
    let effects = super::connect(&mut state);
    assert_eq!(reads(&effects), 1);
}

#[test]
fn usage_is_switched_and_narrowed() {
    let mut state = spent((120, 40));
    answer(&mut state, Spent::default());
    let effects = press(&mut state, "U");
    let wanted = |effects: &[Effect], ask: &UsageAsk| {
        effects.iter().any(|effect| match effect {
            Effect::ReadSpending(wants, _) => wants.usage.as_ref() == Some(ask),
            _ => false,
        })
    };
    assert!(wanted(&effects, &UsageAsk::default()), "{effects:?}");
    assert!(screen(&state).contains("reading …"));
    answer_view(&mut state);
    let shown = screen(&state);
    for text in [
        "USAGE by project · the last 24 hours",
        "120k",
        "06:00",
        "3.18M",
        "$47.20",
        "≥$4.20?",
        "total",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let effects = super::keys(&mut state, "tab");
    assert!(wanted(&effects, &UsageAsk { by: UsageBy::Runner, ..UsageAsk::default() }));
    answer_view(&mut state);
    super::keys(&mut state, "shift-tab t p");
    answer_view(&mut state);
    let shown = screen(&state);
    assert!(shown.contains("USAGE of api by project · the last 30 days"), "{shown}");
    assert!(shown.contains("p all projects"), "{shown}");
}

#[test]
fn a_budget_is_set_changed_reset_and_removed() {
    let mut state = spent((120, 40));
    press(&mut state, "B");
    assert_eq!(state.view, View::Budgets);
    press(&mut state, "a");
    let Mode::Budget(_) = &state.mode else { panic!("{:?}", state.mode) };
    assert!(screen(&state).contains("project:api"), "one for everything is there already");
    super::keys(&mut state, "tab down tab 2 . 5 M tab down enter");
    let change = BudgetChange {
        scope: BudgetScope::Project("api".into()),
        period: Period::Weekly,
        limit: Limit::Tokens(2_500_000),
        action: Some(BudgetAction::Pause),
        count_cache_reads: Some(false),
        enforce_estimates: None,
        time_zone: None,
    };
    assert_eq!(state.mode, Mode::List);
    // The same again, to see the effect.
    press(&mut state, "a");
    let effects = super::keys(&mut state, "tab down tab 2 . 5 M tab down enter");
    assert!(effects.contains(&Effect::SetBudget(Box::new(change))), "{effects:?}");
    press(&mut state, "j");
    key(&mut state, Key::Enter);
    let shown = screen(&state);
    assert!(shown.contains("changes the daily budget for project:api to 500k tokens"), "{shown}");
    key(&mut state, Key::Escape);
    let asked = (BudgetScope::Project("api".to_owned()), Period::Daily);
    press(&mut state, "R");
    assert!(
        screen(&state).contains("455k of 500k tokens are used is forgotten"),
        "{}",
        screen(&state)
    );
    let effects = press(&mut state, "y");
    assert!(effects.contains(&Effect::ResetBudget(asked.0.clone(), asked.1)), "{effects:?}");
    press(&mut state, "d");
    assert!(
        press(&mut state, "n").iter().all(|effect| !matches!(effect, Effect::RemoveBudget(..)))
    );
    press(&mut state, "d");
    let effects = press(&mut state, "y");
    assert!(effects.contains(&Effect::RemoveBudget(asked.0, asked.1)), "{effects:?}");
}

#[test]
fn what_is_no_budget_is_said_in_the_dialog() {
    for (keys, text) in [
        ("enter", "say how much"),
        ("tab tab x enter", "× `x` is no amount like"),
        ("ctrl-u t e a m : x enter", "none of global, project:NAME"),
        ("ctrl-u n o n e enter", "there is no project none"),
        ("tab ctrl-u y e a r l y enter", "`yearly` is none of hourly, daily"),
    ] {
        let mut state = spent((80, 24));
        press(&mut state, "Ba");
        super::keys(&mut state, keys);
        assert!(screen(&state).contains(text), "{text}: {}", screen(&state));
    }
}

#[test]
fn sessions_are_listed_and_one_is_shown_whole() {
    let mut state = after("S")((120, 40));
    let shown = screen(&state);
    for text in ["Fix the login redirect and add tests", "open", "resumable", "≥48.2k", "30h"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    press(&mut state, "/port");
    key(&mut state, Key::Enter);
    key(&mut state, Key::Enter);
    let shown = screen(&state);
    assert!(shown.contains("00000012-1111") && shown.contains("SESSION"), "{shown}");
    key(&mut state, Key::Escape);
    assert!(screen(&state).contains("1 line with `port`"), "{}", screen(&state));
    key(&mut state, Key::Escape);
    key(&mut state, Key::Escape);
    assert_eq!(state.view, View::Dashboard);
}

#[test]
fn a_conversation_goes_on_with_one_key() {
    let mut state = after("S")((120, 40));
    press(&mut state, "j");
    assert!(screen(&state).contains("r resume"), "{}", screen(&state));
    let effects = press(&mut state, "r");
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::ResumeSession(session, _) => Some(session.as_str()),
        _ => None,
    });
    assert_eq!(asked, Some("00000012-1111-4222-8333-444444444444"), "{effects:?}");
    let runner = state.runners.get(&id(4)).unwrap().clone();
    update(&mut state, UiEvent::Outcome(Outcome::Resumed(Box::new(runner))));
    assert_eq!((state.view, state.selected), (View::Dashboard, Some(id(4))));
}

#[test]
fn conversations_are_found_by_what_they_are_about() {
    let mut state = after("")((120, 40));
    press(&mut state, ":");
    assert_eq!(state.wants().sessions.as_deref(), Some(""), "all are read for it");
    answer_view(&mut state);
    press(&mut state, "login redirect");
    let shown = screen(&state);
    assert!(shown.contains("Fix the login redirect") && shown.contains("conversation"), "{shown}");
    key(&mut state, Key::Enter);
    let shown = screen(&state);
    assert_eq!(state.view, View::Sessions);
    assert!(shown.contains("SESSION") && shown.contains("00000011-1111"), "{shown}");
    assert!(press(&mut state, "r").iter().any(|e| matches!(e, Effect::ResumeSession(..))));
}

#[test]
fn views_without_anything_teach() {
    for (keys, text) in [
        ("U", "no agent has used anything in the last 24 hours"),
        ("B", "a sets one: for everything, a project or a runner"),
        ("S", "no conversation is known yet"),
    ] {
        let mut state = state((80, 24), fleet());
        press(&mut state, keys);
        let usage = Some((UsageAsk::default(), Vec::new(), bins()));
        let sessions = Some((String::new(), Vec::new()));
        let spent = Spent { basics: Some(Basics::default()), usage, sessions, ..Spent::default() };
        answer(&mut state, spent);
        assert!(screen(&state).contains(text), "{}", screen(&state));
    }
}

#[test]
fn a_limit_is_given_at_launch() {
    let mut state = spent((80, 24));
    press(&mut state, "N");
    let Mode::Launch(dialog) = &mut state.mode else { panic!("{:?}", state.mode) };
    dialog.field = crate::ui::state::LaunchField::MaxTokens;
    press(&mut state, "$5");
    key(&mut state, Key::Enter);
    assert!(screen(&state).contains("× max tokens: `$5` is no number"), "{}", screen(&state));
    super::keys(&mut state, "ctrl-u 2 5 0 k");
    let effects = key(&mut state, Key::Enter);
    let limit = effects.iter().find_map(|effect| match effect {
        Effect::Launch(order) => Some(order.max_tokens),
        _ => None,
    });
    assert_eq!(limit, Some(Some(250_000)), "{effects:?}");
}

#[test]
fn all_fields_of_a_low_launch_dialog_are_reached() {
    let mut state = spent((40, 12));
    press(&mut state, "N");
    let mut seen = String::new();
    for _ in 0..crate::ui::state::LaunchField::ALL.len() {
        seen += &screen(&state);
        key(&mut state, Key::Tab);
    }
    for (_, label) in crate::ui::state::LaunchField::ALL {
        assert!(seen.contains(label), "{label}");
    }
}

#[test]
fn every_size_is_drawn_without_a_panic() {
    let sizes = (1..=9).flat_map(|cols| (1..=9).map(move |rows| (cols, rows)));
    let large = [(500, 200), (1, 200), (500, 1), (59, 17), (99, 31), (40, 20)];
    for size in sizes.chain(large) {
        for keys in ["", "p", "U", "U t", "B", "B a", "B d", "S", "S enter"] {
            let state = after(keys)(size);
            assert_eq!(screen(&state).split('\n').count(), usize::from(size.1), "{size:?}");
        }
    }
}

#[test]
fn the_end_of_the_day_is_waited_for() {
    let at = |state: &State| state.spending.ends();
    let state = spent((80, 24));
    assert_eq!(at(&state), Some(now() + TimeDelta::minutes(265)));
    let none: Option<DateTime<Utc>> = super::state((80, 24), fleet()).spending.ends();
    assert_eq!(none, None);
}

#[test]
fn a_price_that_nobody_knows_is_marked_in_the_list() {
    let mut all = fleet();
    for runner in all.iter_mut().filter(|runner| runner.name == "docs-1") {
        (runner.tokens_used, runner.unpriced) = (51_000, 2);
    }
    let state = state((200, 50), all);
    assert!(row_of(&state, "docs-1").contains(" $0? "), "{}", screen(&state));
}

#[test]
fn the_zone_and_what_becomes_of_estimates_are_shown_and_set() {
    let mut all = super::spent::budgets();
    (all[0].time_zone, all[0].enforce_estimates) = ("Asia/Kolkata".to_owned(), true);
    all[0].estimated = 1;
    let mut state = spent((200, 50));
    let basics = Basics { budgets: all, ..super::spent::basics() };
    answer(&mut state, Spent { basics: Some(basics), ..Spent::default() });
    press(&mut state, "B");
    let shown = screen(&state);
    for text in ["~$18.40", "Asia/Kolkata", "of the daemon", "not enforced"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    key(&mut state, Key::Enter);
    let shown = screen(&state);
    assert!(shown.contains("estimates    yes") && shown.contains("Asia/Kolkata"), "{shown}");
    let set = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::SetBudget(change) => Some((change.enforce_estimates, change.time_zone.clone())),
            _ => None,
        })
    };
    let effects = super::keys(&mut state, "tab tab tab down tab ctrl-u M a r s enter");
    assert_eq!(set(&effects), None);
    assert!(screen(&state).contains("`Mars` is no time zone"), "{}", screen(&state));
    let effects = super::keys(&mut state, "ctrl-u enter");
    assert_eq!(set(&effects), Some((Some(false), Some(String::new()))), "{effects:?}");
}

#[test]
fn all_fields_of_a_low_budget_dialog_are_reached() {
    let mut state = spent((40, 9));
    press(&mut state, "Ba");
    let mut seen = String::new();
    for _ in 0..crate::ui::state::BudgetField::ALL.len() {
        seen += &screen(&state);
        key(&mut state, Key::Tab);
    }
    for (_, label) in crate::ui::state::BudgetField::ALL {
        assert!(seen.contains(label), "{label}: {seen}");
    }
}
