//! The service manager of the user or of the system, asked by `systemctl`.

use std::{fs, time::Duration};

use super::ask::{Answer, ask};
use crate::{config::environment, domain::failure::Failure};

/// How long it may take: stopping a service waits for it.
const LIMIT: Duration = Duration::from_secs(30);

/// A question is answered much sooner.
const QUESTION: Duration = Duration::from_secs(3);

/// What every unit of ours begins with.
const NAME: &str = "stratavore";

/// A service manager that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manager {
    is_user: bool,
}

impl Manager {
    /// The user's own, `None` where there is none.
    pub(super) async fn of_user() -> Option<Self> {
        Self { is_user: true }.if_it_answers().await
    }

    /// The system's, `None` where systemd does not run.
    pub(super) async fn of_system() -> Option<Self> {
        Self { is_user: false }.if_it_answers().await
    }

    async fn if_it_answers(self) -> Option<Self> {
        let answer = self.ask(&["show", "--property=Version"], QUESTION).await.ok()?;
        (answer.good && answer.text.starts_with("Version=")).then_some(self)
    }

    /// Whether it is the user's own.
    pub(super) fn is_user(self) -> bool {
        self.is_user
    }

    /// Asks something.
    pub(super) async fn question(self, words: &[&str]) -> Result<Answer, String> {
        self.ask(words, QUESTION).await
    }

    async fn ask(self, words: &[&str], limit: Duration) -> Result<Answer, String> {
        let program = environment::find_program("systemctl").ok_or("there is no systemctl")?;
        let user = self.is_user.then_some("--user");
        ask(program, user.into_iter().chain(words.iter().copied()), limit).await
    }

    /// Has something done.
    pub(super) async fn run(self, words: &[&str]) -> Result<(), Failure> {
        let line = format!("{} {}", self.command(), words.join(" "));
        match self.ask(words, LIMIT).await {
            Ok(answer) if answer.good => Ok(()),
            Ok(answer) => {
                let what = format!("run `{line}`: {}", answer.first_line());
                Err(Failure::unavailable("SYSTEMD_REFUSED", what).with_hint(self.journal()))
            }
            Err(why) => Err(Failure::unavailable("SYSTEMD_SILENT", format!("run `{line}`: {why}"))),
        }
    }

    /// How it is called in a shell.
    pub(super) fn command(self) -> &'static str {
        if self.is_user { "systemctl --user" } else { "systemctl" }
    }

    fn journal(self) -> &'static str {
        if self.is_user { "journalctl --user -u stratavore -n 20" } else { "journalctl -n 20" }
    }

    /// Whether the user's manager stays when the user logs out.
    pub(super) async fn lingers(self) -> bool {
        !self.is_user || lingers().await == Some(true)
    }

    /// Returns the manager and the unit that a process runs in, if it is one of ours.
    pub(super) fn unit_of(pid: u32) -> Option<(Self, String)> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        unit_in(&groups)
    }
}

/// Whether our user lingers; `None` when nobody knows.
pub(super) async fn lingers() -> Option<bool> {
    let program = environment::find_program("loginctl")?;
    let uid = rustix::process::getuid().as_raw().to_string();
    let words = ["show-user", uid.as_str(), "--property=Linger", "--value"];
    let answer = ask(program, words, QUESTION).await.ok()?;
    match answer.text.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        // A user who is not logged in and does not linger is not known at all.
        _ if !answer.good => fs::exists(format!("/var/lib/systemd/linger/{}", user_name()?)).ok(),
        _ => None,
    }
}

fn user_name() -> Option<String> {
    environment::get_text("USER").filter(|name| !name.contains('/'))
}

/// Finds the unit in the lines of a process's control groups.
fn unit_in(groups: &str) -> Option<(Manager, String)> {
    let lines = groups.lines().filter_map(|line| line.rsplit(':').next());
    for path in lines {
        let unit =
            path.split('/').find(|part| part.starts_with(NAME) && part.ends_with(".service"));
        if let Some(unit) = unit {
            return Some((Manager { is_user: path.contains("/user@") }, unit.to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_process_is_in_its_groups() {
        let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/stratavore.service/stratavore-daemon\n";
        let (manager, unit) = unit_in(user).unwrap();
        assert_eq!((manager.command(), unit.as_str()), ("systemctl --user", "stratavore.service"));
        let system =
            "12:pids:/x\n0::/system.slice/system-stratavore.slice/stratavore@amy.service\n";
        let (manager, unit) = unit_in(system).unwrap();
        assert_eq!((manager.command(), unit.as_str()), ("systemctl", "stratavore@amy.service"));
        for other in ["0::/user.slice/user-1000.slice/session-3.scope\n", "", "0::/\n"] {
            assert_eq!(unit_in(other), None);
        }
    }
}
