//! Keeps packed copies of transcripts, sends them to the server that is configured, and puts them back
//! where an agent's own file is gone.
//!
//! A copy is made at a session's end and now and then while it grows. The one on this disk stays until
//! the server has it whole, and after that if it is to. What an agent has is never written over.

use std::{
    fs, io, mem,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{task::spawn_blocking, time::sleep};
use uuid::Uuid;

use crate::{
    daemon::{
        blobs::{Packed, S3, S3Error, pack, unpack},
        services::Services,
        store::Blob,
    },
    domain::{failure::Failure, session::Session},
};

/// What the server is called in `health` and in alerts.
const STORAGE: &str = "storage";

/// Between two looks for what is to be copied or sent.
const LOOK: Duration = Duration::from_secs(20);

/// From the end of a session to its copy.
const MOMENT: Duration = Duration::from_secs(2);

/// Sessions that ended so long ago are looked at; at the start those that ended meanwhile too.
const AFTER: TimeDelta = TimeDelta::hours(1);
const BEFORE_START: TimeDelta = TimeDelta::days(14);

/// While the server cannot be reached it is asked again after this.
const PAUSE: TimeDelta = TimeDelta::minutes(2);

impl Services {
    /// Keeps copies until it is cancelled; ends at once where none are to be kept.
    pub(crate) async fn keep_transcripts(&self) {
        let storage = &self.context.config.storage;
        if !storage.transcripts {
            return;
        }
        let server = self.server();
        let (mut back, mut not_before) = (BEFORE_START, DateTime::<Utc>::UNIX_EPOCH);
        // It may have been away when the daemon ended.
        let stands = self.store.alert_stands(STORAGE, &self.context.origin.node_id).await;
        let mut is_away = stands.unwrap_or_default();
        loop {
            let now = self.context.clock.now();
            match self.copy_transcripts(now - back).await {
                Ok(()) => back = AFTER,
                Err(error) => tracing::debug!(%error, "failed to copy transcripts"),
            }
            if let Some(server) = &server
                && now >= not_before
            {
                let sent = self.send_copies(server).await;
                if sent.is_err() {
                    not_before = now + PAUSE;
                }
                self.tell_of_server(server, sent, &mut is_away).await;
            }
            if let Err(error) = self.drop_old_copies(server.as_ref()).await {
                tracing::debug!(%error, "failed to remove old copies of transcripts");
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                // A session may have ended: its agent's last line comes a moment later.
                () = self.transcripts.0.keeping.notified() => sleep(MOMENT).await,
            }
        }
    }

    /// The server that is configured.
    fn server(&self) -> Option<S3> {
        let server = S3::of(&self.context.config.storage.s3);
        server.unwrap_or_else(|error| {
            tracing::error!(%error, "copies of transcripts stay here");
            self.note_surface(STORAGE, Err(format!("{error}; copies of transcripts stay here")));
            None
        })
    }

    /// Tells how the server is; the first failure of several is an operator's to know of.
    async fn tell_of_server(&self, server: &S3, sent: Result<(), S3Error>, is_away: &mut bool) {
        let was_away = mem::replace(is_away, sent.is_err());
        let bucket = server.bucket();
        let state = sent.map(|()| format!("bucket {bucket}")).map_err(|error| {
            format!(
                "failed to send copies of transcripts to bucket {bucket}: {error}; they stay here"
            )
        });
        match &state {
            Err(why) if !was_away => {
                tracing::warn!("{why}");
                self.alert("warning", STORAGE, why).await;
            }
            Ok(_) if was_away => {
                let what = format!("copies of transcripts are sent to bucket {bucket} again");
                self.alert_is_over(STORAGE, &what).await;
            }
            _ => {}
        }
        self.note_surface(STORAGE, state);
    }

    /// Copies the files that are due.
    async fn copy_transcripts(&self, since: DateTime<Utc>) -> Result<(), Failure> {
        let node = &self.context.origin.node_id;
        for session in self.store.sessions_followed(node, since).await? {
            let files = self.store.transcript_files(node, &session.id).await?;
            let known = self.store.blobs_of(&session.id).await?;
            for file in files.iter().filter(|file| !file.path.contains('#')) {
                let path = PathBuf::from(&file.path);
                let Ok(meta) = fs::metadata(&path) else { continue };
                let before = known.iter().find(|blob| blob.path == file.path);
                if !self.is_due(&session, meta.len(), before) {
                    continue;
                }
                let key = key_of(&session.id, &path);
                let to = self.context.places.blobs().join(&key);
                let from = path.clone();
                let packed = spawn_blocking(move || pack(&from, &to)).await;
                let Packed { size, checksum, source_bytes } = match packed {
                    Ok(Ok(packed)) => packed,
                    Ok(Err(error)) => {
                        tracing::warn!(path = file.path, %error, "failed to copy a transcript");
                        continue;
                    }
                    Err(error) => return Err(Failure::internal(format!("pack a file: {error}"))),
                };
                let own = Path::new(&session.transcript);
                let blob = Blob {
                    session: session.id.clone(),
                    is_side: own != path && !session.transcript.is_empty(),
                    key,
                    size,
                    checksum,
                    made_at: self.context.clock.now(),
                    node: node.clone(),
                    path: file.path.clone(),
                    source_bytes,
                    sent: String::new(),
                };
                self.store.blob_put(&blob).await?;
            }
        }
        Ok(())
    }

    fn is_due(&self, session: &Session, size: u64, before: Option<&Blob>) -> bool {
        if before.is_some_and(|blob| blob.source_bytes == size) || size == 0 {
            return false;
        }
        let last = before.map_or(session.started_at, |blob| blob.made_at);
        let seconds = self.context.config.storage.interval_seconds;
        let pause = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
        session.ended_at.is_some() || self.context.clock.now() - last >= pause
    }

    /// Sends what the server does not have.
    async fn send_copies(&self, server: &S3) -> Result<(), S3Error> {
        let node = &self.context.origin.node_id;
        let away = |error: crate::daemon::store::StoreError| io::Error::other(error.to_string());
        for blob in self.store.blobs_to_send(node).await.map_err(away)? {
            let path = self.context.places.blobs().join(&blob.key);
            match server.put(&blob.key, &path).await {
                Ok(()) => {}
                Err(S3Error::File(error)) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            self.store.blob_sent(&blob).await.map_err(away)?;
            // Not while a newer copy of it was made.
            let is_latest = self.store.blobs_of(&blob.session).await.map_err(away)?;
            let is_latest = is_latest.iter().any(|it| it.key == blob.key && it.sent == it.checksum);
            if is_latest && !self.context.config.storage.keep_local {
                tokio::fs::remove_file(&path).await?;
            }
        }
        Ok(())
    }

    /// Removes the copies of sessions that ended long ago, as it is configured.
    async fn drop_old_copies(&self, server: Option<&S3>) -> Result<(), Failure> {
        let days = i64::try_from(self.context.config.storage.keep_days).unwrap_or(0);
        if days == 0 {
            return Ok(());
        }
        let before = self.context.clock.now() - TimeDelta::days(days);
        for blob in self.store.blobs_ended(&self.context.origin.node_id, before).await? {
            if !blob.sent.is_empty() {
                let Some(server) = server else { continue };
                let removed = server.remove(&blob.key).await;
                removed.map_err(|error| Failure::unavailable("STORAGE", error.to_string()))?;
            }
            // One that was not kept here is not there.
            fs::remove_file(self.context.places.blobs().join(&blob.key)).ok();
            self.store.blob_forget(&blob).await?;
        }
        Ok(())
    }

    /// Puts the files of a session back where its agent expects them, if they are gone and there are
    /// copies of them.
    pub(in crate::daemon::services) async fn restore_transcript(
        &self,
        session: &Session,
    ) -> Result<(), Failure> {
        for blob in self.store.blobs_of(&session.id).await? {
            let path = PathBuf::from(&blob.path);
            if blob.path.is_empty() || path.exists() {
                continue;
            }
            self.unpack_copy(&blob, &path).await?;
            tracing::info!(path = %path.display(), "a transcript was put back from its copy");
        }
        Ok(())
    }

    /// Returns a session's own file, unpacked for a moment from its copy; `None` when there is none.
    pub(super) async fn unpacked(&self, session: &Session) -> Result<Option<PathBuf>, Failure> {
        let blobs = self.store.blobs_of(&session.id).await?;
        let Some(blob) = blobs.iter().find(|blob| !blob.is_side) else { return Ok(None) };
        let path = self.context.places.scratch().join(Uuid::new_v4().to_string());
        self.unpack_copy(blob, &path).await?;
        Ok(Some(path))
    }

    async fn unpack_copy(&self, blob: &Blob, to: &Path) -> Result<(), Failure> {
        let local = self.context.places.blobs().join(&blob.key);
        let failed = |why: String| {
            let what = format!("bring back the transcript of session {}: {why}", blob.session);
            Failure::unavailable("STORAGE", what)
        };
        if !local.is_file() {
            let server = self.server().filter(|_| !blob.sent.is_empty());
            let server = server.ok_or_else(|| failed("its copy is gone".to_owned()))?;
            if let Some(parent) = local.parent() {
                fs::create_dir_all(parent).map_err(|error| failed(error.to_string()))?;
            }
            let fetched = server.get(&blob.key, &blob.sent, &local).await;
            fetched.map_err(|error| failed(error.to_string()))?;
        }
        let (checksum, to) = (blob.checksum.clone(), to.to_owned());
        let stays = self.context.config.storage.keep_local || blob.sent != blob.checksum;
        let unpacked = spawn_blocking(move || {
            let unpacked = unpack(&local, &checksum, &to);
            if !stays {
                // The server has it; a copy that is left over here is only room lost.
                fs::remove_file(&local).ok();
            }
            unpacked
        })
        .await;
        unpacked
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}

/// Where the copy of a session's file is kept. What an agent calls its session is no path of ours.
fn key_of(session: &str, path: &Path) -> String {
    use sha2::{Digest as _, Sha256};
    let safe = |name: &str| {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
        let is_safe = !name.is_empty() && name.len() <= 100 && name.chars().all(is_plain);
        if is_safe { name.to_owned() } else { hex::encode(Sha256::digest(name.as_bytes())) }
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    format!("transcripts/{}/{}.jsonl.gz", safe(session), safe(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_session_names_a_path_of_ours() {
        let key = key_of("b8a3792c-8a33", Path::new("/h/agent-a1.jsonl"));
        assert_eq!(key, "transcripts/b8a3792c-8a33/agent-a1.jsonl.gz");
        for session in ["../../etc", "", "a/b", "\u{e4}", &"x".repeat(200)] {
            let key = key_of(session, Path::new("x"));
            assert_eq!((key.split('/').count(), key.contains("..")), (3, false), "{key}");
        }
    }
}
