//! Projects: register, show, remove.

use std::path::Path;

use serde_json::json;

use super::{Change, Services};
use crate::domain::{
    event::EventType,
    failure::Failure,
    name::check_project_name,
    project::{NewProject, Project, ProjectStatus},
};

/// A description is a line, not a document.
const MAX_DESCRIPTION: usize = 1000;

impl Services {
    /// Registers a directory.
    ///
    /// # Errors
    ///
    /// For a bad name, a path that is no absolute directory, or a name that is taken.
    pub async fn create_project(&self, new: NewProject) -> Result<Project, Failure> {
        check_project_name(&new.name)
            .map_err(|error| Failure::usage("BAD_PROJECT_NAME", error.to_string()))?;
        check_path(&new.path)?;
        let texts = std::iter::once(&new.description).chain(&new.tags);
        for text in texts {
            if text.len() > MAX_DESCRIPTION || text.contains(char::is_control) {
                let what = format!(
                    "description and tags are lines of at most {MAX_DESCRIPTION} bytes without \
                     control characters"
                );
                return Err(Failure::usage("BAD_DESCRIPTION", what));
            }
        }
        let services = self.clone();
        self.detached(async move {
            let context = &services.context;
            let path = new.path.to_string_lossy();
            let data = json!({ "path": path });
            let mut events =
                vec![context.project_event(EventType::ProjectCreated, &new.name, data)];
            if !new.quotas.is_empty() {
                events.push(services.quota_event(&new.name, &new.quotas));
            }
            Ok(services.store.project_create(&new, context.clock.now(), events).await?)
        })
        .await
    }

    /// Returns a project.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`.
    pub async fn get_project(&self, name: &str) -> Result<Project, Failure> {
        self.looked_around().await;
        let found = self.store.project_get(name).await?;
        found.ok_or_else(|| {
            let what = format!("no project `{}`", name.escape_debug());
            Failure::not_found("PROJECT_NOT_FOUND", what)
                .with_hint("stratavore projects lists them")
        })
    }

    /// Returns all projects, or those of one status.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list_projects(
        &self,
        status: Option<ProjectStatus>,
    ) -> Result<Vec<Project>, Failure> {
        self.looked_around().await;
        self.projects_or_linked(self.store.project_list(status)).await
    }

    /// Removes a project, ending its live runners first if forced; returns their names.
    ///
    /// # Errors
    ///
    /// `PROJECT_NOT_FOUND`, or `PROJECT_BUSY` while it has live runners.
    pub async fn delete_project(&self, name: &str, force: bool) -> Result<Vec<String>, Failure> {
        self.get_project(name).await?;
        let (services, name) = (self.clone(), name.to_owned());
        self.detached(async move {
            let mut stopped = Vec::new();
            if force {
                for runner in services.store.runner_list(&name, "live", 0).await? {
                    services.stop(&runner, None, false, None).await?;
                    stopped.push(runner.name);
                }
            }
            let runners = services.store.runner_list(&name, "", 0).await?;
            let event = services.context.project_event(EventType::ProjectDeleted, &name, json!({}));
            services.store.project_delete(&name, event).await?;
            let ids: Vec<_> = runners.iter().map(|runner| runner.id).collect();
            for id in &ids {
                // What is left over is found and removed with the runner's directory, later.
                std::fs::remove_dir_all(services.context.places.runner(*id)).ok();
            }
            for runner in &runners {
                services.forget_launch(runner).await;
            }
            services.changes.announce(Change::Removed(ids));
            Ok(stopped)
        })
        .await
    }
}

/// Refuses what is no absolute, existing directory.
fn check_path(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    if !path.is_absolute() {
        return Err(Failure::usage("BAD_PATH", format!("`{shown}` is not an absolute path")));
    }
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(Failure::usage("BAD_PATH", format!("`{shown}` is not a directory"))),
        Err(error) => Err(Failure::not_found("BAD_PATH", format!("open `{shown}`: {error}"))
            .with_hint(format!("mkdir -p '{shown}'"))),
    }
}
