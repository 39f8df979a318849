//! Worktrees and changes: real repositories, asked of the program as a person would.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::support::{Say as _, Terminal, World, wait_until};

const SOON: Duration = Duration::from_secs(20);

impl World {
    /// Runs git in a directory and returns what it says.
    #[track_caller]
    fn git(&self, directory: &Path, words: &[&str]) -> String {
        let mut command = self.foreign("git");
        command.current_dir(directory).args(["-c", "user.name=Ann", "-c", "user.email=a@b"]);
        command.args(["-c", "protocol.file.allow=always"]).args(words);
        self.run_command(command).expect_code(0).stdout
    }

    /// Returns a world whose project `p` is a repository with one commit.
    fn with_repository() -> (Self, PathBuf) {
        let world = Self::with_project();
        let path = world.path("p-p");
        world.repository(&path);
        (world, path)
    }

    fn repository(&self, path: &Path) {
        fs::create_dir_all(path).unwrap();
        self.git(path, &["init", "-q", "-b", "main"]);
        fs::write(path.join("a.txt"), "one\ntwo\nthree\n").unwrap();
        fs::write(path.join(".gitignore"), ".env*\nignored/\n").unwrap();
        self.git(path, &["add", "-A"]);
        self.git(path, &["commit", "-qm", "first"]);
    }

    #[track_caller]
    fn launch_in_worktree(&self, words: &[&str]) -> (String, PathBuf) {
        let mut line = vec!["launch", "p", "--worktree"];
        line.extend(words);
        line.extend(["--", "sleep", "600"]);
        let name = self.run(line).expect_code(0).stdout.trim().to_owned();
        let path = self.show(&name)["checkout"]["worktree"].as_str().unwrap().into();
        (name, path)
    }

    fn changes(&self, runner: &str) -> Value {
        self.json(["diff", runner])
    }

    fn end(&self, runner: &str) {
        self.run(["kill", runner, "--force"]).expect_code(0);
    }
}

/// What is told of a file: status, state, lines added and removed.
fn of<'a>(changes: &'a Value, path: &str) -> (&'a str, &'a str, Option<i64>, Option<i64>) {
    let files = changes["files"].as_array().unwrap();
    let Some(file) = files.iter().find(|file| file["path"] == path) else {
        panic!("{path} is not among {files:#?}");
    };
    (file.text("status"), file.text("state"), file["added"].as_i64(), file["removed"].as_i64())
}

#[test]
fn a_runner_gets_a_worktree_of_its_own() {
    let (world, repository) = World::with_repository();
    let (name, path) = world.launch_in_worktree(&[]);
    assert_eq!(path, world.root().join("worktrees/p").join(&name));
    let shown = world.show(&name);
    assert_eq!(shown.text("cwd"), path.to_str().unwrap());
    let checkout = &shown["checkout"];
    assert_eq!(checkout["branch"], format!("stratavore/{name}"));
    assert_eq!(checkout["base_branch"], "refs/heads/main");
    let head = world.git(&repository, &["rev-parse", "HEAD"]);
    assert_eq!(checkout["launch_commit"], head.trim());
    assert_eq!(world.git(&repository, &["branch", "--show-current"]).trim(), "main");
    assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "one\ntwo\nthree\n");

    // A second one has another, and nobody warns of anybody.
    let second = world.run(["launch", "p", "--worktree", "--", "sleep", "600"]).expect_code(0);
    assert!(!second.stderr.contains("same directory"), "{}", second.stderr);
    let listed = world.json(["worktrees"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0].text("name"), format!("p/{name}"));

    // A branch of its own choice, from another commit.
    world.git(&repository, &["branch", "old"]);
    fs::write(repository.join("a.txt"), "new\n").unwrap();
    world.git(&repository, &["commit", "-qam", "second"]);
    let (third, path) = world.launch_in_worktree(&["fix/login", "--base", "old"]);
    assert_eq!(world.show(&third)["checkout"]["branch"], "fix/login");
    assert_eq!(path.file_name().unwrap(), "fix-login");
    assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "one\ntwo\nthree\n");
    let again = |words: &[&str]| {
        world.run([&["launch", "p", "--worktree"], words, &["--", "true"]].concat())
    };
    again(&["fix/login"]).expect_error(4, &["fix/login", "checked out in", path.to_str().unwrap()]);
    again(&["main"]).expect_error(4, &["`main` is checked out in"]);
    again(&["old", "--base", "main"]).expect_error(2, &["leave --base out"]);
    again(&["bad..name"]).expect_error(2, &["cannot be the name of a branch"]);
    again(&["--base", "nowhere"]).expect_error(3, &["no commit `nowhere`"]);
    assert_eq!(world.runners().len(), 3, "what is refused leaves nothing");
    // One that exists and is free is checked out as it is.
    let (_, path) = world.launch_in_worktree(&["old"]);
    assert_eq!(world.git(&path, &["branch", "--show-current"]).trim(), "old");
    let refs = world.git(&repository, &["for-each-ref", "--format=%(refname)", "refs/stratavore"]);
    assert_eq!(refs.lines().count(), 4, "one for each launch: {refs}");
    world.run(["kill", &third]).expect_code(0);
    world.run(["runners", "remove", &third]).expect_code(0);
    let refs = world.git(&repository, &["for-each-ref", "--format=%(refname)", "refs/stratavore"]);
    assert_eq!(refs.lines().count(), 3, "it goes with its runner: {refs}");
}

#[test]
fn what_changed_is_told_exactly_and_no_escape_gets_through() {
    let (world, repository) = World::with_repository();
    let write = |name: &str, text: &str| fs::write(repository.join(name), text).unwrap();
    // What the user had not committed is not the runner's.
    write("a.txt", "one\ntwo\nthree\nmine\n");
    write("notes", "mine\n");
    write("mine too", "x\n");
    let index = || world.git(&repository, &["diff", "--cached", "--name-only"]);
    let before = fs::read(repository.join(".git/index")).unwrap();
    let name = world.launch(&[], &["sleep", "600"]);
    assert_eq!(fs::read(repository.join(".git/index")).unwrap(), before, "the index is untouched");
    let none = world.changes(&name);
    assert_eq!(none["files"], serde_json::json!([]), "{none:#}");
    world.run(["diff", &name]).expect_error(0, &["has changed nothing"]);

    write("b.txt", "b\n");
    world.git(&repository, &["add", "b.txt"]);
    world.git(&repository, &["commit", "-qm", "add b \u{1b}[31mred"]);
    write("a.txt", "one\n2\nthree\nmine\n");
    write("new\n\u{1b}[31mname", "\u{1b}]0;title\u{7}red\u{9b}1m\n");
    fs::remove_file(repository.join("mine too")).unwrap();
    fs::write(repository.join("bin"), b"\0\x01\x02").unwrap();
    fs::create_dir(repository.join("ignored")).unwrap();
    write("ignored/x", "x");
    let changes = world.changes(&name);
    assert_eq!(changes["files"].as_array().unwrap().len(), 5, "{changes:#}");
    assert_eq!(of(&changes, "a.txt"), ("modified", "uncommitted", Some(1), Some(1)));
    assert_eq!(of(&changes, "b.txt"), ("added", "committed", Some(1), Some(0)));
    assert_eq!(of(&changes, "bin"), ("added", "untracked", None, None));
    assert_eq!(of(&changes, "mine too"), ("deleted", "committed", Some(0), Some(1)));
    assert_eq!(of(&changes, "new\n\u{1b}[31mname").1, "untracked");
    assert_eq!(changes["commits"].as_array().unwrap().len(), 1);
    assert_eq!(index(), "", "nor is it by looking");

    for words in [&[][..], &["--stat"], &["--name-only"], &["--commits"]] {
        let told = world.run([&["diff", name.as_str()], words].concat()).expect_code(0);
        let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!told.stdout.contains(bad), "{words:?}: {:?}", told.stdout);
        assert!(!told.stderr.contains(bad), "{words:?}: {:?}", told.stderr);
    }
    let told = world.run(["diff", &name]).expect_code(0).stdout;
    assert!(told.contains("\n-two\n+2\n"), "{told}");
    // No object of the look stays behind.
    let loose = || world.git(&repository, &["count-objects"]);
    let objects = loose();
    world.changes(&name);
    assert_eq!(loose(), objects);
    assert_eq!(fs::read_dir(world.root().join("tmp")).unwrap().count(), 0);
}

#[test]
fn who_shares_a_directory_is_warned_and_not_refused() {
    let (world, repository) = World::with_repository();
    let first = world.launch(&[], &["sleep", "600"]);
    let launch =
        |words: &[&str]| world.run([&["launch", "p"], words, &["--", "sleep", "600"]].concat());
    let second = launch(&[]).expect_error(0, &[&first, "works in the same directory"]);
    fs::create_dir(repository.join("sub")).unwrap();
    let sub = repository.join("sub");
    let third = launch(&["--cwd", sub.to_str().unwrap()]);
    third.expect_error(0, &[second.stdout.trim(), "work in the same directory"]);
    let (_, path) = world.launch_in_worktree(&[]);
    launch(&["--cwd", path.to_str().unwrap()]).expect_error(0, &["works in the same directory"]);
    let events = world.json(["events", "list", "--type", "runner.starting"]);
    let shared: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["data"]["shares_directory_with"].clone())
        .collect();
    assert!(shared.contains(&serde_json::json!([first])), "{shared:?}");
}

#[test]
fn nothing_is_removed_that_is_nowhere_else_and_everything_comes_back() {
    let (world, repository) = World::with_repository();
    let (name, path) = world.launch_in_worktree(&[]);
    let remove = |words: &[&str]| world.run([&["worktrees", "remove"], words].concat());
    fs::write(path.join("a.txt"), "changed\n").unwrap();
    fs::write(path.join("odd\nname"), "untracked\n").unwrap();
    remove(&[&name, "--force"]).expect_error(4, &[&name, "works in", "stratavore kill"]);
    world.end(&name);
    remove(&[&name]).expect_error(4, &["2 files are not committed", "--force"]);
    world.git(&path, &["commit", "-qam", "work"]);
    remove(&[&name])
        .expect_error(4, &["1 file is not", "1 commit is neither on a remote nor in main"]);
    let pruned = world.run(["worktrees", "prune"]).expect_error(0, &["stays"]);
    assert_eq!(pruned.stdout, "");
    let before = world.changes(&name);
    remove(&[&name, "--force"]).expect_error(0, &["worktrees restore"]);
    assert!(!path.exists());
    assert_eq!(world.json(["worktrees"]), serde_json::json!([]));
    let kept = world.changes(&name);
    assert!(kept["notes"].to_string().contains("files are gone"), "{kept:#}");
    assert_eq!(of(&kept, "a.txt").1, "committed");
    let branch = format!("stratavore/{name}");
    assert!(world.git(&repository, &["branch"]).contains(&branch), "its commit is only there");

    let trash = world.json(["worktrees", "restore"]);
    assert_eq!(trash[0].text("name"), format!("p/{name}"));
    world.run(["worktrees", "restore", &name]).expect_code(0);
    assert_eq!(world.changes(&name)["files"], before["files"]);
    assert_eq!(fs::read_to_string(path.join("odd\nname")).unwrap(), "untracked\n");
    assert_eq!(world.git(&path, &["branch", "--show-current"]).trim(), branch);
    world.run(["worktrees", "restore", "nothing"]).expect_error(3, &["no removed worktree"]);

    // What the base has is nowhere lost: it goes with its branch.
    fs::remove_file(path.join("odd\nname")).unwrap();
    world.git(&repository, &["merge", "-q", &branch]);
    let pruned = world.run(["worktrees", "prune"]).expect_code(0);
    assert_eq!(pruned.stdout.trim(), format!("p/{name}"));
    assert!(!world.git(&repository, &["branch"]).contains(&branch));
    world.run(["worktrees", "restore", &name]).expect_code(0);
    assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "changed\n");
    remove(&["nothing"]).expect_error(3, &["no worktree `nothing`"]);
}

#[test]
fn a_worktree_is_made_ready_as_the_project_says_and_the_user_allows() {
    let (world, repository) = World::with_repository();
    let project = repository.join(".stratavore.yaml");
    let text = |setup: &str| {
        format!("worktree:\n  copy: [\".env*\", \"../outside\", a.txt]\n  setup: \"{setup}\"\n")
    };
    fs::write(&project, text("test -e .env && echo $PWD > made && echo said")).unwrap();
    fs::write(repository.join(".env"), "SECRET=1\n").unwrap();
    fs::write(world.path("outside"), "theirs\n").unwrap();
    symlink(world.path("outside"), repository.join(".env.out")).unwrap();
    let launch = |words: &[&str]| {
        world.run([&["launch", "p", "--worktree"], words, &["--", "sleep", "600"]].concat())
    };
    launch(&[]).expect_error(5, &["test -e .env", "not allowed that yet", "--trust-setup"]);
    assert!(world.runners().is_empty());
    let told = launch(&["--no-setup"])
        .expect_error(0, &["outside", ".env.out", "leads out", "has it already"]);
    let path = |name: &str| PathBuf::from(world.show(name.trim()).text("cwd"));
    assert!(path(&told.stdout).join(".env").exists() && !path(&told.stdout).join("made").exists());
    assert!(!path(&told.stdout).join(".env.out").exists());

    let allowed = launch(&["--trust-setup"]).expect_code(0);
    let at = path(&allowed.stdout);
    assert_eq!(fs::read_to_string(at.join("made")).unwrap().trim(), at.to_str().unwrap());
    let id = world.show(allowed.stdout.trim()).text("id").to_owned();
    let log = world.root().join("runners").join(id).join("setup.log");
    assert_eq!(fs::read_to_string(log).unwrap(), "said\n");
    // What the set-up makes is not the runner's change.
    assert_eq!(world.changes(allowed.stdout.trim())["files"], serde_json::json!([]));
    launch(&[]).expect_code(0);
    // Another word is another command.
    fs::write(&project, text("echo no network; exit 3")).unwrap();
    launch(&[]).expect_error(5, &["not allowed that yet"]);
    let failed = launch(&["--trust-setup"]);
    let failed = failed.expect_error(6, &["exit code 3", "no network", "setup.log", "--cwd"]);
    assert_eq!(failed.stdout, "");
    let status = world.json(["runners", "list", "--status", "failed"]);
    assert!(status[0].text("reason").contains("exit code 3"), "{status:#}");
    // A file of a project says this and nothing else.
    fs::write(&project, "runner:\n  default_command: rm\n").unwrap();
    launch(&[]).expect_error(2, &["unknown key `runner.default_command`"]);
}

#[test]
fn a_project_below_the_root_of_its_repository_works_there() {
    let (world, repository) = World::with_repository();
    let inner = repository.join("apps/web");
    fs::create_dir_all(&inner).unwrap();
    let text = "worktree: {copy: [.env], setup: \"cat .env\", base: old}";
    fs::write(inner.join(".stratavore.yaml"), text).unwrap();
    fs::write(inner.join("page"), "x\n").unwrap();
    world.git(&repository, &["add", "-A"]);
    world.git(&repository, &["commit", "-qm", "web"]);
    world.git(&repository, &["branch", "old"]);
    fs::write(inner.join("page"), "new\n").unwrap();
    world.git(&repository, &["commit", "-qam", "more"]);
    fs::write(inner.join(".env"), "A=1\n").unwrap();
    world.run(["new", "web", "--path", inner.to_str().unwrap()]).expect_code(0);
    let line = ["launch", "web", "--worktree", "--trust-setup", "--", "sleep", "600"];
    let name = world.run(line).expect_code(0).stdout.trim().to_owned();
    let cwd = PathBuf::from(world.show(&name).text("cwd"));
    assert!(cwd.ends_with("apps/web"), "{}", cwd.display());
    assert_eq!(fs::read_to_string(cwd.join(".env")).unwrap(), "A=1\n");
    assert_eq!(fs::read_to_string(cwd.join("page")).unwrap(), "x\n", "from the project's base");
    assert_eq!(world.show(&name)["checkout"]["base_branch"], "refs/heads/old");
    fs::write(cwd.join("page"), "changed\n").unwrap();
    assert_eq!(of(&world.changes(&name), "apps/web/page").0, "modified");
    world.end(&name);
    world.run(["worktrees", "remove", &name]).expect_error(4, &["1 file is not committed"]);
}

#[test]
fn a_set_up_is_given_up_when_its_runner_is_stopped() {
    let (world, repository) = World::with_repository();
    fs::write(repository.join(".stratavore.yaml"), "worktree: {setup: \"touch begun; sleep 600\"}")
        .unwrap();
    let line = ["launch", "p", "--worktree", "slow", "--trust-setup", "--", "sleep", "600"];
    let mut client = world.command(line).stderr(std::process::Stdio::null()).spawn().unwrap();
    let begun = world.root().join("worktrees/p/slow/begun");
    wait_until("the set-up is under way", SOON, || begun.exists());
    let runner = world.runners()[0].clone();
    assert_eq!(runner.text("status"), "starting");
    world.run(["kill", runner.text("name")]).expect_code(0);
    assert!(!client.wait().unwrap().success());
    assert_eq!(world.show(runner.text("name")).text("status"), "failed");
    assert_eq!(world.daemon().into_iter().count(), 1);
    wait_until("nothing of the set-up is left", SOON, || {
        world.processes().iter().all(|(_, what)| !what.contains("sleep 600"))
    });
}

#[test]
fn repositories_in_every_state_are_answered_clearly() {
    let world = World::new();
    let project = |name: &str| {
        world.project(name);
        world.path(&format!("p-{name}"))
    };
    let launch = |name: &str, words: &[&str]| {
        world.run([&["launch", name], words, &["--", "sleep", "600"]].concat())
    };
    let name_of = |name: &str| launch(name, &[]).expect_code(0).stdout.trim().to_owned();

    project("none");
    launch("none", &["--worktree"]).expect_error(4, &["no git repository", "git init"]);
    let runner = name_of("none");
    world.run(["diff", &runner]).expect_error(4, &["was checked out"]);

    let empty = project("empty");
    world.git(&empty, &["init", "-q", "-b", "main"]);
    fs::write(empty.join("there"), "x\n").unwrap();
    launch("empty", &["--worktree"]).expect_error(4, &["has no commits", "git commit"]);
    let runner = name_of("empty");
    fs::write(empty.join("new"), "y\n").unwrap();
    assert_eq!(world.changes(&runner)["files"].as_array().unwrap().len(), 1);
    world.git(&empty, &["add", "-A"]);
    world.git(&empty, &["commit", "-qm", "first"]);
    let changes = world.changes(&runner);
    assert_eq!(of(&changes, "new").1, "committed");
    assert_eq!(changes["commits"].as_array().unwrap().len(), 1);

    let detached = project("detached");
    world.repository(&detached);
    world.git(&detached, &["checkout", "-q", "--detach"]);
    let runner = launch("detached", &["--worktree"]).expect_code(0).stdout.trim().to_owned();
    let checkout = &world.show(&runner)["checkout"];
    assert_eq!(
        (&checkout["base_branch"], checkout["branch"].as_str()),
        (&"".into(), Some(format!("stratavore/{runner}").as_str()))
    );
    world.end(&runner);
    world.run(["worktrees", "remove", &runner]).expect_code(0);

    let bare = world.path("p-bare");
    world.git(&detached, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    project("bare");
    let runner = name_of("bare");
    world.run(["diff", &runner]).expect_error(0, &["files are gone"]);
    launch("bare", &["--worktree", "work", "--base", "main"]).expect_code(0);

    let sparse = project("sparse");
    world.repository(&sparse);
    fs::create_dir(sparse.join("out")).unwrap();
    fs::write(sparse.join("out/x"), "x\n").unwrap();
    world.git(&sparse, &["add", "-A"]);
    world.git(&sparse, &["commit", "-qm", "more"]);
    world.git(&sparse, &["sparse-checkout", "set", "--sparse-index", "in"]);
    assert!(!sparse.join("out").exists());
    let runner = name_of("sparse");
    assert_eq!(
        world.changes(&runner)["files"],
        serde_json::json!([]),
        "what is left out is not deleted"
    );
    fs::write(sparse.join("a.txt"), "changed\n").unwrap();
    assert_eq!(of(&world.changes(&runner), "a.txt").0, "modified");

    let odd = world.path("p-odd\nna\u{1b}me");
    world.repository(&odd);
    world.run(["new", "odd", "--path", odd.to_str().unwrap()]).expect_code(0);
    let runner = launch("odd", &["--worktree"]).expect_code(0).stdout.trim().to_owned();
    assert!(Path::new(world.show(&runner).text("cwd")).join("a.txt").exists());
    let runner = name_of("odd");
    fs::write(odd.join("a.txt"), "changed\n").unwrap();
    assert_eq!(of(&world.changes(&runner), "a.txt").0, "modified");
    launch("odd", &["--worktree", "main"]).expect_error(4, &["is checked out in"]);
}

#[test]
fn large_files_and_submodules_are_told_of_and_never_lost() {
    let (world, repository) = World::with_repository();
    let inner = world.path("inner");
    world.repository(&inner);
    let inner_url = inner.to_str().unwrap();
    world.git(&repository, &["submodule", "--quiet", "add", inner_url, "sub"]);
    world.git(&repository, &["commit", "-qm", "submodule"]);
    let large = fs::File::create(repository.join("large.bin")).unwrap();
    large.set_len(200 << 20).unwrap();
    let told =
        world.run(["launch", "p", "--", "sleep", "600"]).expect_error(0, &["1 file is too large"]);
    let name = told.stdout.trim();
    let changes = world.changes(name);
    assert!(changes["notes"].to_string().contains("large.bin"), "{changes:#}");
    assert_eq!(changes["files"], serde_json::json!([]));
    // Inside of a submodule nobody looks, but its commit is a file.
    fs::write(repository.join("sub/a.txt"), "changed\n").unwrap();
    assert_eq!(world.changes(name)["files"], serde_json::json!([]));
    world.git(&repository.join("sub"), &["commit", "-qam", "inner"]);
    assert_eq!(of(&world.changes(name), "sub").0, "modified");

    let (name, path) = world.launch_in_worktree(&[]);
    world.git(&path, &["submodule", "--quiet", "update", "--init"]);
    world.end(&name);
    fs::write(path.join("sub/b.txt"), "new\n").unwrap();
    let remove =
        |words: &[&str]| world.run([&["worktrees", "remove", name.as_str()], words].concat());
    remove(&["--force"]).expect_error(4, &["could not be kept", "submodule `sub`"]);
    fs::remove_file(path.join("sub/b.txt")).unwrap();
    world.repository(&path.join("nested"));
    remove(&["--force"]).expect_error(4, &["nested", "a repository of its own"]);
    fs::remove_dir_all(path.join("nested")).unwrap();
    fs::File::create(path.join("large.bin")).unwrap().set_len(20 << 20).unwrap();
    remove(&["--force"]).expect_code(0);
    world.run(["worktrees", "restore", &name]).expect_code(0);
    assert_eq!(fs::metadata(path.join("large.bin")).unwrap().len(), 20 << 20);
}

#[test]
fn the_dashboard_shows_what_changed() {
    let (world, repository) = World::with_repository();
    let name = world.launch(&[], &["sleep", "600"]);
    let mut terminal = Terminal::sized(world.command([""; 0]), 80, 24);
    terminal.wait_taken();
    terminal.wait_for(&name);
    fs::write(repository.join("a.txt"), "one\nTWO\nthree\n").unwrap();
    terminal.type_text("c");
    terminal.wait_for(&format!("CHANGES of {name}"));
    terminal.wait_for("a.txt");
    // What changes meanwhile is seen.
    fs::write(repository.join("later.txt"), "x\n").unwrap();
    terminal.wait_for("later.txt");
    terminal.type_text("jj\r");
    terminal.wait_for("+TWO");
    terminal.type_text("\x1b");
    terminal.wait_for("later.txt");
    terminal.type_text("q");
    terminal.wait_for(" stop ");
    terminal.type_text("q");
    assert_eq!(terminal.wait_exit(), 0, "{}", terminal.screen());
}
