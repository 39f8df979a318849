//! What is also done by hand, without a daemon, asked of it from elsewhere: how the database is, whether
//! the event log is what was written, everything in one file.
//!
//! Not here: what a daemon must not run beside (restore, copy), and what hands out the first key. One
//! backup or check at a time: each reads everything there is.

use std::{fs, io::Seek as _, sync::Arc};

use serde_json::json;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};
use uuid::Uuid;

use super::Services;
use crate::{
    config,
    daemon::{
        backup::{Wanted, backup},
        database::{DatabaseReport, database_status},
        verify::verify_log,
    },
    domain::{audit::AuditReport, chain::Key, event::EventType, failure::Failure},
};

/// Long work, one piece at a time.
#[derive(Debug, Clone)]
pub(super) struct Upkeep(Arc<Semaphore>);

impl Default for Upkeep {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Upkeep {
    fn begin(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_busy| {
            let what = "a backup or a check of the log is under way";
            Failure::conflict("UPKEEP_BUSY", what).with_hint("ask again when it is done")
        })
    }
}

impl Services {
    /// Returns how it stands with the database.
    ///
    /// # Errors
    ///
    /// When it cannot be used; then there is nothing else to tell.
    pub async fn database_report(&self) -> Result<DatabaseReport, Failure> {
        let context = &self.context;
        let (report, failure) = database_status(&context.config, &context.places).await;
        failure.map_or(Ok(report), Err)
    }

    /// Checks the event log with these keys; without any, with the one that still waits to be shown.
    ///
    /// # Errors
    ///
    /// `UPKEEP_BUSY`, `BAD_KEY`, `KEY_SHOWN` when there is no key, or when the database cannot be read.
    pub async fn verify_events(&self, keys: &[String]) -> Result<AuditReport, Failure> {
        let keys = keys.iter().map(|text| {
            Key::parse(text).ok_or_else(|| {
                Failure::usage("BAD_KEY", "a verification key has 64 hexadecimal digits")
            })
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let permit = self.upkeep.begin()?;
        let (handle, context) = (Handle::current(), self.context.clone());
        // A long log is much work, for a thread that nobody waits for.
        let checking = spawn_blocking(move || {
            let _permit = permit;
            let checking = verify_log(&context.config, &context.places, keys, Vec::new());
            handle.block_on(checking)
        });
        checking.await.map_err(|error| Failure::internal(format!("check the log: {error}")))?
    }

    /// Saves everything into a file that has no name any more: it is gone when it is closed.
    ///
    /// # Errors
    ///
    /// `UPKEEP_BUSY`, or when something cannot be read, or the file not be written.
    pub async fn make_backup(&self, with_output: bool) -> Result<fs::File, Failure> {
        let permit = self.upkeep.begin()?;
        let (handle, context) = (Handle::current(), self.context.clone());
        let saving = spawn_blocking(move || {
            let _permit = permit;
            let path = context.places.scratch().join(format!("{}.tar.gz", Uuid::new_v4()));
            let configuration = config::directories();
            let wanted = Wanted { output: &path, with_output, configuration: &configuration };
            let mut quiet = |_| {};
            let saving = backup(&context.config, &context.places, wanted, &mut quiet);
            handle.block_on(Box::pin(saving))?;
            let opened = fs::File::open(&path);
            let unnamed = fs::remove_file(&path);
            let opened = opened.and_then(|file| unnamed.map(|()| file));
            opened.map_err(|error| {
                let what = format!("read `{}`: {error}", path.display());
                Failure::unavailable("NOT_WRITTEN", what)
            })
        });
        let saved = saving.await;
        let mut file =
            saved.map_err(|error| Failure::internal(format!("make a backup: {error}")))??;
        // Whoever has it has the keys of the log: that it went is written down before it goes.
        let bytes =
            file.seek(std::io::SeekFrom::End(0)).and_then(|end| file.rewind().map(|()| end));
        let bytes = bytes.map_err(|error| Failure::internal(format!("read a backup: {error}")))?;
        let data = json!({ "bytes": bytes, "with_output": with_output });
        let event = self.context.system_event(EventType::BackupMade, data);
        self.store.event_append(vec![event]).await?;
        Ok(file)
    }
}
