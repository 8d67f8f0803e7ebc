//! `POST /login/oauth/access_token`: a code becomes an access token, once.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Form},
};
use aws_lc_rs::{constant_time, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    fault::Endpoint,
    state::{State, Token},
};

type Parameters = HashMap<String, String>;

/// A refusal: GitHub's error code and its text. It leaves with status 200.
struct Refusal(&'static str, &'static str);

const BAD_CLIENT: Refusal = Refusal(
    "incorrect_client_credentials",
    "The client_id and/or client_secret passed are incorrect.",
);
const BAD_CODE: Refusal = Refusal(
    "bad_verification_code",
    "The code passed is incorrect or expired.",
);
const BAD_REDIRECT: Refusal = Refusal(
    "redirect_uri_mismatch",
    "The redirect_uri MUST match the registered callback URL for this application.",
);

pub(super) async fn exchange(
    request: HttpRequest,
    form: Form<Parameters>,
    state: Data<State>,
) -> HttpResponse {
    if let Some(broken) = state.enter(Endpoint::Token).await {
        return broken;
    }
    let fields = match redeem(&request, &form, &state) {
        Ok(token) => {
            let scope = token.scope.clone();
            let token = state.memory().issue_token(token);
            vec![
                ("access_token", token),
                ("scope", scope),
                ("token_type", "bearer".into()),
            ]
        }
        Err(Refusal(error, description)) => vec![
            ("error", error.into()),
            ("error_description", description.into()),
            (
                "error_uri",
                "https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps".into(),
            ),
        ],
    };
    answer(&request, fields)
}

fn redeem(request: &HttpRequest, form: &Parameters, state: &State) -> Result<Token, Refusal> {
    let (id, secret) = credentials(request, form).ok_or(BAD_CLIENT)?;
    let options = &state.options;
    let known = constant_time::verify_slices_are_equal(secret.as_bytes(), options.client_secret.as_bytes());
    if id != options.client_id || known.is_err() {
        return Err(BAD_CLIENT);
    }
    // taken whatever comes next: a code is good for one attempt
    let code = form
        .get("code")
        .and_then(|code| state.memory().codes.remove(code))
        .ok_or(BAD_CODE)?;
    if code.expires_at.has_passed(state.now()) {
        return Err(BAD_CODE);
    }
    let redirect = form.get("redirect_uri").and_then(|uri| url::Url::parse(uri).ok());
    if form.contains_key("redirect_uri") && redirect.is_none_or(|uri| uri.as_str() != code.redirect_uri) {
        return Err(BAD_REDIRECT);
    }
    if !proves(form.get("code_verifier"), code.challenge.as_deref()) {
        return Err(BAD_CODE);
    }
    Ok(Token {
        user: code.user,
        scope: code.scope.replace(' ', ","),
    })
}

/// The client's credentials: in the form, or as HTTP Basic.
fn credentials(request: &HttpRequest, form: &Parameters) -> Option<(String, String)> {
    if let (Some(id), Some(secret)) = (form.get("client_id"), form.get("client_secret")) {
        return Some((id.clone(), secret.clone()));
    }
    let given = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = String::from_utf8(STANDARD.decode(given.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((unescape(id), unescape(secret)))
}

/// Clients form-encode both halves ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
fn unescape(text: &str) -> String {
    let pair = format!("={text}");
    form_urlencoded::parse(pair.as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// S256 of [RFC 7636](https://www.rfc-editor.org/rfc/rfc7636#section-4.6).
fn proves(verifier: Option<&String>, challenge: Option<&str>) -> bool {
    let Some(challenge) = challenge else { return true };
    verifier.is_some_and(|verifier| {
        let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
        URL_SAFE_NO_PAD.encode(digest) == challenge
    })
}

/// JSON for those who ask for it, a form for everybody else.
fn answer(request: &HttpRequest, fields: Vec<(&'static str, String)>) -> HttpResponse {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if accept.is_some_and(|accept| accept.contains("application/json")) {
        let fields: Map<_, _> = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect();
        return response.json(fields);
    }
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    response
        .content_type("application/x-www-form-urlencoded; charset=utf-8")
        .body(form)
}
