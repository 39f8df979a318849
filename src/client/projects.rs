//! Projects and sessions, from the client's side.

use super::{Client, failed, request_within};
use crate::{
    domain::{
        failure::Failure,
        launch::Environment,
        project::{NewProject, Project},
        runner::Runner,
        session::Session,
        size::TerminalSize,
    },
    proto::{
        launch::env_vars,
        quota_limits,
        v1::{
            CreateProjectRequest, DeleteProjectRequest, GetProjectRequest, GetSessionRequest,
            ListProjectsRequest, ListSessionsRequest, ResumeSessionRequest,
        },
    },
};

impl Client {
    /// Registers a project.
    ///
    /// # Errors
    ///
    /// For a bad or taken name or a bad path.
    pub async fn create_project(&self, new: NewProject) -> Result<Project, Failure> {
        let request = CreateProjectRequest {
            name: new.name,
            path: new.path.to_string_lossy().into_owned(),
            description: new.description,
            tags: new.tags,
            quotas: quota_limits(&new.quotas),
        };
        let answer = self.projects().create_project(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().into())
    }

    /// Returns a project.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`.
    pub async fn get_project(&self, name: &str) -> Result<Project, Failure> {
        let request = GetProjectRequest { name: name.to_owned() };
        let answer = self.projects().get_project(self.request(request)).await;
        Ok(answer.map_err(failed)?.into_inner().into())
    }

    /// Returns all projects, or those of one status.
    ///
    /// # Errors
    ///
    /// For a word that is no status.
    pub async fn list_projects(&self, status: &str) -> Result<Vec<Project>, Failure> {
        let request = ListProjectsRequest { status: status.to_owned() };
        let answer = self.projects().list_projects(self.request(request)).await;
        let projects = answer.map_err(failed)?.into_inner().projects;
        Ok(projects.into_iter().map(Into::into).collect())
    }

    /// Removes a project; returns the names of runners that were ended for it.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`, or `PROJECT_BUSY` unless forced.
    pub async fn delete_project(&self, name: &str, force: bool) -> Result<Vec<String>, Failure> {
        let request = DeleteProjectRequest { name: name.to_owned(), force };
        let limit = super::runners::STOP_LIMIT;
        let request = request_within(request, limit);
        let answer = self.projects().delete_project(request).await;
        Ok(answer.map_err(failed)?.into_inner().stopped_runners)
    }

    /// Returns the newest sessions, of one project if it is not empty.
    ///
    /// # Errors
    ///
    /// When the daemon cannot answer.
    pub async fn list_sessions(
        &self,
        project: &str,
        runner: &str,
        limit: u32,
    ) -> Result<Vec<Session>, Failure> {
        let (project, runner) = (project.to_owned(), runner.to_owned());
        let request = ListSessionsRequest { project, runner, limit };
        let answer = self.sessions().list_sessions(self.request(request)).await;
        let sessions = answer.map_err(failed)?.into_inner().sessions;
        Ok(sessions.into_iter().map(Into::into).collect())
    }

    /// Goes on with a session: in the runner that held it last, or in a new one.
    ///
    /// # Errors
    ///
    /// When there is none, a runner holds it, or its agent cannot go on with it.
    pub async fn resume_session(
        &self,
        session: &str,
        is_new: bool,
        (environment, size, umask): (&Environment, TerminalSize, u32),
    ) -> Result<Runner, Failure> {
        let request = ResumeSessionRequest {
            session: session.to_owned(),
            new_runner: is_new,
            environment: env_vars(environment),
            size: Some(size.into()),
            umask: Some(umask),
        };
        let request = request_within(request, super::runners::STOP_LIMIT);
        let answer = self.sessions().resume_session(request).await;
        answer.map_err(failed)?.into_inner().try_into()
    }

    /// Returns a session by its id or a unique prefix of it.
    ///
    /// # Errors
    ///
    /// When there is none, or several.
    pub async fn get_session(&self, id: &str) -> Result<Session, Failure> {
        let request = self.request(GetSessionRequest { id: id.to_owned() });
        Ok(self.sessions().get_session(request).await.map_err(failed)?.into_inner().into())
    }
}
