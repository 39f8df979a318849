//! What transcripts tell: reports of one request found together, messages found by their words, a
//! conversation's past charged to nobody.

use super::*;
use crate::{
    daemon::store::{Counted, Reading, Said, SessionFacts, TakenIn, TranscriptFile},
    domain::{
        budget::{BudgetChange, BudgetScope, Limit, Period},
        session::SearchFilter,
        usage::{Cost, Quality, Tokens, UsageBy, UsageFilter, UsageRecord, UsageSource},
    },
};

/// A report of a request, by its agent's telemetry or by its transcript.
fn report(key: &str, source: UsageSource, input: u64, second: i64) -> Counted {
    let is_sure = source == UsageSource::Otlp;
    let record = UsageRecord {
        key: key.to_owned(),
        model: "m".to_owned(),
        purpose: "main".to_owned(),
        at: at(second),
        tokens: Tokens { input, output: 10, ..Tokens::default() },
        cost: is_sure.then_some(Cost(7)),
        source,
        quality: if is_sure { Quality::Exact } else { Quality::Late },
        ..UsageRecord::default()
    };
    Counted { record, session: "s".to_owned(), list: None, is_placed: is_sure }
}

fn reading<'a>(
    requests: Vec<(Option<&'a Runner>, Counted)>,
    messages: &[(&str, &str)],
    position: u64,
) -> Reading<'a> {
    let said = |(key, body): &(&str, &str)| Said {
        key: (*key).to_owned(),
        role: "user",
        at: at(20),
        body: (*body).to_owned(),
    };
    Reading {
        file: TranscriptFile {
            path: "/t/s.jsonl".to_owned(),
            agent: "codex".to_owned(),
            session: "s".to_owned(),
            identity: "1".to_owned(),
            position,
            reader: serde_json::json!({ "n": position }),
        },
        facts: SessionFacts {
            id: "s".to_owned(),
            project: "p".to_owned(),
            origin: "imported",
            cwd: "/tmp".to_owned(),
            transcript: "/t/s.jsonl".to_owned(),
            prompt: "first".to_owned(),
            started_at: Some(at(-100)),
            last_message_at: Some(at(20)),
            ..SessionFacts::default()
        },
        messages: messages.iter().map(said).collect(),
        requests,
        holder: None,
    }
}

impl World {
    async fn telemetry(&self, runner: &Runner, requests: Vec<Counted>) -> u64 {
        let taken = TakenIn { requests, ..TakenIn::default() };
        self.store.take_in(runner, &taken, |_| Vec::new(), at(30)).await.unwrap().tokens
    }

    async fn transcript(&self, reading: &Reading<'_>) -> u64 {
        let told = self.store.take_in_transcript("node", reading, |_| Vec::new(), at(31));
        told.await.unwrap().tokens
    }
}

async fn two_reports_of_one_request_are_one_in_whichever_order_they_come(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let placed = |n: u64| format!("codex:{}:{n}:0", runner.id);
    let (otlp, file) = (UsageSource::Otlp, UsageSource::Transcript);
    let written = |key: &str, input, second| {
        reading(vec![(Some(&runner), report(key, file, input, second))], &[], 1)
    };
    // Telemetry first, then the transcript; and the other way round.
    assert_eq!(world.telemetry(&runner, vec![report(&placed(1), otlp, 100, 5)]).await, 110);
    assert_eq!(world.transcript(&written("codex:a", 100, 6)).await, 0);
    assert_eq!(world.transcript(&written("codex:b", 200, 7)).await, 210);
    let late = world.store.runner_get(runner.id).await.unwrap().unwrap();
    assert_eq!(late.usage_quality, Quality::Late);
    assert_eq!(world.telemetry(&runner, vec![report(&placed(2), otlp, 200, 8)]).await, 0);
    // Either comes again after a crash.
    assert_eq!(world.transcript(&written("codex:a", 100, 6)).await, 0);
    assert_eq!(world.telemetry(&runner, vec![report(&placed(2), otlp, 200, 8)]).await, 0);
    let sure = world.store.runner_get(runner.id).await.unwrap().unwrap();
    assert_eq!((sure.tokens_used, sure.usage_quality), (320, Quality::Exact));
    // Two requests alike stay two, and one that is long past is another one.
    assert_eq!(world.transcript(&written("codex:c", 100, 6)).await, 110);
    assert_eq!(world.transcript(&written("codex:d", 200, 7000)).await, 210);
    let totals = world.store.usage_totals(UsageBy::Project, &UsageFilter::default()).await.unwrap();
    assert_eq!((totals[0].requests, totals[0].quality), (4, Quality::Late));
}

async fn what_two_runners_did_in_one_conversation_is_each_ones_own(world: World) {
    world.project("p").await;
    let (first, _) = world.runner(&World::new_runner("p")).await;
    let (second, _) = world.runner(&World::new_runner("p")).await;
    let (otlp, file) = (UsageSource::Otlp, UsageSource::Transcript);
    let placed = |n: u64| format!("codex:{}:{n}:0", first.id);
    let written = |key: &str, input, second_of| {
        reading(vec![(Some(&second), report(key, file, input, second_of))], &[], 1)
    };
    let used = async || {
        let mut used = Vec::new();
        for id in [first.id, second.id] {
            let runner = world.store.runner_get(id).await.unwrap().unwrap();
            used.push((runner.tokens_used, runner.cost.0, runner.usage_quality));
        }
        used
    };
    let nothing = (0, 0, Quality::Exact);
    // The transcript is read as the second one's; telemetry came before, or comes afterwards.
    assert_eq!(world.telemetry(&first, vec![report(&placed(1), otlp, 100, 5)]).await, 110);
    assert_eq!(world.transcript(&written("codex:a", 100, 6)).await, 0);
    assert_eq!(used().await, [(110, 7, Quality::Exact), nothing]);
    assert_eq!(world.transcript(&written("codex:b", 200, 7)).await, 210);
    assert_eq!(used().await, [(110, 7, Quality::Exact), (210, 0, Quality::Late)]);
    assert_eq!(world.telemetry(&first, vec![report(&placed(2), otlp, 200, 8)]).await, 210);
    assert_eq!(used().await, [(320, 14, Quality::Exact), nothing]);
    // One that named nobody when it was read is charged when its runner tells of it.
    let nobodys = reading(vec![(None, report("codex:c", file, 300, 9))], &[], 1);
    assert_eq!(world.transcript(&nobodys).await, 0);
    assert_eq!(world.telemetry(&first, vec![report(&placed(3), otlp, 300, 9)]).await, 310);
    // Any of it comes again after a crash.
    assert_eq!(world.transcript(&written("codex:b", 200, 7)).await, 0);
    assert_eq!(world.transcript(&nobodys).await, 0);
    assert_eq!(world.telemetry(&first, vec![report(&placed(2), otlp, 200, 8)]).await, 0);
    assert_eq!(used().await, [(630, 21, Quality::Exact), nothing]);
    let totals = world.store.usage_totals(UsageBy::Project, &UsageFilter::default()).await.unwrap();
    assert_eq!((totals[0].requests, totals[0].tokens.counted()), (3, 630));
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!(project.total_tokens, 630);
}

async fn the_past_of_a_conversation_is_known_and_charged_to_nobody(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let change = BudgetChange {
        scope: BudgetScope::Global,
        period: Period::Daily,
        limit: Limit::Tokens(1000),
        action: None,
        count_cache_reads: None,
        enforce_estimates: None,
        time_zone: None,
    };
    let set = async || {
        let event = NewEvent { at: at(1), ..event(EventType::BudgetChanged, "budget", "x") };
        world.store.budget_set(&change, (at(-200), at(200)), event).await.unwrap();
        world.store.budget_list(at(10)).await.unwrap()[0].used
    };
    set().await;
    let past = report("codex:old", UsageSource::Transcript, 300, -50);
    let mut piece = reading(vec![(None, past)], &[("1", "fix the parser"), ("2", "done")], 77);
    assert_eq!(world.transcript(&piece).await, 0);
    assert_eq!(world.transcript(&piece).await, 0);
    let own = report("codex:new", UsageSource::Transcript, 40, 10);
    piece.requests = vec![(Some(&runner), own)];
    assert_eq!(world.transcript(&piece).await, 50);
    assert_eq!(set().await, 50, "also of a budget that is set anew");
    let sum = async |imported| {
        let filter = UsageFilter { imported, ..UsageFilter::default() };
        world.store.usage_totals(UsageBy::Day, &filter).await.unwrap()[0].tokens.counted()
    };
    assert_eq!((sum(false).await, sum(true).await), (50, 360));
    let session = world.store.session_find("s").await.unwrap().remove(0);
    assert_eq!((session.tokens_used, session.message_count), (360, 2));
    assert_eq!((session.origin.as_str(), session.first_prompt.as_str()), ("imported", "first"));
    assert_eq!((session.started_at, session.ended_at), (at(-100), Some(at(20))));
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!((project.total_tokens, project.total_sessions), (50, 1));
    let file = world.store.transcript_file("node", "/t/s.jsonl").await.unwrap().unwrap();
    assert_eq!((file.position, file.reader["n"].as_u64()), (77, Some(77)));
    assert_eq!(world.store.transcript_files("node", "s").await.unwrap(), [file]);
}

async fn what_was_said_is_found_by_its_words(world: World) {
    world.project("p").await;
    let said = [
        ("1", "Please fix the Parser, it drops \u{fc}mlauts"),
        ("2", "parser fixed; the lexer's next"),
        ("3", "nothing of the kind"),
    ];
    world.transcript(&reading(Vec::new(), &said, 1)).await;
    let found = async |typed: &str, project: &str| {
        let wanted = SearchFilter {
            words: SearchFilter::words(typed),
            project: project.to_owned(),
            limit: 10,
            ..SearchFilter::default()
        };
        let hits = world.store.search_messages(&wanted).await.unwrap();
        hits.into_iter().map(|hit| hit.snippet.replace(['\u{2}', '\u{3}'], "|")).collect::<Vec<_>>()
    };
    assert_eq!(found("parser", "p").await.len(), 2);
    assert_eq!(found("PARSER fix", "").await, ["Please |fix| the |Parser|, it drops \u{fc}mlauts"]);
    assert_eq!(found("\"fix the parser\"", "").await.len(), 1);
    for nothing in ["\"parser fix\"", "parser AND lexer OR zebra", "NOT", "par*"] {
        assert_eq!(found(nothing, "").await, Vec::<String>::new(), "{nothing}");
    }
    assert_eq!(found("parser", "q").await.len(), 0);
    // A message that is longer by now is found by what it says now.
    world.transcript(&reading(Vec::new(), &[("3", "something about zebras")], 2)).await;
    assert_eq!(found("zebras", "").await.len(), 1);
    assert_eq!(found("kind", "").await.len(), 0);
    // What is cut out of a long one has whole words, although both databases take these for several.
    let words =
        |from: u32| (from..from + 40).map(|n| format!("it's src/{n}.rs.")).collect::<Vec<_>>();
    let long = format!("{} a level-crossing at {}", words(1).join(" "), words(41).join(" "));
    world.transcript(&reading(Vec::new(), &[("4", long.as_str())], 3)).await;
    let cut = found("crossing", "").await.concat();
    let inner = cut.trim_matches('…');
    assert!(inner.len() + 2 * '…'.len_utf8() == cut.len() && cut.contains("-|crossing|"), "{cut}");
    let is_whole = |word: &str| long.split(' ').any(|it| it == word.replace('|', ""));
    assert!(inner.split(' ').all(is_whole), "{cut}");
}

async fn a_conversation_that_has_anothers_requests_is_a_fork_of_it(world: World) {
    world.project("p").await;
    let request = report("claude:r", UsageSource::Transcript, 100, 5);
    world.transcript(&reading(vec![(None, request.clone())], &[], 1)).await;
    let mut fork = reading(vec![(None, Counted { session: "t".to_owned(), ..request })], &[], 1);
    (fork.file.path, fork.file.session) = ("/t/t.jsonl".to_owned(), "t".to_owned());
    (fork.facts.id, fork.facts.origin) = ("t".to_owned(), "started");
    world.transcript(&fork).await;
    world.transcript(&fork).await;
    let found = world.store.session_find("t").await.unwrap().remove(0);
    assert_eq!((found.origin.as_str(), found.resumed_from.as_deref()), ("forked", Some("s")));
    assert_eq!(found.tokens_used, 0, "they are the other one's");
    // That it is gone on with later does not change where it came from.
    fork.facts.origin = "resumed";
    world.transcript(&fork).await;
    let found = world.store.session_find("t").await.unwrap().remove(0);
    assert_eq!((found.origin.as_str(), found.resumed_from.as_deref()), ("forked", Some("s")));
}

on_both!(
    a_conversation_that_has_anothers_requests_is_a_fork_of_it,
    what_was_said_is_found_by_its_words,
    two_reports_of_one_request_are_one_in_whichever_order_they_come,
    what_two_runners_did_in_one_conversation_is_each_ones_own,
    the_past_of_a_conversation_is_known_and_charged_to_nobody,
);
