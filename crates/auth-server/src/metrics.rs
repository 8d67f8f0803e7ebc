//! What is counted. Labels come from enums and constants, never from a client.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Why a grant ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its client revoked it.
    Revoked,
    /// A code or an old refresh token came back.
    Replayed,
    /// The access rules no longer let its user in.
    NotAdmitted,
    /// Its client was removed.
    ClientRemoved,
}

impl Ended {
    const fn label(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Replayed => "replayed",
            Self::NotAdmitted => "not_admitted",
            Self::ClientRemoved => "client_removed",
        }
    }
}

/// The counters.
pub(crate) struct Metrics {
    /// By grant type.
    tokens: IntCounterVec,
    /// By endpoint and reason.
    rejections: IntCounterVec,
    /// By how the client authenticates.
    registrations: IntCounterVec,
    /// By cause.
    grants_ended: IntCounterVec,
    /// Clients that nobody used, and that made room for others.
    evicted: IntCounter,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let evicted = IntCounter::new(
            "mcp_gateway_unused_clients_removed_total",
            "Clients that nobody used, and that made room for newer ones.",
        )?;
        registry.register(Box::new(evicted.clone()))?;
        Ok(Self {
            evicted,
            tokens: counter(
                "mcp_gateway_tokens_issued_total",
                "Token answers with an access token, by grant type.",
                &["grant_type"],
            )?,
            rejections: counter(
                "mcp_gateway_rejections_total",
                "Requests that clients were refused, by endpoint and reason.",
                &["endpoint", "reason"],
            )?,
            registrations: counter(
                "mcp_gateway_clients_registered_total",
                "Clients that registered themselves, by how they authenticate.",
                &["auth_method"],
            )?,
            grants_ended: counter(
                "mcp_gateway_grants_ended_total",
                "Grants that were ended before their time, by cause.",
                &["cause"],
            )?,
        })
    }

    /// Tokens were issued.
    pub(crate) fn issued(&self, grant_type: &'static str) {
        self.tokens.with_label_values(&[grant_type]).inc();
    }

    /// A request was refused.
    pub(crate) fn rejected(&self, endpoint: &'static str, reason: &'static str) {
        self.rejections.with_label_values(&[endpoint, reason]).inc();
    }

    /// A client registered.
    pub(crate) fn registered(&self, auth_method: &'static str) {
        self.registrations.with_label_values(&[auth_method]).inc();
    }

    /// Clients that nobody used made room for another.
    pub(crate) fn made_room(&self, count: u64) {
        self.evicted.inc_by(count);
    }

    /// Grants ended.
    pub(crate) fn ended(&self, cause: Ended, count: u64) {
        self.grants_ended
            .with_label_values(&[cause.label()])
            .inc_by(count);
    }
}
