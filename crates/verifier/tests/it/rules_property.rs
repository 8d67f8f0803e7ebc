//! A request is let through if and only if the simple model of [`crate::rules_model`] says so.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use actix_web::{
    App,
    rt::System,
    test::{TestRequest, call_service, init_service},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::{
    resource::{Resource, ResourceUri, Resources},
    rule::{self, Effect, HttpMethod, NamePattern, PathPattern},
    scope::{Hierarchy, Scope, ScopeSet},
};
use mcp_gateway_verifier::configure_verify;
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    rules_model::{MCP_METHODS, METHODS, Message, PATHS, Request, Rule, SCOPES, Setup, TOOLS, lets_through},
    signer::Signer,
    stand::{ECHO, Stand, about, settings},
};

/// What a message can ask for.
const MESSAGES: [Message; 8] = [
    (None, None),
    (Some("ping"), None),
    (Some("tools/list"), None),
    (Some("tools/call"), Some("t1")),
    (Some("tools/call"), Some("t2")),
    (Some("tools/call"), Some("u_2")),
    (Some("tools/call"), Some("other")),
    (Some("resources/read"), Some("t1")),
];

fn rules() -> impl Strategy<Value = Rule> {
    let some = |most: usize| prop_oneof![2 => Just(BTreeSet::new()), 1 => btree_set(0..most, 1..3)];
    let lists = (
        some(METHODS.len()),
        some(PATHS.len()),
        some(MCP_METHODS.len()),
        some(TOOLS.len()),
    );
    let scopes = prop_oneof![1 => Just(BTreeSet::new()), 3 => btree_set(0..SCOPES.len(), 1..3)];
    (lists, scopes).prop_map(|((methods, paths, mcp_methods, tools), scopes)| Rule {
        methods,
        paths,
        mcp_methods,
        tools,
        scopes,
    })
}

fn setups() -> impl Strategy<Value = Setup> {
    let number = || 0..SCOPES.len();
    let includes = btree_set((number(), number()), 0..5);
    let sets = (btree_set(number(), 1..6), includes, btree_set(number(), 0..3));
    (sets, vec(rules(), 0..5), any::<bool>()).prop_map(|((catalogue, includes, default), rules, trusts)| {
        let within = |set: &BTreeSet<usize>| set.intersection(&catalogue).copied().collect();
        let rules = rules.into_iter().filter_map(|mut rule: Rule| {
            let public = rule.scopes.is_empty();
            rule.scopes = within(&rule.scopes);
            // what the configuration refuses
            let empty = [&rule.methods, &rule.paths, &rule.mcp_methods, &rule.tools];
            let matches_everything = empty.iter().all(|list| list.is_empty());
            let refused = matches_everything || (public && !rule.tools.is_empty());
            (!refused && public == rule.scopes.is_empty()).then_some(rule)
        });
        Setup {
            rules: rules.collect(),
            default: within(&default),
            includes: includes
                .into_iter()
                .filter(|(broad, narrow)| broad < narrow)
                .collect(),
            catalogue,
            trusts_headers: trusts,
        }
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let method = select(vec!["POST", "POST", "POST", "GET", "HEAD", "DELETE", "PUT"]);
    let path = select(vec![
        "/mcp", "/mcp", "/mcp/", "/mcp/x", "/mcp/x/y", "/mcp/xy", "/mcp/X",
    ]);
    let body = option::weighted(0.7, vec(select(MESSAGES.to_vec()), 1..4));
    // as honest clients have them, in part, or about something else
    let mirrored = (select(vec![0, 0, 1, 2, 3]), select(MESSAGES.to_vec()));
    let revision = select(vec![
        None,
        Some("2025-06-18"),
        Some("2026-07-28"),
        Some("2026-07-28"),
    ]);
    let token = option::weighted(0.9, btree_set(0..SCOPES.len(), 0..5));
    (method, path, body, mirrored, revision, token).prop_map(
        |(method, path, body, mirrored, revision, token)| {
            let own = body.as_ref().and_then(|all: &Vec<Message>| all.first().copied());
            let headers = match mirrored {
                (0, _) => (None, None),
                (1, other) => own.unwrap_or(other),
                (2, other) => (None, other.1),
                (_, other) => other,
            };
            Request {
                method,
                path,
                body,
                headers,
                revision,
                token,
            }
        },
    )
}

/// The scopes of these numbers.
fn scopes(numbers: &BTreeSet<usize>) -> ScopeSet {
    numbers
        .iter()
        .map(|n| Scope::parse(SCOPES[*n]).unwrap())
        .collect()
}

fn stand(setup: &Setup) -> Stand {
    fn each<T>(chosen: &BTreeSet<usize>, table: &[(&str, &[&str])], parse: impl Fn(&str) -> T) -> Vec<T> {
        chosen.iter().map(|i| parse(table[*i].0)).collect()
    }
    let rules = setup.rules.iter().map(|rule| rule::Rule {
        http_methods: each(&rule.methods, &METHODS, |text| HttpMethod::parse(text).unwrap()),
        paths: each(&rule.paths, &PATHS, |text| PathPattern::parse(text).unwrap()),
        mcp_methods: each(&rule.mcp_methods, &MCP_METHODS, |text| {
            NamePattern::parse(text).unwrap()
        }),
        tools: each(&rule.tools, &TOOLS, |text| NamePattern::parse(text).unwrap()),
        effect: if rule.scopes.is_empty() {
            Effect::Public
        } else {
            Effect::Needs(scopes(&rule.scopes))
        },
    });
    let mut direct = BTreeMap::<_, BTreeSet<_>>::new();
    let scope = |number: usize| Scope::parse(SCOPES[number]).unwrap();
    for (broad, narrow) in &setup.includes {
        direct.entry(scope(*broad)).or_default().insert(scope(*narrow));
    }
    let default = Some(scopes(&setup.default)).filter(|set| !set.is_empty());
    let echo = Resource::new(ResourceUri::parse(ECHO).unwrap(), None);
    let hierarchy = Hierarchy::new(&direct).unwrap();
    let mut echo = echo.governed(scopes(&setup.catalogue), default, rules.collect(), &hierarchy);
    echo.policy.trust_mcp_headers = setup.trusts_headers;
    Stand::with(
        settings(Resources::new(vec![echo], vec![], "auth.example.com")),
        Signer::ed25519(),
    )
}

fn message((method, name): &Message) -> Value {
    let member = if *method == Some("resources/read") {
        "uri"
    } else {
        "name"
    };
    match (method, name) {
        (None, _) => json!({ "jsonrpc": "2.0", "id": 1, "result": { "method": "tools/call" } }),
        (Some(method), None) => json!({ "jsonrpc": "2.0", "id": 1, "method": method }),
        (Some(method), Some(name)) => json!({ "method": method, "params": { member: name }, "id": 1 }),
    }
}

fn asked(request: &Request, stand: &Stand) -> TestRequest {
    let url = format!("https://echo.example.com{}", request.path);
    let mut asked = about(&url).insert_header(("x-forwarded-method", request.method));
    if let Some(messages) = &request.body {
        let body = match messages.as_slice() {
            [one] => message(one),
            all => all.iter().map(message).collect(),
        };
        asked = asked.set_payload(body.to_string());
    }
    if let Some(method) = request.headers.0 {
        asked = asked.insert_header(("mcp-method", method));
    }
    if let Some(name) = request.headers.1 {
        // both forms mean the same
        let encoded = format!("=?base64?{}?=", STANDARD.encode(name));
        let form = if request.revision.is_some() {
            encoded
        } else {
            name.to_owned()
        };
        asked = asked.insert_header(("mcp-name", form));
    }
    if let Some(revision) = request.revision {
        asked = asked.insert_header(("mcp-protocol-version", revision));
    }
    if let Some(token) = &request.token {
        let token = stand.token_where("scope", json!(scopes(token).to_string()));
        asked = asked.insert_header(("authorization", format!("Bearer {token}")));
    }
    asked
}

#[test]
fn a_request_is_let_through_if_and_only_if_the_simple_model_says_so() {
    let system = System::new();
    let (through, refused) = (Cell::new(0), Cell::new(0));
    let cases = (setups(), vec(requests(), 20));
    TestRunner::new(Config::with_cases(250))
        .run(&cases, |(setup, requests)| {
            let stand = stand(&setup);
            let app = App::new().configure(configure_verify(&stand.verifier));
            let service = system.block_on(async { init_service(app).await });
            for request in requests {
                let expected = lets_through(&setup, &request);
                let response = call_service(&service, asked(&request, &stand).to_request());
                let status = system.block_on(response).status();
                prop_assert_eq!(
                    status.is_success(),
                    expected,
                    "{} {:?} {:?}",
                    status,
                    setup,
                    request
                );
                let counted = if expected { &through } else { &refused };
                counted.set(counted.get() + 1);
            }
            Ok(())
        })
        .unwrap_or_else(|e| unreachable!("{e}"));
    assert!(
        through.get() > 500 && refused.get() > 500,
        "{through:?} {refused:?}"
    );
}
