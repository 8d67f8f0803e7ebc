//! Private keys as text ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)).

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::secret::Secret;

/// What the text says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// `PRIVATE KEY`: PKCS#8, of any kind.
    Pkcs8,
    /// `RSA PRIVATE KEY`: PKCS#1.
    Pkcs1,
    /// `EC PRIVATE KEY`: SEC1.
    Sec1,
}

impl Label {
    const ALL: [Self; 3] = [Self::Pkcs8, Self::Pkcs1, Self::Sec1];

    const fn text(self) -> &'static str {
        match self {
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Pkcs1 => "RSA PRIVATE KEY",
            Self::Sec1 => "EC PRIVATE KEY",
        }
    }
}

/// The first private key in `text`; what stands around it (`EC PARAMETERS` for example) is passed over. `None` when there
/// is none, or it is encrypted.
pub(super) fn read(text: &str) -> Option<(Label, Vec<u8>)> {
    Label::ALL.into_iter().find_map(|label| {
        let (_, rest) = text.split_once(&format!("-----BEGIN {}-----", label.text()))?;
        let (body, _) = rest.split_once(&format!("-----END {}-----", label.text()))?;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Some((label, STANDARD.decode(body).ok()?))
    })
}

/// A PKCS#8 key as text.
pub(super) fn write(pkcs8: &[u8]) -> Secret {
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (index, character) in STANDARD.encode(pkcs8).chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    Secret::presented(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = write(&bytes);
        assert!(text.reveal().lines().all(|line| line.len() <= 64));
        assert_eq!(read(text.reveal()), Some((Label::Pkcs8, bytes)));
    }

    #[test]
    fn what_stands_before_a_key_is_passed_over_and_public_keys_are_none() {
        let text = "-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\r\n\
                    AAAA\r\n-----END EC PRIVATE KEY-----";
        assert_eq!(read(text), Some((Label::Sec1, vec![0, 0, 0])));
        assert_eq!(
            read("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
            None
        );
        assert_eq!(
            read("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"),
            None
        );
    }
}
