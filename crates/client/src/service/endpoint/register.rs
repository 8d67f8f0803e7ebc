//! `POST register-client`: dynamic client registration ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)).
//!
//! The client is the service, whoever has it registered: whoever asks an authorization server for such a client gets the
//! one that there is, whatever it is to be called. Its secret is used by the service and is shown to the user whose request
//! made it.

use actix_web::{
    HttpResponse,
    web::{Data, Payload},
};
use mcp_gateway_model::{clock::Timestamp, secret::Digest};
use serde_json::{Map, Value, json};
use url::Url;

use super::{BODY, found, read_body};
use crate::{
    discover::{self, Trail},
    http::Http,
    service::{
        Service, authority,
        caller::Caller,
        client::{AUTH_METHODS, keep},
        fault::Fault,
        keeper::{LOOK, LOOKS, unbroken},
        resource::{Resource, covering},
        store::{Registration, UserId},
    },
};

/// What people read of a client. It makes no other client.
const READ_BY_PEOPLE: [&str; 8] = [
    "client_name",
    "client_uri",
    "contacts",
    "logo_uri",
    "policy_uri",
    "software_id",
    "software_version",
    "tos_uri",
];

/// A registration that is asked for.
struct Asked {
    user: UserId,
    endpoint: Url,
    /// The issuer that the caller says it is for.
    named: Option<String>,
    metadata: Map<String, Value>,
    /// What all that ask for such a client have in common.
    request: Digest,
}

/// Registers the service at an authorization server, or finds that it is.
pub(in crate::service) async fn register_client(
    caller: Caller,
    body: Payload,
) -> Result<HttpResponse, Fault> {
    let Caller {
        service,
        user,
        parameters,
        now,
    } = caller;
    let endpoint = parameters.target("registration_url", &service.http)?;
    let metadata = metadata(
        &read_body(body, &service, BODY).await?,
        &service.settings.redirect_uri(),
    )?;
    let asked = Asked {
        request: request(&endpoint, &metadata),
        user,
        endpoint,
        named: parameters.get("auth_server_url").map(ToOwned::to_owned),
        metadata,
    };
    if let Some(known) = asked.known(&service, now).await? {
        return Ok(answer(&known, &asked.user));
    }
    let rate = service.settings.limits.registrations;
    let permit = format!("registrations {}", asked.user.as_str());
    service.keeper.permit(&permit, rate, now).await?;
    // a client that nobody remembers could never be used: it goes on when the caller goes away
    let user = asked.user.clone();
    let registration = unbroken(async move {
        let issuer = found(&service, asked.issuer(&service.http)).await?;
        asked.once(&service, issuer).await
    })
    .await?;
    Ok(answer(&registration, &user))
}

impl Asked {
    /// The client that was registered when one like it was asked for before. Whoever names it later finds it as their own.
    async fn known(&self, service: &Service, now: Timestamp) -> Result<Option<Registration>, Fault> {
        let store = &service.keeper.store;
        let is_meant = |known: &Registration| self.named.is_none() || known.issuer == self.named;
        for request in [self.request, self.request_for(self.named.as_deref())] {
            let known = store.registration(&request, now).await?;
            if let Some(known) = known.filter(is_meant) {
                keep(service, &known, &self.user, now).await?;
                let ends = known.kept_at.plus(service.settings.limits.unused_registration);
                store.put_client(&self.user, &known, ends, now).await?;
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// What a registration is found by. One for an issuer that lies above the endpoint is for whoever asks; one for an issuer
    /// that only a caller named is for whoever names it too; else it is its user's.
    fn request_for(&self, issuer: Option<&str>) -> Digest {
        let of = |whose: &str| Digest::of(format!("{}\n{whose}", self.request).as_bytes());
        let Some(issuer) = issuer else {
            return of(&format!("user {}", self.user.as_str()));
        };
        let above = Resource::parse(issuer).ok();
        let is_above =
            above.is_some_and(|above| covering(&self.endpoint).iter().any(|name| name == above.name()));
        if is_above {
            self.request
        } else {
            of(&format!("issuer {issuer}"))
        }
    }

    /// The issuer that it is for: the one that is named, else the one that lies above the endpoint.
    async fn issuer(&self, http: &Http) -> Result<Option<String>, Fault> {
        match &self.named {
            Some(issuer) => of_issuer(http, issuer, &self.endpoint).await.map(Some),
            None => Ok(issuer_of(http, &self.endpoint).await),
        }
    }

    /// Registers, unless somebody else does at the same time, in whatever process: then it is theirs.
    async fn once(&self, service: &Data<Service>, issuer: Option<String>) -> Result<Registration, Fault> {
        let store = &service.keeper.store;
        for _ in 0..LOOKS {
            let now = service.clock.now();
            if let Some(known) = self.known(service, now).await? {
                return Ok(known);
            }
            if let Some(claim) = store.claim_registration(&self.request, now).await? {
                let registered = self.register(service, issuer).await;
                if let Err(fault) = store.release(claim, service.clock.now()).await {
                    // it ends by itself
                    tracing::warn!(%fault, "the right to register a client cannot be given back");
                }
                return registered;
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Fault::server(
            "another process has been registering a client for too long",
        ))
    }

    async fn register(&self, service: &Service, issuer: Option<String>) -> Result<Registration, Fault> {
        // between the look and the claim another process may have finished
        if let Some(known) = self.known(service, service.clock.now()).await? {
            return Ok(known);
        }
        let registered = authority::register(&service.http, &self.endpoint, &self.metadata).await?;
        let now = service.clock.now();
        let registration = self.registration(issuer, &registered, now)?;
        let ends = now.plus(service.settings.limits.unused_registration);
        let store = &service.keeper.store;
        store.put_registration(&registration, ends, now).await?;
        Ok(registration)
    }

    /// What the server answered, as it is kept ([RFC 7591
    /// §3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1)). Where it does not say how the client proves itself, it is
    /// as it was asked for.
    fn registration(
        &self,
        issuer: Option<String>,
        registered: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Registration, Fault> {
        let text = |of: &Map<String, Value>, name: &str| {
            let value = of.get(name).and_then(Value::as_str);
            value.filter(|value| !value.is_empty()).map(ToOwned::to_owned)
        };
        let endpoint = &self.endpoint;
        for member in [
            "client_id",
            "client_secret",
            "token_endpoint_auth_method",
            "scope",
        ] {
            authority::bounded(endpoint.as_str(), member, text(registered, member).as_deref())?;
        }
        let client_id = text(registered, "client_id");
        let method = "token_endpoint_auth_method";
        let expires_at = registered.get("client_secret_expires_at").and_then(Value::as_u64);
        Ok(Registration {
            user: self.user.clone(),
            request: self.request_for(issuer.as_deref()),
            issuer,
            endpoint: endpoint.as_str().to_owned(),
            client_id: client_id
                .ok_or_else(|| Fault::bad_gateway(format!("{endpoint} answers without a client_id.")))?,
            client_secret: text(registered, "client_secret"),
            auth_method: text(registered, method).or_else(|| text(&self.metadata, method)),
            scope: text(registered, "scope"),
            secret_expires_at: expires_at.filter(|end| *end > 0).map(Timestamp::from_secs),
            kept_at: now,
        })
    }
}

/// What all that ask for such a client at `endpoint` have in common: all of its metadata, but what people read.
fn request(endpoint: &Url, metadata: &Map<String, Value>) -> Digest {
    let mut counting = metadata.clone();
    counting.retain(|name, _| {
        let name = name.split('#').next().unwrap_or_default();
        !READ_BY_PEOPLE.contains(&name)
    });
    if let Some(Value::String(scope)) = counting.get_mut("scope") {
        let mut words: Vec<_> = scope.split_whitespace().collect();
        words.sort_unstable();
        words.dedup();
        *scope = words.join(" ");
    }
    Digest::of(format!("{endpoint}\n{}", Value::Object(counting)).as_bytes())
}

/// What is registered: what was asked for, with what has to be there.
fn metadata(body: &[u8], redirect_uri: &str) -> Result<Map<String, Value>, Fault> {
    let bad = |text: &str| Fault::bad("invalid_client_metadata", text);
    let mut metadata: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| bad("The body must be a JSON object with the client's metadata."))?;
    let ours = json!([redirect_uri]);
    if metadata.get("redirect_uris").is_some_and(|uris| *uris != ours) {
        return Err(Fault::bad(
            "invalid_redirect_uri",
            format!("redirect_uris must be [\"{redirect_uri}\"]: the service answers nowhere else."),
        ));
    }
    metadata.insert("redirect_uris".to_owned(), ours);
    let method = metadata.get("token_endpoint_auth_method");
    if method.is_some_and(|method| !AUTH_METHODS.iter().any(|known| method == known)) {
        return Err(bad(
            "token_endpoint_auth_method must be client_secret_basic, client_secret_post or none.",
        ));
    }
    for (name, value) in [
        ("client_name", json!("mcp-oauth")),
        ("application_type", json!("web")),
        ("grant_types", json!(["authorization_code", "refresh_token"])),
        ("response_types", json!(["code"])),
    ] {
        metadata.entry(name).or_insert(value);
    }
    Ok(metadata)
}

/// The issuer that is named, if its metadata names this registration endpoint.
async fn of_issuer(http: &Http, issuer: &str, endpoint: &Url) -> Result<String, Fault> {
    let found = discover::server(http, issuer, &mut Trail::default()).await?;
    if found.registration_endpoint.as_ref() == Some(endpoint) {
        return Ok(found.issuer);
    }
    Err(Fault::request(format!(
        "registration_url is not the registration_endpoint of {issuer}."
    )))
}

/// The issuer whose registration endpoint this is, where it lies above it at the same origin: as it does nearly everywhere.
async fn issuer_of(http: &Http, endpoint: &Url) -> Option<String> {
    let origin = endpoint.origin().ascii_serialization();
    let mut path = endpoint.path();
    let mut above = vec![String::new()];
    while let Some((shorter, _)) = path.rsplit_once('/').filter(|(shorter, _)| !shorter.is_empty()) {
        above.push(shorter.to_owned());
        path = shorter;
    }
    for path in above.iter().take(3) {
        let issuer = format!("{origin}{path}");
        let found = discover::server(http, &issuer, &mut Trail::default()).await;
        if let Ok(found) = found
            && found.registration_endpoint.as_ref() == Some(endpoint)
        {
            return Some(found.issuer);
        }
    }
    None
}

/// The answer as documented: the id, and the secret for whom it was made.
fn answer(registration: &Registration, user: &UserId) -> HttpResponse {
    let mut answer = json!({ "client_id": registration.client_id });
    let is_theirs = registration.user == *user;
    if let Some(secret) = registration.client_secret.as_ref().filter(|_| is_theirs) {
        answer["client_secret"] = json!(secret);
    }
    HttpResponse::Ok().json(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://avatarai.social/api/mcp/oauth/callback";

    #[test]
    fn codes_come_back_to_the_service_alone() {
        let asked = |body: Value| metadata(body.to_string().as_bytes(), OURS);
        let registered = asked(json!({"client_name": "x", "redirect_uris": [OURS]})).unwrap();
        assert_eq!(registered["redirect_uris"], json!([OURS]));
        assert_eq!(asked(json!({})).unwrap()["redirect_uris"], json!([OURS]));
        for uris in [
            json!(["https://evil.com/callback"]),
            json!([OURS, "https://evil.com/callback"]),
            json!([]),
            json!(OURS),
            json!(null),
        ] {
            let fault = asked(json!({ "redirect_uris": uris })).unwrap_err();
            assert_eq!(fault.code, "invalid_redirect_uri");
        }
    }

    #[test]
    fn what_people_read_makes_no_other_client() {
        let endpoint = Url::parse("https://auth.example.com/register").unwrap();
        let of = |body: Value| request(&endpoint, &metadata(body.to_string().as_bytes(), OURS).unwrap());
        let plain = of(json!({ "scope": "a b" }));
        for body in [
            json!({ "scope": "b a", "client_name": "x" }),
            json!({ "scope": "a b a", "client_name#ja": "x", "logo_uri": "https://x.example/y.png" }),
        ] {
            assert_eq!(of(body.clone()), plain, "{body}");
        }
        for body in [
            json!({ "scope": "a" }),
            json!({ "scope": "a b", "grant_types": ["authorization_code"] }),
            json!({ "scope": "a b", "token_endpoint_auth_method": "none" }),
        ] {
            assert_ne!(of(body.clone()), plain, "{body}");
        }
        let elsewhere = Url::parse("https://auth.example.com/other/register").unwrap();
        let body = metadata(b"{\"scope\": \"a b\"}", OURS).unwrap();
        assert_ne!(request(&elsewhere, &body), plain);
    }

    #[test]
    fn what_is_needed_is_added_and_what_cannot_be_done_is_refused() {
        let registered = metadata(b"{}", OURS).unwrap();
        assert_eq!(registered["application_type"], "web");
        assert_eq!(registered["response_types"], json!(["code"]));
        for body in [
            "",
            "[]",
            "{",
            r#"{"token_endpoint_auth_method": "private_key_jwt"}"#,
        ] {
            assert_eq!(
                metadata(body.as_bytes(), OURS).unwrap_err().code,
                "invalid_client_metadata",
                "{body}"
            );
        }
    }
}
