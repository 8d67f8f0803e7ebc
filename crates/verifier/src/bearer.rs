//! The bearer token of a request ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)). Only the header
//! counts: a token in the query or the body is not looked for.

use actix_web::http::header::{self, HeaderMap};

use crate::reason::Reason;

/// Longer ones are not ours.
const MOST: usize = 8 * 1024;

/// A token that was presented. It has no `Debug` text.
#[derive(Clone, Copy)]
pub(crate) struct Bearer<'r>(&'r [u8]);

impl<'r> Bearer<'r> {
    /// What was presented, if it is a token.
    pub(crate) fn of(token: &'r [u8]) -> Result<Self, Reason> {
        if is_b64token(token) {
            Ok(Self(token))
        } else {
            Err(Reason::Malformed)
        }
    }

    /// The token itself, for checking it and for a server behind that may have it.
    pub(crate) fn reveal(self) -> &'r str {
        // it is ASCII
        str::from_utf8(self.0).unwrap_or_default()
    }
}

/// What stands in the place of the token in the one `Authorization` header, whatever it is made of. Enough for finding what was
/// read as a token before.
pub(crate) fn presented(headers: &HeaderMap) -> Result<&[u8], Reason> {
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
    if token.is_empty() || token.len() > MOST {
        return Err(Reason::Malformed);
    }
    Ok(token)
}

/// `b64token` of RFC 6750 §2.1.
fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|b| **b == b'=').count();
    let body = token.get(..token.len() - padding).unwrap_or_default();
    !body.is_empty() && body.iter().all(|b| is_b64(*b))
}

/// A letter, a digit, or one of `-._~+/`.
const fn is_b64(b: u8) -> bool {
    // looked up, because tokens have several hundred characters
    const FITS: [bool; 256] = {
        let mut fits = [false; 256];
        let mut b: u8 = 0;
        while b < 128 {
            fits[b as usize] =
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
            b += 1;
        }
        fits
    };
    FITS[b as usize]
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
        presented(&headers)
            .and_then(Bearer::of)
            .map(|b| b.reveal().to_owned())
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", "Bearer a.b.c "] {
            assert_eq!(read(&[value.as_bytes()]), Ok("a.b.c".into()), "{value}");
        }
    }

    #[test]
    fn the_characters_of_a_token_are_those_of_the_grammar_wherever_they_stand() {
        for b in 0..=u8::MAX {
            let fits = b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
            assert_eq!(is_b64(b), fits, "{b}");
            for (before, after) in [(0, 0), (0, 200), (63, 1), (64, 64), (150, 0), (127, 3)] {
                let token = [&vec![b'a'; before][..], &[b], &vec![b'a'; after]].concat();
                let is_padding = b == b'=' && before > 0 && after == 0;
                assert_eq!(is_b64token(&token), fits || is_padding, "{b} {before} {after}");
            }
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
