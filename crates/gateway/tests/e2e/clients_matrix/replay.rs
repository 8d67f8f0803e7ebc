//! A client that is made of what it sends.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};
use url::Url;

use super::credentials::Credentials;
use crate::support::{
    flow::VERIFIER,
    person::{OCTOCAT, Person},
    world::{Layout, World},
};

/// A client, and the installation that it meets.
pub(super) struct Replay {
    pub(super) world: World,
    pub(super) http: Client,
    /// The revision of MCP that it speaks.
    pub(super) revision: &'static str,
}

/// What an unauthenticated request is answered with.
pub(super) struct Challenge {
    /// Where the metadata of the resource is.
    pub(super) metadata: String,
    /// The scopes that the request needs.
    pub(super) scope: Option<String>,
}

/// What a client learns before it registers.
pub(super) struct Discovered {
    /// Protected resource metadata.
    pub(super) resource: Value,
    /// Authorization server metadata.
    pub(super) server: Value,
}

/// A request for authorisation.
#[derive(Default)]
pub(super) struct Ask<'a> {
    pub(super) redirect_uri: &'a str,
    pub(super) scope: Option<&'a str>,
    pub(super) resource: Option<&'a str>,
}

/// What a client holds after a login.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) scope: String,
}

impl Held {
    pub(super) fn of(answer: &Value) -> Self {
        assert_eq!(answer["token_type"], "Bearer", "{answer}");
        Self {
            access: text(&answer["access_token"]),
            refresh: text(&answer["refresh_token"]),
            scope: text(&answer["scope"]),
        }
    }
}

impl Replay {
    /// An installation as it is shipped.
    pub(super) async fn start(revision: &'static str) -> Self {
        Self::with(revision, World::start(Layout::Apart(1)).await)
    }

    pub(super) fn with(revision: &'static str, world: World) -> Self {
        let http = world.http();
        Self {
            world,
            http,
            revision,
        }
    }

    /// The address as the user typed it.
    pub(super) fn url(&self) -> String {
        self.world.mcp_url()
    }

    /// The address of `path` on the MCP server's host.
    pub(super) fn at_host(&self, path: &str) -> String {
        Url::parse(&self.url()).unwrap().join(path).unwrap().into()
    }

    /// The first request of every client: it has no token yet.
    pub(super) async fn refused(&self) -> Challenge {
        let request = self.http.post(self.url()).json(&self.initialize());
        let answer = self.as_revision(request).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        Challenge::of(&answer)
    }

    /// The documents, as clients of revision 2025-06-18 and later find them: by the challenge, then at the place of
    /// RFC 8414. Everything that a strict client compares is compared.
    pub(super) async fn discover(&self, challenge: &Challenge) -> Discovered {
        let resource = self.document(&challenge.metadata).await;
        assert_eq!(resource["resource"], self.url(), "compared byte for byte");
        let server = self.server_metadata(&resource).await;
        Discovered { resource, server }
    }

    /// Authorization server metadata of the first server that a resource names.
    pub(super) async fn server_metadata(&self, resource: &Value) -> Value {
        let issuer = text(&resource["authorization_servers"][0]);
        let server = self
            .document(&format!("{issuer}/.well-known/oauth-authorization-server"))
            .await;
        assert_eq!(server["issuer"], issuer, "compared byte for byte");
        let methods = &server["code_challenge_methods_supported"];
        assert!(methods.as_array().unwrap().contains(&json!("S256")), "{server}");
        server
    }

    /// A document that has to be there.
    pub(super) async fn document(&self, url: &str) -> Value {
        let answer = self.as_revision(self.http.get(url)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        assert_eq!(answer.headers()["content-type"], "application/json", "{url}");
        answer.json().await.unwrap()
    }

    /// A registration at the endpoint of the metadata.
    pub(super) async fn register(&self, found: &Discovered, metadata: &Value) -> Value {
        let endpoint = text(&found.server["registration_endpoint"]);
        let answer = self.http.post(endpoint).json(metadata).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body
    }

    /// Consent and login by octocat; what the client is sent back with, one of each.
    pub(super) async fn authorize(
        &self,
        found: &Discovered,
        client_id: &str,
        ask: &Ask<'_>,
    ) -> BTreeMap<String, String> {
        let endpoint = text(&found.server["authorization_endpoint"]);
        let url = authorization_url(&endpoint, client_id, ask);
        let mut person = Person::new(self.http.clone(), &self.world.issuer());
        let target = person.walk(&url, OCTOCAT).await;
        let back = returned(&target, ask.redirect_uri);
        if found.server["authorization_response_iss_parameter_supported"] == true {
            assert_eq!(back["iss"], text(&found.server["issuer"]), "{target}");
        }
        back
    }

    /// Consent, login and the exchange of the code.
    pub(super) async fn log_in(&self, found: &Discovered, client: &Credentials, ask: &Ask<'_>) -> Held {
        let back = self.authorize(found, client.id(), ask).await;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &back["code"]),
            ("redirect_uri", ask.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        form.extend(ask.resource.map(|resource| ("resource", resource)));
        let (status, body) = self.token(found, client, &form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Held::of(&body)
    }

    /// A request to the token endpoint, whatever the answer. It is never kept anywhere.
    pub(super) async fn token(
        &self,
        found: &Discovered,
        client: &Credentials,
        form: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let own = client.parameters();
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let form: Vec<_> = form.iter().copied().chain(own).collect();
        let endpoint = text(&found.server["token_endpoint"]);
        let answer = self.http.post(endpoint).form(&form).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        (answer.status(), answer.json().await.unwrap())
    }

    /// A refresh that has to succeed.
    pub(super) async fn refresh(
        &self,
        found: &Discovered,
        client: &Credentials,
        ask: &Ask<'_>,
        token: &str,
    ) -> Held {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(ask.resource.map(|resource| ("resource", resource)));
        let (status, body) = self.token(found, client, &form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Held::of(&body)
    }

    /// A refresh that has to fail, and how.
    pub(super) async fn refresh_fails(
        &self,
        found: &Discovered,
        client: &Credentials,
        token: &str,
    ) -> String {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let (status, body) = self.token(found, client, &form).await;
        assert!(status.is_client_error(), "{status} {body}");
        text(&body["error"])
    }

    /// `tools/call` as the client's revision has it; the protected server has to know who is calling.
    pub(super) async fn calls(&self, token: &str) {
        let session = if self.revision < "2026-07-28" {
            self.open(token).await
        } else {
            None
        };
        let mut params = json!({ "name": "whoami", "arguments": {} });
        if self.revision >= "2026-07-28" {
            params["_meta"] = meta(self.revision);
        }
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
        let answer = self.send(token, session.as_deref(), &call).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let said = answer.text().await.unwrap();
        assert!(
            said.contains("octocat") && said.contains("583231"),
            "the protected server does not know octocat: {said}"
        );
    }

    async fn open(&self, token: &str) -> Option<String> {
        let answer = self.send(token, None, &self.initialize()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let session = answer.headers().get("mcp-session-id");
        let session = session.map(|id| id.to_str().unwrap().to_owned());
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let answer = self.send(token, session.as_deref(), &initialized).await;
        assert!(answer.status().is_success());
        session
    }

    async fn send(&self, token: &str, session: Option<&str>, message: &Value) -> Response {
        let mut request = self.http.post(self.url()).json(message);
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        if self.revision >= "2026-07-28" {
            request = request.header("mcp-method", message["method"].as_str().unwrap());
            if let Some(name) = message["params"]["name"].as_str() {
                request = request.header("mcp-name", name);
            }
        }
        self.as_revision(request).send().await.unwrap()
    }

    fn initialize(&self) -> Value {
        let client = json!({ "name": "replay", "version": "1" });
        if self.revision < "2026-07-28" {
            let params =
                json!({ "protocolVersion": self.revision, "capabilities": {}, "clientInfo": client });
            return json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        }
        let params = json!({ "_meta": meta(self.revision) });
        json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": params })
    }

    /// The first revision had no header for it.
    fn as_revision(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("accept", "application/json, text/event-stream");
        if self.revision == "2025-03-26" {
            return request;
        }
        request.header("mcp-protocol-version", self.revision)
    }
}

impl Challenge {
    pub(super) fn of(answer: &Response) -> Self {
        let header = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(header.starts_with("Bearer "), "{header}");
        assert!(!header.contains("error="), "no token, no error: {header}");
        let parameter = |name: &str| {
            let value = header.split(&format!("{name}=\"")).nth(1)?;
            value.split('"').next().map(str::to_owned)
        };
        Self {
            metadata: parameter("resource_metadata").unwrap(),
            scope: parameter("scope"),
        }
    }
}

/// Where a login begins.
pub(super) fn authorization_url(endpoint: &str, client_id: &str, ask: &Ask<'_>) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        VERIFIER.as_bytes(),
    ));
    let mut url = Url::parse(endpoint).unwrap();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", ask.redirect_uri)
        .append_pair("state", "what the client wants back")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    for (name, value) in [("scope", ask.scope), ("resource", ask.resource)] {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    url.into()
}

/// The parameters at the address that a client is sent back to, each of them once.
pub(super) fn returned(target: &Url, redirect_uri: &str) -> BTreeMap<String, String> {
    assert!(target.as_str().starts_with(redirect_uri), "{target}");
    let mut back = BTreeMap::new();
    for (name, value) in target.query_pairs().into_owned() {
        assert!(back.insert(name, value).is_none(), "twice: {target}");
    }
    assert_eq!(back["state"], "what the client wants back", "{target}");
    back
}

/// A text that has to be there.
pub(super) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// What the challenge or the metadata asks for, and `offline_access` where the server lists it.
pub(super) fn wanted(challenge: &Challenge, found: &Discovered) -> String {
    let listed = |value: &Value| -> Vec<String> {
        let scopes = value["scopes_supported"].as_array();
        scopes.into_iter().flatten().map(text).collect()
    };
    let mut scopes = match &challenge.scope {
        Some(scope) => scope.split(' ').map(str::to_owned).collect(),
        None => listed(&found.resource),
    };
    let offline = listed(&found.server)
        .into_iter()
        .find(|scope| scope == "offline_access");
    scopes.extend(offline);
    scopes.join(" ")
}

fn meta(revision: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientInfo": { "name": "replay", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}
