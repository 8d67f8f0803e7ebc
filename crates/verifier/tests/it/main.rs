//! The verifier as a proxy and a client see it.

mod api_key;
mod cors;
mod fake;
mod forward_auth;
mod identity;
mod keys;
mod life;
mod log;
mod memberships;
mod metrics;
mod never;
mod personal_access_token;
mod rfc6750;
mod rfc8414;
mod rfc9068;
mod rfc9728;
mod ruled;
mod rules;
mod rules_by_body;
mod rules_model;
mod rules_property;
mod signer;
mod stand;
mod start;
mod store;
mod wire;
