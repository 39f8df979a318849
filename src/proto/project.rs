//! Projects on the wire.

use super::{
    time::{or_epoch, to_timestamp},
    v1,
};
use crate::domain::project::{Project, ProjectStatus};

impl From<&Project> for v1::Project {
    fn from(project: &Project) -> Self {
        Self {
            name: project.name.clone(),
            path: project.path.to_string_lossy().into_owned(),
            status: project.status.as_str().to_owned(),
            description: project.description.clone(),
            tags: project.tags.clone(),
            total_runners: project.total_runners,
            active_runners: project.active_runners,
            total_sessions: project.total_sessions,
            total_tokens: project.total_tokens,
            created_at: Some(to_timestamp(project.created_at)),
            last_accessed_at: Some(to_timestamp(project.last_accessed_at)),
        }
    }
}

impl From<v1::Project> for Project {
    fn from(wire: v1::Project) -> Self {
        Self {
            name: wire.name,
            path: wire.path.into(),
            status: ProjectStatus::parse(&wire.status).unwrap_or(ProjectStatus::Idle),
            description: wire.description,
            tags: wire.tags,
            total_runners: wire.total_runners,
            active_runners: wire.active_runners,
            total_sessions: wire.total_sessions,
            total_tokens: wire.total_tokens,
            created_at: or_epoch(wire.created_at.as_ref()),
            last_accessed_at: or_epoch(wire.last_accessed_at.as_ref()),
        }
    }
}
