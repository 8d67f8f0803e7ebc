//! What logging in needs besides the store: GitHub, the keys of the forms, and counters.

use mcp_gateway_model::secret::MacKey;
use prometheus::{IntCounterVec, Opts, Registry};

use crate::{
    github::{BadGithub, Github, Patience},
    settings::Settings,
};

/// How a login ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// With a code for the client.
    Allowed,
    /// The person said no, here or at GitHub.
    Denied,
    /// The access rules said no.
    Refused,
    /// GitHub did not tell who it is.
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Allowed, Self::Denied, Self::Refused, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What logging in needs.
pub(crate) struct LoginDesk {
    /// Who people are.
    pub(crate) github: Github,
    /// Authenticate consent forms; the first makes new ones.
    pub(crate) form_keys: Vec<MacKey>,
    /// Stand between the codes that people type and their digests; the first makes new ones.
    pub(crate) user_code_keys: Vec<MacKey>,
    logins: IntCounterVec,
}

impl LoginDesk {
    /// Puts it together.
    ///
    /// # Errors
    /// [`BadDesk`] when GitHub cannot be asked, or the counters are there already.
    pub(crate) fn new(settings: &Settings, registry: &Registry) -> Result<Self, BadDesk> {
        let options = Opts::new("mcp_gateway_logins_total", "Logins by how they ended.");
        let logins = IntCounterVec::new(options, &["outcome"])?;
        registry.register(Box::new(logins.clone()))?;
        for outcome in Outcome::ALL {
            logins.with_label_values(&[outcome.as_str()]);
        }
        let callback = settings.issuer.endpoint("/callback");
        let keys = |label| {
            let secrets = settings.sealing_secrets.iter();
            secrets
                .map(|secret| MacKey::derive(secret.reveal().as_bytes(), label))
                .collect()
        };
        Ok(Self {
            github: Github::new(&settings.github, callback, Patience::default())?,
            form_keys: keys("mcp-gateway consent forms 1"),
            user_code_keys: keys("mcp-gateway user codes 1"),
            logins,
        })
    }

    /// Counts a login.
    pub(crate) fn count(&self, outcome: Outcome) {
        self.logins.with_label_values(&[outcome.as_str()]).inc();
    }
}

/// Why nobody could log in.
#[derive(Debug, thiserror::Error)]
pub enum BadDesk {
    /// GitHub.
    #[error(transparent)]
    Github(#[from] BadGithub),
    /// The counters.
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}
