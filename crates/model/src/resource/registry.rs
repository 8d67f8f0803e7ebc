//! Which resources there are, and which of them something means.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use super::{
    host::Host,
    uri::{BadResource, ResourceUri},
};
use crate::{
    access::{Allow, Watched},
    rule::{Policy, Rule},
    scope::{Hierarchy, ScopeSet},
};

/// A protected MCP server as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its URI. A wildcard's stands for the pattern and is never an audience.
    pub uri: ResourceUri,
    /// A name for people.
    pub name: Option<String>,
    /// What can be asked for.
    pub scopes: ScopeSet,
    /// What somebody is granted who asks for nothing in particular.
    pub default_scopes: ScopeSet,
    /// Who may use it, of those who may log in at all; `None` for all of them.
    pub allow: Option<Allow>,
    /// What requests need.
    pub policy: Policy,
}

impl Resource {
    /// A resource with the usual scopes and no rules: any valid token opens it.
    #[must_use]
    pub fn new(uri: ResourceUri, name: Option<String>) -> Self {
        let (scopes, hierarchy) = (ScopeSet::usual(), Hierarchy::default());
        Self {
            uri,
            name,
            default_scopes: hierarchy.lowest(&scopes),
            policy: Policy::new(&scopes, &ScopeSet::default(), Vec::new(), &hierarchy),
            scopes,
            allow: None,
        }
    }

    /// With a catalogue and rules of its own. Without `default_scopes` a request that no rule matches needs no scope, and
    /// who asks for nothing in particular is granted the lowest scopes of the catalogue.
    #[must_use]
    pub fn governed(
        self,
        scopes: ScopeSet,
        default_scopes: Option<ScopeSet>,
        rules: Vec<Rule>,
        hierarchy: &Hierarchy,
    ) -> Self {
        let unmatched = default_scopes.clone().unwrap_or_default();
        Self {
            policy: Policy::new(&scopes, &unmatched, rules, hierarchy),
            default_scopes: default_scopes.unwrap_or_else(|| hierarchy.lowest(&scopes)),
            scopes,
            ..self
        }
    }
}

/// Every host with one label below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    scheme: String,
    /// With the leading dot, and the port if it is not the scheme's own.
    suffix: String,
    resource: Arc<Resource>,
}

impl Wildcard {
    /// Reads a pattern such as `https://*.example.com`.
    ///
    /// # Errors
    /// [`BadResource`] when it is not `scheme://*.` and a domain, without a path.
    pub fn parse(pattern: &str) -> Result<Self, BadResource> {
        let plain = pattern.replacen("://*.", "://wildcard.", 1);
        if plain == pattern || plain.contains('*') {
            return Err(BadResource::NotAbsolute);
        }
        let uri = ResourceUri::parse_allowing_http(&plain)?;
        if !uri.path().is_empty() {
            return Err(BadResource::NotAbsolute);
        }
        let suffix = uri.authority().trim_start_matches("wildcard").to_owned();
        Ok(Self {
            scheme: uri.scheme().to_owned(),
            suffix,
            resource: Arc::new(Resource::new(uri, None)),
        })
    }

    /// With a list of who may use what is there.
    #[must_use]
    pub fn allowing(mut self, allow: Option<Allow>) -> Self {
        Arc::make_mut(&mut self.resource).allow = allow;
        self
    }

    /// With everything else that a resource can have.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(Resource) -> Resource) -> Self {
        self.resource = Arc::new(change(Arc::unwrap_or_clone(self.resource)));
        self
    }

    /// How each host below is configured.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    pub(super) fn shared(&self) -> Arc<Resource> {
        Arc::clone(&self.resource)
    }

    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }

    fn covers(&self, authority: &str) -> bool {
        authority.strip_suffix(&self.suffix).is_some_and(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    }
}

impl std::fmt::Display for Wildcard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://*{}", self.scheme, self.suffix)
    }
}

/// The resource that a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// What is compared: the configured URI, or below a wildcard the concrete origin.
    pub identity: ResourceUri,
    /// How it is configured.
    pub resource: Arc<Resource>,
    /// Whether the path decides that it is for this resource, or what it needs there.
    pub paths_matter: bool,
    /// Whether the host is one below a wildcard, so that every address there is an audience.
    pub(super) is_below_wildcard: bool,
}

/// The resource that a `resource` parameter means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The resource.
    pub protected: Arc<Protected>,
    /// What goes into `aud`: the configured URI, or below a wildcard the one that was asked for.
    pub audience: ResourceUri,
}

/// All resources.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    configured: Vec<Arc<Resource>>,
    /// The hosts of what is configured, by authority.
    hosts: HashMap<String, Arc<Host>>,
    wildcards: Vec<Wildcard>,
    issuer_authority: String,
    default: Option<ResourceUri>,
}

impl Resources {
    /// The resources of a configuration. The issuer's own host is never below a wildcard.
    #[must_use]
    pub fn new(configured: Vec<Resource>, wildcards: Vec<Wildcard>, issuer_authority: &str) -> Self {
        let configured: Vec<_> = configured.into_iter().map(Arc::new).collect();
        Self {
            hosts: hosts(&configured),
            configured,
            wildcards,
            issuer_authority: issuer_authority.to_owned(),
            default: None,
        }
    }

    /// Sets what a client that sends no `resource` means (`DEFAULT_RESOURCE`).
    ///
    /// # Errors
    /// [`BadTarget`] when it is none of the resources.
    pub fn with_default(mut self, default: &str) -> Result<Self, BadTarget> {
        self.default = Some(self.named(default)?.audience);
        Ok(self)
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.configured.is_empty() && self.wildcards.is_empty()
    }

    /// The configured ones, without wildcards.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.configured.iter()
    }

    /// The wildcards.
    pub fn wildcards(&self) -> impl Iterator<Item = &Wildcard> {
        self.wildcards.iter()
    }

    /// Everything that can be asked for at any resource.
    #[must_use]
    pub fn all_scopes(&self) -> ScopeSet {
        let wildcards = self.wildcards.iter().map(|w| &w.resource);
        self.configured
            .iter()
            .chain(wildcards)
            .fold(ScopeSet::default(), |all, r| all.union(&r.scopes))
    }

    /// All organisations and teams that decide at any resource.
    #[must_use]
    pub fn watched(&self) -> Watched {
        let mut watched = Watched::default();
        let wildcards = self.wildcards.iter().map(|w| &w.resource);
        for resource in self.configured.iter().chain(wildcards) {
            resource.allow.iter().for_each(|allow| watched.add(allow));
        }
        watched
    }

    /// Whether `authority` (host, and port if it is not the default) belongs to a protected server.
    #[must_use]
    pub fn protects_host(&self, authority: &str) -> bool {
        let authority = canonical_authority(authority);
        self.hosts.contains_key(authority.as_ref()) || self.wildcard(&authority).is_some()
    }

    /// How an authority (host, and port if there is one) is written here: in lower case, without a port that is either scheme's own.
    #[must_use]
    pub fn canonical(authority: &str) -> Cow<'_, str> {
        canonical_authority(authority)
    }

    /// The host with everything that is protected there. A host below a wildcard is made anew each time; whoever asks often
    /// keeps it.
    #[must_use]
    pub fn host(&self, authority: &str) -> Option<Arc<Host>> {
        let authority = canonical_authority(authority);
        if let Some(host) = self.hosts.get(authority.as_ref()) {
            return Some(Arc::clone(host));
        }
        let wildcard = self.wildcard(&authority)?;
        Some(Arc::new(Host::below(wildcard, &authority)))
    }

    /// The resource that a request to `path` (without query) at `authority` is for. The scheme decides nothing here:
    /// TLS may end in front of the proxy. `None` also for paths that the server behind might read differently.
    #[must_use]
    pub fn at(&self, authority: &str, path: &str) -> Option<Arc<Protected>> {
        self.host(authority)?.at(path).cloned()
    }

    /// The resource at the root of a host: the one there, or the only one of the host.
    #[must_use]
    pub fn only_one_on(&self, authority: &str) -> Option<Arc<Protected>> {
        let host = self.host(authority)?;
        host.at("").or_else(|| host.only_one()).cloned()
    }

    /// The resource that an `aud` means, if it is still one.
    #[must_use]
    pub fn of_audience(&self, audience: &str) -> Option<Arc<Protected>> {
        self.named(audience).ok().map(|target| target.protected)
    }

    /// Whether an `aud` means this resource: resources are compared, not strings.
    #[must_use]
    pub fn is_audience_of(&self, audience: &str, protected: &Protected) -> bool {
        // what its URI means needs no looking up
        audience == protected.identity.as_str()
            || self
                .of_audience(audience)
                .is_some_and(|meant| meant.identity == protected.identity)
    }

    /// What the `resource` parameter of a request means (RFC 8707 §2).
    ///
    /// # Errors
    /// [`BadTarget`] when it is none of the resources, or missing and nothing says which is meant.
    pub fn resolve(&self, requested: Option<&str>) -> Result<Target, BadTarget> {
        if let Some(text) = requested {
            return self.named(text);
        }
        match (&self.default, self.configured.as_slice()) {
            (Some(default), _) => self.named(default.as_str()),
            (None, [only]) => self.named(only.uri.as_str()),
            (None, _) => Err(BadTarget::Missing),
        }
    }

    fn named(&self, text: &str) -> Result<Target, BadTarget> {
        let uri = ResourceUri::parse_allowing_http(text).map_err(BadTarget::Malformed)?;
        let protected = self.at(uri.authority(), uri.path());
        let protected = match protected {
            None if uri.path().is_empty() => self.only_one_on(uri.authority()),
            other => other,
        };
        let protected = protected
            .filter(|p| p.identity.scheme() == uri.scheme())
            .ok_or(BadTarget::Unknown)?;
        let audience = if protected.is_below_wildcard {
            uri
        } else {
            protected.identity.clone()
        };
        Ok(Target { protected, audience })
    }

    fn wildcard(&self, authority: &str) -> Option<&Wildcard> {
        if host_of(authority) == host_of(&self.issuer_authority) {
            return None;
        }
        self.wildcards.iter().find(|w| w.covers(authority))
    }
}

/// The host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// What is configured, host by host.
fn hosts(configured: &[Arc<Resource>]) -> HashMap<String, Arc<Host>> {
    let mut there: HashMap<String, Vec<Arc<Resource>>> = HashMap::new();
    for resource in configured {
        let resources = there.entry(resource.uri.authority().to_owned()).or_default();
        resources.push(Arc::clone(resource));
    }
    there
        .into_iter()
        .map(|(authority, resources)| (authority, Arc::new(Host::of(&resources))))
        .collect()
}

/// Lower case, without a port that is either scheme's own.
fn canonical_authority(authority: &str) -> Cow<'_, str> {
    let bare = authority
        .strip_suffix(":443")
        .or_else(|| authority.strip_suffix(":80"))
        .unwrap_or(authority);
    if bare.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(bare.to_ascii_lowercase())
    } else {
        Cow::Borrowed(bare)
    }
}

/// Why a `resource` parameter means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// It is not a URI that a resource can have.
    #[error("resource {0}")]
    Malformed(BadResource),
    /// There is no such resource.
    #[error("resource is not a server that this gateway protects")]
    Unknown,
    /// None was sent, and neither is there just one nor a default.
    #[error(
        "resource is missing: send the URL of the MCP server (RFC 8707), or let the operator set DEFAULT_RESOURCE"
    )]
    Missing,
}

#[cfg(test)]
mod tests;
