//! Behind the gateway: its identity headers are believed.

use actix_web::http::{
    StatusCode,
    header::{self, HeaderMap, HeaderValue},
};
use mcp_gateway_model::scope::ScopeSet;
use percent_encoding::percent_decode_str;

use super::{caller::Caller, protection::Refusal};

/// Who is calling, as the gateway says it; nobody when it says nothing, or says it twice.
pub(super) fn caller(headers: &HeaderMap) -> Option<Caller> {
    let text = |name: &str| {
        let mut values = headers.get_all(name);
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
            return None;
        };
        (!value.is_empty()).then_some(value)
    };
    let name = text("x-user-name").map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
    Some(Caller {
        user: text("x-user-id")?.to_owned(),
        name,
        client: text("x-auth-client").map(ToOwned::to_owned),
        scopes: ScopeSet::parse(text("x-auth-scope").unwrap_or_default()).unwrap_or_default(),
    })
}

/// Nobody knows who is calling: no new token would help, so this is no 401.
pub(super) fn unknown() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "nobody says who is calling: this server stands behind a gateway and wants its X-User-Id header, so call it at the gateway's address",
    )
}

/// Their token allows too little; a client can ask for more (RFC 6750 §3.1).
pub(super) fn insufficient(scopes: &[&str]) -> Refusal {
    let scope = scopes.join(" ");
    let refusal = Refusal::new(
        StatusCode::FORBIDDEN,
        format!("the token does not allow this: log in again and ask for the scope \"{scope}\""),
    )
    .naming(scopes);
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => refusal.with(header::WWW_AUTHENTICATE, challenge),
        Err(_) => refusal,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn the_gateway_s_headers_say_who_is_calling() {
        let known = caller(&headers(&[
            ("x-user-id", "583231"),
            ("x-user-name", "octo%20cat"),
            ("x-auth-client", "client-1"),
            ("x-auth-scope", "read write"),
        ]));
        let known = known.unwrap();
        assert_eq!(
            (known.user.as_str(), known.name.as_deref()),
            ("583231", Some("octo cat"))
        );
        assert_eq!(known.client.as_deref(), Some("client-1"));
        assert!(known.may("write"));
    }

    #[test]
    fn whoever_is_not_named_exactly_once_is_nobody() {
        for pairs in [
            &[][..],
            &[("x-user-id", "")],
            &[("x-user-id", "1"), ("x-user-id", "2")],
            &[("x-user-name", "octocat"), ("x-auth-scope", "admin")],
        ] {
            assert_eq!(caller(&headers(pairs)), None, "{pairs:?}");
        }
    }

    #[test]
    fn scopes_that_are_none_allow_nothing() {
        let known = caller(&headers(&[
            ("x-user-id", "1"),
            ("x-auth-scope", "read \"write\""),
        ]));
        assert!(known.unwrap().scopes.is_empty());
    }
}
