//! Projects and runners.

use super::*;
use crate::domain::evidence::{Evidence, Word};

async fn projects_are_registered_once_and_forgotten_with_their_numbers_kept(world: World) {
    world.project("p").await;
    let twice = event(EventType::ProjectCreated, "project", "p");
    let new = NewProject {
        name: "p".into(),
        path: "/".into(),
        description: String::new(),
        tags: vec![],
        quotas: QuotaChange::new(),
    };
    let error = world.store.project_create(&new, at(1), vec![twice]).await.unwrap_err();
    assert_eq!(reason(&error), "PROJECT_EXISTS");

    let (first, _) = world.runner(&World::new_runner("p")).await;
    assert_eq!(first.name, "p-1");
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!((project.active_runners, project.total_runners), (1, 1));
    assert_eq!(project.status, ProjectStatus::Active);
    assert_eq!(project.tags, ["t"]);

    let delete = || event(EventType::ProjectDeleted, "project", "p");
    let error = world.store.project_delete("p", delete()).await.unwrap_err();
    assert_eq!(reason(&error), "PROJECT_BUSY");
    world.go(&first, RunnerStatus::Failed).await.unwrap();
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!(project.status, ProjectStatus::Idle);
    world.store.project_delete("p", delete()).await.unwrap();
    let error = world.store.project_delete("p", delete()).await.unwrap_err();
    assert_eq!(reason(&error), "PROJECT_NOT_FOUND");
    assert!(world.store.runner_list("", "", 0).await.unwrap().is_empty());

    world.project("p").await;
    assert_eq!(world.runner(&World::new_runner("p")).await.0.name, "p-2");
}

async fn a_launched_runner_is_told_as_its_row_is(world: World) {
    world.project("p").await;
    let at = at(1) + chrono::TimeDelta::nanoseconds(1_234_567);
    let plain = NewRunner { at, ..World::new_runner("p") };
    let checkout = RunnerCheckout {
        repository: "/src/.git".into(),
        worktree: Some("/src/tree".into()),
        branch: "fix".into(),
        base_branch: "main".into(),
        base_commit: "b".into(),
        launch_commit: "c".into(),
        launch_snapshot: "s".into(),
    };
    let full = NewRunner {
        name: Some("full".into()),
        checkout: Some(checkout),
        session_id: Some("session".into()),
        request_id: Some(Uuid::new_v4()),
        max_tokens: Some(7),
        ..World::new_runner("p")
    };
    let nowhere = NewRunner {
        checkout: Some(RunnerCheckout::default()),
        restart: "on-failure".into(),
        ..World::new_runner("p")
    };
    for new in [plain, full, nowhere] {
        let (runner, _) = world.runner(&new).await;
        assert_eq!(world.store.runner_get(new.id).await.unwrap(), Some(runner));
    }
}

async fn a_runner_may_be_given_a_name_that_nobody_has(world: World) {
    world.project("p").await;
    let named = || NewRunner { name: Some("reviewer".into()), ..World::new_runner("p") };
    let (runner, _) = world.runner(&named()).await;
    assert_eq!(runner.name, "reviewer");
    assert_eq!(world.runner(&World::new_runner("p")).await.0.name, "p-2");
    let hints = [("reviewer", "stratavore attach reviewer"), ("p", "stratavore launch p, if ")];
    for (name, hint) in hints {
        let new = NewRunner { name: Some(name.into()), ..World::new_runner("p") };
        let event = event(EventType::RunnerStarting, "runner", &new.id.to_string());
        let error = world.store.runner_create(&new, event).await.unwrap_err();
        assert_eq!(reason(&error), "NAME_TAKEN");
        assert!(hint_of(&error).starts_with(hint), "{error:?}");
    }
    let found = world.store.runner_find("reviewer").await.unwrap();
    assert_eq!(found.len(), 1);
}

async fn a_request_is_carried_out_once(world: World) {
    world.project("p").await;
    let key = Some(Uuid::new_v4());
    let new =
        || NewRunner { request_id: key, request_digest: "a".into(), ..World::new_runner("p") };
    let news: Vec<_> = (0..20).map(|_| new()).collect();
    let all = futures_util::future::join_all(news.iter().map(|new| world.runner(new))).await;
    let ids: BTreeSet<_> = all.iter().map(|(runner, _)| runner.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(all.iter().filter(|(_, repeated)| !repeated).count(), 1);
    assert_eq!(world.store.runner_list("", "", 0).await.unwrap().len(), 1);

    let other = NewRunner { request_digest: "b".into(), ..new() };
    let event = event(EventType::RunnerStarting, "runner", &other.id.to_string());
    let error = world.store.runner_create(&other, event).await.unwrap_err();
    assert_eq!(reason(&error), "REQUEST_ID_REUSED");
}

async fn parallel_launches_get_numbers_without_repeats_and_events_without_gaps(world: World) {
    world.project("p").await;
    let news: Vec<_> = (0..100).map(|_| World::new_runner("p")).collect();
    let all = futures_util::future::join_all(news.iter().map(|new| world.runner(new))).await;
    let names: BTreeSet<_> = all.iter().map(|(runner, _)| runner.name.clone()).collect();
    assert_eq!(names.len(), 100);
    let events = world.store.event_after(0, 1000).await.unwrap();
    assert_eq!(events.len(), 101);
    assert!(events.windows(2).all(|pair| pair[1].position == pair[0].position + 1));
    assert!(events.iter().skip(1).all(|event| event.runner.starts_with("p-")));
    assert_eq!(world.store.project_get("p").await.unwrap().unwrap().total_runners, 100);
}

async fn only_legal_moves_are_written_and_a_refused_one_leaves_no_event(world: World) {
    world.project("p").await;
    for from in RunnerStatus::ALL {
        for to in RunnerStatus::ALL {
            let (runner, _) = world.runner(&World::new_runner("p")).await;
            let way: &[RunnerStatus] = match from {
                RunnerStatus::Starting => &[],
                RunnerStatus::Paused => &[RunnerStatus::Running, RunnerStatus::Paused],
                RunnerStatus::Running => &[RunnerStatus::Running],
                RunnerStatus::Stopping => &[RunnerStatus::Stopping],
                RunnerStatus::Terminated => &[RunnerStatus::Terminated],
                RunnerStatus::Failed => &[RunnerStatus::Failed],
            };
            let mut runner = runner;
            for step in way {
                runner = world.go(&runner, *step).await.unwrap();
            }
            let before = world.store.event_newest().await.unwrap();
            let moved = world.go(&runner, to).await;
            let after = world.store.event_newest().await.unwrap();
            assert_eq!(moved.is_ok(), from.may_become(to), "{from:?} → {to:?}");
            assert_eq!(after > before, from.may_become(to), "{from:?} → {to:?}");
        }
    }
}

async fn of_two_movers_one_wins(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let running = world.go(&runner, RunnerStatus::Running).await.unwrap();
    let ends =
        futures_util::future::join_all((0..10).map(|_| world.go(&running, RunnerStatus::Failed)))
            .await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
}

async fn an_end_is_kept_and_the_next_run_begins_afresh(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let id = runner.id.to_string();
    let started = RunnerChange { pid: Some(7), supervisor_pid: Some(6), ..RunnerChange::default() };
    let started_event = event(EventType::RunnerStarted, "runner", &id);
    let runner = world
        .store
        .runner_move(&runner, RunnerStatus::Running, started, started_event)
        .await
        .unwrap();
    assert_eq!((runner.pid, runner.supervisor_pid), (Some(7), Some(6)));

    let exit = Exit {
        code: None,
        signal: Some("SIGKILL".into()),
        at: at(50),
        stopped: false,
        cut_off: false,
        survivors: vec!["x (9)".into()],
    };
    let change = RunnerChange {
        reason: Some("killed by SIGKILL".into()),
        exit: Some(exit),
        ..RunnerChange::default()
    };
    let failed_event = event(EventType::RunnerFailed, "runner", &id);
    let runner =
        world.store.runner_move(&runner, RunnerStatus::Failed, change, failed_event).await.unwrap();
    assert_eq!(runner.exit_signal.as_deref(), Some("SIGKILL"));
    assert_eq!(runner.terminated_at, Some(at(50)));
    assert_eq!(runner.survivors, ["x (9)"]);
    assert_eq!(runner.pid, None);

    let change = RunnerChange { next_run: Some(1), ..RunnerChange::default() };
    let again = event(EventType::RunnerStarting, "runner", &id);
    let next =
        world.store.runner_move(&runner, RunnerStatus::Starting, change, again).await.unwrap();
    assert_eq!((next.run, next.restart_attempts), (2, 1));
    assert_eq!((next.exit_signal, next.terminated_at, next.reason), (None, None, None));
    // What is late about the first run does not touch the second.
    assert!(world.go(&runner, RunnerStatus::Failed).await.is_err());
}

/// The clock was set back while it ran, or its supervisor has another one.
async fn nothing_ends_before_it_begins(world: World) {
    world.project("p").await;
    let (runner, _) = world.runner(&World::new_runner("p")).await;
    let runner = world.go(&runner, RunnerStatus::Running).await.unwrap();
    let early = runner.started_at - chrono::Duration::days(1);
    let exit = Exit {
        code: Some(0),
        signal: None,
        at: early,
        stopped: true,
        cut_off: false,
        survivors: Vec::new(),
    };
    let change = RunnerChange { exit: Some(exit), ..RunnerChange::default() };
    let mut ended = event(EventType::RunnerStopped, "runner", &runner.id.to_string());
    ended.at = early;
    let runner =
        world.store.runner_move(&runner, RunnerStatus::Terminated, change, ended).await.unwrap();
    assert_eq!(runner.terminated_at, Some(runner.started_at));
}

async fn where_a_runner_works_is_kept(world: World) {
    world.project("p").await;
    let (outside, _) = world.runner(&World::new_runner("p")).await;
    assert_eq!(outside.checkout, None);
    let known = RunnerCheckout {
        repository: "/src/p/.git".into(),
        worktree: None,
        branch: "main".into(),
        base_branch: String::new(),
        base_commit: "a".repeat(40),
        launch_commit: "a".repeat(40),
        launch_snapshot: "b".repeat(40),
    };
    let new = NewRunner { checkout: Some(known.clone()), ..World::new_runner("p") };
    let (runner, _) = world.runner(&new).await;
    assert_eq!(runner.checkout, Some(known.clone()));
    let later = RunnerCheckout {
        worktree: Some("/w/p/fix".into()),
        branch: "fix".into(),
        base_branch: "refs/heads/main".into(),
        ..known
    };
    let moved = world.store.runner_set_checkout(&outside, "/w/p/fix", &later, at(7)).await.unwrap();
    assert_eq!((moved.cwd.to_str(), moved.updated_at), (Some("/w/p/fix"), at(7)));
    assert_eq!(moved.checkout.as_ref(), Some(&later));
    // It stays through what happens to the runner afterwards.
    let running = world.go(&moved, RunnerStatus::Running).await.unwrap();
    assert_eq!(running.checkout.as_ref(), Some(&later));
    let read = world.store.runner_get(outside.id).await.unwrap().unwrap();
    assert_eq!(read.checkout, Some(later));
    let gone = Runner { id: RunnerId::random(), ..moved };
    let error =
        world.store.runner_set_checkout(&gone, "/", &RunnerCheckout::default(), at(8)).await;
    assert_eq!(reason(&error.unwrap_err()), "RUNNER_NOT_FOUND");
}

async fn runners_are_found_by_name_id_and_unique_prefix(world: World) {
    world.project("p").await;
    let (one, _) = world.runner(&World::new_runner("p")).await;
    let (two, _) = world.runner(&World::new_runner("p")).await;
    let found = world.store.runner_find("p-1").await.unwrap();
    assert_eq!(found, std::slice::from_ref(&one));
    let id = two.id.to_string();
    for word in [&id[..], &id[..13]] {
        let found = world.store.runner_find(word).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&two), "{word}");
    }
    assert_eq!(world.store.runner_find("").await.unwrap().len(), 2);
    assert!(world.store.runner_find("p-").await.unwrap().is_empty());
    assert!(world.store.runner_find("%").await.unwrap().is_empty());
    let live = world.store.runner_list("p", "live", 1).await.unwrap();
    assert_eq!(live.len(), 1);
    assert_eq!(world.store.runner_get(one.id).await.unwrap(), Some(one));
}

async fn heartbeats_and_activities_are_applied(world: World) {
    world.project("p").await;
    let (one, _) = world.runner(&World::new_runner("p")).await;
    let (two, _) = world.runner(&World::new_runner("p")).await;
    let beats: Vec<_> = [&one, &two]
        .map(|runner| Heartbeat { id: runner.id, cpu_percent: 1.5, memory_mb: 3, processes: 2 })
        .to_vec();
    world.store.runner_heartbeats(&beats, at(20)).await.unwrap();
    for runner in world.store.runner_list("p", "", 0).await.unwrap() {
        assert_eq!((runner.cpu_percent, runner.memory_mb, runner.processes), (1.5, 3, 2));
        assert_eq!(runner.last_heartbeat, Some(at(20)));
    }
    let activity = Activity {
        state: ActivityState::Blocked,
        kind: Some("permission".into()),
        message: Some("Bash(git push)".into()),
        source: ActivitySource::Osc7501,
        since: Some(at(9)),
    };
    let told = event(EventType::RunnerActivity, "runner", &one.id.to_string());
    let word = Word::new((ActivityState::Blocked, None, None), at(9));
    let words = [(ActivitySource::Osc7501, word)].into();
    let evidence = Evidence { run: 1, words, ..Evidence::default() };
    let set = world.store.runner_set_activity(
        &one,
        (&activity, "t"),
        &evidence,
        (Some(told), &[]),
        at(9),
    );
    let now = set.await.unwrap();
    assert_eq!((now.activity, now.title.as_str()), (activity, "t"));
    assert_eq!(world.store.runner_evidence(one.id).await.unwrap(), evidence);
}

async fn a_stranger_is_adopted_with_its_project_and_its_number(world: World) {
    let new = World::new_runner("p");
    let adoption = Adoption {
        name: "p-7".into(),
        run: 3,
        pid: 11,
        supervisor_pid: 10,
        created_at: at(-100),
        runner: new.clone(),
    };
    let adopted = || event(EventType::RunnerAdopted, "runner", &new.id.to_string());
    let runner = world.store.runner_adopt(&adoption, adopted()).await.unwrap();
    assert!(runner.adopted);
    assert_eq!((runner.run, runner.status), (3, RunnerStatus::Running));
    assert_eq!(world.store.project_get("p").await.unwrap().unwrap().active_runners, 1);
    assert_eq!(world.runner(&World::new_runner("p")).await.0.name, "p-8");
    // A row from an older copy of the database is brought up to date.
    world.go(&runner, RunnerStatus::Failed).await.unwrap();
    let again = world.store.runner_adopt(&adoption, adopted()).await.unwrap();
    assert_eq!(again.status, RunnerStatus::Running);
}

async fn an_ended_runner_is_removed_with_its_event_and_its_number_is_kept(world: World) {
    world.project("p").await;
    let (one, _) = world.runner(&World::new_runner("p")).await;
    let (two, _) = world.runner(&World::new_runner("p")).await;
    let removed =
        |runner: &Runner| event(EventType::RunnerRemoved, "runner", &runner.id.to_string());
    let running = world.go(&one, RunnerStatus::Running).await.unwrap();
    let before = world.store.event_newest().await.unwrap();
    let error = world.store.runner_remove(&running, removed(&running)).await.unwrap_err();
    assert_eq!(reason(&error), "RUNNER_LIVE");
    assert_eq!(world.store.event_newest().await.unwrap(), before, "a refusal leaves no event");

    let ended = world.go(&running, RunnerStatus::Failed).await.unwrap();
    // What was read before it was started again does not remove it.
    let earlier = Runner { run: ended.run + 1, ..ended.clone() };
    let error = world.store.runner_remove(&earlier, removed(&ended)).await.unwrap_err();
    assert_eq!(reason(&error), "RUNNER_LIVE");
    world.store.runner_remove(&ended, removed(&ended)).await.unwrap();
    assert_eq!(world.store.runner_get(ended.id).await.unwrap(), None);
    let told = world.store.event_after(0, 100).await.unwrap();
    // What was told to a person of its failure is closed with it.
    let last = told.iter().rev().take(2).map(|event| event.event_type.as_str());
    assert_eq!(last.collect::<Vec<_>>(), ["inbox.closed", "runner.removed"]);
    let error = world.store.runner_remove(&ended, removed(&ended)).await.unwrap_err();
    assert_eq!(reason(&error), "RUNNER_LIVE");

    assert!(world.store.runner_was_known(ended.id).await.unwrap());
    assert!(!world.store.runner_was_known(RunnerId::random()).await.unwrap());
    let project = world.store.project_get("p").await.unwrap().unwrap();
    assert_eq!(project.active_runners, 1);
    world.go(&two, RunnerStatus::Failed).await.unwrap();
    assert_eq!(world.runner(&World::new_runner("p")).await.0.name, "p-3");
}

on_both! {
    an_ended_runner_is_removed_with_its_event_and_its_number_is_kept,
    projects_are_registered_once_and_forgotten_with_their_numbers_kept,
    a_launched_runner_is_told_as_its_row_is,
    a_runner_may_be_given_a_name_that_nobody_has,
    a_request_is_carried_out_once,
    parallel_launches_get_numbers_without_repeats_and_events_without_gaps,
    only_legal_moves_are_written_and_a_refused_one_leaves_no_event,
    of_two_movers_one_wins,
    an_end_is_kept_and_the_next_run_begins_afresh,
    nothing_ends_before_it_begins,
    where_a_runner_works_is_kept,
    runners_are_found_by_name_id_and_unique_prefix,
    heartbeats_and_activities_are_applied,
    a_stranger_is_adopted_with_its_project_and_its_number,
}
