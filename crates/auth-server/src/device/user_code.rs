//! The code that a person types ([RFC 8628 §6.1](https://www.rfc-editor.org/rfc/rfc8628#section-6.1)).

use std::fmt;

use mcp_gateway_model::secret::{Digest, MacKey, random_bytes};

/// Twenty letters: no vowels, so that no words appear, and none that is taken for another.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many of them: 34 bits.
const LENGTH: usize = 8;
/// The most characters that are looked at.
const LONGEST: usize = 40;

/// A code, shown as `BCDF-GHJK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserCode(String);

impl UserCode {
    /// A new code.
    pub(crate) fn generate() -> Self {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            // Bytes beyond the last whole multiple of 20 would make some letters likelier than others.
            let fair = random_bytes::<16>().into_iter().filter(|byte| *byte < 240);
            let letters = fair.filter_map(|byte| LETTERS.get(usize::from(byte % 20)));
            code.extend(
                letters
                    .map(|letter| char::from(*letter))
                    .take(LENGTH - code.len()),
            );
        }
        Self(code)
    }

    /// Reads what somebody typed: in any case, with or without dashes and spaces. `None` for what cannot be a code.
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        let is_gap = |c: char| c.is_whitespace() || matches!(c, '-' | '_' | '.' | '\u{2010}'..='\u{2015}');
        if typed.chars().count() > LONGEST {
            return None;
        }
        let code: String = typed
            .chars()
            .filter(|c| !is_gap(*c))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let is_code = code.len() == LENGTH && code.bytes().all(|b| LETTERS.contains(&b));
        is_code.then_some(Self(code))
    }

    /// What may be stored: so few codes could all be tried against a plain digest, so it takes a key.
    pub(crate) fn digest(&self, key: &MacKey) -> Option<Digest> {
        Digest::try_from(key.sign(self.0.as_bytes())).ok()
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode("BCDFGHJK".into());
        assert_eq!(code.to_string(), "BCDF-GHJK");
        for typed in [
            "BCDF-GHJK",
            "bcdfghjk",
            " bcdf ghjk ",
            "b c d f g h j k",
            "BCDF\u{2013}GHJK",
            "bcdf--ghjk",
            "Bcdf_Ghjk",
        ] {
            assert_eq!(UserCode::parse(typed), Some(code.clone()), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_not_read() {
        let long = format!("{}BCDFGHJK", " ".repeat(40));
        for typed in [
            "",
            "BCDFGHJ",
            "BCDFGHJKL",
            "ACDFGHJK",
            "BCDF+GHJK",
            "BCDFGH\u{416}K",
            &long,
        ] {
            assert_eq!(UserCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn generated_codes_are_codes_and_use_every_letter() {
        let codes: Vec<_> = (0..200).map(|_| UserCode::generate()).collect();
        for code in &codes {
            assert_eq!(UserCode::parse(&code.to_string()), Some(code.clone()));
        }
        let letters: BTreeSet<_> = codes.iter().flat_map(|code| code.0.bytes()).collect();
        assert_eq!(letters.len(), LETTERS.len());
    }

    #[test]
    fn without_the_key_no_digest_can_be_made() {
        let code = UserCode("BCDFGHJK".into());
        let digest = |master: &[u8]| code.digest(&MacKey::derive(master, "codes")).unwrap();
        assert_ne!(digest(b"one"), digest(b"two"));
        assert_ne!(digest(b"one"), Digest::of(b"BCDFGHJK"));
    }
}
