//! Personal access tokens: what an operator gives a person for a program that cannot log in. Each is a grant like any
//! other, with a secret of its own in place of codes and refresh tokens; it is never prolonged.

use std::time::Duration;

use mcp_gateway_model::{
    access::Person,
    clock::Timestamp,
    grant::{Grant, GrantKind, User},
    id::{ClientId, GrantId, Login, RequestId, UserId},
    resource::{BadTarget, ResourceUri},
    scope::ScopeSet,
    secret::Secret,
    token::PersonalAccessToken,
};
use mcp_gateway_store::{Begun, Store, StoreError};

use crate::{
    admit,
    audit::{Event, Line},
    github,
    pages::text,
    settings::Settings,
};

/// The longest life.
pub const LONGEST: Duration = Duration::from_secs(90 * 86_400);
/// The most characters of a name.
const LONGEST_NAME: usize = 100;

/// A token that an operator wants to make.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// For whom, in whatever case.
    pub login: String,
    /// GitHub's number of that user, if the operator says it.
    pub user_id: Option<UserId>,
    /// What the operator calls it.
    pub name: String,
    /// The URIs of what it opens.
    pub resources: Vec<String>,
    /// What it allows there.
    pub scopes: ScopeSet,
    /// How long it lives.
    pub lifetime: Duration,
}

/// A new token. The secret is nowhere else.
#[derive(Debug)]
pub struct Made {
    /// The token.
    pub token: Secret,
    /// What it opens.
    pub grant: Grant,
}

/// Why a token is not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// The name.
    #[error("the name must have 1 to {LONGEST_NAME} visible characters")]
    Name,
    /// The lifetime.
    #[error("the lifetime must be more than 0 and at most 90 days")]
    Lifetime,
    /// No resource.
    #[error("name at least one resource: the URL of an MCP server that this gateway protects")]
    NoResource,
    /// A pattern instead of a resource.
    #[error("{0} is a pattern: name each server itself, such as https://echo.example.com")]
    Pattern(String),
    /// Not a resource.
    #[error("{uri}: {problem}")]
    Resource {
        /// What was named.
        uri: String,
        /// What is wrong with it.
        problem: BadTarget,
    },
    /// No scope.
    #[error("name at least one scope")]
    NoScope,
    /// Scopes that a resource does not have.
    #[error("{resource} does not have the scopes {missing}: it has {offered}")]
    Scopes {
        /// The resource.
        resource: ResourceUri,
        /// What was wanted in vain.
        missing: ScopeSet,
        /// What can be asked for there.
        offered: ScopeSet,
    },
    /// Not a login.
    #[error("{0} is not a GitHub login")]
    Login(String),
    /// Nobody there.
    #[error("GitHub knows nobody with the login {0}")]
    NoSuchUser(Login),
    /// Nobody says who it is.
    #[error("{0}; say which account is meant with --user-id")]
    UserUnknown(String),
    /// The access rules.
    #[error("{user} (number {id}) may not use {resource}: {why}")]
    NotAdmitted {
        /// Who.
        user: String,
        /// Their number.
        id: UserId,
        /// What.
        resource: ResourceUri,
        /// Why not.
        why: String,
    },
    /// Blocked while it was made.
    #[error("{0} is blocked")]
    Blocked(Login),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a token for a user whom the access rules let in at each of the resources.
///
/// # Errors
/// [`NotMade`] says what is in the way; nothing has been made then.
pub async fn create(
    store: &dyn Store,
    settings: &Settings,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Made, NotMade> {
    let name = text::shown(&wanted.name, LONGEST_NAME + 1);
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(NotMade::Name);
    }
    if wanted.lifetime.is_zero() || wanted.lifetime > LONGEST {
        return Err(NotMade::Lifetime);
    }
    let audiences = audiences(settings, wanted)?;
    let user = user(store, settings, wanted).await?;
    for audience in &audiences {
        // nobody could ask GitHub again where the user belongs: only who is listed gets a token
        admit::apply(settings, store, &user, audience, None)
            .await
            .map_err(|refusal| not_admitted(&user, audience, refusal))?;
    }
    let id = GrantId::generate();
    let token = PersonalAccessToken::generate(&id);
    let grant = Grant {
        id,
        client: ClientId::personal_access_token(),
        user: Some(user),
        kind: GrantKind::PersonalAccessToken {
            digest: token.digest(),
            name,
        },
        memberships: None,
        audiences,
        scopes: wanted.scopes.clone(),
        authenticated_at: now,
        created_at: now,
        expires_at: now.plus(wanted.lifetime),
    };
    match store.add_grant(&grant, now).await? {
        Begun::Yes => {
            note("personal_access_token_created", &grant);
            Ok(Made { token, grant })
        }
        Begun::Refused => Err(NotMade::Blocked(login_of(wanted)?)),
    }
}

/// The living tokens, the oldest first; those of one user if `person` says whose.
///
/// # Errors
/// [`StoreError`] when the store cannot be asked.
pub async fn list(
    store: &dyn Store,
    person: Option<&Person>,
    now: Timestamp,
) -> Result<Vec<Grant>, StoreError> {
    let mut grants = store
        .grants_of_client(&ClientId::personal_access_token(), now)
        .await?;
    grants.retain(|grant| is_token(grant) && person.is_none_or(|person| is_of(grant, person)));
    grants.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(grants)
}

/// Ends a token, by the name of its grant. Answers whether it lived.
///
/// # Errors
/// [`StoreError`] when the store cannot be asked.
pub async fn revoke(store: &dyn Store, id: &GrantId, now: Timestamp) -> Result<bool, StoreError> {
    let Some(grant) = store.grant(id, now).await?.filter(is_token) else {
        return Ok(false);
    };
    let lived = store.end_grant(id, now).await?;
    if lived {
        note("personal_access_token_revoked", &grant);
    }
    Ok(lived)
}

fn is_of(grant: &Grant, person: &Person) -> bool {
    grant.user.as_ref().is_some_and(|user| match person {
        Person::Id(id) => user.id == *id,
        Person::Login(login) => user.login == *login,
    })
}

fn is_token(grant: &Grant) -> bool {
    matches!(grant.kind, GrantKind::PersonalAccessToken { .. })
}

/// What the token opens: each resource once, and each has every scope.
fn audiences(settings: &Settings, wanted: &Wanted) -> Result<Vec<ResourceUri>, NotMade> {
    if wanted.scopes.is_empty() {
        return Err(NotMade::NoScope);
    }
    let mut audiences = Vec::new();
    for uri in &wanted.resources {
        if uri.contains('*') {
            return Err(NotMade::Pattern(uri.clone()));
        }
        let target = settings
            .resources
            .resolve(Some(uri))
            .map_err(|problem| NotMade::Resource {
                uri: uri.clone(),
                problem,
            })?;
        let offered = &target.protected.resource.scopes;
        let missing = wanted.scopes.filter(|scope| !offered.contains(scope));
        if !missing.is_empty() {
            return Err(NotMade::Scopes {
                resource: target.audience,
                missing,
                offered: offered.clone(),
            });
        }
        if !audiences.contains(&target.audience) {
            audiences.push(target.audience);
        }
    }
    if audiences.is_empty() {
        return Err(NotMade::NoResource);
    }
    Ok(audiences)
}

fn login_of(wanted: &Wanted) -> Result<Login, NotMade> {
    Login::parse(&wanted.login).map_err(|_| NotMade::Login(wanted.login.clone()))
}

/// Who is meant: the account that the operator says, that the login is pinned to, or that has the login at GitHub.
async fn user(store: &dyn Store, settings: &Settings, wanted: &Wanted) -> Result<User, NotMade> {
    let login = login_of(wanted)?;
    let known = match wanted.user_id {
        Some(id) => Some(id),
        None => store.pinned(&login).await?,
    };
    if let Some(id) = known {
        return Ok(User {
            id,
            login,
            shown_login: wanted.login.trim().to_owned(),
            name: None,
            email: None,
        });
    }
    match github::account(&settings.github, &login).await {
        Ok(Some(user)) if user.login == login => Ok(user),
        Ok(_) => Err(NotMade::NoSuchUser(login)),
        Err(problem) => Err(NotMade::UserUnknown(problem.to_string())),
    }
}

fn not_admitted(user: &User, resource: &ResourceUri, refusal: admit::Refusal) -> NotMade {
    match refusal {
        admit::Refusal::Store(error) => NotMade::Store(error),
        admit::Refusal::NotAMember => NotMade::NotAdmitted {
            user: user.shown_login.clone(),
            id: user.id,
            resource: resource.clone(),
            why: "organisations and teams do not count for personal access tokens: list the user".to_owned(),
        },
        other => NotMade::NotAdmitted {
            user: user.shown_login.clone(),
            id: user.id,
            resource: resource.clone(),
            why: other.to_string(),
        },
    }
}

fn note(reason: &'static str, grant: &Grant) {
    let request_id = RequestId::generate();
    let mut line = Line::of_grant(Event::Administered, &request_id, grant);
    let all: Vec<_> = grant.audiences.iter().map(ResourceUri::as_str).collect();
    line.resource = Some(all.join(" ").into());
    line.reason = Some(reason);
    line.write();
}
