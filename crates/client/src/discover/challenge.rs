//! The `WWW-Authenticate` field ([RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)).

use reqwest::header::{self, HeaderMap};

/// The most bytes of one field that are read.
const LONGEST: usize = 8 * 1024;
/// The most challenges that are read.
const MOST: usize = 16;

/// One challenge: what a server wants of whoever asks.
///
/// ```
/// use mcp_gateway_client::discover::Challenge;
/// use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
///
/// let mut headers = HeaderMap::new();
/// let field = "Bearer error=\"insufficient_scope\", scope=\"files:read files:write\"";
/// headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(field));
///
/// let challenge = Challenge::for_token(&headers).unwrap();
/// assert_eq!(challenge.error(), Some("insufficient_scope"));
/// assert_eq!(challenge.scope(), Some("files:read files:write"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, in lower case.
    pub scheme: String,
    /// The parameters, with names in lower case, in order.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// All challenges of an answer, in order. What is no challenge is passed over.
    #[must_use]
    pub fn all(headers: &HeaderMap) -> Vec<Self> {
        let fields = headers.get_all(header::WWW_AUTHENTICATE).iter();
        let texts = fields.filter_map(|field| std::str::from_utf8(field.as_bytes()).ok());
        let short = texts.filter(|text| text.len() <= LONGEST);
        short.flat_map(parse).take(MOST).collect()
    }

    /// The challenge for an access token: the first of the scheme `Bearer` ([RFC 6750
    /// §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)) or `DPoP` ([RFC 9449
    /// §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)) that says something, else the first of these.
    #[must_use]
    pub fn for_token(headers: &HeaderMap) -> Option<Self> {
        let all = Self::all(headers).into_iter();
        let mut fit: Vec<_> = all
            .filter(|one| one.scheme == "bearer" || one.scheme == "dpop")
            .collect();
        let telling = fit.iter().position(|one| {
            ["resource_metadata", "scope", "error"]
                .iter()
                .any(|name| one.parameter(name).is_some())
        });
        if fit.is_empty() {
            return None;
        }
        Some(fit.swap_remove(telling.unwrap_or(0)))
    }

    /// A parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Where the resource's metadata is, as it was said ([RFC 9728
    /// §5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1)).
    #[must_use]
    pub fn resource_metadata(&self) -> Option<&str> {
        self.parameter("resource_metadata")
    }

    /// The scopes that the request needs.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.parameter("scope").filter(|scope| !scope.trim().is_empty())
    }

    /// What was wrong with the token.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.parameter("error")
    }
}

/// The challenges of one field.
fn parse(text: &str) -> Vec<Challenge> {
    let mut reader = Reader(text);
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        reader.skip(|c| c == ',' || c.is_ascii_whitespace());
        let Some(word) = reader.token() else {
            return found;
        };
        reader.skip_spaces();
        // a word before an equals sign is a parameter of the challenge before it; else it begins a new one
        if let Some(value) = reader.value() {
            if let Some(last) = found.last_mut() {
                last.parameters.push((word.to_ascii_lowercase(), value));
            }
            continue;
        }
        if found.len() == MOST {
            return found;
        }
        found.push(Challenge {
            scheme: word.to_ascii_lowercase(),
            parameters: Vec::new(),
        });
        reader.skip_token68();
    }
}

/// What is left to be read.
struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(what);
    }

    fn skip_spaces(&mut self) {
        self.skip(|c| c == ' ' || c == '\t');
    }

    /// A token ([RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)). Whatever else stands there ends
    /// the reading.
    fn token(&mut self) -> Option<String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// The value behind an equals sign, if there is one.
    fn value(&mut self) -> Option<String> {
        let rest = self.0.strip_prefix('=')?;
        let rest = rest.trim_start_matches([' ', '\t']);
        if let Some(quoted) = rest.strip_prefix('"') {
            return Some(self.quoted(quoted));
        }
        // lenient: servers leave the quotes out although the value has characters that need them
        let end = rest.find([',', ' ', '\t']).unwrap_or(rest.len());
        let (value, rest) = rest.split_at(end);
        self.0 = rest;
        Some(value.to_owned())
    }

    /// A quoted string whose first quote has been read. One that never ends is taken as it is.
    fn quoted(&mut self, text: &str) -> String
    where
        Self: Sized,
    {
        let mut value = String::new();
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.advance(text, at + 1);
                    return value;
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => value.push(character),
            }
        }
        self.0 = "";
        value
    }

    /// Moves on to `at` in `text`, which is the end of what is left.
    fn advance(&mut self, text: &str, at: usize) {
        let left = text.len() - at;
        self.0 = &self.0[self.0.len() - left..];
    }

    /// What older schemes say instead of parameters: `Negotiate YII=`.
    fn skip_token68(&mut self) {
        let end = self.0.find(',').unwrap_or(self.0.len());
        let word = self.0[..end].trim_end();
        let body = word.trim_end_matches('=');
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        if !body.is_empty() && body.chars().all(fits) {
            self.0 = &self.0[end..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::WWW_AUTHENTICATE, field.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_challenge_of_the_specification_is_read() {
        let headers = read(&[
            "Bearer resource_metadata=\"https://mcp.example.com/.well-known/x\",\
             scope=\"files:read files:write\"",
        ]);
        let challenge = Challenge::for_token(&headers).unwrap();
        assert_eq!(
            challenge.resource_metadata(),
            Some("https://mcp.example.com/.well-known/x")
        );
        assert_eq!(challenge.scope(), Some("files:read files:write"));
        assert_eq!(challenge.error(), None);
    }

    #[test]
    fn several_challenges_in_one_field_and_in_several_are_told_apart() {
        let headers = read(&[
            "Negotiate YIIabc==, Basic realm=\"a, b=\\\"c\\\"\", bearer",
            "Digest qop=auth , BEARER Error=invalid_token, scope = \"a b\"",
        ]);
        let schemes: Vec<_> = Challenge::all(&headers)
            .into_iter()
            .map(|one| one.scheme)
            .collect();
        assert_eq!(schemes, ["negotiate", "basic", "bearer", "digest", "bearer"]);
        let basic = &Challenge::all(&headers)[1];
        assert_eq!(basic.parameter("realm"), Some("a, b=\"c\""));
        let challenge = Challenge::for_token(&headers).unwrap();
        assert_eq!(
            (challenge.error(), challenge.scope()),
            (Some("invalid_token"), Some("a b"))
        );
    }

    #[test]
    fn a_challenge_without_parameters_is_one() {
        let challenge = Challenge::for_token(&read(&["Bearer"])).unwrap();
        assert_eq!(
            challenge,
            Challenge {
                scheme: "bearer".into(),
                parameters: vec![]
            }
        );
        assert_eq!(Challenge::for_token(&read(&["Basic realm=x"])), None);
        assert_eq!(Challenge::for_token(&read(&[])), None);
    }

    #[test]
    fn what_is_no_challenge_ends_the_reading_and_nothing_panics() {
        for field in [
            "\"",
            "=",
            "Bearer =",
            "Bearer a=\"",
            "Bearer a=\"\\",
            ",,,",
            "Bearer a=\"é\\é",
            "Bearer\ta=b",
            "@",
        ] {
            let mut headers = HeaderMap::new();
            let value = header::HeaderValue::from_bytes(field.as_bytes()).unwrap();
            headers.append(header::WWW_AUTHENTICATE, value);
            let _ = Challenge::all(&headers);
        }
        let many = "a b=c, ".repeat(1000);
        assert!(Challenge::all(&read(&[&many])).len() <= MOST);
        let long = format!("Bearer scope=\"{}\"", "a".repeat(LONGEST));
        assert_eq!(Challenge::for_token(&read(&[&long])), None);
    }
}
