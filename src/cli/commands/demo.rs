//! `stratavore demo`: the dashboard over scripted agents, in a throw-away state.

use crate::{
    cli::{
        args::TryArgs,
        context::{Context, block_on, environment_of_client, umask},
        printer::Printer,
    },
    client::Client,
    config::Places,
    domain::{
        failure::Failure, launch::LaunchRequest, launch::RestartPolicy, project::NewProject,
        quota::QuotaChange, size::TerminalSize,
    },
};

/// The cast: project, and what its agents are told.
const CAST: &[(&str, &[&[&str]])] = &[
    (
        "api",
        &[&["--mode", "ask", "--seed", "0"], &["--mode", "work", "--seed", "1", "--count", "200"]],
    ),
    (
        "web",
        &[
            &["--mode", "question", "--seed", "2"],
            &["--mode", "work", "--seed", "3", "--count", "200"],
        ],
    ),
    ("docs", &[&["--mode", "finish", "--seed", "4"]]),
    (
        "etl",
        &[&["--mode", "fail", "--seed", "5"], &["--mode", "spew", "--rate", "4", "--seed", "6"]],
    ),
];

/// A daemon that is shown is nobody's to call: the ports are left to the real one.
const QUIET: &[(&str, &str)] =
    &[("STRATAVORE_API_ENABLED", "false"), ("STRATAVORE_DOCKER_PROMETHEUS_ENABLED", "false")];

/// Opens the dashboard in a throw-away state with scripted agents; everything ends with it.
pub(super) fn run(args: &TryArgs, context: &Context, printer: Printer) -> Result<(), Failure> {
    let root = std::env::temp_dir().join(format!("stratavore-demo-{}", std::process::id()));
    let places = Places::at(&root);
    let outcome = block_on(populate(&places));
    let shown = outcome.and_then(|()| {
        if args.no_dashboard {
            printer.line(&root.display().to_string())?;
            return Ok(());
        }
        let demo = Context {
            loaded: context.loaded.clone(),
            places: places.clone(),
            file: context.file.clone(),
            timeout: context.timeout,
            refused: None,
        };
        super::dashboard::open(&demo, true)
    });
    if args.no_dashboard {
        return shown;
    }
    let cleared = block_on(clear_away(&places));
    std::fs::remove_dir_all(&root).ok();
    shown.and(cleared)
}

/// Starts the daemon of the throw-away state and the cast.
async fn populate(places: &Places) -> Result<(), Failure> {
    places.prepare().map_err(|error| Failure::usage("UNSAFE_DIRECTORY", error.to_string()))?;
    let client = Client::connect_or_start_with(places, QUIET).await?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::internal(format!("find this program: {error}")))?;
    for (project, agents) in CAST {
        let path = places.root().join("projects").join(project);
        std::fs::create_dir_all(&path).map_err(|error| {
            Failure::unavailable("NO_DIRECTORY", format!("create `{}`: {error}", path.display()))
        })?;
        let new = NewProject {
            name: (*project).to_owned(),
            path,
            description: "scripted agents".to_owned(),
            tags: Vec::new(),
            quotas: QuotaChange::new(),
        };
        client.create_project(new).await?;
        for words in *agents {
            let mut command = vec![program.clone().into_os_string(), "demo-agent".into()];
            command.extend(words.iter().map(Into::into));
            let request = LaunchRequest {
                request_id: None,
                project: (*project).to_owned(),
                name: String::new(),
                command,
                cwd: None,
                worktree: None,
                environment: environment_of_client(),
                size: TerminalSize::new(100, 30),
                restart: RestartPolicy::Never,
                umask: umask(),
                max_tokens: None,
            };
            client.launch(&request).await?;
        }
    }
    Ok(())
}

/// Ends the cast and the daemon.
async fn clear_away(places: &Places) -> Result<(), Failure> {
    let Some(client) = Client::connect_if_running(places).await? else { return Ok(()) };
    for runner in client.list_runners("", "live", 0).await? {
        client.stop(&runner.name, None, true).await?;
    }
    client.shut_down().await
}
