//! What stands in front of a gateway, reduced to what a client needs: it asks `/verify` about requests for the protected
//! server and leads all others to the gateway. And what can go wrong there, or behind it.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes, Data},
};
use mcp_gateway_sandbox::mcp::{RunningSample, SampleServer};
use reqwest::{Client, Method, Response};

use super::server::client;

/// Where the protected server is.
const PATH: &str = "/mcp";
/// What the server behind is told of the caller.
const IDENTITY: [&str; 4] = ["x-user-id", "x-user-name", "x-auth-client", "x-auth-scope"];

/// A request.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Whether there is a bearer token.
    pub(crate) authorized: bool,
    /// What was sent, as text.
    pub(crate) body: String,
    /// Whether somebody has asked to revoke a token.
    pub(crate) revoked: bool,
}

/// What it was answered.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answered {
    /// Leaves a header out.
    pub(crate) fn without(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }

    /// Puts one text in the place of another, in body and headers.
    pub(crate) fn replace(&mut self, text: &str, by: &str) {
        self.body = self.body.replace(text, by);
        for (_, value) in &mut self.headers {
            *value = value.replace(text, by);
        }
    }

    /// Is an error instead.
    pub(crate) fn fails(&mut self, status: u16) {
        self.status = status;
        self.headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        self.body = "<h1>That did not work</h1>".into();
    }
}

/// What goes wrong.
pub(crate) type Fault = fn(&Asked, &mut Answered);

/// A front before a gateway on one port of this machine; it ends with the value.
pub(crate) struct Relay {
    pub(crate) port: u16,
    state: Data<State>,
    server: ServerHandle,
}

struct State {
    http: Client,
    sample: RunningSample,
    gateway: Mutex<String>,
    now: Mutex<Now>,
}

/// What goes wrong now, which client it is, and whether it revoked something.
#[derive(Clone, Copy)]
struct Now {
    fault: Fault,
    address: u8,
    revoked: bool,
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Relay {
    /// Begins to listen; the gateway is not there yet.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Data::new(State {
            http: client(),
            sample: SampleServer::default().start().unwrap(),
            gateway: Mutex::default(),
            now: Mutex::new(Now {
                fault: |_, _| (),
                address: 0,
                revoked: false,
            }),
        });
        let (sender, receiver) = std::sync::mpsc::channel();
        let shared = Arc::clone(&state);
        // a runtime of its own: the test's own waits for a script
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(Data::from(Arc::clone(&shared)))
                        .default_service(web::to(relay))
                });
                let server = server.workers(1).disable_signals();
                let server = server.listen(listener).unwrap().run();
                sender.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self {
            port,
            state,
            server: receiver.recv().unwrap(),
        }
    }

    /// Leads to the gateway at this address.
    pub(crate) fn leads_to(&self, gateway: &str) {
        *self.state.gateway.lock().unwrap() = gateway.trim_end_matches('/').into();
    }

    /// From now on this goes wrong, for a client with another address than before.
    pub(crate) fn breaks(&self, fault: Fault) {
        let mut now = self.state.now.lock().unwrap();
        *now = Now {
            fault,
            address: now.address + 1,
            revoked: false,
        };
    }

    /// The protected server, as its clients know it.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }
}

async fn relay(request: HttpRequest, body: Bytes, state: Data<State>) -> HttpResponse {
    let mut now = *state.now.lock().unwrap();
    let answer = if request.path() == PATH {
        state.protected(&request, &body, now).await
    } else {
        let gateway = state.gateway.lock().unwrap().clone();
        let asked = state.towards(&gateway, &request, now);
        asked.body(body.clone()).send().await.unwrap()
    };
    if request.path() == "/revoke" {
        now.revoked = true;
        state.now.lock().unwrap().revoked = true;
    }
    let asked = Asked {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        authorized: request.headers().contains_key("authorization"),
        body: String::from_utf8_lossy(&body).into_owned(),
        revoked: now.revoked,
    };
    let mut answered = answered(answer).await;
    (now.fault)(&asked, &mut answered);
    let mut builder = HttpResponse::build(StatusCode::from_u16(answered.status).unwrap());
    for (name, value) in answered.headers {
        builder.append_header((name, value));
    }
    builder.body(answered.body)
}

async fn answered(answer: Response) -> Answered {
    let headers = answer.headers().iter();
    let kept = headers
        .filter(|(name, _)| !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()));
    Answered {
        status: answer.status().as_u16(),
        headers: kept
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: answer.text().await.unwrap(),
    }
}

impl State {
    /// The same request for another server.
    fn towards(&self, server: &str, request: &HttpRequest, now: Now) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
        let uri = request.uri().path_and_query().unwrap().as_str();
        let mut asked = self.http.request(method, format!("{server}{uri}"));
        for (name, value) in request.headers() {
            if !["content-length", "connection"].contains(&name.as_str()) {
                asked = asked.header(name.as_str(), value.as_bytes());
            }
        }
        asked.header("x-forwarded-for", format!("203.0.113.{}", now.address))
    }

    /// As ForwardAuth does it.
    async fn protected(&self, request: &HttpRequest, body: &Bytes, now: Now) -> Response {
        let gateway = self.gateway.lock().unwrap().clone();
        let mut question = self.http.get(format!("{gateway}/verify"));
        if let Some(token) = request.headers().get("authorization") {
            question = question.header("authorization", token.as_bytes());
        }
        let host = request.headers().get("host").unwrap();
        let verified = question
            .header("x-forwarded-method", request.method().as_str())
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-host", host.as_bytes())
            .header("x-forwarded-uri", PATH)
            .header("x-forwarded-for", format!("203.0.113.{}", now.address))
            .send()
            .await
            .unwrap();
        if !verified.status().is_success() {
            return verified;
        }
        let server = self.sample.url();
        let mut asked = self.towards(server.trim_end_matches(PATH), request, now);
        for name in IDENTITY {
            asked = asked.header(name, verified.headers()[name].clone());
        }
        asked.body(body.clone()).send().await.unwrap()
    }
}
