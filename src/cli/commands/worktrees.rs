//! `stratavore worktrees`: the checkouts that runners were given.

use super::Outcome;
use crate::{
    cli::{
        context::{Context, block_on},
        printer::Printer,
        worktrees::{WorktreesArgs, WorktreesCommand},
    },
    domain::{
        checkout::{TrashedWorktree, Worktree},
        failure::Failure,
    },
};

/// Runs what was asked for.
pub(super) fn run(args: WorktreesArgs, context: &Context, printer: Printer) -> Outcome {
    match args.command.unwrap_or(WorktreesCommand::List { project: None }) {
        WorktreesCommand::List { project } => {
            let project = project.unwrap_or_default();
            ("list the worktrees", block_on(list(&project, context, printer)))
        }
        WorktreesCommand::Remove { name, force } => {
            ("remove the worktree", block_on(remove(&name, force, context, printer)))
        }
        WorktreesCommand::Prune { project } => {
            let project = project.unwrap_or_default();
            ("remove worktrees", block_on(prune(&project, context, printer)))
        }
        WorktreesCommand::Restore { name: Some(name) } => {
            ("restore the worktree", block_on(restore(&name, context, printer)))
        }
        WorktreesCommand::Restore { name: None } => {
            ("list removed worktrees", block_on(trash(context, printer)))
        }
    }
}

async fn list(project: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let worktrees = context.client().await?.list_worktrees(project).await?;
    if worktrees.is_empty() && printer.is_table() {
        printer.note("no worktrees yet");
        printer.note("  next: stratavore launch PROJECT --worktree");
        return Ok(());
    }
    let heads = ["worktree", "branch", "runners", "only there"];
    printer.list(&worktrees, &heads, |worktree| {
        let Worktree { name, branch, .. } = worktree;
        vec![plain(name), plain(branch), runners(worktree), plain(&holds(worktree))]
    })
}

/// The runners, those that live marked.
fn runners(worktree: &Worktree) -> String {
    let marked = |name: &String| {
        if worktree.live.contains(name) { format!("{name} (live)") } else { name.clone() }
    };
    worktree.runners.iter().map(marked).collect::<Vec<_>>().join(", ")
}

/// What would be lost with it, in short.
fn holds(worktree: &Worktree) -> String {
    if !worktree.broken.is_empty() {
        return format!("? {}", worktree.broken);
    }
    let counts = [(worktree.dirty_files, "changed file"), (worktree.unpushed_commits, "commit")];
    let counted = counts.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = counted
        .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

async fn remove(
    name: &str,
    force: bool,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let (trashed, branch_deleted) = context.client().await?.remove_worktree(name, force).await?;
    if !printer.is_table() {
        return printer.one(&trashed, &[]);
    }
    printer.line(&plain(&trashed.name))?;
    if branch_deleted {
        let branch = plain(&trashed.branch);
        printer.note(&format!("  the branch {branch} had nothing of its own and went with it"));
    }
    printer.note(&format!("  next: stratavore worktrees restore {} brings it back", trashed.name));
    Ok(())
}

async fn prune(project: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let (removed, kept) = context.client().await?.prune_worktrees(project).await?;
    if !printer.is_table() {
        return printer.list(&removed, &[], |_| Vec::new());
    }
    for trashed in &removed {
        printer.line(&plain(&trashed.name))?;
    }
    for worktree in &kept {
        let why = if worktree.broken.is_empty() {
            worktree.kept.join("; ")
        } else {
            worktree.broken.clone()
        };
        printer.note(&format!("{} stays: {}", plain(&worktree.name), plain(&why)));
    }
    if removed.is_empty() && kept.is_empty() {
        printer.note("no worktrees");
    }
    Ok(())
}

async fn restore(name: &str, context: &Context, printer: Printer) -> Result<(), Failure> {
    let worktree = context.client().await?.restore_worktree(name).await?;
    if !printer.is_table() {
        return printer.one(&worktree, &[]);
    }
    printer.line(&plain(&worktree.name))?;
    printer.note(&format!("  it is in {} on {}", plain(&worktree.path), plain(&worktree.branch)));
    Ok(())
}

async fn trash(context: &Context, printer: Printer) -> Result<(), Failure> {
    let trashed = context.client().await?.list_trash().await?;
    if trashed.is_empty() && printer.is_table() {
        printer.note("nothing was removed in the last 30 days");
        return Ok(());
    }
    printer.list(&trashed, &["worktree", "removed", "branch", "kept as"], |trashed| {
        let TrashedWorktree { name, removed_at, branch, reference, .. } = trashed;
        let removed = removed_at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        vec![plain(name), removed, plain(branch), plain(reference)]
    })
}

/// What git and file systems name, without what a terminal would take for its own.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
