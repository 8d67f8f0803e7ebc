//! What signs and what seals.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mcp_gateway_model::{
    key::Algorithm,
    published,
    secret::{Secret, derive_bytes},
};

use super::{Role, StoreConfig, reader::Reader};

/// How many bytes a secret needs that signs or seals.
const STRONG: usize = 32;
/// How many bytes `JWT_SECRET` needs to seal: the predecessor's guide showed shorter ones than HS256 wants.
const STRETCHED: usize = 16;

/// How access tokens are signed.
#[derive(Debug, Default)]
pub(crate) struct SigningConfig {
    pub(crate) algorithm: Algorithm,
    pub(crate) private_key_pem: Option<Secret>,
    /// Only for HS256.
    pub(crate) shared_secret: Option<Secret>,
}

/// What a guide showed in the place of a secret: everybody knows it.
const SAMPLE: &str = "your-secure-secret-key-here";

/// The value of `JWT_SECRET` under either of its names.
fn jwt_secret(r: &mut Reader<'_>) -> Option<String> {
    let own = |r: &Reader<'_>, name| r.text(name).map(str::to_owned);
    let (first, second) = (own(r, "JWT_SECRET"), own(r, "MCP_OAUTH_SECRET_KEY"));
    for (name, secret) in [("JWT_SECRET", &first), ("MCP_OAUTH_SECRET_KEY", &second)] {
        if secret.as_deref() == Some(SAMPLE) {
            r.faults.add(
                name,
                "is the sample of a guide, which everybody knows; try: openssl rand -base64 32",
            );
        }
    }
    r.either(("JWT_SECRET", first), ("MCP_OAUTH_SECRET_KEY", second))
}

/// Secrets that everybody can read somewhere protect nothing, however long they are.
fn refuse_published(r: &mut Reader<'_>, role: Role) {
    for name in ["JWT_SECRET", "MCP_OAUTH_SECRET_KEY", "STORE_ENCRYPTION_KEY"] {
        let mut given = r.text(name).into_iter().flat_map(|text| text.split(','));
        let why = given.find_map(|text| published::signing_secret(text.trim()));
        if let Some(why) = why.filter(|_| role != Role::Verifier) {
            r.faults.add(name, why);
        }
    }
}

pub(super) fn signing(r: &mut Reader<'_>, role: Role) -> SigningConfig {
    let algorithm = r
        .parsed("JWT_ALGORITHM", |text| {
            Algorithm::parse(text).ok_or("must be RS256, ES256, EdDSA or HS256")
        })
        .unwrap_or_default();
    let secret = jwt_secret(r);
    refuse_published(r, role);
    if algorithm.is_symmetric() {
        match role {
            Role::Verifier => r.faults.add(
                "JWT_ALGORITHM",
                "HS256 is refused: a verifier that knows the secret could mint tokens; use serve, or RS256",
            ),
            Role::AuthServer => r.faults.add(
                "JWT_ALGORITHM",
                "HS256 works with serve only: a verifier of its own cannot check it; use RS256",
            ),
            Role::Serve => {}
            #[cfg(feature = "sandbox")]
            Role::Dev => {}
        }
        match &secret {
            None => r
                .faults
                .add("JWT_SECRET", "is not set, and JWT_ALGORITHM is HS256"),
            Some(secret) if secret.len() < STRONG => r.faults.add(
                "JWT_SECRET",
                "must have 32 bytes or more for HS256; try: openssl rand -base64 32",
            ),
            Some(_) => {}
        }
    }
    if role == Role::Verifier {
        return SigningConfig {
            algorithm,
            ..SigningConfig::default()
        };
    }
    let private_key_pem = r.parsed("JWT_PRIVATE_KEY_B64", pem);
    if algorithm.is_symmetric() && private_key_pem.is_some() {
        r.warnings
            .push("JWT_PRIVATE_KEY_B64 has no effect: JWT_ALGORITHM is HS256".to_owned());
    }
    SigningConfig {
        algorithm,
        private_key_pem: private_key_pem.filter(|_| !algorithm.is_symmetric()),
        shared_secret: secret.filter(|_| algorithm.is_symmetric()).map(Secret::presented),
    }
}

/// Base64 of a PEM text; line breaks inside do not matter.
fn pem(text: &str) -> Result<Secret, &'static str> {
    let compact: String = text.split_whitespace().collect();
    let bytes = STANDARD
        .decode(compact)
        .map_err(|_| "is not base64; make it with: base64 -w0 < key.pem")?;
    match String::from_utf8(bytes) {
        Ok(pem) if pem.contains("-----BEGIN") && pem.contains("PRIVATE KEY-----") => {
            Ok(Secret::presented(pem))
        }
        _ => Err("must be the base64 of a private key in PEM; make it with: base64 -w0 < key.pem"),
    }
}

/// What seals: the first seals, all open.
pub(super) fn sealing(r: &mut Reader<'_>, role: Role, store: &StoreConfig) -> Vec<Secret> {
    if role == Role::Verifier {
        return Vec::new();
    }
    let mut secrets = Vec::new();
    let listed = r.text("STORE_ENCRYPTION_KEY").map(str::to_owned);
    for secret in listed.iter().flat_map(|list| list.split(',')).map(str::trim) {
        if secret.len() < STRONG {
            r.faults.add(
                "STORE_ENCRYPTION_KEY",
                "must have 32 bytes or more, each one of a list; try: openssl rand -base64 32",
            );
        }
        secrets.push(Secret::presented(secret.to_owned()));
    }
    // what was sealed before STORE_ENCRYPTION_KEY was set still opens
    match jwt_secret(r) {
        Some(secret) if secret.len() >= STRETCHED => {
            if secrets.is_empty() && secret.len() < STRONG {
                r.warnings.push(
                    "JWT_SECRET is short, and seals the store and its refresh tokens: who has one of them can try all such secrets; set STORE_ENCRYPTION_KEY to the output of openssl rand -base64 32"
                        .to_owned(),
                );
            }
            let derived = derive_bytes(secret.as_bytes(), "mcp-gateway sealing secret from JWT_SECRET 1");
            secrets.push(Secret::presented(URL_SAFE_NO_PAD.encode(derived)));
        }
        Some(_) if secrets.is_empty() => r.faults.add(
            "JWT_SECRET",
            "must have 16 bytes or more to seal the store; or set STORE_ENCRYPTION_KEY",
        ),
        _ => {}
    }
    if secrets.is_empty() && matches!(store, StoreConfig::Redis(_)) {
        r.faults.add(
            "STORE_ENCRYPTION_KEY",
            "is not set, and neither is JWT_SECRET: with Redis one of them must seal private keys; try: openssl rand -base64 32",
        );
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_the_base64_of_pem() {
        let text = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(pem(&STANDARD.encode(text)).unwrap().reveal(), text);
        for wrong in ["your_base64_encoded_rsa_key", "AAAA", text] {
            assert!(pem(wrong).is_err(), "{wrong}");
        }
    }
}
