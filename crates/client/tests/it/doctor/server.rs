//! The authorization server's metadata.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::stand::{OAUTH, PRM, metadata, only, open, passing, place, resource};
use crate::support::site::{self, Asked};

type Change = fn(&mut Value);

/// A server whose metadata is changed.
fn changed(change: Change) -> impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static {
    move |base, asked| (place(asked).1 == OAUTH).then(|| metadata(base, change))
}

/// A server whose resource names this issuer.
fn named(
    issuer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static {
    move |base, asked| {
        let servers = || json!([issuer(base)]);
        place(asked)
            .1
            .starts_with(PRM)
            .then(|| resource(base, |it| it["authorization_servers"] = servers()))
    }
}

fn without(member: &'static str, document: &mut Value) {
    document.as_object_mut().unwrap().remove(member).unwrap();
}

#[tokio::test]
async fn an_issuer_that_is_an_address_of_a_document_or_none_is_named() {
    only("bad-issuer", named(|_| "auth.example.com".to_owned())).await;
    only("bad-issuer", named(|base| format!("{base}/?tenant=1"))).await;
}

#[tokio::test]
async fn an_authorization_server_where_nobody_listens_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let report = only(
        "authorization-server-unreachable",
        named(move |_| format!("http://127.0.0.1:{port}")),
    )
    .await;
    assert!(report.clients.iter().all(|journey| journey.identity.is_none()));
}

#[tokio::test]
async fn an_authorization_server_without_metadata_is_named() {
    let report = only(
        "server-metadata-not-found",
        named(|base| format!("{base}/tenant")),
    )
    .await;
    assert_eq!(report.findings[0].seen.len(), 3);
}

#[tokio::test]
async fn an_authorization_server_that_fails_is_named() {
    let report = only("server-metadata-not-found", |base, asked| match place(asked).1 {
        OAUTH | "/.well-known/openid-configuration" => Some(open(503).finish()),
        // clients of revision 2025-03-26 look elsewhere
        "/.well-known/oauth-authorization-server/mcp" => Some(metadata(base, |_| ())),
        _ => None,
    })
    .await;
    assert!(report.findings[0].seen[0].contains("503"), "{report:?}");
}

#[tokio::test]
async fn a_page_instead_of_the_servers_metadata_is_named() {
    only("html-instead-of-json", |base, asked| match place(asked).1 {
        OAUTH => Some(site::page(200)),
        "/.well-known/oauth-authorization-server/mcp" => Some(metadata(base, |_| ())),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_member_of_the_wrong_kind_is_named() {
    let report = only("malformed-metadata", |base, asked| match place(asked).1 {
        OAUTH => Some(metadata(base, |it| it["token_endpoint"] = "/token".into())),
        "/.well-known/oauth-authorization-server/mcp" => Some(metadata(base, |_| ())),
        _ => None,
    })
    .await;
    assert!(report.findings[0].seen[0].contains("relative URL"), "{report:?}");
}

#[tokio::test]
async fn an_issuer_with_a_stray_slash_is_told_from_another_issuer() {
    let report = only("issuer-slash", named(|base| format!("{base}/"))).await;
    assert_eq!(passing(&report), ["revision 2025-03-26"]);
    only("issuer-slash", |base, asked| {
        (place(asked).1 == OAUTH).then(|| metadata(base, |it| it["issuer"] = format!("{base}/").into()))
    })
    .await;
    only(
        "issuer-mismatch",
        changed(|it| it["issuer"] = "https://internal.example.com".into()),
    )
    .await;
}

#[tokio::test]
async fn a_server_without_an_endpoint_is_named() {
    only(
        "missing-endpoint",
        changed(|it| without("authorization_endpoint", it)),
    )
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_list_s256_is_named() {
    let report = only(
        "no-s256",
        changed(|it| without("code_challenge_methods_supported", it)),
    )
    .await;
    assert_eq!(passing(&report), ["revision 2025-03-26"]);
    let plain = only(
        "no-s256",
        changed(|it| it["code_challenge_methods_supported"] = json!(["plain"])),
    )
    .await;
    assert!(plain.findings[0].seen[0].contains("plain"), "{plain:?}");
}

#[tokio::test]
async fn metadata_where_only_openid_connect_has_it_is_a_hint() {
    let report = only("openid-only", |base, asked| match place(asked).1 {
        OAUTH => Some(open(404).finish()),
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server/mcp" => {
            Some(metadata(base, |_| ()))
        }
        _ => None,
    })
    .await;
    let identities = serde_json::to_value(&report).unwrap()["clients"].clone();
    // ChatGPT reads the flag where RFC 8414 has the document
    assert_eq!(identities[0]["identity"], "metadata-document");
    assert_eq!(identities[2]["identity"], "registration");
}

#[tokio::test]
async fn answers_that_do_not_say_whose_they_are_are_a_hint() {
    let member = |it: &mut Value| without("authorization_response_iss_parameter_supported", it);
    assert!(only("no-iss", changed(member)).await.ok);
}

#[tokio::test]
async fn a_server_without_refresh_tokens_is_a_hint() {
    let change: Change = |it| it["grant_types_supported"] = json!(["authorization_code"]);
    assert!(only("no-refresh", changed(change)).await.ok);
}

#[tokio::test]
async fn a_server_that_clients_of_2025_03_26_do_not_find_is_a_hint() {
    let report = only("no-metadata-for-2025-03-26", |base, asked| {
        let issuer = format!("{base}/tenant");
        match place(asked).1 {
            "/.well-known/oauth-authorization-server/tenant" => Some(metadata(&issuer, |it| {
                it["authorization_endpoint"] = format!("{issuer}/authorize").into();
                it["token_endpoint"] = format!("{base}/token").into();
                it["registration_endpoint"] = format!("{base}/register").into();
            })),
            "/tenant/authorize" => Some(site::page(400)),
            OAUTH | "/authorize" => Some(open(404).finish()),
            path if path.starts_with(PRM) => {
                Some(resource(base, |it| it["authorization_servers"] = json!([issuer])))
            }
            _ => None,
        }
    })
    .await;
    assert!(report.ok);
    assert_eq!(passing(&report).len(), 7);
}
