//! The short way says yes only where the long way does, which asks the store and remembers nothing.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{sync::Arc, time::Duration};

use actix_web::{
    App,
    http::{Method, StatusCode},
    rt::System,
    test::{TestRequest, call_service, init_service},
};
use mcp_gateway_model::{
    clock::Timestamp,
    resource::{Resource, ResourceUri, Resources, Wildcard},
    rule::{Effect, Rule},
    scope::{Hierarchy, ScopeSet},
};
use mcp_gateway_store::moment;
use mcp_gateway_verifier::{CacheSettings, Settings, Verifier, configure_verify};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use crate::{
    ruled::{methods, needs, paths, rule, tools},
    stand::{ECHO, NOW, PROXY, Stand, settings},
};

const HEADERS: [&str; 6] = [
    "x-user-id",
    "x-user-name",
    "x-auth-client",
    "x-auth-scope",
    "x-auth-token",
    "cache-control",
];

/// Servers with rules for methods and paths, with rules for tools, without any, and below a wildcard.
fn resources() -> Resources {
    let resource = |uri, rules: Vec<Rule>| {
        let read = Some(ScopeSet::parse("read").unwrap());
        let new = Resource::new(ResourceUri::parse(uri).unwrap(), None);
        new.governed(ScopeSet::usual(), read, rules, &Hierarchy::default())
    };
    let all = vec![
        resource(
            ECHO,
            vec![
                methods("DELETE", needs("write")),
                paths("/mcp/archive/*", needs("write")),
                paths("/mcp/health", rule(Effect::Public)),
            ],
        ),
        resource("https://echo.example.com/mcp/deep", vec![]),
        resource("https://tools.example.com/mcp", vec![tools("create_*", "write")]),
        resource("https://plain.example.com", vec![]),
    ];
    let below = Wildcard::parse("https://*.wild.example.org").unwrap();
    Resources::new(all, vec![below], "auth.example.com")
}

/// One question.
#[derive(Clone, Debug)]
struct Question {
    host: &'static str,
    path: &'static str,
    method: &'static str,
    http_method: &'static str,
    token: usize,
    scheme: &'static str,
    more: Vec<(&'static str, &'static str)>,
    peer: &'static str,
}

const HONEST: Question = Question {
    host: "echo.example.com",
    path: "/mcp",
    method: "GET",
    http_method: "GET",
    token: 0,
    scheme: "Bearer ",
    more: vec![],
    peer: PROXY,
};

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Ask(Box<Question>),
    Again,
    End,
    Revive,
    Advance(u64),
    Set(u64),
}

const HOSTS: &[&str] = &[
    "echo.example.com",
    "echo.example.com",
    "Echo.Example.com:443",
    "tools.example.com",
    "plain.example.com",
    "a.wild.example.org",
    "b.wild.example.org",
    "auth.example.com",
    "echo.example.com, plain.example.com",
];

const PATHS: &[&str] = &[
    "/mcp",
    "/mcp",
    "/mcp/",
    "/mcp?x=/mcp/health",
    "/mcp/archive/x",
    "/mcp/Archive/x",
    "/mcp/deep/x",
    "/mcp/Deep",
    "/mcp/health",
    "/mcp/%68ealth",
    "/mcp/../mcp",
    "/mcpx",
    "/",
    "/.well-known/oauth-protected-resource/mcp",
    "mcp",
];

const MORE: &[(&str, &str)] = &[
    ("x-http-method-override", "DELETE"),
    ("X_HTTP_Method", "DELETE"),
    ("x-original-url", "/mcp/archive"),
    ("x_rewrite_url", "/mcp/archive"),
    ("upgrade", "websocket"),
    ("x-forwarded-host", "plain.example.com"),
    ("x-forwarded-uri", "/mcp/archive"),
    ("x-forwarded-method", "DELETE"),
    ("authorization", "Bearer x"),
    ("authorization", "Basic dTpw"),
    ("origin", "https://app.example"),
    ("mcp-method", "tools/call"),
    ("x-user-id", "1"),
];

fn questions() -> impl Strategy<Value = Question> {
    let few = prop_oneof![3 => Just(vec![]), 1 => vec(select(MORE), 0..3)];
    let methods = select(vec![
        "GET", "GET", "POST", "DELETE", "delete", "HEAD", "OPTIONS", "",
    ]);
    let schemes = select(vec!["Bearer ", "Bearer ", "bearer  ", "Basic ", ""]);
    let peers = select(vec![PROXY, PROXY, PROXY, "203.0.113.9:1"]);
    let what = (
        select(HOSTS),
        select(PATHS),
        methods,
        select(vec!["GET", "POST", "HEAD"]),
    );
    (what, 0_usize..9, schemes, few, peers).prop_map(|(what, token, scheme, more, peer)| Question {
        host: what.0,
        path: what.1,
        method: what.2,
        http_method: what.3,
        token,
        scheme,
        more,
        peer,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let honest = prop_oneof![
        Just(HONEST),
        (0_usize..9, select(vec!["/mcp", "/mcp/archive/x"])).prop_map(|(token, path)| Question {
            path,
            token,
            ..HONEST
        })
    ];
    let step = prop_oneof![
        6 => questions().prop_map(|q| Step::Ask(Box::new(q))),
        4 => honest.prop_map(|q| Step::Ask(Box::new(q))),
        6 => Just(Step::Again),
        1 => Just(Step::End),
        1 => Just(Step::Revive),
        1 => (0_u64..40).prop_map(Step::Advance),
        1 => (NOW - 70..NOW + 50).prop_map(Step::Set),
    ];
    vec(step, 1..16)
}

/// Two verifiers of one store, and tokens for them.
struct Pair {
    stand: Stand,
    forgetful: Arc<Verifier>,
    tokens: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let mut stand = Stand::remembering(settings(resources()));
        for uri in [
            "https://plain.example.com",
            "https://a.wild.example.org/x",
            "https://tools.example.com/mcp",
        ] {
            stand.grant.audiences.push(ResourceUri::parse(uri).unwrap());
        }
        stand.store.put(&stand.grant);
        let forgets = Settings {
            cache: CacheSettings {
                entries: 0,
                ..CacheSettings::default()
            },
            ..settings(resources())
        };
        let registry = prometheus::Registry::new();
        let forgetful = Verifier::new(forgets, stand.store.clone(), stand.clock.clone(), &registry);
        let tokens = vec![
            stand.token(),
            stand.token_where("scope", json!("write")),
            stand.token_where("scope", json!("other")),
            stand.token_where("aud", json!("https://plain.example.com")),
            stand.token_where("aud", json!("https://a.wild.example.org/x")),
            stand.token_where("aud", json!("https://tools.example.com/mcp")),
            stand.token_where("exp", json!(NOW + 20)),
            stand.token() + "A",
            stand.token_where("iss", json!("https://other.example.com")),
        ];
        Self {
            forgetful: Arc::new(forgetful.unwrap()),
            stand,
            tokens,
        }
    }

    fn request(&self, question: &Question) -> TestRequest {
        let authorization = format!("{}{}", question.scheme, self.tokens[question.token]);
        let mut request = TestRequest::with_uri("/verify")
            .method(Method::from_bytes(question.http_method.as_bytes()).unwrap())
            .peer_addr(question.peer.parse().unwrap())
            .append_header(("x-forwarded-host", question.host))
            .append_header(("x-forwarded-uri", question.path))
            .append_header(("x-forwarded-method", question.method))
            .append_header(("authorization", authorization));
        for header in &question.more {
            request = request.append_header(*header);
        }
        request
    }

    /// What one of the verifiers answers: the status, the challenge, and who is calling.
    async fn answer(
        &self,
        verifier: &Arc<Verifier>,
        question: &Question,
    ) -> (StatusCode, Vec<Option<String>>) {
        let service = init_service(App::new().configure(configure_verify(verifier))).await;
        let response = call_service(&service, self.request(question).to_request()).await;
        let header = |name: &str| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        let headers = HEADERS.into_iter().chain(["www-authenticate"]).map(header);
        (response.status(), headers.collect())
    }

    /// What the short way says of a question.
    fn quickly(&self, question: &Question) -> Option<Vec<Option<String>>> {
        let request = self.request(question).to_http_request();
        let admitted = self
            .stand
            .quick
            .answer(request.head(), moment(&*self.stand.clock))?;
        let header = |name: &&str| {
            let mut found = admitted.headers().filter(|(there, _)| there.as_str() == *name);
            found.next().map(|(_, value)| value.to_str().unwrap().to_owned())
        };
        Some(HEADERS.iter().map(header).collect())
    }

    async fn ask(&self, question: &Question) -> Result<bool, TestCaseError> {
        let truth = self.answer(&self.forgetful, question).await;
        let agrees = |quick: Option<Vec<Option<String>>>| {
            if let Some(quick) = &quick {
                prop_assert_eq!(truth.0, StatusCode::OK, "{:?}", question);
                prop_assert_eq!(&quick[..], &truth.1[..6], "{:?}", question);
            }
            Ok(quick.is_some())
        };
        agrees(self.quickly(question))?;
        let remembering = self.answer(&self.stand.verifier, question).await;
        prop_assert_eq!(&remembering, &truth, "{:?}", question);
        agrees(self.quickly(question))
    }

    async fn run(&self, steps: Vec<Step>) -> Result<usize, TestCaseError> {
        let (mut last, mut quick) = (HONEST, 0);
        for step in steps {
            match step {
                Step::Ask(question) => {
                    last = *question;
                    quick += usize::from(self.ask(&last).await?);
                }
                Step::Again => quick += usize::from(self.ask(&last).await?),
                Step::End => self.stand.store.end(&self.stand.grant.id),
                Step::Revive => self.stand.store.put(&self.stand.grant),
                Step::Advance(secs) => self.stand.clock.advance(Duration::from_secs(secs)),
                Step::Set(secs) => self.stand.clock.set(Timestamp::from_secs(secs)),
            }
        }
        Ok(quick)
    }
}

#[test]
fn what_is_remembered_changes_no_answer() {
    let system = System::new();
    let quick = std::cell::Cell::new(0);
    TestRunner::new(Config::with_cases(200))
        .run(&steps(), |steps| {
            quick.set(quick.get() + system.block_on(Pair::new().run(steps))?);
            Ok(())
        })
        .unwrap_or_else(|e| unreachable!("{e}"));
    assert!(quick.get() > 100, "{} answers came the short way", quick.get());
}

#[actix_web::test]
async fn the_short_way_is_for_what_is_remembered_and_needs_no_body() {
    let pair = Pair::new();
    let at = |host, path, method, token| Question {
        host,
        path,
        method,
        token,
        ..HONEST
    };
    let (echo, plain) = ("echo.example.com", "plain.example.com");
    assert!(pair.quickly(&HONEST).is_none(), "not yet remembered");
    assert!(pair.quickly(&HONEST).is_none(), "not yet remembered");
    for (question, expected) in [
        (HONEST, true),
        (at("Echo.Example.com:443", "/mcp?x", "GET", 0), true),
        (at(echo, "/mcp/archive/x", "POST", 1), true),
        (at(echo, "/mcp/archive/x", "POST", 0), false),
        (at(echo, "/mcp", "DELETE", 1), true),
        (at(echo, "/mcp", "delete", 1), false),
        (at(echo, "/mcp/health", "GET", 0), false),
        (at(echo, "/.well-known/oauth-protected-resource", "GET", 0), false),
        (at(plain, "/any", "", 3), true),
        (at(plain, "/any", "GET", 0), false),
        (at("a.wild.example.org", "/", "GET", 4), true),
        (at("b.wild.example.org", "/", "GET", 4), false),
        (at("tools.example.com", "/mcp", "POST", 5), false),
    ] {
        assert_eq!(pair.ask(&question).await.unwrap(), expected, "{question:?}");
    }
}
