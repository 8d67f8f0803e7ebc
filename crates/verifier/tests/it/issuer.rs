//! An issuer that says what a test wants, and counts what it is asked; and a server that checks the tokens of it.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::to_bytes,
    dev::ServerHandle,
    http::StatusCode,
    middleware::from_fn,
    rt,
    test::{TestRequest, call_service, init_service},
    web::{self, Data, Form, ReqData},
};
use mcp_gateway_model::{
    clock::{ManualClock, Timestamp},
    cors::CorsOrigins,
    issuer::Issuer,
    key::PublicKey,
    resource::ResourceUri,
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
};
use mcp_gateway_verifier::{Guarded, ResourceServer, ResourceServerSettings, TokenHolder, protect};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    signer::Signer,
    stand::{Answer, NOW, changed},
};

/// The URI of the server that checks tokens itself.
pub(crate) const SAMPLE: &str = "https://sample.example.com";
pub(crate) const SECRET: &str = "the secret of the sample: 100% its own & nobody else's";

/// What the issuer was asked, and what it says.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) keys: Vec<Value>,
    /// What it says of each token; `None` for what it says of those that are good.
    pub(crate) introspected: Option<Value>,
    /// The status of all its answers, if not 200.
    pub(crate) status: Option<u16>,
    /// Whom its metadata name.
    pub(crate) named: Option<String>,
    /// What questions about tokens wait for, and how many came so far.
    pub(crate) held: Option<Arc<Semaphore>>,
    pub(crate) arrived: usize,
    pub(crate) metadata_read: usize,
    pub(crate) keys_read: usize,
    pub(crate) questions: Vec<(String, String)>,
}

type State = Arc<Mutex<Said>>;

/// An issuer on a port of its own.
pub(crate) struct FakeIssuer {
    pub(crate) said: State,
    pub(crate) url: String,
    handle: ServerHandle,
}

impl FakeIssuer {
    pub(crate) fn start() -> Self {
        let said = State::default();
        let state = Data::from(Arc::clone(&said));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .route("/.well-known/oauth-authorization-server", web::get().to(metadata))
                .route("/jwks", web::get().to(keys))
                .route("/introspect", web::post().to(introspect))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        rt::spawn(running);
        Self { said, url, handle }
    }

    pub(crate) fn publish(&self, key: Option<PublicKey>) {
        let key = serde_json::to_value(key.unwrap()).unwrap();
        self.said.lock().unwrap().keys.push(key);
    }

    pub(crate) async fn stop(&self) {
        self.handle.stop(false).await;
    }
}

async fn metadata(request: HttpRequest, state: Data<Mutex<Said>>) -> HttpResponse {
    let own = format!("http://{}", request.connection_info().host());
    let mut said = state.lock().unwrap();
    said.metadata_read += 1;
    let issuer = said.named.clone().unwrap_or_else(|| own.clone());
    answer(
        &said,
        &json!({
            "issuer": issuer,
            "jwks_uri": format!("{own}/jwks"),
            "introspection_endpoint": format!("{own}/introspect"),
        }),
    )
}

async fn keys(state: Data<Mutex<Said>>) -> HttpResponse {
    let mut said = state.lock().unwrap();
    said.keys_read += 1;
    answer(&said, &json!({ "keys": said.keys }))
}

async fn introspect(
    request: HttpRequest,
    form: Form<Vec<(String, String)>>,
    state: Data<Mutex<Said>>,
) -> HttpResponse {
    let held = {
        let mut said = state.lock().unwrap();
        said.arrived += 1;
        said.held.clone()
    };
    if let Some(held) = held {
        held.acquire().await.unwrap().forget();
    }
    let mut said = state.lock().unwrap();
    let authorization = request.headers().get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    let token = form.iter().find(|(name, _)| name == "token").unwrap().1.clone();
    said.questions.push((authorization.unwrap_or_default(), token));
    let issuer = format!("http://{}", request.connection_info().host());
    let good = introspected(&issuer);
    answer(&said, &said.introspected.clone().unwrap_or(good))
}

fn answer(said: &Said, body: &Value) -> HttpResponse {
    let status = said.status.map(|status| StatusCode::from_u16(status).unwrap());
    HttpResponse::build(status.unwrap_or(StatusCode::OK)).json(body)
}

/// What an issuer says of an honest token.
pub(crate) fn introspected(issuer: &str) -> Value {
    json!({
        "active": true, "iss": issuer, "aud": SAMPLE, "token_type": "Bearer", "exp": NOW + 1800, "iat": NOW,
        "sub": "583231", "username": "octocat", "client_id": "mcp_client_one", "scope": "read write", "jti": "one",
    })
}

/// A server that takes the tokens of `issuer`.
pub(crate) fn server(issuer: &str, clock: &Arc<ManualClock>) -> Arc<ResourceServer> {
    let settings = ResourceServerSettings {
        issuer: Issuer::parse(issuer).unwrap(),
        uri: ResourceUri::parse(SAMPLE).unwrap(),
        name: Some("Sample".into()),
        scopes: ScopeSet::usual(),
        hierarchy: Hierarchy::default(),
        secret: Secret::presented(SECRET.into()),
        cors: CorsOrigins::Any,
    };
    Arc::new(ResourceServer::new(settings, clock.clone()).unwrap())
}

/// A server that checks tokens itself, and its issuer.
pub(crate) struct Alone {
    pub(crate) issuer: FakeIssuer,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) signer: Signer,
    pub(crate) server: Arc<ResourceServer>,
}

impl Alone {
    pub(crate) fn start() -> Self {
        Self::signed_by(Signer::ed25519())
    }

    pub(crate) fn signed_by(signer: Signer) -> Self {
        let issuer = FakeIssuer::start();
        issuer.publish(signer.public());
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(NOW)));
        let server = server(&issuer.url, &clock);
        Self {
            issuer,
            clock,
            signer,
            server,
        }
    }

    pub(crate) fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.issuer.said.lock().unwrap()
    }

    /// The claims of an honest token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer.url, "sub": "583231", "aud": SAMPLE, "client_id": "mcp_client_one", "scope": "read write",
            "jti": "one", "iat": NOW, "exp": NOW + 1800, "grant": "AAAAAAAAAAAAAAAAAAAAAA", "username": "octocat",
        })
    }

    pub(crate) fn token(&self) -> String {
        self.signer.sign(&self.signer.header(), &self.claims())
    }

    pub(crate) fn token_where(&self, claim: &str, value: Value) -> String {
        self.signer
            .sign(&self.signer.header(), &changed(self.claims(), claim, value))
    }

    /// What the issuer says of tokens from now on, but for one member.
    pub(crate) fn says(&self, member: &str, value: Value) {
        let said = changed(introspected(&self.issuer.url), member, value);
        self.said().introspected = Some(said);
    }

    /// Asks the server for something that needs `read` (GET), `write` (any other method) or `admin` (whatever is at `/mcp/admin`).
    pub(crate) async fn ask(&self, request: TestRequest) -> Answer {
        let guarded = Guarded::new(&self.server, |head, path| {
            let needed = match head.method.as_str() {
                _ if path.starts_with("/mcp/admin") => "admin",
                "GET" => "read",
                _ => "write",
            };
            ScopeSet::parse(needed).unwrap()
        });
        let app = App::new().configure(self.server.configure()).service(
            web::scope("/mcp")
                .app_data(Data::new(guarded))
                .wrap(from_fn(protect))
                .route("/admin", web::get().to(who))
                .default_service(web::to(who)),
        );
        let service = init_service(app).await;
        let response = call_service(&service, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.ok().unwrap();
        Answer {
            status,
            headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, token: &str) -> Answer {
        let request = TestRequest::get().uri("/mcp/v1");
        self.ask(request.insert_header(("authorization", format!("Bearer {token}"))))
            .await
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

async fn who(holder: ReqData<TokenHolder>) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "subject": holder.subject, "username": holder.username, "client": holder.client,
        "scopes": holder.scopes.to_string(),
    }))
}
