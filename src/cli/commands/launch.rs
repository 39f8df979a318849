//! `stratavore launch`: starts an agent, or any command, in a project.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::attach;
use crate::{
    cli::{
        context::{Context, block_on, current_dir, environment_of_client, umask},
        is_interactive,
        launch::LaunchArgs,
        printer::Printer,
        question,
        worktrees::WorktreeArgs,
    },
    client::{Client, size_of_terminal},
    config::wishes,
    domain::{
        agent_command::{Permission, Wishes},
        checkout::{SETUP_NOT_TRUSTED, SetupChoice, WorktreeWish},
        failure::Failure,
        launch::{LaunchRequest, Launched, MIXING},
        name::suggest_name_for,
        project::{NewProject, Project},
        quota::QuotaChange,
        runner::Runner,
    },
};

/// Launches, and goes into the runner if asked.
pub(super) fn run(args: LaunchArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let attach = args.attach;
    let runners = block_on(launch(args, context, printer))?;
    match runners.first() {
        Some(runner) if attach => attach::by_name(&runner.name, context, printer),
        _ => Ok(()),
    }
}

/// Launches and tells the names.
async fn launch(
    args: LaunchArgs,
    context: &Context,
    printer: Printer,
) -> Result<Vec<Runner>, Failure> {
    if args.name.as_deref() == Some("") {
        return Err(Failure::usage("BAD_NAME", "a name must not be empty")
            .with_hint("another --name, or none: then it is given"));
    }
    let client = context.client().await?;
    let project = if let Some(name) = &args.project {
        name.clone()
    } else {
        not_a_project(&args, &client).await?;
        project_here(&client, args.yes, printer).await?.name
    };
    let cwd = args.cwd.as_deref().map(absolute).transpose()?;
    let command = wished(&args, context, printer)?;
    let request = LaunchRequest {
        request_id: args.request_id,
        project,
        name: args.name.unwrap_or_default(),
        command,
        cwd,
        worktree: wish(&args.worktree, args.count)?,
        environment: environment_of_client(),
        size: size_of_terminal().unwrap_or_default(),
        restart: args.restart,
        umask: umask(),
        max_tokens: args.max_tokens,
    };
    let mut runners = Vec::new();
    for left in (0..args.count).rev() {
        let Launched { runner, repeated, warnings } =
            launch_one(&client, &request, printer).await?;
        if repeated {
            printer.note(&format!("{} had been launched by this request before", runner.name));
        }
        for warning in warnings.iter().filter(|text| left == 0 || !text.ends_with(MIXING)) {
            printer.note(&format!("! {warning}"));
        }
        if let (Some(path), true) = (worktree_of(&runner), printer.is_table()) {
            printer.note(&format!("  worktree: {path}"));
        }
        if printer.is_table() {
            printer.line(&runner.name)?;
        }
        runners.push(runner);
    }
    if printer.is_table() {
        if let (Some(runner), false) = (runners.first(), args.attach) {
            printer.note(&format!("  next: stratavore attach {}", runner.name));
        }
    } else {
        printer.list(&runners, &[], |_| Vec::new())?;
    }
    Ok(runners)
}

/// Returns the command with the flags for what is wished of its agent.
fn wished(
    args: &LaunchArgs,
    context: &Context,
    printer: Printer,
) -> Result<Vec<OsString>, Failure> {
    let god = args.god.then_some(Permission::Everything);
    let wishes = Wishes {
        model: args.model.clone().unwrap_or_default(),
        permission: god.or(args.permission).unwrap_or_default(),
        prompt: args.prompt.clone().unwrap_or_default(),
    };
    let agent = args.agent.as_deref();
    let command = wishes::command(context.config(), agent, args.command.clone(), &wishes)?;
    if wishes.permission == Permission::Everything {
        printer.warn(&format!("god mode: {}", wishes.permission.allows()));
    }
    Ok(command)
}

/// `--worktree PROJECT` is read as a branch of that name in the project of this directory: hardly what was meant.
async fn not_a_project(args: &LaunchArgs, client: &Client) -> Result<(), Failure> {
    let Some(branch) = args.worktree.worktree.as_deref().filter(|branch| !branch.is_empty()) else {
        return Ok(());
    };
    if client.list_projects("").await?.iter().any(|project| project.name == branch) {
        let what = format!("`{}` is a project, and no project is named", branch.escape_debug());
        let hint = format!("stratavore launch {branch} --worktree, with the project first");
        return Err(Failure::usage("PROJECT_AS_BRANCH", what).with_hint(hint));
    }
    Ok(())
}

/// Returns what worktree is wished for.
fn wish(args: &WorktreeArgs, count: u32) -> Result<Option<WorktreeWish>, Failure> {
    let Some(branch) = args.worktree.clone() else { return Ok(None) };
    if count > 1 && !branch.is_empty() {
        let what = format!("check out `{}` {count} times", branch.escape_debug());
        return Err(Failure::usage("BRANCH_FOR_MANY", what)
            .with_hint("--worktree without a name gives each a branch of its own"));
    }
    let setup = match (args.trust_setup, args.no_setup) {
        (true, _) => SetupChoice::Trust,
        (_, true) => SetupChoice::Skip,
        _ => SetupChoice::IfTrusted,
    };
    Ok(Some(WorktreeWish { branch, base: args.base.clone().unwrap_or_default(), setup }))
}

fn worktree_of(runner: &Runner) -> Option<String> {
    let path = runner.checkout.as_ref()?.worktree.as_ref()?;
    Some(path.to_string_lossy().escape_debug().to_string())
}

/// Launches; a set-up command that is not allowed yet is asked about where somebody can answer.
async fn launch_one(
    client: &Client,
    request: &LaunchRequest,
    printer: Printer,
) -> Result<Launched, Failure> {
    match (client.launch(request).await, &request.worktree) {
        (Err(failure), Some(wish)) if failure.reason == SETUP_NOT_TRUSTED && is_interactive() => {
            printer.talk(&failure.message);
            if !question::yes(
                "Allow this command in this project, now and from now on? [y/N] ",
                false,
            )? {
                return Err(failure);
            }
            let wish = WorktreeWish { setup: SetupChoice::Trust, ..wish.clone() };
            client.launch(&LaunchRequest { worktree: Some(wish), ..request.clone() }).await
        }
        (launched, _) => launched,
    }
}

/// Returns the project of the directory we stand in, registering it if the person agrees.
pub(super) async fn project_here(
    client: &Client,
    yes: bool,
    printer: Printer,
) -> Result<Project, Failure> {
    let here = current_dir()?;
    let here = here.canonicalize().unwrap_or(here);
    let projects = client.list_projects("").await?;
    if let Some(project) = nearest_project(&projects, &here)? {
        return Ok(project.clone());
    }
    let root = repository_root(&here).unwrap_or(here);
    let wanted = suggest_name_for(&root);
    let name = free_name(&wanted, &projects);
    let offer = format!("stratavore new {name} --path '{}'", root.display());
    let agreed = yes || (is_interactive() && confirm(printer, &name, &root)?);
    if !agreed {
        let what = format!("`{}` belongs to no project", root.display());
        return Err(Failure::not_found("NO_PROJECT_HERE", what)
            .with_hint(format!("{offer}, or stratavore launch --yes")));
    }
    let new = NewProject {
        name,
        path: root,
        description: String::new(),
        tags: Vec::new(),
        quotas: QuotaChange::new(),
    };
    let project = client.create_project(new).await?;
    printer.note(&format!("registered {} ({})", project.name, project.path.display()));
    Ok(project)
}

/// Returns the project whose directory contains this one, the innermost if there are several; which of
/// those that share a directory is meant, nobody knows.
fn nearest_project<'a>(
    projects: &'a [Project],
    here: &Path,
) -> Result<Option<&'a Project>, Failure> {
    let containing = projects.iter().filter(|project| here.starts_with(&project.path));
    let Some(found) = containing.max_by_key(|project| project.path.components().count()) else {
        return Ok(None);
    };
    let sharing = projects.iter().filter(|project| project.path == found.path);
    let names: Vec<&str> = sharing.map(|project| project.name.as_str()).collect();
    if names.len() == 1 {
        return Ok(Some(found));
    }
    let what = format!("{} are projects of `{}`", names.join(", "), found.path.display());
    let first = names.first().copied().unwrap_or_default();
    Err(Failure::conflict("PROJECT_AMBIGUOUS", what)
        .with_hint(format!("stratavore launch {first}, or another of them")))
}

/// Returns the root of the repository we stand in, found without running anything of it.
fn repository_root(here: &Path) -> Option<PathBuf> {
    here.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned)
}

/// Returns the name, or the name with a number when another directory has it.
fn free_name(wanted: &str, projects: &[Project]) -> String {
    let taken = |name: &str| projects.iter().any(|project| project.name == name);
    let numbered = (2..).map(|n| format!("{wanted}.{n}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

fn confirm(printer: Printer, name: &str, root: &Path) -> Result<bool, Failure> {
    printer.talk(&format!("`{}` is not a project yet.", root.display()));
    question::yes(&format!("Register it as `{name}` and launch there? [Y/n] "), true)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        Failure::usage("BAD_PATH", format!("find the directory `{}`: {error}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::project::ProjectStatus;

    fn project(name: &str, path: &str) -> Project {
        Project {
            name: name.into(),
            path: path.into(),
            status: ProjectStatus::Idle,
            description: String::new(),
            tags: vec![],
            total_runners: 0,
            active_runners: 0,
            total_sessions: 0,
            total_tokens: 0,
            created_at: chrono::DateTime::default(),
            last_accessed_at: chrono::DateTime::default(),
        }
    }

    #[test]
    fn the_innermost_project_wins() {
        let projects = [project("all", "/src"), project("shop", "/src/shop")];
        let found = |here: &str| {
            nearest_project(&projects, Path::new(here)).map(|found| found.map(|p| &*p.name))
        };
        assert_eq!(found("/src/shop/lib"), Ok(Some("shop")));
        assert_eq!(found("/src/shopping"), Ok(Some("all")));
        assert_eq!(found("/home"), Ok(None));
    }

    #[test]
    fn a_directory_that_projects_share_is_nobodys_in_particular() {
        let projects = [project("shop", "/shop"), project("till", "/shop"), project("a", "/")];
        let failure = nearest_project(&projects, Path::new("/shop/lib")).unwrap_err();
        assert_eq!(failure.message, "shop, till are projects of `/shop`");
        assert_eq!(nearest_project(&projects, Path::new("/x")).unwrap().unwrap().name, "a");
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let projects = [project("shop", "/a"), project("shop.2", "/b")];
        assert_eq!(free_name("shop", &projects), "shop.3");
        assert_eq!(free_name("other", &projects), "other");
    }
}
