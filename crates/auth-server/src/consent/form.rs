//! The consent form: what it carries, and that it is the one that was shown in this browser.

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    id::{Login, UserId},
    secret::Secret,
};

use crate::{door::Page, github::Account, request::Parameters, state::AuthServer};

/// What the page said besides the request itself.
#[derive(Debug)]
pub(super) struct Terms {
    /// Which account is wanted at GitHub.
    pub(super) account: Account,
    /// As whom the page showed the person to be logged in.
    pub(super) user: Option<UserId>,
}

impl Terms {
    /// The hidden fields of a form about the login behind `login`, for the browser that holds `cookie`.
    pub(super) fn fields(
        &self,
        server: &AuthServer,
        login: &Secret,
        cookie: &Secret,
    ) -> [(&'static str, String); 3] {
        let account = self.write();
        let token = server
            .desk
            .form_keys
            .first()
            .map(|key| key.sign(&signed(login, cookie, &account)));
        [
            ("login", login.reveal().to_owned()),
            ("token", token.unwrap_or_default()),
            ("account", account),
        ]
    }

    fn write(&self) -> String {
        let choose = if self.account.choose { "choose" } else { "any" };
        let hint = self.account.hint.as_ref().map_or("", Login::as_str);
        let user = self.user.map_or_else(String::new, |user| user.to_string());
        format!("{choose}:{hint}:{user}")
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (choose, hint, user) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            account: Account {
                choose: choose == "choose",
                hint: Login::parse(hint).ok(),
            },
            user: user.parse().ok().map(UserId),
        })
    }
}

/// What the token authenticates: the browser, the login, the terms.
fn signed(login: &Secret, cookie: &Secret, account: &str) -> Vec<u8> {
    format!("{}\n{}\n{account}", cookie.digest(), login.digest()).into_bytes()
}

/// What the person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// A form that came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// What the login is kept under.
    pub(super) login: Secret,
    /// What the page said.
    pub(super) terms: Terms,
    /// What the person decided.
    pub(super) decision: Decision,
}

impl Answer {
    /// Reads a form that was shown to the browser that holds `cookie`.
    ///
    /// # Errors
    /// A page: a field is missing, or the form was shown in another browser.
    pub(super) fn read(
        parameters: &mut Parameters,
        server: &AuthServer,
        cookie: &Secret,
    ) -> Result<Self, Page> {
        let decision = match parameters.require("decision")? {
            "allow" => Decision::Allow,
            "deny" => Decision::Deny,
            _ => return Err(incomplete()),
        };
        let account = parameters.require("account")?.to_owned();
        let token = parameters.require("token")?.to_owned();
        let login = Secret::presented(parameters.take("login").ok_or_else(incomplete)?);
        let message = signed(&login, cookie, &account);
        if !server
            .desk
            .form_keys
            .iter()
            .any(|key| key.verifies(&message, &token))
        {
            return Err(super::no_cookie());
        }
        Ok(Self {
            login,
            terms: Terms::read(&account).ok_or_else(incomplete)?,
            decision,
        })
    }
}

fn incomplete() -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "This form is not complete",
        "consent_form",
    )
    .saying("Go back to the application and connect again.")
}
