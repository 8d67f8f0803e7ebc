//! What comes back to the redirect URI ([RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2), [RFC 9207
//! §2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4)).

use mcp_gateway_model::secret::{Digest, Secret};

use super::{AuthorizeFault, Code, Pending};
use crate::words::shown;

/// The parameters that count. None may come twice.
#[derive(Default)]
struct Response {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    description: Option<String>,
}

impl Response {
    fn read(query: &str) -> Result<Self, AuthorizeFault> {
        let mut response = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "code" => &mut response.code,
                "state" => &mut response.state,
                "iss" => &mut response.iss,
                "error" => &mut response.error,
                "error_description" => &mut response.description,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(AuthorizeFault::Malformed);
            }
        }
        Ok(response)
    }
}

impl Pending {
    /// Reads the query that came back, without its question mark: first whether it is the answer to this login, then whether
    /// it is from this issuer, and only then what it says.
    ///
    /// # Errors
    /// [`AuthorizeFault`] says why there is no code.
    pub fn finish(&self, query: &str) -> Result<Code, AuthorizeFault> {
        let response = Response::read(query)?;
        let state = response.state.ok_or(AuthorizeFault::OtherLogin)?;
        if Digest::of(state.as_bytes()) != self.state.digest() {
            return Err(AuthorizeFault::OtherLogin);
        }
        let is_theirs = match &response.iss {
            Some(iss) => *iss == self.issuer,
            None => !self.iss_expected,
        };
        if !is_theirs {
            return Err(AuthorizeFault::OtherIssuer {
                expected: self.issuer.clone(),
            });
        }
        if let Some(error) = response.error {
            return Err(AuthorizeFault::Refused {
                error: shown(&error),
                description: response.description.as_deref().map(shown),
            });
        }
        let code = response.code.filter(|code| !code.is_empty());
        let code = code.ok_or(AuthorizeFault::Malformed)?;
        Ok(Code(Secret::presented(code)))
    }
}

#[cfg(test)]
mod tests {
    use mcp_gateway_model::clock::Timestamp;

    use super::*;

    fn pending(iss_expected: bool) -> Pending {
        Pending {
            issuer: "https://auth.example.com".into(),
            iss_expected,
            client_id: "c".into(),
            resource: "https://mcp.example.com/mcp".into(),
            scopes: None,
            redirect_uri: "http://127.0.0.1:1/callback".into(),
            state: Secret::presented("s1".into()),
            verifier: Secret::presented("v".into()),
            began_at: Timestamp::from_secs(1),
        }
    }

    fn other_issuer() -> AuthorizeFault {
        AuthorizeFault::OtherIssuer {
            expected: "https://auth.example.com".into(),
        }
    }

    #[test]
    fn the_table_of_rfc_9207_decides_about_iss() {
        const RIGHT: &str = "code=a&state=s1&iss=https%3A%2F%2Fauth.example.com";
        for expected in [true, false] {
            assert!(pending(expected).finish(RIGHT).is_ok());
            for wrong in [
                "https://auth.example.com/",
                "HTTPS://auth.example.com",
                "https://auth.example.com:443",
                "",
            ] {
                let query = format!("code=a&state=s1&iss={wrong}");
                assert_eq!(
                    pending(expected).finish(&query).unwrap_err(),
                    other_issuer(),
                    "{wrong}"
                );
            }
        }
        assert!(pending(false).finish("code=a&state=s1").is_ok());
        assert_eq!(
            pending(true).finish("code=a&state=s1").unwrap_err(),
            other_issuer()
        );
    }

    #[test]
    fn an_answer_to_another_login_is_not_read() {
        for query in [
            "code=a",
            "code=a&state=s2",
            "code=a&state=",
            "error=access_denied&state=s2",
            "",
        ] {
            assert_eq!(
                pending(false).finish(query).unwrap_err(),
                AuthorizeFault::OtherLogin,
                "{query}"
            );
        }
    }

    #[test]
    fn an_error_of_another_issuer_is_not_shown() {
        let query = "error=access_denied&error_description=call+0800&state=s1&iss=https://evil.example";
        assert_eq!(pending(false).finish(query).unwrap_err(), other_issuer());
        let refused = pending(false)
            .finish("error=access_denied&error_description=no&state=s1")
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the authorization server says no: access_denied (no)"
        );
    }

    #[test]
    fn a_parameter_that_comes_twice_is_no_answer() {
        for query in [
            "code=a&code=b&state=s1",
            "code=a&state=s1&state=s1",
            "code=a&state=s1&iss=a&iss=b",
            "state=s1",
            "state=s1&code=",
        ] {
            assert_eq!(
                pending(false).finish(query).unwrap_err(),
                AuthorizeFault::Malformed,
                "{query}"
            );
        }
    }
}
