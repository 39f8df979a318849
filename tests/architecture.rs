//! Holds the source tree to its map: who may import whom, how long a file may be, and that every
//! file says what it is for.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test that calls them")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::visit::{self, Visit};

/// Which of our modules each module may use. `src/lib.rs` explains why.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", &["domain"]),
    ("git", &["domain", "config", "process"]),
    ("process", &["domain"]),
    ("runner_dir", &["domain"]),
    ("agents", &["domain"]),
    ("terminal", &["domain"]),
    ("proto", &["domain"]),
    ("logging", &[]),
    ("demo", &["domain"]),
    ("supervisor", &["domain", "config", "terminal", "proto", "process", "runner_dir"]),
    ("client", &["domain", "config", "proto", "terminal"]),
    (
        "daemon",
        &["domain", "config", "agents", "git", "terminal", "proto", "process", "runner_dir"],
    ),
    ("ui", &["domain", "config", "client", "git", "terminal"]),
    (
        "cli",
        &["domain", "config", "agents", "client", "logging", "ui", "daemon", "supervisor", "demo"],
    ),
    ("main", &["cli"]),
];

/// Inside the daemon: services stand on store and fleet, tasks and grpc on services.
const DAEMON_MAY_USE: &[(&str, &[&str])] = &[
    ("store", &[]),
    ("fleet", &[]),
    ("limits", &[]),
    ("programs", &[]),
    ("sources", &[]),
    ("screens", &[]),
    ("broker", &[]),
    ("worktrees", &[]),
    ("transcripts", &[]),
    ("blobs", &[]),
    ("notify", &[]),
    ("actor", &[]),
    ("crowd", &[]),
    ("trace", &[]),
    ("context", &["actor", "screens", "store", "trace"]),
    (
        "services",
        &[
            "store",
            "fleet",
            "blobs",
            "limits",
            "programs",
            "sources",
            "screens",
            "broker",
            "transcripts",
            "worktrees",
            "notify",
            "context",
            "actor",
            "trace",
            "backup",
            "database",
            "verify",
        ],
    ),
    ("tasks", &["services", "store", "fleet", "sources", "broker", "trace"]),
    ("grpc", &["services", "crowd", "fleet", "trace"]),
    ("metrics", &["services"]),
    ("http", &["actor", "services", "crowd", "fleet", "trace"]),
    ("manager", &["services"]),
    ("verify", &["store"]),
    ("lock", &["store"]),
    ("outside", &[]),
    ("database", &["context", "lock", "store", "verify"]),
    ("backup", &["context", "database", "store", "verify"]),
    (
        "lifecycle",
        &[
            "verify", "broker", "context", "fleet", "grpc", "http", "limits", "lock", "manager",
            "metrics", "notify", "services", "sources", "store", "tasks", "trace",
        ],
    ),
];

/// Lines a file may have.
const LONGEST: usize = 500;

/// Modules that a file names after `crate::`.
struct Uses {
    found: BTreeSet<Vec<String>>,
}

impl Uses {
    fn tree(&mut self, tree: &syn::UseTree, mut path: Vec<String>) {
        match tree {
            syn::UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.tree(&step.tree, path);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, path.clone());
                }
            }
            syn::UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.found.insert(path);
            }
            syn::UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                self.found.insert(path);
            }
            syn::UseTree::Glob(_) => {
                self.found.insert(path);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_use_tree(&mut self, tree: &'ast syn::UseTree) {
        self.tree(tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.found.insert(path.segments.iter().map(|s| s.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    // Tests may reach further than what they test.
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the module names of a file, `src/daemon/store/mod.rs` → `[daemon, store]`.
fn module(path: &Path) -> Vec<String> {
    let relative = path.strip_prefix(root().join("src")).unwrap().with_extension("");
    relative
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .filter(|part| part != "mod")
        .collect()
}

fn uses(path: &Path) -> BTreeSet<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut uses = Uses { found: BTreeSet::new() };
    uses.visit_file(&syn::parse_file(&text).unwrap());
    uses.found
}

#[test]
fn modules_import_only_what_the_map_allows() {
    let known: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for path in sources() {
        let module = module(&path);
        let Some(own) = module.first().filter(|own| *own != "lib") else { continue };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| name == own) else {
            wrong.push(format!("{own} is not on the map"));
            continue;
        };
        for used in uses(&path) {
            let target = match used.as_slice() {
                [first, target, ..] if first == "crate" || first == "stratavore" => target,
                _ => continue,
            };
            if known.contains(target.as_str()) && target != own && !allowed.contains(&&**target) {
                wrong.push(format!("{} uses {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_daemons_parts_stand_in_their_order() {
    let mut wrong = Vec::new();
    for path in sources() {
        let module = module(&path);
        let [first, own, ..] = module.as_slice() else { continue };
        if first != "daemon" {
            continue;
        }
        let Some((_, allowed)) = DAEMON_MAY_USE.iter().find(|(name, _)| name == own) else {
            wrong.push(format!("daemon/{own} is not on the map"));
            continue;
        };
        for used in uses(&path) {
            let target = match used.as_slice() {
                [a, b, target, ..] if a == "crate" && b == "daemon" => target,
                _ => continue,
            };
            let part = DAEMON_MAY_USE.iter().any(|(name, _)| name == target);
            if part && target != own && !allowed.contains(&&**target) {
                wrong.push(format!("{} uses daemon::{target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for_and_is_not_too_long() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not begin with //!", path.display()));
        }
        let lines = text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let folders: Vec<_> = fs::read_dir(root().join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!folders.is_empty());
    let names = |folder: &PathBuf| -> BTreeSet<_> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    for folder in &folders {
        assert_eq!(names(folder), names(&folders[0]), "{}", folder.display());
    }
}

#[test]
fn every_guarantee_names_a_test_that_exists() {
    let text = fs::read_to_string(root().join("assets/docs/guarantees.md")).unwrap();
    let mut named = 0;
    for words in text.lines().filter(|line| line.starts_with("| ")).flat_map(|row| row.split('`')) {
        let (kind, path) = words.split_once(' ').unwrap_or_default();
        let base = match kind {
            "program" | "chaos" => root().join("tests").join(kind),
            "lib" => root().join("src"),
            _ => continue,
        };
        named += 1;
        assert!(is_there(&base, &path.split("::").collect::<Vec<_>>()), "no such test: {words}");
    }
    assert!(named > 20, "{named}");
}

/// Whether a path leads to a file, or to something with this name in a file. Below `src` the first module may
/// stand inside of another.
fn is_there(base: &Path, path: &[&str]) -> bool {
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let holds = |text: &str, name: &str| {
        [format!("fn {name}("), format!("mod {name};"), format!("mod {name} {{")]
            .iter()
            .any(|item| text.contains(item.as_str()))
    };
    let mut places = vec![base.to_owned()];
    if base.ends_with("src") {
        places.push(base.join("daemon"));
    }
    places.iter().any(|place| {
        let mut place = place.clone();
        path.iter().all(|name| {
            let below = place.join(name);
            let is_file = below.with_extension("rs").is_file() || below.is_dir();
            let inside = [place.with_extension("rs"), place.join("mod.rs")];
            let is_inside = inside.iter().any(|file| holds(&text(file), name));
            if is_file {
                place = below;
            }
            is_file || is_inside
        })
    })
}
