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
    nonces: u32,
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
}

impl Attempts {
    /// What to do with `response`, which came to a call with a token or without one.
    pub(super) fn next(&mut self, response: &Response, had_token: bool) -> Next {
        let challenge = Challenge::for_token(response.headers());
        match response.status() {
            StatusCode::UNAUTHORIZED => self.unauthorized(challenge, had_token),
            StatusCode::FORBIDDEN => self.forbidden(challenge),
            _ => Next::Hand,
        }
    }

    fn unauthorized(&mut self, challenge: Option<Challenge>, had_token: bool) -> Next {
        let error = challenge.as_ref().and_then(Challenge::error);
        if had_token && error == Some("use_dpop_nonce") && self.nonces == 0 {
            self.nonces += 1;
            return Next::SendAgain;
        }
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
        if self.steps.len() == STEPS || self.steps.contains(&scope) {
            return Next::Hand;
        }
        self.steps.push(scope);
        Next::StepUp(challenge)
    }
}
