//! Calls about runners.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, time::Duration};

use tokio::{sync::broadcast::error::RecvError, time::sleep};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Shared,
    guard::FromRunner,
    streams::{Answers, answer_with},
};
use crate::{
    daemon::{
        fleet::{AttachOutput, Attached},
        services::{Change, Services},
    },
    domain::{
        answer::Answer,
        failure::Failure,
        launch::{LaunchRequest, Launched, RestartPolicy},
        size::TerminalSize,
    },
    proto::{
        failure_to_status, from_env_vars, from_timestamp,
        link::v1::{ScrollbackQuery, SearchQuery, Type},
        v1::{
            AnswerRunnerRequest, AnswerRunnerResponse, AttachBytes, AttachExit,
            AttachRunnerRequest, AttachRunnerResponse, CorrectRunnerRequest, CorrectRunnerResponse,
            ExplainRunnerResponse, Frame, GetScreenResponse, GrantAttachRequest,
            GrantAttachResponse, LaunchRunnerRequest, LaunchRunnerResponse, ListRunnersRequest,
            ListRunnersResponse, LogChunk, ReadLogRequest, ReadScrollbackRequest,
            ReadScrollbackResponse, ResizeRunnerRequest, ResizeRunnerResponse,
            RestartRunnerRequest, Runner, RunnerRequest, SearchScrollbackRequest,
            SearchScrollbackResponse, SendHeartbeatRequest, SendHeartbeatResponse,
            SendInputRequest, SendInputResponse, StopRunnerRequest, StopRunnerResponse,
            WatchFramesRequest, WatchRunnersRequest, WatchRunnersResponse,
            answer_runner_request::Answer as Answered, attach_runner_request::Message as AttachIn,
            attach_runner_response::Message as AttachOut, runners_server::Runners,
            search_scrollback_response::Match,
        },
    },
};

/// How often a followed record is looked at for more.
const LOG_POLL: Duration = Duration::from_millis(100);

/// Turns a failure into a status.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn refuse(failure: Failure) -> Status {
    failure_to_status(&failure)
}

#[tonic::async_trait]
impl Runners for Shared {
    async fn launch_runner(
        &self,
        request: Request<LaunchRunnerRequest>,
    ) -> Result<Response<LaunchRunnerResponse>, Status> {
        let request = launch_request(request.into_inner()).map_err(refuse)?;
        let launched = self.services.launch(request).await.map_err(refuse)?;
        let runner = Some((&launched.runner).into());
        let Launched { repeated, warnings, .. } = launched;
        Ok(Response::new(LaunchRunnerResponse { runner, repeated, warnings }))
    }

    async fn stop_runner(
        &self,
        request: Request<StopRunnerRequest>,
    ) -> Result<Response<StopRunnerResponse>, Status> {
        let wire = request.into_inner();
        let stopped = self.services.stop_runner(&wire.runner, wire.grace_ms, wire.force).await;
        let (runner, already_stopped) = stopped.map_err(refuse)?;
        Ok(Response::new(StopRunnerResponse { runner: Some((&runner).into()), already_stopped }))
    }

    async fn restart_runner(
        &self,
        request: Request<RestartRunnerRequest>,
    ) -> Result<Response<Runner>, Status> {
        let wire = request.into_inner();
        let runner = self
            .services
            .restart(&wire.runner, wire.grace_ms, wire.preserve_session)
            .await
            .map_err(refuse)?;
        Ok(Response::new((&runner).into()))
    }

    async fn pause_runner(
        &self,
        request: Request<RunnerRequest>,
    ) -> Result<Response<Runner>, Status> {
        let word = request.into_inner().runner;
        let runner = self.services.set_paused(&word, true).await.map_err(refuse)?;
        Ok(Response::new((&runner).into()))
    }

    async fn resume_runner(
        &self,
        request: Request<RunnerRequest>,
    ) -> Result<Response<Runner>, Status> {
        let word = request.into_inner().runner;
        let runner = self.services.set_paused(&word, false).await.map_err(refuse)?;
        Ok(Response::new((&runner).into()))
    }

    async fn remove_runner(
        &self,
        request: Request<RunnerRequest>,
    ) -> Result<Response<Runner>, Status> {
        let word = request.into_inner().runner;
        let runner = self.services.remove_runner(&word).await.map_err(refuse)?;
        Ok(Response::new((&runner).into()))
    }

    async fn explain_runner(
        &self,
        request: Request<RunnerRequest>,
    ) -> Result<Response<ExplainRunnerResponse>, Status> {
        let told = self.services.explain(&request.into_inner().runner).await.map_err(refuse)?;
        Ok(Response::new((&told).into()))
    }

    async fn correct_runner(
        &self,
        request: Request<CorrectRunnerRequest>,
    ) -> Result<Response<CorrectRunnerResponse>, Status> {
        let request = request.into_inner().try_into().map_err(refuse)?;
        let told = self.services.correct(request).await.map_err(refuse)?;
        Ok(Response::new((&told).into()))
    }

    async fn get_runner(
        &self,
        request: Request<RunnerRequest>,
    ) -> Result<Response<Runner>, Status> {
        let runner = self.services.resolve(&request.into_inner().runner).await.map_err(refuse)?;
        Ok(Response::new((&runner).into()))
    }

    async fn list_runners(
        &self,
        request: Request<ListRunnersRequest>,
    ) -> Result<Response<ListRunnersResponse>, Status> {
        let wire = request.into_inner();
        let runners = self.services.list_runners(&wire.project, &wire.status, wire.limit).await;
        let runners = runners.map_err(refuse)?.iter().map(Into::into).collect();
        Ok(Response::new(ListRunnersResponse { runners }))
    }

    type WatchRunnersStream = Answers<WatchRunnersResponse>;

    async fn watch_runners(
        &self,
        _request: Request<WatchRunnersRequest>,
    ) -> Result<Response<Self::WatchRunnersStream>, Status> {
        let services = self.services.clone();
        Ok(Response::new(answer_with(&self.stop, |sender| async move {
            // Subscribed before the first list: nothing falls between the two.
            let mut changes = services.watch_runners();
            let mut next = everything(&services).await;
            loop {
                if sender.send(next.map_err(refuse)).await.is_err() {
                    return;
                }
                next = match changes.recv().await {
                    Ok(Change::Runner(runner)) => Ok(WatchRunnersResponse {
                        runners: vec![runner.as_ref().into()],
                        ..WatchRunnersResponse::default()
                    }),
                    Ok(Change::Removed(ids)) => Ok(WatchRunnersResponse {
                        removed_ids: ids.iter().map(ToString::to_string).collect(),
                        ..WatchRunnersResponse::default()
                    }),
                    Ok(Change::All) | Err(RecvError::Lagged(_)) => everything(&services).await,
                    Err(RecvError::Closed) => return,
                };
            }
        })))
    }

    type AttachRunnerStream = Answers<AttachRunnerResponse>;

    async fn attach_runner(
        &self,
        request: Request<Streaming<AttachRunnerRequest>>,
    ) -> Result<Response<Self::AttachRunnerStream>, Status> {
        let mut incoming = request.into_inner();
        let first = incoming.message().await?.and_then(|first| first.message);
        let Some(AttachIn::Open(open)) = first else {
            let what = "the first message of an attach must be `open`";
            return Err(refuse(Failure::usage("ATTACH_NOT_OPENED", what)));
        };
        let size = open.size.map(TerminalSize::from).unwrap_or_default();
        let attached =
            self.services.attach(&open.runner, open.read_only, size, open.resume_offset).await;
        let attached = attached.map_err(refuse)?;
        Ok(Response::new(answer_with(&self.stop, |sender| {
            carry_terminal(attached, incoming, sender)
        })))
    }

    async fn grant_attach(
        &self,
        request: Request<GrantAttachRequest>,
    ) -> Result<Response<GrantAttachResponse>, Status> {
        let wire = request.into_inner();
        let grant = self.services.grant_attach(&wire.runner, wire.read_only).await;
        let grant = grant.map_err(refuse)?;
        Ok(Response::new(GrantAttachResponse {
            id: grant.id.to_string(),
            name: grant.name,
            socket_path: grant.socket.to_string_lossy().into_owned(),
            token: grant.token.into(),
        }))
    }

    async fn send_input(
        &self,
        request: Request<SendInputRequest>,
    ) -> Result<Response<SendInputResponse>, Status> {
        let wire = request.into_inner();
        let (text, submit, raw) = (wire.text, wire.submit, wire.raw);
        let input = Type { text, submit, raw, ..Type::default() };
        let sent = self.services.send_input(&wire.runner, input).await;
        let accepted_bytes = sent.map_err(refuse)?;
        Ok(Response::new(SendInputResponse { accepted_bytes }))
    }

    async fn answer_runner(
        &self,
        request: Request<AnswerRunnerRequest>,
    ) -> Result<Response<AnswerRunnerResponse>, Status> {
        let wire = request.into_inner();
        let asked = wire.asked.as_ref().and_then(from_timestamp);
        let (Some(asked), Some(answer)) = (asked, wire.answer) else {
            let what = "an answer names when the question was asked, and what the answer is";
            return Err(refuse(Failure::usage("BAD_ANSWER", what)));
        };
        let answer = match answer {
            Answered::Approve(true) => Answer::Approve,
            Answered::Approve(false) => Answer::Deny,
            Answered::Choice(number) => Answer::Choose(u8::try_from(number).unwrap_or(u8::MAX)),
            Answered::Reply(text) => Answer::Reply(text),
        };
        self.services.answer(&wire.runner, asked, answer, &wire.by).await.map_err(refuse)?;
        Ok(Response::new(AnswerRunnerResponse {}))
    }

    async fn resize_runner(
        &self,
        request: Request<ResizeRunnerRequest>,
    ) -> Result<Response<ResizeRunnerResponse>, Status> {
        let wire = request.into_inner();
        let Some(size) = wire.size.map(TerminalSize::from) else {
            let what = "a resize needs a size";
            return Err(refuse(Failure::usage("SIZE_MISSING", what)));
        };
        self.services.resize(&wire.runner, size).await.map_err(refuse)?;
        Ok(Response::new(ResizeRunnerResponse { size: Some(size.into()) }))
    }

    async fn get_screen(
        &self,
        request: Request<RunnerRequest>,
    ) -> Result<Response<GetScreenResponse>, Status> {
        let screen = self.services.screen(&request.into_inner().runner).await.map_err(refuse)?;
        Ok(Response::new(GetScreenResponse {
            size: Some(screen.size.into()),
            lines: screen.lines,
            cursor_row: screen.cursor.0,
            cursor_col: screen.cursor.1,
            title: screen.title,
            alternate: screen.alternate,
            history_lines: screen.history_lines,
            forgotten_lines: screen.forgotten_lines,
            wrapped: screen.wrapped,
        }))
    }

    async fn read_scrollback(
        &self,
        request: Request<ReadScrollbackRequest>,
    ) -> Result<Response<ReadScrollbackResponse>, Status> {
        let wire = request.into_inner();
        let ReadScrollbackRequest { runner, from, count, styled, number } = wire;
        let query = ScrollbackQuery { from, count, styled, number };
        let found = self.services.scrollback(&runner, query).await.map_err(refuse)?;
        Ok(Response::new(ReadScrollbackResponse {
            lines: found.lines,
            total: found.total,
            forgotten_lines: found.forgotten,
            wrapped: found.wrapped,
        }))
    }

    async fn search_scrollback(
        &self,
        request: Request<SearchScrollbackRequest>,
    ) -> Result<Response<SearchScrollbackResponse>, Status> {
        let wire = request.into_inner();
        let query = SearchQuery { text: wire.text, limit: wire.limit };
        let found = self.services.search(&wire.runner, query).await.map_err(refuse)?;
        let (found, forgotten_lines) = found;
        let matches = found.into_iter().map(|(line, text)| Match { line, text }).collect();
        Ok(Response::new(SearchScrollbackResponse { matches, forgotten_lines }))
    }

    type WatchFramesStream = Answers<Frame>;

    async fn watch_frames(
        &self,
        request: Request<WatchFramesRequest>,
    ) -> Result<Response<Self::WatchFramesStream>, Status> {
        let wire = request.into_inner();
        let feed = self.services.watch_frames(&wire.runner, wire.max_fps).await;
        let mut feed = feed.map_err(refuse)?;
        Ok(Response::new(answer_with(&self.stop, |sender| async move {
            while let Some((size, full, bytes)) = feed.next().await {
                let frame = Frame { size: Some(size.into()), full, bytes };
                if sender.send(Ok(frame)).await.is_err() {
                    return;
                }
            }
        })))
    }

    type ReadLogStream = Answers<LogChunk>;

    async fn read_log(
        &self,
        request: Request<ReadLogRequest>,
    ) -> Result<Response<Self::ReadLogStream>, Status> {
        let wire = request.into_inner();
        let services = self.services.clone();
        let found = services.read_log(&wire.runner, wire.tail_bytes).await;
        let (runner, mut reader) = found.map_err(refuse)?;
        Ok(Response::new(answer_with(&self.stop, |sender| async move {
            loop {
                // Asked before the last look: what an ended runner wrote is then all there.
                let live = wire.follow && services.is_live(&runner).await;
                let read = move || (reader.next_piece(), reader);
                let Ok((piece, back)) = tokio::task::spawn_blocking(read).await else { return };
                reader = back;
                let answer = match piece {
                    Ok(Some(piece)) => Ok(LogChunk {
                        offset: piece.offset,
                        bytes: piece.bytes.into(),
                        missing_bytes: piece.missing,
                    }),
                    Ok(None) if live => {
                        sleep(LOG_POLL).await;
                        continue;
                    }
                    Ok(None) => return,
                    Err(error) => Err(refuse(Failure::unavailable(
                        "LOG_UNREADABLE",
                        format!("read the record of {}: {error}", runner.name),
                    ))),
                };
                let ended = answer.is_err();
                if sender.send(answer).await.is_err() || ended {
                    return;
                }
            }
        })))
    }

    async fn send_heartbeat(
        &self,
        request: Request<SendHeartbeatRequest>,
    ) -> Result<Response<SendHeartbeatResponse>, Status> {
        let from = request.extensions().get::<FromRunner>().copied();
        let runner = self.services.resolve(&request.get_ref().runner).await.map_err(refuse)?;
        if from.is_some_and(|FromRunner(id)| id != runner.id) {
            let what = "an agent may only report for its own runner";
            return Err(refuse(Failure::denied("AGENT_DENIED", what)));
        }
        // Life and load are measured by the daemon; a report of them adds nothing to believe.
        let command = match runner.status {
            crate::domain::runner::RunnerStatus::Stopping => "terminate",
            _ => "",
        };
        Ok(Response::new(SendHeartbeatResponse { command: command.to_owned() }))
    }
}

/// Returns the complete list of runners.
async fn everything(services: &Services) -> Result<WatchRunnersResponse, Failure> {
    let runners = services.list_runners("", "", 0).await?;
    Ok(WatchRunnersResponse {
        runners: runners.iter().map(Runner::from).collect(),
        removed_ids: Vec::new(),
        complete: true,
    })
}

fn launch_request(wire: LaunchRunnerRequest) -> Result<LaunchRequest, Failure> {
    let request_id = match wire.request_id.as_str() {
        "" => None,
        text => Some(uuid::Uuid::parse_str(text).map_err(|error| {
            Failure::usage(
                "BAD_REQUEST_ID",
                format!("request_id `{}`: {error}", text.escape_debug()),
            )
        })?),
    };
    let restart = RestartPolicy::parse(&wire.restart).ok_or_else(|| {
        let what = format!("restart `{}`: never or on-failure", wire.restart.escape_debug());
        Failure::usage("BAD_RESTART_POLICY", what)
    })?;
    Ok(LaunchRequest {
        request_id,
        project: wire.project,
        name: wire.name,
        command: wire.command.into_iter().map(|word| OsString::from_vec(word.into())).collect(),
        cwd: (!wire.cwd.is_empty()).then(|| wire.cwd.into()),
        worktree: wire.worktree.map(TryInto::try_into).transpose()?,
        environment: from_env_vars(wire.environment),
        size: wire.size.map(TerminalSize::from).unwrap_or_default(),
        restart,
        umask: wire.umask.unwrap_or(0o022),
        max_tokens: (wire.max_tokens > 0).then_some(wire.max_tokens),
    })
}

/// Carries bytes both ways until one side ends.
async fn carry_terminal(
    attached: Attached,
    mut incoming: Streaming<AttachRunnerRequest>,
    sender: tokio::sync::mpsc::Sender<Result<AttachRunnerResponse, Status>>,
) {
    let Attached { mut output, mut input } = attached;
    let keys = async {
        while let Ok(Some(message)) = incoming.message().await {
            let sent = match message.message {
                Some(AttachIn::Input(bytes)) => input.type_bytes(bytes).await,
                Some(AttachIn::Resize(size)) => input.resize(size.into()).await,
                Some(AttachIn::Open(_)) | None => Ok(()),
            };
            if sent.is_err() {
                return;
            }
        }
    };
    let screen = async {
        while let Ok(Some(output)) = output.next().await {
            let ended = matches!(output, AttachOutput::Exit(_));
            let message = match output {
                AttachOutput::Snapshot(offset, bytes) => {
                    AttachOut::Snapshot(AttachBytes { offset, bytes })
                }
                AttachOutput::Data(offset, bytes) => AttachOut::Data(AttachBytes { offset, bytes }),
                AttachOutput::Exit(exit) => {
                    AttachOut::Exit(AttachExit { code: exit.code, signal: exit.signal })
                }
                AttachOutput::InputRefused(count) => AttachOut::InputRefused(count),
            };
            let answer = AttachRunnerResponse { message: Some(message) };
            if sender.send(Ok(answer)).await.is_err() || ended {
                return;
            }
        }
    };
    tokio::select! {
        () = keys => {}
        () = screen => {}
    }
}
