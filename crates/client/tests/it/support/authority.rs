//! An authorization server and the MCP server that it protects, on one site: strict, and with faults on request.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use actix_web::HttpResponse;
use mcp_gateway_client::{
    connection::{Connection, Means},
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

use super::{
    browser::Browser,
    site::{self, Asked, Site},
};

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
    /// The access tokens that it takes.
    pub(crate) good: BTreeSet<String>,
    /// The refresh tokens that it takes, and whose they are.
    pub(crate) refreshable: BTreeMap<String, String>,
    /// The clients that it knows, besides those that an operator entered.
    pub(crate) known: BTreeSet<String>,
    /// Issuers that the resource names first.
    pub(crate) others: Vec<&'static str>,
    /// Members of the resource's metadata.
    pub(crate) resource: Value,
    /// Members of the token response.
    pub(crate) response: Value,
    /// Whether access tokens only end by themselves.
    pub(crate) only_refresh_tokens_end: bool,
    /// What the revocation endpoint answers instead.
    pub(crate) revocation: Option<(u16, Value)>,
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
    /// Where it ended.
    pub(crate) redirect_uri: String,
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
            good: BTreeSet::new(),
            refreshable: BTreeMap::new(),
            known: BTreeSet::new(),
            others: Vec::new(),
            resource: json!({}),
            response: json!({}),
            only_refresh_tokens_end: false,
            revocation: None,
            refresh: None,
            lifetime: 3600,
            registration: None,
            scopes: String::new(),
            challenge: String::new(),
            redirect_uri: String::new(),
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

    /// A program that uses another MCP server of the same authorization server, and comes back to another port.
    pub(crate) fn other(&self, credentials: &Credentials) -> Connection {
        let http = Http::new(Settings::default()).unwrap();
        let browser = Arc::new(Browser::at("http://127.0.0.1:2/callback"));
        let profile = Arc::new(Profile::native("Test"));
        Connection::new(self.site.at("/other"), http, profile, Means::Person(browser))
            .with_clock(Arc::clone(&self.clock) as _)
            .keep_in(credentials.clone())
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
        "/mcp" | "/other" => mcp(state, base, asked),
        place @ ("/.well-known/oauth-protected-resource/mcp"
        | "/.well-known/oauth-protected-resource/other") => {
            let path = place.trim_start_matches("/.well-known/oauth-protected-resource");
            let others = state.others.iter().map(|path| format!("{base}{path}"));
            let issuers: Vec<_> = others.chain([issuer]).collect();
            let body = json!({"resource": format!("{base}{path}"), "authorization_servers": issuers});
            site::json(200, &with(body, &state.resource))
        }
        place if place == format!("/.well-known/oauth-authorization-server{}", state.tenant) => {
            site::json(200, &metadata(state, base, &issuer))
        }
        "/register" => register(state, base, asked),
        "/authorize" => authorize(state, &issuer, asked),
        "/token" => token(state, base, asked),
        "/revoke" => revoke(state, asked),
        "/elsewhere" => site::empty(200),
        "/manage" => site::empty(204),
        _ => site::page(404),
    }
}

/// `body` with these members.
fn with(mut body: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Ends the token that it names, and no other.
fn revoke(state: &mut State, asked: &Asked) -> HttpResponse {
    if let Some((status, body)) = &state.revocation {
        return site::json(*status, body);
    }
    if !is_known(state, asked) {
        return site::json(401, &json!({"error": "invalid_client"}));
    }
    let token = asked.field("token").unwrap();
    if state.only_refresh_tokens_end && token.starts_with("at-") {
        return site::json(400, &json!({"error": "unsupported_token_type"}));
    }
    state.good.remove(&token);
    state.refreshable.remove(&token);
    site::empty(200)
}

fn is_known(state: &State, asked: &Asked) -> bool {
    let id = asked.field("client_id").or_else(|| asked.parameter("client_id"));
    id.is_none_or(|id| !id.starts_with("client-") || state.known.contains(&id))
}

fn metadata(state: &State, base: &str, issuer: &str) -> Value {
    let body = json!({
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
    with(body, &state.metadata)
}

fn mcp(state: &State, base: &str, asked: &Asked) -> HttpResponse {
    let metadata = format!(
        "resource_metadata=\"{base}/.well-known/oauth-protected-resource{}\"",
        asked.place()
    );
    let presented = asked.header("authorization");
    let presented = presented.and_then(|text| text.strip_prefix("Bearer "));
    if !presented.is_some_and(|token| state.good.contains(token)) {
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
    let id = format!("client-{}", state.clients);
    state.known.insert(id.clone());
    body["client_id"] = id.into();
    body["registration_client_uri"] = format!("{base}/manage").into();
    body["registration_access_token"] = "rat".into();
    site::json(201, &body)
}

fn authorize(state: &mut State, issuer: &str, asked: &Asked) -> HttpResponse {
    if !is_known(state, asked) {
        return site::page(400);
    }
    let parameter = |name: &str| asked.parameter(name).unwrap_or_default();
    state.scopes = parameter("scope");
    state.challenge = parameter("code_challenge");
    state.redirect_uri = parameter("redirect_uri");
    let mut back = Url::parse(&state.redirect_uri).unwrap();
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
    let resources = ["/mcp", "/other"].map(|path| format!("{base}{path}"));
    if !resources.contains(&asked.field("resource").unwrap_or_default()) {
        return refused("invalid_target");
    }
    let client = asked.field("client_id").unwrap_or_default();
    match asked.field("grant_type").as_deref() {
        Some("authorization_code") => {
            let challenge = CodeChallenge::parse(Some(&state.challenge), Some("S256")).unwrap();
            let is_ours = asked.field("code").as_deref() == Some("code-1")
                && challenge.verify(asked.field("code_verifier").as_deref()).is_ok()
                && asked.field("redirect_uri").as_deref() == Some(&state.redirect_uri);
            if !is_ours {
                return refused("invalid_grant");
            }
        }
        Some("refresh_token") => {
            if let Some((status, body)) = &state.refresh {
                return site::json(*status, body);
            }
            let presented = asked.field("refresh_token").unwrap();
            if state.refreshable.remove(&presented).as_deref() != Some(&client) {
                return refused("invalid_grant");
            }
        }
        Some("client_credentials") => state.scopes = asked.field("scope").unwrap_or_default(),
        _ => return refused("unsupported_grant_type"),
    }
    state.issued += 1;
    let (access, refresh) = (format!("at-{}", state.issued), format!("rt-{}", state.issued));
    state.good.insert(access.clone());
    let mut body = json!({"access_token": access, "token_type": "Bearer", "expires_in": state.lifetime});
    if asked.field("grant_type").as_deref() != Some("client_credentials") {
        body["refresh_token"] = refresh.clone().into();
        state.refreshable.insert(refresh, client);
    }
    site::json(200, &with(body, &state.response))
}
