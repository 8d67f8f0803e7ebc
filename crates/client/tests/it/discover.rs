//! Discovery: MCP authorization, RFC 9728, RFC 8414, OpenID Connect Discovery, and servers of revision 2025-03-26.

use std::time::Duration;

use actix_web::HttpResponse;
use mcp_gateway_client::{
    discover::{
        self, DiscoverFault, Discovered, Origin, Question, ResourcePlace, ServerPlace, Trail, Verdict,
    },
    http::{Http, Settings},
};
use serde_json::json;

use crate::support::site::{self, Asked, Site};

const PRM: &str = "/.well-known/oauth-protected-resource";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

fn resource(base: &str, path: &str, issuer: &str) -> HttpResponse {
    site::json(
        200,
        &json!({"resource": format!("{base}{path}"), "authorization_servers": [issuer]}),
    )
}

fn server(issuer: &str) -> HttpResponse {
    let at = |path: &str| format!("{issuer}{path}");
    let body = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "code_challenge_methods_supported": ["S256"],
    });
    site::json(200, &body)
}

fn challenge(parameters: &str) -> HttpResponse {
    let value = ("WWW-Authenticate", format!("Bearer {parameters}"));
    HttpResponse::Unauthorized().append_header(value).finish()
}

/// Asks a site's `/mcp` without a token, and goes on from there.
async fn walk(site: &Site) -> (Result<Discovered, DiscoverFault>, Trail) {
    let http = Http::new(Settings::default()).unwrap();
    let mut trail = Trail::default();
    let url = site.at("/mcp");
    let challenge = discover::probe(&http, &url, &mut trail).await.unwrap();
    let found = discover::discover(&http, &url, (challenge.as_ref(), &[]), &mut trail).await;
    (found, trail)
}

/// A site whose documents are at the given places.
fn placed(prm: &'static str, metadata: &'static str, tenant: &'static str) -> Site {
    Site::start(move |base, asked| {
        let path = asked.path.as_str();
        if path == prm {
            resource(base, "/mcp", &format!("{base}{tenant}"))
        } else if path == metadata {
            server(&format!("{base}{tenant}"))
        } else if path == "/mcp" && prm == "/custom/place.json" {
            challenge(&format!("resource_metadata=\"{base}{prm}\", scope=\"a b\""))
        } else if path == "/mcp" {
            challenge("realm=\"mcp\"")
        } else {
            site::page(404)
        }
    })
}

#[tokio::test]
async fn the_address_in_the_challenge_is_asked_and_no_other() {
    let site = placed("/custom/place.json", OAUTH, "");
    let (found, trail) = walk(&site).await;
    let found = found.unwrap();
    assert_eq!(found.resource, format!("{}/mcp", site.url));
    assert_eq!(
        (found.server.issuer.as_str(), found.origin),
        (site.url.as_str(), Origin::Named)
    );
    assert_eq!(
        site.lines(),
        ["POST /mcp", "GET /custom/place.json", &format!("GET {OAUTH}")]
    );
    assert!(trail.steps.iter().all(|step| step.verdict == Verdict::Used));
}

#[tokio::test]
async fn the_first_request_is_one_of_mcp_without_a_token() {
    let site = placed(PRM, OAUTH, "");
    walk(&site).await.0.unwrap();
    let asked = &site.asked()[0];
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(
        asked.header("accept"),
        Some("application/json, text/event-stream")
    );
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["method"], "initialize");
}

#[tokio::test]
async fn without_one_the_path_is_asked_and_then_the_root() {
    let site = placed(PRM, OPENID, "");
    let (found, trail) = walk(&site).await;
    assert!(found.is_ok());
    let expected = [
        "POST /mcp",
        &format!("GET {PRM}/mcp"),
        &format!("GET {PRM}"),
        &format!("GET {OAUTH}"),
        &format!("GET {OPENID}"),
    ];
    assert_eq!(site.lines(), expected);
    let path = &trail.steps[1];
    assert_eq!(path.question, Question::Resource(ResourcePlace::Path));
    assert_eq!(path.verdict, Verdict::Status(404));
}

#[tokio::test]
async fn the_documents_of_an_issuer_with_a_path_are_asked_for_in_order() {
    let site = placed(PRM, "/tenant1/.well-known/openid-configuration", "/tenant1");
    let (found, trail) = walk(&site).await;
    assert_eq!(found.unwrap().server.issuer, format!("{}/tenant1", site.url));
    let expected = [
        &format!("GET {OAUTH}/tenant1"),
        &format!("GET {OPENID}/tenant1"),
        "GET /tenant1/.well-known/openid-configuration",
    ];
    assert_eq!(site.lines()[3..], expected);
    let used = trail
        .used(|question| matches!(question, Question::Server(_)))
        .unwrap();
    assert_eq!(used.question, Question::Server(ServerPlace::OpenIdAppended));
}

#[tokio::test]
async fn a_relative_address_in_the_challenge_is_noted_and_passed_over() {
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/mcp" => challenge("resource_metadata=\"/.well-known/oauth-protected-resource\""),
        "/.well-known/oauth-protected-resource/mcp" => resource(base, "/mcp", base),
        OAUTH => server(base),
        _ => site::empty(404),
    });
    let (found, trail) = walk(&site).await;
    assert!(found.is_ok());
    assert_eq!(trail.steps[1].verdict, Verdict::BadAddress(PRM.to_owned()));
}

#[tokio::test]
async fn a_page_instead_of_a_document_is_noted_and_passed_over() {
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/mcp" => challenge(""),
        PRM => resource(base, "", base),
        OAUTH => server(base),
        _ => site::page(200),
    });
    let (found, trail) = walk(&site).await;
    assert_eq!(found.unwrap().resource, site.url);
    let Verdict::Malformed(text) = &trail.steps[1].verdict else {
        panic!("{:?}", trail.steps[1].verdict);
    };
    assert!(text.starts_with("is not JSON (text/html)"), "{text}");
}

#[tokio::test]
async fn metadata_of_another_resource_ends_the_search() {
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/mcp" => challenge(""),
        "/.well-known/oauth-protected-resource/mcp" => resource("https://evil.example", "/mcp", base),
        PRM => resource(base, "", base),
        OAUTH => server(base),
        _ => site::empty(404),
    });
    let (found, _) = walk(&site).await;
    let expected = DiscoverFault::Mismatch {
        url: format!("{}{PRM}/mcp", site.url),
        expected: format!("{}/mcp", site.url),
        found: "https://evil.example/mcp".to_owned(),
    };
    assert_eq!(found.unwrap_err(), expected);
}

#[tokio::test]
async fn an_issuer_that_differs_by_a_slash_is_another_issuer() {
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/mcp" => challenge(""),
        PRM => resource(base, "/mcp", base),
        OAUTH => server(&format!("{base}/")),
        OPENID => server(base),
        _ => site::empty(404),
    });
    let (found, _) = walk(&site).await;
    assert!(matches!(found, Err(DiscoverFault::Mismatch { .. })), "{found:?}");
    assert!(!site.lines().contains(&format!("GET {OPENID}")));
}

#[tokio::test]
async fn a_resource_that_names_no_authorization_server_is_said_to_lack_it() {
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/mcp" => challenge(""),
        PRM => site::json(200, &json!({"resource": base})),
        _ => site::empty(404),
    });
    let (found, _) = walk(&site).await;
    let lacks = DiscoverFault::Lacks {
        url: format!("{}{PRM}", site.url),
        member: "authorization_servers",
    };
    assert_eq!(found.unwrap_err(), lacks);
}

#[tokio::test]
async fn a_server_that_cannot_answer_now_is_not_taken_for_an_old_one() {
    let site = Site::start(|_, asked| match asked.path.as_str() {
        "/mcp" => challenge(""),
        path if path.starts_with(PRM) => site::empty(503),
        _ => site::empty(404),
    });
    let (found, _) = walk(&site).await;
    let busy = DiscoverFault::Busy {
        url: format!("{}{PRM}", site.url),
        status: 503,
    };
    assert_eq!(found.unwrap_err(), busy);
}

#[tokio::test]
async fn a_server_of_2025_03_26_is_its_own_authorization_server() {
    let answer = |published: bool| {
        move |base: &str, asked: &Asked| match asked.path.as_str() {
            "/mcp" => HttpResponse::Unauthorized().finish(),
            OAUTH if published => server(base),
            _ => site::empty(404),
        }
    };
    let published = Site::start(answer(true));
    let (found, _) = walk(&published).await;
    let found = found.unwrap();
    assert_eq!((found.origin, found.metadata), (Origin::Legacy, None));
    assert_eq!(found.resource, format!("{}/mcp", published.url));

    let silent = Site::start(answer(false));
    let (found, trail) = walk(&silent).await;
    let found = found.unwrap();
    assert_eq!(found.origin, Origin::Presumed);
    assert_eq!(found.server.registration_endpoint, Some(silent.at("/register")));
    assert_eq!(found.server.issuer, silent.url);
    assert_eq!(trail.steps[0].verdict, Verdict::Lacks("WWW-Authenticate"));
}

#[tokio::test]
async fn of_several_authorization_servers_the_preferred_one_is_taken() {
    let site = Site::start(|base, asked| match asked.path.as_str() {
        PRM => {
            let issuers = [format!("{base}/one"), format!("{base}/two")];
            site::json(200, &json!({"resource": base, "authorization_servers": issuers}))
        }
        path => path
            .strip_prefix(OAUTH)
            .map_or_else(|| site::empty(404), |tenant| server(&format!("{base}{tenant}"))),
    });
    let http = Http::new(Settings::default()).unwrap();
    for (preferred, expected) in [(None, "/one"), (Some("/two"), "/two"), (Some("/three"), "/one")] {
        let preferred = preferred.map(|path| format!("{}{path}", site.url));
        let preferred: Vec<_> = preferred.iter().map(String::as_str).collect();
        let hints = (None, preferred.as_slice());
        let found = discover::discover(&http, &site.at("/mcp"), hints, &mut Trail::default()).await;
        assert_eq!(found.unwrap().server.issuer, format!("{}{expected}", site.url));
    }
}

#[tokio::test]
async fn many_slow_answers_do_not_add_up() {
    let never = || {
        let body = futures_util::stream::pending::<Result<actix_web::web::Bytes, std::io::Error>>();
        HttpResponse::Ok().streaming(body)
    };
    let site = Site::start(move |base, asked| match asked.path.as_str() {
        PRM => resource(base, "/mcp", &format!("{base}/tenant")),
        _ => never(),
    });
    let settings = Settings {
        call: Duration::from_millis(300),
        ..Settings::default()
    };
    let http = Http::new(settings).unwrap();
    let hints = (None, &[][..]);
    let found = discover::discover(&http, &site.at("/mcp"), hints, &mut Trail::default()).await;
    assert!(matches!(found, Err(DiscoverFault::TooSlow { .. })), "{found:?}");
}
