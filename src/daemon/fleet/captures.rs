//! Tests: supervisors of older versions, replayed from what they once said, are found and understood.
//!
//! The captures are in `tests/fixtures/link`, one for each version; `tests/program/upgrading.rs` writes
//! the one of this version.

use std::{fs, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
    time::timeout,
};

use super::{Fleet, Found, Notice};
use crate::{
    config::Places,
    domain::id::RunnerId,
    proto::{
        framing::Decoder,
        link::v1::{FromSupervisor, Welcome, from_supervisor::Message},
    },
};

fn captures() -> Vec<(PathBuf, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/link");
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let wanted = entries.filter(|path| path.to_string_lossy().ends_with("-supervisor.bin"));
    wanted.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn welcome(bytes: &[u8]) -> Welcome {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    match decoder.next_message::<FromSupervisor>().unwrap().and_then(|first| first.message) {
        Some(Message::Welcome(welcome)) => welcome,
        other => panic!("a supervisor welcomes first: {other:?}"),
    }
}

#[tokio::test]
async fn supervisors_of_older_versions_are_adopted() {
    let captures = captures();
    assert!(!captures.is_empty());
    for (path, bytes) in captures {
        let shown = path.display();
        let expected = welcome(&bytes).identity.unwrap();
        let id: RunnerId = expected.runner_id.parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let places = Places::at(dir.path());
        fs::create_dir_all(places.runner(id)).unwrap();
        let listener = UnixListener::bind(places.runner(id).join("link")).unwrap();
        let speaking = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut greeting = [0; 1024];
            assert!(stream.read(&mut greeting).await.unwrap() > 4);
            stream.write_all(&bytes).await.unwrap();
            // What a later version may say: a message with nothing that we know in it.
            stream.write_all(&[3, 0, 0, 0, 0x98, 0x06, 0x01]).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream
        });
        let (fleet, mut notices) = Fleet::new(places);
        let Found::Linked(known) = fleet.find(id).await else { panic!("{shown}: not linked") };
        assert_eq!(known.identity, expected, "{shown}");
        assert!(!known.spec.name.is_empty() && known.identity.run > 0, "{shown}");
        assert!(fleet.is_linked(id));
        for _ in 0..2 {
            let notice = timeout(Duration::from_secs(10), notices.recv()).await.unwrap();
            assert!(matches!(notice, Some(Notice::Status { .. })), "{shown}: {notice:?}");
        }
        drop(speaking.await.unwrap());
        let notice = timeout(Duration::from_secs(10), notices.recv()).await.unwrap();
        assert!(matches!(notice, Some(Notice::Unlinked { exited: false, .. })), "{notice:?}");
    }
}
