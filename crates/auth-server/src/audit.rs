//! One line for each act that matters later: who, which client, which resource, why, in which request. Never a secret.

use std::borrow::Cow;

use mcp_gateway_model::{
    grant::Grant,
    id::{ClientId, RequestId, UserId},
};
use tracing::info;

use crate::door::RATE_LIMITED;

/// The log target of audit lines.
pub const TARGET: &str = "audit";

/// Something that was done or refused.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A client registered.
    ClientRegistered,
    /// A registration was refused.
    RegistrationRefused,
    /// A client changed its registration.
    ClientChanged,
    /// A client was removed.
    ClientRemoved,
    /// Somebody asked about, changed or removed a client, and was refused.
    ManagementRefused,
    /// A person allowed a client something.
    ConsentGiven,
    /// A person refused.
    ConsentDenied,
    /// A person came back from GitHub and was let in.
    LoggedIn,
    /// A person was not let in.
    LoginRefused,
    /// A person logged out in this browser.
    LoggedOut,
    /// A client asked for a device.
    DeviceAsked,
    /// A client that asked for a device was refused.
    DeviceRefused,
    /// Tokens were issued for a code.
    TokenIssued,
    /// A token request was refused.
    TokenRefused,
    /// A refresh token was turned.
    TokenRefreshed,
    /// A code or an old refresh token came back: the grant ended.
    Replayed,
    /// A grant was ended by its client.
    Revoked,
    /// GitHub no longer says that a person belongs where they must: the grant ended.
    MembershipEnded,
    /// An operator did something.
    Administered,
}

impl Event {
    /// The name in the line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientRegistered => "client_registered",
            Self::RegistrationRefused => "registration_refused",
            Self::ClientChanged => "client_changed",
            Self::ClientRemoved => "client_removed",
            Self::ManagementRefused => "management_refused",
            Self::ConsentGiven => "consent_given",
            Self::ConsentDenied => "consent_denied",
            Self::LoggedIn => "logged_in",
            Self::LoginRefused => "login_refused",
            Self::LoggedOut => "logged_out",
            Self::DeviceAsked => "device_asked",
            Self::DeviceRefused => "device_refused",
            Self::TokenIssued => "token_issued",
            Self::TokenRefused => "token_refused",
            Self::TokenRefreshed => "token_refreshed",
            Self::Replayed => "replayed",
            Self::Revoked => "revoked",
            Self::MembershipEnded => "membership_ended",
            Self::Administered => "administered",
        }
    }
}

/// A line of the audit log. What is not known is left out.
#[derive(Debug)]
pub struct Line<'a> {
    /// What happened.
    pub event: Event,
    /// In which request.
    pub request_id: &'a RequestId,
    /// Who.
    pub user: Option<UserId>,
    /// Their login.
    pub login: Option<&'a str>,
    /// Through which client.
    pub client: Option<&'a ClientId>,
    /// For which resource: all that a login opens, or what tokens name as their audience.
    pub resource: Option<Cow<'a, str>>,
    /// Why, as a code.
    pub reason: Option<&'static str>,
}

impl<'a> Line<'a> {
    /// A line with nothing but the event.
    #[must_use]
    pub const fn new(event: Event, request_id: &'a RequestId) -> Self {
        Self {
            event,
            request_id,
            user: None,
            login: None,
            client: None,
            resource: None,
            reason: None,
        }
    }

    /// A line about what happens to a grant.
    #[must_use]
    pub fn of_grant(event: Event, request_id: &'a RequestId, grant: &'a Grant) -> Self {
        Self {
            user: grant.user.as_ref().map(|user| user.id),
            login: grant.user.as_ref().map(|user| user.login.as_str()),
            client: Some(&grant.client),
            resource: grant.audiences.first().map(|uri| uri.as_str().into()),
            ..Self::new(event, request_id)
        }
    }

    /// Writes it; not for a request that came too often. Anybody can send those by the thousand, and would drive out of
    /// the log what matters: metrics and the log of requests count them.
    pub fn write(&self) {
        if self.reason == Some(RATE_LIMITED) {
            return;
        }
        info!(
            target: TARGET,
            event = self.event.as_str(),
            request_id = %self.request_id,
            user = self.user.map(|u| u.0),
            login = self.login,
            client = self.client.map(ClientId::as_str),
            resource = self.resource.as_deref(),
            reason = self.reason,
        );
    }
}
