//! The three kinds of cookies. Over TLS they are bound to this host (`__Host-`); on a loopback issuer without TLS they are
//! plain, because Safari drops Secure cookies there, and carry the port, because cookies do not know ports.

use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite, time};
use mcp_gateway_model::{
    issuer::Issuer,
    secret::{Digest, Secret},
};

/// The names of the cookies of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    prefix: String,
    secure: bool,
}

impl Cookies {
    /// The cookies of `issuer`.
    pub(crate) fn of(issuer: &Issuer) -> Self {
        let secure = issuer.is_https();
        let prefix = if secure {
            "__Host-mcpgw-".to_owned()
        } else {
            format!("mcpgw-{}-", issuer.port().unwrap_or(80))
        };
        Self { prefix, secure }
    }

    /// The browser that was shown a consent page.
    pub(crate) fn consent(&self) -> String {
        format!("{}consent", self.prefix)
    }

    /// The browser in which somebody logged in a short while ago.
    pub(crate) fn browser(&self) -> String {
        format!("{}browser", self.prefix)
    }

    /// The browser that went to GitHub with the `state` of this digest: one for each login, so that several at once do not
    /// disturb each other.
    pub(crate) fn login(&self, state: &Digest) -> String {
        let short: String = state.to_string().chars().take(12).collect();
        format!("{}login-{short}", self.prefix)
    }

    /// A cookie that lasts for `life`.
    pub(crate) fn set(&self, name: String, value: &Secret, life: Duration) -> Cookie<'static> {
        let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        self.with(name, value.reveal().to_owned(), time::Duration::seconds(seconds))
    }

    /// A cookie that removes the one of this name.
    pub(crate) fn remove(&self, name: String) -> Cookie<'static> {
        self.with(name, String::new(), time::Duration::ZERO)
    }

    fn with(&self, name: String, value: String, life: time::Duration) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/")
            .http_only(true)
            .secure(self.secure)
            // Not Strict: the way back from GitHub is a navigation from another site.
            .same_site(SameSite::Lax)
            .max_age(life)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(issuer: &str) -> String {
        let cookies = Cookies::of(&Issuer::parse(issuer).unwrap());
        let value = Secret::presented("v".into());
        cookies
            .set(cookies.browser(), &value, Duration::from_secs(900))
            .to_string()
    }

    #[test]
    fn a_cookie_is_bound_to_its_host_and_to_tls() {
        assert_eq!(
            cookie("https://auth.example.com"),
            "__Host-mcpgw-browser=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900"
        );
    }

    #[test]
    fn on_loopback_without_tls_a_cookie_is_plain_and_names_the_port() {
        assert_eq!(
            cookie("http://localhost:8000"),
            "mcpgw-8000-browser=v; HttpOnly; SameSite=Lax; Path=/; Max-Age=900"
        );
    }
}
