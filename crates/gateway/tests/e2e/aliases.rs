//! The addresses that clients make up from a server's own, behind the shipped Traefik files: metadata of the authorization
//! server below the path of a protected server, on its host and on the issuer's.

use reqwest::{Client, StatusCode};
use serde_json::Value;
use url::Url;

use crate::support::{
    flow::Flow,
    world::{Layout, World},
};

/// Both names, with the path of a server behind them.
fn places(base: &str) -> Vec<String> {
    let names = ["oauth-authorization-server", "openid-configuration"];
    let paths = ["", "/mcp", "/mcp/", "/mcp/v1", "/mcp/v1/sse", "/api/memories"];
    let both = names
        .iter()
        .flat_map(|name| paths.map(|path| format!("{name}{path}")));
    both.map(|place| format!("{base}/.well-known/{place}")).collect()
}

async fn document(http: &Client, url: &str) -> Value {
    let answer = http.get(url).header("origin", "https://inspector.example.com");
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    assert_eq!(answer.headers()["content-type"], "application/json", "{url}");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{url}");
    answer.json().await.unwrap()
}

/// What a client does that keeps to RFC 8414 §3.3: it takes no document that names another issuer than the one it asked for.
async fn strictly(http: &Client, issuer: &str) -> Result<Value, String> {
    let parsed = Url::parse(issuer).unwrap();
    let (origin, path) = (parsed.origin().ascii_serialization(), parsed.path());
    let place = format!(
        "{origin}/.well-known/oauth-authorization-server{}",
        path.trim_end_matches('/')
    );
    let document = document(http, &place).await;
    let named = document["issuer"].as_str().unwrap().to_owned();
    if named == issuer { Ok(document) } else { Err(named) }
}

#[tokio::test]
async fn every_address_has_the_one_document_of_the_one_issuer() {
    let world = World::start(Layout::Apart(1)).await;
    let http = world.http();
    let reference = document(
        &http,
        &format!("{}/.well-known/oauth-authorization-server", world.issuer()),
    )
    .await;
    assert_eq!(reference["issuer"], world.issuer());
    let echo = world.mcp_url().replace("/mcp", "");
    for base in [world.issuer(), echo.clone(), echo.replace("echo.", "memory.")] {
        for place in places(&base) {
            assert_eq!(document(&http, &place).await, reference, "{place}");
        }
    }
    assert_eq!(world.backend().requests(), 0);
}

#[tokio::test]
async fn a_client_that_compares_issuers_gets_to_the_issuer_and_takes_no_alias_for_one() {
    let world = World::start(Layout::Serve).await;
    let http = world.http();
    // from the metadata of the server, as the specification has it
    let place = world
        .mcp_url()
        .replace("/mcp", "/.well-known/oauth-protected-resource/mcp");
    let resource = document(&http, &place).await;
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    let found = strictly(&http, issuer).await;
    assert_eq!(
        found.as_ref().map(|found| &found["issuer"]),
        Ok(&world.issuer().into())
    );
    // from the alias, as clients of the guide do: the issuer that it names has the same document
    let alias = world
        .mcp_url()
        .replace("/mcp", "/.well-known/oauth-authorization-server/mcp");
    let alias = document(&http, &alias).await;
    assert_eq!(
        strictly(&http, alias["issuer"].as_str().unwrap()).await,
        Ok(alias)
    );
    // whoever takes the server itself for an issuer sees that it is none
    assert_eq!(strictly(&http, &world.mcp_url()).await, Err(world.issuer()));
    // and the answer to an authorization request names the issuer that was compared, byte for byte
    let mut flow = Flow::register(http, &world.issuer()).await;
    let back = flow.log_in(&world.mcp_url(), 583_231).await;
    assert_eq!(back["iss"], world.issuer());
}
