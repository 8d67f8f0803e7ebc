//! Whatever is sent: 2xx only for a valid token.

use actix_web::{
    App, HttpMessage,
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
    rt::System,
    test::{TestRequest, call_service, init_service},
};
use mcp_gateway_verifier::{configure_preflight, configure_resource_metadata, configure_verify};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};

use crate::stand::{PROXY, Stand, about, asking};

/// One attempt to get past the verifier.
#[derive(Clone, Debug)]
struct Attempt {
    method: String,
    peer: &'static str,
    base: bool,
    headers: Vec<(&'static str, Vec<u8>)>,
    path: &'static str,
}

const NAMES: [&str; 18] = [
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-for",
    "forwarded",
    "authorization",
    "authorization",
    "authorization",
    "proxy-authorization",
    "origin",
    "access-control-request-method",
    "x-user-id",
    "x-auth-token",
    "x-http-method-override",
    "connection",
    "cookie",
    "upgrade",
];

fn attempts(tokens: Vec<String>) -> impl Strategy<Value = Attempt> {
    let mutated =
        (select(tokens.clone()), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(t, at, byte)| {
            let mut bytes = format!("Bearer {t}").into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        });
    let cut = (select(tokens.clone()), any::<prop::sample::Index>())
        .prop_map(|(t, at)| format!("Bearer {}", &t[..at.index(t.len())]).into_bytes());
    let whole = select(tokens).prop_map(|t| format!("Bearer {t}").into_bytes());
    let known = select(vec![
        "echo.example.com",
        "/mcp",
        "OPTIONS",
        "https",
        "POST",
        "*",
        "websocket",
        "",
    ])
    .prop_map(|v| v.as_bytes().to_vec());
    let value = prop_oneof![mutated, cut, whole, known, vec(any::<u8>(), 0..40)];
    let headers = vec((select(NAMES.to_vec()), value), 0..6);
    let method = prop_oneof![
        select(vec!["GET", "HEAD", "POST", "OPTIONS", "CONNECT", "TRACE"]).prop_map(ToOwned::to_owned),
        "[A-Z]{1,10}"
    ];
    let peer = select(vec![PROXY, "127.0.0.1:1", "203.0.113.9:1"]);
    let path = select(vec!["/verify", "/verify?access_token=x", "/verify?"]);
    (method, peer, any::<bool>(), headers, path).prop_map(|(method, peer, base, headers, path)| Attempt {
        method,
        peer,
        base,
        headers,
        path,
    })
}

fn request(attempt: &Attempt) -> TestRequest {
    let mut request = if attempt.base {
        about("https://echo.example.com/mcp").uri(attempt.path)
    } else {
        asking(attempt.path, attempt.peer)
    };
    for (name, value) in &attempt.headers {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request = request.append_header((HeaderName::from_static(name), value));
        }
    }
    let method = Method::from_bytes(attempt.method.as_bytes()).unwrap_or(Method::GET);
    request.method(method).peer_addr(
        attempt
            .peer
            .parse()
            .unwrap_or_else(|_| unreachable!("it is an address")),
    )
}

#[test]
fn nothing_but_a_valid_token_is_ever_let_through() {
    let system = System::new();
    let stand = Stand::new();
    let good = stand.token();
    let tokens = vec![
        good.clone(),
        stand.token_where("aud", "https://other.example.com".into()),
        stand.token_where("exp", 1.into()),
        stand.token_headed("typ", "JWT".into()),
        stand.token_headed("alg", "none".into()),
        format!("mcp_rt_{}.1.{}", stand.grant.id, "A".repeat(43)),
    ];
    let service = system.block_on(async {
        let app = App::new()
            .configure(configure_verify(&stand.verifier))
            .configure(configure_resource_metadata(&stand.verifier))
            .configure(configure_preflight(&stand.verifier));
        init_service(app).await
    });
    let honest = format!("Bearer {good}");
    TestRunner::new(Config::with_cases(4096))
        .run(&attempts(tokens), |attempt| {
            let request = request(&attempt).to_request();
            let carries_it = request
                .headers()
                .get_all("authorization")
                .filter(|v| {
                    v.to_str()
                        .is_ok_and(|v| v.eq_ignore_ascii_case(&honest) && v.ends_with(&good))
                })
                .count()
                == 1;
            let response = system.block_on(call_service(&service, request));
            prop_assert!(!response.status().is_success() || carries_it, "{:?}", attempt);
            prop_assert!(!response.status().is_redirection() && !response.status().is_informational());
            Ok(())
        })
        .unwrap_or_else(|e| unreachable!("{e}"));
    let valid = about("https://echo.example.com/mcp").insert_header(("authorization", honest));
    let response = system.block_on(call_service(&service, valid.to_request()));
    assert!(response.status().is_success());
}
