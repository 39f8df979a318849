//! Calls about projects.

use tonic::{Request, Response, Status};

use super::Shared;
use crate::{
    domain::{failure::Failure, project::NewProject, project::ProjectStatus},
    proto::{
        failure_to_status, quota_change,
        v1::{
            CreateProjectRequest, DeleteProjectRequest, DeleteProjectResponse, GetProjectRequest,
            ListProjectsRequest, ListProjectsResponse, Project, projects_server::Projects,
        },
    },
};

#[tonic::async_trait]
impl Projects for Shared {
    async fn create_project(
        &self,
        request: Request<CreateProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let wire = request.into_inner();
        let quotas = quota_change(&wire.quotas).map_err(|failure| failure_to_status(&failure))?;
        let new = NewProject {
            name: wire.name,
            path: wire.path.into(),
            description: wire.description,
            tags: wire.tags,
            quotas,
        };
        let project = self.services.create_project(new).await;
        project.map(|project| Response::new((&project).into())).map_err(|e| failure_to_status(&e))
    }

    async fn get_project(
        &self,
        request: Request<GetProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let project = self.services.get_project(&request.into_inner().name).await;
        project.map(|project| Response::new((&project).into())).map_err(|e| failure_to_status(&e))
    }

    async fn list_projects(
        &self,
        request: Request<ListProjectsRequest>,
    ) -> Result<Response<ListProjectsResponse>, Status> {
        let word = request.into_inner().status;
        let status = ProjectStatus::parse(&word);
        if status.is_none() && !word.is_empty() {
            let what = format!("`{}` is no status: active, idle, archived", word.escape_debug());
            return Err(failure_to_status(&Failure::usage("BAD_STATUS", what)));
        }
        let projects = self.services.list_projects(status).await;
        let projects = projects.map_err(|failure| failure_to_status(&failure))?;
        let projects = projects.iter().map(Into::into).collect();
        Ok(Response::new(ListProjectsResponse { projects }))
    }

    async fn delete_project(
        &self,
        request: Request<DeleteProjectRequest>,
    ) -> Result<Response<DeleteProjectResponse>, Status> {
        let wire = request.into_inner();
        let stopped = self.services.delete_project(&wire.name, wire.force).await;
        let stopped_runners = stopped.map_err(|failure| failure_to_status(&failure))?;
        Ok(Response::new(DeleteProjectResponse { stopped_runners }))
    }
}
