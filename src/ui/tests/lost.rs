//! Runners that were lost with the machine: told, and resumed with one key.

use super::{ended, fleet, id, keys, list, press, screen, state};
use crate::{
    domain::{
        failure::Failure,
        runner::{Runner, SUPERVISOR_LOST},
    },
    ui::{
        effect::Effect,
        event::{Outcome, UiEvent},
        state::{State, Work},
        update::update,
    },
};

fn lost(number: u128, name: &str, session: Option<&str>) -> Runner {
    let mut runner = ended(number, name, 1, 60);
    (runner.exit_code, runner.reason) = (None, Some(SUPERVISOR_LOST.to_owned()));
    runner.session_id = session.map(str::to_owned);
    runner
}

/// After a reboot: two had conversations, a shell had none; another has failed by itself.
fn rebooted(size: (u16, u16)) -> State {
    let mut runners = fleet();
    runners.truncate(8);
    runners.extend([
        lost(21, "api-7", Some("s-21")),
        lost(22, "api-10", Some("s-22")),
        lost(23, "api-8", None),
    ]);
    state(size, runners)
}

fn resumed(effects: &[Effect]) -> Vec<(u128, &str)> {
    let numbers = [21, 22, 23];
    let resumed = effects.iter().filter_map(|effect| match effect {
        Effect::ResumeRunner(of, session, _) => {
            let number = numbers.into_iter().find(|number| id(*number) == *of)?;
            Some((number, session.as_str()))
        }
        _ => None,
    });
    resumed.collect()
}

#[test]
fn one_key_resumes_all_each_in_its_conversation_and_tells_how_it_went() {
    let mut state = rebooted((120, 40));
    let shown = screen(&state);
    let told = "L resumes the 3 that were lost; 1 begins anew";
    assert!(shown.contains(told), "{shown}");
    let effects = press(&mut state, "L");
    assert_eq!(resumed(&effects), [(21, "s-21"), (22, "s-22")]);
    assert!(effects.contains(&Effect::Restart(id(23))), "a shell has no conversation");
    let anew = lost(23, "api-8", None);
    update(&mut state, UiEvent::Outcome(Outcome::Restarted(Box::new(anew))));
    let mut back = lost(21, "api-7", Some("s-21"));
    back.status = crate::domain::runner::RunnerStatus::Starting;
    update(&mut state, UiEvent::Outcome(Outcome::Continued(id(21), Box::new(back))));
    let why = Failure::conflict("SESSION_HELD", "api-9 holds session s-22");
    update(&mut state, UiEvent::Outcome(Outcome::Refused(Work::Resume, id(22), why)));
    let shown = screen(&state);
    for text in ["1 of 2 runners is resumed", "api-10: api-9 holds session s-22"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}

#[test]
fn a_narrow_screen_says_it_too_and_without_lost_ones_nothing_is_said() {
    let narrow = screen(&rebooted((40, 24)));
    assert!(narrow.contains("L resumes lost, 1 anew"), "{narrow}");
    let mut state = state((120, 40), fleet());
    assert!(!screen(&state).contains("lost"), "{}", screen(&state));
    assert_eq!(press(&mut state, "L"), []);
    assert!(screen(&state).contains("no runner was lost"));
}

#[test]
fn a_single_one_goes_on_in_its_conversation() {
    let mut state = rebooted((120, 40));
    keys(&mut state, "/ i s : f a i l e d enter g");
    let at = |state: &State| state.selected;
    assert_eq!(at(&state), Some(id(21)));
    let shown = screen(&state);
    assert!(shown.contains("L resume all lost  C resume"), "{shown}");
    assert_eq!(resumed(&press(&mut state, "C")), [(21, "s-21")]);
    press(&mut state, "j");
    assert_eq!(at(&state), Some(id(23)));
    assert_eq!(press(&mut state, "C"), []);
    let shown = screen(&state);
    assert!(shown.contains("no conversation of api-8 is known; R starts it anew"), "{shown}");
    list(&mut state, fleet());
}
