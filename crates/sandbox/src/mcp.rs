//! A sample MCP server over Streamable HTTP.
