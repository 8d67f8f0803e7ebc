//! How a client proves who it is.

use mcp_gateway_model::{
    clock::{Clock, SystemClock},
    secret::random_text,
};
use serde_json::{Value, json};

use super::replay::text;
use crate::support::signer::Signer;

/// How a client says who it is.
pub(super) enum Credentials {
    /// By its id alone.
    Public(String),
    /// With a secret in the form.
    Post(String, String),
    /// With an assertion signed for each request.
    Key(Signing),
}

/// What a client signs assertions with, and for whom.
pub(super) struct Signing {
    pub(super) id: String,
    pub(super) signer: Signer,
    pub(super) audience: String,
}

impl Credentials {
    /// What the answer to a registration gives.
    pub(super) fn registered(answer: &Value) -> Self {
        let id = text(&answer["client_id"]);
        match answer["client_secret"].as_str() {
            Some(secret) => Self::Post(id, secret.to_owned()),
            None => Self::Public(id),
        }
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Self::Public(id) | Self::Post(id, _) | Self::Key(Signing { id, .. }) => id,
        }
    }

    /// What it adds to a form.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let id = ("client_id", self.id().to_owned());
        match self {
            Self::Public(_) => vec![id],
            Self::Post(_, secret) => vec![id, ("client_secret", secret.clone())],
            Self::Key(signing) => vec![
                id,
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
                ),
                ("client_assertion", signing.assertion()),
            ],
        }
    }
}

impl Signing {
    fn assertion(&self) -> String {
        let now = SystemClock.now().secs();
        let claims = json!({
            "iss": self.id,
            "sub": self.id,
            "aud": self.audience,
            "iat": now,
            "exp": now + 60,
            "jti": random_text::<16>(),
        });
        self.signer.assertion("key-1", &claims)
    }
}
