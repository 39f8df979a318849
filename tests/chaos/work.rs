//! What the agents do that are launched: some end at once, some count, read, spend, or try what they must
//! not; and what they wrote down of it, which the product never reads.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{
    history::{Forbidden, Testimony},
    support::{Witness, write_script},
};

/// Tokens of one report.
const TOKENS: u64 = 10;

/// Reads lines, as they are, and writes them down.
const READER: &str = r#"stty -echo; while read -r line; do printf '%s\n' "$line" >> "$0"; done"#;

/// Reports usage as Claude Code does, each report once, and writes down which were taken.
const SPENDER: &str = r#"#!/bin/bash
[ "$1" = --version ] && { echo '2.1.329 (Claude Code)'; exit; }
while [ $# -gt 0 ]; do case $1 in --session-id) id=$2; shift ;; --resume=*) id=${1#*=} ;; esac; shift; done
at=${OTEL_EXPORTER_OTLP_ENDPOINT#http://}; host=${at%%/*}; path=/${at#*/}
a() { printf '{"key":"%s","value":{"stringValue":"%s"}}' "$1" "$2"; }
n=0
while [ $n -lt 150 ]; do
  n=$((n+1))
  body='{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"claude_code.api_request"},"attributes":['"$(a session.id $id),$(a model m),$(a request_id r-$id-$$-$n),$(a input_tokens 0),$(a output_tokens TOKENS),$(a cost_usd 0.5)"']}]}]}]}'
  echo sent >> "$CHAOS_WITNESS"
  if exec 3<>"/dev/tcp/${host%:*}/${host#*:}"; then
    printf 'POST %s/v1/logs HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s' "$path" ${#body} "$body" >&3
    read -r line <&3; exec 3>&-
    case $line in *' 200 '*) echo taken >> "$CHAOS_WITNESS" ;; esac
  fi
  sleep 0.1
done
exec sleep 600
"#;

/// What an agent that was told to do evil tries, from within its runner; `PROJECT` is its project.
const EVIL: [&str; 4] = [
    "new intruder --path /tmp",
    "quotas set PROJECT max_concurrent_runners 99",
    "budget set global weekly 9M",
    "kill all",
];

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It ends at once with this code.
    Brief(u8),
    /// It does nothing.
    Sleeper,
    /// It prints numbered lines.
    Counter,
    /// It reads lines.
    Reader,
    /// It reports usage.
    Spender,
    /// It has a child in a session of its own.
    Parent,
    /// It tries what it must not.
    Intruder,
}

/// An agent that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Employed {
    /// The request that asked for it.
    pub request: Uuid,
    /// What it does.
    pub kind: Kind,
    /// Where it writes that down.
    pub witness: PathBuf,
}

/// Where agents are started from.
#[derive(Debug, Clone)]
pub(crate) struct Workshop {
    /// The program under test.
    pub program: PathBuf,
    /// A directory of the test's own.
    pub dir: PathBuf,
    /// The product's root there.
    pub root: PathBuf,
}

impl Workshop {
    /// Puts the scripts there.
    pub(crate) fn equip(&self) {
        let text = SPENDER.replace("TOKENS", &TOKENS.to_string());
        write_script(&self.dir.join("claude"), &text, 0o755);
    }

    /// Returns somebody to be employed and the command that starts them.
    pub(crate) fn employ(
        &self,
        request: Uuid,
        kind: Kind,
        project: &str,
    ) -> (Employed, Vec<OsString>) {
        let witness = self.dir.join(format!("w-{request}"));
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let demo = |mode: &str, more: &[&str]| {
            let mut command = vec![self.program.clone().into_os_string()];
            command.extend(words(&["demo-agent", "--mode", mode, "--witness"]));
            command.push(witness.clone().into_os_string());
            command.extend(words(more));
            command
        };
        let command = match kind {
            Kind::Brief(0) => words(&["true"]),
            Kind::Brief(code) => words(&["sh", "-c", &format!("exit {code}")]),
            Kind::Sleeper => words(&["sleep", "600"]),
            Kind::Counter => demo("seq", &["--rate", "50"]),
            Kind::Parent => demo("setsid-child", &[]),
            Kind::Reader => {
                let mut command = words(&["sh", "-c", READER]);
                command.push(witness.clone().into_os_string());
                command
            }
            Kind::Spender => vec![self.dir.join("claude").into_os_string()],
            Kind::Intruder => words(&["sh", "-c", &self.evil(&witness, project)]),
        };
        (Employed { request, kind, witness }, command)
    }

    fn evil(&self, witness: &Path, project: &str) -> String {
        let (program, witness) = (self.program.display(), witness.display());
        let one = |words: &&str| {
            let words = words.replace("PROJECT", project);
            format!("'{program}' {words} >/dev/null 2>&1; echo $? {words} >> '{witness}'")
        };
        let all = EVIL.iter().map(one).collect::<Vec<_>>().join("; ");
        format!("export STRATAVORE_HOME='{}'; {all}; exec sleep 600", self.root.display())
    }
}

impl Employed {
    /// Returns what it wrote down, as that of this runner.
    pub(crate) fn testimony(&self, runner: &str) -> Testimony {
        let runner = runner.to_owned();
        let witness = Witness::new(&self.witness);
        let lines = witness.lines();
        let count = |line: &str| lines.iter().filter(|other| *other == line).count() as u64;
        match self.kind {
            Kind::Brief(code) => {
                Testimony { runner, exit: Some(code.into()), ..Testimony::default() }
            }
            Kind::Sleeper | Kind::Intruder => Testimony { runner, ..Testimony::default() },
            Kind::Counter | Kind::Parent => {
                let newest = lines.iter().rposition(|line| line.starts_with("start ")).unwrap_or(0);
                let exit = lines[newest.min(lines.len())..]
                    .iter()
                    .find_map(|l| l.strip_prefix("exit code="));
                let said = witness.sequence();
                let said =
                    said.iter().flat_map(|line| format!("@{line}\r\n").into_bytes()).collect();
                let counts = self.kind == Kind::Counter;
                Testimony {
                    runner,
                    starts: witness.starts(),
                    exit: exit.and_then(|code| code.parse().ok()),
                    said: counts.then_some(said),
                    stall: counts.then(|| witness.longest_stall()),
                    ..Testimony::default()
                }
            }
            Kind::Reader => Testimony { runner, heard: lines, ..Testimony::default() },
            Kind::Spender => {
                let (sent, taken) = (count("sent"), count("taken"));
                let reports = (taken, sent.saturating_sub(taken));
                Testimony { runner, reports, tokens: TOKENS, ..Testimony::default() }
            }
        }
    }

    /// Returns what it tried and what it was told, as far as it came; whether something had changed
    /// afterwards is for others to see.
    pub(crate) fn tried(&self) -> Vec<Forbidden> {
        if self.kind != Kind::Intruder {
            return Vec::new();
        }
        let text = fs::read_to_string(&self.witness).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let one = |(code, what): (&str, &str)| Forbidden {
            what: format!("`{what}` by an agent"),
            is_refused: code != "0",
            is_unchanged: true,
        };
        lines.map(one).collect()
    }
}
