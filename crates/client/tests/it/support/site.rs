//! A server that answers as a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header::HeaderMap},
    web::{self, Bytes, Data},
};
use serde_json::Value;
use url::Url;

/// What a site was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    /// One parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        find(query, name)
    }

    /// One field of the form in its body.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        find(&self.body, name)
    }

    /// The path without its query.
    pub(crate) fn place(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// A header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn find(pairs: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(pairs.as_bytes());
    pairs
        .find(|(one, _)| one == name)
        .map(|(_, value)| value.into_owned())
}

type Answer = dyn Fn(&str, &Asked) -> HttpResponse + Send + Sync;

/// A server on loopback; it ends with the value.
pub(crate) struct Site {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    handle: ServerHandle,
}

impl Site {
    /// Starts a server; `answer` gets the server's own address and what it is asked.
    pub(crate) fn start(answer: impl Fn(&str, &Asked) -> HttpResponse + Send + Sync + 'static) -> Self {
        let answer: Arc<Answer> = Arc::new(answer);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let state = Data::new((answer, Arc::clone(&asked)));
        let server =
            HttpServer::new(move || App::new().app_data(state.clone()).default_service(web::to(serve)))
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .unwrap();
        let url = format!("http://127.0.0.1:{}", server.addrs()[0].port());
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, asked, handle }
    }

    /// An address of it.
    pub(crate) fn at(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.url)).unwrap()
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Method and path of what it was asked so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |asked: Asked| format!("{} {}", asked.method, asked.path);
        self.asked().into_iter().map(line).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

type State = Data<(Arc<Answer>, Arc<Mutex<Vec<Asked>>>)>;

async fn serve(request: HttpRequest, body: Bytes, state: State) -> HttpResponse {
    let asked = Asked {
        method: request.method().to_string(),
        path: request.uri().to_string(),
        headers: request.headers().clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    state.1.lock().unwrap().push(asked.clone());
    // not what headers of proxies claim
    let host = request.headers().get("host").unwrap().to_str().unwrap();
    let base = format!("http://{host}");
    (state.0)(&base, &asked)
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(body)
}

/// An answer without anything.
pub(crate) fn empty(status: u16) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
}

/// A page, as sites answer what they do not know.
pub(crate) fn page(status: u16) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap())
        .content_type("text/html; charset=utf-8")
        .body("<!doctype html><title>Welcome</title>")
}
