//! Bytes on a socket, as no HTTP library would send them.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{net::SocketAddr, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle, rt};
use mcp_gateway_verifier::{
    configure_discovery_for_protected_hosts, configure_preflight, configure_resource_metadata,
    configure_verify,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{ruled::by_tool, stand::Stand};

struct Listener {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Listener {
    fn start(stand: &Stand) -> Self {
        let verifier = stand.verifier.clone();
        let server = HttpServer::new(move || {
            App::new()
                .configure(configure_verify(&verifier))
                .configure(configure_resource_metadata(&verifier))
                .configure(configure_discovery_for_protected_hosts(&verifier))
                .configure(configure_preflight(&verifier))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        rt::spawn(server);
        Self { address, handle }
    }

    /// Everything that comes back until the connection is closed.
    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

const ASKED: &str =
    "Host: auth:8000\r\nX-Forwarded-Host: echo.example.com\r\nX-Forwarded-Uri: /mcp\r\nConnection: close\r\n";

#[actix_web::test]
async fn only_the_plain_question_with_a_good_token_is_answered_with_2xx() {
    let stand = Stand::new();
    let listener = Listener::start(&stand);
    let bearer = format!("Authorization: Bearer {}\r\n", stand.token());
    let good = listener
        .send(&format!("GET /verify HTTP/1.1\r\n{ASKED}{bearer}\r\n"))
        .await;
    assert!(good.starts_with("HTTP/1.1 200 "), "{good}");
    assert!(good.contains("x-user-id: 583231\r\n"), "{good}");

    let folded = bearer.replace("Bearer ", "Bearer\r\n ");
    let body = "Content-Length: 11\r\n\r\n";
    for request in [
        format!("GET /verify HTTP/1.1\r\n{ASKED}\r\n"),
        format!(
            "OPTIONS /verify HTTP/1.1\r\n{ASKED}Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n{body}access=true"
        ),
        format!("OPTIONS * HTTP/1.1\r\n{ASKED}{bearer}\r\n"),
        format!("GET /verify HTTP/1.1\r\n{ASKED}{bearer}{bearer}\r\n"),
        format!("GET /verify HTTP/1.1\r\n{ASKED}{folded}\r\n"),
        format!("GET /verify HTTP/1.1\r\n{ASKED}X-Forwarded-Host: other.example.com\r\n{bearer}\r\n"),
        format!("GET /verify HTTP/1.1\r\n{ASKED}x-forwarded-uri: /other\r\n{bearer}\r\n"),
        format!("GET /verify/ HTTP/1.1\r\n{ASKED}{bearer}\r\n"),
        format!("GET //verify HTTP/1.1\r\n{ASKED}{bearer}\r\n"),
        format!("GET /VERIFY HTTP/1.1\r\n{ASKED}{bearer}\r\n"),
        format!("CONNECT echo.example.com:443 HTTP/1.1\r\n{ASKED}{bearer}\r\n"),
        format!(
            "POST /verify HTTP/1.1\r\n{ASKED}Content-Type: application/x-www-form-urlencoded\r\n{body}access=true"
        ),
    ] {
        let answer = listener.send(&request).await;
        assert!(!answer.contains("HTTP/1.1 2"), "{request}{answer}");
    }
    listener.handle.stop(false).await;
}

#[actix_web::test]
async fn the_answer_to_head_has_the_headers_and_no_body() {
    let stand = Stand::new();
    let listener = Listener::start(&stand);
    let path = "/.well-known/oauth-protected-resource/mcp";
    let answer = listener
        .send(&format!("HEAD {path} HTTP/1.1\r\n{ASKED}\r\n"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let refused = listener
        .send(&format!("HEAD /verify HTTP/1.1\r\n{ASKED}\r\n"))
        .await;
    assert!(
        refused.starts_with("HTTP/1.1 401 ") && refused.ends_with("\r\n\r\n"),
        "{refused}"
    );
    assert!(
        refused.contains("www-authenticate: Bearer resource_metadata="),
        "{refused}"
    );
    listener.handle.stop(false).await;
}

#[actix_web::test]
async fn nobodys_body_is_not_waited_for_where_nothing_is_public() {
    let stand = by_tool();
    let listener = Listener::start(&stand);
    let ended = stand.token_where("exp", 1.into());
    let asked = format!("GET /verify HTTP/1.1\r\n{ASKED}X-Forwarded-Method: POST\r\n");
    // all but the body, which never comes: whoever waited for it would give no answer
    for credential in [
        String::new(),
        "Authorization: Bearer x\r\n".into(),
        format!("Authorization: Bearer {ended}\r\n"),
    ] {
        for body in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
            let request = format!("{asked}{credential}{body}\r\n\r\n");
            let mut stream = TcpStream::connect(listener.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut status = [0; 13];
            let answered = timeout(Duration::from_secs(30), stream.read_exact(&mut status));
            answered.await.expect("an answer without the body").unwrap();
            assert_eq!(&status, b"HTTP/1.1 401 ");
        }
    }
    listener.handle.stop(false).await;
}
