//! An authorization server and the MCP server that it protects, on one site: strict, and with faults on request.

use std::sync::{Arc, Mutex};

use actix_web::HttpResponse;
use async_trait::async_trait;
use mcp_gateway_client::{
    connection::{Connection, Means, UserAgent, UserAgentFault},
    credentials::Credentials,
    http::{Http, Settings},
    identity::Profile,
};
use mcp_gateway_model::{
    clock::{ManualClock, Timestamp},
    pkce::CodeChallenge,
};
use reqwest::{Method, Request, Response};
use serde_json::{Value, json};
use url::Url;

use super::site::{self, Asked, Site};

/// Where the browser of a test comes back to.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:1/callback";

/// What the authorization server does, and what it has done.
pub(crate) struct State {
    /// The issuer's path.
    pub(crate) tenant: &'static str,
    /// Members that its metadata gets, or loses where they are null.
    pub(crate) metadata: Value,
    /// The scopes that the MCP server needs.
    pub(crate) needed: &'static str,
    /// Whether no scopes are enough.
    pub(crate) never: bool,
    /// The access token that it takes.
    pub(crate) good: Option<String>,
    /// What the token endpoint answers to a refresh instead.
    pub(crate) refresh: Option<(u16, Value)>,
    /// How long tokens live, in seconds.
    pub(crate) lifetime: u64,
    /// What the registration endpoint answers instead.
    pub(crate) registration: Option<(u16, Value)>,
    /// Which scopes the last login was for.
    pub(crate) scopes: String,
    /// Its PKCE challenge.
    pub(crate) challenge: String,
    /// The refresh token that it takes.
    pub(crate) refresh_token: String,
    /// How many tokens it issued.
    pub(crate) issued: u32,
    /// How many clients registered.
    pub(crate) clients: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            tenant: "",
            metadata: json!({}),
            needed: "read",
            never: false,
            good: None,
            refresh: None,
            lifetime: 3600,
            registration: None,
            scopes: String::new(),
            challenge: String::new(),
            refresh_token: String::new(),
            issued: 0,
            clients: 0,
        }
    }
}

/// The site, what it does, and the time.
pub(crate) struct Authority {
    pub(crate) site: Site,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Authority {
    /// Starts one.
    pub(crate) fn start(state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let site = Site::start(move |base, asked| answer(&mut shared.lock().unwrap(), base, asked));
        Self {
            site,
            state,
            clock: Arc::new(ManualClock::new(Timestamp::from_secs(1_000_000))),
        }
    }

    /// Changes what it does.
    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// The MCP server.
    pub(crate) fn mcp(&self) -> Url {
        self.site.at("/mcp")
    }

    /// A program that a person uses.
    pub(crate) fn program(&self) -> Connection {
        self.connection(Profile::native("Test"), Means::Person(Arc::new(Browser::new())))
    }

    /// A program.
    pub(crate) fn connection(&self, profile: Profile, means: Means) -> Connection {
        let http = Http::new(Settings::default()).unwrap();
        Connection::new(self.mcp(), http, Arc::new(profile), means).with_clock(Arc::clone(&self.clock) as _)
    }

    /// A program that keeps what it gets.
    pub(crate) fn keeping(&self, credentials: &Credentials) -> Connection {
        self.program().keep_in(credentials.clone())
    }

    /// How often a place was asked.
    pub(crate) fn count(&self, place: &str) -> usize {
        self.all(place).len()
    }

    /// What a place was asked.
    pub(crate) fn all(&self, place: &str) -> Vec<Asked> {
        let asked = self.site.asked();
        asked.into_iter().filter(|asked| asked.place() == place).collect()
    }

    /// What was sent to the token endpoint for a grant type.
    pub(crate) fn grants(&self, grant_type: &str) -> Vec<Asked> {
        let mut asked = self.all("/token");
        asked.retain(|asked| asked.field("grant_type").as_deref() == Some(grant_type));
        asked
    }
}

/// A call of the server.
pub(crate) fn call(connection: &Connection) -> Request {
    let request = connection
        .http()
        .request(Method::POST, connection.server().clone());
    request.body("{}").build().unwrap()
}

/// Calls the server.
pub(crate) async fn called(connection: &Connection) -> Response {
    connection.execute(call(connection)).await.unwrap()
}

fn answer(state: &mut State, base: &str, asked: &Asked) -> HttpResponse {
    let issuer = format!("{base}{}", state.tenant);
    match asked.place() {
        "/mcp" => mcp(state, base, asked),
        "/.well-known/oauth-protected-resource/mcp" => {
            let body = json!({"resource": format!("{base}/mcp"), "authorization_servers": [issuer]});
            site::json(200, &body)
        }
        place if place == format!("/.well-known/oauth-authorization-server{}", state.tenant) => {
            site::json(200, &metadata(state, base, &issuer))
        }
        "/register" => register(state, base, asked),
        "/authorize" => authorize(state, &issuer, asked),
        "/token" => token(state, base, asked),
        "/revoke" | "/elsewhere" => site::empty(200),
        "/manage" => site::empty(204),
        _ => site::page(404),
    }
}

fn metadata(state: &State, base: &str, issuer: &str) -> Value {
    let mut body = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "registration_endpoint": format!("{base}/register"),
        "revocation_endpoint": format!("{base}/revoke"),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
    });
    for (name, value) in state.metadata.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn mcp(state: &State, base: &str, asked: &Asked) -> HttpResponse {
    let metadata = format!("resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp\"");
    let presented = asked.header("authorization").map(ToOwned::to_owned);
    let good = state.good.as_ref().map(|good| format!("Bearer {good}"));
    if presented.is_none() || presented != good {
        let challenge = format!("Bearer {metadata}, scope=\"read\"");
        return HttpResponse::Unauthorized()
            .append_header(("WWW-Authenticate", challenge))
            .finish();
    }
    let has = |scope: &str| state.scopes.split(' ').any(|one| one == scope);
    if state.never || !state.needed.split(' ').all(has) {
        let needed = state.needed.split(' ').next_back().unwrap();
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\", {metadata}");
        return HttpResponse::Forbidden()
            .append_header(("WWW-Authenticate", challenge))
            .finish();
    }
    site::json(200, &speak(&asked.body))
}

/// As much of an MCP server as lists one tool; a call that is none of MCP gets a word.
fn speak(body: &str) -> Value {
    let message: Value = serde_json::from_str(body).unwrap_or_default();
    let result = match message["method"].as_str() {
        None => return json!({"answer": 42}),
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "test", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}),
        Some(_) => {
            let error = json!({"code": -32601, "message": "no such method"});
            return json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
        }
    };
    json!({"jsonrpc": "2.0", "id": message["id"], "result": result})
}

fn register(state: &mut State, base: &str, asked: &Asked) -> HttpResponse {
    if let Some((status, body)) = &state.registration {
        return site::json(*status, body);
    }
    state.clients += 1;
    let mut body: Value = serde_json::from_str(&asked.body).unwrap();
    body["client_id"] = format!("client-{}", state.clients).into();
    body["registration_client_uri"] = format!("{base}/manage").into();
    body["registration_access_token"] = "rat".into();
    site::json(201, &body)
}

fn authorize(state: &mut State, issuer: &str, asked: &Asked) -> HttpResponse {
    let parameter = |name: &str| asked.parameter(name).unwrap_or_default();
    state.scopes = parameter("scope");
    state.challenge = parameter("code_challenge");
    let mut back = Url::parse(&parameter("redirect_uri")).unwrap();
    back.query_pairs_mut()
        .append_pair("code", "code-1")
        .append_pair("state", &parameter("state"))
        .append_pair("iss", issuer);
    HttpResponse::Found()
        .append_header(("Location", back.as_str()))
        .finish()
}

fn token(state: &mut State, base: &str, asked: &Asked) -> HttpResponse {
    let refused = |error: &str| site::json(400, &json!({"error": error}));
    if asked.field("resource") != Some(format!("{base}/mcp")) {
        return refused("invalid_target");
    }
    match asked.field("grant_type").as_deref() {
        Some("authorization_code") => {
            let challenge = CodeChallenge::parse(Some(&state.challenge), Some("S256")).unwrap();
            let is_ours = asked.field("code").as_deref() == Some("code-1")
                && challenge.verify(asked.field("code_verifier").as_deref()).is_ok()
                && asked.field("redirect_uri").as_deref() == Some(REDIRECT);
            if !is_ours {
                return refused("invalid_grant");
            }
        }
        Some("refresh_token") => {
            if let Some((status, body)) = &state.refresh {
                return site::json(*status, body);
            }
            if asked.field("refresh_token") != Some(state.refresh_token.clone()) {
                return refused("invalid_grant");
            }
        }
        Some("client_credentials") => state.scopes = asked.field("scope").unwrap_or_default(),
        _ => return refused("unsupported_grant_type"),
    }
    state.issued += 1;
    state.good = Some(format!("at-{}", state.issued));
    state.refresh_token = format!("rt-{}", state.issued);
    let body = json!({
        "access_token": state.good,
        "token_type": "Bearer",
        "expires_in": state.lifetime,
        "refresh_token": state.refresh_token,
    });
    site::json(200, &body)
}

/// A browser whose person consents at once.
pub(crate) struct Browser(Http);

impl Browser {
    pub(crate) fn new() -> Self {
        Self(Http::new(Settings::default()).unwrap())
    }
}

#[async_trait]
impl UserAgent for Browser {
    async fn redirect_uri(&self) -> Result<String, UserAgentFault> {
        Ok(REDIRECT.to_owned())
    }

    async fn visit(&self, url: &Url) -> Result<Url, UserAgentFault> {
        let request = self.0.request(Method::GET, url.clone()).build().unwrap();
        let answer = self.0.call(request).await.unwrap();
        answer
            .location()
            .ok_or_else(|| UserAgentFault(answer.status.to_string()))
    }
}
