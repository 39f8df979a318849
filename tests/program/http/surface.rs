//! Where it listens: the port may be taken, other machines need TLS, and the daemon goes on.

use std::{fs, io::Write as _, net::TcpListener, sync::Arc, time::Duration};

use serde_json::Value;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::ServerName,
};

use crate::support::{Answer, HttpCall as Call, World, connect, wait_value};

/// Returns what `health` says of the API, as soon as it says anything.
fn part(world: &World) -> Value {
    wait_value("health tells of the API", Duration::from_secs(10), || {
        let health = world.command(["health", "--format", "json"]).output().unwrap();
        let parts: Vec<Value> = serde_json::from_slice(&health.stdout).unwrap();
        parts.into_iter().find(|part| part["name"] == "api")
    })
}

#[test]
fn a_port_that_is_taken_stops_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let world = World::serving().set("STRATAVORE_API_LISTEN", address.as_str());
    world.project("p");
    let part = part(&world);
    assert_eq!(part["state"], "degraded", "{part}");
    assert!(part["detail"].as_str().unwrap().contains(&address), "{part}");
    // It is named, with what to do, and nothing else is wrong: a warning.
    let said = world.run(["health"]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("warning: api is degraded"), "{}", said.stderr);
    assert!(said.stderr.contains("api.listen names another"), "{}", said.stderr);
    let name = world.launch(&[], &["sleep", "60"]);
    world.wait_status(&name, "running", Duration::from_secs(10));
}

#[test]
fn other_machines_are_let_in_with_a_certificate_only() {
    let world = World::serving().set("STRATAVORE_API_LISTEN", "0.0.0.0:0");
    let said = world.run(["status"]).expect_error(2, &["other machines", "api.tls_certificate"]);
    assert!(said.stderr.contains("api.listen"), "{}", said.stderr);
    assert!(world.daemon().is_none());
}

#[test]
fn a_certificate_that_cannot_be_read_is_told_and_nothing_is_served_in_the_clear() {
    let world = World::serving()
        .set("STRATAVORE_API_TLS_CERTIFICATE", "/none/cert.pem")
        .set("STRATAVORE_API_TLS_KEY", "/none/key.pem");
    world.run(["status"]).expect_code(0);
    let part = part(&world);
    assert_eq!(part["state"], "degraded", "{part}");
    assert!(part["detail"].as_str().unwrap().contains("/none/cert.pem"), "{part}");
}

#[test]
fn with_a_certificate_it_speaks_tls_and_nothing_else() {
    let made = rcgen::generate_simple_self_signed(vec!["api.example".to_owned()]).unwrap();
    let world = World::serving().set("STRATAVORE_API_HOSTS", "api.example");
    let (cert, key) = (world.path("cert.pem"), world.path("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let world = world
        .set("STRATAVORE_API_LISTEN", "0.0.0.0:0")
        .set("STRATAVORE_API_TLS_CERTIFICATE", cert.to_str().unwrap())
        .set("STRATAVORE_API_TLS_KEY", key.to_str().unwrap());
    let url = world.api_url();
    let port = url.strip_prefix("https://0.0.0.0:").expect("it speaks TLS");
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let token = world.run(["tokens", "create", "t"]).expect_code(0).stdout;

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("api.example").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, connect(address));
    let call = Call::new("GET", "/api/v1/status")
        .header("Host", "api.example")
        .header("Authorization", &format!("Bearer {}", token.trim()));
    stream.write_all(&call.bytes(address)).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut bytes).ok();
    Answer::parse(&bytes).expect("an answer").expect(200);

    let mut plain = connect(address);
    plain.write_all(&call.bytes(address)).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut plain, &mut bytes).ok();
    assert!(Answer::parse(&bytes).is_none(), "it speaks in the clear");
}
