//! Where people belong, for resources that let in organisations or teams: asked at login, and again whenever the grant is
//! used for new tokens. GitHub's token is kept for that, sealed, with its grant and nowhere else.

use mcp_gateway_model::{
    access::{Admission, Allow, Standing},
    clock::Timestamp,
    error::ErrorCode,
    grant::{Grant, Memberships, User},
    id::GrantId,
    resource::{Resource, ResourceUri},
    secret::Secret,
};
use mcp_gateway_store::{Sealed, StoreError};
use tracing::warn;

use crate::{
    door::Rejection,
    github::{Arrived, GithubFault, ToldMemberships},
    request::Context,
    seal::NotSealed,
    state::AuthServer,
};

/// What a login learned, and GitHub's token to learn it again.
pub(crate) struct Known {
    /// What GitHub said.
    pub(crate) told: ToldMemberships,
    token: Secret,
}

/// Whether it matters at the resource where a person belongs, so that GitHub is asked for `read:org`.
pub(crate) fn matter(server: &AuthServer, audience: &ResourceUri) -> bool {
    let protected = server.settings.resources.of_audience(audience.as_str());
    protected.is_some_and(|p| rule(&p.resource).is_some())
}

/// The rule of a resource, if it lets in organisations or teams.
fn rule(resource: &Resource) -> Option<&Allow> {
    resource.allow.as_ref().filter(|allow| allow.asks_memberships())
}

/// Whether it depends on where this user belongs if they are let in: not when their number is listed, or everybody's.
fn decide(server: &AuthServer, user: &User, audience: &ResourceUri) -> bool {
    let protected = server.settings.resources.of_audience(audience.as_str());
    protected.is_some_and(|p| {
        rule(&p.resource).is_some_and(|allow| allow.users.admits(user.id, &user.login) != Admission::Admitted)
    })
}

/// Where somebody who came back from GitHub belongs. `None` when it does not matter: then the token is dropped here.
///
/// # Errors
/// [`GithubFault`] says what GitHub did instead of telling.
pub(crate) async fn at_login(
    server: &AuthServer,
    arrived: Arrived,
    audience: &ResourceUri,
    now: Timestamp,
) -> Result<(User, Option<Known>), GithubFault> {
    let Arrived { user, token } = arrived;
    if !decide(server, &user, audience) {
        return Ok((user, None));
    }
    let github = &server.desk.github;
    let told = github.memberships(&token, &server.watched, now).await?;
    Ok((user, Some(Known { told, token })))
}

impl Known {
    /// Keeps the token for a grant that is about to begin.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub(crate) async fn keep(
        &self,
        server: &AuthServer,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sealed = server
            .sealer
            .seal(&place(&grant.id), self.token.reveal().as_bytes());
        let Ok(sealed) = sealed else {
            // without it nobody can ask again: the grant ends with its first refresh
            warn!("GitHub's token cannot be sealed, and is not kept");
            return Ok(());
        };
        let store = &server.store;
        store
            .keep_upstream(&grant.id, &sealed, grant.expires_at, now)
            .await
    }
}

/// What sealed tokens are bound to: they open for their own grant only.
fn place(grant: &GrantId) -> String {
    format!("upstream:{grant}")
}

/// Opens the token of a grant.
pub(crate) fn open(server: &AuthServer, grant: &GrantId, sealed: &Sealed) -> Result<Secret, NotSealed> {
    let opened = server.sealer.open(&place(grant), sealed)?;
    String::from_utf8(opened.bytes)
        .map(Secret::presented)
        .map_err(|_| NotSealed)
}

/// Whether the user of a grant still stands well with the resource's rule, as the verifier sees it: an answer of GitHub's that
/// is too old does not count.
pub(crate) fn stand(context: &Context, grant: &Grant, audience: &ResourceUri) -> bool {
    let settings = &context.server.settings;
    let protected = settings.resources.of_audience(audience.as_str());
    let Some(user) = &grant.user else { return true };
    protected.is_none_or(|p| {
        p.resource.allow.as_ref().is_none_or(|allow| {
            let known = grant.memberships.as_ref();
            allow.standing(user, known, settings.memberships, context.now) == Standing::Admitted
        })
    })
}

/// Where the user of a grant belongs, asked for new tokens.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It does not matter, or nobody can ask: whoever is not let in for something else is not let in.
    Nothing,
    /// This is what GitHub says, or said not too long ago.
    Known(Memberships),
    /// The user took GitHub's token away.
    Withdrawn,
}

/// Asks again for a grant that is used for new tokens at the resource of `audience`.
///
/// # Errors
/// 503 when GitHub gives no answer and its last one is too old, or when the store cannot be asked.
pub(crate) async fn again(
    server: &AuthServer,
    grant: &Grant,
    audience: &ResourceUri,
    now: Timestamp,
) -> Result<Asked, Rejection> {
    let matters = grant
        .user
        .as_ref()
        .is_some_and(|user| decide(server, user, audience));
    if !matters {
        return Ok(Asked::Nothing);
    }
    let Some(sealed) = server.store.upstream(&grant.id).await? else {
        return Ok(Asked::Nothing);
    };
    let Ok(token) = open(server, &grant.id, &sealed) else {
        warn!("a GitHub token was sealed with a key that is not configured any more");
        return Ok(Asked::Withdrawn);
    };
    match server.desk.github.memberships(&token, &server.watched, now).await {
        Ok(told) => {
            server
                .store
                .note_memberships(&grant.id, &told.memberships, now)
                .await?;
            Ok(Asked::Known(told.memberships))
        }
        Err(GithubFault::TokenEnded) => Ok(Asked::Withdrawn),
        Err(fault) => old_answer(server, grant, &fault, now),
    }
}

/// The last answer, while it counts. It is not noted again, so that it gets older.
fn old_answer(
    server: &AuthServer,
    grant: &Grant,
    fault: &GithubFault,
    now: Timestamp,
) -> Result<Asked, Rejection> {
    let life = server.settings.memberships;
    let counts = grant.memberships.as_ref().filter(|known| life.counts(known, now));
    counts.cloned().map(Asked::Known).ok_or_else(|| {
        Rejection::new(
            ErrorCode::TemporarilyUnavailable,
            "GitHub does not say whether the user still belongs to the organisation or team: try again later",
            fault.reason(),
        )
        .because(fault.to_string())
    })
}
