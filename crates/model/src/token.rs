//! Access token claims (RFC 9068), refresh tokens and personal access tokens, which name their grant.

use serde::{Deserialize, Serialize};

use crate::{
    grant::{Grant, GrantKind},
    id::GrantId,
    secret::{Digest, MacKey, Secret, random_text},
};

/// The `typ` of an access token's header (RFC 9068 §2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The user, by GitHub's number; or the client that acts for itself.
    pub sub: String,
    /// The one resource the token opens.
    pub aud: String,
    /// The client it was issued to.
    pub client_id: String,
    /// What it allows, separated by spaces.
    pub scope: String,
    /// Its name, unique.
    pub jti: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: u64,
    /// When it ends, in seconds since the epoch.
    pub exp: u64,
    /// The grant it is a key to.
    pub grant: GrantId,
    /// The user's GitHub login; empty for a client that acts for itself.
    pub username: String,
}

/// The `typ` of an ID token's header: never that of an access token.
pub const ID_TOKEN_TYPE: &str = "JWT";

/// The claims that ID tokens or the userinfo endpoint may carry.
pub const CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "at_hash",
    "name",
    "preferred_username",
    "profile",
    "email",
];

/// The claims of an ID token ([OpenID Connect Core
/// §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdClaims {
    /// The issuer.
    pub iss: String,
    /// The user, by GitHub's number.
    pub sub: String,
    /// The client it is for.
    pub aud: String,
    /// When it ends, in seconds since the epoch.
    pub exp: u64,
    /// When it was issued, in seconds since the epoch.
    pub iat: u64,
    /// When the person came back from GitHub, in seconds since the epoch. GitHub does not tell when it last asked for a
    /// password.
    pub auth_time: u64,
    /// The `nonce` of the authorization request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Half a hash of the access token beside it (§3.1.3.6).
    pub at_hash: String,
    /// What the scopes tell of the person.
    #[serde(flatten)]
    pub person: PersonClaims,
}

/// What scopes tell of a person ([OpenID Connect Core
/// §5.4](https://openid.net/specs/openid-connect-core-1_0.html#ScopeClaims)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonClaims {
    /// `profile`: the name, if the person gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `profile`: the GitHub login. It can be renamed, and be somebody else's later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// `profile`: the person's page at GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `email`: the address that is public at GitHub. Nothing is said of who verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

const REFRESH_PREFIX: &str = "mcp_rt_";

/// A refresh token that was presented: which grant, the how-manieth, and a code that proves it was issued here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant it belongs to.
    pub grant: GrantId,
    /// Its place in the chain of rotations, from 1.
    pub generation: u64,
}

impl RefreshToken {
    /// The text that is handed out: `mcp_rt_<grant>.<generation>.<mac>`.
    #[must_use]
    pub fn seal(&self, key: &MacKey) -> String {
        let body = self.body();
        format!("{body}.{}", key.sign(body.as_bytes()))
    }

    /// Reads a token that one of `keys` made; `None` for anything else.
    pub fn open<'k>(text: &str, keys: impl IntoIterator<Item = &'k MacKey>) -> Option<Self> {
        let (body, mac) = text.rsplit_once('.')?;
        let (grant, generation) = body.strip_prefix(REFRESH_PREFIX)?.split_once('.')?;
        let token = Self {
            grant: GrantId::parse(grant).ok()?,
            generation: generation.parse().ok()?,
        };
        let canonical = token.body() == body;
        let authentic = keys.into_iter().any(|key| key.verifies(body.as_bytes(), mac));
        (canonical && authentic).then_some(token)
    }

    /// Whether the text claims to be a refresh token.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(REFRESH_PREFIX)
    }

    fn body(&self) -> String {
        format!("{REFRESH_PREFIX}{}.{}", self.grant, self.generation)
    }
}

const PERSONAL_PREFIX: &str = "mcp_pat_";
/// How many characters a grant's name has.
const GRANT_LENGTH: usize = 22;
/// How many characters the secret has: 256 bits in base64url.
const SECRET_LENGTH: usize = 43;

/// A personal access token that was presented and has the form of one: `mcp_pat_<grant>_<secret>`. Whether it is good its
/// grant says, which is all that has to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalAccessToken {
    /// The grant it claims to be the key to.
    pub grant: GrantId,
    /// The SHA-256 of the whole text.
    digest: Digest,
}

impl PersonalAccessToken {
    /// A new token for `grant`, with 256 bits of randomness.
    #[must_use]
    pub fn generate(grant: &GrantId) -> Secret {
        let secret = random_text::<32>();
        Secret::presented(format!("{PERSONAL_PREFIX}{grant}_{secret}"))
    }

    /// Whether the text claims to be a personal access token.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(PERSONAL_PREFIX)
    }

    /// Reads what has the form of a token: its length, its alphabet, its parts. `None` for anything else, so that garbage
    /// costs no look at the store.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PERSONAL_PREFIX)?;
        let (grant, rest) = rest.split_at_checked(GRANT_LENGTH)?;
        let secret = rest.strip_prefix('_')?;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if secret.len() != SECRET_LENGTH || !secret.bytes().all(fits) {
            return None;
        }
        Some(Self {
            grant: GrantId::parse(grant).ok()?,
            digest: Digest::of(text.as_bytes()),
        })
    }

    /// Whether this is the key to `grant`; takes the same time wherever the digests differ.
    #[must_use]
    pub fn opens(&self, grant: &Grant) -> bool {
        match &grant.kind {
            GrantKind::PersonalAccessToken { digest, .. } => self.grant == grant.id && self.digest == *digest,
            GrantKind::Consent | GrantKind::ClientCredentials => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{clock::Timestamp, id::ClientId, scope::ScopeSet};

    use super::*;

    fn grant(kind: GrantKind) -> Grant {
        let now = Timestamp::from_secs(1);
        Grant {
            id: GrantId::generate(),
            client: ClientId::personal_access_token(),
            user: None,
            kind,
            memberships: None,
            audiences: vec![],
            scopes: ScopeSet::default(),
            authenticated_at: now,
            created_at: now,
            expires_at: now,
        }
    }

    #[test]
    fn a_personal_access_token_opens_its_own_grant_and_no_other() {
        let mut own = grant(GrantKind::Consent);
        let text = PersonalAccessToken::generate(&own.id);
        let token = PersonalAccessToken::read(text.reveal()).unwrap();
        assert!(PersonalAccessToken::looks_like(text.reveal()));
        assert!(!token.opens(&own), "a consent has no personal access token");
        own.kind = GrantKind::PersonalAccessToken {
            digest: text.digest(),
            name: "ci".into(),
        };
        assert!(token.opens(&own));
        let another = PersonalAccessToken::generate(&own.id);
        assert!(!PersonalAccessToken::read(another.reveal()).unwrap().opens(&own));
        let stolen = Grant {
            id: GrantId::generate(),
            ..own
        };
        assert!(!token.opens(&stolen));
    }

    #[test]
    fn what_has_not_the_form_of_a_personal_access_token_is_none() {
        let text = PersonalAccessToken::generate(&GrantId::generate());
        let text = text.reveal();
        assert_eq!(text.len(), 74);
        for other in [
            format!("{text}x"),
            text[..73].to_owned(),
            text.replace("mcp_pat_", "mcp_rt_"),
            format!("{}-{}", &text[..30], &text[31..]),
            format!("{}.{}", &text[..10], &text[11..]),
            format!("{}.", &text[..73]),
            format!("mcp_pat_{}", "é".repeat(33)),
            "mcp_pat_".to_owned(),
            String::new(),
        ] {
            assert_eq!(PersonalAccessToken::read(&other), None, "{other}");
        }
    }

    #[test]
    fn a_refresh_token_opens_with_any_of_the_keys_and_only_those() {
        let (old, new) = (
            MacKey::derive(b"old", "refresh"),
            MacKey::derive(b"new", "refresh"),
        );
        let token = RefreshToken {
            grant: GrantId::generate(),
            generation: 7,
        };
        let text = token.seal(&old);
        assert_eq!(RefreshToken::open(&text, [&new, &old]), Some(token));
        assert_eq!(RefreshToken::open(&text, [&new]), None);
    }

    #[test]
    fn a_changed_refresh_token_does_not_open() {
        let key = MacKey::derive(b"key", "refresh");
        let text = RefreshToken {
            grant: GrantId::generate(),
            generation: 7,
        }
        .seal(&key);
        for other in [
            text.replace(".7.", ".8."),
            text.replace(".7.", ".07."),
            text.replace("mcp_rt_", ""),
            format!("{text}x"),
            String::new(),
        ] {
            assert_eq!(RefreshToken::open(&other, [&key]), None, "{other}");
        }
    }
}
