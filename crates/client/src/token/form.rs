//! Requests that are no grant of RFC 6749: assertions, token exchange, revocation.

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::client::AuthMethod;
use oauth2::{
    HttpRequest,
    basic::{BasicErrorResponse, BasicTokenResponse},
    http::{Method, header},
};
use url::{
    Url,
    form_urlencoded::{Serializer, byte_serialize},
};

use super::{For, TokenEndpoint, TokenFault, Tokens, caller::CallerFault};
use crate::http::Answer;

/// [RFC 7523 §2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1).
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

impl TokenEndpoint<'_> {
    /// Gets a token for whoever an assertion speaks of ([RFC 7523
    /// §2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)). It is presented once: what was refused is refused again.
    ///
    /// # Errors
    /// [`TokenFault`] says why there is none.
    pub async fn jwt_bearer(&self, assertion: &str, wanted: For<'_>) -> Result<Tokens, TokenFault> {
        let url = self.server.token_endpoint.as_ref();
        let url = url.ok_or_else(|| TokenFault::NoEndpoint(self.server.issuer.clone()))?;
        let scopes = wanted
            .scopes
            .map(ToString::to_string)
            .filter(|text| !text.is_empty());
        let mut fields = vec![
            ("grant_type", JWT_BEARER),
            ("assertion", assertion),
            ("resource", wanted.resource),
        ];
        fields.extend(scopes.as_deref().map(|scopes| ("scope", scopes)));
        let answer = self.post(url, &fields).await?;
        let tokens = answer
            .json::<BasicTokenResponse>()
            .map_err(|_| TokenFault::Malformed)?;
        self.tokens(&tokens, wanted.scopes)
    }

    /// Posts a form as this client, and answers what came if that is a success.
    pub(crate) async fn post(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Answer, TokenFault> {
        let answer = self.caller().send(self.form(url, fields)?).await;
        let answer = answer.map_err(|fault| match fault {
            CallerFault::Http(fault) => TokenFault::Unreachable(fault),
            CallerFault::Busy(status) => TokenFault::Busy(status),
            CallerFault::Key(bad) => TokenFault::BadKey(bad),
        })?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(match answer.json::<BasicErrorResponse>() {
            Ok(refused) => TokenFault::refused(&refused),
            Err(_) => TokenFault::Malformed,
        })
    }

    /// The form with what proves the client ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
    fn form(&self, url: &Url, fields: &[(&str, &str)]) -> Result<HttpRequest, TokenFault> {
        let identity = self.identity;
        let secret = || identity.secret.as_ref().ok_or(TokenFault::NoSecret);
        let mut body = Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = oauth2::http::Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match identity.method {
            AuthMethod::ClientSecretBasic => request.header(
                header::AUTHORIZATION,
                basic(&identity.client_id, secret()?.reveal()),
            ),
            AuthMethod::ClientSecretPost => {
                body.append_pair("client_id", &identity.client_id);
                body.append_pair("client_secret", secret()?.reveal());
                request
            }
            AuthMethod::None | AuthMethod::PrivateKeyJwt => {
                body.append_pair("client_id", &identity.client_id);
                body.extend_pairs(self.assertion()?);
                request
            }
        };
        request
            .body(body.finish().into_bytes())
            .map_err(|_| TokenFault::Malformed)
    }
}

fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)))
    )
}
