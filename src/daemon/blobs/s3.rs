//! A server that speaks S3: signed requests, each with a deadline, tried again a few times.
//!
//! Addresses carry the signature and are shown to nobody: errors name the key alone.

use std::{io, path::Path, time::Duration};

use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use thiserror::Error;
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    time::{sleep, timeout},
};

use super::local::{checksum_of, new_file};
use crate::config::S3Config;

/// A connection is made within.
const CONNECT: Duration = Duration::from_secs(5);

/// And a piece of an answer comes within.
const SILENCE: Duration = Duration::from_secs(20);

/// A signature is good for so long.
const SIGNED: Duration = Duration::from_mins(15);

/// A request takes so long at most, and for each [`SLOWEST`] bytes a second more.
const LONGEST: Duration = Duration::from_secs(30);
const SLOWEST: u64 = 128 << 10;

/// A request is tried so often, with pauses that grow from the first.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// The largest copy that is taken back, in bytes.
const LARGEST: u64 = 4 << 30;

/// Why something could not be done.
#[derive(Debug, Error)]
pub enum S3Error {
    /// The configuration makes no sense.
    #[error("storage.s3: {0}")]
    Configured(String),
    /// It is not there.
    #[error("`{0}` is not there")]
    Missing(String),
    /// The server refused or failed, or could not be reached.
    #[error("`{key}`: {why}")]
    Failed {
        /// The key.
        key: String,
        /// Why.
        why: String,
        /// Whether it may go well when it is tried again.
        is_passing: bool,
    },
    /// What came is not what was sent.
    #[error("`{0}` came damaged")]
    Damaged(String),
    /// A file of ours.
    #[error("{0}")]
    File(#[from] io::Error),
}

/// The server.
#[derive(Debug, Clone)]
pub struct S3 {
    bucket: Bucket,
    credentials: Option<Credentials>,
    prefix: String,
    client: Client,
    /// How long an answer may be silent, and how long a request may take at least.
    limits: (Duration, Duration),
}

impl S3 {
    /// Returns the server that is configured; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When its address is none.
    pub fn of(config: &S3Config) -> Result<Option<Self>, S3Error> {
        if !config.is_configured() {
            return Ok(None);
        }
        let bad = |error: String| S3Error::Configured(error);
        let endpoint: Url =
            config.endpoint.parse().map_err(|error| bad(format!("endpoint: {error}")))?;
        let style = if config.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let (name, region) = (config.bucket.clone(), config.region.clone());
        let bucket =
            Bucket::new(endpoint, style, name, region).map_err(|error| bad(error.to_string()))?;
        let (key, secret) = (config.access_key.reveal(), config.secret_key.reveal());
        let credentials = (!key.is_empty()).then(|| Credentials::new(key, secret));
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| bad(error.to_string()))?;
        let prefix = config.prefix.clone();
        Ok(Some(Self { bucket, credentials, prefix, client, limits: (SILENCE, LONGEST) }))
    }

    /// Returns the bucket's name.
    pub fn bucket(&self) -> &str {
        self.bucket.name()
    }

    /// Sends a file, and makes sure that the server has it whole.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, refuses, or has something else afterwards.
    pub async fn put(&self, key: &str, path: &Path) -> Result<(), S3Error> {
        self.often(|| self.put_once(key, path)).await
    }

    async fn put_once(&self, key: &str, path: &Path) -> Result<(), S3Error> {
        let file = File::open(path).await?;
        let size = file.metadata().await?.len();
        let name = self.name(key);
        let action = self.bucket.put_object(self.credentials.as_ref(), &name);
        let request = self
            .client
            .request(Method::PUT, action.sign(SIGNED))
            .header(CONTENT_TYPE, "application/gzip")
            .header(CONTENT_LENGTH, size)
            .timeout(self.limits.1 + Duration::from_secs(size / SLOWEST))
            .body(file);
        answered(key, request.send().await)?;
        let head = self.bucket.head_object(self.credentials.as_ref(), &name).sign(SIGNED);
        let request = self.client.request(Method::HEAD, head).timeout(self.limits.1);
        let has = answered(key, request.send().await)?;
        let length = has.headers().get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
        match length.and_then(|it| it.parse::<u64>().ok()) {
            Some(length) if length == size => Ok(()),
            _ => Err(S3Error::Damaged(key.to_owned())),
        }
    }

    /// Fetches a file into a new one, which is there only if it has this checksum.
    ///
    /// # Errors
    ///
    /// `Missing` or `Damaged`, or when the server cannot be reached or refuses.
    pub async fn get(&self, key: &str, checksum: &str, to: &Path) -> Result<(), S3Error> {
        self.often(|| self.get_once(key, checksum, to)).await
    }

    async fn get_once(&self, key: &str, checksum: &str, to: &Path) -> Result<(), S3Error> {
        let name = self.name(key);
        let action = self.bucket.get_object(self.credentials.as_ref(), &name).sign(SIGNED);
        let request = self.client.request(Method::GET, action).send();
        let answer = timeout(self.limits.1, request).await.map_err(|_elapsed| silent(key))?;
        let mut answer = answered(key, answer)?;
        let partial = to.with_extension("fetched");
        tokio::fs::remove_file(&partial).await.or_else(missing_is_fine)?;
        let fetched = self.body(key, &mut answer, &partial).await;
        let path = partial.clone();
        let sum = tokio::task::spawn_blocking(move || checksum_of(&path)).await;
        let is_whole = fetched.is_ok() && sum.is_ok_and(|sum| sum.is_ok_and(|it| it == checksum));
        if is_whole {
            return Ok(tokio::fs::rename(&partial, to).await?);
        }
        tokio::fs::remove_file(&partial).await.or_else(missing_is_fine)?;
        fetched?;
        Err(S3Error::Damaged(key.to_owned()))
    }

    async fn body(&self, key: &str, answer: &mut Response, to: &Path) -> Result<(), S3Error> {
        let mut file = File::from_std(new_file(to)?);
        let mut read = 0;
        loop {
            let piece = timeout(self.limits.0, answer.chunk()).await;
            let piece = piece.map_err(|_elapsed| silent(key))?;
            let Some(piece) = piece.map_err(|error| unreachable(key, error))? else { break };
            read += piece.len() as u64;
            if read > LARGEST {
                return Err(S3Error::Damaged(key.to_owned()));
            }
            file.write_all(&piece).await?;
        }
        Ok(file.sync_all().await?)
    }

    /// Removes a file; one that is not there is removed.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or refuses.
    pub async fn remove(&self, key: &str) -> Result<(), S3Error> {
        let removed = self.often(|| async {
            let name = self.name(key);
            let action = self.bucket.delete_object(self.credentials.as_ref(), &name).sign(SIGNED);
            let request = self.client.request(Method::DELETE, action).timeout(self.limits.1);
            answered(key, request.send().await).map(drop)
        });
        match removed.await {
            Err(S3Error::Missing(_)) => Ok(()),
            outcome => outcome,
        }
    }

    /// Tries something again that may go well then.
    async fn often<F>(&self, once: impl Fn() -> F) -> Result<(), S3Error>
    where
        F: Future<Output = Result<(), S3Error>>,
    {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match once().await {
                Err(S3Error::Failed { is_passing: true, .. } | S3Error::Damaged(_)) => {}
                outcome => return outcome,
            }
            sleep(pause).await;
            pause *= 2;
        }
        once().await
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

fn missing_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn answered(key: &str, answer: reqwest::Result<Response>) -> Result<Response, S3Error> {
    let answer = answer.map_err(|error| unreachable(key, error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if status == StatusCode::NOT_FOUND {
        return Err(S3Error::Missing(key.to_owned()));
    }
    let is_passing = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    Err(S3Error::Failed {
        key: key.to_owned(),
        why: format!("the server answered {status}"),
        is_passing,
    })
}

fn unreachable(key: &str, error: reqwest::Error) -> S3Error {
    // Its address holds a signature.
    let why = error.without_url().to_string();
    S3Error::Failed { key: key.to_owned(), why, is_passing: true }
}

fn silent(key: &str) -> S3Error {
    let why = "the server does not answer".to_owned();
    S3Error::Failed { key: key.to_owned(), why, is_passing: true }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        fs,
        sync::{Arc, Mutex},
    };

    use axum::{
        Router,
        body::{Body, Bytes},
        extract::State,
        http::{Method as Asked, Response as Answer, Uri},
    };

    use super::*;

    /// A server that has what it was sent, and fails as it is told to: one word for each request.
    #[derive(Clone, Default)]
    struct Shelf(Arc<Mutex<Shelved>>);

    /// What it has, how it will fail, and how often it was asked.
    type Shelved = (HashMap<String, Bytes>, Vec<&'static str>, u32);

    async fn answer(
        State(shelf): State<Shelf>,
        asked: Asked,
        uri: Uri,
        body: Bytes,
    ) -> Answer<Body> {
        let fault = {
            let mut shelf = shelf.0.lock().unwrap();
            shelf.2 += 1;
            shelf.1.pop().unwrap_or_default()
        };
        let code = |code: u16| Answer::builder().status(code).body(Body::empty()).unwrap();
        if !uri.query().is_some_and(|query| query.contains("X-Amz-Signature=")) {
            return code(403);
        }
        match fault {
            "500" => return code(500),
            "hang" => std::future::pending::<()>().await,
            _ => {}
        }
        let key = uri.path().to_owned();
        let mut shelf = shelf.0.lock().unwrap();
        match asked {
            Asked::PUT => {
                let kept = if fault == "cut" { body.slice(..body.len() / 2) } else { body };
                shelf.0.insert(key, kept);
                code(200)
            }
            Asked::DELETE => {
                shelf.0.remove(&key);
                code(204)
            }
            _ => match shelf.0.get(&key) {
                None => code(404),
                Some(kept) if fault == "cut" => {
                    Answer::new(Body::from(kept.slice(..kept.len() / 2)))
                }
                Some(kept) if asked == Asked::HEAD => {
                    let length = kept.len().to_string();
                    Answer::builder().header("content-length", length).body(Body::empty()).unwrap()
                }
                Some(kept) => Answer::new(Body::from(kept.clone())),
            },
        }
    }

    async fn shelf() -> (Shelf, S3, tempfile::TempDir) {
        let shelf = Shelf::default();
        let router = Router::new().fallback(answer).with_state(shelf.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = S3Config {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            bucket: "b".to_owned(),
            access_key: "me".into(),
            secret_key: "secret".into(),
            ..S3Config::default()
        };
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut s3 = S3::of(&config).unwrap().unwrap();
        s3.limits = (Duration::from_millis(300), Duration::from_secs(1));
        (shelf, s3, tempfile::tempdir().unwrap())
    }

    impl Shelf {
        fn will(&self, faults: &[&'static str]) {
            let mut shelf = self.0.lock().unwrap();
            shelf.1 = faults.iter().rev().copied().collect();
            shelf.2 = 0;
        }

        fn asked(&self) -> u32 {
            self.0.lock().unwrap().2
        }
    }

    #[tokio::test]
    async fn a_file_is_sent_and_comes_back_also_when_the_server_fails_at_first() {
        let (shelf, s3, dir) = shelf().await;
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&from, "x".repeat(100_000)).unwrap();
        let checksum = checksum_of(&from).unwrap();
        shelf.will(&["500", "hang", "cut", "", "", ""]);
        s3.put("s/a.gz", &from).await.unwrap();
        assert_eq!(
            shelf.asked(),
            6,
            "a failure, silence, half a file, and all of it; two are checked"
        );
        assert!(shelf.0.lock().unwrap().0.contains_key("/b/stratavore/s/a.gz"));
        shelf.will(&["500", "cut", "hang", ""]);
        s3.get("s/a.gz", &checksum, &to).await.unwrap();
        assert_eq!(fs::read(&to).unwrap(), fs::read(&from).unwrap());
        s3.remove("s/a.gz").await.unwrap();
        s3.remove("s/a.gz").await.unwrap();
        let again = s3.get("s/a.gz", &checksum, &to).await;
        assert!(matches!(again, Err(S3Error::Missing(_))), "{again:?}");
    }

    #[tokio::test]
    async fn what_comes_damaged_is_not_taken_and_what_is_refused_is_not_tried_again() {
        let (shelf, s3, dir) = shelf().await;
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&from, "text").unwrap();
        s3.put("a", &from).await.unwrap();
        let other = s3.get("a", "another checksum", &to).await;
        assert!(matches!(other, Err(S3Error::Damaged(_))), "{other:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left of it");
        let unsigned = S3 { credentials: None, ..s3 };
        shelf.will(&[]);
        let refused = unsigned.put("a", &from).await.unwrap_err().to_string();
        assert!(refused.contains("403") && !refused.contains("X-Amz"), "{refused}");
        assert_eq!(shelf.asked(), 1);
    }
}
