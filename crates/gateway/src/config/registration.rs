//! Who may register, and what for.

use mcp_gateway_auth_server::{Gate, RedirectHosts, RegistrationSettings};
use mcp_gateway_model::secret::Secret;

use super::{Role, reader::Reader};

/// How many characters an initial access token needs.
const STRONG: usize = 32;

/// The gates of registration. Only an authorization server has them; every role checks that they are written down rightly.
pub(super) fn read(r: &mut Reader<'_>, role: Role) -> RegistrationSettings {
    let gate = r.parsed("REGISTRATION", |text| match text.to_ascii_lowercase().as_str() {
        "open" => Ok(Gate::Open),
        "token" => Ok(Gate::Token),
        "off" => Ok(Gate::Off),
        _ => Err("must be open, token or off"),
    });
    let gate = gate.unwrap_or_default();
    let tokens = r.parsed("REGISTRATION_TOKEN", tokens).unwrap_or_default();
    if gate == Gate::Token && !r.has("REGISTRATION_TOKEN") && role != Role::Verifier {
        r.faults
            .add("REGISTRATION_TOKEN", "is not set, and REGISTRATION is token");
    }
    for name in ["REGISTRATION_TOKEN", "REGISTRATION_REDIRECT_HOSTS"] {
        if gate == Gate::Off && r.has(name) {
            r.warnings
                .push(format!("{name} has no effect: REGISTRATION is off"));
        }
    }
    if gate == Gate::Token && r.has("REGISTRATION_REDIRECT_HOSTS") {
        r.warnings.push(
            "REGISTRATION_REDIRECT_HOSTS has no effect: REGISTRATION is token, and clients with a token may be redirected anywhere"
                .to_owned(),
        );
    }
    RegistrationSettings {
        gate,
        redirect_hosts: r.parsed("REGISTRATION_REDIRECT_HOSTS", RedirectHosts::parse),
        tokens,
        client_credentials: r
            .parsed("REGISTRATION_CLIENT_CREDENTIALS", |text| {
                match text.to_ascii_lowercase().as_str() {
                    "open" => Ok(true),
                    "token" => Ok(false),
                    _ => Err("must be open or token"),
                }
            })
            .unwrap_or_else(|| is_open(role)),
        unused_limit: unused_limit(r),
    }
}

/// At least one: else nobody who registers could go on to log in.
fn unused_limit(r: &mut Reader<'_>) -> u32 {
    const NAME: &str = "REGISTRATION_UNUSED_LIMIT";
    let limit = r.number(NAME, RegistrationSettings::default().unused_limit);
    if limit == 0 {
        r.faults.add(NAME, "must be more than 0");
    }
    limit
}

/// On this machine alone, every client that registers may act for itself.
const fn is_open(role: Role) -> bool {
    match role {
        #[cfg(feature = "sandbox")]
        Role::Dev => true,
        _ => false,
    }
}

/// Tokens that can be sent as bearer tokens (RFC 6750 §2.1).
fn tokens(text: &str) -> Result<Vec<Secret>, &'static str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let tokens: Vec<_> = entries.collect();
    if tokens.is_empty() || tokens.iter().any(|token| token.len() < STRONG) {
        return Err("must have 32 characters or more, each if there are several; try: openssl rand -hex 32");
    }
    if !tokens.iter().all(|token| token.bytes().all(fits)) {
        return Err("may have letters, digits and -._~+/= only: it is sent as a bearer token");
    }
    let presented = |token: &str| Secret::presented(token.to_owned());
    Ok(tokens.into_iter().map(presented).collect())
}
