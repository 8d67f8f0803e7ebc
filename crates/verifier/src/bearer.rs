//! The bearer token of a request ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)). Only the header
//! counts: a token in the query or the body is not looked for.

use actix_web::http::header::{self, HeaderMap};

use crate::reason::Reason;

/// Longer ones are not ours.
const MOST: usize = 8 * 1024;

/// A token that was presented. It has no `Debug` text.
#[derive(Clone, Copy)]
pub(crate) struct Bearer<'r>(&'r str);

impl<'r> Bearer<'r> {
    /// Reads the one `Authorization` header.
    pub(crate) fn read(headers: &'r HeaderMap) -> Result<Self, Reason> {
        let mut values = headers.get_all(header::AUTHORIZATION);
        let value = match (values.next(), values.next()) {
            (None, _) => return Err(Reason::NoToken),
            (Some(_), Some(_)) => return Err(Reason::SeveralCredentials),
            (Some(value), None) => value.as_bytes(),
        };
        let scheme_ends = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
        let (scheme, rest) = value.split_at(scheme_ends);
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Err(Reason::NoToken);
        }
        let token = rest.trim_ascii();
        if token.is_empty() || token.len() > MOST || !is_b64token(token) {
            return Err(Reason::Malformed);
        }
        str::from_utf8(token).map(Self).map_err(|_| Reason::Malformed)
    }

    /// The token itself, for checking it and for a server behind that may have it.
    pub(crate) const fn reveal(self) -> &'r str {
        self.0
    }
}

/// `b64token` of RFC 6750 §2.1.
fn is_b64token(token: &[u8]) -> bool {
    let end = token.iter().position(|b| *b == b'=').unwrap_or(token.len());
    let (body, padding) = token.split_at(end);
    let fits = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(b);
    !body.is_empty() && body.iter().all(fits) && padding.iter().all(|b| *b == b'=')
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        Bearer::read(&headers).map(|b| b.reveal().to_owned())
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", "Bearer a.b.c "] {
            assert_eq!(read(&[value.as_bytes()]), Ok("a.b.c".into()), "{value}");
        }
    }

    #[test]
    fn what_is_not_one_bearer_token_is_none() {
        let long = format!("Bearer {}", "a".repeat(MOST + 1));
        for (value, reason) in [
            ("Bearer", Reason::Malformed),
            ("Bearer ", Reason::Malformed),
            ("Bearer a b", Reason::Malformed),
            ("Bearer a,b", Reason::Malformed),
            ("Bearer a, Bearer b", Reason::Malformed),
            ("Bearer \"a\"", Reason::Malformed),
            ("Bearer =", Reason::Malformed),
            ("Bearer a=b", Reason::Malformed),
            ("Bearer é", Reason::Malformed),
            (long.as_str(), Reason::Malformed),
            ("Basic dTpw", Reason::NoToken),
            ("Bearera.b.c", Reason::NoToken),
            ("Bearer\ta.b.c", Reason::NoToken),
            ("a.b.c", Reason::NoToken),
            ("", Reason::NoToken),
        ] {
            assert_eq!(read(&[value.as_bytes()]), Err(reason), "{value}");
        }
        assert_eq!(read(&[]), Err(Reason::NoToken));
        assert_eq!(read(&[b"Bearer \xff"]), Err(Reason::Malformed));
        assert_eq!(read(&[b"Bearer a", b"Bearer a"]), Err(Reason::SeveralCredentials));
        assert_eq!(read(&[b"Bearer a", b"Basic x"]), Err(Reason::SeveralCredentials));
    }
}
