//! Who a person is, by GitHub's OAuth web flow. The OAuth part is the `oauth2` crate's, the wire is [`wire`]'s.

mod account;
mod fault;
mod memberships;
mod wire;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    grant::User,
    id::{Login, UserId},
    issuer::is_loopback,
    secret::{Secret, derive_bytes},
};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse, TokenUrl, basic::BasicClient,
};
use serde::Deserialize;
use url::Url;

pub(crate) use account::account;
pub use fault::BadGithub;
pub(crate) use fault::GithubFault;
pub(crate) use memberships::Told as ToldMemberships;
use wire::Wire;

use crate::{pages::text, settings::GithubSettings};

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// How long GitHub may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To accept a connection.
    pub(crate) connect: Duration,
    /// To answer one call, connection included.
    pub(crate) call: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            call: Duration::from_secs(8),
        }
    }
}

/// Which account a person should use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Let them choose, even if GitHub knows who they are.
    pub(crate) choose: bool,
    /// The login that the client suggests.
    pub(crate) hint: Option<Login>,
}

/// Our OAuth app at GitHub.
pub(crate) struct Github {
    client: Client,
    wire: Wire,
    user_url: Url,
    orgs_url: Url,
    teams_url: Url,
}

/// Somebody who came back from GitHub.
pub(crate) struct Arrived {
    /// Who it is.
    pub(crate) user: User,
    /// GitHub's token, which tells more about them for as long as it is kept.
    pub(crate) token: Secret,
}

impl Github {
    /// The app as configured; people come back to `callback`.
    ///
    /// # Errors
    /// [`BadGithub`] when an address cannot be one.
    pub(crate) fn new(
        settings: &GithubSettings,
        callback: String,
        patience: Patience,
    ) -> Result<Self, BadGithub> {
        let web = |path: &str| below(&settings.web_url, path).ok_or(BadGithub::Url("GITHUB_WEB_URL"));
        let api = |path: &str| below(&settings.api_url, path).ok_or(BadGithub::Url("GITHUB_API_URL"));
        let client = BasicClient::new(ClientId::new(settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(settings.client_secret.reveal().to_owned()))
            .set_auth_type(oauth2::AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(web("login/oauth/authorize")?))
            .set_token_uri(TokenUrl::from_url(web("login/oauth/access_token")?))
            .set_redirect_uri(RedirectUrl::new(callback).map_err(|_| BadGithub::Url("MCP_OAUTH_ISSUER"))?);
        let here = is_loopback(&settings.web_url) && is_loopback(&settings.api_url);
        Ok(Self {
            client,
            wire: Wire::new(patience, here),
            user_url: api("user")?,
            orgs_url: api("user/orgs?per_page=100")?,
            teams_url: api("user/teams?per_page=100")?,
        })
    }

    /// Where a person is sent to log in. The login and the number are public; a scope is asked for only where it matters
    /// to which organisations and teams they belong.
    pub(crate) fn authorize_url(
        &self,
        state: &Secret,
        browser: &Secret,
        account: &Account,
        asks_memberships: bool,
    ) -> String {
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier(browser));
        let state = CsrfToken::new(state.reveal().to_owned());
        let mut request = self.client.authorize_url(|| state).set_pkce_challenge(challenge);
        if asks_memberships {
            request = request.add_scope(Scope::new("read:org".to_owned()));
        }
        if let Some(login) = &account.hint {
            request = request.add_extra_param("login", login.as_str().to_owned());
        }
        if account.choose {
            request = request.add_extra_param("prompt", "select_account");
        }
        request.url().0.into()
    }

    /// Who came back with `code` in the browser that holds `browser`.
    ///
    /// # Errors
    /// [`GithubFault`] says what GitHub did instead of telling.
    pub(crate) async fn arrived(&self, code: &str, browser: &Secret) -> Result<Arrived, GithubFault> {
        let token = self
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(verifier(browser))
            .request_async(&self.wire)
            .await
            .map_err(GithubFault::of_exchange)?;
        let token = Secret::presented(token.access_token().secret().to_owned());
        let body = self.wire.get(&self.user_url, token.reveal()).await?;
        let told: Told = serde_json::from_slice(&body).map_err(|_| GithubFault::nonsense("no user"))?;
        Ok(Arrived {
            user: told.into_user()?,
            token,
        })
    }
}

/// The PKCE verifier towards GitHub belongs to the login's own cookie: nothing has to be stored, and neither the store nor
/// the address bar gives it away.
fn verifier(browser: &Secret) -> PkceCodeVerifier {
    let bytes = derive_bytes(browser.reveal().as_bytes(), "mcp-gateway upstream pkce 1");
    PkceCodeVerifier::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// `path` below an address that may have a path itself, as the API of an Enterprise Server has.
fn below(base: &Url, path: &str) -> Option<Url> {
    let base = base.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}/{path}")).ok()
}

/// What GitHub tells about a user.
#[derive(Deserialize)]
struct Told {
    id: u64,
    login: String,
    name: Option<String>,
    email: Option<String>,
}

impl Told {
    fn into_user(self) -> Result<User, GithubFault> {
        let login = Login::parse(&self.login).map_err(|_| GithubFault::nonsense("not a login"))?;
        if self.id == 0 {
            return Err(GithubFault::nonsense("no number"));
        }
        Ok(User {
            id: UserId(self.id),
            login,
            shown_login: self.login.trim().to_owned(),
            name: self
                .name
                .map(|name| text::shown(&name, 200))
                .filter(|name| !name.is_empty()),
            email: self.email.filter(|email| email.len() <= 254),
        })
    }
}

#[cfg(test)]
mod tests;
