//! A user of `mcp-oauth-dynamicclient` who changes the image and nothing else: its documented `.env` file with quotes and
//! trailing comments, its documented Traefik labels verbatim, and clients of its documented endpoints.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Client, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::support::{
    browser::drive,
    flow::{Flow, REDIRECT},
    mcp::{call_tool, status},
    world::{Ground, PASSWORD, World},
};

/// The `.env` of its documentation with values filled in; the comments are its own.
pub(super) fn env_file(ground: &Ground) -> String {
    let key = Command::new("openssl")
        .args(["genrsa", "-traditional", "2048"])
        .output()
        .unwrap();
    assert!(key.status.success(), "openssl is needed");
    let key = STANDARD.encode(key.stdout);
    let (client_id, client_secret) = &ground.app;
    let (redis, domain) = (
        ground.redis.port(),
        format!("gateway.test:{}", ground.ports.https),
    );
    format!(
        "# GitHub OAuth App credentials
GITHUB_CLIENT_ID={client_id}
GITHUB_CLIENT_SECRET=\"{client_secret}\"

# JWT Configuration
JWT_SECRET='a secret of more than thirty-two bytes # not a comment'
JWT_ALGORITHM=RS256  # or HS256
JWT_PRIVATE_KEY_B64={key}  # For RS256

# Domain configuration
BASE_DOMAIN={domain}

# Redis configuration
REDIS_URL=redis://localhost:{redis}/0
REDIS_PASSWORD={PASSWORD}  # Optional

# Token lifetimes (in seconds)
ACCESS_TOKEN_LIFETIME=1800      # 30 minutes
REFRESH_TOKEN_LIFETIME=31536000 # 1 year
SESSION_TIMEOUT=300             # 5 minutes
CLIENT_LIFETIME=7776000         # 90 days (0 = never expires)

# Access control
ALLOWED_GITHUB_USERS=user1,octocat,user3  # or '*' for any GitHub user

# MCP Protocol version
MCP_PROTOCOL_VERSION=2025-06-18
DEFAULT_RESOURCE=https://echo.{domain}/mcp
"
    )
}

#[tokio::test]
async fn its_env_file_and_its_labels_verbatim_serve_the_typescript_sdk_that_sends_resource() {
    let without_default = |ground: &Ground| {
        let file = env_file(ground);
        file.lines()
            .filter(|line| !line.starts_with("DEFAULT_RESOURCE"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let world = World::of_the_predecessor(without_default).await;
    // the labels lead discovery into ForwardAuth: whoever follows redirects gets it from the issuer, and from then on
    // the challenge names the issuer's copy, for clients that do not
    let http = world.http();
    let first = metadata_of(&world).await;
    assert!(first.starts_with(&world.mcp_url().replace("/mcp", "")), "{first}");
    let sent_on = http.get(&first).send().await.unwrap();
    let there = sent_on.headers()["location"].to_str().unwrap();
    let document: Value = http.get(there).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["resource"], world.mcp_url());
    assert_eq!(metadata_of(&world).await, there);
    assert_eq!(world.backend().requests(), 0);

    let seen = drive(Some(&world), "typescript-sdk.mjs", &["1", &world.mcp_url()]).await;
    assert!(seen["whoami"].to_string().contains("583231"), "{seen}");
    assert_eq!(seen["refreshed"], true, "{seen}");
}

#[tokio::test]
async fn with_one_more_line_in_its_env_file_no_client_needs_a_second_attempt() {
    let with_one_more_line = |ground: &Ground| format!("{}METADATA_AT_ISSUER=true\n", env_file(ground));
    let world = World::of_the_predecessor(with_one_more_line).await;
    assert!(metadata_of(&world).await.starts_with(&world.issuer()));
    let seen = drive(Some(&world), "typescript-sdk.mjs", &["2", &world.mcp_url()]).await;
    assert!(seen["whoami"].to_string().contains("583231"), "{seen}");
}

/// Where the challenge says that the metadata is.
async fn metadata_of(world: &World) -> String {
    let refused = world
        .http()
        .post(world.mcp_url())
        .body("{}")
        .send()
        .await
        .unwrap();
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    challenge
        .split("resource_metadata=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_client_of_its_documented_endpoints_works_without_sending_resource() {
    let world = World::of_the_predecessor(env_file).await;
    let (http, issuer, mcp_url) = (world.http(), world.issuer(), world.mcp_url());
    let (client, registration) = register(&http, &issuer).await;
    manage(&http, &registration).await;

    let mut flow = Flow::of(http.clone(), &issuer, &client);
    let back = flow.log_in_without_resource(583_231).await;
    let secret = registration["client_secret"].as_str().unwrap();
    let (answer, body) = flow
        .token(&[
            ("grant_type", "authorization_code"),
            ("code", &back["code"]),
            ("redirect_uri", REDIRECT),
            ("code_verifier", crate::support::flow::VERIFIER),
            ("client_secret", secret),
        ])
        .await;
    assert_eq!(answer, StatusCode::OK, "{body}");
    assert_eq!(body["expires_in"], 1800);
    let access = body["access_token"].as_str().unwrap();
    assert_eq!(
        call_tool(&http, &mcp_url, access, "whoami").await["login"],
        "octocat"
    );

    let ask = [
        ("token", access),
        ("client_id", flow.client_id()),
        ("client_secret", secret),
    ];
    let active: Value = http
        .post(format!("{issuer}/introspect"))
        .form(&ask)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&active["active"], &active["username"]),
        (&json!(true), &json!("octocat"))
    );
    let revoked = http
        .post(format!("{issuer}/revoke"))
        .form(&ask)
        .send()
        .await
        .unwrap();
    assert_eq!(revoked.status(), StatusCode::OK);
    world.heard().await;
    assert_eq!(
        status(&http, &mcp_url, Some(access)).await,
        StatusCode::UNAUTHORIZED
    );
}

/// `POST /register` with the members that its documentation shows.
async fn register(http: &Client, issuer: &str) -> (String, Value) {
    let asked = json!({
        "redirect_uris": [REDIRECT],
        "client_name": "My Application",
        "scope": "openid profile email",
    });
    let answer = http
        .post(format!("{issuer}/register"))
        .json(&asked)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let registration: Value = answer.json().await.unwrap();
    for member in [
        "client_id",
        "client_secret",
        "registration_access_token",
        "registration_client_uri",
    ] {
        assert!(registration[member].is_string(), "{member} in {registration}");
    }
    (
        registration["client_id"].as_str().unwrap().to_owned(),
        registration,
    )
}

/// RFC 7592 calls: the record can be read with its token, and with nothing else.
async fn manage(http: &Client, registration: &Value) {
    let uri = registration["registration_client_uri"].as_str().unwrap();
    let token = registration["registration_access_token"].as_str().unwrap();
    let read = http
        .get(uri)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(read.status(), StatusCode::OK);
    assert_eq!(
        http.get(uri).send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let wrong = http
        .get(uri)
        .header(AUTHORIZATION, "Bearer wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
}
