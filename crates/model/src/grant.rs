//! Grants: one consent by one user to one client. Every code and token is a key to a grant.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    access::Team,
    clock::Timestamp,
    id::{ClientId, GrantId, Login, UserId},
    pkce::CodeChallenge,
    redirect::RedirectUri,
    resource::ResourceUri,
    scope::ScopeSet,
    secret::Digest,
};

/// A person, as GitHub described them when they logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// GitHub's number: the identity.
    pub id: UserId,
    /// The login at that time, in lower case.
    pub login: Login,
    /// The login in the person's own spelling.
    pub shown_login: String,
    /// The name, if the person gave one.
    pub name: Option<String>,
    /// The e-mail address, if it is public.
    pub email: Option<String>,
}

/// What GitHub said about where a person belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memberships {
    /// The organisations, in lower case.
    pub orgs: BTreeSet<Login>,
    /// The teams.
    pub teams: BTreeSet<Team>,
    /// When GitHub said so.
    pub checked_at: Timestamp,
}

/// How a grant came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// A person consented, in a browser.
    #[default]
    Consent,
    /// A client acts for itself (RFC 6749 §4.4).
    ClientCredentials,
    /// The operator made a personal access token for a person.
    PersonalAccessToken {
        /// The SHA-256 of the token.
        digest: Digest,
        /// What the operator calls it.
        name: String,
    },
}

/// One consent by one user to one client, for one or more resources; or what stands for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name.
    pub id: GrantId,
    /// The client that was allowed.
    pub client: ClientId,
    /// The person who allowed it; `None` when the client acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// How it came to be.
    #[serde(default)]
    pub kind: GrantKind,
    /// Where the person belongs, if access depends on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memberships: Option<Memberships>,
    /// What tokens are issued for: each is an `aud`.
    pub audiences: Vec<ResourceUri>,
    /// What was allowed.
    pub scopes: ScopeSet,
    /// When the person logged in at GitHub.
    pub authenticated_at: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends unless it is prolonged: while its code is out, the code's end; later the refresh token's.
    pub expires_at: Timestamp,
}

impl Grant {
    /// Whom tokens are about (`sub`, RFC 9068 §2.2): GitHub's number of the person, or the client that acts for itself. No
    /// client's id is a number.
    #[must_use]
    pub fn subject(&self) -> String {
        self.user
            .as_ref()
            .map_or_else(|| self.client.to_string(), |user| user.id.to_string())
    }

    /// The person's GitHub login in their own spelling; empty when the client acts for itself.
    #[must_use]
    pub fn username(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.shown_login)
    }

    /// Whether this is the person who allowed it.
    #[must_use]
    pub fn is_of(&self, user: UserId) -> bool {
        self.user.as_ref().is_some_and(|u| u.id == user)
    }
}

/// What a code was issued for (RFC 6749 §4.1.2). It is remembered after its use for as long as its grant could live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The grant it is a key to.
    pub grant: GrantId,
    /// The SHA-256 of the code.
    pub digest: Digest,
    /// The client it was issued to.
    pub client: ClientId,
    /// The redirect URI of the request.
    pub redirect_uri: RedirectUri,
    /// Whether the request named the redirect URI, so that the token request must as well (RFC 6749 §4.1.3).
    pub redirect_uri_was_sent: bool,
    /// The PKCE challenge of the request.
    pub challenge: CodeChallenge,
    /// The `nonce` of the request, for the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}
