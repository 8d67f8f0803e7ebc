//! Where clients publish what they say of themselves: a web server for the hosts of well-known clients, and the name server
//! by which the auth-server finds it. The port is the test's; names and paths are the clients' own.

use std::{collections::BTreeMap, net::TcpListener, path::Path, sync::Arc, thread};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, rt, web};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;

use super::{
    names::NameServer,
    process::free_port,
    world::{Layout, Settings, World},
};

/// The hosts that its certificate is for.
const HOSTS: [&str; 4] = ["claude.ai", "chatgpt.com", "vscode.dev", "client.example.com"];

/// The documents, and what serves them.
pub(crate) struct Published {
    port: u16,
    names: NameServer,
    server: Option<ServerHandle>,
    documents: BTreeMap<String, String>,
    authority: String,
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            drop(server.stop(false));
        }
    }
}

impl Published {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let names = NameServer::start();
        for host in HOSTS {
            names.put(host, &["127.0.0.1"]);
        }
        Self {
            port: free_port(),
            names,
            server: None,
            documents: BTreeMap::new(),
            authority: String::new(),
        }
    }

    /// The address of `place`, such as `claude.ai/oauth/client`.
    pub(crate) fn url(&self, place: &str) -> String {
        let (host, path) = place.split_once('/').unwrap();
        format!("https://{host}:{}/{path}", self.port)
    }

    /// Publishes the description of a client, and answers its id.
    pub(crate) fn client(&mut self, place: &str, mut metadata: Value) -> String {
        let id = self.url(place);
        metadata["client_id"] = id.clone().into();
        self.put(place, &metadata);
        id
    }

    /// Publishes a document.
    pub(crate) fn put(&mut self, place: &str, document: &Value) {
        let (_, path) = place.split_once('/').unwrap();
        self.documents.insert(format!("/{path}"), document.to_string());
    }

    /// Starts to serve, and an installation that reads what is served.
    pub(crate) async fn world(&mut self) -> World {
        self.serve();
        World::start_where(Layout::Apart(1), |ground| self.settings(ground.directory.path())).await
    }

    fn settings(&self, directory: &Path) -> Settings {
        let file = directory.join("published.pem");
        std::fs::write(&file, &self.authority).unwrap();
        vec![
            ("FETCH_ALLOWED_NETWORKS", "127.0.0.1".to_owned()),
            ("FETCH_PORTS", format!("443,{}", self.port)),
            ("FETCH_CA_FILE", file.to_str().unwrap().to_owned()),
            ("FETCH_DNS_SERVERS", self.names.address.to_string()),
        ]
    }

    fn serve(&mut self) {
        let (authority, config) = certificates();
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let documents = web::Data::new(self.documents.clone());
        let (told, started) = std::sync::mpsc::channel();
        thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(documents.clone())
                        .default_service(web::to(answer))
                })
                .workers(1)
                .disable_signals()
                .listen_rustls_0_23(listener, config)
                .unwrap()
                .run();
                told.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        self.server = Some(started.recv().unwrap());
        self.authority = authority;
    }
}

async fn answer(request: HttpRequest, documents: web::Data<BTreeMap<String, String>>) -> HttpResponse {
    match documents.get(request.path()) {
        Some(document) => HttpResponse::Ok()
            .content_type("application/json")
            .body(document.clone()),
        None => HttpResponse::NotFound().finish(),
    }
}

/// An authority in PEM, and the settings of a server with a certificate of it.
fn certificates() -> (String, rustls::ServerConfig) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let hosts: Vec<_> = HOSTS.iter().map(ToString::to_string).collect();
    let certificate = CertificateParams::new(hosts)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (pem, config)
}
