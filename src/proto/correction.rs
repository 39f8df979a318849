//! Corrections on the public wire.

use super::{activity::some, v1};
use crate::domain::{
    correction::{Correction, CorrectionRequest, Screenshot, Truth},
    failure::Failure,
};

impl From<&Screenshot> for v1::Screenshot {
    fn from(looked: &Screenshot) -> Self {
        Self { title: looked.title.clone(), lines: looked.lines.clone() }
    }
}

impl From<v1::Screenshot> for Screenshot {
    fn from(wire: v1::Screenshot) -> Self {
        Self { title: wire.title, lines: wire.lines }
    }
}

impl From<&CorrectionRequest> for v1::CorrectRunnerRequest {
    fn from(request: &CorrectionRequest) -> Self {
        Self {
            runner: request.runner.clone(),
            state: request.truth.state.as_str().to_owned(),
            kind: request.truth.kind.clone().unwrap_or_default(),
            looked: request.looked.as_ref().map(Into::into),
            line: request.line.clone().unwrap_or_default(),
            draft: request.is_draft,
        }
    }
}

impl TryFrom<v1::CorrectRunnerRequest> for CorrectionRequest {
    type Error = Failure;

    fn try_from(wire: v1::CorrectRunnerRequest) -> Result<Self, Failure> {
        Ok(Self {
            runner: wire.runner,
            truth: Truth::parse(&wire.state, &wire.kind)?,
            looked: wire.looked.map(Into::into),
            line: some(wire.line),
            is_draft: wire.draft,
        })
    }
}

impl From<&Correction> for v1::CorrectRunnerResponse {
    fn from(told: &Correction) -> Self {
        Self {
            runner: Some((&told.runner).into()),
            state: told.truth.state.as_str().to_owned(),
            kind: told.truth.kind.clone().unwrap_or_default(),
            looked: Some((&told.looked).into()),
            lines: told.lines.clone(),
            line: told.line.clone(),
            rule: told.rule.clone(),
            tested: told.tested,
            refused: told.refused.clone(),
            file: told.file.clone(),
            fixture: told.fixture.clone(),
            accepted: told.is_accepted,
            changes: told
                .changes
                .iter()
                .map(|names| v1::Changed { runners: names.clone() })
                .collect(),
        }
    }
}

impl TryFrom<v1::CorrectRunnerResponse> for Correction {
    type Error = Failure;

    fn try_from(wire: v1::CorrectRunnerResponse) -> Result<Self, Failure> {
        let runner =
            wire.runner.ok_or_else(|| Failure::internal("understand the daemon: no runner"))?;
        Ok(Self {
            runner: runner.try_into()?,
            truth: Truth::parse(&wire.state, &wire.kind)?,
            looked: wire.looked.map(Into::into).unwrap_or_default(),
            lines: wire.lines,
            line: wire.line,
            rule: wire.rule,
            tested: wire.tested,
            refused: wire.refused,
            file: wire.file,
            fixture: wire.fixture,
            is_accepted: wire.accepted,
            changes: wire.changes.into_iter().map(|changed| changed.runners).collect(),
        })
    }
}
