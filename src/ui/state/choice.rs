//! Which project a directory belongs to, and what a new one is called.

use std::path::Path;

use crate::domain::{
    name::{suggest_name_for, suggest_project_name},
    project::Project,
};

/// Returns the project whose directory holds `directory`, the innermost of several; of those that share
/// one, the one of this name.
pub(in crate::ui) fn project_for<'a>(
    projects: &'a [Project],
    directory: &Path,
    preferred: &str,
) -> Option<&'a Project> {
    let around = projects.iter().filter(|project| directory.starts_with(&project.path));
    around.max_by_key(|project| (project.path.components().count(), project.name == preferred))
}

/// Returns a name for a directory that no project has yet.
pub(in crate::ui) fn unique_name(projects: &[Project], directory: &Path) -> String {
    let base = suggest_name_for(directory);
    let is_taken = |name: &str| projects.iter().any(|project| project.name == name);
    let mut name = base.clone();
    let mut number = 2;
    while is_taken(&name) {
        name = suggest_project_name(&format!("{base}-{number}"));
        number += 1;
        if number > projects.len() + 2 {
            break;
        }
    }
    name
}
