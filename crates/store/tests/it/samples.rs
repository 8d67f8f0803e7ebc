//! Records to work with.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a sample that does not parse is a mistake here"
)]

use std::time::Duration;

use mcp_gateway_model::{
    client::{AuthMethod, Client, ClientMetadata, ClientOrigin, GrantType},
    clock::Timestamp,
    grant::{Code, Grant, GrantKind, User},
    id::{ClientId, GrantId, Login as LoginName, UserId},
    key::{Algorithm, PublicKey, PublicNumbers},
    pkce::CodeChallenge,
    redirect::RedirectUri,
    resource::ResourceUri,
    scope::ScopeSet,
    secret::Digest,
};
use mcp_gateway_store::{
    Begun, BrowserLogin, DeviceRequest, DeviceStage, Document, HeldGrant, KeyRing, Login, LoginAnswer,
    LoginStage, Look, Permit, Permitted, Presented, Prolong, Rate, Redemption, RedirectAnswer, RingKey,
    Rotation, Sealed, Store,
};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) fn after(secs: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(secs))
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn redirect() -> RedirectUri {
    RedirectUri::parse("http://127.0.0.1:33418/callback").unwrap()
}

fn audience() -> ResourceUri {
    ResourceUri::parse("https://echo.example.com/mcp").unwrap()
}

fn challenge() -> CodeChallenge {
    CodeChallenge::parse(Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), Some("S256")).unwrap()
}

pub(crate) fn user(id: u64) -> User {
    User {
        id: UserId(id),
        login: LoginName::parse("octocat").unwrap(),
        shown_login: "OctoCat".into(),
        name: Some("The \"Octocat\" é 🐙".into()),
        email: None,
    }
}

pub(crate) fn client() -> Client {
    Client {
        id: ClientId::generate(),
        metadata: ClientMetadata {
            redirect_uris: vec![redirect()],
            token_endpoint_auth_method: AuthMethod::ClientSecretBasic,
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            response_types: vec!["code".into()],
            client_name: Some("A client".into()),
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            contacts: vec![],
            scope: ScopeSet::default(),
            software_id: None,
            software_version: None,
            application_type: None,
            jwks: None,
            jwks_uri: None,
        },
        origin: ClientOrigin::Registered,
        secret: Some(digest("client secret")),
        registration_token: Some(digest("registration token")),
        previous_registration_token: None,
        revision: 0,
        issued_at: NOW,
        expires_at: Some(after(86400)),
        seen: false,
        resources: None,
    }
}

/// A client that the operator entered.
pub(crate) fn entered(id: &str) -> Client {
    Client {
        id: ClientId::parse(id).unwrap(),
        origin: ClientOrigin::PreRegistered,
        registration_token: None,
        expires_at: None,
        ..client()
    }
}

pub(crate) fn login() -> Login {
    Login {
        client: ClientId::parse("https://client.example/{ring}").unwrap(),
        answer: LoginAnswer::Redirect(RedirectAnswer {
            redirect_uri: redirect(),
            redirect_uri_was_sent: true,
            state: Some("a state \u{1F980} \"quoted\"".into()),
            challenge: challenge(),
            nonce: None,
        }),
        max_age: None,
        subject: None,
        audience: audience(),
        scopes: ScopeSet::parse("read write").unwrap(),
        browser: digest("browser"),
        stage: LoginStage::Consent,
        expires_at: after(300),
    }
}

pub(crate) fn device() -> DeviceRequest {
    DeviceRequest {
        digest: digest("device code"),
        client: ClientId::parse("https://client.example/{ring}").unwrap(),
        audience: audience(),
        scopes: ScopeSet::parse("read write").unwrap(),
        stage: DeviceStage::Waiting,
        interval: Duration::from_secs(5),
        polled_at: None,
        expires_at: after(600),
    }
}

pub(crate) fn browser() -> BrowserLogin {
    BrowserLogin {
        user: user(583_231),
        authenticated_at: NOW,
        expires_at: after(900),
    }
}

pub(crate) fn document() -> Document {
    Document {
        url: "https://client.example/{ring}".into(),
        body: r#"{"client_id":"https://client.example/{ring}","client_name":"é"}"#.into(),
        read_at: NOW,
        fresh_until: after(600),
        used: false,
    }
}

pub(crate) fn grant_of(client: &ClientId, user_id: u64) -> Grant {
    Grant {
        id: GrantId::generate(),
        client: client.clone(),
        user: Some(user(user_id)),
        kind: GrantKind::Consent,
        memberships: None,
        audiences: vec![audience()],
        scopes: ScopeSet::parse("read").unwrap(),
        authenticated_at: NOW,
        created_at: NOW,
        expires_at: after(60),
    }
}

/// Whose grant it is.
pub(crate) fn user_of(grant: &Grant) -> UserId {
    grant.user.as_ref().unwrap().id
}

pub(crate) fn grant() -> Grant {
    grant_of(&ClientId::generate(), 583_231)
}

pub(crate) fn code_of(grant: &Grant) -> Code {
    Code {
        grant: grant.id.clone(),
        digest: digest(grant.id.as_str()),
        client: grant.client.clone(),
        redirect_uri: redirect(),
        redirect_uri_was_sent: false,
        challenge: challenge(),
        nonce: None,
        expires_at: grant.expires_at,
    }
}

/// A grant that has begun, and its code.
pub(crate) async fn begun(store: &dyn Store, grant: Grant) -> (Grant, Code) {
    let code = code_of(&grant);
    let begun = store.begin_grant(&grant, &code, after(86400), NOW).await.unwrap();
    assert_eq!(begun, Begun::Yes);
    (grant, code)
}

/// A grant with a chain of refresh tokens, generation 1 current since `NOW`, alive for a day.
pub(crate) async fn chained(store: &dyn Store) -> Grant {
    let (grant, _) = begun(store, grant()).await;
    store.prolong(&grant.id, after(86400), NOW).await.unwrap();
    store.grant(&grant.id, NOW).await.unwrap().unwrap()
}

/// A permit that is always there.
pub(crate) fn plenty(name: &str) -> Permit {
    Permit {
        name: digest(name),
        rate: Rate {
            count: 1_000_000,
            period: Duration::from_secs(1),
            burst: 1_000_000,
        },
    }
}

/// What was done with a permit that was there.
pub(crate) fn permitted<T>(answer: Permitted<T>) -> T {
    match answer {
        Permitted::Yes(done) => done,
        Permitted::Wait(wait) => panic!("no permit for {wait:?}"),
    }
}

/// A grant as it lies there now.
pub(crate) async fn held(store: &dyn Store, id: &GrantId, now: Timestamp) -> Box<HeldGrant> {
    let look = Look {
        grant: Some(id),
        ..Look::default()
    };
    permitted(store.look(look, now).await.unwrap()).grant.unwrap()
}

/// Uses a code, and prolongs its grant until `until`.
pub(crate) async fn redeemed(
    store: &dyn Store,
    id: &GrantId,
    code: &Digest,
    until: Timestamp,
    now: Timestamp,
) -> Redemption {
    let prolong = Prolong { permit: None, until };
    let held = held(store, id, now).await;
    permitted(store.redeem(held, code, prolong, now).await.unwrap())
}

/// Uses a code, and prolongs nothing.
pub(crate) async fn redeem(store: &dyn Store, id: &GrantId, code: &Digest, now: Timestamp) -> Redemption {
    redeemed(store, id, code, now, now).await
}

/// Uses a refresh token.
pub(crate) async fn rotate(
    store: &dyn Store,
    id: &GrantId,
    presented: Presented,
    until: Timestamp,
    now: Timestamp,
) -> Rotation {
    let prolong = Prolong { permit: None, until };
    let held = held(store, id, now).await;
    permitted(store.rotate(held, presented, prolong, now).await.unwrap())
}

/// Registers a client where there may be so many that nobody uses; answers how many were removed.
pub(crate) async fn register(store: &dyn Store, client: &Client, most: u32, now: Timestamp) -> u64 {
    let permit = Some(plenty("register"));
    permitted(store.register_client(client, permit, most, now).await.unwrap())
}

pub(crate) const fn presented(generation: u64) -> Presented {
    Presented {
        generation,
        grace: Duration::from_secs(120),
    }
}

pub(crate) fn ring(revision: u64, secret: &str) -> KeyRing {
    let public = PublicKey::new(
        Algorithm::EdDsa,
        PublicNumbers::ed25519(digest(secret).as_bytes()),
    );
    KeyRing {
        revision,
        signing: Some(public.kid.clone()),
        keys: vec![RingKey {
            public,
            private: Some(Sealed(format!("sealed:{secret}"))),
            created_at: NOW,
            replaced_at: None,
        }],
    }
}
