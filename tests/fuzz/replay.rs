//! Runs the kept corpora of the fuzz targets, and what once failed, through their properties.
//!
//! `corpus/TARGET` is filled by `./tests/run fuzz --keep`; a file that made something fail goes there,
//! too, under a name that says what it was.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking; outside of test functions the lints do not know it"
)]

mod properties;

use std::{fs, path::Path};

/// Bytes that all corpora may have together: they are looked at by every test run.
const MOST_BYTES: u64 = 200 << 10;

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

fn replay(target: &str) {
    let (_, run) = properties::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{target} has no corpus");
    for (name, bytes) in corpus {
        let result = std::panic::catch_unwind(|| run(&bytes));
        assert!(result.is_ok(), "{name} fails");
    }
}

macro_rules! replayed {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn no_target_is_forgotten_and_the_corpora_stay_small() {
            let named = [$(stringify!($target)),*];
            assert_eq!(properties::TARGETS.map(|(name, _)| name), named);
            let all: u64 = named
                .iter()
                .flat_map(|target| corpus(target))
                .map(|(_, bytes)| bytes.len() as u64)
                .sum();
            assert!(all <= MOST_BYTES, "{all} bytes");
        }
    };
}

replayed! { screen queries link transcripts telemetry redactor configuration }
