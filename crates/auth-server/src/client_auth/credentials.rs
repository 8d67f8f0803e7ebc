//! What a request says of who sends it.

use actix_web::{HttpRequest, http::header};
use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::{error::ErrorCode, id::ClientId, secret::Secret};

use super::{assertion::Assertion, not_authenticated};
use crate::{door::Rejection, request::Parameters};

/// The most bytes an `Authorization` header may have.
const LIMIT: usize = 8 * 1024;

/// A client's id, and what it sent to prove it.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// Who it says it is.
    pub(crate) id: String,
    /// What should prove it.
    pub(crate) proof: Proof,
}

/// What a client sends to prove who it is.
#[derive(Debug)]
pub(crate) enum Proof {
    /// Nothing.
    Nothing,
    /// Its secret, by HTTP Basic or in the form.
    Secret(Secret),
    /// An assertion signed with its key.
    Assertion(Box<Assertion>),
}

impl Credentials {
    /// Reads the credentials of a request, and takes the secret or the assertion out of its form.
    ///
    /// # Errors
    /// `invalid_request` when a request uses two ways at once (RFC 6749 §2.3), `invalid_client` when it uses none.
    pub(crate) fn read(request: &HttpRequest, form: &mut Parameters) -> Result<Self, Rejection> {
        let secret = form.take("client_secret").map(Secret::presented);
        let assertion = Assertion::take(form)?;
        let named = form.get("client_id");
        match (authorization(request)?, assertion, secret) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => Err(two_ways()),
            (Some(header), None, None) => {
                let basic = scheme(header, "basic").and_then(decode);
                let (id, secret) = basic.ok_or_else(|| not_authenticated("authorization_malformed"))?;
                if named.is_some_and(|other| other != id) {
                    return Err(two_ways());
                }
                let proof = secret.map_or(Proof::Nothing, Proof::Secret);
                Ok(Self { id, proof })
            }
            // RFC 7521 §4.2: who sends an assertion need not name the client as well.
            (None, Some(assertion), None) => {
                let id = named.unwrap_or(assertion.subject()).to_owned();
                let proof = Proof::Assertion(Box::new(assertion));
                Ok(Self { id, proof })
            }
            (None, None, secret) => {
                let id = named.ok_or_else(|| not_authenticated("client_id_missing"))?;
                Ok(Self {
                    id: id.to_owned(),
                    proof: secret.map_or(Proof::Nothing, Proof::Secret),
                })
            }
        }
    }

    /// The secret, if it sent one.
    pub(crate) const fn secret(&self) -> Option<&Secret> {
        match &self.proof {
            Proof::Secret(secret) => Some(secret),
            Proof::Nothing | Proof::Assertion(_) => None,
        }
    }
}

fn two_ways() -> Rejection {
    Rejection::new(
        ErrorCode::InvalidRequest,
        "the client must authenticate one way only: in the Authorization header, by its secret in the form, or by an assertion",
        "two_authentications",
    )
}

/// Who a request says it comes from, proved or not: for the log.
pub(crate) fn claimed(request: &HttpRequest, form: Option<&Parameters>) -> Option<ClientId> {
    let header = authorization(request).ok().flatten();
    let basic = header.and_then(|header| scheme(header, "basic")).and_then(decode);
    let id = if let Some((id, _)) = basic {
        id
    } else {
        let form = form?;
        let named = form.get("client_id").map(ToOwned::to_owned);
        named.or_else(|| Assertion::claimed(form))?
    };
    ClientId::parse(&id).ok()
}

/// The bearer token of a request, if it carries one (RFC 6750 §2.1).
///
/// # Errors
/// `invalid_request` for several `Authorization` headers.
pub(crate) fn bearer(request: &HttpRequest) -> Result<Option<&str>, Rejection> {
    let token = authorization(request)?.and_then(|header| scheme(header, "bearer"));
    Ok(token.filter(|token| !token.is_empty()))
}

fn authorization(request: &HttpRequest) -> Result<Option<&str>, Rejection> {
    let malformed = || {
        Rejection::new(
            ErrorCode::InvalidRequest,
            "there must be one Authorization header, of printable ASCII characters",
            "authorization_malformed",
        )
    };
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    match (headers.next(), headers.next()) {
        (None, _) => Ok(None),
        (Some(header), None) if header.len() <= LIMIT => header.to_str().map(Some).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}

/// What follows the scheme's name, if it is this scheme's.
fn scheme<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then(|| rest.trim())
}

/// Id and secret, each encoded as in a form before they were joined (RFC 6749 §2.3.1).
fn decode(basic: &str) -> Option<(String, Option<Secret>)> {
    let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let (id, secret) = (form_decoded(id), form_decoded(secret));
    let secret = Some(secret).filter(|s| !s.is_empty());
    (!id.is_empty()).then(|| (id, secret.map(Secret::presented)))
}

fn form_decoded(text: &str) -> String {
    let pair = text.replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(header: Option<&str>, form: &str) -> Result<Credentials, Rejection> {
        let mut request = TestRequest::post();
        if let Some(header) = header {
            request = request.insert_header((header::AUTHORIZATION, header));
        }
        Credentials::read(
            &request.to_http_request(),
            &mut Parameters::parse(form.as_bytes())?,
        )
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn basic_credentials_are_decoded_as_forms_are() {
        let read = read(Some(&basic("a%3Ab+c:s%25%26=")), "").unwrap();
        assert_eq!(read.id, "a:b c");
        assert_eq!(read.secret().unwrap().reveal(), "s%&=");
    }

    #[test]
    fn an_empty_secret_is_none() {
        assert!(read(Some(&basic("id:")), "").unwrap().secret().is_none());
        assert!(
            read(None, "client_id=id&client_secret=")
                .unwrap()
                .secret()
                .is_none()
        );
    }

    #[test]
    fn two_ways_at_once_are_refused() {
        for form in ["client_secret=x", "client_id=other"] {
            let rejection = read(Some(&basic("id:s")), form).unwrap_err();
            assert_eq!(rejection.code(), ErrorCode::InvalidRequest);
        }
        assert!(read(Some(&basic("id:s")), "client_id=id").is_ok());
    }

    #[test]
    fn other_schemes_and_no_client_at_all_are_invalid_client() {
        for header in [
            None,
            Some("Digest x"),
            Some("Basic !"),
            Some("Basic"),
            Some("Bearer x"),
        ] {
            assert_eq!(read(header, "").unwrap_err().code(), ErrorCode::InvalidClient);
        }
    }
}
