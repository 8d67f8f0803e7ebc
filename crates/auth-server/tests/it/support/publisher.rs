//! A web server where clients publish what they say of themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    collections::HashMap,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes},
};
use futures_util::StreamExt;
use mcp_gateway_auth_server::FetchSettings;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;

/// Names that its certificate is for.
pub(crate) const NAMES: [&str; 4] = [
    "client.example.com",
    "*.clients.example.com",
    "localhost",
    "127.0.0.1",
];

/// What lies at a path.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

/// What is sent.
#[derive(Clone)]
pub(crate) enum Body {
    Text(String),
    /// Megabytes of white space, in pieces, without saying how many.
    Endless,
    /// Nothing, ever.
    Silence,
    /// A byte now and then.
    Trickle,
}

impl Published {
    /// A JSON document.
    pub(crate) fn json(value: &Value) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/json".into())],
            body: Body::Text(value.to_string()),
        }
    }

    /// With another header, or another value of one.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

#[derive(Default)]
struct State {
    pages: HashMap<String, Published>,
    asked: Vec<String>,
    is_down: bool,
}

/// The server. It answers over TLS on loopback.
pub(crate) struct Publisher {
    pub(crate) port: u16,
    authority: String,
    state: Arc<Mutex<State>>,
    handle: ServerHandle,
}

impl Drop for Publisher {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

impl Publisher {
    pub(crate) fn start() -> Self {
        let (authority, config) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = web::Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .listen_rustls_0_23(listener, config)
        .unwrap()
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self {
            port,
            authority,
            state,
            handle,
        }
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// The same under a name.
    pub(crate) fn url_at(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.port)
    }

    /// Publishes something, or something else.
    pub(crate) fn put(&self, path: &str, published: Published) {
        self.state.lock().unwrap().pages.insert(path.into(), published);
    }

    /// Publishes the description of a client, and answers its id.
    pub(crate) fn client(&self, path: &str, change: impl FnOnce(&mut Value)) -> String {
        let id = self.url(path);
        let mut document = serde_json::json!({
            "client_id": id,
            "client_name": "Some Client",
            "redirect_uris": [super::login::REDIRECT],
        });
        change(&mut document);
        self.put(path, Published::json(&document));
        id
    }

    /// From now on it answers with 503, or as before.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|asked| *asked == path).count()
    }

    /// How often anything was.
    pub(crate) fn asked_at_all(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }

    /// Settings with which it can be reached.
    pub(crate) fn settings(&self) -> FetchSettings {
        FetchSettings {
            allowed_networks: vec!["127.0.0.1".parse().unwrap()],
            ..self.trusted()
        }
    }

    /// Settings with which its certificate is good, and its address is not public.
    pub(crate) fn trusted(&self) -> FetchSettings {
        FetchSettings {
            extra_roots: Some(self.authority.clone().into_bytes()),
            ..FetchSettings::default()
        }
    }
}

async fn answer(request: HttpRequest, state: web::Data<Mutex<State>>) -> HttpResponse {
    let path = request.uri().to_string();
    let published = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        if state.is_down {
            return HttpResponse::ServiceUnavailable().finish();
        }
        state.pages.get(&path).cloned()
    };
    let Some(published) = published else {
        return HttpResponse::NotFound().finish();
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(published.status).unwrap());
    for (name, value) in &published.headers {
        response.append_header((*name, value.as_str()));
    }
    match published.body {
        Body::Text(text) => response.body(text),
        Body::Endless => response.streaming(
            futures_util::stream::repeat_with(|| Ok::<_, actix_web::Error>(Bytes::from(vec![b' '; 4096])))
                .take(2560),
        ),
        Body::Silence => {
            response.streaming(futures_util::stream::pending::<Result<Bytes, actix_web::Error>>())
        }
        Body::Trickle => response.streaming(futures_util::stream::repeat(()).then(|()| async {
            actix_web::rt::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, actix_web::Error>(Bytes::from_static(b" "))
        })),
    }
}

/// An authority in PEM, and a server with a certificate of it.
fn certificates() -> (String, rustls::ServerConfig) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = NAMES.iter().map(ToString::to_string).collect();
    let certificate = CertificateParams::new(names)
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
