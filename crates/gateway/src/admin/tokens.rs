//! Personal access tokens: made, shown and ended by an operator.

use std::{fmt, time::Duration};

use mcp_gateway_auth_server::{
    Settings,
    personal_tokens::{self, Wanted},
};
use mcp_gateway_model::{
    access::Person,
    clock::Timestamp,
    grant::{Grant, GrantKind},
    id::{GrantId, UserId},
    resource::ResourceUri,
    scope::ScopeSet,
};
use mcp_gateway_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Make a token.
    Create(Request),
    /// Show the living ones, or one user's.
    List(Option<Person>),
    /// End one.
    Revoke(GrantId),
    /// End all of a user.
    RevokeOf(Person),
}

/// A token that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) login: String,
    pub(crate) user_id: Option<UserId>,
    pub(crate) name: String,
    pub(crate) resources: Vec<String>,
    pub(crate) scopes: ScopeSet,
    /// In seconds.
    pub(crate) lifetime: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    /// A new token.
    Created {
        /// The token itself, this once.
        token: Handed,
        /// What it is.
        #[serde(flatten)]
        listed: Listed,
    },
    /// The living ones.
    Listed(Vec<Listed>),
    /// How many have ended.
    Revoked(usize),
}

/// A secret on its way to the operator. It has no `Debug` text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Handed(pub(crate) String);

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handed(..)")
    }
}

/// A token, as an operator sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: GrantId,
    pub(crate) name: String,
    pub(crate) login: String,
    pub(crate) user: u64,
    pub(crate) resources: Vec<ResourceUri>,
    pub(crate) scopes: ScopeSet,
    /// Seconds since the epoch.
    pub(crate) created_at: u64,
    /// Seconds since the epoch.
    pub(crate) expires_at: u64,
}

impl Listed {
    fn of(grant: Grant) -> Option<Self> {
        let GrantKind::PersonalAccessToken { name, .. } = grant.kind else {
            return None;
        };
        let user = grant.user?;
        Some(Self {
            id: grant.id,
            name,
            login: user.shown_login,
            user: user.id.0,
            resources: grant.audiences,
            scopes: grant.scopes,
            created_at: grant.created_at.secs(),
            expires_at: grant.expires_at.secs(),
        })
    }
}

/// Carries out an order.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn carry_out(
    store: &dyn Store,
    settings: &Settings,
    order: &Order,
    now: Timestamp,
) -> Result<Done, String> {
    let problem = |error: StoreError| error.to_string();
    match order {
        Order::Create(request) => create(store, settings, request, now).await,
        Order::List(person) => {
            let grants = personal_tokens::list(store, person.as_ref(), now).await;
            let listed = grants.map_err(problem)?.into_iter().filter_map(Listed::of);
            Ok(Done::Listed(listed.collect()))
        }
        Order::Revoke(id) => {
            if personal_tokens::revoke(store, id, now).await.map_err(problem)? {
                Ok(Done::Revoked(1))
            } else {
                Err("there is no living personal access token with this id".to_owned())
            }
        }
        Order::RevokeOf(person) => {
            let mut ended = 0;
            let grants = personal_tokens::list(store, Some(person), now).await;
            for grant in grants.map_err(problem)? {
                let lived = personal_tokens::revoke(store, &grant.id, now).await;
                ended += usize::from(lived.map_err(problem)?);
            }
            Ok(Done::Revoked(ended))
        }
    }
}

async fn create(
    store: &dyn Store,
    settings: &Settings,
    request: &Request,
    now: Timestamp,
) -> Result<Done, String> {
    let wanted = Wanted {
        login: request.login.clone(),
        user_id: request.user_id,
        name: request.name.clone(),
        resources: request.resources.clone(),
        scopes: request.scopes.clone(),
        lifetime: Duration::from_secs(request.lifetime),
    };
    let made = personal_tokens::create(store, settings, &wanted, now)
        .await
        .map_err(|error| error.to_string())?;
    let token = Handed(made.token.reveal().to_owned());
    let listed = Listed::of(made.grant).ok_or("what was made is no personal access token")?;
    Ok(Done::Created { token, listed })
}
