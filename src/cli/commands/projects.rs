//! `stratavore projects`: list, show, delete.

use chrono::Utc;

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        human,
        printer::Printer,
        projects::{ProjectsArgs, ProjectsCommand},
    },
    domain::{failure::Failure, project::Project},
};

/// Runs what was asked for.
pub(super) fn run(args: ProjectsArgs, context: &Context, printer: Printer) -> Outcome {
    let command = args.command.unwrap_or(ProjectsCommand::List { status: args.status });
    match command {
        ProjectsCommand::List { status } => {
            ("list the projects", block_on(list(&status, context, printer)))
        }
        ProjectsCommand::Show { name } => {
            ("show the project", block_on(show(&name, context, printer)))
        }
        ProjectsCommand::Delete { name, force } => {
            ("delete the project", block_on(delete(&name, force, context, printer)))
        }
    }
}

async fn list(status: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let projects = context.client().await?.list_projects(status).await?;
    if projects.is_empty() && printer.is_table() {
        let (what, next) = nothing(status);
        printer.note(&what);
        printer.note(&format!("  next: {next}"));
        return Ok(());
    }
    let now = Utc::now();
    printer.list(&projects, &["name", "status", "live", "runners", "used", "path"], |project| {
        vec![
            project.name.clone(),
            project.status.as_str().to_owned(),
            project.active_runners.to_string(),
            project.total_runners.to_string(),
            format!("{} ago", human::age(project.last_accessed_at, now)),
            project.path.display().to_string(),
        ]
    })
}

async fn show(name: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let client = context.client().await?;
    let project: Project = client.get_project(name).await?;
    printer.one(
        &project,
        &[
            ("name", project.name.clone()),
            ("path", project.path.display().to_string()),
            ("status", project.status.as_str().to_owned()),
            ("description", project.description.clone()),
            ("tags", project.tags.join(", ")),
            ("live runners", project.active_runners.to_string()),
            ("all runners", project.total_runners.to_string()),
            ("created", project.created_at.to_rfc3339()),
        ],
    )
}

async fn delete(
    name: &str,
    force: bool,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let stopped = context.client().await?.delete_project(name, force).await?;
    for runner in stopped {
        printer.note(&format!("ended {runner}"));
    }
    printer.note(&format!("forgot project {name}; its directory is untouched"));
    Ok(())
}

/// Returns what is said of an empty list, and what to do next.
fn nothing(status: &str) -> (String, &'static str) {
    if status.is_empty() {
        ("no projects yet".to_owned(), "stratavore launch, in a directory of yours")
    } else {
        (format!("no projects that are {status}"), "stratavore projects lists all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_filter_leaves_nothing_it_is_named() {
        assert_eq!(nothing("").0, "no projects yet");
        assert_eq!(nothing("active").0, "no projects that are active");
    }
}
