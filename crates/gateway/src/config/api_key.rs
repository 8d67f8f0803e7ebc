//! The one key that the operator may configure for programs that can nothing else.

use mcp_gateway_model::{
    resource::{ResourceUri, Resources},
    scope::ScopeSet,
    secret::Digest,
};
use mcp_gateway_verifier::ApiKey;

use super::{Role, reader::Reader};

const KEY: &str = "MCP_API_KEY";
const RESOURCES: &str = "MCP_API_KEY_RESOURCES";
const SCOPES: &str = "MCP_API_KEY_SCOPES";
/// How many characters the key needs.
const STRONG: usize = 32;
/// How many it may have; a longer bearer token is not looked at.
const LONGEST: usize = 4096;

/// The key, what it opens and what it allows. Only a verifier takes it; the authorization server checks that it is written
/// down rightly.
pub(super) fn read(r: &mut Reader<'_>, resources: &Resources, role: Role) -> Option<ApiKey> {
    let Some(digest) = r.parsed(KEY, digest) else {
        for name in [RESOURCES, SCOPES] {
            if role != Role::AuthServer && !r.has(KEY) && r.has(name) {
                r.warnings.push(format!("{name} has no effect: {KEY} is not set"));
            }
        }
        return None;
    };
    for name in [RESOURCES, SCOPES] {
        if !r.has(name) {
            r.faults
                .add(name, "is not set, and MCP_API_KEY is: say what the key opens");
        }
    }
    let scopes = r.parsed(SCOPES, |text| ScopeSet::parse(&text.replace([',', '\t'], " ")));
    let wanted = scopes.clone().unwrap_or_default();
    let audiences = r.parsed(RESOURCES, |text| {
        let named = text.split([',', ' ', '\t']).filter(|uri| !uri.is_empty());
        named
            .map(|uri| one(uri, resources, &wanted))
            .collect::<Result<Vec<_>, _>>()
    });
    let key = ApiKey {
        digest,
        audiences: audiences?,
        scopes: scopes?,
    };
    (role != Role::AuthServer).then_some(key)
}

/// The SHA-256 of a key that can be sent as a bearer token (RFC 6750 §2.1).
fn digest(text: &str) -> Result<Digest, &'static str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if text.len() < STRONG {
        return Err("must have 32 characters or more; try: openssl rand -hex 32");
    }
    if text.len() > LONGEST {
        return Err("must have at most 4096 characters");
    }
    if !text.trim_end_matches('=').bytes().all(fits) {
        return Err(
            "may have letters, digits and -._~+/ only, and = at the end: it is sent as a bearer token; try: openssl rand -hex 32",
        );
    }
    Ok(Digest::of(text.as_bytes()))
}

/// One server that the key opens, and that has all the scopes.
fn one(uri: &str, resources: &Resources, wanted: &ScopeSet) -> Result<ResourceUri, String> {
    if uri.contains('*') {
        return Err(format!("{uri} is a pattern: name each server itself"));
    }
    let target = resources
        .resolve(Some(uri))
        .map_err(|error| format!("{uri}: {error}"))?;
    let offered = &target.protected.resource.scopes;
    let missing = wanted.filter(|scope| !offered.contains(scope));
    if missing.is_empty() {
        Ok(target.audience)
    } else {
        Err(format!(
            "{uri} does not have the scopes {missing} of {SCOPES}: it has {offered}"
        ))
    }
}
