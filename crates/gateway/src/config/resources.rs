//! Who we are and what is protected.

use config::{Map, Value};
use mcp_gateway_auth_server::settings::ResourceServer;
use mcp_gateway_model::{
    issuer::Issuer,
    resource::{Resource, ResourceUri, Resources, Wildcard},
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
};

use super::{
    Listen, Role, allow,
    reader::Reader,
    rules::{self, Governing},
    sources::read_secret,
};

/// Keys of `[[resource]]` besides those about scopes.
const KEYS: [&str; 4] = ["uri", "name", "allow", "introspection_secret_file"];
/// How many bytes the secret of a resource server needs.
const STRONG: usize = 32;

/// The issuer: given, from `BASE_DOMAIN`, or on loopback.
pub(super) fn issuer(r: &mut Reader<'_>, listen: &Listen) -> Option<Issuer> {
    let from_domain = r.parsed("BASE_DOMAIN", |domain| {
        Issuer::parse(&format!("https://auth.{domain}"))
            .ok()
            .filter(|_| is_domain(domain))
            .ok_or("must be a domain such as example.com, without https:// and without a path")
    });
    if r.has("MCP_OAUTH_ISSUER") {
        return r.parsed("MCP_OAUTH_ISSUER", Issuer::parse);
    }
    if r.has("BASE_DOMAIN") {
        return from_domain;
    }
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    Issuer::parse(&format!("{scheme}://localhost:{}", listen.port)).ok()
}

/// Labels of letters, digits and hyphens, and perhaps a port.
fn is_domain(text: &str) -> bool {
    let (name, port) = text
        .split_once(':')
        .map_or((text, None), |(name, port)| (name, Some(port)));
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    name.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// What is protected, and which protected servers may ask about tokens.
pub(super) fn read(
    r: &mut Reader<'_>,
    issuer: Option<&Issuer>,
    role: Role,
) -> (Resources, Vec<ResourceServer>) {
    let hierarchy = rules::hierarchy(r);
    let mut found = Found::default();
    for (index, table) in r.sources.resources.iter().enumerate() {
        one(
            r,
            &format!("resource {}", index + 1),
            (table, &hierarchy),
            &mut found,
        );
    }
    let usual = |resource: Resource| resource.governed(ScopeSet::usual(), None, Vec::new(), &hierarchy);
    let none = r.sources.resources.is_empty();
    if none
        && let Some(wildcard) = r
            .text("BASE_DOMAIN")
            .map(|domain| Wildcard::parse(&format!("https://*.{domain}")))
    {
        found
            .wildcards
            .extend(wildcard.ok().map(|wildcard| wildcard.with(usual)));
    }
    let default = r.text("DEFAULT_RESOURCE").map(str::to_owned);
    if none && found.wildcards.is_empty() {
        let only = r.parsed("DEFAULT_RESOURCE", ResourceUri::parse);
        found
            .configured
            .extend(only.map(|uri| usual(Resource::new(uri, None))));
        if default.is_none() && !r.has("BASE_DOMAIN") {
            r.faults.add(
                "BASE_DOMAIN",
                "is not set, and no resource is configured: nothing would be protected (or set DEFAULT_RESOURCE, or [[resource]])",
            );
        }
    }
    let authority = issuer.map(Issuer::authority).unwrap_or_default();
    let resources = Resources::new(found.configured, found.wildcards, authority);
    let servers = if role == Role::Verifier {
        Vec::new()
    } else {
        found.servers
    };
    let Some(default) = default.filter(|_| !resources.is_empty()) else {
        return (resources, servers);
    };
    let with_default = resources.clone().with_default(&default);
    if with_default.is_err() {
        r.faults
            .add("DEFAULT_RESOURCE", "is none of the configured resources");
    }
    (with_default.unwrap_or(resources), servers)
}

#[derive(Default)]
struct Found {
    configured: Vec<Resource>,
    wildcards: Vec<Wildcard>,
    servers: Vec<ResourceServer>,
}

fn one(
    r: &mut Reader<'_>,
    setting: &str,
    (table, hierarchy): (&Map<String, Value>, &Hierarchy),
    found: &mut Found,
) {
    let keys = || KEYS.iter().chain(&rules::KEYS);
    for key in table.keys().filter(|key| !keys().any(|known| known == key)) {
        let all = keys().copied().collect::<Vec<_>>().join(", ");
        r.faults.add(
            format!("{setting}: {key}"),
            format!("is not a key of [[resource]]: there are {all}"),
        );
    }
    let text = |key: &str| table.get(key).and_then(|value| value.clone().into_string().ok());
    let Some(uri) = text("uri") else {
        return r.faults.add(format!("{setting}: uri"), "is not set");
    };
    let secret = text("introspection_secret_file")
        .and_then(|path| read_secret(&format!("{setting}: introspection_secret_file"), &path, r.faults));
    let allow = table
        .get("allow")
        .map(|value| allow::read(r, &format!("{setting}: allow"), value));
    if uri.contains("://*.") {
        if secret.is_some() {
            r.faults.add(
                format!("{setting}: introspection_secret_file"),
                "needs a concrete uri, not a wildcard",
            );
        }
        match Wildcard::parse(&uri) {
            Ok(_) if uri.starts_with("http:") => r.faults.add(
                format!("{setting}: uri"),
                "must be https; http is for loopback only",
            ),
            Ok(wildcard) => {
                let governing = Governing::read(r, setting, (table, ""), hierarchy);
                let governed = wildcard.with(|resource| governing.apply(resource));
                found.wildcards.push(governed.allowing(allow));
            }
            Err(_) => r.faults.add(
                format!("{setting}: uri"),
                "must be a pattern such as https://*.example.com",
            ),
        }
        return;
    }
    match ResourceUri::parse(&uri) {
        Ok(uri) if found.configured.iter().any(|known| known.uri == uri) => {
            r.faults.add(format!("{setting}: uri"), "is configured twice");
        }
        Ok(uri) => {
            let governing = Governing::read(r, setting, (table, uri.path()), hierarchy);
            found.configured.push(Resource {
                allow,
                ..governing.apply(Resource::new(uri.clone(), text("name")))
            });
            found
                .servers
                .extend(secret.and_then(|secret| server(r, setting, uri, secret)));
        }
        Err(error) => r.faults.add(format!("{setting}: uri"), error.to_string()),
    }
}

fn server(
    r: &mut Reader<'_>,
    setting: &str,
    resource: ResourceUri,
    secret: String,
) -> Option<ResourceServer> {
    if secret.len() < STRONG {
        r.faults.add(
            format!("{setting}: introspection_secret_file"),
            "must hold 32 bytes or more; try: openssl rand -base64 32",
        );
        return None;
    }
    Some(ResourceServer {
        resource,
        secret: Secret::presented(secret),
    })
}
