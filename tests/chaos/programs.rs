//! Programs that can be exchanged while they run: each daemon has a file of its own, and two builds of the
//! product that differ in nothing but their bytes take each other's place in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The two builds, in a directory beside which the daemons' own files are links.
#[derive(Debug)]
pub(crate) struct Programs {
    builds: [PathBuf; 2],
    _dir: tempfile::TempDir,
}

impl Programs {
    /// Makes them of the program under test.
    pub(crate) fn of(program: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("svx").tempdir_in("/tmp").expect("a directory");
        let builds = ["a", "b"].map(|name| dir.path().join(name));
        // Without what only a debugger reads, where that can be taken out: copies are smaller.
        let mut strip = Command::new("strip");
        let stripped = strip.arg("-o").arg(&builds[0]).arg(program).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(program, &builds[0]).expect("copy the program");
        }
        let mut other = fs::read(&builds[0]).expect("read the copy");
        // Behind its last section a program may have anything.
        other.extend_from_slice(b"another build\n");
        fs::write(&builds[1], other).expect("write another build");
        let mode = fs::metadata(program).expect("its mode").permissions();
        for build in &builds {
            fs::set_permissions(build, mode.clone()).expect("set its mode");
        }
        Self { builds, _dir: dir }
    }

    /// Puts a build under a name; whatever had the name runs on without one, as after an upgrade.
    pub(crate) fn put(&self, which: usize, at: &Path) {
        let new = at.with_extension("new");
        let build = &self.builds[which % self.builds.len()];
        if fs::hard_link(build, &new).is_err() {
            fs::copy(build, &new).expect("copy a build");
        }
        fs::rename(&new, at).expect("put a build in its place");
        // Two names of one file are left as they are: the next would be copied onto what runs.
        fs::remove_file(&new).ok();
    }
}

#[test]
fn a_build_takes_its_own_place_and_then_anothers() {
    let programs = Programs::of(Path::new("/bin/true"));
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().join("program");
    for which in [0, 0, 1, 1, 0] {
        programs.put(which, &at);
        let same = |a: &Path, b: &Path| fs::read(a).expect("read") == fs::read(b).expect("read");
        assert!(same(&at, &programs.builds[which]), "build {which}");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1, "nothing is left beside it");
    }
}
