//! Which account has a login, as everybody may know.
//!
//! <https://docs.github.com/en/rest/users/users#get-a-user>

use mcp_gateway_model::{grant::User, id::Login, issuer::is_loopback};

use serde::Deserialize;

use super::{BadGithub, GithubFault, Patience, Told, below, wire::Wire};
use crate::settings::GithubSettings;

/// Why nobody can say which account it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAccount {
    /// GitHub cannot be asked at all.
    #[error(transparent)]
    Setup(#[from] BadGithub),
    /// GitHub does something else than to tell.
    #[error(transparent)]
    Fault(#[from] GithubFault),
}

/// The account that has this login now; `None` if nobody has.
///
/// # Errors
/// [`NoAccount`] says what GitHub did instead of telling.
pub(crate) async fn account(settings: &GithubSettings, login: &Login) -> Result<Option<User>, NoAccount> {
    let wire = Wire::new(Patience::default(), is_loopback(&settings.api_url));
    let mut url = below(&settings.api_url, "users").ok_or(BadGithub::Url("GITHUB_API_URL"))?;
    url.path_segments_mut()
        .map_err(|()| BadGithub::Url("GITHUB_API_URL"))?
        .push(login.as_str());
    let Some(body) = wire.get_as_app(&url, settings).await? else {
        return Ok(None);
    };
    let nonsense = |_| GithubFault::nonsense("no user");
    let Sort { sort } = serde_json::from_slice(&body).map_err(nonsense)?;
    if sort == "Organization" {
        return Ok(None);
    }
    let told: Told = serde_json::from_slice(&body).map_err(nonsense)?;
    Ok(Some(told.into_user()?))
}

/// Organisations have logins, too, and nobody logs in as one.
#[derive(Deserialize)]
struct Sort {
    #[serde(rename = "type", default)]
    sort: String,
}
