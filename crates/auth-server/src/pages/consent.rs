//! The consent page: who asks, where the answer goes, for what. Shown before every trip to GitHub and instead of it.

use askama::Template;
use mcp_gateway_model::{
    client::{Client, ClientOrigin},
    redirect::{RedirectKind, RedirectUri},
    resource::{ResourceUri, Target},
    scope::{IDENTITY, OFFLINE_ACCESS, ScopeSet},
};
use url::Url;

use super::{Frame, text};
use crate::{device::UserCode, documents};

/// The client, as far as a person can judge it.
pub(crate) struct Asker {
    /// Its name, which anybody can claim.
    name: Option<String>,
    /// Its identifier.
    id: String,
    /// The host where it is described, which nobody else can claim.
    publisher: Option<String>,
    /// Whether the operator entered it.
    is_entered: bool,
}

impl Asker {
    /// What is shown of `client`.
    pub(crate) fn of(client: &Client) -> Self {
        let name = client.metadata.client_name.as_deref().unwrap_or_default();
        // A host is never cut: whose it is stands at its end.
        let publisher = (client.origin == ClientOrigin::MetadataDocument)
            .then(|| documents::host_of(&client.id))
            .flatten();
        let host = publisher.as_ref().map_or(0, |host| "https://".len() + host.len());
        Self {
            name: Some(text::shown(name, 80)).filter(|name| !name.is_empty()),
            id: text::shown(client.id.as_str(), host + 80),
            publisher,
            is_entered: client.origin == ClientOrigin::PreRegistered,
        }
    }
}

/// Where the answer goes: the one thing about a client that cannot be made up.
pub(crate) struct Destination {
    host: String,
    is_loopback: bool,
    is_private_use: bool,
    /// The code that a device shows which waits for the answer.
    device: Option<String>,
}

impl Destination {
    /// What is shown of `uri`.
    pub(crate) fn of(uri: &RedirectUri) -> Self {
        let port = Url::parse(uri.as_str()).ok().and_then(|url| url.port());
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Self {
            host: format!("{}{port}", uri.shown_host()),
            is_loopback: uri.kind() == RedirectKind::Loopback,
            is_private_use: uri.kind() == RedirectKind::PrivateUse,
            device: None,
        }
    }

    /// A device that shows this code.
    pub(crate) fn device(code: &UserCode) -> Self {
        Self {
            host: String::new(),
            is_loopback: false,
            is_private_use: false,
            device: Some(code.to_string()),
        }
    }
}

/// One scope in words.
struct Permission {
    words: &'static str,
    /// The scope itself, where words do not say it all.
    scope: Option<String>,
}

impl Permission {
    fn of(scope: &str) -> Self {
        let plain = |words| Self { words, scope: None };
        let with_scope = |words| Self {
            words,
            scope: Some(text::shown(scope, 80)),
        };
        match scope {
            OFFLINE_ACCESS => plain("Stay connected while you are away"),
            "openid" => plain("Know who you are"),
            "profile" => plain("Know your name on GitHub"),
            "email" => plain("Know your public e-mail address"),
            // what these open, the operator decides
            "read" => with_scope("Read in your name"),
            "write" => with_scope("Change things in your name"),
            "admin" => with_scope("Administer the server in your name"),
            _ => with_scope("Use the scope"),
        }
    }
}

/// All that a token opens: for a host without a path, whatever is there, however narrow the URI that was asked for.
fn all_of(identity: &ResourceUri) -> String {
    if identity.path().is_empty() {
        format!("everything at {}", identity.authority())
    } else {
        identity.to_string()
    }
}

/// The page.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    /// What is around it.
    pub(crate) frame: Frame<'a>,
    /// Who asks.
    pub(crate) asker: Asker,
    /// Where the answer goes.
    pub(crate) destination: Destination,
    /// The server's name, if it has one.
    pub(crate) resource_name: Option<String>,
    /// All that is opened.
    pub(crate) resource: String,
    permissions: Vec<Permission>,
    /// As whom the person is logged in.
    pub(crate) logged_in: Option<String>,
    /// The hidden fields of the form.
    pub(crate) fields: [(&'static str, String); 3],
    /// The authorization request, so that it can be made again with another account.
    pub(crate) request: &'a str,
}

impl<'a> ConsentPage<'a> {
    /// A page for a request for `scopes` at `target`.
    pub(crate) fn new(frame: Frame<'a>, client: &Client, destination: Destination, target: &Target) -> Self {
        let name = target.protected.resource.name.as_deref().unwrap_or_default();
        Self {
            frame,
            asker: Asker::of(client),
            destination,
            resource_name: Some(text::shown(name, 80)).filter(|name| !name.is_empty()),
            resource: text::shown(&all_of(&target.protected.identity), 200),
            permissions: Vec::new(),
            logged_in: None,
            fields: [
                ("login", String::new()),
                ("token", String::new()),
                ("account", String::new()),
            ],
            request: "",
        }
    }

    /// With what is asked for: first what opens the server, then the rest.
    pub(crate) fn asking_for(mut self, scopes: &ScopeSet) -> Self {
        let opens = |scope: &&str| *scope != OFFLINE_ACCESS && !IDENTITY.contains(scope);
        let (first, mut rest): (Vec<_>, Vec<_>) = scopes.iter().partition(opens);
        // who the person is, in the order in which one tells it; then for how long
        rest.sort_by_key(|scope| {
            IDENTITY
                .iter()
                .position(|known| known == scope)
                .unwrap_or(IDENTITY.len())
        });
        self.permissions = first.into_iter().chain(rest).map(Permission::of).collect();
        self
    }
}
