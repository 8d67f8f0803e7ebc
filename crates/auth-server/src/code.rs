//! The text of an authorization code (RFC 6749 §4.1.2): `mcp_ac_<grant>.<43 characters>`. It names its grant, so that
//! everything about the grant lies in one place of the store.

use mcp_gateway_model::{
    id::GrantId,
    secret::{Digest, Secret, SecretKind, random_text},
};

/// A code that was presented or is about to be handed out: its grant, and the SHA-256 of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeText {
    /// The grant it is a key to.
    pub(crate) grant: GrantId,
    /// The SHA-256 of the whole text.
    pub(crate) digest: Digest,
}

impl CodeText {
    /// A new code for `grant`: the text to hand out, and what may be stored.
    pub(crate) fn generate(grant: GrantId) -> (Secret, Self) {
        let text = format!("{}{grant}.{}", SecretKind::Code.prefix(), random_text::<32>());
        let code = Secret::presented(text);
        let digest = code.digest();
        (code, Self { grant, digest })
    }

    /// Reads a code; `None` for what cannot be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (grant, random) = text.strip_prefix(SecretKind::Code.prefix())?.split_once('.')?;
        if random.len() != 43 {
            return None;
        }
        Some(Self {
            grant: GrantId::parse(grant).ok()?,
            digest: Digest::of(text.as_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_its_grant() {
        let grant = GrantId::generate();
        let (text, code) = CodeText::generate(grant.clone());
        assert_eq!(CodeText::parse(text.reveal()), Some(code.clone()));
        assert_eq!(code.grant, grant);
    }

    #[test]
    fn what_is_no_code_is_not_read() {
        let (text, code) = CodeText::generate(GrantId::generate());
        for other in ["", "mcp_ac_", "mcp_ac_x.y", &text.reveal()["mcp_ac_".len()..]] {
            assert_eq!(CodeText::parse(other), None, "{other}");
        }
        let changed = text.reveal().replace('.', "._").replace("._", ".");
        assert_eq!(CodeText::parse(&changed), Some(code));
    }
}
