//! The Python predecessor, `mcp-oauth-dynamicclient`, on the same Redis and the same core.

use std::path::Path;

use mcp_gateway_model::{pkce::CodeChallenge, secret::random_text};
use mcp_gateway_store::testing::free_port;
use redis::pipe;
use serde_json::json;

use crate::{
    Answer,
    key::Key,
    process::Start,
    requests::{self, Registered},
    stage::{REDIRECT, Server, Stage, VERIFIER},
};

/// Its database.
const DATABASE: u8 = 7;

/// A running predecessor with a client of its own.
pub(crate) struct Predecessor {
    pub(crate) server: Server,
    pub(crate) client: Registered,
    /// An access token of its.
    pub(crate) token: String,
}

impl Predecessor {
    /// Starts it with the same key, registers a client, and exchanges a code.
    ///
    /// # Errors
    /// When any of that fails.
    pub(crate) async fn start(stage: &Stage, python: &Path, key: &Key) -> Answer<Self> {
        let python = std::path::absolute(python)?;
        let port = free_port();
        let arguments = [
            "-m",
            "mcp_oauth_dynamicclient",
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
        ];
        let start = Start {
            program: &python,
            arguments: arguments.map(str::to_owned).to_vec(),
            environment: environment(stage, key),
            directory: stage.directory.path(),
            core: Some(stage.cores.server),
        };
        let process = start.ready(port, "/.well-known/oauth-authorization-server")?;
        let server = Server { process, port };
        let client = Registered::at(port, "client_secret_post").await?;
        let codes = codes(stage, &client, 1)?;
        let exchange = requests::exchange(&codes[0], &client);
        let answer = requests::json(port, &exchange, 200).await?;
        let token = answer["access_token"]
            .as_str()
            .ok_or("the predecessor gave no token")?;
        Ok(Self {
            server,
            client,
            token: token.to_owned(),
        })
    }

    /// Exchanges of so many new codes.
    ///
    /// # Errors
    /// When Redis fails.
    pub(crate) fn exchanges(&self, stage: &Stage, count: usize) -> Answer<Vec<String>> {
        let codes = codes(stage, &self.client, count)?;
        Ok(codes
            .iter()
            .map(|code| requests::exchange(code, &self.client))
            .collect())
    }
}

fn environment(stage: &Stage, key: &Key) -> Vec<(String, String)> {
    let settings = [
        ("GITHUB_CLIENT_ID", "bench".to_owned()),
        ("GITHUB_CLIENT_SECRET", "bench".to_owned()),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
        ("JWT_ALGORITHM", "RS256".to_owned()),
        ("JWT_PRIVATE_KEY_B64", key.setting()),
        ("BASE_DOMAIN", "bench.test".to_owned()),
        ("REDIS_URL", format!("{}/{DATABASE}", stage.redis.url())),
        ("REDIS_PASSWORD", String::new()),
        ("ACCESS_TOKEN_LIFETIME", "86400".to_owned()),
        ("REFRESH_TOKEN_LIFETIME", "31536000".to_owned()),
        ("SESSION_TIMEOUT", "300".to_owned()),
        ("CLIENT_LIFETIME", "7776000".to_owned()),
        ("ALLOWED_GITHUB_USERS", "*".to_owned()),
        ("MCP_PROTOCOL_VERSION", "2025-06-18".to_owned()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Writes codes as it does after a login.
fn codes(stage: &Stage, client: &Registered, count: usize) -> Answer<Vec<String>> {
    let codes: Vec<_> = (0..count).map(|_| random_text::<32>()).collect();
    let record = json!({
        "client_id": client.id, "redirect_uri": REDIRECT, "scope": "openid profile email", "state": "state",
        "code_challenge": CodeChallenge::of(VERIFIER), "code_challenge_method": "S256",
        "user_id": "583231", "username": "octocat", "email": "octocat@bench.test", "name": "The Octocat",
    })
    .to_string();
    let mut connection = stage.database(DATABASE)?;
    for chunk in codes.chunks(1000) {
        let mut commands = pipe();
        for code in chunk {
            commands
                .cmd("SETEX")
                .arg(format!("oauth:code:{code}"))
                .arg(3600)
                .arg(&record)
                .ignore();
        }
        commands.exec(&mut connection)?;
    }
    Ok(codes)
}
