//! A clock on the wall that can be moved under a running daemon.
//!
//! The product takes the time of day from `clock_gettime(CLOCK_REALTIME)` (`chrono`) and the embedded
//! database from `gettimeofday`; both go through the C library, where `clock.c` adds what a file says.
//! Supervisors start with an empty environment and keep the machine's clock, agents do, too, and a database
//! server has its own: as when the clock of one machine of several is set.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

/// What is loaded into daemons.
const SOURCE: &str = include_str!("clock.c");

/// A clock.
#[derive(Debug)]
pub(crate) struct Clock {
    library: PathBuf,
    file: File,
    path: PathBuf,
}

impl Clock {
    /// Makes one that goes right, whose hand is a file at this path; `None` without a C compiler.
    pub(crate) fn new(path: PathBuf) -> Option<Self> {
        let library = library()?.to_owned();
        let file = File::create(&path).expect("make the clock's file");
        file.write_all_at(&[0; 8], 0).expect("set the clock right");
        Some(Self { library, file, path })
    }

    /// What a daemon needs in its environment to go by this clock.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", self.library.clone()), ("CHAOS_CLOCK", self.path.clone())]
    }

    /// Returns its hand, for a task of its own.
    pub(crate) fn hand(&self) -> Self {
        let file = self.file.try_clone().expect("another descriptor");
        Self { library: self.library.clone(), file, path: self.path.clone() }
    }

    /// Sets it so far ahead of the machine's.
    pub(crate) fn set_ahead(&self, by: Duration) {
        self.set(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX));
    }

    /// Sets it so far behind.
    pub(crate) fn set_behind(&self, by: Duration) {
        self.set(i64::try_from(by.as_nanos()).map_or(i64::MIN, i64::wrapping_neg));
    }

    /// Sets it right.
    pub(crate) fn set_right(&self) {
        self.set(0);
    }

    fn set(&self, nanos: i64) {
        self.file.write_all_at(&nanos.to_ne_bytes(), 0).expect("set the clock");
    }
}

/// Builds what is loaded, once; removed with the directory of the build.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let own = std::process::id();
        let (source, library) = (dir.join(format!("clock-{own}.c")), dir.join("clock.so"));
        std::fs::write(&source, SOURCE).expect("write the clock");
        // Under another name first: a daemon of another run may have the old one loaded.
        let new = dir.join(format!("clock-{own}.so"));
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&new).arg(&source);
        let built = compiler.arg("-ldl").status().is_ok_and(|status| status.success());
        std::fs::remove_file(&source).ok();
        if !built {
            println!("there is no C compiler: no clock will be moved");
            return None;
        }
        std::fs::rename(&new, &library).expect("put the clock in its place");
        Some(library)
    });
    library.as_deref()
}

#[test]
fn a_clock_moves_and_goes_right_again() {
    let dir = tempfile::tempdir().unwrap();
    let Some(clock) = Clock::new(dir.path().join("clock")) else { return };
    let told = || {
        let mut date = Command::new("date");
        let output = date.arg("+%s").envs(clock.environment()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<i64>().unwrap()
    };
    let now = || chrono::Utc::now().timestamp();
    let day = Duration::from_hours(24);
    clock.set_ahead(day);
    assert!((told() - now() - 86_400).abs() < 60, "{} and {}", told(), now());
    clock.set_behind(day);
    assert!((told() - now() + 86_400).abs() < 60, "{} and {}", told(), now());
    clock.set_right();
    assert!((told() - now()).abs() < 60);
}
