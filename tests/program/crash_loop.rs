//! An agent that fails again and again is started again, ever more slowly, and then no more.

use std::{fs, time::Duration};

use crate::support::{Say as _, World, stays, wait_until};

/// Returns when the agent was started, in seconds, from the lines it wrote.
fn starts(world: &World, file: &str) -> Vec<f64> {
    let text = fs::read_to_string(world.path(file)).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn a_crash_loop_is_slowed_down_and_given_up() {
    let world = World::with_project();
    let config = world.home().join(".config/stratavore");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("stratavore.yaml"), "runner:\n  max_restart_attempts: 2\n").unwrap();
    world.run(["daemon", "restart"]).expect_code(0);
    let script =
        |file: &str| format!("date +%s.%N >> {}; sleep 0.1; exit 1", world.path(file).display());
    let launch = |file: &str, policy: &str| {
        world.launch(&["--restart", policy], &["sh", "-c", &script(file)])
    };
    let looping = launch("looping", "on-failure");
    let stopped = launch("stopped", "on-failure");
    let never = launch("never", "never");

    // A stop between two runs is a stop.
    world.wait_status(&stopped, "failed", Duration::from_secs(5));
    world.run(["kill", &stopped]).expect_error(0, &["is not started again"]);
    world.run(["kill", &stopped]).expect_error(0, &["already stopped"]);
    let after_the_stop = starts(&world, "stopped").len();

    wait_until("it has run three times", Duration::from_secs(10), || {
        starts(&world, "looping").len() == 3
    });
    let times = starts(&world, "looping");
    assert!(times[1] - times[0] >= 0.95, "the first pause is a second: {times:?}");
    assert!(times[2] - times[1] >= 1.95, "the second is two: {times:?}");
    let given_up = world.wait_status(&looping, "failed", Duration::from_secs(5));
    assert_eq!(given_up.number("run"), Some(3));
    assert_eq!(given_up.number("exit_code"), Some(1));
    assert_eq!(given_up.number("restart_attempts"), Some(2));
    assert_eq!(given_up.number("max_restart_attempts"), Some(2));

    // The next pause would have been four seconds.
    stays("nobody starts it again", Duration::from_millis(4500), || {
        starts(&world, "looping").len() == 3
    });
    assert_eq!(starts(&world, "stopped").len(), after_the_stop);
    assert_eq!(starts(&world, "never").len(), 1);
    assert_eq!(world.show(&never).number("restart_attempts"), Some(0));

    // By hand it can be started at any time.
    world.run(["restart", &stopped]).expect_code(0);
    wait_until("it runs again", Duration::from_secs(5), || {
        starts(&world, "stopped").len() > after_the_stop
    });
}

#[test]
fn a_project_that_is_stopped_does_not_come_back() {
    let world = World::with_project();
    let file = world.path("runs");
    let script = format!("echo 1 >> {}; exit 1", file.display());
    let name = world.launch(&["--restart", "on-failure"], &["sh", "-c", &script]);
    world.wait_status(&name, "failed", Duration::from_secs(5));
    let listed = world.run(["runners"]).expect_code(0).stdout;
    assert!(listed.contains("starts again in"), "{listed}");
    world.run(["kill", "all"]).expect_error(0, &[&name, "is not started again"]);
    let runs = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    let before = runs();
    stays("it stays ended", Duration::from_millis(4500), || runs() == before);
}

#[test]
fn an_agent_that_ends_well_is_not_started_again() {
    let world = World::with_project();
    let file = world.path("runs");
    let script = format!("echo 1 >> {}; sleep 0.1", file.display());
    let name = world.launch(&["--restart", "on-failure"], &["sh", "-c", &script]);
    world.wait_status(&name, "terminated", Duration::from_secs(5));
    stays("it stays ended", Duration::from_millis(1500), || {
        fs::read_to_string(&file).unwrap_or_default().lines().count() == 1
    });
}
