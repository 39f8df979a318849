//! What goes well: everything arrives, once, in order, with its envelope.

use lapin::options::{BasicGetOptions, BasicRejectOptions};

use super::*;
use crate::daemon::broker::TRANSIENT;

#[tokio::test]
async fn everything_is_confirmed_under_load_and_arrives_once_and_in_order() {
    let vhost = RabbitMq::shared().vhost();
    let mut publisher = publisher(&vhost.url());
    let BrokerStatus::Ready { server, warning } = ready(&mut publisher).await else { panic!() };
    assert!(server.starts_with("RabbitMQ 3.") || server.starts_with("RabbitMQ 4."), "{server}");
    assert_eq!(warning, None);

    let all = messages(3000);
    let ids = ids_of(&all);
    let tally = deliver(&mut publisher, all.clone(), |_| {}).await;
    assert_eq!((tally.confirmed, tally.unknown, tally.refused.len()), (3000, 0, 0));
    let deliveries = consume(&vhost.url(), EVENTS, 3000).await;
    assert_eq!(assert_all_in_order(&deliveries, &ids), 0, "no duplicates");

    let (first, sent) = (&deliveries[0], &all[0]);
    assert_eq!(first.data, sent.body);
    assert_eq!(first.routing_key.as_str(), "runner.started.p");
    assert_eq!(first.exchange.as_str(), "stratavore.events");
    assert_eq!(*first.properties.delivery_mode(), Some(2));
    assert_eq!(*first.properties.timestamp(), u64::try_from(sent.timestamp.timestamp()).ok());
}

#[tokio::test]
async fn queues_get_what_they_are_bound_to_and_their_dead_letters_are_kept() {
    let vhost = RabbitMq::shared().vhost();
    let mut publisher = publisher(&vhost.url());
    let keys = ["metrics.tokens.global", "system.alert.critical", "runner.failed.p"];
    let all = keys.iter().enumerate().map(|(number, key)| message(number, key)).collect();
    assert_eq!(deliver(&mut publisher, all, |_| {}).await.confirmed, 3);
    let keys_in = async |queue: &str, count| -> Vec<String> {
        let came = consume(&vhost.url(), queue, count).await;
        came.iter().map(|delivery| delivery.routing_key.as_str().to_owned()).collect()
    };
    assert_eq!(keys_in("stratavore.metrics", 1).await, keys[..1]);
    assert_eq!(keys_in(EVENTS, 3).await, keys);

    let (_connection, channel) = admin(&vhost.url()).await;
    let options = BasicGetOptions::default();
    let got = channel.basic_get("stratavore.alerts".into(), options).await.unwrap();
    got.unwrap().reject(BasicRejectOptions { requeue: false }).await.unwrap();
    assert_eq!(keys_in("stratavore.dead", 1).await, keys[1..2]);
    assert_eq!(keys_in("stratavore.alerts", 1).await, keys[2..]);
}

#[tokio::test]
async fn transient_messages_are_sent_when_ready_and_dropped_otherwise() {
    let vhost = RabbitMq::shared().vhost();
    let mut publisher = publisher(&vhost.url());
    ready(&mut publisher).await;
    let beat = message(0, "runner.heartbeat.r");
    assert!(publisher.transient.try_publish(beat.clone()));
    let came = consume(&vhost.url(), "stratavore.metrics", 1).await;
    assert_eq!(id_of(&came[0]), beat.id);
    assert_eq!(*came[0].properties.delivery_mode(), Some(1));

    let nobody = start(&config("amqp://127.0.0.1:1"), CancellationToken::new());
    let taken = (0..2 * TRANSIENT).filter(|_| nobody.transient.try_publish(beat.clone())).count();
    assert!(taken <= TRANSIENT, "{taken} wait");
}

#[tokio::test]
async fn stopping_answers_everything_and_ends() {
    let vhost = RabbitMq::shared().vhost();
    let stop = CancellationToken::new();
    let mut publisher = start(&config(&vhost.url()), stop.clone());
    ready(&mut publisher).await;
    let all = messages(200);
    for message in all.clone() {
        publisher.messages.send(message).await.unwrap();
    }
    stop.cancel();
    let mut answered = HashMap::new();
    while let Some((id, outcome)) = timeout(PATIENCE, publisher.outcomes.recv()).await.unwrap() {
        assert_eq!(answered.insert(id, outcome), None);
    }
    assert_eq!(answered.len(), 200);
    let confirmed: Vec<_> =
        all.iter().filter(|message| answered[&message.id] == Outcome::Confirmed).collect();
    let came = consume(&vhost.url(), EVENTS, confirmed.len()).await;
    assert!(confirmed.iter().all(|message| came.iter().any(|one| id_of(one) == message.id)));
    assert!(publisher.messages.send(message(0, "k")).await.is_err());
}
