//! A certificate that is renewed while the gateway serves HTTPS.

use std::{path::Path, time::Duration};

use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{
    run::{Asked, command},
    server::{Server, eventually, free_port},
    stage::Stage,
};

/// How soon a change is in use.
const SOON: Duration = Duration::from_secs(10);

/// A certificate and its key, in PEM.
struct Made {
    certificate: String,
    key: String,
}

fn made() -> Made {
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    Made {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

/// A client that takes this certificate and no other.
fn trusting(certificate: &str) -> Client {
    Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .tls_certs_only([Certificate::from_pem(certificate.as_bytes()).unwrap()])
        .build()
        .unwrap()
}

async fn health(client: &Client, port: u16) -> Option<StatusCode> {
    let request = client.get(format!("https://localhost:{port}/healthz"));
    Some(request.send().await.ok()?.status())
}

/// The lines that say what became of a certificate.
fn told(server: &Server) -> Vec<Value> {
    let lines = server.lines().into_iter();
    let is_about_it = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("TLS")
    };
    lines.filter(is_about_it).collect()
}

#[tokio::test]
async fn a_renewed_certificate_is_used_within_ten_seconds_and_a_bad_one_never() {
    let (stage, old, new) = (Stage::new(), made(), made());
    let (directory, port) = (stage.directory.path(), free_port());
    write(directory, "cert.pem", &old.certificate);
    write(directory, "key.pem", &old.key);
    let mut serve = command(directory);
    serve
        .args(["serve", "--port", &port.to_string()])
        .envs(stage.operator(port))
        .envs(HTTPS);
    serve.env("MCP_OAUTH_ISSUER", format!("https://localhost:{port}"));
    let mut server = Server::spawn(serve, directory, port);
    // keeps its connection for as long as it is used
    let connected = trusting(&old.certificate);
    eventually("https", async || {
        assert!(server.runs(), "{}", server.log());
        health(&connected, port).await
    })
    .await;
    write(directory, "key.pem", &new.key);
    timeout(
        SOON,
        eventually("a line about the bad pair", async || told(&server).pop()),
    )
    .await
    .unwrap();
    let lines = told(&server);
    let problem = lines[0]["problem"].as_str().unwrap();
    assert_eq!(lines[0]["setting"], "MCP_SSL_KEY_FILE");
    assert!(
        problem.contains("key.pem") && problem.contains("cert.pem"),
        "{problem}"
    );
    assert_eq!(
        health(&trusting(&old.certificate), port).await,
        Some(StatusCode::OK)
    );
    write(directory, "cert.pem", &new.certificate);
    let renewed = eventually("the new certificate", async || {
        health(&trusting(&new.certificate), port).await
    });
    assert_eq!(timeout(SOON, renewed).await, Ok(StatusCode::OK));
    assert_eq!(health(&trusting(&old.certificate), port).await, None);
    assert_eq!(
        health(&connected, port).await,
        Some(StatusCode::OK),
        "who is connected stays so"
    );
    let lines = told(&server);
    assert_eq!(lines.len(), 2, "each change is told once: {lines:?}");
    assert_eq!(
        (&lines[0]["level"], &lines[1]["level"]),
        (&"WARN".into(), &"INFO".into())
    );
    assert!(!server.log().contains("PRIVATE KEY"));
    server.stop().await;
}

const HTTPS: [(&str, &str); 3] = [
    ("MCP_HTTPS_ENABLED", "true"),
    ("MCP_SSL_CERT_FILE", "cert.pem"),
    ("MCP_SSL_KEY_FILE", "key.pem"),
];

/// The place of an operator who has this pair.
fn with(made: &Made) -> Asked {
    let asked = Asked::small()
        .file("cert.pem", &made.certificate)
        .file("key.pem", &made.key);
    HTTPS
        .into_iter()
        .fold(asked, |asked, (name, value)| asked.with(name, value))
}

#[tokio::test]
async fn a_pair_that_does_not_belong_together_ends_the_start() {
    let (one, other) = (made(), made());
    let mixed = Made {
        certificate: one.certificate,
        key: other.key,
    };
    for role in ["serve", "auth-server", "verifier"] {
        let asked = match role {
            "serve" => with(&mixed),
            _ => with(&mixed)
                .without("DATA_DIR")
                .with("REDIS_URL", "redis://127.0.0.1:9")
                .with("STORE_ENCRYPTION_KEY", crate::support::run::SECRET),
        };
        asked
            .has_one_fault_as(role, "MCP_SSL_KEY_FILE", "does not hold the key")
            .await;
    }
    assert_eq!(with(&mixed).run(&["serve"]).await.code, 64);
}

#[tokio::test]
async fn check_config_looks_at_the_certificate_too() {
    let check = |report: &Value| {
        let checks = report["checks"].as_array().unwrap().iter();
        checks
            .filter(|check| check["name"] == "certificate")
            .cloned()
            .collect::<Vec<_>>()
    };
    let good = check(&with(&made()).report("serve").await);
    assert_eq!(good.len(), 1);
    assert_eq!(good[0]["ok"], true);
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = KeyPair::generate().unwrap();
    let ended = Made {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    };
    let bad = check(&with(&ended).report("serve").await);
    assert_eq!(bad[0]["ok"], false);
    assert!(
        bad[0]["detail"].as_str().unwrap().contains("has ended"),
        "{bad:?}"
    );
    let none = Asked::small().report("serve").await;
    assert_eq!(check(&none), Vec::<Value>::new());
}
