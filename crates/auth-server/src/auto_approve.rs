//! Consent and login without a page: for trying things on one machine (`dev --auto-approve`). Whoever reaches the server is the
//! one user, so there is only one way to ask for it, and it leads over proof that nobody else can reach it.

use std::net::SocketAddr;

use actix_web::HttpResponse;
use mcp_gateway_model::{
    client::Client,
    grant::User,
    issuer::{Issuer, is_loopback},
    redirect::RedirectKind,
    secret::{Secret, SecretKind},
};
use mcp_gateway_store::{BrowserLogin, Login, LoginStage};

use crate::{
    admit,
    approve::{self, Approver},
    audit::Event,
    browser::Browser,
    consent::{Question, line},
    door::{Refusal, ReturnAddress},
};

/// That requests of clients on this machine are allowed without asking, in the name of one user. Made only for an issuer and a
/// listener on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoApprove {
    issuer: Issuer,
    user: User,
}

/// The server could be reached from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nobody is let in without a page at {0}: that is for this machine alone (127.0.0.1 or ::1, over http)"
)]
pub struct NotLoopback(String);

impl AutoApprove {
    /// For the server of `issuer` that listens at `listener`.
    ///
    /// # Errors
    /// [`NotLoopback`] when either is not on this machine.
    pub fn on_loopback(issuer: &Issuer, listener: SocketAddr, user: User) -> Result<Self, NotLoopback> {
        if issuer.is_https() || !is_loopback(issuer.url()) {
            return Err(NotLoopback(issuer.to_string()));
        }
        if !listener.ip().to_canonical().is_loopback() {
            return Err(NotLoopback(listener.to_string()));
        }
        let issuer = issuer.clone();
        Ok(Self { issuer, user })
    }

    /// In whose name.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// Whether it holds for this request: asked from this machine, answered to this machine, and nobody wants to choose.
    fn holds(&self, browser: &Browser, address: &ReturnAddress, question: &Question) -> bool {
        self.issuer == browser.server().settings.issuer
            && browser.context.address.to_canonical().is_loopback()
            && address.uri().kind() != RedirectKind::Https
            && !question.account.choose
    }
}

/// Answers with a code at once, where that is wanted and holds; else gives the question back, for the page.
pub(crate) async fn approve(
    browser: &Browser,
    client: &Client,
    address: &ReturnAddress,
    question: Question,
) -> Result<Result<HttpResponse, Question>, Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    let settings = &server.settings;
    let Some(wanted) = settings
        .auto_approve
        .as_ref()
        .filter(|wanted| wanted.holds(browser, address, &question))
    else {
        return Ok(Err(question));
    };
    let user = wanted.user.clone();
    let login = Login {
        client: client.id.clone(),
        answer: question.answer,
        max_age: question.max_age,
        subject: question.subject,
        audience: question.target.audience.clone(),
        scopes: question.scopes,
        // it is not kept, so that no browser can come back with it
        browser: Secret::generate(SecretKind::Browser).digest(),
        stage: LoginStage::Consent,
        expires_at: now.plus(settings.lifetimes.login),
    };
    let admitted = match admit::admit(server, &user, &login.audience, None).await {
        Ok(admitted) => admitted,
        Err(refusal) => return Err(approve::refuse(browser, login, &user, refusal).await),
    };
    let mut given = line(browser, Event::ConsentGiven, &login);
    (given.user, given.login) = (Some(user.id), Some(user.login.as_str()));
    given.reason = Some("auto_approved");
    given.write();
    let known = BrowserLogin {
        user,
        authenticated_at: now,
        expires_at: now,
    };
    let belonging = None;
    let approver = Approver { known, belonging };
    approve::approve(browser, &login, approver, admitted)
        .await
        .map(Ok)
}

#[cfg(test)]
mod tests {
    use mcp_gateway_model::id::{Login as LoginName, UserId};

    use super::*;

    fn made(issuer: &str, listener: &str) -> Result<AutoApprove, NotLoopback> {
        let user = User {
            id: UserId(583_231),
            login: LoginName::parse("octocat").unwrap(),
            shown_login: "octocat".into(),
            name: None,
            email: None,
        };
        let issuer = Issuer::parse(issuer).unwrap();
        AutoApprove::on_loopback(&issuer, listener.parse().unwrap(), user)
    }

    #[test]
    fn it_is_made_on_this_machine_alone() {
        for (issuer, listener, is_made) in [
            ("http://localhost:5000", "127.0.0.1:5000", true),
            ("http://127.0.0.1:5000", "127.0.0.1:5000", true),
            ("http://[::1]:5000", "[::1]:5000", true),
            ("http://[::1]:5000", "[::ffff:127.0.0.1]:5000", true),
            ("http://127.0.0.1:5000", "0.0.0.0:5000", false),
            ("http://127.0.0.1:5000", "[::]:5000", false),
            ("http://127.0.0.1:5000", "192.0.2.1:5000", false),
            ("https://localhost:5000", "127.0.0.1:5000", false),
            ("https://auth.example.com", "127.0.0.1:5000", false),
        ] {
            assert_eq!(made(issuer, listener).is_ok(), is_made, "{issuer} {listener}");
        }
    }
}
