//! An authorization server that checks what it is sent, and the MCP server that it issues tokens for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::HttpResponse;
use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::{clock::ManualClock, secret::Digest};
use serde_json::{Value, json};
use url::Url;

use crate::support::site::{Asked, Site, empty, json};

pub(crate) const SECRET: &str = "generated client/secret";

/// How the servers behave.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// Members of the metadata that are other than usual; null takes one away.
    pub(crate) metadata: Value,
    /// How long access tokens last, in seconds.
    pub(crate) life: Option<u64>,
    /// Whether no refresh tokens are issued.
    pub(crate) no_refresh: bool,
    /// What the token endpoint answers instead.
    pub(crate) token_answer: Option<(u16, Value)>,
    /// Access tokens that the MCP server no longer accepts, although they last.
    pub(crate) refused: Vec<String>,
    /// Whether registered clients get no secret.
    pub(crate) public_clients: bool,
    /// Whether a registration is answered with the documented members alone.
    pub(crate) says_little: bool,
    /// How clients have to prove themselves, if not in any way.
    pub(crate) only: Option<&'static str>,
    /// The id of every client.
    pub(crate) client_id: Option<&'static str>,
    /// Who moves the clock on while the token endpoint thinks, and how far.
    pub(crate) thinks: Option<(Arc<ManualClock>, Duration)>,
}

#[derive(Default)]
struct State {
    manner: Manner,
    clients: u32,
    /// What was asked for, by code.
    codes: BTreeMap<String, BTreeMap<String, String>>,
    /// The refresh token that is good, and the number of the last token.
    refresh: Vec<String>,
    tokens: u32,
    access: Vec<String>,
}

/// Both servers.
pub(crate) struct Authority {
    pub(crate) server: Site,
    pub(crate) resource: Site,
    state: Arc<Mutex<State>>,
}

impl Authority {
    /// Starts them.
    pub(crate) fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let server = Site::start(move |base, asked| shared.lock().unwrap().answer(base, asked));
        let (shared, issuer) = (Arc::clone(&state), server.url.clone());
        let resource = Site::start(move |base, asked| shared.lock().unwrap().protected(base, &issuer, asked));
        Self {
            server,
            resource,
            state,
        }
    }

    /// Changes how they behave.
    pub(crate) fn behave(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.state.lock().unwrap().manner);
    }

    /// Has the person allow what an authorization URL asks for; answers where the browser is sent.
    pub(crate) async fn allow(&self, authorization_url: &str) -> Url {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let answer = client.get(authorization_url).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
    }

    /// How often the token endpoint was asked for a grant type.
    pub(crate) fn asked_for(&self, grant_type: &str) -> usize {
        let asked = self.server.asked().into_iter();
        asked
            .filter(|asked| field(asked, "grant_type").as_deref() == Some(grant_type))
            .count()
    }
}

impl State {
    fn answer(&mut self, base: &str, asked: &Asked) -> HttpResponse {
        match (asked.method.as_str(), asked.path.split('?').next().unwrap()) {
            ("GET", "/.well-known/oauth-authorization-server") => json(200, &self.metadata(base)),
            ("POST", "/register") => self.register(asked),
            ("GET", "/authorize") => self.authorize(base, asked),
            ("POST", "/token") => self.token(asked),
            _ => empty(404),
        }
    }

    /// The documented metadata.
    fn metadata(&self, base: &str) -> Value {
        let mut metadata = json!({
            "issuer": base,
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "registration_endpoint": format!("{base}/register"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
        });
        for (name, value) in self.manner.metadata.as_object().into_iter().flatten() {
            metadata[name] = value.clone();
            if value.is_null() {
                metadata.as_object_mut().unwrap().remove(name);
            }
        }
        metadata
    }

    fn register(&mut self, asked: &Asked) -> HttpResponse {
        let mut metadata: Value = serde_json::from_str(&asked.body).unwrap();
        self.clients += 1;
        let id = self.manner.client_id.map(ToOwned::to_owned);
        let id = id.unwrap_or_else(|| format!("client-{}", self.clients));
        if self.manner.says_little {
            return json(200, &json!({ "client_id": id, "client_secret": SECRET }));
        }
        metadata["client_id"] = json!(id);
        metadata["registration_access_token"] = json!("of-nobodys-business");
        if self.manner.public_clients {
            metadata["token_endpoint_auth_method"] = json!("none");
        } else {
            metadata["client_secret"] = json!(SECRET);
            metadata["client_secret_expires_at"] = json!(0);
        }
        json(201, &metadata)
    }

    fn authorize(&mut self, base: &str, asked: &Asked) -> HttpResponse {
        let url = Url::parse(&format!("{base}{}", asked.path)).unwrap();
        let parameters: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let mut back = Url::parse(&parameters["redirect_uri"]).unwrap();
        let code = format!("code-{}", self.codes.len() + 1);
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &parameters["state"]);
        if self.manner.metadata["authorization_response_iss_parameter_supported"] == true {
            back.query_pairs_mut().append_pair("iss", base);
        }
        self.codes.insert(code, parameters);
        HttpResponse::Found()
            .insert_header(("location", back.as_str()))
            .finish()
    }

    fn token(&mut self, asked: &Asked) -> HttpResponse {
        if let Some((status, body)) = &self.manner.token_answer {
            return json(*status, body);
        }
        if let Some((clock, time)) = &self.manner.thinks {
            clock.advance(*time);
        }
        if !self.manner.public_clients && !proves(asked, self.manner.only) {
            return json(401, &json!({"error": "invalid_client"}));
        }
        let field = |name: &str| field(asked, name).unwrap_or_default();
        let is_good = match field("grant_type").as_str() {
            "authorization_code" => self.codes.remove(&field("code")).is_some_and(|login| {
                let challenge = Digest::of(field("code_verifier").as_bytes()).to_string();
                login["code_challenge"] == challenge
                    && login["code_challenge_method"] == "S256"
                    && login["redirect_uri"] == field("redirect_uri")
                    && login["resource"] == field("resource")
            }),
            "refresh_token" => {
                let presented = field("refresh_token");
                let known = self.refresh.iter().position(|good| *good == presented);
                known.map(|index| self.refresh.remove(index)).is_some()
            }
            _ => false,
        };
        if !is_good {
            return json(
                400,
                &json!({"error": "invalid_grant", "error_description": "used, or never issued"}),
            );
        }
        self.tokens += 1;
        let access = format!("access-{}", self.tokens);
        self.access.push(access.clone());
        let mut answer = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.manner.life.unwrap_or(3600),
        });
        if !self.manner.no_refresh {
            let refresh = format!("refresh-{}", self.tokens);
            answer["refresh_token"] = json!(refresh);
            self.refresh.push(refresh);
        }
        if field("grant_type") == "authorization_code" {
            answer["scope"] = json!("openid profile mcp:access");
        }
        json(200, &answer)
    }

    fn protected(&mut self, base: &str, issuer: &str, asked: &Asked) -> HttpResponse {
        if asked.path == "/.well-known/oauth-protected-resource" {
            return json(
                200,
                &json!({ "authorization_servers": [issuer], "resource": base }),
            );
        }
        let authorization = asked.header("authorization").unwrap_or_default();
        let token = authorization
            .strip_prefix("Bearer ")
            .unwrap_or_default()
            .to_owned();
        if !self.access.contains(&token) || self.manner.refused.contains(&token) {
            let challenge =
                format!("Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource\"");
            return HttpResponse::Unauthorized()
                .insert_header(("www-authenticate", challenge))
                .finish();
        }
        crate::service::access::protected(asked)
    }
}

/// One field of the form in a body.
pub(crate) fn field(asked: &Asked, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(asked.body.as_bytes());
    fields
        .find(|(one, _)| one == name)
        .map(|(_, value)| value.into_owned())
}

/// Whether the request is from a client with the secret, sent in the `only` way that counts.
fn proves(asked: &Asked, only: Option<&str>) -> bool {
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = asked
        .header("authorization")
        .and_then(|text| text.strip_prefix("Basic "));
    let basic = basic.and_then(|text| STANDARD.decode(text).ok());
    let basic = basic.is_some_and(|text| {
        let text = String::from_utf8(text).unwrap();
        text.contains("client") && text.ends_with(&format!(":{encoded}"))
    });
    let posted = field(asked, "client_secret").as_deref() == Some(SECRET);
    match only {
        Some("client_secret_basic") => basic && !posted,
        Some("client_secret_post") => posted && !basic,
        _ => basic || posted,
    }
}
