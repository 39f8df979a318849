//! `stratavore install` and `uninstall`: program, service, manual and completions.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::daemon;
use crate::{
    cli::{
        context::Context,
        host::{InstallArgs, InstallPlace, UninstallArgs},
        install::{Content, Layout, Record, Removed, Wanted, plan, remove},
        printer::Printer,
        systemd::Manager,
    },
    config::environment,
    domain::failure::Failure,
};

/// Something that was done, or would be.
#[derive(Debug, Serialize)]
struct Step {
    action: &'static str,
    target: String,
    detail: String,
}

impl Step {
    fn new(
        action: &'static str,
        target: impl std::fmt::Display,
        detail: impl Into<String>,
    ) -> Self {
        Self { action, target: format!("{target}"), detail: detail.into() }
    }
}

/// Installs.
pub(super) async fn install(
    args: &InstallArgs,
    context: &Context,
    printer: Printer,
) -> Result<(), Failure> {
    let layout = layout(&args.place)?;
    let program = environment::own_program()
        .map_err(|error| Failure::unavailable("NO_PROGRAM", format!("find myself: {error}")))?;
    let wanted = Wanted {
        program,
        keep_binary: args.keep_binary,
        socket: args.socket,
        root: environment::get("STRATAVORE_HOME").map(PathBuf::from),
    };
    let items = plan(&layout, &wanted)?;
    let is_dry = args.place.dry_run;
    let mut steps = Vec::new();
    let mut record = Record { version: env!("CARGO_PKG_VERSION").to_owned(), ..Record::default() };
    for item in &items {
        let path = layout.at(&item.path);
        steps.push(Step::new("write", path.display(), item.what));
        if !is_dry {
            write(&path, &item.content)
                .and_then(|()| record.add(&path))
                .map_err(|error| refused(&path, &error, &args.place))?;
        }
    }
    if !is_dry {
        let path = layout.record();
        let text = serde_json::to_vec_pretty(&record)
            .map_err(|error| Failure::internal(format!("write the record: {error}")))?;
        write(&path, &Content::Text(text)).map_err(|error| refused(&path, &error, &args.place))?;
    }
    let mut hints = Vec::new();
    if layout.destdir.is_some() {
        hints.push("nothing was started: these are the files of a package".to_owned());
    } else if layout.is_system {
        hints.push("for each user: systemctl enable --now stratavore@USER".to_owned());
        if !is_dry && let Some(manager) = Manager::of_system().await {
            manager.run(&["daemon-reload"]).await?;
        }
    } else if args.no_start {
        hints.push("to start it: systemctl --user enable --now stratavore.service".to_owned());
    } else {
        start(args, context, is_dry, &mut steps, &mut hints).await?;
    }
    if !layout.is_system && layout.destdir.is_none() && !is_on_path(&layout.bin) {
        let bin = layout.bin.display();
        hints.push(format!("`{bin}` is not on your PATH; add it in your shell's profile"));
    }
    show(&steps, is_dry, printer)?;
    for hint in hints {
        printer.note(&hint);
    }
    Ok(())
}

/// Hands the daemon over to the user's service manager.
async fn start(
    args: &InstallArgs,
    context: &Context,
    is_dry: bool,
    steps: &mut Vec<Step>,
    hints: &mut Vec<String>,
) -> Result<(), Failure> {
    let Some(manager) = Manager::of_user().await else {
        hints.push(
            "no service manager of yours can be reached, so nothing was started: the daemon \
             starts with the first command, as before"
                .to_owned(),
        );
        return Ok(());
    };
    if !is_dry {
        manager.run(&["daemon-reload"]).await?;
    }
    if let Some(client) = context.running_client().await?
        && Manager::unit_of(client.status().await?.pid).is_none()
    {
        steps.push(Step::new("stop", "daemon", "it was started by a command; runners go on"));
        if !is_dry {
            daemon::leave(&client, context).await?;
        }
    }
    let units: &[&str] = if args.socket {
        &["stratavore.socket", "stratavore.service"]
    } else {
        &["stratavore.service"]
    };
    if args.socket && !is_dry {
        // systemd does not listen for a service that runs already.
        manager.run(&["stop", "stratavore.service"]).await?;
    }
    for unit in units {
        steps.push(Step::new("enable", unit, "and start"));
        if !is_dry {
            manager.run(&["enable", unit]).await?;
            manager.run(&["restart", unit]).await?;
        }
    }
    if !manager.lingers().await {
        hints
            .push("to keep it running while you are logged out: loginctl enable-linger".to_owned());
    }
    Ok(())
}

/// Removes what was installed.
pub(super) async fn uninstall(args: &UninstallArgs, printer: Printer) -> Result<(), Failure> {
    let layout = layout(&args.place)?;
    let is_dry = args.place.dry_run;
    let path = layout.record();
    let record = Record::read(&path).map_err(|error| refused(&path, &error, &args.place))?;
    let Some(record) = record else {
        let what = format!("nothing was installed here: there is no `{}`", path.display());
        return Err(Failure::not_found("NOT_INSTALLED", what)
            .with_hint("--system and --destdir say where, as they did for install"));
    };
    let mut steps = Vec::new();
    if layout.destdir.is_none()
        && !layout.is_system
        && let Some(manager) = Manager::of_user().await
    {
        let units = ["stratavore.socket", "stratavore.service"];
        for unit in units.iter().filter(|unit| layout.units.join(unit).exists()) {
            steps.push(Step::new("disable", unit, "and stop; runners go on"));
            if !is_dry {
                manager.run(&["disable", "--now", unit]).await?;
            }
        }
    }
    let mut kept = 0;
    for file in &record.files {
        let removed =
            remove(file, is_dry).map_err(|error| refused(&file.path, &error, &args.place))?;
        let shown = file.path.display();
        match removed {
            Removed::Yes => steps.push(Step::new("remove", shown, "")),
            Removed::Missing => steps.push(Step::new("skip", shown, "it is gone")),
            Removed::Changed => {
                kept += 1;
                steps.push(Step::new("keep", shown, "it was changed since"));
            }
        }
    }
    if !is_dry {
        fs::remove_file(&path).map_err(|error| refused(&path, &error, &args.place))?;
        // Empty directories of ours alone; one that holds something stays.
        path.parent().map(fs::remove_dir);
    }
    show(&steps, is_dry, printer)?;
    if kept > 0 {
        printer.note(&format!("{kept} files were changed by somebody and stay"));
    }
    printer.note("state, events and configuration stay; runners go on");
    Ok(())
}

fn layout(place: &InstallPlace) -> Result<Layout, Failure> {
    let layout = if place.system {
        Layout::system()
    } else {
        let home = environment::home();
        let config = environment::config_home();
        let (Some(home), Some(config)) = (home, config) else {
            return Err(Failure::usage("NO_HOME", "HOME names no directory").with_hint("set HOME"));
        };
        Layout::user(&home, &config)
    };
    let destdir = match &place.destdir {
        None => None,
        Some(dir) => Some(std::path::absolute(dir).map_err(|error| {
            Failure::usage("BAD_DIRECTORY", format!("find `{}`: {error}", dir.display()))
        })?),
    };
    Ok(Layout { destdir, ..layout })
}

/// Writes a file whole: what runs goes on with the old one.
fn write(path: &Path, content: &Content) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mode = match content {
        Content::Text(text) => {
            fs::write(&new, text)?;
            0o644
        }
        Content::Program(program) => {
            fs::copy(program, &new)?;
            0o755
        }
    };
    fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, path)
}

fn refused(path: &Path, error: &io::Error, place: &InstallPlace) -> Failure {
    let what = format!("change `{}`: {error}", path.display());
    if error.kind() == io::ErrorKind::PermissionDenied {
        let hint = if place.system { "run it as root, with sudo" } else { "look who owns it" };
        return Failure::denied("NOT_ALLOWED", what).with_hint(hint);
    }
    Failure::unavailable("NOT_WRITTEN", what)
}

fn is_on_path(dir: &Path) -> bool {
    environment::get("PATH").is_some_and(|path| std::env::split_paths(&path).any(|one| one == dir))
}

fn show(steps: &[Step], is_dry: bool, printer: Printer) -> Result<(), Failure> {
    printer.list(steps, &["action", "target", "what"], |step| {
        vec![step.action.to_owned(), step.target.clone(), step.detail.clone()]
    })?;
    if is_dry {
        printer.note("this is what would be done; nothing was");
    }
    Ok(())
}
