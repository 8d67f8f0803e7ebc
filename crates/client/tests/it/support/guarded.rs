//! An MCP server and its authorization server in one: what a command needs to be tried with.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use actix_web::{HttpResponse, http::StatusCode};
use mcp_gateway_model::pkce::CodeChallenge;
use serde_json::{Value, json};
use url::Url;

use super::{
    mcp,
    site::{Asked, Site, empty, json as document, page},
};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a server speaks, and to whom.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Revision 2026-07-28, to whoever has a token.
    #[default]
    Modern,
    /// Revisions with a handshake, to whoever has a token.
    Legacy,
    /// Revision 2026-07-28, to everybody.
    Open,
}

/// What the server is like, and what has become of it.
#[derive(Default)]
pub(crate) struct State {
    /// What it speaks, and to whom.
    pub(crate) kind: Kind,
    /// How long the first access token lives, in seconds, if not an hour.
    pub(crate) first_lifetime: Option<u64>,
    /// What the challenge for more scopes names, if not what is missing.
    pub(crate) demanded: Option<&'static str>,
    /// Whether nothing can be revoked now.
    pub(crate) is_busy: bool,
    /// Whether the person denies everything.
    pub(crate) denies: bool,
    /// Whether codes are for clients that an operator entered.
    pub(crate) refuses_devices: bool,
    /// How often a device has to ask.
    pub(crate) asks_of_devices: usize,
    pub(crate) challenges: BTreeMap<String, (CodeChallenge, String)>,
    pub(crate) access: BTreeMap<String, String>,
    pub(crate) refresh: Option<String>,
    /// How many registrations there are.
    pub(crate) registered: Vec<String>,
    /// How often it refreshed.
    pub(crate) refreshes: usize,
    /// Refresh tokens that came twice.
    pub(crate) replays: usize,
    /// What was revoked.
    pub(crate) revoked: Vec<String>,
    pub(crate) count: usize,
}

impl State {
    fn next(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{}", self.count)
    }

    fn tokens(&mut self, scope: &str, lifetime: u64) -> HttpResponse {
        let (access, refresh) = (self.next("access"), self.next("refresh"));
        self.access.insert(access.clone(), scope.to_owned());
        self.refresh = Some(refresh.clone());
        document(
            200,
            &json!({
                "access_token": access, "token_type": "Bearer", "expires_in": lifetime,
                "refresh_token": refresh, "scope": scope,
            }),
        )
    }

    /// Forgets what was granted.
    pub(crate) fn end(&mut self) {
        self.access.clear();
        self.refresh = None;
    }
}

/// A server that runs.
pub(crate) struct Guarded {
    pub(crate) site: Site,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Guarded {
    pub(crate) fn start(state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let site = Site::start(move |base, asked| answer(base, asked, &mut shared.lock().unwrap()));
        Self { site, state }
    }

    /// The MCP server's address.
    pub(crate) fn mcp(&self) -> String {
        self.site.at("/mcp").to_string()
    }
}

fn answer(base: &str, asked: &Asked, state: &mut State) -> HttpResponse {
    let path = asked.path.split('?').next().unwrap_or_default();
    match (asked.method.as_str(), path) {
        ("GET", "/.well-known/oauth-protected-resource/mcp") if state.kind != Kind::Open => document(
            200,
            &json!({
                "resource": format!("{base}/mcp"), "authorization_servers": [base], "scopes_supported": ["read"],
            }),
        ),
        ("GET", "/.well-known/oauth-authorization-server") => document(200, &metadata(base)),
        ("POST", "/register") => register(base, asked, state),
        ("DELETE", path) if path.starts_with("/register/") => {
            assert_eq!(asked.header("authorization"), Some("Bearer management"));
            let id = path.trim_start_matches("/register/");
            state.registered.retain(|one| one != id);
            empty(204)
        }
        ("GET", "/authorize") => authorize(base, asked, state),
        ("POST", "/token") => token(asked, state),
        ("POST", "/revoke") if state.is_busy => empty(503),
        ("POST", "/revoke") => {
            state.revoked.push(form(&asked.body).remove("token").unwrap());
            state.end();
            empty(200)
        }
        ("POST", "/device") if state.refuses_devices => refused("unauthorized_client"),
        ("POST", "/device") => document(
            200,
            &json!({
                "device_code": "device", "user_code": "BCDF-GHJK", "verification_uri": format!("{base}/type"),
                "expires_in": 600, "interval": 1,
            }),
        ),
        (_, "/mcp") => guard(base, asked, state),
        _ => page(404),
    }
}

fn metadata(base: &str) -> Value {
    json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "registration_endpoint": format!("{base}/register"),
        "revocation_endpoint": format!("{base}/revoke"),
        "device_authorization_endpoint": format!("{base}/device"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

fn register(base: &str, asked: &Asked, state: &mut State) -> HttpResponse {
    let mut registration: Value = serde_json::from_str(&asked.body).unwrap();
    let id = state.next("client");
    state.registered.push(id.clone());
    registration["client_id"] = json!(id);
    registration["registration_client_uri"] = json!(format!("{base}/register/{id}"));
    registration["registration_access_token"] = json!("management");
    document(201, &registration)
}

fn authorize(base: &str, asked: &Asked, state: &mut State) -> HttpResponse {
    let url = Url::parse(&format!("{base}{}", asked.path)).unwrap();
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert!(query["client_id"] == "brought" || state.registered.contains(&query["client_id"]));
    assert_eq!(query["resource"], format!("{base}/mcp"));
    let challenge = CodeChallenge::parse(
        query.get("code_challenge").map(String::as_str),
        query.get("code_challenge_method").map(String::as_str),
    );
    let mut back = Url::parse(&query["redirect_uri"]).unwrap();
    back.query_pairs_mut()
        .append_pair("state", &query["state"])
        .append_pair("iss", base);
    if state.denies {
        back.query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("error_description", "<b>No</b>");
    } else {
        let code = state.next("code");
        let scope = query.get("scope").cloned().unwrap_or_default();
        state.challenges.insert(code.clone(), (challenge.unwrap(), scope));
        back.query_pairs_mut().append_pair("code", &code);
    }
    HttpResponse::build(StatusCode::FOUND)
        .insert_header(("location", back.as_str()))
        .finish()
}

fn token(asked: &Asked, state: &mut State) -> HttpResponse {
    let form = form(&asked.body);
    let field = |name: &str| form.get(name).map(String::as_str);
    let lifetime = state.first_lifetime.unwrap_or(3600);
    match field("grant_type") {
        Some("authorization_code") => {
            let Some((challenge, scope)) = field("code").and_then(|code| state.challenges.remove(code))
            else {
                return refused("invalid_grant");
            };
            assert_eq!(challenge.verify(field("code_verifier")), Ok(()));
            state.tokens(&scope, lifetime)
        }
        Some("refresh_token") if field("refresh_token") == state.refresh.as_deref() => {
            state.refreshes += 1;
            let scope = state.access.values().next().cloned().unwrap_or_default();
            state.access.clear();
            state.tokens(&scope, 3600)
        }
        Some("refresh_token") => {
            state.replays += 1;
            refused("invalid_grant")
        }
        Some(DEVICE) if state.asks_of_devices > 0 => {
            state.asks_of_devices -= 1;
            refused("authorization_pending")
        }
        Some(DEVICE) => state.tokens("read", lifetime),
        _ => refused("unsupported_grant_type"),
    }
}

fn guard(base: &str, asked: &Asked, state: &mut State) -> HttpResponse {
    let token = asked
        .header("authorization")
        .and_then(|text| text.strip_prefix("Bearer "));
    let metadata = format!("resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp\"");
    let scope = match token.and_then(|token| state.access.get(token)) {
        None if state.kind != Kind::Open => {
            return HttpResponse::build(StatusCode::UNAUTHORIZED)
                .insert_header(("www-authenticate", format!("Bearer {metadata}, scope=\"read\"")))
                .finish();
        }
        scope => scope.cloned().unwrap_or_default(),
    };
    if asked.body.contains("\"name\":\"erase\"") && !scope.contains("write") && state.kind != Kind::Open {
        let demanded = state.demanded.unwrap_or("write");
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{demanded}\", {metadata}");
        return HttpResponse::build(StatusCode::FORBIDDEN)
            .insert_header(("www-authenticate", challenge))
            .finish();
    }
    if state.kind == Kind::Legacy {
        mcp::legacy(asked)
    } else {
        mcp::modern(asked)
    }
}

fn refused(error: &str) -> HttpResponse {
    document(400, &json!({ "error": error }))
}

fn form(body: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}
