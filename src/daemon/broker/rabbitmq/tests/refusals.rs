//! What the broker does not want: the right message is refused, and no other is held up.

use lapin::{
    options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, LongString},
};

use super::*;

/// A topology with one queue that wants only metrics.
fn picky() -> Topology {
    let mut topology = Topology::standard("stratavore.events");
    topology.queues = vec![("only.metrics".to_owned(), vec!["metrics.#"])];
    topology
}

#[tokio::test]
async fn what_no_queue_wants_is_refused_by_its_id_among_many() {
    let vhost = RabbitMq::shared().vhost();
    let stop = CancellationToken::new();
    let mut publisher = start_with(&config(&vhost.url()), picky(), SILENCE, stop);
    let key = |number: usize| if number % 7 == 3 { "nobody.wants" } else { "metrics.x" };
    let all: Vec<_> = (0..3000).map(|number| message(number, key(number))).collect();
    let unwanted: HashSet<_> =
        all.iter().filter(|m| m.routing_key == "nobody.wants").map(|m| m.id).collect();
    let wanted: Vec<_> =
        all.iter().filter(|m| m.routing_key != "nobody.wants").map(|m| m.id).collect();
    let tally = deliver(&mut publisher, all, |_| {}).await;
    assert_eq!(tally.refused.keys().copied().collect::<HashSet<_>>(), unwanted);
    assert!(tally.refused.values().all(|why| why.contains("NO_ROUTE")), "{:?}", tally.refused);
    assert_eq!((tally.confirmed, tally.unknown), (wanted.len(), 0));
    let came = consume(&vhost.url(), "only.metrics", wanted.len()).await;
    assert_eq!(assert_all_in_order(&came, &wanted), 0);
}

#[tokio::test]
async fn a_deleted_queue_or_exchange_is_declared_again() {
    let vhost = RabbitMq::shared().vhost();
    let mut publisher = publisher(&vhost.url());
    ready(&mut publisher).await;
    let (_connection, channel) = admin(&vhost.url()).await;

    // The queue is declared again at most once a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    channel.queue_delete(EVENTS.into(), QueueDeleteOptions::default()).await.unwrap();
    let one = message(1, "runner.started.p");
    let tally = deliver(&mut publisher, vec![one.clone()], |_| {}).await;
    assert!(tally.refused[&one.id].contains("NO_ROUTE"), "{tally:?}");
    let tally = deliver(&mut publisher, vec![one.clone()], |_| {}).await;
    assert_eq!(tally.confirmed, 1, "{tally:?}");
    let came = consume(&vhost.url(), EVENTS, 1).await;
    assert_eq!(assert_all_in_order(&came, &[one.id]), 0);

    let options = ExchangeDeleteOptions::default();
    channel.exchange_delete("stratavore.events".into(), options).await.unwrap();
    let all = messages(500);
    let ids = ids_of(&all);
    let tally = deliver(&mut publisher, all, |_| {}).await;
    assert_eq!((tally.confirmed, tally.refused.len()), (500, 0));
    assert!(tally.unknown > 0, "the first were under way");
    let came = consume(&vhost.url(), EVENTS, 500).await;
    assert_all_in_order(&came, &ids);
}

#[tokio::test]
async fn a_full_queue_with_other_arguments_is_told_of_and_its_nacks_are_refusals() {
    let vhost = RabbitMq::shared().vhost();
    let (_connection, channel) = admin(&vhost.url()).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(5));
    let overflow = AMQPValue::LongString(LongString::from("reject-publish"));
    arguments.insert("x-overflow".into(), overflow);
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(EVENTS.into(), options, arguments).await.unwrap();

    let mut publisher = publisher(&vhost.url());
    let BrokerStatus::Ready { warning, .. } = ready(&mut publisher).await else { panic!() };
    let warning = warning.expect("a warning");
    assert!(warning.contains(EVENTS) && warning.contains("left as it is"), "{warning}");
    let all = messages(100);
    let ids = ids_of(&all);
    let tally = deliver(&mut publisher, all, |_| {}).await;
    assert!(tally.refused.len() > 80, "{tally:?}");
    assert!(tally.refused.values().all(|why| why.contains("nack")), "{:?}", tally.refused);
    let kept: Vec<_> = ids.into_iter().filter(|id| !tally.refused.contains_key(id)).collect();
    let came = consume(&vhost.url(), EVENTS, kept.len()).await;
    assert_eq!(assert_all_in_order(&came, &kept), 0);
}

#[tokio::test]
async fn what_is_too_large_or_malformed_is_refused_and_the_rest_goes_on() {
    let vhost = RabbitMq::shared().vhost();
    let mut publisher = publisher(&vhost.url());
    let mut all = messages(50);
    all[10].body = Bytes::from(vec![b' '; 16 * 1024 * 1024 + 1]);
    all[20].routing_key = "k".repeat(300);
    let bad: HashSet<_> = [all[10].id, all[20].id].into();
    let tally = deliver(&mut publisher, all, |_| {}).await;
    assert_eq!(tally.refused.keys().copied().collect::<HashSet<_>>(), bad);
    assert_eq!((tally.confirmed, tally.unknown), (48, 0));
}

#[tokio::test]
async fn a_message_that_ends_the_channel_is_found_out() {
    let vhost = RabbitMq::shared().vhost();
    // Whoever writes may use only some routing keys.
    vhost.server().eval(&format!(
        "rabbit_auth_backend_internal:set_topic_permissions(<<\"{}\">>,<<\"{}\">>,\
         <<\"stratavore.events\">>,<<\"^runner[.]\">>,<<\".*\">>,<<\"test\">>)",
        crate::daemon::servers::rabbitmq::USER,
        vhost.name()
    ));
    let mut publisher = publisher(&vhost.url());
    let mut all = messages(400);
    all[150].routing_key = "forbidden.key".to_owned();
    let (poison, mut ids) = (all[150].id, ids_of(&all));
    ids.remove(150);
    let tally = deliver(&mut publisher, all, |_| {}).await;
    assert_eq!(tally.refused.keys().collect::<Vec<_>>(), [&poison], "{tally:?}");
    assert!(tally.refused[&poison].contains("ACCESS_REFUSED"), "{tally:?}");
    assert_eq!(tally.confirmed, 399);
    let came = consume(&vhost.url(), EVENTS, 399).await;
    assert_all_in_order(&came, &ids);
}
