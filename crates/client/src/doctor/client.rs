//! The clients whose steps are taken, and what is known about each.

use serde::Serialize;
use serde_json::{Value, json};

/// A client that people use. `docs/clients.md` says what each of them sends and needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// Claude on the web, on the desktop and on mobile devices.
    Claude,
    /// Claude Code.
    ClaudeCode,
    /// `ChatGPT`.
    #[serde(rename = "chatgpt")]
    ChatGpt,
    /// Cursor.
    Cursor,
    /// Visual Studio Code and Copilot.
    #[serde(rename = "vscode")]
    VsCode,
    /// Gemini CLI.
    GeminiCli,
    /// MCP Inspector, in a browser.
    Inspector,
    /// Any client of revision 2025-03-26.
    #[serde(rename = "revision-2025-03-26")]
    Legacy,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Claude,
        Self::ClaudeCode,
        Self::ChatGpt,
        Self::Cursor,
        Self::VsCode,
        Self::GeminiCli,
        Self::Inspector,
        Self::Legacy,
    ];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claude => "Claude",
            Self::ClaudeCode => "Claude Code",
            Self::ChatGpt => "ChatGPT",
            Self::Cursor => "Cursor",
            Self::VsCode => "VS Code",
            Self::GeminiCli => "Gemini CLI",
            Self::Inspector => "MCP Inspector",
            Self::Legacy => "revision 2025-03-26",
        }
    }

    /// Those of a revision that knows protected resource metadata.
    pub(super) fn modern() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|client| *client != Self::Legacy)
    }

    /// Whether it compares the metadata's `resource` with the address it was given, and takes nothing above it.
    pub(super) const fn compares_resource(self) -> bool {
        matches!(self, Self::Claude | Self::VsCode | Self::GeminiCli)
    }

    /// Whether it asks the well-known address with the server's path before any other.
    pub(super) const fn begins_at_path(self) -> bool {
        matches!(self, Self::Claude)
    }

    /// How it proves itself if it is known by a metadata document.
    pub(super) const fn document_method(self) -> Option<&'static str> {
        match self {
            Self::Claude | Self::ClaudeCode | Self::VsCode => Some("none"),
            Self::ChatGpt => Some("private_key_jwt"),
            Self::Cursor | Self::GeminiCli | Self::Inspector | Self::Legacy => None,
        }
    }

    /// What it sends to register itself, under a name that says who really asks.
    pub(super) fn registration(self) -> Value {
        let (redirects, kind): (&[&str], _) = match self {
            Self::Claude => (&["https://claude.ai/api/mcp/auth_callback"], "web"),
            Self::ClaudeCode => (&["http://localhost:53682/callback"], "native"),
            Self::ChatGpt => (&["https://chatgpt.com/connector_platform_oauth_redirect"], "web"),
            Self::Cursor => (
                &[
                    "cursor://anysphere.cursor-mcp/oauth/callback",
                    "https://www.cursor.com/agents/mcp/oauth/callback",
                    "http://localhost:8787/callback",
                ],
                "native",
            ),
            Self::VsCode => (
                &[
                    "https://insiders.vscode.dev/redirect",
                    "https://vscode.dev/redirect",
                    "http://127.0.0.1/",
                    "http://127.0.0.1:33418/",
                ],
                "native",
            ),
            Self::GeminiCli => (&["http://localhost:7777/oauth/callback"], "native"),
            Self::Inspector => (&["http://localhost:6274/oauth/callback"], "native"),
            Self::Legacy => (&["http://127.0.0.1:53682/callback"], "native"),
        };
        let mut body = json!({
            "client_name": format!("mcp-oauth doctor, as {}", self.name()),
            "redirect_uris": redirects,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        if self != Self::Legacy {
            body["application_type"] = kind.into();
        }
        body
    }
}
