//! What a gateway needs around it: a directory, and a GitHub.

use mcp_gateway_sandbox::{
    Running,
    github::{Handle, Options, StandInGithub},
};
use reqwest::Response;
use tempfile::TempDir;

use super::{
    agent::bearer,
    server::{Server, client, free_port},
};

/// What is protected.
pub(crate) const RESOURCE: &str = "https://echo.gateway.test/mcp";
/// The secret of the app at GitHub.
pub(crate) const GITHUB_SECRET: &str = "github-app-secret-7f3a9c51";

/// A directory and a stand-in GitHub.
pub(crate) struct Stage {
    pub(crate) directory: TempDir,
    pub(crate) github: Handle,
    address: String,
    _running: Running,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let github = StandInGithub::new(Options::new("the-app", GITHUB_SECRET));
        let running = github.start().unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            github: github.handle(),
            address: running.url(),
            _running: running,
        }
    }

    /// The settings of an authorization server whose issuer is at `port`, and further ones.
    pub(crate) fn settings(&self, port: u16, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = [
            ("GITHUB_CLIENT_ID", "the-app"),
            ("GITHUB_CLIENT_SECRET", GITHUB_SECRET),
            ("GITHUB_WEB_URL", &self.address),
            ("GITHUB_API_URL", &self.address),
            ("ALLOWED_GITHUB_USERS", "octocat"),
        ];
        let own = own.iter().chain(&COMMON).chain(more).copied();
        owned(own.collect::<Vec<_>>().as_slice(), port)
    }

    /// `serve` with its state in a directory, and further settings.
    pub(crate) async fn serve(&self, more: &[(&str, &str)]) -> Server {
        self.serve_at(free_port(), more).await
    }

    /// The same on a port of the caller's.
    pub(crate) async fn serve_at(&self, port: u16, more: &[(&str, &str)]) -> Server {
        let settings = self.settings(port, &[&[("DATA_DIR", "data")], more].concat());
        Server::start(self.directory.path(), "serve", port, &settings).await
    }

    /// The settings that an operator's commands need to find that state.
    pub(crate) fn operator(&self, port: u16) -> Vec<(String, String)> {
        self.settings(port, &[("DATA_DIR", "data")])
    }
}

/// What every process of a gateway is told.
const COMMON: [(&str, &str); 2] = [("DEFAULT_RESOURCE", RESOURCE), ("SHUTDOWN_DELAY", "0")];

fn owned(settings: &[(&str, &str)], issuer_port: u16) -> Vec<(String, String)> {
    let issuer = ("MCP_OAUTH_ISSUER".to_owned(), issuer(issuer_port));
    let all = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    std::iter::once(issuer).chain(all).collect()
}

/// The settings of a verifier of tokens whose issuer is at `issuer_port`, and further ones.
pub(crate) fn verifier_settings(issuer_port: u16, more: &[(&str, &str)]) -> Vec<(String, String)> {
    owned(&[&COMMON[..], more].concat(), issuer_port)
}

/// The issuer of an authorization server at `port`.
pub(crate) fn issuer(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// Asks as ForwardAuth does, about a request for the protected server with this token.
pub(crate) async fn verify(server: &Server, token: &str) -> Response {
    let request = client()
        .get(server.at("/verify"))
        .header("x-forwarded-method", "POST")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "echo.gateway.test")
        .header("x-forwarded-uri", "/mcp")
        .header("x-forwarded-for", "203.0.113.9")
        .header("authorization", bearer(token));
    request.send().await.unwrap()
}
