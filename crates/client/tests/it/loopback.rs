//! The listener that the browser comes back to after a login.

use mcp_gateway_client::login::{Loopback, Page};
use reqwest::{Client, StatusCode};
use tokio::net::TcpStream;

const MINE: &str = "code=good&state=mine";

fn browser() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Everything that may come to the listener and is not the answer to the login. Browsers open connections that they never
/// use: they are answered.
async fn strangers(redirect: &str) -> Vec<TcpStream> {
    let address = redirect
        .trim_start_matches("http://")
        .trim_end_matches("/callback");
    let mut idle = Vec::new();
    for _ in 0..10 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let browser = browser();
    for (url, status) in [
        (format!("{redirect}?code=a&state=other"), StatusCode::BAD_REQUEST),
        (format!("{redirect}?code=a"), StatusCode::BAD_REQUEST),
        (format!("{redirect}?{MINE}&state=mine"), StatusCode::BAD_REQUEST),
        (format!("http://{address}/favicon.ico"), StatusCode::NOT_FOUND),
        (redirect.to_owned(), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(browser.get(&url).send().await.unwrap().status(), status, "{url}");
    }
    let mine = format!("{redirect}?{MINE}");
    let rebound = browser.get(&mine).header("host", "rebound.example");
    assert_eq!(rebound.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let posted = browser.post(&mine).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::NOT_FOUND);
    let endless = format!("{redirect}?code={}&state=mine", "a".repeat(20_000));
    assert!(browser.get(endless).send().await.is_err());
    idle
}

#[tokio::test]
async fn nothing_but_the_answer_to_this_login_ends_it() {
    let listener = Loopback::bind(0).await.unwrap();
    let redirect = listener.redirect_uri();
    let mut arriving = Box::pin(listener.arrival("mine"));
    let _idle = tokio::select! {
        _ = &mut arriving => panic!("a stranger ended the login"),
        idle = strangers(&redirect) => idle,
    };
    let (page, arrival) = tokio::join!(browser().get(format!("{redirect}?{MINE}")).send(), async {
        let arrival = arriving.await.unwrap();
        let query = arrival.query().to_owned();
        arrival.tell(&Page::OtherLogin).await;
        query
    });
    assert_eq!(arrival, MINE);
    assert_eq!(page.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_page_at_the_end_loads_nothing_and_tells_nobody() {
    let listener = Loopback::bind(0).await.unwrap();
    let redirect = listener.redirect_uri();
    assert!(
        redirect.starts_with("http://127.0.0.1:"),
        "this machine alone: {redirect}"
    );
    let (page, ()) = tokio::join!(browser().get(format!("{redirect}?{MINE}")).send(), async {
        let arrival = listener.arrival("mine").await.unwrap();
        let server = "https://mcp.example.com/mcp";
        arrival.tell(&Page::Done { server }).await;
    });
    let page = page.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let text = page.text().await.unwrap();
    assert!(
        text.contains("https://mcp.example.com/mcp") && !text.contains("<script"),
        "{text}"
    );
}
