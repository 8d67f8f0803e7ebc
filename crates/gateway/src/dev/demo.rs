//! What the OAuth MCP demo has besides its two servers: nobody is asked anything, and a client is there from the start.

use std::{borrow::Cow, net::SocketAddr};

use mcp_gateway_auth_server::{AutoApprove, preregister::Entry};
use mcp_gateway_model::{
    clock::{Clock, SystemClock},
    grant::User,
    id::{Login, UserId},
    secret::{Digest, Secret, SecretKind},
};
use mcp_gateway_sandbox::github;
use tracing::warn;

use super::layout::Layout;
use crate::{
    config::{Config, Faults},
    failure::Failure,
};

/// Where the demo's client may be redirected to: a loopback port counts for all.
const REDIRECTS: [&str; 2] = ["http://localhost/callback", "http://127.0.0.1/callback"];
const GRANT_TYPES: [&str; 3] = ["authorization_code", "refresh_token", "client_credentials"];

/// What whoever started it has to know.
pub(super) struct Demo {
    /// In whose name everything is allowed.
    pub(super) user: String,
    /// The client's id.
    pub(super) client_id: String,
    /// Its secret, if it was made here.
    pub(super) client_secret: Cow<'static, str>,
}

/// Has `config` allow everything on this machine without asking, if that is wanted.
///
/// # Errors
/// [`Failure::Configuration`] when others could reach it, and for an id that no client can have.
pub(super) fn set_up(
    config: &mut Config,
    layout: &Layout,
    here: SocketAddr,
) -> Result<Option<Demo>, Failure> {
    if !layout.auto_approve {
        return Ok(None);
    }
    let user = user()?;
    let shown = user.login.to_string();
    let approve = AutoApprove::on_loopback(&config.issuer, here, user);
    config.auto_approve = Some(approve.map_err(|error| Failure::Configuration(error.to_string()))?);
    let made = || Secret::generate(SecretKind::ClientSecret).reveal().to_owned();
    let secret = layout.client_secret.clone().unwrap_or_else(made);
    let entry = Entry {
        id: layout.client_id.clone(),
        name: Some("Demo client".into()),
        redirect_uris: REDIRECTS.map(Into::into).into(),
        secret: Some(Digest::of(secret.as_bytes())),
        grant_types: GRANT_TYPES.map(Into::into).into(),
        ..Entry::default()
    };
    let client = entry.client(&config.issuer, &config.resources, SystemClock.now());
    config.clients.push(client.map_err(|bad| {
        let mut faults = Faults::default();
        faults.add("DEMO_CLIENT_ID", bad.rule);
        Failure::from(faults)
    })?);
    Ok(Some(Demo {
        user: shown,
        client_id: layout.client_id.clone(),
        client_secret: match layout.client_secret {
            Some(_) => "the one in DEMO_CLIENT_SECRET".into(),
            None => secret.into(),
        },
    }))
}

impl Demo {
    /// Says it loudly, once.
    pub(super) fn warn(&self) {
        warn!(
            user = self.user,
            "AUTO-APPROVE IS ON: nobody is asked for a login or for consent; whatever runs on this machine gets tokens in this user's name"
        );
    }
}

/// The first of those who can log in at the stand-in GitHub.
fn user() -> Result<User, Failure> {
    let first = github::default_users().into_iter().next();
    let first = first.ok_or_else(|| Failure::runtime("the stand-in GitHub has no users"))?;
    Ok(User {
        id: UserId(first.id),
        login: Login::parse(&first.login).map_err(Failure::runtime)?,
        shown_login: first.login,
        name: first.name,
        email: first.email,
    })
}
