//! What was said in sessions, and conversations on the disk, from the client's side.

use std::time::Duration;

use tonic::Streaming;

use super::{Client, failed, request_within};
use crate::{
    domain::{
        failure::Failure,
        launch::Environment,
        session::{Conversation, Hit, SearchFilter, Session, Utterance},
    },
    proto::{
        launch::env_vars,
        v1::{
            FindConversationsRequest, ImportConversationRequest, ReadTranscriptRequest,
            ReadTranscriptResponse, SearchSessionsRequest,
        },
    },
};

/// To read through all directories of agents, or a conversation of gigabytes.
const LONG: Duration = Duration::from_mins(10);

/// The variables that say where agents keep their conversations.
const PLACES: [&str; 7] = [
    "HOME",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "GEMINI_CLI_HOME",
    "XDG_DATA_HOME",
    "QWEN_HOME",
    "COPILOT_HOME",
];

/// A conversation that is being read.
#[derive(Debug)]
pub struct TranscriptStream(Streaming<ReadTranscriptResponse>);

impl TranscriptStream {
    /// Returns what was said next; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the conversation cannot be read to its end.
    pub async fn next(&mut self) -> Result<Option<Utterance>, Failure> {
        Ok(self.0.message().await.map_err(failed)?.map(Into::into))
    }
}

impl Client {
    /// Returns what was said with all of some words, the newest first.
    ///
    /// # Errors
    ///
    /// When there is no word, or the daemon cannot answer.
    pub async fn search_sessions(&self, wanted: &SearchFilter) -> Result<Vec<Hit>, Failure> {
        let request: SearchSessionsRequest = wanted.into();
        let answer = self.sessions().search_sessions(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().hits.into_iter().map(Into::into).collect())
    }

    /// Reads what was said in a session.
    ///
    /// # Errors
    ///
    /// When there is no such session, or its transcript is gone.
    pub async fn read_transcript(&self, session: &str) -> Result<TranscriptStream, Failure> {
        let request = ReadTranscriptRequest { session: session.to_owned() };
        let answer = self.sessions().read_transcript(request_within(request, LONG)).await;
        Ok(TranscriptStream(answer.map_err(failed)?.into_inner()))
    }

    /// Returns the conversations of an agent, or of all, on the daemon's disk.
    ///
    /// # Errors
    ///
    /// When there is no such agent, or the daemon cannot answer.
    pub async fn find_conversations(
        &self,
        agent: &str,
        environment: &Environment,
    ) -> Result<Vec<Conversation>, Failure> {
        let environment = env_vars(&places(environment));
        let request = FindConversationsRequest { agent: agent.to_owned(), environment };
        let answer = self.sessions().find_conversations(request_within(request, LONG)).await;
        let found = answer.map_err(failed)?.into_inner().conversations;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Takes a conversation in.
    ///
    /// # Errors
    ///
    /// When it is none, the project is not known, or a runner held it.
    pub async fn import_conversation(
        &self,
        found: &Conversation,
        project: &str,
        environment: &Environment,
    ) -> Result<Session, Failure> {
        let request = ImportConversationRequest {
            agent: found.agent.clone(),
            path: found.path.clone(),
            project: project.to_owned(),
            environment: env_vars(&places(environment)),
        };
        let answer = self.sessions().import_conversation(request_within(request, LONG)).await;
        Ok(answer.map_err(failed)?.into_inner().into())
    }
}

fn places(environment: &Environment) -> Environment {
    let is_place = |name: &std::ffi::OsStr| PLACES.iter().any(|place| name == *place);
    environment.iter().filter(|(name, _)| is_place(name)).cloned().collect()
}
