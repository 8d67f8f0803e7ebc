//! The settings of `dev`.

use super::variables::{Variable, entry, plain, secret};

/// The settings of `dev`, in the names of the OAuth MCP demo, whose place it takes.
pub(crate) const VARIABLES: &[Variable] = &[
    plain(
        "OAUTH_SERVER_HOST",
        "127.0.0.1",
        "where the gateway listens: an address of this machine only; --host",
    ),
    plain(
        "OAUTH_SERVER_PORT",
        "5000",
        "its port; 0 takes a free one; --port",
    ),
    plain(
        "OAUTH_ISSUER",
        "from OAUTH_SERVER_HOST and OAUTH_SERVER_PORT",
        "the issuer: http, a name of this machine, the port of the gateway",
    ),
    plain(
        "MCP_SERVER_HOST",
        "127.0.0.1",
        "where the sample MCP server listens and protects itself: an address of this machine only",
    ),
    plain(
        "MCP_SERVER_PORT",
        "5001",
        "its port; 0 takes a free one; --mcp-port",
    ),
    plain(
        "MCP_SERVER_URL",
        "from MCP_SERVER_HOST and MCP_SERVER_PORT",
        "its URL, and the audience of its tokens: http, a name of this machine, its port",
    ),
    secret(
        "SECRET_KEY",
        "seals what is kept and authenticates refresh tokens, as JWT_SECRET does for serve: 32 characters or more",
    ),
    plain(
        "DEMO_MODE",
        "false",
        "true: ask nobody, neither for a login nor for consent, and register the demo's client; --auto-approve",
    ),
    plain("DEMO_CLIENT_ID", "demo_client", "the id of the demo's client"),
    secret(
        "DEMO_CLIENT_SECRET",
        "its secret, 32 characters or more; made anew at each start if it is not set",
    ),
    plain(
        "DEMO_AUTHORIZATION_CODE",
        "",
        "refused: every authorization has a code of its own",
    ),
];

/// The table for the `--help` of `dev`.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "Environment variables (also read from .env in the working directory). As soon as one is set that says where a server is, the sample MCP server has an address of its own and protects itself there:\n",
    );
    for v in VARIABLES {
        entry(&mut text, v, "");
    }
    text
}
