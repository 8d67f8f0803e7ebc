//! Protected MCP servers: their canonical URIs (RFC 8707 §2), and which of them a request or a `resource` parameter means.

mod host;
mod registry;
mod uri;

pub use host::Host;
pub use registry::{BadTarget, Protected, Resource, Resources, Target, Wildcard};
pub(crate) use uri::is_ambiguous;
pub use uri::{BadResource, ResourceUri};
