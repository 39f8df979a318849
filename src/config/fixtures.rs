//! A configuration for tests in which every secret is set, so that what shows a configuration can be held
//! to showing none.

use super::{Config, Secret};

/// Stands in every secret of [`full_of_secrets`], and nowhere else.
pub(crate) const CANARY: &str = "canary";

/// Returns a configuration with a secret wherever one can stand.
pub(crate) fn full_of_secrets() -> Config {
    let mut config = Config::default();
    let secret = |text: &str| Secret::from(text);
    config.database.url = secret("postgres://bob:canary-1@db.example/stratavore");
    config.database.postgresql.password = secret("canary-2");
    config.docker.rabbitmq.url = secret("amqp://bob:canary-3@mq.example/%2f");
    config.docker.rabbitmq.password = secret("canary-4");
    config.docker.telegram.token = secret("4242:AAF-canary-5");
    config.docker.telegram.api_url = "https://bob:canary-16@api.example".to_owned();
    config.notify.ntfy.url = "https://ntfy.sh/canary-6".to_owned();
    config.notify.ntfy.token = secret("tk_canary-7");
    config.notify.webhook.url = "https://bob:canary-8@hooks.example/services/canary-9".to_owned();
    config.notify.webhook.secret = secret("canary-10");
    config.storage.s3.endpoint = "https://bob:canary-11@s3.example".to_owned();
    config.storage.s3.access_key = secret("canary-12");
    config.storage.s3.secret_key = secret("canary-13");
    config.observability.otlp.endpoint = "https://bob:canary-15@collector.example".to_owned();
    config.observability.otlp.authorization = secret("Bearer canary-14");
    config
}
