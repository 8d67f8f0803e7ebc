//! What others say, made fit to be shown and compared; and how secrets are kept.

use mcp_gateway_model::{
    scope::{Scope, ScopeSet},
    secret::Secret,
};

/// The most characters of somebody else's text that are shown.
const SHOWN: usize = 300;
/// The most scopes that are looked at.
const SCOPES: usize = 100;

/// Whether a character moves no cursor, turns no text around and is not invisible.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Somebody else's text, fit for a terminal and a log: on one line, without control characters, not too long.
#[must_use]
pub fn shown(text: &str) -> String {
    bounded(text, SHOWN, is_plain)
}

/// The same for a text of several lines, of at most `most` characters.
#[must_use]
pub fn lines(text: &str, most: usize) -> String {
    bounded(text, most, |c| is_plain(c) || matches!(c, '\n' | '\t'))
}

fn bounded(text: &str, most: usize, is_good: impl Fn(char) -> bool) -> String {
    let mut good = text.chars().filter(|c| is_good(*c));
    let mut shown: String = good.by_ref().take(most).collect();
    if good.next().is_some() {
        shown.push('…');
    }
    shown
}

/// JSON that says the same, with what is not fit for a terminal written as escapes.
#[must_use]
pub fn json(text: &str) -> String {
    use std::fmt::Write;

    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_plain(c) || c == '\n' {
            shown.push(c);
        } else {
            // none of them is beyond the first plane
            let _written = write!(shown, "\\u{:04x}", u32::from(c));
        }
    }
    shown
}

/// Whether a text means the same to every shell, whatever stands around it: nothing in it is anything but itself.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:/-".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain)
}

/// The scopes in a text of words; what is none is passed over.
#[must_use]
pub fn scopes<'w>(words: impl IntoIterator<Item = &'w str>) -> ScopeSet {
    let words = words.into_iter().flat_map(|word| word.split_whitespace());
    words
        .filter_map(|word| Scope::parse(word).ok())
        .take(SCOPES)
        .collect()
}

/// The same secret once more, for somebody else who needs it.
pub(crate) fn copy(secret: &Secret) -> Secret {
    Secret::presented(secret.reveal().to_owned())
}

/// How secrets are written where they are kept: in full. Only what a [`Keep`](crate::credentials::Keep) holds is written so.
pub(crate) mod kept {
    use mcp_gateway_model::secret::Secret;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        secret.reveal().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::presented)
    }

    /// The same where there may be none.
    pub(crate) mod maybe {
        use super::{Deserialize, Deserializer, Secret, Serialize, Serializer};

        #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
        pub(crate) fn serialize<S: Serializer>(
            secret: &Option<Secret>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            secret.as_ref().map(Secret::reveal).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Secret>, D::Error> {
            Ok(Option::<String>::deserialize(deserializer)?.map(Secret::presented))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_moves_no_cursor_and_fills_no_screen() {
        assert_eq!(shown("a\u{1b}[2Jb\r\nc\u{202e}d"), "a[2Jbcd");
        assert_eq!(shown("a\u{9b}2J\u{61c}\u{2028}\u{feff}b\tc\n"), "a2Jbc");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN + 1);
        assert_eq!(lines("a\u{1b}]52;c;eA==\u{7}\n\tb\r", 20), "a]52;c;eA==\n\tb");
        assert_eq!(lines("abcd", 3), "abc…");
        assert_eq!(lines("abc\u{7}", 3), "abc");
    }

    #[test]
    fn json_for_a_terminal_says_the_same() {
        let value = serde_json::json!({"a": "\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\u{feff}é\n"});
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| c != '\n' && !is_plain(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn what_a_shell_takes_for_something_else_is_no_word() {
        for word in ["read", "files:write", "https://example.com/scope", "a.b_c-d"] {
            assert!(is_word(word), "{word}");
        }
        for other in [
            "", "$(id)", "`id`", "a;b", "a b", "a|b", "a&b", "a\"b", "a'b", "a\\b", "*", "-rf", "~x", "é",
        ] {
            assert!(!is_word(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_scope_is_passed_over() {
        assert_eq!(scopes(["write read", "a\"b", "é"]).to_string(), "read write");
        let many: Vec<_> = (0..1000).map(|n| format!("s{n}")).collect();
        assert_eq!(scopes([many.join(" ").as_str()]).iter().count(), SCOPES);
    }
}
