//! Every key of the store, built in this one file.
//!
//! What stands in braces is the part that Redis Cluster hashes: keys with the same one lie in the same slot, and only
//! those are ever read or changed together. Nothing that a caller chose goes between braces unencoded.

use mcp_gateway_model::{
    id::{ClientId, GrantId, Login, UserId},
    secret::{Digest, random_text},
};

/// The patterns of all keys, without the prefix; `*` stands for the variable part. `docs/storage.md` describes each.
#[must_use]
pub const fn patterns() -> [&'static str; 28] {
    [
        "schema",
        "client:{*}",
        "ended-client:{*}",
        "entered-clients:{all}",
        "unused-clients:{all}",
        "client-grants:{*}",
        "user-grants:{*}",
        "login:{*}",
        "device:{*}",
        "user-code:{*}",
        "browser:{*}",
        "grant:{*}",
        "code:{*}",
        "refresh:{*}",
        "upstream:{*}",
        "rechecks:{all}",
        "pin:{*}",
        "login-users:{*}",
        "blocked-user:{*}",
        "blocked-login:{*}",
        "blocked:{all}",
        "keys:{ring}",
        "public-keys:{ring}",
        "document:{*}",
        "unused-documents:{all}",
        "once:{*}",
        "permit:{*}",
        "lease:{*}",
    ]
}

/// Builds keys below one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) const fn new(prefix: String) -> Self {
        Self { prefix }
    }

    pub(crate) fn schema(&self) -> String {
        format!("{}schema", self.prefix)
    }

    /// A client identifier is any visible ASCII, a URL too: its digest stands for it.
    fn of_client(&self, kind: &str, id: &ClientId) -> String {
        self.of_digest(kind, &Digest::of(id.as_str().as_bytes()))
    }

    fn of_digest(&self, kind: &str, digest: &Digest) -> String {
        digest.with_text(|digest| self.of_tag(kind, digest))
    }

    fn of_grant(&self, kind: &str, id: &GrantId) -> String {
        self.of_tag(kind, id.as_str())
    }

    fn of_tag(&self, kind: &str, tag: &str) -> String {
        [&self.prefix, kind, ":{", tag, "}"].concat()
    }

    pub(crate) fn client(&self, id: &ClientId) -> String {
        self.of_client("client", id)
    }

    pub(crate) fn ended_client(&self, id: &ClientId) -> String {
        self.of_client("ended-client", id)
    }

    /// Which clients the operator entered.
    pub(crate) fn entered_clients(&self) -> String {
        format!("{}entered-clients:{{all}}", self.prefix)
    }

    /// Which clients nobody uses yet.
    pub(crate) fn unused_clients(&self) -> String {
        format!("{}unused-clients:{{all}}", self.prefix)
    }

    pub(crate) fn client_grants(&self, id: &ClientId) -> String {
        self.of_client("client-grants", id)
    }

    pub(crate) fn user_grants(&self, id: UserId) -> String {
        format!("{}user-grants:{{{id}}}", self.prefix)
    }

    pub(crate) fn login(&self, digest: &Digest) -> String {
        self.of_digest("login", digest)
    }

    pub(crate) fn device(&self, digest: &Digest) -> String {
        self.of_digest("device", digest)
    }

    pub(crate) fn user_code(&self, digest: &Digest) -> String {
        self.of_digest("user-code", digest)
    }

    pub(crate) fn browser(&self, digest: &Digest) -> String {
        self.of_digest("browser", digest)
    }

    pub(crate) fn grant(&self, id: &GrantId) -> String {
        self.of_grant("grant", id)
    }

    /// What the key of every grant begins with, and nothing else.
    pub(crate) fn grants(&self) -> String {
        format!("{}grant:{{", self.prefix)
    }

    /// The id of the grant that lies under `key`, a key without a prefix; `None` for anything else.
    pub(crate) fn watched(key: &str) -> Option<&str> {
        key.strip_prefix("grant:{")?.strip_suffix('}')
    }

    pub(crate) fn code(&self, id: &GrantId) -> String {
        self.of_grant("code", id)
    }

    pub(crate) fn refresh(&self, id: &GrantId) -> String {
        self.of_grant("refresh", id)
    }

    pub(crate) fn upstream(&self, id: &GrantId) -> String {
        self.of_grant("upstream", id)
    }

    /// Which grants depend on where their users belong.
    pub(crate) fn rechecks(&self) -> String {
        format!("{}rechecks:{{all}}", self.prefix)
    }

    /// A login has letters, digits, `-`, `_` and square brackets: no brace among them.
    pub(crate) fn pin(&self, login: &Login) -> String {
        format!("{}pin:{{{login}}}", self.prefix)
    }

    /// Which users have, or had, a grant under this login.
    pub(crate) fn login_users(&self, login: &Login) -> String {
        format!("{}login-users:{{{login}}}", self.prefix)
    }

    pub(crate) fn blocked_user(&self, id: UserId) -> String {
        format!("{}blocked-user:{{{id}}}", self.prefix)
    }

    pub(crate) fn blocked_login(&self, login: &Login) -> String {
        format!("{}blocked-login:{{{login}}}", self.prefix)
    }

    /// Who was named when somebody was blocked.
    pub(crate) fn blocked(&self) -> String {
        format!("{}blocked:{{all}}", self.prefix)
    }

    pub(crate) fn key_ring(&self) -> String {
        format!("{}keys:{{ring}}", self.prefix)
    }

    pub(crate) fn public_keys(&self) -> String {
        format!("{}public-keys:{{ring}}", self.prefix)
    }

    /// The digest stands for what kind of document it is and its address.
    pub(crate) fn document(&self, digest: &Digest) -> String {
        self.of_digest("document", digest)
    }

    /// Which copies no grant needed yet.
    pub(crate) fn unused_documents(&self) -> String {
        format!("{}unused-documents:{{all}}", self.prefix)
    }

    pub(crate) fn once(&self, name: &Digest) -> String {
        self.of_digest("once", name)
    }

    /// What one process writes to learn whether its Redis is still the master.
    pub(crate) fn lease(&self) -> String {
        format!("{}lease:{{{}}}", self.prefix, random_text::<16>())
    }

    pub(crate) fn permit(&self, name: &Digest) -> String {
        self.of_digest("permit", name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_grant_share_its_slot() {
        let (keys, id) = (Keys::new("mcpgw:".into()), GrantId::generate());
        let tag = format!("{{{id}}}");
        let all = [
            keys.grant(&id),
            keys.code(&id),
            keys.refresh(&id),
            keys.upstream(&id),
        ];
        for key in all {
            assert!(key.ends_with(&tag), "{key}");
        }
        assert!(keys.key_ring().ends_with("{ring}") && keys.public_keys().ends_with("{ring}"));
    }

    #[test]
    fn the_key_of_a_grant_says_which() {
        let (keys, id) = (Keys::new(String::new()), GrantId::generate());
        assert_eq!(Keys::watched(&keys.grant(&id)), Some(id.as_str()));
        assert!(keys.grant(&id).starts_with(&keys.grants()));
        assert_eq!(Keys::watched(&keys.refresh(&id)), None);
    }

    #[test]
    fn a_client_id_with_braces_cannot_choose_its_slot() {
        let id = ClientId::parse("https://client.example/{ring}:*").unwrap();
        let key = Keys::new("mcpgw:".into()).client(&id);
        assert_eq!(key.matches('{').count(), 1);
        assert!(!key.contains("ring"), "{key}");
    }
}
