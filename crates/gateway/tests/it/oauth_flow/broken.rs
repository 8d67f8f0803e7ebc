//! The same, against gateways in which one thing is broken.

use super::{events, nothing_is_left, run, tells_no_secret};
use crate::support::{
    relay::{Answered, Asked, Fault, Relay},
    server::Server,
    stage::Stage,
};

/// A gateway behind a relay.
async fn behind(relay: &Relay, stage: &Stage) -> Server {
    let own = format!("http://localhost:{}", relay.port);
    let server = stage
        .serve(&[("MCP_OAUTH_ISSUER", &own), ("DEFAULT_RESOURCE", &relay.url())])
        .await;
    relay.leads_to(&server.at(""));
    server
}

/// Runs the script against each broken gateway: the step that has to fail does, says this, and nothing is left.
async fn names_what_is_broken(faults: &[(&str, &str, Fault)]) {
    let (stage, relay) = (Stage::new(), Relay::start());
    let server = behind(&relay, &stage).await;
    relay.breaks(|_, _| ());
    let whole = run(&["--auto", "--json", &relay.url()]).await;
    assert_eq!(whole.code, 0, "without a fault: {}", whole.stdout);
    for (step, said, fault) in faults {
        relay.breaks(*fault);
        let ended = run(&["--auto", "--json", &relay.url()]).await;
        let report = ended.json();
        assert_eq!(ended.code, 1, "{step}: {report}");
        assert_eq!(report["failed"], *step, "{report}");
        let last = report["steps"].as_array().unwrap().last().unwrap();
        let detail = last["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{said}: {detail}");
        tells_no_secret(&ended);
        // where the answer to a registration or to its end was made up, the gateway knows better
        if !["register", "unregister"].contains(step) {
            nothing_is_left(&server);
        }
    }
    server.stop().await;
}

fn is_metadata(asked: &Asked) -> bool {
    asked.path.starts_with("/.well-known/oauth-authorization-server")
}

/// Any of the documents that describe the authorization server.
fn describes_the_gateway(asked: &Asked) -> bool {
    is_metadata(asked) || asked.path.starts_with("/.well-known/openid-configuration")
}

#[tokio::test]
async fn an_initial_access_token_is_sent_to_the_named_gateway_alone() {
    let (stage, relay) = (Stage::new(), Relay::start());
    let server = behind(&relay, &stage).await;
    let file = stage.directory.path().join("token");
    std::fs::write(&file, "for-registration").unwrap();
    let own = format!("http://localhost:{}", relay.port);
    for (named, step, said) in [
        (
            "https://auth.example.com",
            "resource",
            "not by 'https://auth.example.com'",
        ),
        (&own, "register", "is sent to"),
    ] {
        relay.breaks(|asked, answered| {
            if describes_the_gateway(asked) {
                let (here, there) = ("http://localhost", "http://127.0.0.1");
                let member = |origin| format!("\"registration_endpoint\":\"{origin}");
                answered.replace(&member(here), &member(there));
            }
        });
        let file = file.to_str().unwrap();
        let arguments = [
            "--auto",
            "--json",
            "--issuer",
            named,
            "--initial-access-token-file",
            file,
            &relay.url(),
        ];
        let report = run(&arguments).await.json();
        assert_eq!(report["failed"], step, "{report}");
        let last = report["steps"].as_array().unwrap().last().unwrap();
        assert!(last["detail"].as_str().unwrap().contains(said), "{report}");
    }
    assert_eq!(events(&server, "client_registered"), 0);
    server.stop().await;
}

#[tokio::test]
async fn what_is_broken_before_the_login_is_named() {
    names_what_is_broken(&[
        ("challenge", "instead of 401", |asked, answered| {
            if asked.path == "/mcp" {
                answered.status = 200;
            }
        }),
        ("challenge", "names no resource_metadata", |_, answered| {
            answered.without("www-authenticate");
        }),
        (
            "resource",
            "does its router lead to the gateway?",
            |asked, answered| {
                if asked.path.starts_with("/.well-known/oauth-protected-resource") {
                    answered.fails(404);
                }
            },
        ),
        ("resource", "clients refuse that", |asked, answered| {
            if asked.path.starts_with("/.well-known/oauth-protected-resource") {
                answered.replace(
                    "\"resource\":\"http://localhost",
                    "\"resource\":\"http://other.test",
                );
            }
        }),
        ("discovery", "byte for byte", |asked, answered| {
            if is_metadata(asked) {
                answered.replace("\"issuer\":\"http://localhost", "\"issuer\":\"http://LOCALHOST");
            }
        }),
        ("discovery", "S256", |asked, answered| {
            if is_metadata(asked) {
                answered.replace("S256", "plain");
            }
        }),
        ("discovery", "is REGISTRATION off?", |asked, answered| {
            if is_metadata(asked) {
                answered.replace("registration_endpoint", "another_endpoint");
            }
        }),
        ("aliases", "openid-configuration/mcp", |asked, answered| {
            if asked.path == "/.well-known/openid-configuration/mcp" {
                answered.fails(404);
            }
        }),
    ])
    .await;
}

#[tokio::test]
async fn what_is_broken_in_the_registration_is_named() {
    names_what_is_broken(&[
        ("register", "no registration_access_token", |_, answered| {
            answered.replace("registration_access_token", "another_member");
        }),
        ("register", "not at the issuer", |_, answered| {
            answered.replace(
                "registration_client_uri\":\"http://localhost",
                "registration_client_uri\":\"http://other.test",
            );
        }),
        ("register", "invalid_redirect_uri", |asked, answered| {
            if asked.path == "/register" && asked.method == "POST" {
                answered.status = 400;
                answered.body =
                    "{\"error\":\"invalid_redirect_uri\",\"error_description\":\"not here\"}".into();
            }
        }),
        // a terminal would obey these words
        ("register", "not?[2Khere", |asked, answered| {
            if asked.path == "/register" && asked.method == "POST" {
                answered.status = 400;
                answered.body = "{\"error\":\"x\",\"error_description\":\"not\\u001b[2Khere\"}".into();
            }
        }),
    ])
    .await;
}

/// In capitals, which mean the same.
fn names_a_token_endpoint_in_clear_text(asked: &Asked, answered: &mut Answered) {
    if describes_the_gateway(asked) {
        answered.replace(
            "\"token_endpoint\":\"http://localhost",
            "\"token_endpoint\":\"HTTP://192.0.2.1",
        );
    }
}

#[tokio::test]
async fn what_is_broken_from_the_login_on_is_named() {
    names_what_is_broken(&[
        ("authorize", "That did not work", |asked, answered| {
            if asked.path == "/consent" {
                answered.fails(502);
            }
        }),
        ("authorize", "RFC 9207", |_, answered| {
            answered.replace("&iss=http", "&iss=https");
        }),
        ("token", "is not https", names_a_token_endpoint_in_clear_text),
        ("token", "no-store", |asked, answered| {
            if asked.path == "/token" {
                answered.without("cache-control");
            }
        }),
        ("token", "bytes of text/plain", |asked, answered| {
            if asked.path == "/token" {
                answered.without("content-type");
                answered
                    .headers
                    .push(("content-type".to_owned(), "text/plain".to_owned()));
                answered.body = answered.body.replace('{', "");
            }
        }),
        ("call", "nothing is protected", |asked, answered| {
            if asked.path == "/mcp" && asked.authorized {
                answered.status = 200;
            }
        }),
        ("call", "the token was refused with 502", |asked, answered| {
            if asked.path == "/mcp" && answered.status == 200 {
                answered.fails(502);
            }
        }),
        ("client", "/oauth/clients/", |asked, answered| {
            if asked.path.starts_with("/oauth/clients/") {
                answered.fails(404);
            }
        }),
        ("refresh", "invalid_grant", |asked, answered| {
            if asked.body.contains("grant_type=refresh_token") {
                answered.status = 400;
                answered.body = "{\"error\":\"invalid_grant\",\"error_description\":\"no\"}".into();
            }
        }),
        ("revoke", "still opens", |asked, answered| {
            if asked.revoked && asked.path == "/mcp" {
                answered.status = 200;
            }
        }),
        ("unregister", "was not removed", |asked, answered| {
            if asked.method == "DELETE" && asked.path.starts_with("/register/") {
                answered.fails(500);
            }
        }),
    ])
    .await;
}
