//! Reads client metadata ([RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2)). Members that are not known
//! here are ignored; those that are must be what the RFC says.

use std::fmt::Display;

use mcp_gateway_model::{
    client::{ApplicationType, AssertionAlgorithm, AuthMethod, ClientMetadata, ClientOrigin, GrantType},
    error::ErrorCode,
    issuer::Issuer,
    redirect::RedirectUri,
    scope::{Scope, ScopeSet},
};
use serde_json::{Map, Value};
use url::Url;

use super::{gate::RegistrationSettings, redirects};
use crate::{
    client_auth::ClientKeys,
    door::Rejection,
    settings::{DeviceGrant, Settings},
};

/// The most characters a name may have.
const NAME_LENGTH: usize = 200;
/// The most characters the URI of a page may have.
const URI_LENGTH: usize = 2048;
/// The most entries a list may have.
const LIST_LENGTH: usize = 20;
/// The most bytes all of it may have as it is kept: everybody may register.
const KEPT_BYTES: usize = 8 * 1024;
/// The most scopes that are kept.
const SCOPES: usize = 100;

/// What metadata is held to.
pub(crate) struct Rules<'a> {
    pub(super) issuer: &'a Issuer,
    gate: Held<'a>,
    /// Whether it may be for devices.
    devices: bool,
}

/// By whom metadata was written, and so what it may say.
enum Held<'a> {
    /// By a client that registers: how it may.
    Registered(&'a RegistrationSettings, ClientOrigin),
    /// By a client, for many servers.
    Described,
    /// By the operator.
    Entered,
}

impl<'a> Rules<'a> {
    /// For a client that registers, or changes its registration.
    pub(crate) const fn of(settings: &'a Settings, origin: ClientOrigin) -> Self {
        Self {
            issuer: &settings.issuer,
            gate: Held::Registered(&settings.registration, origin),
            devices: matches!(settings.device_grant, DeviceGrant::Open),
        }
    }

    /// For the description of a client, which is made for many servers.
    pub(crate) const fn of_document(issuer: &'a Issuer) -> Self {
        let gate = Held::Described;
        Self {
            issuer,
            gate,
            devices: true,
        }
    }

    /// For a client that the operator enters.
    pub(crate) const fn of_entry(issuer: &'a Issuer) -> Self {
        let gate = Held::Entered;
        Self {
            issuer,
            gate,
            devices: true,
        }
    }

    /// Whether a redirect URI is one that the operator wants.
    pub(super) fn allow_redirect(&self, uri: &RedirectUri) -> bool {
        match self.gate {
            Held::Registered(registration, origin) => registration.allows_redirect(origin, uri),
            Held::Described | Held::Entered => true,
        }
    }
}

/// Reads the metadata, and fills in what the client left open.
///
/// # Errors
/// `invalid_client_metadata` or `invalid_redirect_uri`, naming the member.
pub(crate) fn read(members: &Map<String, Value>, rules: &Rules<'_>) -> Result<ClientMetadata, Rejection> {
    let members = Members(members);
    let auth_method = auth_method(&members)?;
    let grant_types = grant_types(&members, auth_method, rules)?;
    let named = members.texts("redirect_uris")?;
    // RFC 7591 §2: only clients of a flow with redirects need redirect URIs.
    let takes_codes = grant_types.contains(&GrantType::AuthorizationCode);
    let redirect_uris = if takes_codes || named.as_ref().is_some_and(|named| !named.is_empty()) {
        redirects::acceptable(named, auth_method, rules)?
    } else {
        Vec::new()
    };
    let keys = keys(&members, auth_method)?;
    let metadata = ClientMetadata {
        redirect_uris,
        token_endpoint_auth_method: auth_method,
        response_types: if takes_codes {
            response_types(&members)?
        } else {
            Vec::new()
        },
        grant_types,
        client_name: members.name("client_name")?,
        client_uri: members.page("client_uri")?,
        logo_uri: members.page("logo_uri")?,
        tos_uri: members.page("tos_uri")?,
        policy_uri: members.page("policy_uri")?,
        contacts: contacts(&members)?,
        scope: scope(&members)?,
        software_id: members.name("software_id")?,
        software_version: members.name("software_version")?,
        application_type: application_type(&members)?,
        jwks: keys.inline,
        jwks_uri: keys.address,
    };
    fits(&metadata)?;
    Ok(metadata)
}

fn fits(metadata: &ClientMetadata) -> Result<(), Rejection> {
    let bytes = serde_json::to_vec(metadata).map_or(usize::MAX, |text| text.len());
    if bytes <= KEPT_BYTES {
        return Ok(());
    }
    Err(Rejection::new(
        ErrorCode::InvalidClientMetadata,
        format!("the metadata of a registration must be at most {KEPT_BYTES} bytes altogether"),
        "metadata_too_large",
    ))
}

fn auth_method(members: &Members<'_>) -> Result<AuthMethod, Rejection> {
    const NAME: &str = "token_endpoint_auth_method";
    let Some(text) = members.text(NAME)? else {
        return Ok(AuthMethod::default());
    };
    AuthMethod::ALL
        .into_iter()
        .find(|method| method.as_str() == text)
        .ok_or_else(|| {
            invalid(
                NAME,
                "must be none, client_secret_basic, client_secret_post or private_key_jwt",
            )
        })
}

/// Where the keys are that sign a client's assertions.
#[derive(Default)]
struct Keys {
    inline: Option<Value>,
    address: Option<String>,
}

/// The keys of a client that signs; nothing else is done with keys here, so those of other clients are not kept.
fn keys(members: &Members<'_>, auth_method: AuthMethod) -> Result<Keys, Rejection> {
    const NAME: &str = "jwks";
    if auth_method != AuthMethod::PrivateKeyJwt {
        return Ok(Keys::default());
    }
    if let Some(algorithm) = members.text("token_endpoint_auth_signing_alg")?
        && AssertionAlgorithm::parse(algorithm).is_none()
    {
        return Err(invalid(
            "token_endpoint_auth_signing_alg",
            "must be RS256, PS256, ES256 or EdDSA",
        ));
    }
    match (members.0.get(NAME), members.text("jwks_uri")?) {
        (Some(set), None) => {
            ClientKeys::parse(set).map_err(|bad| invalid(NAME, bad.to_string()))?;
            Ok(Keys {
                inline: Some(set.clone()),
                address: None,
            })
        }
        (None, Some(address)) => Ok(Keys {
            inline: None,
            address: Some(key_address(address)?),
        }),
        (None, None) => Err(invalid(
            NAME,
            "or jwks_uri must be sent: a client with private_key_jwt has public keys",
        )),
        (Some(_), Some(_)) => Err(invalid(NAME, "and jwks_uri must not be sent both")),
    }
}

/// Where keys are published. Whether that is a public place is seen when they are read.
fn key_address(address: &str) -> Result<String, Rejection> {
    let url = Url::parse(address).ok().filter(|url| {
        let is_bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        is_bare && url.scheme() == "https" && address.len() <= URI_LENGTH
    });
    url.map(String::from).ok_or_else(|| {
        invalid(
            "jwks_uri",
            "must be an https URL of at most 2048 characters, without user information and fragment",
        )
    })
}

/// Every client may refresh unless it says otherwise: the default of RFC 7591, `authorization_code` alone, would log
/// people out every half hour.
fn grant_types(
    members: &Members<'_>,
    auth_method: AuthMethod,
    rules: &Rules<'_>,
) -> Result<Vec<GrantType>, Rejection> {
    const NAME: &str = "grant_types";
    let Some(named) = members.texts(NAME)?.filter(|named| !named.is_empty()) else {
        return Ok(GrantType::BY_CONSENT.to_vec());
    };
    let is_named = |grant_type: GrantType| named.iter().any(|text| text == grant_type.as_str());
    let for_devices = rules.devices && is_named(GrantType::DeviceCode);
    let mut granted = match (
        is_named(GrantType::AuthorizationCode),
        is_named(GrantType::RefreshToken),
    ) {
        (true, false) => vec![GrantType::AuthorizationCode],
        (false, true) if for_devices => vec![GrantType::RefreshToken],
        // Without a code there is never anything to refresh.
        (_, true) => GrantType::BY_CONSENT.to_vec(),
        (false, false) => Vec::new(),
    };
    if for_devices {
        granted.push(GrantType::DeviceCode);
    }
    if is_named(GrantType::ClientCredentials) && may_act(auth_method, rules)? {
        granted.push(GrantType::ClientCredentials);
    }
    if granted.is_empty() {
        return Err(invalid(
            NAME,
            "must name authorization_code, or another grant type that this client may have",
        ));
    }
    Ok(granted)
}

/// Whether a client that wants to may act for itself; a description, made for many servers, is not refused for wanting to.
fn may_act(auth_method: AuthMethod, rules: &Rules<'_>) -> Result<bool, Rejection> {
    const NAME: &str = "grant_types";
    let vouched_for = match rules.gate {
        Held::Registered(registration, origin) => registration.may_act_for_itself(origin),
        Held::Described => return Ok(false),
        Held::Entered => true,
    };
    if !vouched_for {
        return Err(invalid(
            NAME,
            "must not name client_credentials: that is for clients that the operator entered, or that register with an \
             initial access token",
        ));
    }
    if auth_method == AuthMethod::None {
        return Err(invalid(
            NAME,
            "must not name client_credentials with token_endpoint_auth_method none: the client has to prove who it is",
        ));
    }
    Ok(true)
}

fn response_types(members: &Members<'_>) -> Result<Vec<String>, Rejection> {
    const NAME: &str = "response_types";
    let named = members.texts(NAME)?.unwrap_or_default();
    if named.is_empty() || named.iter().any(|text| text == "code") {
        Ok(vec!["code".to_owned()])
    } else {
        Err(invalid(NAME, "must name code"))
    }
}

fn contacts(members: &Members<'_>) -> Result<Vec<String>, Rejection> {
    const NAME: &str = "contacts";
    let contacts = members.texts(NAME)?.unwrap_or_default();
    if contacts.len() > LIST_LENGTH {
        return Err(invalid(NAME, "must name at most 20"));
    }
    for contact in &contacts {
        readable(NAME, contact)?;
    }
    Ok(contacts)
}

/// The words that can be scopes. Which of them mean something is decided when they are asked for.
fn scope(members: &Members<'_>) -> Result<ScopeSet, Rejection> {
    let text = members.text("scope")?.unwrap_or_default();
    Ok(text
        .split(' ')
        .filter_map(|word| Scope::parse(word).ok())
        .take(SCOPES)
        .collect())
}

fn application_type(members: &Members<'_>) -> Result<Option<ApplicationType>, Rejection> {
    const NAME: &str = "application_type";
    match members.text(NAME)? {
        None => Ok(None),
        Some("web") => Ok(Some(ApplicationType::Web)),
        Some("native") => Ok(Some(ApplicationType::Native)),
        Some(_) => Err(invalid(NAME, "must be web or native")),
    }
}

/// The members of a registration.
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    /// A text; an empty one counts as left out.
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, Rejection> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(invalid(name, "must be a string")),
        }
    }

    /// A list of texts.
    fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, Rejection> {
        let wrong = || invalid(name, "must be an array of strings");
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned).ok_or_else(wrong);
        let texts = value.as_array().ok_or_else(wrong)?;
        texts.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A text that people may get to see.
    fn name(&self, name: &'static str) -> Result<Option<String>, Rejection> {
        let text = self.text(name)?;
        text.map(|text| readable(name, text).map(|()| text.to_owned()))
            .transpose()
    }

    /// The address of a page: a script URL among them would run when somebody follows it.
    fn page(&self, name: &'static str) -> Result<Option<String>, Rejection> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let is_page = text.len() <= URI_LENGTH
            && text.bytes().all(|b| b.is_ascii_graphic())
            && Url::parse(text).is_ok_and(|url| ["https", "http"].contains(&url.scheme()));
        if is_page {
            Ok(Some(text.to_owned()))
        } else {
            Err(invalid(
                name,
                "must be an http or https URL of at most 2048 characters",
            ))
        }
    }
}

fn readable(name: &'static str, text: &str) -> Result<(), Rejection> {
    if text.chars().count() > NAME_LENGTH {
        return Err(invalid(name, "must be at most 200 characters"));
    }
    if text.chars().any(|c| c.is_control() || turns_text(c)) {
        return Err(invalid(
            name,
            "must not have control characters or characters that change the direction of text",
        ));
    }
    Ok(())
}

/// Characters that make text read otherwise than it is written: marks, embeddings, overrides, isolates, and line and
/// paragraph separators.
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn invalid(name: &'static str, rule: impl Display) -> Rejection {
    Rejection::new(
        ErrorCode::InvalidClientMetadata,
        format!("{name} {rule}"),
        "metadata_refused",
    )
    .because(name)
}
