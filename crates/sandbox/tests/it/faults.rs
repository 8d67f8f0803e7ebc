//! Faults on demand.

use futures_util::{FutureExt, StreamExt};
use mcp_gateway_sandbox::github::{Endpoint, Fault};
use serde_json::Value;

use crate::github::Github;

#[tokio::test]
async fn an_error_with_status_200_is_what_it_says() {
    let github = Github::start();
    github
        .handle
        .set_fault(Fault::ErrorWith200("bad_verification_code".into()));
    let answer = github.exchange(&[("code", "any")]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["error"],
        "bad_verification_code"
    );
}

#[tokio::test]
async fn rate_limits_tell_when_to_come_back() {
    let github = Github::start();
    for (fault, status) in [
        (Fault::RateLimited { retry_after: 61 }, 403),
        (Fault::TooManyRequests { retry_after: 61 }, 429),
    ] {
        github.handle.set_fault(fault);
        let answer = github.get("/user", "any").await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["retry-after"], "61");
        assert_eq!(answer.headers()["x-ratelimit-remaining"], "0");
    }
}

#[tokio::test]
async fn an_outage_is_a_bare_server_error() {
    let github = Github::start();
    for status in [502, 503] {
        github.handle.set_fault(Fault::Outage(status));
        assert_eq!(github.get("/user", "any").await.status(), status);
        assert_eq!(github.exchange(&[]).await.status(), status);
    }
}

#[tokio::test]
async fn nonsense_comes_with_status_200() {
    let github = Github::start();
    github.handle.set_fault(Fault::Html);
    let answer = github.get("/user", "any").await;
    assert_eq!(answer.status(), 200);
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    github.handle.set_fault(Fault::MissingFields);
    let answer = github.get("/user", "any").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.json::<Value>().await.unwrap().get("id").is_none());
}

#[tokio::test]
async fn a_redirect_leads_to_another_host() {
    let github = Github::start();
    github.handle.set_fault(Fault::Redirect);
    let answer = github.get("/user", "any").await;
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "https://elsewhere.invalid/");
}

#[tokio::test]
async fn a_huge_body_has_64_mebibytes() {
    let github = Github::start();
    github.handle.set_fault_at(Endpoint::User, Fault::HugeBody);
    let mut pieces = github.get("/user", "any").await.bytes_stream();
    let mut length = 0;
    while let Some(piece) = pieces.next().await {
        length += piece.unwrap().len();
    }
    assert!(length > 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_cut_connection_is_an_error_for_the_client() {
    let github = Github::start();
    github.handle.set_fault(Fault::Reset);
    let request = github.client.get(github.url("/user")).send().await;
    let body = match request {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    assert!(body.is_err());
}

#[tokio::test]
async fn a_hanging_endpoint_never_answers_and_does_not_keep_the_server_from_stopping() {
    let github = Github::start();
    github.handle.set_fault_at(Endpoint::User, Fault::Hang);
    let mut hanging = Box::pin(github.client.get(github.url("/user")).send());
    // other endpoints answer meanwhile, and the hanging one has been reached by then
    while github.handle.calls(Endpoint::User) == 0 {
        assert!((&mut hanging).now_or_never().is_none());
        assert_eq!(github.get("/user/orgs", "any").await.status(), 401);
    }
    assert!((&mut hanging).now_or_never().is_none());
    let Github { running, .. } = github;
    running.stop().await;
    assert!(hanging.await.is_err());
}

#[tokio::test]
async fn faults_hit_what_servers_call_and_leave_the_page_alone() {
    let github = Github::start();
    github.handle.set_fault(Fault::Outage(503));
    assert_eq!(github.authorize(&[]).await.status(), 200);
    github
        .handle
        .set_fault_at(Endpoint::Authorize, Fault::Outage(503));
    assert_eq!(github.authorize(&[]).await.status(), 503);
    github.handle.clear_faults();
    assert_eq!(github.authorize(&[]).await.status(), 200);
    assert_eq!(github.get("/user", "any").await.status(), 401);
    assert_eq!(
        github.handle.calls(Endpoint::Authorize),
        3,
        "broken calls count too"
    );
}
