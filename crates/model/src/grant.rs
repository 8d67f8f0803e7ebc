//! Grants: one consent by one user to one client. Every code and token is a key to a grant.

use serde::{Deserialize, Serialize};

use crate::{
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

/// One consent by one user to one client, for one or more resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name.
    pub id: GrantId,
    /// The client that was allowed.
    pub client: ClientId,
    /// The person who allowed it.
    pub user: User,
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
    /// When it ends.
    pub expires_at: Timestamp,
}
