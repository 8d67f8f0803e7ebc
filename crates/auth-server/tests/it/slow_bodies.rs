//! A request counts before its body is read, so that nobody can hold many open at once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use futures_util::future::select_all;
use mcp_gateway_auth_server::Limits;
use mcp_gateway_store::Rate;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::desk::Desk;

/// Sends a request whose body never comes, and waits for the first line of an answer.
async fn begin(desk: &Desk, request: &str, kind: &str) -> String {
    let address = desk.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: auth.example.com\r\nOrigin: https://auth.example.com\r\n\
         Content-Type: application/{kind}\r\nContent-Length: 100\r\n\r\ngrant"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[actix_web::test]
async fn a_request_whose_body_never_ends_is_counted() {
    let two = Rate {
        count: 2,
        burst: 2,
        ..Limits::default().token
    };
    let desk = Desk::start_with(|settings| {
        let limits = &mut settings.limits;
        (limits.token, limits.revoke, limits.introspect) = (two, two, two);
        limits.authorize = two;
    })
    .await;
    for path in ["/token", "/revoke", "/introspect", "/consent", "/logout"] {
        let request = format!("POST {path}");
        let waiting = (0..3).map(|_| Box::pin(begin(&desk, &request, "x-www-form-urlencoded")));
        // Two wait for their bodies; the third is one too many, and is told so at once.
        let (answer, _, others) = select_all(waiting).await;
        assert_eq!(answer, "HTTP/1.1 429", "{path}");
        assert_eq!(others.len(), 2);
    }
}

#[actix_web::test]
async fn a_registration_whose_body_never_ends_is_counted() {
    let two = Rate {
        count: 2,
        burst: 2,
        ..Limits::default().token
    };
    let desk = Desk::start_with(|settings| {
        (settings.limits.register, settings.limits.manage) = (two, two);
    })
    .await;
    for request in ["POST /register", "PUT /register/somebody"] {
        let waiting = (0..3).map(|_| Box::pin(begin(&desk, request, "json")));
        let (answer, _, _) = select_all(waiting).await;
        assert_eq!(answer, "HTTP/1.1 429", "{request}");
    }
}
