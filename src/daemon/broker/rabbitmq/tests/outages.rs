//! What goes wrong with the broker or the way to it: nothing is lost, nobody waits for ever, and no
//! password is told.

use std::sync::Arc;

use super::*;
use crate::daemon::servers::{Proxy, rabbitmq};

/// Runs something that blocks beside us, once, after so many confirmations.
fn after<'a>(
    server: &Arc<RabbitMq>,
    number: usize,
    act: impl FnOnce(&RabbitMq) + Send + 'static,
) -> impl FnMut(usize) + 'a {
    let server = Arc::clone(server);
    let mut act = Some(act);
    move |confirmed| {
        if confirmed >= number
            && let Some(act) = act.take()
        {
            let server = Arc::clone(&server);
            std::thread::spawn(move || act(&server));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_or_restarted_under_a_full_window_loses_nothing() {
    let server = Arc::new(RabbitMq::start());
    let mut publisher = publisher(&server.url());
    ready(&mut publisher).await;
    let mut ids = Vec::new();
    let mut repeated = 0;
    for graceful in [false, true] {
        let all = messages(4000);
        ids.extend(ids_of(&all));
        let midway = after(&server, 1500, move |server| {
            if !graceful {
                server.kill();
            }
            server.restart();
        });
        let tally = deliver(&mut publisher, all, midway).await;
        assert_eq!((tally.confirmed, tally.refused.len()), (4000, 0), "{tally:?}");
        assert!(tally.unknown > 0, "it ended with messages under way");
        repeated += tally.unknown;
    }
    let came = consume(&server.url(), EVENTS, ids.len()).await;
    let duplicates = assert_all_in_order(&came, &ids);
    assert!(duplicates <= repeated, "{duplicates} duplicates of {repeated} repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_broker_is_given_up_and_an_alarmed_one_is_waited_for() {
    let server = Arc::new(RabbitMq::start());
    // Takes effect with the next connection.
    server.eval("application:set_env(rabbit,max_message_size,1000)");
    let mut publisher = publisher(&server.url());
    let mut all = messages(600);
    let ids = ids_of(&all);

    // Less than we know of: learnt from the broker.
    all[100].body = Bytes::from(vec![b' '; 2000]);
    let tally = deliver(&mut publisher, all, |_| {}).await;
    assert_eq!(tally.refused.keys().collect::<Vec<_>>(), [&ids[100]], "{tally:?}");
    assert_eq!(tally.confirmed, 599);

    server.pause();
    let all = messages(600);
    let more = ids_of(&all);
    let midway = |_| {};
    let resumer = Arc::clone(&server);
    let mut gone = publisher.status.clone();
    let resume = tokio::spawn(async move {
        let away = timeout(PATIENCE, gone.wait_for(is_away)).await.unwrap().unwrap().clone();
        resumer.resume();
        away
    });
    let tally = deliver(&mut publisher, all, midway).await;
    assert_eq!((tally.confirmed, tally.refused.len()), (600, 0));
    let BrokerStatus::Away { why, .. } = resume.await.unwrap() else { panic!() };
    assert!(why.contains("no confirmation within 3 s"), "{why}");

    ready(&mut publisher).await;
    server.memory_alarm(true);
    let all = messages(2000);
    let last = ids_of(&all);
    let mut accepted = 0;
    for message in all {
        let sent = publisher.messages.send(message);
        if timeout(Duration::from_millis(300), sent).await.is_err() {
            break;
        }
        accepted += 1;
    }
    assert!(accepted <= 2 * WINDOW, "what is under way and what waits is bounded: {accepted}");
    let blocked = status(&mut publisher, |s| matches!(s, BrokerStatus::Blocked { .. })).await;
    assert!(matches!(&blocked, BrokerStatus::Blocked { reason } if reason.contains("memory")));
    let quiet = timeout(SILENCE + Duration::from_secs(2), publisher.outcomes.recv()).await;
    let early = quiet.ok().map(|early| early.expect("the publisher lives"));
    assert_eq!(publisher.messages.capacity(), 0, "sending waits");
    server.memory_alarm(false);
    let mut confirmed = early.into_iter().collect::<Vec<_>>();
    while confirmed.len() < accepted {
        confirmed.push(outcome(&mut publisher).await);
    }
    assert!(
        confirmed.iter().all(|(_, outcome)| *outcome == Outcome::Confirmed),
        "no deadline ran out"
    );
    let expected: Vec<_> = [&ids[..100], &ids[101..], &more, &last[..accepted]].concat();
    let came = consume(&server.url(), EVENTS, expected.len()).await;
    assert_all_in_order(&came, &expected);
}

#[tokio::test]
async fn a_way_that_goes_dark_resets_or_lies_is_left_and_found_again() {
    let vhost = RabbitMq::shared().vhost();
    let proxy = Proxy::start(vhost.server().port());
    proxy.black_hole();
    let mut publisher = publisher(&vhost.url_through(proxy.port()));
    let why = away(&mut publisher).await;
    assert!(why.contains("no answer within 5 s"), "{why}");
    proxy.heal();
    ready(&mut publisher).await;

    let mut ids = Vec::new();
    // More than can be under way, waiting to be sent and waiting to be heard: whatever the broker's
    // speed, some are sent after the trouble.
    let count = 300 + 5 * WINDOW;
    for trouble in [Proxy::cut_short, Proxy::black_hole, Proxy::half_open] {
        let all = messages(count);
        ids.extend(ids_of(&all));
        let mut seen = publisher.status.clone();
        let heal = async {
            timeout(PATIENCE, seen.wait_for(is_away)).await.expect("noticed").expect("alive");
            proxy.heal();
            std::future::pending::<()>().await;
        };
        let mut done = false;
        let midway = |confirmed| {
            if confirmed >= 300 && !std::mem::replace(&mut done, true) {
                trouble(&proxy);
            }
        };
        let tally = tokio::select! {
            tally = deliver(&mut publisher, all, midway) => tally,
            () = heal => unreachable!(),
        };
        assert_eq!((tally.confirmed, tally.refused.len()), (count, 0));
        assert!(tally.unknown > 0, "{tally:?}");
    }
    let came = consume(&vhost.url(), EVENTS, ids.len()).await;
    assert_all_in_order(&came, &ids);
}

#[tokio::test]
async fn a_peer_that_is_gone_is_noticed_with_nothing_under_way() {
    let vhost = RabbitMq::shared().vhost();
    let proxy = Proxy::start(vhost.server().port());
    let url = format!("{}?heartbeat=1", vhost.url_through(proxy.port()));
    let mut publisher = publisher(&url);
    ready(&mut publisher).await;
    proxy.half_open();
    let why = away(&mut publisher).await;
    assert!(why.contains("silent"), "{why}");
    proxy.heal();
    ready(&mut publisher).await;
}

#[tokio::test]
async fn hosts_are_tried_in_turn() {
    let vhost = RabbitMq::shared().vhost();
    let port = vhost.server().port();
    let config = RabbitMqConfig {
        hosts: vec!["127.0.0.1:1".to_owned(), format!("127.0.0.1:{port}")],
        user: rabbitmq::USER.to_owned(),
        password: rabbitmq::PASSWORD.into(),
        vhost: vhost.name().to_owned(),
        exchange: "another.name".to_owned(),
        ..RabbitMqConfig::default()
    };
    let mut publisher = start(&config, CancellationToken::new());
    let why = away(&mut publisher).await;
    assert!(why.starts_with("RabbitMQ at 127.0.0.1:1: "), "{why}");
    ready(&mut publisher).await;
    assert_eq!(deliver(&mut publisher, messages(10), |_| {}).await.confirmed, 10);
    let came = consume(&vhost.url(), EVENTS, 10).await;
    assert_eq!(came[0].exchange.as_str(), "another.name");
}

#[tokio::test]
async fn latency_costs_time_and_nothing_else() {
    let vhost = RabbitMq::shared().vhost();
    let proxy = Proxy::start(vhost.server().port());
    proxy.latency(Duration::from_millis(40));
    let mut publisher = publisher(&vhost.url_through(proxy.port()));
    ready(&mut publisher).await;
    let tally = deliver(&mut publisher, messages(1000), |_| {}).await;
    assert_eq!((tally.confirmed, tally.unknown), (1000, 0));
}

#[tokio::test]
async fn what_is_wrong_with_the_configuration_is_said_without_the_password() {
    let vhost = RabbitMq::shared().vhost();
    let port = vhost.server().port();
    let not_amqp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http = not_amqp.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write as _;
        while let Ok((mut stream, _)) = not_amqp.accept() {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok();
        }
    });
    let (user, password) = (rabbitmq::USER, rabbitmq::PASSWORD);
    let cases = [
        (format!("amqp://{user}:hunter2@127.0.0.1:{port}/{}", vhost.name()), "ACCESS_REFUSED"),
        (format!("amqp://{user}:{password}@127.0.0.1:{port}/nowhere"), "docker.rabbitmq.vhost"),
        (format!("amqp://{user}:{password}@127.0.0.1:1/x"), "refused"),
        (format!("amqp://{user}:{password}@127.0.0.1:{http}/x"), "does not speak AMQP"),
        (format!("amqp://{user}:{password}@no.such.host.invalid/x"), "no.such.host.invalid"),
        (format!("amqps://{user}:{password}@127.0.0.1:{port}/x"), "127.0.0.1"),
    ];
    for (url, expected) in cases {
        let mut publisher = publisher(&url);
        let why = away(&mut publisher).await;
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains("hunter2") && !why.contains(password), "{why}");
        // What is sent all the same comes back.
        publisher.messages.send(message(0, "k")).await.unwrap();
        assert_eq!(outcome(&mut publisher).await.1, Outcome::Unknown);
    }
}
