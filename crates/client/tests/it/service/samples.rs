//! Records, as the tests of the store need them.

use std::time::Duration;

use mcp_gateway_client::{
    authorize::Pending,
    service::store::{ClientAt, Grant, Login, Registration, UserId},
};
use mcp_gateway_model::{
    clock::Timestamp,
    secret::{Digest, Secret},
};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

pub(crate) fn secrets(keys: &[&str]) -> Vec<Secret> {
    keys.iter()
        .map(|key| Secret::presented((*key).to_owned()))
        .collect()
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn client() -> ClientAt {
    ClientAt {
        issuer: "https://auth.example.com".into(),
        token_endpoint: "https://auth.example.com/token".into(),
        client_id: "the-client".into(),
        client_secret: Some("the-client-secret".into()),
        auth_method: Some("client_secret_basic".into()),
        registration: None,
    }
}

pub(crate) fn login(name: &str) -> Login {
    Login {
        user: user(name),
        expires_at: NOW.plus(Duration::from_secs(600)),
        client: client(),
        pending: Pending {
            issuer: "https://auth.example.com".into(),
            iss_expected: true,
            client_id: "the-client".into(),
            resource: "https://mcp.example.com/mcp".into(),
            scopes: None,
            redirect_uri: "https://client.example.com/api/mcp/oauth/callback".into(),
            state: Secret::presented("the-state".into()),
            verifier: Secret::presented("the-verifier".into()),
            began_at: NOW,
        },
        scope: None,
        return_to: None,
    }
}

/// What a login comes back with.
pub(crate) fn state() -> Secret {
    Secret::presented("the-state".into())
}

pub(crate) fn grant(name: &str, token: &str) -> Grant {
    Grant {
        user: user(name),
        resource: "https://mcp.example.com/mcp".into(),
        client: client(),
        access_token: format!("access-{token}"),
        expires_at: Some(NOW.plus(Duration::from_secs(3600))),
        refresh_token: Some(format!("refresh-{token}")),
        scope: Some("read".into()),
        issued_at: NOW,
    }
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

pub(crate) fn registration(secret_expires_at: Option<Timestamp>) -> Registration {
    Registration {
        user: user("octocat"),
        request: Digest::of(b"what was asked for"),
        issuer: Some("https://auth.example.com".into()),
        endpoint: "https://auth.example.com/register".into(),
        client_id: "the-client".into(),
        client_secret: Some("the-client-secret".into()),
        auth_method: None,
        scope: None,
        secret_expires_at,
        kept_at: NOW,
    }
}
