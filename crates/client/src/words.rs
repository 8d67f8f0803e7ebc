//! What others say, made fit to be shown and compared; and how secrets are kept.

use mcp_gateway_model::{
    scope::{Scope, ScopeSet},
    secret::Secret,
};

/// The most characters of somebody else's text that are shown.
const SHOWN: usize = 300;
/// The most scopes that are looked at.
const SCOPES: usize = 100;

/// Somebody else's text, fit for a terminal and a log: on one line, without control characters, not too long.
#[must_use]
pub fn shown(text: &str) -> String {
    let is_plain = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown: String = text.chars().filter(is_plain).take(SHOWN).collect();
    if text.chars().filter(is_plain).count() > SHOWN {
        shown.push('…');
    }
    shown
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
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn what_is_no_scope_is_passed_over() {
        assert_eq!(scopes(["write read", "a\"b", "é"]).to_string(), "read write");
        let many: Vec<_> = (0..1000).map(|n| format!("s{n}")).collect();
        assert_eq!(scopes([many.join(" ").as_str()]).iter().count(), SCOPES);
    }
}
