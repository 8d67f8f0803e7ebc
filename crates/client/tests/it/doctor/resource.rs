//! Protected resource metadata.

use actix_web::HttpResponse;

use super::stand::{PRM, challenge, is_first, only, open, passing, place, resource};
use crate::support::site::{self, Asked};

/// A server whose metadata is answered like this.
fn document(
    answer: impl Fn(&str) -> HttpResponse + Send + Sync + 'static,
) -> impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static {
    move |base, asked| place(asked).1.starts_with(PRM).then(|| answer(base))
}

#[tokio::test]
async fn metadata_that_is_nowhere_is_named() {
    let report = only("resource-metadata-not-found", document(|_| open(404).finish())).await;
    assert_eq!(passing(&report), ["revision 2025-03-26"]);
}

#[tokio::test]
async fn metadata_behind_the_authentication_is_named() {
    let report = only("resource-metadata-not-found", document(|_| challenge("Bearer"))).await;
    assert!(report.findings[0].seen[0].contains("status 401"), "{report:?}");
}

#[tokio::test]
async fn a_challenge_that_names_the_wrong_place_is_named_although_the_right_one_has_it() {
    let report = only("resource-metadata-not-found", |base, asked| {
        is_first(asked).then(|| challenge(&format!("Bearer resource_metadata=\"{base}/nowhere\"")))
    })
    .await;
    assert_eq!(passing(&report), ["Claude", "revision 2025-03-26"]);
}

#[tokio::test]
async fn a_challenge_that_names_an_address_where_nobody_listens_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    only("resource-metadata-unreachable", move |_, asked| {
        let text = format!("Bearer resource_metadata=\"http://127.0.0.1:{port}{PRM}\"");
        is_first(asked).then(|| challenge(&text))
    })
    .await;
}

#[tokio::test]
async fn a_page_instead_of_metadata_is_named() {
    let report = only("html-instead-of-json", document(|_| site::page(200))).await;
    assert_eq!(passing(&report), ["revision 2025-03-26"]);
}

#[tokio::test]
async fn a_page_where_only_claude_looks_stops_claude() {
    let report = only("html-instead-of-json", |base, asked| match place(asked).1 {
        "/custom" => Some(resource(base, |_| ())),
        path if path.starts_with(PRM) => Some(site::page(200)),
        _ if is_first(asked) => Some(challenge(&format!("Bearer resource_metadata=\"{base}/custom\""))),
        _ => None,
    })
    .await;
    assert_eq!(passing(&report).len(), 7);
    assert_eq!(report.clients[0].stopped_by, ["html-instead-of-json"]);
}

#[tokio::test]
async fn metadata_that_cannot_be_read_is_named() {
    for body in ["{\"resource\":", "[]", "\"resource\""] {
        let answer = move |_: &str| open(200).content_type("application/json").body(body);
        only("malformed-metadata", document(answer)).await;
    }
}

#[tokio::test]
async fn metadata_that_does_not_say_that_it_is_json_is_named() {
    let report = only(
        "wrong-content-type",
        document(|base| {
            let text = format!("{{\"resource\": \"{base}/mcp\", \"authorization_servers\": [\"{base}\"]}}");
            open(200).content_type("text/plain").body(text)
        }),
    )
    .await;
    assert_eq!(passing(&report).len(), 8);
}

#[tokio::test]
async fn metadata_without_resource_is_named() {
    only(
        "no-resource",
        document(|base| {
            resource(base, |it| {
                it.as_object_mut().unwrap().remove("resource");
            })
        }),
    )
    .await;
}

#[tokio::test]
async fn a_resource_with_another_slash_stops_those_who_compare() {
    let answer = |base: &str| resource(base, |it| it["resource"] = format!("{base}/mcp/").into());
    let report = only("resource-mismatch", document(answer)).await;
    let stopped: Vec<_> = report.clients.iter().filter(|journey| !journey.passes).collect();
    let names: Vec<_> = stopped.iter().map(|journey| journey.name).collect();
    assert_eq!(names, ["Claude", "VS Code", "Gemini CLI"]);
}

#[tokio::test]
async fn a_resource_of_somebody_else_stops_everybody_who_reads_it() {
    let answer = |base: &str| resource(base, |it| it["resource"] = "https://other.example.com/mcp".into());
    let report = only("resource-mismatch", document(answer)).await;
    assert_eq!(passing(&report), ["revision 2025-03-26"]);
}

/// A server whose challenge names the root's document, and whose document at its path is changed.
fn changed_at_the_path(
    change: fn(&mut serde_json::Value),
) -> impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static {
    move |base, asked| match place(asked).1 {
        "/.well-known/oauth-protected-resource/mcp" => Some(resource(base, change)),
        _ if is_first(asked) => Some(challenge(&format!("Bearer resource_metadata=\"{base}{PRM}\""))),
        PRM => Some(resource(base, |_| ())),
        _ => None,
    }
}

#[tokio::test]
async fn a_bad_document_where_only_claude_begins_stops_claude() {
    let change = |it: &mut serde_json::Value| it["resource"] = "http://backend:8000/mcp".into();
    let report = only("resource-mismatch", changed_at_the_path(change)).await;
    assert_eq!(passing(&report).len(), 7, "{report:?}");
    assert_eq!(report.clients[0].stopped_by, ["resource-mismatch"]);
    let seen = &report.findings[0].seen[0];
    assert!(
        seen.contains("/.well-known/oauth-protected-resource/mcp is"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_document_that_names_another_issuer_elsewhere_is_named() {
    let change = |it: &mut serde_json::Value| {
        it["authorization_servers"] = serde_json::json!(["https://old.example.com"]);
    };
    let report = only("different-metadata", changed_at_the_path(change)).await;
    assert_eq!(report.clients[0].stopped_by, ["different-metadata"]);
    assert_eq!(passing(&report).len(), 7, "{report:?}");
}

#[tokio::test]
async fn metadata_that_does_not_say_who_issues_tokens_is_named() {
    for servers in [serde_json::json!([]), serde_json::json!(null)] {
        let answer = move |base: &str| resource(base, |it| it["authorization_servers"] = servers.clone());
        only("no-authorization-servers", document(answer)).await;
    }
}

#[tokio::test]
async fn metadata_at_no_well_known_address_is_a_hint() {
    let report = only("not-at-well-known", |base, asked| match place(asked).1 {
        "/custom" => Some(resource(base, |_| ())),
        path if path.starts_with(PRM) => Some(open(404).finish()),
        _ if is_first(asked) => Some(challenge(&format!("Bearer resource_metadata=\"{base}/custom\""))),
        _ => None,
    })
    .await;
    assert!(report.ok);
}

#[tokio::test]
async fn offline_access_of_a_resource_is_a_hint() {
    let answer = |base: &str| {
        resource(base, |it| {
            it["scopes_supported"] = serde_json::json!(["read", "offline_access"]);
        })
    };
    assert!(only("offline-access", document(answer)).await.ok);
}
