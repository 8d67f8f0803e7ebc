//! What an answer asks for, and how often it is given
//! ([MCP step-up](https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization#step-up-authorization-flow)).

use reqwest::{Response, StatusCode};

use crate::discover::Challenge;

/// How often a token is replaced for one call: by a refresh, and by a login.
const RENEWALS: u32 = 2;
/// How often more scopes are asked for, for one call.
const STEPS: usize = 2;

/// What was tried for one call.
#[derive(Default)]
pub(super) struct Attempts {
    /// Whether a nonce was asked for.
    has_nonce: bool,
    renewals: u32,
    /// The scopes that were asked for because a challenge named them.
    steps: Vec<String>,
}

/// What to do with an answer.
pub(super) enum Next {
    /// Hand it over.
    Hand,
    /// Make the call again as it is, with the nonce that came.
    SendAgain,
    /// Get another token.
    Renew {
        challenge: Option<Challenge>,
        may_refresh: bool,
    },
    /// Get a token for more scopes.
    StepUp(Challenge),
    /// Hand it over: these scopes were asked for, and are asked for again.
    Refused(String),
}

impl Attempts {
    /// What to do with `response`, which came to a call with a token or without one.
    pub(super) fn next(&mut self, response: &Response, had_token: bool) -> Next {
        let challenge = Challenge::for_token(response.headers());
        match response.status() {
            StatusCode::UNAUTHORIZED if had_token && self.wants_nonce(response) => Next::SendAgain,
            StatusCode::UNAUTHORIZED => self.unauthorized(challenge, had_token),
            StatusCode::FORBIDDEN => self.forbidden(challenge),
            _ => Next::Hand,
        }
    }

    /// Whether any challenge asks for a nonce in the proof ([RFC 9449
    /// §9](https://www.rfc-editor.org/rfc/rfc9449#section-9)): once, and beside a challenge for another scheme as well.
    fn wants_nonce(&mut self, response: &Response) -> bool {
        let mut all = Challenge::all(response.headers()).into_iter();
        let is_asked = all.any(|challenge| challenge.error() == Some("use_dpop_nonce"));
        is_asked && !std::mem::replace(&mut self.has_nonce, true)
    }

    fn unauthorized(&mut self, challenge: Option<Challenge>, had_token: bool) -> Next {
        if self.renewals == RENEWALS {
            return Next::Hand;
        }
        let may_refresh = self.renewals == 0;
        // without a token there was nothing to refresh: one login, and no second one for its token
        self.renewals = if had_token { self.renewals + 1 } else { RENEWALS };
        Next::Renew {
            challenge,
            may_refresh,
        }
    }

    fn forbidden(&mut self, challenge: Option<Challenge>) -> Next {
        let Some(challenge) = challenge.filter(|one| one.error() == Some("insufficient_scope")) else {
            return Next::Hand;
        };
        let Some(scope) = challenge.scope().map(ToOwned::to_owned) else {
            return Next::Hand;
        };
        if self.steps.contains(&scope) {
            return Next::Refused(scope);
        }
        if self.steps.len() == STEPS {
            return Next::Hand;
        }
        self.steps.push(scope);
        Next::StepUp(challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, challenges: &[&str]) -> Response {
        let mut builder = oauth2::http::Response::builder().status(status);
        for challenge in challenges {
            builder = builder.header("WWW-Authenticate", *challenge);
        }
        Response::from(builder.body("").unwrap())
    }

    #[test]
    fn a_nonce_is_sent_once_also_where_another_scheme_comes_first() {
        let challenges = [
            "Bearer resource_metadata=\"https://mcp.example.com/x\"",
            "DPoP error=\"use_dpop_nonce\"",
        ];
        let mut attempts = Attempts::default();
        let nonce = answer(401, &challenges);
        assert!(matches!(attempts.next(&nonce, true), Next::SendAgain));
        assert!(matches!(
            attempts.next(&nonce, true),
            Next::Renew {
                may_refresh: true,
                ..
            }
        ));
        assert!(matches!(
            attempts.next(&nonce, true),
            Next::Renew {
                may_refresh: false,
                ..
            }
        ));
        assert!(matches!(attempts.next(&nonce, true), Next::Hand));
    }

    #[test]
    fn without_a_token_there_is_one_login_and_no_second() {
        let mut attempts = Attempts::default();
        let refused = answer(401, &["Bearer"]);
        assert!(matches!(attempts.next(&refused, false), Next::Renew { .. }));
        assert!(matches!(attempts.next(&refused, true), Next::Hand));
    }

    #[test]
    fn the_same_scopes_are_asked_for_once_and_others_once_more() {
        let mut attempts = Attempts::default();
        let mut next = |scope: &str| {
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            matches!(attempts.next(&answer(403, &[&challenge]), true), Next::StepUp(_))
        };
        assert!(next("a"));
        assert!(!next("a"));
        assert!(next("b"));
        assert!(!next("c"));
        assert!(matches!(
            attempts.next(&answer(403, &["Bearer error=\"other\""]), true),
            Next::Hand
        ));
        assert!(matches!(attempts.next(&answer(403, &[]), true), Next::Hand));
    }
}
