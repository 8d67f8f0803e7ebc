//! What methods, paths and names a rule means.

use std::cmp::Ordering;

use crate::resource::is_ambiguous;

/// How much a text is like a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Not at all.
    Different,
    /// Only if the case of letters does not matter, as to some servers it does not.
    Alike,
    /// It matches.
    Same,
}

/// An HTTP method ([RFC 9110 §9](https://www.rfc-editor.org/rfc/rfc9110#section-9)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMethod(String);

impl HttpMethod {
    /// Reads a method, in any case.
    ///
    /// # Errors
    /// [`BadPattern::HttpMethod`] when it is not a word of letters and hyphens.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let fits = !text.is_empty()
            && text.len() <= 32
            && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
        if fits {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(BadPattern::HttpMethod)
        }
    }

    /// Whether `method` is this one. GET stands for HEAD as well: to a server they are the same but for the answer's body.
    #[must_use]
    pub fn matches(&self, method: &str) -> Likeness {
        let is = |own: &str| equal(method.bytes(), own.bytes());
        if self.0 == "GET" {
            is("GET").max(is("HEAD"))
        } else {
            is(&self.0)
        }
    }
}

/// A path, or a path and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// Percent-decoded, without a slash at its end.
    decoded: Vec<u8>,
    below: bool,
}

impl PathPattern {
    /// Reads a path such as `/mcp/health`, or `/mcp/archive/*` for that path and all below it.
    ///
    /// # Errors
    /// [`BadPattern`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let (path, below) = match text.strip_suffix("/*") {
            Some(path) => (path, true),
            None => (text.strip_suffix('/').unwrap_or(text), false),
        };
        if !text.starts_with('/') || text.len() > 2048 || path.contains('*') {
            return Err(BadPattern::Path);
        }
        let plain = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b));
        if !plain || is_ambiguous(path) {
            return Err(BadPattern::AmbiguousPath);
        }
        Ok(Self {
            decoded: decoded(path).collect(),
            below,
        })
    }

    /// Whether `path`, which could not mean another path, is this one or below it; a slash at its end does not matter.
    #[must_use]
    pub fn matches(&self, path: &str) -> Likeness {
        let mut rest = decoded(path);
        let likeness = equal(
            rest.by_ref().take(self.decoded.len()),
            self.decoded.iter().copied(),
        );
        let ends = match (rest.next(), rest.next()) {
            (None, _) | (Some(b'/'), None) => true,
            (Some(b'/'), Some(_)) => self.below,
            _ => false,
        };
        if ends { likeness } else { Likeness::Different }
    }

    /// Whether some path that this means lies at or below `prefix`, which has no slash at its end.
    #[must_use]
    pub fn reaches(&self, prefix: &str) -> bool {
        let own = String::from_utf8_lossy(&self.decoded);
        let prefix = decoded(prefix).collect::<Vec<_>>();
        let below = |path: &[u8], prefix: &[u8]| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        below(own.as_bytes(), &prefix) || (self.below && below(&prefix, &self.decoded))
    }
}

/// The bytes of a path. One decoding is the only one, because an encoded percent sign is ambiguous.
fn decoded(path: &str) -> impl Iterator<Item = u8> {
    let bytes = path.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let hex = if byte == b'%' {
            path.get(at + 1..at + 3)
        } else {
            None
        };
        let encoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        at += if encoded.is_some() { 3 } else { 1 };
        Some(encoded.unwrap_or(byte))
    })
}

/// Whether two texts are the same, or the same but for the case of ASCII letters.
fn equal(a: impl Iterator<Item = u8>, b: impl Iterator<Item = u8>) -> Likeness {
    let (mut a, mut b, mut likeness) = (a, b, Likeness::Same);
    loop {
        match (a.next(), b.next()) {
            (None, None) => return likeness,
            (Some(x), Some(y)) if x == y => {}
            (Some(x), Some(y)) if x.eq_ignore_ascii_case(&y) => likeness = Likeness::Alike,
            _ => return Likeness::Different,
        }
    }
}

/// A name, or any name that begins, ends or goes on in some way: a star stands for any text, even none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Reads a pattern such as `create_*`.
    ///
    /// # Errors
    /// [`BadPattern::Name`] when it is empty, too long, or has spaces around it or control characters in it.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if is_plain_name(text) && text.len() <= 200 {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadPattern::Name)
        }
    }

    /// Whether `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> Likeness {
        if glob(&self.0, name, |a, b| a == b) {
            Likeness::Same
        } else if glob(&self.0, name, same_letter) {
            Likeness::Alike
        } else {
            Likeness::Different
        }
    }
}

/// Whether a name is what it looks like: not empty, no spaces around it, no control characters in it, of bearable length.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 1024 && name.trim() == name && !name.contains(char::is_control)
}

/// Whether two characters are one letter, in whatever case.
fn same_letter(a: char, b: char) -> bool {
    a == b
        || a.to_lowercase().cmp(b.to_lowercase()) == Ordering::Equal
        || a.to_uppercase().cmp(b.to_uppercase()) == Ordering::Equal
}

/// Whether `text` is like `pattern`, in which a star stands for any text. After a mismatch only the last star need take
/// one more character: what the earlier ones took stays right.
fn glob(pattern: &str, text: &str, same: impl Fn(char, char) -> bool) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry = None;
    loop {
        let before = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = before;
                retry = Some((pattern.clone(), text.clone()));
            }
            (Some(p), Some(t)) if same(p, t) => {}
            (Some(_), None) => return false,
            _ => {
                let Some((after_star, mut taken)) = retry.take() else {
                    return false;
                };
                if taken.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), taken.clone());
                retry = Some((after_star, taken));
            }
        }
    }
}

/// Why something is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Not a method.
    #[error("must be an HTTP method such as DELETE")]
    HttpMethod,
    /// Not a path.
    #[error(
        "must be a path such as /mcp/health, or /mcp/archive/* for all below it: a star stands only at the end, after a slash"
    )]
    Path,
    /// Servers could read it differently.
    #[error(
        "must be a path without a query, dot segments, empty segments, path parameters, or encoded dots, slashes or percent signs"
    )]
    AmbiguousPath,
    /// Not a name.
    #[error("must be a name such as create_issue, or a pattern such as create_*, of at most 200 characters")]
    Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_even_none() {
        let matches = |pattern: &str, name: &str| NamePattern::parse(pattern).unwrap().matches(name);
        for (pattern, name) in [
            ("create_*", "create_issue"),
            ("create_*", "create_"),
            ("*", "anything"),
            ("*_issue", "create_issue"),
            ("a*b*c", "a-b-b-c"),
            ("*ab", "aab"),
            ("a**b", "ab"),
            ("créer_*", "créer_x"),
            ("echo", "echo"),
        ] {
            assert_eq!(matches(pattern, name), Likeness::Same, "{pattern} {name}");
        }
        for (pattern, name) in [
            ("create_*", "recreate_issue"),
            ("create_*", "create"),
            ("a*b*c", "a-c-b"),
            ("echo", "echoes"),
            ("echo", "ech"),
            ("*ab", "aba"),
            ("a?c", "abc"),
            ("[ab]", "a"),
        ] {
            assert_eq!(matches(pattern, name), Likeness::Different, "{pattern} {name}");
        }
        for (pattern, name) in [("create_*", "Create_issue"), ("LIS*", "li\u{17f}t"), ("É", "é")] {
            assert_eq!(matches(pattern, name), Likeness::Alike, "{pattern} {name}");
        }
    }

    #[test]
    fn a_path_pattern_goes_by_segments_and_ends_with_or_without_a_slash() {
        let matches = |pattern: &str, path: &str| PathPattern::parse(pattern).unwrap().matches(path);
        for (pattern, path) in [
            ("/mcp/archive/*", "/mcp/archive/x"),
            ("/mcp/archive/*", "/mcp/archive/x/y/"),
            ("/mcp/archive/*", "/mcp/archive"),
            ("/mcp/archive/*", "/mcp/archive/"),
            ("/mcp/health", "/mcp/health"),
            ("/mcp/health", "/mcp/health/"),
            ("/mcp/health/", "/mcp/health"),
            ("/*", "/"),
            ("/*", "/x"),
            ("/", "/"),
            ("/mcp/a@b", "/mcp/a%40b"),
            ("/mcp/a%40b/*", "/mcp/a@b/c"),
            ("/mcp/%c3%a9", "/mcp/%C3%A9"),
        ] {
            assert_eq!(matches(pattern, path), Likeness::Same, "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/mcp/archive/*", "/mcp/archived"),
            ("/mcp/archive/*", "/mcp/arch"),
            ("/mcp/health", "/mcp/health/x"),
            ("/mcp/health", "/mcp/healthy"),
            ("/mcp/health", "/mcp"),
            ("/", "/x"),
        ] {
            assert_eq!(matches(pattern, path), Likeness::Different, "{pattern} {path}");
        }
        for (pattern, path) in [("/mcp/archive/*", "/mcp/Archive/x"), ("/mcp/a", "/mcp/%41")] {
            assert_eq!(matches(pattern, path), Likeness::Alike, "{pattern} {path}");
        }
    }

    #[test]
    fn a_path_pattern_that_servers_could_read_differently_is_refused() {
        for text in ["mcp", "", "/mcp/*/x", "/mcp*", "/*/", "https://a.example/mcp"] {
            assert_eq!(PathPattern::parse(text), Err(BadPattern::Path), "{text}");
        }
        for text in [
            "/a/../b", "/a//b", "/a;x", "/%2e", "/a%2fb", "/a%", "/a?b", "/a#b", "/a b", "/é",
        ] {
            assert_eq!(PathPattern::parse(text), Err(BadPattern::AmbiguousPath), "{text}");
        }
    }

    #[test]
    fn a_pattern_reaches_a_resource_if_some_path_of_it_does() {
        let reaches = |pattern: &str, prefix: &str| PathPattern::parse(pattern).unwrap().reaches(prefix);
        assert!(
            reaches("/mcp/x", "/mcp")
                && reaches("/mcp", "/mcp")
                && reaches("/*", "/mcp")
                && reaches("/x", "")
        );
        assert!(!reaches("/mcpx", "/mcp") && !reaches("/", "/mcp") && !reaches("/other/*", "/mcp"));
    }

    #[test]
    fn get_stands_for_head_and_nothing_else_for_another() {
        let matches = |own: &str, method: &str| HttpMethod::parse(own).unwrap().matches(method);
        assert_eq!(matches("get", "HEAD"), Likeness::Same);
        assert_eq!(matches("HEAD", "GET"), Likeness::Different);
        assert_eq!(matches("DELETE", "delete"), Likeness::Alike);
        assert_eq!(matches("GET", "Head"), Likeness::Alike);
        assert_eq!(matches("POST", "PUT"), Likeness::Different);
        for text in ["", "GET POST", "G*", "*"] {
            assert_eq!(HttpMethod::parse(text), Err(BadPattern::HttpMethod), "{text}");
        }
    }
}
