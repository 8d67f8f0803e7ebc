//! Addresses and names that lead to where no stranger may send us: none of them is ever connected to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{io::ErrorKind, net::TcpListener};

use mcp_gateway_model::id::ClientId;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    login::{Browser, REDIRECT, Site},
    names::NameServer,
    publisher::{Published, Publisher},
};

/// One port of this machine, in both families, that notices when somebody comes.
struct Trap {
    port: u16,
    listeners: Vec<TcpListener>,
}

impl Trap {
    fn set() -> Self {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = ["127.0.0.2", "[::1]"].map(|host| TcpListener::bind(format!("{host}:{port}")));
        let listeners: Vec<_> = [first].into_iter().chain(others.into_iter().flatten()).collect();
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        Self { port, listeners }
    }

    fn is_untouched(&self) -> bool {
        let came = |listener: &TcpListener| listener.accept().map(drop).map_err(|error| error.kind());
        self.listeners
            .iter()
            .all(|listener| came(listener) == Err(ErrorKind::WouldBlock))
    }

    /// A site for which the trap's port is one of the public internet, and which asks these name servers.
    async fn site(&self, names: &NameServer) -> Site {
        let port = self.port;
        Site::start_with(|settings| {
            settings.fetch.ports = vec![443, port];
            settings.fetch.dns_servers = vec![names.address];
            settings.limits.fetch.burst = 1000;
        })
        .await
    }
}

/// What a browser is told that comes with this client.
async fn told(site: &Site, client: &str) -> (StatusCode, String) {
    let id = ClientId::parse(client).unwrap();
    let got = Browser::new(site).get(&site.request(&id, &[])).await;
    assert!(!got.headers.contains_key("location"), "{client}");
    (got.status, got.title().to_owned())
}

#[actix_web::test]
async fn no_spelling_of_an_address_that_is_not_public_is_connected_to() {
    let (trap, names) = (Trap::set(), NameServer::start());
    let site = trap.site(&names).await;
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "172.16.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[100::1]",
        "[2001::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
        "[3fff::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "intranet",
        "printer.local",
        "metadata.google.internal",
        "router.home.arpa",
    ] {
        for port in [format!(":{}", trap.port), String::new()] {
            let client = format!("https://{host}{port}/latest/meta-data");
            assert_eq!(
                told(&site, &client).await,
                (StatusCode::BAD_REQUEST, "Unknown application".into()),
                "{client}"
            );
        }
    }
    assert!(trap.is_untouched());
    assert_eq!(names.asked_at_all(), 0);
}

#[actix_web::test]
async fn no_name_with_an_address_that_is_not_public_is_connected_to() {
    let (trap, names) = (Trap::set(), NameServer::start());
    let site = trap.site(&names).await;
    for (number, answers) in [
        &["127.0.0.1"][..],
        &["::1"],
        &["0.0.0.0"],
        &["10.0.0.1"],
        &["100.64.0.1"],
        &["169.254.169.254"],
        &["172.31.255.254"],
        &["192.168.1.1"],
        &["224.0.0.251"],
        &["255.255.255.255"],
        &["::"],
        &["::127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["::ffff:10.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["64:ff9b:1::1"],
        &["2002:7f00:1::"],
        &["2001:0:7f00:1::"],
        &["2001:db8::1"],
        &["fc00::1"],
        &["fe80::1"],
        &["ff02::1"],
        // one good address does not make up for a bad one, in whatever order and family
        &["9.9.9.9", "127.0.0.1"],
        &["127.0.0.1", "9.9.9.9"],
        &["9.9.9.9", "::1"],
        &["2620:fe::fe", "127.0.0.1"],
        &["2620:fe::fe", "::ffff:127.0.0.1"],
        // aliases
        &["loopback.names.example.com"],
        &["chain.names.example.com"],
        &["nowhere.names.example.com"],
        // no address at all
        &[],
    ]
    .into_iter()
    .enumerate()
    {
        names.put("loopback.names.example.com", &["127.0.0.1"]);
        names.put("chain.names.example.com", &["link.names.example.com"]);
        names.put("link.names.example.com", &["loopback.names.example.com"]);
        let name = format!("n{number}.names.example.com");
        names.put(&name, answers);
        let client = format!("https://{name}:{}/client.json", trap.port);
        assert_eq!(
            told(&site, &client).await,
            (StatusCode::SERVICE_UNAVAILABLE, "Not possible right now".into()),
            "{answers:?}"
        );
        assert!(names.asked(&name) > 0, "{name}");
    }
    assert!(trap.is_untouched());
}

#[actix_web::test]
async fn the_trap_notices_who_is_let_through() {
    let (trap, names) = (Trap::set(), NameServer::start());
    names.put("client.example.com", &["127.0.0.1"]);
    for host in ["127.0.0.1", "client.example.com"] {
        let site = Site::start_with(|settings| {
            settings.fetch.allowed_networks = vec!["127.0.0.1".parse().unwrap()];
            settings.fetch.dns_servers = vec![names.address];
            settings.fetch.patience = std::time::Duration::from_millis(500);
        })
        .await;
        let client = format!("https://{host}:{}/client.json", trap.port);
        assert_eq!(told(&site, &client).await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!trap.is_untouched(), "{host}");
    }
}

#[actix_web::test]
async fn a_name_that_is_public_first_and_then_is_not_is_resolved_once() {
    let (publisher, names) = (Publisher::start(), NameServer::start());
    let trap = Trap::set();
    let site = Site::start_with(|settings| {
        settings.fetch = publisher.trusted();
        // what stands for the public internet here is the publisher's address alone
        settings.fetch.allowed_networks = vec!["127.0.0.1".parse().unwrap()];
        settings.fetch.ports = vec![publisher.port];
        settings.fetch.dns_servers = vec![names.address];
    })
    .await;
    let client = publisher.url_at("client.example.com", "/client.json");
    let document = json!({ "client_id": client, "client_name": "X", "redirect_uris": [REDIRECT] });
    publisher.put(
        "/client.json",
        Published::json(&document).header("cache-control", "no-store"),
    );
    names.put_turns("client.example.com", &[&["127.0.0.1"], &["127.0.0.2"]]);
    assert_eq!(
        told(&site, &client).await,
        (StatusCode::OK, "Allow access?".into())
    );
    assert_eq!(
        (names.asked("client.example.com"), publisher.asked("/client.json")),
        (1, 1)
    );
    site.clock.advance(std::time::Duration::from_secs(61));
    let (status, _) = told(&site, &client).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (names.asked("client.example.com"), publisher.asked("/client.json")),
        (2, 1)
    );
    assert!(trap.is_untouched());
}

#[actix_web::test]
async fn no_redirect_leads_anywhere_else() {
    let (publisher, trap) = (Publisher::start(), Trap::set());
    let site = Site::start_with(|settings| settings.fetch = publisher.settings()).await;
    for (number, location) in [
        format!("https://127.0.0.1:{}/x", trap.port),
        format!("http://127.0.0.1:{}/x", trap.port),
        format!("//127.0.0.1:{}/x", trap.port),
        "/elsewhere".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        for status in [301, 302, 303, 307, 308] {
            let path = format!("/{number}/{status}");
            let moved = Published::json(&json!({}))
                .status(status)
                .header("location", &location);
            publisher.put(&path, moved);
            assert_eq!(
                told(&site, &publisher.url(&path)).await.0,
                StatusCode::BAD_REQUEST,
                "{path}"
            );
        }
    }
    assert_eq!(publisher.asked("/elsewhere"), 0);
    assert!(trap.is_untouched());
}

#[actix_web::test]
async fn a_server_whose_certificate_is_not_trusted_or_for_another_name_is_not_asked() {
    let (publisher, names) = (Publisher::start(), NameServer::start());
    names.put("other.example.com", &["127.0.0.1"]);
    for (client, is_trusted) in [
        (publisher.url("/client.json"), false),
        (publisher.url_at("other.example.com", "/client.json"), true),
    ] {
        let site = Site::start_with(|settings| {
            settings.fetch = publisher.settings();
            settings.fetch.dns_servers = vec![names.address];
            if !is_trusted {
                settings.fetch.extra_roots = None;
            }
        })
        .await;
        assert_eq!(
            told(&site, &client).await.0,
            StatusCode::SERVICE_UNAVAILABLE,
            "{client}"
        );
    }
    assert_eq!(publisher.asked_at_all(), 0);
}

#[actix_web::test]
async fn the_gateway_does_not_read_from_itself() {
    let publisher = Publisher::start();
    let site = Site::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.issuer = mcp_gateway_model::issuer::Issuer::parse(&publisher.url("")).unwrap();
    })
    .await;
    let client = publisher.client("/client.json", |_| {});
    let id = ClientId::parse(&client).unwrap();
    let host = publisher.url("");
    let headers = [("host", host.trim_start_matches("https://"))];
    let got = Browser::new(&site)
        .get_with(&site.request(&id, &[]), &headers)
        .await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::BAD_REQUEST, "Unknown application"),
        "{}",
        got.body
    );
    assert_eq!(publisher.asked_at_all(), 0);
}
