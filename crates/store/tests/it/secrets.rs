//! Nothing that opens anything is readable in what the engines write.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use mcp_gateway_model::secret::{Secret, SecretKind};
use mcp_gateway_store::{EmbeddedStore, RedisStore, Store, testing::RedisServer};

use crate::{
    samples::{NOW, after, browser, client, code_of, grant_of, login, ring},
    walk::{still_there, walk},
};

/// Puts records under and with real secrets, and answers the secrets.
async fn put_secrets(store: &dyn Store) -> Vec<String> {
    let secrets: Vec<_> = [
        SecretKind::Code,
        SecretKind::ClientSecret,
        SecretKind::RegistrationToken,
        SecretKind::Browser,
        SecretKind::UpstreamState,
        SecretKind::FormToken,
    ]
    .map(Secret::generate)
    .into();
    let [code, client_secret, registration, cookie, state, form] = &secrets[..] else {
        unreachable!()
    };
    let mut client = client();
    client.secret = Some(client_secret.digest());
    client.registration_token = Some(registration.digest());
    store.add_client(&client, NOW).await.unwrap();
    let mut login = login();
    login.browser = cookie.digest();
    store.put_login(&state.digest(), &login, NOW).await.unwrap();
    store.put_login(&form.digest(), &login, NOW).await.unwrap();
    store
        .put_browser(&cookie.digest(), &browser(), NOW)
        .await
        .unwrap();
    let grant = grant_of(&client.id, 1);
    let mut issued = code_of(&grant);
    issued.digest = code.digest();
    store
        .begin_grant(&grant, &issued, after(86400), NOW)
        .await
        .unwrap();
    store.prolong(&grant.id, after(86400), NOW).await.unwrap();
    store.replace_key_ring(&ring(1, "key")).await.unwrap();
    secrets.iter().map(|secret| secret.reveal().to_owned()).collect()
}

/// Looks for each secret with and without the prefix of its kind.
fn assert_absent(bytes: &[u8], secrets: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        let random = secret
            .rsplit_once('_')
            .map_or(secret.as_str(), |_| &secret[secret.len() - 43..]);
        assert!(!text.contains(random), "a secret lies readable in the store");
    }
}

#[tokio::test]
async fn no_secret_is_readable_in_redis() {
    let server = RedisServer::start();
    let secrets = put_secrets(&RedisStore::connect(&server.options()).unwrap()).await;
    for (key, value) in server.dump() {
        assert_absent(key.as_bytes(), &secrets);
        assert_absent(&value, &secrets);
    }
}

#[tokio::test]
async fn no_secret_is_readable_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).unwrap();
    let secrets = put_secrets(&store).await;
    drop(store);
    assert_absent(&std::fs::read(path).unwrap(), &secrets);
}

#[tokio::test]
async fn no_verb_of_the_store_lists_the_keys_of_redis() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.options()).unwrap();
    let walked = walk(&store).await;
    still_there(&store, &walked).await;
    store.end_grant(&walked.grant.id, NOW).await.unwrap();
    store.end_client(&walked.client.id, NOW).await.unwrap();
    let used: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut server.connection())
        .unwrap();
    assert!(used.contains("cmdstat_get:"), "{used}");
    for command in ["keys", "scan", "sscan", "randomkey", "monitor"] {
        assert!(!used.contains(&format!("cmdstat_{command}:")), "{used}");
    }
}
