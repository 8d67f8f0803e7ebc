//! Signing keys: where they come from, how one replaces another, what happens when the store forgets them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer, EcPrivateKeyRfc5915Der},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mcp_gateway_auth_server::{AuthServer, Settings, StartError, keys::admin};
use mcp_gateway_model::{
    clock::ManualClock,
    clock::Timestamp,
    id::KeyId,
    key::Algorithm,
    secret::{Secret, random_text},
};
use mcp_gateway_store::{EmbeddedStore, KeyRing, Store};
use rsa::{
    RsaPrivateKey,
    pkcs1::EncodeRsaPrivateKey,
    pkcs8::{DecodePrivateKey, LineEnding},
};
use serde_json::Value;

use crate::support::{
    desk::{Desk, START},
    fragile::Fragile,
    set::settings,
};

const NOW: Timestamp = Timestamp::from_secs(START);

fn store() -> Arc<Fragile> {
    Arc::new(Fragile::new(EmbeddedStore::in_memory().unwrap()))
}

async fn start(store: &Arc<Fragile>, settings: Settings) -> Result<AuthServer, StartError> {
    let clock = Arc::new(ManualClock::new(NOW));
    AuthServer::start(settings, store.clone(), clock, &prometheus::Registry::new()).await
}

fn with_pem(algorithm: Algorithm, pem: &str) -> Settings {
    let mut settings = settings();
    settings.signing.algorithm = algorithm;
    settings.signing.private_key_pem = Some(Secret::presented(pem.to_owned()));
    settings
}

async fn fault(settings: Settings) -> String {
    start(&store(), settings).await.unwrap_err().to_string()
}

fn kid(token: &str) -> KeyId {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    KeyId::parse(header["kid"].as_str().unwrap()).unwrap()
}

#[actix_web::test]
async fn two_servers_that_start_at_once_agree_on_one_key() {
    let store = store();
    let starts = (0..8).map(|_| start(&store, settings()));
    for started in futures_util::future::join_all(starts).await {
        started.unwrap();
    }
    let ring = store.key_ring().await.unwrap();
    assert_eq!(ring.keys.len(), 1);
    assert_eq!(ring.signing.as_ref(), Some(&ring.keys[0].public.kid));
}

#[actix_web::test]
async fn nothing_in_the_store_signs() {
    let store = store();
    start(&store, settings()).await.unwrap();
    let ring = serde_json::to_value(store.key_ring().await.unwrap()).unwrap();
    let sealed = ring["keys"][0]["private"].as_str().unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
    // The beginning of every PKCS#8 key on Ed25519.
    let pkcs8 = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
    ];
    assert!(!bytes.windows(pkcs8.len()).any(|window| window == pkcs8));
}

#[actix_web::test]
async fn a_new_key_is_published_two_seconds_before_it_signs_unless_it_is_alone() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (first, _) = desk.tokens(&client).await;
    let rotate = async || {
        let sealing = settings().sealing_secrets;
        let made = admin::rotate(desk.store.as_ref(), &settings().signing, &sealing, NOW).await;
        made.unwrap()
    };
    let new = rotate().await;
    desk.advance(5);
    for (wait, expected) in [(0, kid(&first)), (1, kid(&first)), (1, new.clone())] {
        desk.advance(wait);
        let (token, _) = desk.tokens(&client).await;
        assert_eq!(kid(&token), expected, "{wait}");
        let published = desk.get("/jwks").await.text;
        assert!(published.contains(&new.to_string()), "{published}");
    }
    let newest = rotate().await;
    admin::retire(desk.store.as_ref(), &new).await.unwrap();
    desk.advance(5);
    let (token, _) = desk.tokens(&client).await;
    assert_eq!(kid(&token), newest, "the one before was retired");
}

#[actix_web::test]
async fn a_rotation_by_another_process_is_noticed_and_old_tokens_stay_good_until_the_key_is_retired() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (old, _) = desk.tokens(&client).await;
    let sealing = settings().sealing_secrets;
    let store = desk.store.as_ref();
    let new = admin::rotate(store, &settings().signing, &sealing, NOW)
        .await
        .unwrap();
    assert_ne!(kid(&old), new);
    desk.advance(5);
    desk.tokens(&client).await;
    desk.advance(2);
    let (young, _) = desk.tokens(&client).await;
    assert_eq!(kid(&young), new);
    assert_eq!(desk.introspect(&client, &old).await["active"], true);
    let listed = admin::list(store).await.unwrap();
    assert_eq!(
        listed.iter().map(|key| key.signs).collect::<Vec<_>>(),
        [false, true]
    );
    let jwks = desk.get("/jwks").await.json();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);

    let refused = admin::retire(store, &new).await.unwrap_err();
    assert!(refused.to_string().contains("rotate first"), "{refused}");
    admin::retire(store, &kid(&old)).await.unwrap();
    desk.advance(1);
    assert_eq!(desk.introspect(&client, &old).await["active"], false);
    assert_eq!(desk.introspect(&client, &young).await["active"], true);
    let gone = admin::retire(store, &kid(&old)).await.unwrap_err();
    assert!(gone.to_string().starts_with("there is no key"), "{gone}");
}

#[actix_web::test]
async fn a_wrong_sealing_secret_stops_the_start_and_names_the_setting() {
    let store = store();
    start(&store, settings()).await.unwrap();
    let mut other = settings();
    other.sealing_secrets = vec![Secret::presented("another-secret-of-32-bytes-------".into())];
    let fault = start(&store, other).await.unwrap_err().to_string();
    assert!(fault.contains("STORE_ENCRYPTION_KEY"), "{fault}");
}

#[actix_web::test]
async fn keys_are_sealed_again_under_the_new_secret_so_that_the_old_one_can_go() {
    let store = store();
    start(&store, settings()).await.unwrap();
    let before = store.key_ring().await.unwrap().signing;
    let new = || Secret::presented("another-secret-of-32-bytes-------".into());
    let mut both = settings();
    both.sealing_secrets.insert(0, new());
    start(&store, both).await.unwrap();
    let mut alone = settings();
    alone.sealing_secrets = vec![new()];
    start(&store, alone).await.unwrap();
    assert_eq!(store.key_ring().await.unwrap().signing, before);
}

#[actix_web::test]
async fn a_store_that_came_back_empty_gets_its_key_again() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (before, _) = desk.tokens(&client).await;
    let ring = desk.store.key_ring().await.unwrap();
    let emptied = KeyRing {
        revision: ring.revision + 1,
        ..KeyRing::default()
    };
    desk.store.replace_key_ring(&emptied).await.unwrap();
    desk.advance(5);
    let (after, _) = desk.tokens(&client).await;
    assert_eq!(kid(&before), kid(&after));
    let ring = desk.store.key_ring().await.unwrap();
    assert_eq!(ring.signing, Some(kid(&after)));
}

#[actix_web::test]
async fn a_configured_key_is_published_and_signs_and_stays_out_of_the_store() {
    let store = store();
    start(&store, settings()).await.unwrap();
    let pem = admin::generate(Algorithm::EdDsa).unwrap();
    let desk = Desk::start_on(store.clone(), with_pem(Algorithm::EdDsa, pem.reveal())).await;
    let client = desk.public_client().await;
    let (access, _) = desk.tokens(&client).await;
    let ring = store.key_ring().await.unwrap();
    assert_eq!(ring.signing, Some(kid(&access)));
    assert_eq!(ring.key(&kid(&access)).unwrap().private, None);
    assert_eq!(ring.keys.len(), 2, "the generated one still verifies");

    let configured = with_pem(Algorithm::EdDsa, pem.reveal());
    let refused = admin::rotate(
        store.as_ref(),
        &configured.signing,
        &configured.sealing_secrets,
        NOW,
    )
    .await;
    assert!(refused.unwrap_err().to_string().contains("JWT_PRIVATE_KEY_B64"));
    // Without it the generated one signs again.
    let back = Desk::start_on(store, settings()).await;
    let (access, _) = back.tokens(&client).await;
    assert_ne!(Some(kid(&access)), ring.signing);
    assert!(ring.key(&kid(&access)).is_some());
}

#[actix_web::test]
async fn pkcs1_pkcs8_and_sec1_are_read() {
    let pkcs8 = admin::generate(Algorithm::Rs256).unwrap();
    let rsa = RsaPrivateKey::from_pkcs8_pem(pkcs8.reveal()).unwrap();
    let pkcs1 = rsa.to_pkcs1_pem(LineEnding::LF).unwrap();
    for pem in [pkcs8.reveal(), pkcs1.as_str()] {
        start(&store(), with_pem(Algorithm::Rs256, pem)).await.unwrap();
    }
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
    let body = STANDARD.encode(der.as_ref());
    let sec1 = format!("-----BEGIN EC PRIVATE KEY-----\n{body}\n-----END EC PRIVATE KEY-----\n");
    start(&store(), with_pem(Algorithm::Es256, &sec1)).await.unwrap();
}

#[actix_web::test]
async fn what_is_no_usable_key_names_the_setting() {
    let small = include_str!("rsa1024.pem");
    let elliptic = admin::generate(Algorithm::Es256).unwrap();
    for (algorithm, pem, text) in [
        (Algorithm::Rs256, small, "2048"),
        (Algorithm::Rs256, elliptic.reveal(), "JWT_ALGORITHM"),
        (Algorithm::Rs256, "nonsense", "JWT_PRIVATE_KEY_B64"),
    ] {
        let fault = fault(with_pem(algorithm, pem)).await;
        assert!(fault.contains(text), "{fault}");
    }
    for secret in [None, Some("short".to_owned())] {
        let mut settings = settings();
        settings.signing.algorithm = Algorithm::Hs256;
        settings.signing.shared_secret = secret.map(Secret::presented);
        let fault = fault(settings).await;
        assert!(fault.contains("JWT_SECRET"), "{fault}");
    }
    let mut settings = settings();
    settings.sealing_secrets.clear();
    assert!(fault(settings).await.contains("STORE_ENCRYPTION_KEY"));
}

#[actix_web::test]
async fn hs256_has_nothing_to_rotate_or_to_generate() {
    let mut settings = settings();
    settings.signing.algorithm = Algorithm::Hs256;
    settings.signing.shared_secret = Some(Secret::presented(random_text::<32>()));
    let rotated = admin::rotate(
        store().as_ref(),
        &settings.signing,
        &settings.sealing_secrets,
        NOW,
    )
    .await;
    assert!(rotated.unwrap_err().to_string().contains("JWT_SECRET"));
    assert!(admin::generate(Algorithm::Hs256).is_err());
}
