//! What an authorization request asks for, once it is clear who asks and where the answer goes.

use mcp_gateway_model::{
    client::{Client, GrantType},
    error::ErrorCode,
    id::{Login, UserId},
    pkce::CodeChallenge,
    resource::Target,
    scope::{OFFLINE_ACCESS, ScopeSet},
};

use crate::{
    door::Rejection,
    github::Account,
    id_token,
    reach::{Reach, entered_scopes, reach},
    request::{Context, Parameters},
    settings::Settings,
};

/// The most characters of `state`: what a cookie could hold as well.
const LONGEST_STATE: usize = 2048;
/// The most bytes of `nonce`.
const LONGEST_NONCE: usize = 512;

/// A request in valid types.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The PKCE challenge.
    pub(crate) challenge: CodeChallenge,
    /// What the ID token has to repeat.
    pub(crate) nonce: Option<String>,
    /// How many seconds ago the person may have logged in at most.
    pub(crate) max_age: Option<u64>,
    /// Who it has to be.
    pub(crate) subject: Option<UserId>,
    /// What the token will be for.
    pub(crate) target: Target,
    /// What the person is asked to allow.
    pub(crate) scopes: ScopeSet,
    /// Which account is wanted.
    pub(crate) account: Account,
}

impl Asked {
    /// Reads everything but `client_id`, `redirect_uri` and `state`.
    ///
    /// # Errors
    /// What goes to the client: the parameter that is wrong, and the rule.
    pub(crate) async fn read(context: &Context, query: &str, client: &Client) -> Result<Self, Rejection> {
        let settings = &context.server.settings;
        let parameters = Parameters::parse(query.as_bytes())?;
        state_can_be_echoed(&parameters)?;
        client_may_ask_for_codes(client)?;
        response_is_a_code(&parameters)?;
        let challenge = CodeChallenge::parse(
            parameters.get("code_challenge"),
            parameters.get("code_challenge_method"),
        )
        .map_err(|why| Rejection::new(ErrorCode::InvalidRequest, why.to_string(), "pkce"))?;
        let target = settings
            .resources
            .resolve(parameters.get("resource"))
            .map_err(|why| Rejection::new(ErrorCode::InvalidTarget, why.to_string(), "bad_target"))?;
        client_may_ask_for(client, settings, &target)?;
        let requested = ScopeSet::parse(parameters.get("scope").unwrap_or_default())
            .map_err(|why| Rejection::new(ErrorCode::InvalidScope, why.to_string(), "bad_scope"))?;
        Ok(Self {
            challenge,
            nonce: nonce(&parameters)?,
            max_age: max_age(&parameters)?,
            subject: subject(context, &parameters).await?,
            scopes: granted(settings, &requested, client, &target)?,
            target,
            account: account(&parameters)?,
        })
    }
}

/// `state` goes back byte for byte (RFC 6749 §4.1.2), so it has to be text, and not too much of it.
fn state_can_be_echoed(parameters: &Parameters) -> Result<(), Rejection> {
    if parameters.get("state").is_none_or(is_state) {
        return Ok(());
    }
    Err(Rejection::new(
        ErrorCode::InvalidRequest,
        "state must be UTF-8 text of at most 2048 bytes without control characters",
        "bad_state",
    ))
}

/// Whether `state` can be sent back as it came.
pub(super) fn is_state(state: &str) -> bool {
    let is_broken = |c: char| c == char::REPLACEMENT_CHARACTER || c.is_control();
    state.len() <= LONGEST_STATE && !state.chars().any(is_broken)
}

/// RFC 6749 §4.1.2.1, `unauthorized_client`.
fn client_may_ask_for_codes(client: &Client) -> Result<(), Rejection> {
    if client
        .metadata
        .grant_types
        .contains(&GrantType::AuthorizationCode)
    {
        return Ok(());
    }
    Err(Rejection::new(
        ErrorCode::UnauthorizedClient,
        "the client is not registered for authorization_code",
        "grant_type_not_registered",
    ))
}

/// The operator may have named the resources that a client is for.
pub(crate) fn client_may_ask_for(
    client: &Client,
    settings: &Settings,
    target: &Target,
) -> Result<(), Rejection> {
    match reach(client, &settings.resources, target) {
        Reach::Named | Reach::Unsaid => Ok(()),
        Reach::NotNamed => Err(Rejection::new(
            ErrorCode::InvalidTarget,
            "resource is not one that the operator named for this client",
            "target_not_for_client",
        )),
    }
}

/// RFC 6749 §3.1.1, and what would change where or how the answer is sent.
fn response_is_a_code(parameters: &Parameters) -> Result<(), Rejection> {
    if parameters.require("response_type")? != "code" {
        return Err(Rejection::new(
            ErrorCode::UnsupportedResponseType,
            "response_type must be code",
            "response_type",
        ));
    }
    if parameters
        .get("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return Err(Rejection::new(
            ErrorCode::InvalidRequest,
            "response_mode must be query",
            "response_mode",
        ));
    }
    not_an_object(parameters, "request", ErrorCode::RequestNotSupported)?;
    not_an_object(parameters, "request_uri", ErrorCode::RequestUriNotSupported)
}

/// OpenID Connect Core §6.1, §6.2: parameters in a signed object.
fn not_an_object(parameters: &Parameters, name: &'static str, code: ErrorCode) -> Result<(), Rejection> {
    if parameters.get(name).is_none() {
        return Ok(());
    }
    Err(Rejection::new(
        code,
        "request and request_uri are not supported: send plain parameters",
        "request_object",
    ))
}

/// `id_token_hint` (OpenID Connect Core §3.1.2.1): nobody but the person whom it names may log in.
async fn subject(context: &Context, parameters: &Parameters) -> Result<Option<UserId>, Rejection> {
    let Some(hint) = parameters.get("id_token_hint") else {
        return Ok(None);
    };
    let named = id_token::subject(&context.server, hint, context.now).await?;
    named.map(Some).ok_or_else(|| {
        Rejection::new(
            ErrorCode::InvalidRequest,
            "id_token_hint is not an ID token of this server: leave it out",
            "bad_id_token_hint",
        )
    })
}

/// What the person is asked to allow: the requested scopes that the resource has; if nothing is left, its default scopes, or
/// of those what the client registered for. A client that the operator entered gets no others than it was entered with, and
/// nothing from a resource that has none of these. One that described itself may ask for more than it did then: clients
/// register for what their first challenge names, and ask for more when a tool needs it. `offline_access` opens nothing and
/// is kept. Scopes about the person are added where they mean something.
///
/// # Errors
/// `invalid_scope` for a client that was entered with scopes of other resources only.
pub(crate) fn granted(
    settings: &Settings,
    requested: &ScopeSet,
    client: &Client,
    target: &Target,
) -> Result<ScopeSet, Rejection> {
    let resource = &target.protected.resource;
    let registered = resource.scopes.intersection(&client.metadata.scope);
    let is_bound = entered_scopes(client).is_some();
    if is_bound && registered.is_empty() {
        return Err(Rejection::new(
            ErrorCode::InvalidScope,
            "resource has none of the scopes that the operator entered this client with",
            "scope_not_for_client",
        ));
    }
    let usual = if registered.is_empty() {
        &resource.scopes
    } else {
        &registered
    };
    let open = if is_bound { usual } else { &resource.scopes };
    let asked = requested.intersection(open);
    let default = resource.default_scopes.intersection(usual);
    let chosen = [asked, default]
        .into_iter()
        .find(|set| !set.is_empty())
        .unwrap_or_else(|| usual.clone());
    let about_the_person = settings.offers.identity(requested);
    let kept = requested.filter(|s| s == OFFLINE_ACCESS);
    Ok(chosen.union(&kept).union(&about_the_person))
}

/// `nonce` goes into the ID token as it came (OpenID Connect Core §3.1.2.1), so it has to be text, and not too much of it.
fn nonce(parameters: &Parameters) -> Result<Option<String>, Rejection> {
    let nonce = parameters.get("nonce");
    if nonce.is_none_or(|nonce| nonce.len() <= LONGEST_NONCE && is_state(nonce)) {
        return Ok(nonce.map(ToOwned::to_owned));
    }
    Err(Rejection::new(
        ErrorCode::InvalidRequest,
        "nonce must be UTF-8 text of at most 512 bytes without control characters",
        "bad_nonce",
    ))
}

/// `max_age` (OpenID Connect Core §3.1.2.1).
fn max_age(parameters: &Parameters) -> Result<Option<u64>, Rejection> {
    let parsed = parameters.get("max_age").map(str::parse).transpose();
    parsed.map_err(|_| {
        Rejection::new(
            ErrorCode::InvalidRequest,
            "max_age must be a whole number of seconds",
            "bad_max_age",
        )
    })
}

/// `prompt` and `login_hint` (OpenID Connect Core §3.1.2.1). Consent is always asked for, so nothing can be answered without
/// a person; a hint that is no login, such as an e-mail address, is ignored.
fn account(parameters: &Parameters) -> Result<Account, Rejection> {
    let words: Vec<_> = parameters.get("prompt").unwrap_or_default().split(' ').collect();
    if words.contains(&"none") {
        return Err(Rejection::new(
            ErrorCode::InteractionRequired,
            "a person is always asked: leave prompt out",
            "prompt_none",
        ));
    }
    Ok(Account {
        choose: words.iter().any(|w| ["login", "select_account"].contains(w)),
        hint: parameters
            .get("login_hint")
            .and_then(|text| Login::parse(text).ok()),
    })
}
