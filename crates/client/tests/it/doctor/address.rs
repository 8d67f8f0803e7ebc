//! The address itself.

use std::{net::IpAddr, sync::Arc, time::Duration};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use mcp_gateway_client::{
    doctor::{self, Options},
    http::{PublicOnly, Targets},
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use url::Url;

use super::stand::{
    self, OAUTH, PRM, healthy, http_with, ids, metadata, only, only_with, open, passing, place,
};
use crate::support::{names::NameServer, site::Asked};

#[tokio::test]
async fn an_address_that_turns_post_into_get_stops_everybody() {
    let site = stand::start(|base, asked| {
        let to = ("Location", format!("{base}/mcp"));
        (place(asked).1 == "/mcp/").then(|| HttpResponse::MovedPermanently().append_header(to).finish())
    });
    let report = stand::examine(&site.at("/mcp/")).await;
    assert_eq!(ids(&report), ["redirect"]);
    assert_eq!(report.examined, site.at("/mcp"));
    assert_eq!(passing(&report), Vec::<&str>::new());
}

#[tokio::test]
async fn a_redirect_that_keeps_method_and_token_is_a_fault_that_stops_nobody() {
    let site = stand::start(|_, asked| {
        let to = ("Location", "/mcp");
        (place(asked).1 == "/mcp/").then(|| HttpResponse::PermanentRedirect().append_header(to).finish())
    });
    let report = stand::examine(&site.at("/mcp/")).await;
    assert_eq!((ids(&report), report.ok), (vec!["redirect"], false));
    assert_eq!(passing(&report).len(), 8);
}

#[tokio::test]
async fn spellings_that_lead_to_each_other_end_the_examination() {
    let site = stand::start(|_, asked| {
        let to = match place(asked).1 {
            "/mcp" => "/mcp/",
            "/mcp/" => "/mcp",
            _ => return None,
        };
        Some(HttpResponse::Found().append_header(("Location", to)).finish())
    });
    let report = stand::examine(&site.at("/mcp")).await;
    assert_eq!(ids(&report), ["redirect"]);
    assert_eq!(site.lines().len(), 4);
}

#[tokio::test]
async fn an_endpoint_on_plain_http_is_named() {
    let report = only("plain-http", |base, asked| {
        let at = "http://auth.example.com/revoke";
        (place(asked).1 == OAUTH).then(|| metadata(base, |it| it["revocation_endpoint"] = at.into()))
    })
    .await;
    assert!(
        report.findings[0].seen[0].contains("`revocation_endpoint`"),
        "{report:?}"
    );
}

/// Starts a server with a certificate for `host` that answers like this, and answers its address and certificate (PEM).
fn with_certificate(
    host: &str,
    change: impl FnOnce(&mut CertificateParams),
    answer: fn(&str, &Asked) -> HttpResponse,
) -> (Url, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
    change(&mut parameters);
    let certificate = parameters.self_signed(&key).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let serve = move |request: HttpRequest, body: web::Bytes| async move {
        let asked = Asked {
            method: request.method().to_string(),
            path: request.uri().to_string(),
            headers: request.headers().clone(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        answer(&format!("https://{}", asked.header("host").unwrap()), &asked)
    };
    let server = HttpServer::new(move || App::new().default_service(web::to(serve)))
        .workers(1)
        .disable_signals()
        .bind_rustls_0_23(("127.0.0.1", 0), config)
        .unwrap();
    let url = format!("https://{host}:{}/mcp", server.addrs()[0].port());
    tokio::spawn(server.run());
    (Url::parse(&url).unwrap(), certificate.pem())
}

#[tokio::test]
async fn an_address_inside_of_a_network_is_named_and_not_asked() {
    let (url, pem) = with_certificate(
        "mcp.example.com",
        |_| (),
        |base, asked| {
            if !place(asked).1.starts_with(PRM) {
                return healthy(base, asked);
            }
            let servers = json!(["https://10.0.0.7:8443"]);
            stand::resource(base, |it| it["authorization_servers"] = servers)
        },
    );
    let names = NameServer::start();
    names.put("mcp.example.com", &["127.0.0.1"]);
    let http = http_with(|settings| {
        settings.extra_roots = Some(pem.into_bytes());
        settings.targets = Targets::Public(PublicOnly {
            allowed: vec!["0.0.0.0/0".parse().unwrap()],
            name_servers: vec![names.address],
            ..PublicOnly::default()
        });
    });
    let report = doctor::examine(&http, &url, &Options::default()).await.unwrap();
    assert_eq!(ids(&report), ["internal-address"], "{report:?}");
    assert!(
        report.findings[0].seen[0].contains("https://10.0.0.7:8443"),
        "{report:?}"
    );
    assert!(
        !report.steps.iter().any(|step| step.url.contains("10.0.0.7")),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_knows_is_told_from_a_server_that_is_down() {
    let (url, _) = with_certificate("127.0.0.1", |_| (), healthy);
    let report = stand::examine(&url).await;
    assert_eq!((ids(&report), passing(&report).len()), (vec!["tls"], 0));
    assert!(report.findings[0].seen[0].contains("certificate"), "{report:?}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_named() {
    let past = |it: &mut CertificateParams| {
        it.not_before = date_time_ymd(2020, 1, 1);
        it.not_after = date_time_ymd(2020, 2, 1);
    };
    let (url, pem) = with_certificate("127.0.0.1", past, healthy);
    let http = http_with(|settings| settings.extra_roots = Some(pem.into_bytes()));
    let report = doctor::examine(&http, &url, &Options::default()).await.unwrap();
    assert_eq!(ids(&report), ["tls"]);
    assert!(
        report.findings[0].seen[0]
            .to_ascii_lowercase()
            .contains("expired"),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_named() {
    let site = stand::start(|_, asked| {
        let never = futures_util::stream::pending::<Result<web::Bytes, std::io::Error>>;
        (place(asked).1 == OAUTH).then(|| open(200).streaming(never()))
    });
    let http = http_with(|settings| settings.call = Duration::from_millis(500));
    let report = doctor::examine(&http, &site.at("/mcp"), &Options::default()).await;
    assert_eq!(ids(&report.unwrap()), ["too-slow"]);
}

#[tokio::test]
async fn an_examination_ends_although_the_server_never_does() {
    let site = stand::start(|_, _| {
        let never = futures_util::stream::pending::<Result<web::Bytes, std::io::Error>>;
        Some(
            open(401)
                .append_header(("WWW-Authenticate", "Bearer"))
                .streaming(never()),
        )
    });
    let options = Options {
        total: Duration::from_millis(600),
        ..Options::default()
    };
    let report = doctor::examine(&stand::http(), &site.at("/mcp"), &options)
        .await
        .unwrap();
    assert!(!report.complete, "{report:?}");
    assert!(
        report.notes[0].starts_with("Not everything was asked"),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_only_not_fast_has_no_fault_when_the_time_is_up() {
    let site = stand::start(|_, _| {
        std::thread::sleep(Duration::from_millis(100));
        None
    });
    let options = Options {
        total: Duration::from_millis(650),
        ..Options::default()
    };
    let report = doctor::examine(&stand::http(), &site.at("/mcp"), &options)
        .await
        .unwrap();
    assert_eq!((ids(&report), report.ok), (vec![], true), "{report:?}");
    assert_eq!((report.complete, report.notes.len()), (false, 1), "{report:?}");
}

#[tokio::test]
async fn a_redirect_to_another_path_is_no_login_page() {
    let to = |place: &'static str| ("Location", place);
    let site = stand::start(move |_, asked| match place(asked).1 {
        "/" => Some(
            HttpResponse::TemporaryRedirect()
                .append_header(to("/old/mcp"))
                .finish(),
        ),
        "/old/mcp" => Some(HttpResponse::Found().append_header(to("/mcp")).finish()),
        _ => None,
    });
    let report = stand::examine(&site.at("/")).await;
    assert_eq!(ids(&report), ["redirect"], "{report:?}");
    assert_eq!(report.findings[0].seen.len(), 2, "{report:?}");
    assert_eq!(report.examined, site.at("/mcp"));
    assert_eq!(passing(&report), Vec::<&str>::new());
}

#[tokio::test]
async fn a_name_that_leads_inside_of_a_network_is_named_and_not_asked() {
    fn lookup(name: &str) -> Vec<IpAddr> {
        let is_inside = name == "a.evil.example.com";
        vec![if is_inside { "127.0.0.1" } else { "1.1.1.1" }.parse().unwrap()]
    }
    let (url, pem) = with_certificate(
        "mcp.example.com",
        |_| (),
        |base, asked| {
            if !place(asked).1.starts_with(PRM) {
                return healthy(base, asked);
            }
            let servers = json!(["https://a.evil.example.com:6379"]);
            stand::resource(base, |it| it["authorization_servers"] = servers)
        },
    );
    let http = http_with(|settings| {
        settings.extra_roots = Some(pem.into_bytes());
        settings.resolve = vec![("mcp.example.com".to_owned(), [127, 0, 0, 1].into())];
    });
    let options = Options {
        lookup: Some(lookup),
        ..Options::default()
    };
    let report = doctor::examine(&http, &url, &options).await.unwrap();
    assert_eq!(ids(&report), ["internal-address"], "{report:?}");
    assert!(
        !report.steps.iter().any(|step| step.url.contains("evil")),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_document_without_an_end_is_named() {
    only("too-large", |_, asked| {
        (place(asked).1 == OAUTH).then(|| open(200).json(json!({"issuer": "x".repeat(300 * 1024)})))
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_takes_long_is_a_hint() {
    let options = Options {
        slow: Duration::from_millis(100),
        ..Options::default()
    };
    let report = only_with("slow", &options, |base, asked| {
        (place(asked).1 == OAUTH).then(|| {
            // a server that is busy with something else
            std::thread::sleep(Duration::from_millis(150));
            metadata(base, |_| ())
        })
    })
    .await;
    assert!(report.ok);
    assert!(
        report.findings[0].seen.iter().any(|seen| seen.contains(OAUTH)),
        "{report:?}"
    );
}

#[tokio::test]
async fn where_nobody_listens_there_is_nothing_to_examine() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let refused = doctor::examine(&stand::http(), &url, &Options::default())
        .await
        .unwrap_err();
    assert_eq!(refused.url, url);
}
