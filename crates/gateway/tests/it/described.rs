//! Clients that are described elsewhere: the settings, and the executable.

use std::{io::ErrorKind, net::TcpListener, path::Path, sync::Arc, thread};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt::System, web};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use url::Url;

use crate::support::{
    run::{Asked, command},
    server::{Server, client, free_port},
    stage::issuer,
};

const REDIRECT: &str = "https://client.example.com/cb";

/// A web server on loopback that describes a client at every path. Writes its authority to `authority`.
fn describe(authority: &Path) -> u16 {
    let authority_key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(authority, parameters.self_signed(&authority_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(parameters, authority_key))
        .unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let answer = move |request: HttpRequest| async move {
            let id = format!("https://127.0.0.1:{port}{}", request.uri());
            HttpResponse::Ok()
                .json(json!({ "client_id": id, "client_name": "X", "redirect_uris": [REDIRECT] }))
        };
        let server = HttpServer::new(move || App::new().default_service(web::to(answer)))
            .workers(1)
            .disable_signals()
            .listen_rustls_0_23(listener, config)
            .unwrap()
            .run();
        System::new().block_on(server).unwrap();
    });
    port
}

/// The page that a browser sees which comes with the client that is described at `port`.
async fn page(server: &Server, port: u16) -> String {
    let issuer = issuer(server.port);
    let id = format!("https://127.0.0.1:{port}/client.json");
    let parameters = [
        ("response_type", "code"),
        ("client_id", id.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let request = Url::parse_with_params(&format!("{issuer}/authorize"), parameters).unwrap();
    client().get(request).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn dev_reads_descriptions_on_this_machine_and_asks_no_proxy_of_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("authority.pem");
    let described = describe(&authority);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let port = free_port();
    let mut command = command(directory.path());
    command.args(["dev", "--port", &port.to_string()]);
    command.env("FETCH_CA_FILE", &authority);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"] {
        command.env(name, &address);
    }
    let server = Server::spawn(command, directory.path(), port).ready().await;
    let page = page(&server, described).await;
    assert!(
        page.contains("Verified: the application is described at"),
        "{page}"
    );
    let came = proxy.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(came, Err(ErrorKind::WouldBlock));
    server.stop().await;
}

#[tokio::test]
async fn dev_reads_none_where_they_are_switched_off() {
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("authority.pem");
    let described = describe(&authority);
    let port = free_port();
    let mut command = command(directory.path());
    command.args(["dev", "--port", &port.to_string()]);
    command
        .env("FETCH_CA_FILE", &authority)
        .env("CLIENT_ID_METADATA_DOCUMENTS", "off");
    let server = Server::spawn(command, directory.path(), port).ready().await;
    let page = page(&server, described).await;
    assert!(page.contains("Unknown application"), "{page}");
    let url = format!("{}/.well-known/oauth-authorization-server", issuer(port));
    let metadata: serde_json::Value = client().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(metadata.get("client_id_metadata_document_supported"), None);
    server.stop().await;
}

#[tokio::test]
async fn every_setting_about_descriptions_is_read_and_a_bad_value_is_a_fault() {
    for (name, bad, told) in [
        ("CLIENT_ID_METADATA_DOCUMENTS", "claude.ai/x", "is not a host"),
        ("CLIENT_ID_METADATA_DOCUMENTS", "*", "is not a host"),
        (
            "CLIENT_ID_METADATA_DOCUMENTS",
            "on",
            "must be open, off, or a list of hosts",
        ),
        ("DEVICE_GRANT_HOSTS", "true", "listed, off or open"),
        (
            "CLIENT_ID_METADATA_DOCUMENTS",
            ",",
            "must be open, off, or a list",
        ),
        ("FETCH_ALLOWED_NETWORKS", "10.0.0.0/33", "10.0.0.0/8"),
        ("FETCH_ALLOWED_NETWORKS", "intranet", "10.0.0.0/8"),
        ("FETCH_PORTS", "0", "must be ports"),
        ("FETCH_PORTS", "https", "must be ports"),
        ("FETCH_CA_FILE", "/nowhere/at/all", "cannot be read"),
        ("FETCH_CA_FILE", "/dev/null", "no certificate"),
        ("FETCH_DNS_SERVERS", "dns.example.com", "must be addresses"),
    ] {
        Asked::small().with(name, bad).has_one_fault(name, told).await;
    }
    for (name, good) in [
        ("CLIENT_ID_METADATA_DOCUMENTS", "claude.ai, *.example.com"),
        ("FETCH_ALLOWED_NETWORKS", "10.0.0.0/8, fd00::/8, 192.0.2.1"),
        ("FETCH_PORTS", "443, 8443"),
        ("FETCH_DNS_SERVERS", "9.9.9.9, 10.0.0.2:5353, [2620:fe::fe]:53"),
    ] {
        let asked = Asked::small().with(name, good);
        asked.is_fine("serve").await;
        assert_eq!(asked.effective(name).await.0, good);
    }
}
