//! Outbound calls: their bounds, and where they go.

use std::time::Duration;

use actix_web::HttpResponse;
use futures_util::stream;
use mcp_gateway_client::http::{Http, HttpFault, PublicOnly, RefusedTarget, Settings, Targets};
use serde_json::json;
use url::Url;

use crate::support::site::{self, Site};

fn http() -> Http {
    Http::new(Settings::default()).unwrap()
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let site = Site::start(|_, asked| {
        if asked.path == "/said" {
            return HttpResponse::Ok().body(vec![b' '; 300 * 1024]);
        }
        let chunk = || Ok::<_, std::io::Error>(actix_web::web::Bytes::from(vec![b' '; 64 * 1024]));
        HttpResponse::Ok().streaming(stream::repeat_with(chunk))
    });
    for path in ["/said", "/endless"] {
        assert_eq!(
            http().get(&site.at(path)).await.unwrap_err(),
            HttpFault::TooLarge(256 * 1024)
        );
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_not_waited_for() {
    let site = Site::start(|_, _| {
        HttpResponse::Ok().streaming(stream::pending::<Result<actix_web::web::Bytes, std::io::Error>>())
    });
    let call = Duration::from_millis(200);
    let settings = Settings {
        call,
        ..Settings::default()
    };
    let fault = Http::new(settings).unwrap().get(&site.at("/")).await.unwrap_err();
    assert_eq!(fault, HttpFault::TimedOut(call));
}

#[tokio::test]
async fn three_redirects_are_followed_and_told_and_no_more() {
    let site = Site::start(|_, asked| {
        let at: u32 = asked.path.trim_start_matches('/').parse().unwrap();
        if at == 0 {
            return site::json(200, &json!({"there": true}));
        }
        HttpResponse::Found()
            .append_header(("Location", format!("/{}", at - 1)))
            .finish()
    });
    let answer = http().get(&site.at("/3")).await.unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.redirects, [site.at("/2"), site.at("/1"), site.at("/0")]);
    let answer = http().get(&site.at("/4")).await.unwrap();
    assert_eq!(answer.status.as_u16(), 302);
    assert_eq!(answer.location(), Some(site.at("/0")));
}

#[tokio::test]
async fn a_redirect_goes_only_where_a_call_may() {
    let site = Site::start(|_, _| {
        let away = ("Location", "http://192.0.2.1/latest/meta-data");
        HttpResponse::Found().append_header(away).finish()
    });
    let fault = http().get(&site.at("/")).await.unwrap_err();
    assert_eq!(fault, HttpFault::Refused(RefusedTarget::PlainHttp));
}

#[tokio::test]
async fn what_strangers_name_is_not_asked_on_this_machine_unless_allowed() {
    let site = Site::start(|_, _| site::json(200, &json!({})));
    let public = |allowed: &[&str]| {
        let only = PublicOnly {
            allowed: allowed.iter().map(|network| network.parse().unwrap()).collect(),
            ..PublicOnly::default()
        };
        let settings = Settings {
            targets: Targets::Public(only),
            ..Settings::default()
        };
        Http::new(settings).unwrap()
    };
    let refused = HttpFault::Refused(RefusedTarget::NotPublic);
    assert_eq!(public(&[]).get(&site.at("/")).await.unwrap_err(), refused);
    let named = Url::parse(&site.url.replace("127.0.0.1", "localhost")).unwrap();
    assert_eq!(public(&[]).get(&named).await.unwrap_err(), refused);
    assert_eq!(site.lines(), Vec::<String>::new());
    assert_eq!(
        public(&["127.0.0.0/8"])
            .get(&site.at("/"))
            .await
            .unwrap()
            .status
            .as_u16(),
        200
    );
}

#[tokio::test]
async fn nobody_who_listens_is_said_to_be_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let fault = http().get(&url).await.unwrap_err();
    assert!(matches!(fault, HttpFault::Unreachable(_)), "{fault:?}");
}
