//! How clients become known.

use actix_web::HttpResponse;
use mcp_gateway_client::doctor::{self, Options};
use serde_json::{Value, json};

use super::stand::{self, OAUTH, ids, metadata, only, only_with, open, passing, place, registered};
use crate::support::site::Asked;

/// A server whose metadata is changed.
fn changed(change: fn(&mut Value)) -> impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static {
    move |base, asked| (place(asked).1 == OAUTH).then(|| metadata(base, change))
}

fn no_registration(document: &mut Value) {
    document
        .as_object_mut()
        .unwrap()
        .remove("registration_endpoint")
        .unwrap();
}

#[tokio::test]
async fn a_server_to_which_no_client_can_become_known_is_named() {
    let report = only(
        "no-registration",
        changed(|it| {
            no_registration(it);
            it["client_id_metadata_document_supported"] = false.into();
        }),
    )
    .await;
    assert_eq!(passing(&report), Vec::<&str>::new());
}

#[tokio::test]
async fn a_server_without_registration_stops_clients_without_a_document() {
    let report = only("no-dynamic-registration", changed(no_registration)).await;
    assert!(report.ok);
    assert_eq!(passing(&report), ["Claude", "Claude Code", "ChatGPT", "VS Code"]);
}

#[tokio::test]
async fn documents_without_none_send_claude_to_registration() {
    let report = only(
        "cimd-without-none",
        changed(|it| it["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"])),
    )
    .await;
    assert_eq!(passing(&report).len(), 8);
    let report = only(
        "cimd-without-none",
        changed(|it| {
            no_registration(it);
            it["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
        }),
    )
    .await;
    assert_eq!(passing(&report), ["ChatGPT"]);
}

#[tokio::test]
async fn a_missing_list_of_methods_does_not_mean_none() {
    only(
        "cimd-without-none",
        changed(|it| {
            let members = it.as_object_mut().unwrap();
            members.remove("token_endpoint_auth_methods_supported").unwrap();
        }),
    )
    .await;
}

#[tokio::test]
async fn a_server_for_clients_with_secrets_only_is_a_hint() {
    let report = only(
        "no-public-clients",
        changed(|it| {
            it["client_id_metadata_document_supported"] = false.into();
            it["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        }),
    )
    .await;
    assert!(report.ok);
}

/// Registers.
fn registering() -> Options {
    Options {
        register: true,
        ..Options::default()
    }
}

/// A server that knows no documents, and answers registrations like this.
fn answering(
    answer: impl Fn(&str, &Asked) -> HttpResponse + Send + Sync + 'static,
) -> impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static {
    move |base, asked| match place(asked) {
        ("GET", OAUTH) => {
            let flag = "client_id_metadata_document_supported";
            Some(metadata(base, |it| it[flag] = false.into()))
        }
        ("POST", "/register") => Some(answer(base, asked)),
        _ => None,
    }
}

#[tokio::test]
async fn each_client_registers_as_it_does_and_is_removed_again() {
    let site = stand::start(answering(|base, asked| registered(base, &asked.body)));
    let report = doctor::examine(&stand::http(), &site.at("/mcp"), &registering())
        .await
        .unwrap();
    assert_eq!((ids(&report), report.notes.len()), (vec![], 0));
    let asked = site.asked();
    let sent: Vec<Value> = asked
        .iter()
        .filter(|asked| place(asked) == ("POST", "/register"))
        .map(|asked| serde_json::from_str(&asked.body).unwrap())
        .collect();
    let names: Vec<_> = sent
        .iter()
        .map(|body| body["client_name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 8);
    assert!(
        names.iter().all(|name| name.starts_with("mcp-oauth doctor, as ")),
        "{names:?}"
    );
    let cursor = &sent[0]["redirect_uris"];
    assert_eq!(cursor[0], "cursor://anysphere.cursor-mcp/oauth/callback");
    assert_eq!(cursor.as_array().unwrap().len(), 3);
    let removals: Vec<_> = asked.iter().filter(|asked| asked.method == "DELETE").collect();
    assert_eq!(removals.len(), 8);
    assert!(
        removals
            .iter()
            .all(|asked| asked.header("authorization") == Some("Bearer secret"))
    );
}

#[tokio::test]
async fn a_registration_that_is_refused_stops_the_client_whose_it_is() {
    let refusing = answering(|base, asked| {
        if asked.body.contains("cursor://") {
            return open(400).json(json!({
                "error": "invalid_redirect_uri",
                "error_description": "only https",
            }));
        }
        registered(base, &asked.body)
    });
    let report = only_with("registration-refused", &registering(), refusing).await;
    assert_eq!(
        report.findings[0].seen,
        ["as Cursor: status 400 (invalid_redirect_uri, only https)"]
    );
    assert_eq!(passing(&report).len(), 7);
}

#[tokio::test]
async fn an_answer_to_a_registration_that_has_no_client_id_is_named() {
    let empty = answering(|_, _| open(201).json(json!({})));
    only_with("registration-answer", &registering(), empty).await;
}

#[tokio::test]
async fn what_cannot_be_removed_is_noted_and_no_token_goes_elsewhere() {
    let elsewhere = stand::start(|_, _| None);
    let at = elsewhere.at("/register/1").to_string();
    let site = stand::start(answering(move |_, _| {
        open(201).json(json!({
            "client_id": "one",
            "registration_client_uri": at,
            "registration_access_token": "secret",
        }))
    }));
    let report = doctor::examine(&stand::http(), &site.at("/mcp"), &registering())
        .await
        .unwrap();
    assert_eq!(ids(&report), Vec::<&str>::new());
    assert_eq!(report.notes.len(), 8);
    assert!(
        report.notes[0].contains("The client one stays registered"),
        "{report:?}"
    );
    assert_eq!(elsewhere.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_takes_no_more_registrations_is_left_alone() {
    let site = stand::start(answering(|_, _| open(429).finish()));
    let report = doctor::examine(&stand::http(), &site.at("/mcp"), &registering())
        .await
        .unwrap();
    assert_eq!(ids(&report), Vec::<&str>::new());
    assert_eq!(report.notes.len(), 1);
    let registrations = site.lines().into_iter().filter(|line| line == "POST /register");
    assert_eq!(registrations.count(), 1);
}
