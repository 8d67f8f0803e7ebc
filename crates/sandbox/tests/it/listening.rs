//! Where the servers listen, and when they stop.

use actix_web::{App, test as actix};
use mcp_gateway_sandbox::{
    StartError,
    github::{Options, StandInGithub},
    mcp::SampleServer,
};

use crate::github::client;

#[test]
fn the_stand_in_refuses_every_address_but_loopback() {
    let github = StandInGithub::new(Options::default());
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let refused = github.start_on(address.parse().unwrap());
        assert!(matches!(refused, Err(StartError::NotLoopback(_))), "{address}");
    }
    assert!(github.start_on("127.0.0.1:0".parse().unwrap()).is_ok());
}

#[tokio::test]
async fn the_stand_in_listens_anywhere_when_its_caller_insists() {
    let github = StandInGithub::new(Options::default());
    let running = github.start_on_any_address("0.0.0.0:0".parse().unwrap()).unwrap();
    let url = format!("http://127.0.0.1:{}/user", running.address().port());
    assert_eq!(client().get(url).send().await.unwrap().status(), 401);
    running.stop().await;
}

#[tokio::test]
async fn a_stopped_server_answers_no_more() {
    let running = StandInGithub::new(Options::default()).start().unwrap();
    let url = format!("{}/user", running.url());
    assert_eq!(client().get(&url).send().await.unwrap().status(), 401);
    running.stop().await;
    assert!(client().get(&url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let running = SampleServer::default().start().unwrap();
    let taken = SampleServer::default().start_on(running.address());
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[actix_web::test]
async fn both_can_be_mounted_in_one_application() {
    let github = StandInGithub::new(Options::default());
    let sample = SampleServer::default();
    let app = App::new()
        .configure(|config| github.configure(config))
        .configure(|config| sample.configure(config));
    let app = actix::init_service(app).await;
    for (path, status) in [
        ("/user", 403),
        ("/api/v3/user", 403),
        ("/health", 200),
        ("/nowhere", 404),
    ] {
        let answer = actix::call_service(&app, actix::TestRequest::get().uri(path).to_request()).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
}
