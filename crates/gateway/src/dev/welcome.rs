//! What `dev` prints.

/// What was started, and what to do with it.
pub(super) fn text(
    origin: &str,
    github: &str,
    users: &[String],
    data_dir: Option<&std::path::Path>,
) -> String {
    let kept = data_dir.map_or_else(
        || "in memory: everything is forgotten at the end".to_owned(),
        |directory| format!("in {}", directory.display()),
    );
    format!(
        "MCP OAuth Gateway, development mode (this machine only)

  MCP server        {origin}/mcp
  gateway           {origin}
  stand-in GitHub   {github}   users: {users}
  state             {kept}

Add it to an MCP client:

  claude mcp add --transport http gateway-sample {origin}/mcp

Logging in shows the stand-in's page: choose a user, allow the client.
Stop with Ctrl-C.",
        users = users.join(", "),
    )
}
