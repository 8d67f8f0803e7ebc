//! `access-resource`, byte for byte: what goes over a connection that a proxy keeps for the requests of many users.

use std::time::Duration;

use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

use super::{
    authority::Authority,
    stage::{Stage, told},
    steps::log_in,
};

/// A connection to the service, as a proxy holds one.
struct Wire(TcpStream);

impl Wire {
    async fn to(stage: &Stage) -> Self {
        let address = stage.url.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes until it ends with `end`.
    async fn read_to(&mut self, end: &str) -> String {
        let mut read = String::new();
        while !read.ends_with(end) {
            let byte = self.0.read_u8().await.unwrap();
            read.push(char::from(byte));
        }
        read
    }
}

/// A request of user 1 for an address.
fn request(method: &str, url: &str, more: &str) -> String {
    let query: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    format!(
        "{method} /api/mcp/oauth/access-resource?resource_url={query} HTTP/1.1\r\nHost: service\r\nX-User-Id: 1\r\n{more}\r\n"
    )
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: service\r\n\r\n";

/// An MCP server that answers everybody with these bytes.
async fn answering(bytes: &'static str) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.flush().await;
        }
    });
    Url::parse(&url).unwrap()
}

#[actix_web::test]
async fn an_answer_without_a_body_leaves_nothing_behind_for_the_next() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    let mut wire = Wire::to(&stage).await;
    for (method, path, status) in [("DELETE", "/session", "204 "), ("GET", "/unchanged", "304 ")] {
        let url = format!("{}{path}", authority.resource.url);
        wire.write(&request(method, &url, "")).await;
        let head = wire.read_to("\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        wire.write(HEALTH).await;
        let next = wire.read_to("\r\n\r\nok\n").await;
        assert!(next.starts_with("HTTP/1.1 200 OK\r\n"), "{next:?}");
    }
}

#[actix_web::test]
async fn no_server_makes_a_tunnel_of_a_connection() {
    let stage = Stage::start();
    for bytes in [
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 999 Beyond\r\nContent-Length: 0\r\n\r\n",
    ] {
        let url = answering(bytes).await;
        let given = [("resource_url", url.as_str()), ("access_token", "x")];
        let (status, fault) = stage.get("1", "/access-resource", &given).await;
        assert_eq!(
            (status, fault["error"].as_str()),
            (502, Some("bad_gateway")),
            "{bytes}"
        );
        // a proxy takes a 101 for the beginning of a tunnel if its own client asked for one
        let mut wire = Wire::to(&stage).await;
        let more = "Connection: upgrade\r\nUpgrade: x\r\n";
        let asked = request("GET", url.as_str(), more);
        wire.write(&asked.replacen('?', "?access_token=x&", 1)).await;
        let head = wire.read_to("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    }
}

#[actix_web::test]
async fn the_type_that_is_judged_is_the_type_that_is_passed_on() {
    let stage = Stage::start();
    let bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p>x";
    let url = answering(bytes).await;
    let given = [("resource_url", url.as_str()), ("access_token", "x")];
    let sent = stage.request("1", Method::GET, "/access-resource", &given);
    let response = sent.send().await.unwrap();
    let types: Vec<_> = response.headers().get_all("content-type").iter().collect();
    assert_eq!(types, ["text/plain"]);
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let stage = Stage::tuned(|settings| settings.limits.body_patience = Duration::from_millis(200));
    let mut wire = Wire::to(&stage).await;
    let url = "https://mcp.example.com/mcp";
    wire.write(&request("POST", url, "Content-Length: 10\r\n")).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), wire.read_to("}"));
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("The body takes too long."), "{answer}");
}

#[actix_web::test]
async fn a_user_has_so_many_streams_at_once_and_keeps_nobody_else_waiting() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    log_in(&stage, &authority, "2").await;
    let events = format!("{}/events", authority.resource.url);
    let open = async |user: &str| {
        let given = [("resource_url", events.as_str())];
        stage
            .request(user, Method::GET, "/access-resource", &given)
            .send()
            .await
            .unwrap()
    };
    let mut streams = Vec::new();
    for _ in 0..32 {
        let stream = open("1").await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    let refused = open("1").await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(told(refused).await.0, 429);
    assert_eq!(open("2").await.status(), 200);
}

#[actix_web::test]
async fn a_stream_ends_when_it_has_lasted_long_enough_and_is_no_call_any_more() {
    let stage = Stage::tuned(|settings| {
        settings.limits.stream = Duration::from_millis(200);
        settings.limits.calls = 1;
    });
    let authority = Authority::start();
    log_in(&stage, &authority, "1").await;
    let events = format!("{}/events", authority.resource.url);
    for _ in 0..2 {
        let given = [("resource_url", events.as_str())];
        let sent = stage.request("1", Method::GET, "/access-resource", &given);
        let response = sent.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "data: first\n\n");
    }
}

#[actix_web::test]
async fn an_answer_that_is_to_be_wrapped_and_never_ends_is_given_up() {
    let stage = Stage::tuned(|settings| settings.limits.answer = Duration::from_millis(200));
    let url =
        answering("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{").await;
    // the connection ends, and the answer with it
    let given = [("resource_url", url.as_str()), ("access_token", "x")];
    let (status, _) = stage.get("1", "/access-resource", &given).await;
    assert_eq!(status, 502);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let given = [("resource_url", url.as_str()), ("access_token", "x")];
    let (status, fault) = stage.get("1", "/access-resource", &given).await;
    assert_eq!((status, fault["error"].as_str()), (504, Some("gateway_timeout")));
    held.abort();
}
