//! The client that the official conformance suite runs: it does for each scenario what a program would do with this library.

use std::sync::Arc;

use async_trait::async_trait;
use clap::Args;
use mcp_gateway_client::{
    connection::{Assertions, Connection, ConnectionFault, Means, UserAgent, UserAgentFault},
    extensions::{assertion::AssertionKey, enterprise::Enterprise},
    http::{BadSettings, Http, HttpFault, Settings},
    identity::{ApplicationType, Identity, IdentityOrigin, PreRegistered, Profile},
    mcp::{McpFault, Session},
};
use mcp_gateway_model::{client::AuthMethod, secret::Secret};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Map;
use url::Url;

/// Where the suite expects the metadata document of a client to be.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";
/// Where answers come to. Nobody listens there: the address that the server redirects to is read.
const REDIRECT: &str = "http://localhost:3000/callback";

/// What the suite says.
#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// The MCP server's address
    #[arg(value_name = "URL")]
    server: Url,
    /// The scenario's name
    #[arg(long, env = "MCP_CONFORMANCE_SCENARIO", default_value = "")]
    scenario: String,
    /// What the scenario adds, as JSON
    #[arg(
        long,
        env = "MCP_CONFORMANCE_CONTEXT",
        default_value = "{}",
        hide_env_values = true
    )]
    context: String,
}

/// What a scenario may add.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    private_key_pem: Option<String>,
    signing_algorithm: Option<String>,
    valid_jwt: Option<String>,
    idp_client_id: Option<String>,
    idp_id_token: Option<String>,
    idp_issuer: Option<String>,
    idp_token_endpoint: Option<Url>,
}

/// Why a scenario did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConformanceFault {
    #[error("the context is not what it should be: {0}")]
    Context(#[from] serde_json::Error),
    #[error("the context has no {0}")]
    Lacks(&'static str),
    #[error(transparent)]
    Settings(#[from] BadSettings),
    #[error(transparent)]
    Key(#[from] mcp_gateway_client::extensions::BadKey),
    #[error(transparent)]
    Mcp(#[from] McpFault<ConnectionFault>),
}

/// Lists the server's tools and calls the first one, with whatever authorization that takes.
///
/// # Errors
/// [`ConformanceFault`] says why not.
pub(crate) async fn run(args: ConformanceArgs) -> Result<(), ConformanceFault> {
    let context: Context = serde_json::from_str(&args.context)?;
    let http = Http::new(Settings::default())?;
    let connection = connection(http, &args, context)?;
    let mut session = Session::open(&connection, args.server, Box::new(|_| {})).await?;
    let tools = session.tools().await?;
    if let Some(tool) = tools.first() {
        session.call(tool, Map::new()).await?;
    }
    session.close().await;
    Ok(())
}

fn connection(
    http: Http,
    args: &ConformanceArgs,
    mut context: Context,
) -> Result<Connection, ConformanceFault> {
    let key = context.private_key_pem.take().map(|pem| {
        let algorithm = context.signing_algorithm.as_deref().unwrap_or("ES256");
        AssertionKey::parse(&Secret::presented(pem), algorithm, None)
    });
    let key = key.transpose()?;
    let profile = profile(&args.scenario, &mut context, key.is_some());
    let means = means(&args.scenario, &http, context)?;
    let connection = Connection::new(args.server.clone(), http, Arc::new(profile), means);
    Ok(match key {
        Some(key) => connection.prove_by(key),
        None => connection,
    })
}

fn profile(scenario: &str, context: &mut Context, has_key: bool) -> Profile {
    let pre_registered = context.client_id.take().map(|client_id| PreRegistered {
        issuer: context.issuer.take(),
        client_id,
        secret: context.client_secret.take().map(Secret::presented),
        method: has_key.then_some(AuthMethod::PrivateKeyJwt),
    });
    Profile {
        name: "mcp-oauth conformance".to_owned(),
        uri: None,
        application: ApplicationType::Native,
        metadata_document: Url::parse(DOCUMENT).ok(),
        pre_registered: pre_registered.into_iter().collect(),
        software_id: None,
        bound_tokens: scenario.starts_with("auth/dpop"),
    }
}

fn means(scenario: &str, http: &Http, context: Context) -> Result<Means, ConformanceFault> {
    if let Some(assertion) = context.valid_jwt {
        return Ok(Means::Workload(Arc::new(Given(assertion))));
    }
    if let Some(id_token) = context.idp_id_token {
        let issuer = context.idp_issuer.ok_or(ConformanceFault::Lacks("idp_issuer"))?;
        let client_id = context
            .idp_client_id
            .ok_or(ConformanceFault::Lacks("idp_client_id"))?;
        let endpoint = context.idp_token_endpoint;
        let endpoint = endpoint.ok_or(ConformanceFault::Lacks("idp_token_endpoint"))?;
        let enterprise = Enterprise {
            identity: public(&issuer, client_id),
            issuer,
            token_endpoint: endpoint,
            key: None,
            id_token: Arc::new(Given(id_token)),
        };
        return Ok(Means::Enterprise(Arc::new(enterprise)));
    }
    if scenario.starts_with("auth/client-credentials") {
        return Ok(Means::Client);
    }
    Ok(Means::Person(Arc::new(Redirected(http.clone()))))
}

fn public(issuer: &str, client_id: String) -> Identity {
    Identity {
        issuer: issuer.to_owned(),
        client_id,
        method: AuthMethod::None,
        secret: None,
        secret_expires_at: None,
        origin: IdentityOrigin::PreRegistered,
        redirect_uris: Vec::new(),
        management: None,
    }
}

/// What the suite gives as the word of the platform, or of the identity provider.
struct Given(String);

#[async_trait]
impl Assertions for Given {
    async fn assertion(&self, _: &str) -> Result<Secret, UserAgentFault> {
        Ok(Secret::presented(self.0.clone()))
    }
}

/// A browser whose person consents at once: the suite's servers answer with the redirect.
struct Redirected(Http);

#[async_trait]
impl UserAgent for Redirected {
    async fn redirect_uri(&self) -> Result<String, UserAgentFault> {
        Ok(REDIRECT.to_owned())
    }

    async fn visit(&self, url: &Url) -> Result<Url, UserAgentFault> {
        let failed = |fault: HttpFault| UserAgentFault(fault.to_string());
        let request = self.0.request(Method::GET, url.clone()).build();
        let request = request.map_err(|_| UserAgentFault("the address cannot be opened".to_owned()))?;
        let answer = self.0.call(request).await.map_err(failed)?;
        let nowhere = || UserAgentFault(format!("no redirect came, but status {}", answer.status));
        answer.location().ok_or_else(nowhere)
    }
}
