//! What `dev` prints.

use super::demo::Demo;

/// What was started.
pub(super) struct Started<'a> {
    /// The gateway's origin.
    pub(super) gateway: &'a str,
    /// The sample MCP server's, if it protects itself.
    pub(super) alone: Option<&'a str>,
    /// The stand-in GitHub's.
    pub(super) github: &'a str,
    /// Who can log in there.
    pub(super) users: &'a [String],
    /// Where the state is.
    pub(super) data_dir: Option<&'a std::path::Path>,
    /// Whether nobody is asked.
    pub(super) demo: Option<&'a Demo>,
}

/// What was started, and what to do with it.
pub(super) fn text(started: &Started<'_>) -> String {
    let Started {
        gateway,
        github,
        demo,
        ..
    } = started;
    let kept = started.data_dir.map_or_else(
        || "in memory: everything is forgotten at the end".to_owned(),
        |directory| format!("in {}", directory.display()),
    );
    let users = started.users.join(", ");
    let (mcp, server) = match started.alone {
        Some(alone) => (
            format!("{alone}/mcp"),
            format!("{alone}/mcp   (checks tokens itself; also {alone}/mcp/v1 and {alone}/api/data)"),
        ),
        None => (format!("{gateway}/mcp"), format!("{gateway}/mcp")),
    };
    let login = demo.map_or_else(
        || "Logging in shows the stand-in's page: choose a user, allow the client.".to_owned(),
        auto_approve,
    );
    format!(
        "MCP OAuth Gateway, development mode (this machine only)

  MCP server        {server}
  gateway           {gateway}
  stand-in GitHub   {github}   users: {users}
  state             {kept}

Add it to an MCP client:

  claude mcp add --transport http gateway-sample {mcp}

{login}
Stop with Ctrl-C."
    )
}

fn auto_approve(demo: &Demo) -> String {
    let Demo {
        user,
        client_id,
        client_secret,
    } = demo;
    format!(
        "AUTO-APPROVE IS ON: nobody is asked for a login or for consent. Whatever runs on this machine gets
tokens in the name of {user}. Use it for trying things, never for anything that matters.

  client            {client_id}
  its secret        {client_secret}
"
    )
}
