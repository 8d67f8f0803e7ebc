//! A client's public keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), by `jwks_uri`.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{
    FetchFault,
    copies::{self, Kind, NoCopy, Policy},
};
use crate::{client_auth::PRIVATE, request::Context};

/// How soon an address is asked again for a key that it did not have.
const SINCE: Duration = Duration::from_secs(60);

/// The most keys that are looked at.
const MOST: usize = 20;

/// The most bytes of one, as it is kept: an RSA key of 8192 bits has 1366 for its modulus.
const LONGEST: usize = 2048;

/// What is kept of a key. Certificates and whatever else stands in it verify nothing here.
const KEPT: [&str; 9] = ["kty", "n", "e", "crv", "x", "y", "kid", "alg", "use"];

/// The keys at `url` that can verify signatures. If none of them is called `kid` the address is asked again, at most once a
/// minute: a client may have begun to use a new one.
///
/// # Errors
/// [`NoCopy`] when nothing can be read there, or what can is no set of keys.
pub(crate) async fn of_client(context: &Context, url: &str, kid: Option<&str>) -> Result<Vec<Value>, NoCopy> {
    let url = Url::parse(url).map_err(|_| FetchFault::Refused("is not a URL"))?;
    let what = (Kind::Keys, &url);
    let policy = Policy {
        last_good: true,
        read_within: None,
    };
    let known = copies::read(context, what, policy, parse).await?;
    let is_called = |kid: &str| known.iter().any(|key| key["kid"] == kid);
    if kid.is_none_or(is_called) {
        return Ok(known);
    }
    let policy = Policy {
        last_good: true,
        read_within: Some(SINCE),
    };
    copies::read(context, what, policy, parse).await
}

/// Notes that a grant needs the keys at `url`.
///
/// # Errors
/// When the store cannot be asked.
pub(crate) async fn keep(context: &Context, url: &str) -> Result<(), mcp_gateway_store::StoreError> {
    match Url::parse(url) {
        Ok(url) => copies::keep(context, Kind::Keys, &url).await,
        Err(_) => Ok(()),
    }
}

/// The keys in a set, and the set of these as it is kept.
fn parse(text: &str) -> Result<(Vec<Value>, Option<String>), String> {
    let set: Value = serde_json::from_str(text).map_err(|_| "it is not valid JSON".to_owned())?;
    let keys = set["keys"].as_array().ok_or("it has no array \"keys\"")?;
    let keys: Vec<_> = keys
        .iter()
        .filter(|key| verifies(key))
        .filter_map(kept)
        .take(MOST)
        .collect();
    if keys.is_empty() {
        return Err("it has no public key for signatures".into());
    }
    let kept = json!({ "keys": keys }).to_string();
    Ok((keys, Some(kept)))
}

/// Whether it is a public key that may verify signatures. One with a private part is nobody's any more.
fn verifies(key: &Value) -> bool {
    let is_public = ["RSA", "EC", "OKP"].iter().any(|kind| key["kty"] == *kind)
        && PRIVATE.iter().all(|private| key.get(private).is_none());
    let is_for_signatures = key.get("use").is_none_or(|usage| usage == "sig");
    let may_verify = key.get("key_ops").is_none_or(|ops| {
        ops.as_array()
            .is_some_and(|ops| ops.iter().any(|op| op == "verify"))
    });
    is_public && is_for_signatures && may_verify
}

/// The key as it is kept, if that is no longer than a key is.
fn kept(key: &Value) -> Option<Value> {
    let member = |name: &&str| Some(((*name).to_owned(), key.get(*name)?.clone()));
    let kept = Value::Object(KEPT.iter().filter_map(member).collect());
    (kept.to_string().len() <= LONGEST).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_keys_for_signatures_are_taken() {
        let good = json!({"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "kid": "a", "use": "sig"});
        let mut keys = vec![good.clone()];
        for (name, value) in [
            ("kty", json!("oct")),
            ("use", json!("enc")),
            ("d", json!("private")),
            ("key_ops", json!(["sign"])),
            ("dp", json!("private")),
            ("kid", json!("x".repeat(LONGEST))),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            keys.push(bad);
        }
        let (taken, kept) = parse(&json!({"keys": keys, "more": true}).to_string()).unwrap();
        assert_eq!(taken, std::slice::from_ref(&good));
        assert_eq!(kept.unwrap(), json!({"keys": [good]}).to_string());
    }

    #[test]
    fn of_a_key_only_what_verifies_is_kept() {
        let key = json!({"kty": "RSA", "n": "n", "e": "AQAB", "kid": "a", "alg": "RS256", "use": "sig"});
        let mut published = key.clone();
        for (name, value) in [
            ("x5c", json!(["x".repeat(3000)])),
            ("x5u", json!("https://client.example.com/x")),
            ("key_ops", json!(["verify"])),
            ("more", json!({"n": "x".repeat(3000)})),
        ] {
            published[name] = value;
        }
        let (taken, kept) = parse(&json!({"keys": [published]}).to_string()).unwrap();
        assert_eq!(taken, std::slice::from_ref(&key));
        assert_eq!(kept.unwrap(), json!({"keys": [key]}).to_string());
    }

    #[test]
    fn what_is_no_set_of_keys_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"keys\":{}}",
            "{\"keys\":[]}",
            "{\"keys\":[1,null,{\"kty\":\"oct\",\"k\":\"x\"}]}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
