//! A sample server, and people who come to it through a gateway that says who they are.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use mcp_gateway_sandbox::mcp::{Options, RunningSample, SampleServer};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::github::client;

pub(crate) struct Sample {
    pub(crate) running: RunningSample,
    http: reqwest::Client,
}

/// Somebody with a token for these scopes.
#[derive(Clone, Copy)]
pub(crate) struct Person(pub(crate) &'static str, pub(crate) &'static str);

pub(crate) const OCTOCAT: Person = Person("583231", "read write");
pub(crate) const HUBOT: Person = Person("480938", "read write");

impl Sample {
    pub(crate) fn start() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        Self {
            running: SampleServer::new(options).start().unwrap(),
            http: client(),
        }
    }

    /// A request of nobody.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.running.url()))
    }

    /// A request of somebody.
    pub(crate) fn ask_as(&self, person: Person, method: Method, path: &str) -> RequestBuilder {
        self.ask(method, path)
            .header("X-User-Id", person.0)
            .header("X-User-Name", "somebody")
            .header("X-Auth-Client", "client-1")
            .header("X-Auth-Scope", person.1)
    }

    /// Keeps something; answers the item.
    pub(crate) async fn keep(&self, person: Person, item: &Value) -> Value {
        let answer = self.ask_as(person, Method::POST, "/api/data").json(item);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }

    /// What somebody keeps.
    pub(crate) async fn kept(&self, person: Person) -> Vec<Value> {
        let answer = self
            .ask_as(person, Method::GET, "/api/data")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let listed: Value = answer.json().await.unwrap();
        listed["items"].as_array().unwrap().clone()
    }
}

/// The problem document of an answer with this status.
pub(crate) async fn problem(answer: Response, status: u16) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.status(), status);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], status);
    assert!(
        problem["title"].is_string() && problem["detail"].is_string(),
        "{problem}"
    );
    problem
}
