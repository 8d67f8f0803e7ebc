//! Clients that the operator enters, under ids of the operator's choice: in the configuration, or in the store.

use mcp_gateway_model::{
    client::{AuthMethod, Client, ClientOrigin},
    clock::Timestamp,
    id::ClientId,
    issuer::Issuer,
    resource::{ResourceUri, Resources},
    scope::ScopeSet,
    secret::Digest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::register::{Rules, read_metadata};

/// What an operator says of a client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: Option<String>,
    /// Where it may be redirected to; none for a client that only acts for itself.
    pub redirect_uris: Vec<String>,
    /// How it proves who it is (`token_endpoint_auth_method`); left out, what fits its credential.
    pub auth_method: Option<String>,
    /// The SHA-256 of its secret.
    pub secret: Option<Digest>,
    /// Its public keys.
    pub jwks: Option<Value>,
    /// Where its public keys are.
    pub jwks_uri: Option<String>,
    /// What it may send to the token endpoint; none for what its redirect URIs call for.
    pub grant_types: Vec<String>,
    /// What it may ask for; none for whatever there is.
    pub scopes: Vec<String>,
    /// Which resources it may use; `None` names none in particular.
    pub resources: Option<Vec<String>>,
}

/// What is wrong with an entry: the part, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part} {rule}")]
pub struct BadEntry {
    /// The part, as the configuration file calls it.
    pub part: &'static str,
    /// What it must be.
    pub rule: String,
}

fn bad(part: &'static str, rule: impl Into<String>) -> BadEntry {
    let rule = rule.into();
    BadEntry { part, rule }
}

/// What registrations are told, with the part as operators call it.
fn of_member(description: &str) -> BadEntry {
    const PARTS: [(&str, &str); 7] = [
        ("client_name ", "name"),
        ("grant_types ", "grant_types"),
        ("jwks ", "jwks"),
        ("jwks_uri ", "jwks_uri"),
        ("redirect_uris ", "redirect_uris"),
        ("scope ", "scopes"),
        ("token_endpoint_auth_method ", "token_endpoint_auth_method"),
    ];
    let named = PARTS
        .iter()
        .find_map(|(member, part)| Some((*part, description.strip_prefix(member)?)));
    let (part, rule) = named.unwrap_or(("client", description));
    bad(part, rule)
}

impl Entry {
    /// The client, held to the rules of registrations. It never expires, and nobody manages it over the network.
    ///
    /// # Errors
    /// [`BadEntry`] says what is wrong.
    pub fn client(&self, issuer: &Issuer, resources: &Resources, now: Timestamp) -> Result<Client, BadEntry> {
        let id = ClientId::choose(&self.id).map_err(|rule| bad("id", rule.to_string()))?;
        let method = self.method()?;
        if self.acts_only() && method == AuthMethod::None {
            return Err(bad(
                "redirect_uris",
                "must name one at least; a client without any needs a secret or keys, to act for itself",
            ));
        }
        let metadata = read_metadata(&self.members(method), &Rules::of_entry(issuer))
            .map_err(|refused| of_member(refused.description()))?;
        if metadata.grant_types.is_empty() {
            return Err(bad("grant_types", "must name one at least"));
        }
        Ok(Client {
            id,
            metadata,
            origin: ClientOrigin::PreRegistered,
            secret: self.secret,
            registration_token: None,
            previous_registration_token: None,
            revision: 0,
            issued_at: now,
            expires_at: None,
            seen: false,
            resources: self.named_resources(resources)?,
        })
    }

    /// The method that fits the credential.
    fn method(&self) -> Result<AuthMethod, BadEntry> {
        const PART: &str = "token_endpoint_auth_method";
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        let usual = match (self.secret.is_some(), has_keys) {
            (true, true) => return Err(bad("secret", "and keys are both given: a client has one of them")),
            (true, false) => AuthMethod::ClientSecretBasic,
            (false, true) => AuthMethod::PrivateKeyJwt,
            (false, false) => AuthMethod::None,
        };
        let Some(named) = &self.auth_method else {
            return Ok(usual);
        };
        let method = AuthMethod::ALL
            .into_iter()
            .find(|method| method.as_str() == named);
        let method = method.ok_or_else(|| {
            bad(
                PART,
                "must be none, client_secret_basic, client_secret_post or private_key_jwt",
            )
        })?;
        let needs_secret = matches!(
            method,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost
        );
        match method {
            _ if needs_secret != self.secret.is_some() => Err(bad(
                PART,
                if needs_secret {
                    "needs a secret, and none is given"
                } else {
                    "needs no secret, and one is given"
                },
            )),
            AuthMethod::PrivateKeyJwt if !has_keys => Err(bad(PART, "needs keys, and none are given")),
            AuthMethod::None if has_keys => Err(bad(PART, "needs no keys, and some are given")),
            method => Ok(method),
        }
    }

    /// Whether nothing is said but that it acts for itself.
    const fn acts_only(&self) -> bool {
        self.redirect_uris.is_empty() && self.grant_types.is_empty()
    }

    /// The entry in the names of RFC 7591.
    fn members(&self, method: AuthMethod) -> Map<String, Value> {
        let grant_types = if self.acts_only() {
            json!(["client_credentials"])
        } else {
            json!(self.grant_types)
        };
        let members = [
            ("token_endpoint_auth_method", Some(json!(method.as_str()))),
            ("redirect_uris", Some(json!(self.redirect_uris))),
            ("grant_types", Some(grant_types)),
            ("scope", Some(json!(self.scopes.join(" ")))),
            ("client_name", self.name.as_ref().map(|name| json!(name))),
            ("jwks", self.jwks.clone()),
            ("jwks_uri", self.jwks_uri.as_ref().map(|uri| json!(uri))),
        ];
        members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }

    fn named_resources(&self, resources: &Resources) -> Result<Option<Vec<ResourceUri>>, BadEntry> {
        let scopes = resources.all_scopes();
        let asked = ScopeSet::parse(&self.scopes.join(" ")).map_err(|why| bad("scopes", why.to_string()))?;
        if let Some(unknown) = asked.iter().find(|scope| !scopes.contains(scope)) {
            return Err(bad("scopes", format!("has {unknown}, which no resource has")));
        }
        let Some(named) = &self.resources else {
            return Ok(None);
        };
        let one = |uri: &String| {
            ResourceUri::parse(uri)
                .ok()
                .filter(|uri| resources.of_audience(uri.as_str()).is_some())
                .ok_or_else(|| bad("resources", format!("has {uri}, which is not protected here")))
        };
        named.iter().map(one).collect::<Result<_, _>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use mcp_gateway_model::{client::GrantType, resource::Resource};

    use super::*;

    fn resources() -> Resources {
        let echo = ResourceUri::parse("https://echo.example.com/mcp").unwrap();
        Resources::new(vec![Resource::new(echo, None)], vec![], "auth.example.com")
    }

    fn judged(change: impl FnOnce(&mut Entry)) -> Result<Client, BadEntry> {
        let mut entry = Entry {
            id: "ci".into(),
            name: Some("CI".into()),
            secret: Some(Digest::of(b"secret")),
            ..Entry::default()
        };
        change(&mut entry);
        let issuer = Issuer::parse("https://auth.example.com").unwrap();
        entry.client(&issuer, &resources(), Timestamp::from_secs(1))
    }

    #[test]
    fn what_is_left_out_is_what_fits_the_rest() {
        let client = judged(|_| {}).unwrap();
        assert_eq!(client.metadata.grant_types, [GrantType::ClientCredentials]);
        assert_eq!(
            client.metadata.token_endpoint_auth_method,
            AuthMethod::ClientSecretBasic
        );
        assert_eq!((client.expires_at, client.registration_token), (None, None));
        let client = judged(|entry| {
            entry.secret = None;
            entry.redirect_uris = vec!["https://client.example.com/cb".into()];
        })
        .unwrap();
        assert_eq!(client.metadata.grant_types, GrantType::BY_CONSENT);
        assert_eq!(client.metadata.token_endpoint_auth_method, AuthMethod::None);
    }

    #[test]
    fn an_id_is_nobody_elses_and_no_number() {
        for id in [
            "583231",
            "mcp_client_x",
            "https://client.example.com/x",
            "api-key",
            "personal-access-token",
            "",
            "a b",
            "ü",
        ] {
            let refused = judged(|entry| entry.id = id.into()).unwrap_err();
            assert_eq!(refused.part, "id", "{id}");
        }
    }

    #[test]
    fn a_credential_fits_the_method() {
        let part = |change: fn(&mut Entry)| judged(change).unwrap_err().part;
        assert_eq!(
            part(|e| e.auth_method = Some("none".into())),
            "token_endpoint_auth_method"
        );
        assert_eq!(
            part(|e| e.auth_method = Some("x".into())),
            "token_endpoint_auth_method"
        );
        assert_eq!(
            part(|e| e.jwks_uri = Some("https://a.example/keys".into())),
            "secret"
        );
        assert_eq!(
            part(|e| {
                e.secret = None;
                e.auth_method = Some("client_secret_post".into());
            }),
            "token_endpoint_auth_method"
        );
        // nobody acts for itself without proving who it is
        assert_eq!(part(|e| e.secret = None), "redirect_uris");
    }

    #[test]
    fn scopes_and_resources_are_ones_that_there_are() {
        assert_eq!(
            judged(|e| e.scopes = vec!["nonsense".into()]).unwrap_err().part,
            "scopes"
        );
        for uri in ["https://other.example.com/mcp", "x"] {
            let refused = judged(|e| e.resources = Some(vec![uri.into()])).unwrap_err();
            assert_eq!(refused.part, "resources", "{uri}");
        }
        let client = judged(|e| e.resources = Some(vec!["https://echo.example.com/mcp".into()])).unwrap();
        assert_eq!(client.resources.unwrap().len(), 1);
    }
}
