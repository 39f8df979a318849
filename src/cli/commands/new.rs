//! `stratavore new`: registers a directory as a project.

use crate::{
    cli::{context::Context, printer::Printer, projects::NewArgs},
    domain::{failure::Failure, name::check_project_name, project::NewProject},
};

/// Registers the project.
pub(super) async fn run(args: NewArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    // Checked here too: a bad name must not start a daemon.
    check_project_name(&args.name)
        .map_err(|error| Failure::usage("BAD_PROJECT_NAME", error.to_string()))?;
    let path = std::path::absolute(&args.path).map_err(|error| {
        Failure::usage("BAD_PATH", format!("open `{}`: {error}", args.path.display()))
    })?;
    let path = path.canonicalize().unwrap_or(path);
    let quotas = args.quotas.change();
    let client = context.client().await?;
    // Programs may do it over the API; a person who does it means the project that is there, and what
    // is launched from within the directory could be of either.
    let projects = client.list_projects("").await?;
    let there = projects.iter().find(|project| project.path == path && project.name != args.name);
    if let Some(there) = there {
        let what = format!("`{}` is the directory of project `{}`", path.display(), there.name);
        return Err(Failure::conflict("DIRECTORY_TAKEN", what)
            .with_hint(format!("stratavore launch {}", there.name)));
    }
    let new = NewProject {
        name: args.name,
        path,
        description: args.description,
        tags: args.tags,
        quotas,
    };
    let project = client.create_project(new).await?;
    if !printer.is_table() {
        return printer.one(&project, &[]);
    }
    printer.note(&format!("registered {} ({})", project.name, project.path.display()));
    printer.note(&format!("  next: stratavore launch {}", project.name));
    Ok(())
}
