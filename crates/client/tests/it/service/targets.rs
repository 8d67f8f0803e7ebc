//! Addresses that callers name, and that the answers name: none leads where it must not.

use std::{net::TcpListener, time::Duration};

use mcp_gateway_client::service::settings::Written;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    authority::Authority,
    stage::{Stage, memory, told, written},
    steps::{begin, come_back, register},
};
use crate::support::{
    names::NameServer,
    site::{Site, empty},
};

/// Something inside, which must never be connected to.
struct Inside(TcpListener);

impl Inside {
    fn listen(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn was_touched(&self) -> bool {
        self.0.accept().is_ok()
    }
}

fn names() -> NameServer {
    let names = NameServer::start();
    for (name, addresses) in [
        ("inside.example.com", &["127.0.0.1"][..]),
        ("mixed.example.com", &["8.8.8.8", "127.0.0.1"]),
        ("alias.example.com", &["inside.example.com"]),
        ("mapped.example.com", &["::ffff:127.0.0.1"]),
        ("nat64.example.com", &["64:ff9b::7f00:1"]),
        ("sixtofour.example.com", &["2002:7f00:1::1"]),
        ("metadata.example.com", &["169.254.169.254"]),
        ("private.example.com", &["10.0.0.1"]),
        ("shared.example.com", &["100.100.100.200"]),
        ("unique.example.com", &["fd00:ec2::254"]),
        ("nothing.example.com", &["0.0.0.0"]),
    ] {
        names.put(name, addresses);
    }
    names
}

/// Ways to write this machine.
const HERE: [&str; 24] = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0x7f.1",
    "127.0.0.1.",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::127.0.0.1]",
    "0.0.0.0",
    "[::]",
    "localhost",
    "a.localhost",
    "LOCALHOST.",
    "inside.example.com",
    "mixed.example.com",
    "alias.example.com",
    "mapped.example.com",
    "nat64.example.com",
    "sixtofour.example.com",
];

/// Addresses that lead elsewhere inside, or nowhere.
const ELSEWHERE: [&str; 31] = [
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata.example.com/",
    "https://private.example.com/",
    "https://shared.example.com/",
    "https://unique.example.com/",
    "https://nothing.example.com/",
    "https://unknown.example.com/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://printer/",
    "https://printer.local/",
    "http://example.com/",
    "https://example.com:8443/",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://example.com@127.0.0.1/",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1/",
    "data:application/json,{}",
    "javascript:alert(1)",
    "//example.com/",
    "/etc/passwd",
    "example.com",
    "",
];

/// All of them; `port` is where something listens here.
fn hostile(port: u16) -> Vec<String> {
    let here = HERE
        .iter()
        .flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:{port}/")));
    here.chain(ELSEWHERE.into_iter().map(ToOwned::to_owned)).collect()
}

#[actix_web::test]
async fn no_address_that_a_caller_names_leads_inside() {
    let (inside, names) = (Inside::listen("127.0.0.1"), names());
    let settings = Written {
        allowed_networks: String::new(),
        dns_servers: names.address.to_string(),
        requests_per_minute: 100_000,
        ..written()
    };
    let stage = Stage::with(settings, memory());
    for url in hostile(inside.port()) {
        let url = url.as_str();
        // so that no limit is met
        stage.clock.advance(Duration::from_secs(200));
        let requests = [
            (Method::GET, "/discover-resource", vec![("resource_url", url)]),
            (
                Method::GET,
                "/discover-auth-server",
                vec![("auth_server_url", url)],
            ),
            (Method::POST, "/register-client", vec![("registration_url", url)]),
            (
                Method::GET,
                "/access-resource",
                vec![("resource_url", url), ("access_token", "x")],
            ),
            (
                Method::POST,
                "/access-resource",
                vec![("resource_url", url), ("access_token", "x")],
            ),
            (
                Method::POST,
                "/refresh-token",
                vec![
                    ("auth_server_url", url),
                    ("client_id", "x"),
                    ("refresh_token", "x"),
                ],
            ),
        ];
        for (method, path, parameters) in requests {
            let request = stage.request("1", method, path, &parameters).body("{}");
            let (status, fault) = told(request.send().await.unwrap()).await;
            assert!(matches!(status, 400 | 502), "{path} {url}: {status} {fault}");
            let text = fault["error_description"].as_str().unwrap();
            assert!(
                !text.contains("refused") && !text.contains("not of the public"),
                "{path} {url}: {text}"
            );
        }
        assert!(!inside.was_touched(), "{url}");
    }
}

#[actix_web::test]
async fn no_login_begins_at_or_for_an_address_that_leads_inside() {
    let (inside, names) = (Inside::listen("127.0.0.1"), names());
    let settings = Written {
        allowed_networks: "127.0.0.3/32".into(),
        dns_servers: names.address.to_string(),
        ..written()
    };
    let stage = Stage::with(settings, memory());
    let url = format!("https://127.0.0.1:{}", inside.port());
    for (server, resource) in [
        (url.as_str(), "https://example.com"),
        ("https://unknown.example.com", &url),
    ] {
        let parameters = [
            ("auth_server_url", server),
            ("client_id", "x"),
            ("resource", resource),
        ];
        let (status, fault) = stage.get("1", "/start-authorization", &parameters).await;
        assert_eq!(status, 400, "{fault}");
    }
    assert!(!inside.was_touched());
}

/// The service where only one address of this machine may be asked.
fn allowing_one() -> Stage {
    let settings = Written {
        allowed_networks: "127.0.0.1/32".into(),
        ..written()
    };
    Stage::with(settings, memory())
}

#[actix_web::test]
async fn no_redirect_leads_inside() {
    let (stage, inside) = (allowing_one(), Inside::listen("127.0.0.2"));
    let port = inside.port();
    for target in [
        format!("http://127.0.0.2:{port}/"),
        format!("https://127.0.0.2:{port}/"),
        format!("//127.0.0.2:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
    ] {
        let site = Site::start(move |_, _| {
            actix_web::HttpResponse::TemporaryRedirect()
                .insert_header(("location", target.as_str()))
                .finish()
        });
        for (path, name) in [
            ("/discover-resource", "resource_url"),
            ("/discover-auth-server", "auth_server_url"),
        ] {
            let (status, fault) = stage.get("1", path, &[(name, &site.url)]).await;
            assert!(matches!(status, 400 | 502), "{status} {fault}");
        }
        stage.clock.advance(Duration::from_secs(200));
        let endpoint = format!("{}/register", site.url);
        let request = stage.request(
            "1",
            Method::POST,
            "/register-client",
            &[("registration_url", &endpoint)],
        );
        let (status, fault) = told(request.json(&json!({})).send().await.unwrap()).await;
        assert_eq!(status, 502, "a registration is never redirected: {fault}");
        assert!(!inside.was_touched());
    }
}

#[actix_web::test]
async fn a_redirect_within_what_is_allowed_is_followed_but_not_for_ever() {
    let stage = allowing_one();
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/.well-known/oauth-authorization-server" => actix_web::HttpResponse::Found()
            .insert_header(("location", "/moved"))
            .finish(),
        "/moved" => crate::support::site::json(200, &json!({ "issuer": base })),
        "/.well-known/oauth-authorization-server/loop" => actix_web::HttpResponse::Found()
            .insert_header(("location", asked.path.as_str()))
            .finish(),
        _ => empty(404),
    });
    let found = stage
        .get("1", "/discover-auth-server", &[("auth_server_url", &site.url)])
        .await;
    assert_eq!(found, (200, json!({ "issuer": site.url })));
    let issuer = format!("{}/loop", site.url);
    let before = site.asked().len();
    assert_eq!(
        stage
            .get("1", "/discover-auth-server", &[("auth_server_url", &issuer)])
            .await
            .0,
        502
    );
    assert!(site.asked().len() - before < 10);
}

#[actix_web::test]
async fn no_address_that_a_document_names_leads_inside() {
    let (stage, inside) = (allowing_one(), Inside::listen("127.0.0.2"));
    let authority = Authority::start();
    let client = register(&stage, &authority, "1").await;
    let at = |path: &str| format!("http://127.0.0.2:{}{path}", inside.port());

    authority.behave(|manner| manner.metadata = json!({ "authorization_endpoint": at("/authorize") }));
    assert_eq!(begin(&stage, &authority, "1", &client).await.0, 502);

    authority.behave(|manner| manner.metadata = json!({ "token_endpoint": at("/token") }));
    let (status, begun) = begin(&stage, &authority, "1", &client).await;
    assert_eq!(status, 200, "{begun}");
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    let (status, fault) = come_back(&stage, "1", &back).await;
    assert!(matches!(status, 400 | 502), "{status} {fault}");

    let metadata: Value = json!(format!("Bearer resource_metadata=\"{}\"", at("/metadata")));
    let challenging = Site::start(move |_, _| {
        actix_web::HttpResponse::Unauthorized()
            .insert_header(("www-authenticate", metadata.as_str().unwrap()))
            .finish()
    });
    let found = stage
        .get("1", "/discover-resource", &[("resource_url", &challenging.url)])
        .await;
    assert!(matches!(found.0, 400 | 502), "{found:?}");
    assert!(!inside.was_touched());
}

#[actix_web::test]
async fn a_name_that_changes_its_address_gains_nothing() {
    let names = NameServer::start();
    let inside = Inside::listen("127.0.0.2");
    let authority = Authority::start();
    let port = url::Url::parse(&authority.server.url).unwrap().port().unwrap();
    names.put_turns("turncoat.example.com", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let settings = Written {
        allowed_networks: "127.0.0.1/32".into(),
        dns_servers: names.address.to_string(),
        ..written()
    };
    let stage = Stage::with(settings, memory());
    let url = format!("http://turncoat.example.com:{port}/mcp");
    let parameters = [("resource_url", url.as_str()), ("access_token", "x")];
    let request = stage.request("1", Method::GET, "/access-resource", &parameters);
    assert_eq!(request.send().await.unwrap().status(), 404, "it was asked");
    assert_eq!(
        names.asked("turncoat.example.com"),
        1,
        "what was judged is what was asked"
    );
    assert_eq!(stage.get("1", "/access-resource", &parameters).await.0, 502);
    assert!(!inside.was_touched());
}

#[actix_web::test]
async fn servers_that_are_slow_or_endless_are_told_from_each_other() {
    use futures_util::{StreamExt, stream};

    let stage = Stage::impatient();
    let endless = Site::start(|_, _| {
        let chunk = actix_web::web::Bytes::from(vec![b' '; 64 * 1024]);
        let body = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())).boxed_local();
        actix_web::HttpResponse::Ok()
            .content_type("application/json")
            .streaming(body)
    });
    let found = stage
        .get("1", "/discover-auth-server", &[("auth_server_url", &endless.url)])
        .await;
    assert_eq!(
        (found.0, &found.1["error"]),
        (502, &json!("bad_gateway")),
        "{found:?}"
    );
    // it takes the connection and says nothing
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let found = stage
        .get("1", "/discover-auth-server", &[("auth_server_url", &url)])
        .await;
    assert_eq!(
        (found.0, &found.1["error"]),
        (504, &json!("gateway_timeout")),
        "{found:?}"
    );
    drop(silent);
    let found = stage
        .get("1", "/discover-auth-server", &[("auth_server_url", &url)])
        .await;
    assert_eq!(
        (found.0, &found.1["error"]),
        (502, &json!("bad_gateway")),
        "{found:?}"
    );
}
