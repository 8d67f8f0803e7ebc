//! `mcp-memory-service`, as it is published, behind the gateway and Traefik with the files of
//! `deploy/examples/memory-service`: who may read, who may write, and who may manage.

pub(crate) mod service;

use std::{collections::BTreeSet, fs};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    flow::Flow,
    home::{CHROMIUM, Home},
    person::OCTOCAT,
    traefik::{DOMAIN, deploy},
    world::World,
};

use service::{Caller, KEY, Memory, OLD_KEY, gateway, shipped};

/// What is remembered here.
const FACT: &str = "The door is opened by a token, and by nothing else.";

pub(crate) fn url(world: &World) -> String {
    format!("https://memory.{DOMAIN}:{}", world.ports.https)
}

/// What a search found.
fn found(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap().iter();
    results
        .map(|one| one["memory"]["content"].as_str().unwrap())
        .collect()
}

/// Nobody gets in without a token of the gateway: neither through Traefik, nor past it.
async fn strangers_stay_out(memory: &Memory, nobody: &Caller<'_>) {
    for (method, path, scope) in [
        (Method::GET, "/api/memories", "read"),
        (Method::POST, "/api/search", "read"),
        (Method::POST, "/api/memories", "write"),
        (Method::POST, "/api/manage/bulk-delete", "admin"),
        (Method::POST, "/mcp", "write"),
    ] {
        let (status, challenge, _) = nobody.ask(method, path, None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        let metadata = format!("{}/.well-known/oauth-protected-resource", nobody.url);
        assert!(
            challenge.contains(&format!("resource_metadata=\"{metadata}"))
                && challenge.contains(&format!("scope=\"{scope}\"")),
            "{path}: {challenge}"
        );
    }
    // who knows the service's own key is nobody to the gateway
    let with_key = nobody.http.get(format!("{}/api/memories", nobody.url));
    let answer = with_key.header("x-api-key", KEY).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let past = Caller {
        http: nobody.http,
        url: &memory.url,
        token: None,
    };
    let (status, ..) = past.ask(Method::GET, "/api/memories", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "past Traefik");
}

const MEMORIES: &str = "/api/memories";

/// Whoever may write stores a memory, and whoever may read finds it; answers where it is.
async fn is_stored_and_found(reader: &Caller<'_>, writer: &Caller<'_>) -> String {
    let fact = json!({ "content": FACT, "tags": ["door"] });
    reader.lacks("write", Method::POST, MEMORIES, Some(&fact)).await;
    let stored = writer.may(Method::POST, MEMORIES, Some(&fact)).await;
    let one = format!("{MEMORIES}/{}", stored["content_hash"].as_str().unwrap());
    let query = json!({ "query": FACT });
    let answer = reader.may(Method::POST, "/api/search", Some(&query)).await;
    assert_eq!(found(&answer), [FACT]);
    let tags = json!({ "tags": ["door"] });
    let answer = reader.may(Method::POST, "/api/search/by-tag", Some(&tags)).await;
    assert_eq!(found(&answer), [FACT]);
    assert_eq!(reader.may(Method::GET, MEMORIES, None).await["total"], 1);
    assert_eq!(reader.may(Method::GET, &one, None).await["content"], FACT);
    one
}

#[tokio::test]
async fn a_client_stores_with_write_finds_with_read_and_is_refused_without() {
    let memory = Memory::start().await;
    let world = gateway(&memory).await;
    let (http, url) = (world.http(), url(&world));
    let caller = |token| Caller {
        http: &http,
        url: &url,
        token,
    };
    strangers_stay_out(&memory, &caller(None)).await;

    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let mut token = async |scope| Some(flow.token_for(&url, scope, OCTOCAT).await);
    let reader = caller(token("read").await);
    let writer = caller(token("write").await);
    let admin = caller(token("admin").await);
    let one = is_stored_and_found(&reader, &writer).await;

    let nothing = json!({ "tags": [] });
    reader.lacks("write", Method::PUT, &one, Some(&nothing)).await;
    reader.lacks("write", Method::DELETE, &one, None).await;
    let (tag, bulk) = (
        json!({ "tag": "door", "confirm_count": 1 }),
        "/api/manage/bulk-delete",
    );
    writer.lacks("admin", Method::POST, bulk, Some(&tag)).await;
    let (by_tags, tags) = ("/api/documents/remove-by-tags", json!(["door"]));
    writer.lacks("admin", Method::DELETE, by_tags, Some(&tags)).await;
    writer
        .lacks("admin read", Method::GET, "/api/config/env", None)
        .await;
    writer
        .lacks("admin", Method::POST, "/api/server/restart", None)
        .await;
    admin.may(Method::POST, bulk, Some(&tag)).await;
    assert_eq!(reader.may(Method::GET, MEMORIES, None).await["total"], 0);
    let program = caller(Some(OLD_KEY.to_owned()));
    is_stored_and_found(&reader, &program).await;
    program.lacks("admin", Method::POST, bulk, Some(&tag)).await;

    // the service's own OAuth is off, and the gateway's documents are on its host
    let registered = writer
        .ask(Method::POST, "/oauth/register", Some(&json!({})))
        .await;
    assert_eq!(registered.0, StatusCode::NOT_FOUND);
    let described = "/.well-known/oauth-authorization-server/mcp";
    let described = caller(None).may(Method::GET, described, None).await;
    assert_eq!(described["issuer"], world.issuer());
    for token in [&reader.token, &writer.token, &admin.token] {
        let token = token.as_deref().unwrap();
        let is_logged = world.logs().contains(token) || memory.process.output().contains(token);
        assert!(!is_logged, "a token is in a log");
    }
}

#[tokio::test]
async fn an_assistant_uses_its_tools_with_the_scopes_that_each_of_them_needs() {
    let memory = Memory::start().await;
    let world = gateway(&memory).await;
    let url = format!("{}/mcp", url(&world));
    let mut home = Home::of(&world);
    home.browser = Some(CHROMIUM.to_owned());
    home.run(&["login", &url, "--scope", "read"]).await;
    let (code, out, told) = home
        .try_run(&["call", &url, "memory_store", "--arg", &format!("content={FACT}")])
        .await;
    assert!(code == 1 && told.contains("write"), "{code} {out} {told}");
    home.run(&["login", &url, "--scope", "write"]).await;
    let stored = home
        .run(&["call", &url, "memory_store", "--arg", &format!("content={FACT}")])
        .await;
    assert!(stored.contains("stored successfully"), "{stored}");
    let found = home
        .run(&["call", &url, "memory_search", "--arg", &format!("query={FACT}")])
        .await;
    assert!(found.contains(FACT), "{found}");
    for managing in [
        &["memory_cleanup"][..],
        &["memory_delete", "--arg", "before=2100-01-01"],
    ] {
        let call = [&["call", &url], managing].concat();
        let (code, out, told) = home.try_run(&call).await;
        assert!(code == 1 && told.contains("admin"), "{code} {out} {told}");
    }

    // the REST API is a resource of its own
    let rest = self::url(&world);
    let memories = |token: String| {
        let request = world.http().get(format!("{rest}/api/memories"));
        async { request.bearer_auth(token).send().await.unwrap().status() }
    };
    let token = home.run(&["token", &url]).await;
    assert_eq!(memories(token).await, StatusCode::UNAUTHORIZED);
    home.run(&["login", &rest, "--scope", "read"]).await;
    let token = home.run(&["token", &rest]).await;
    assert_eq!(memories(token).await, StatusCode::OK);
}

#[test]
fn the_guide_says_what_the_files_say() {
    let guide = fs::read_to_string(deploy().join("../docs/guides/memory-service.md")).unwrap();
    let routes = shipped("memory.yml").replace("{{ $domain }}", "example.com");
    let after = |name: &str| {
        let lines = routes.lines().map(str::trim);
        lines
            .filter_map(|line| line.strip_prefix(name))
            .map(|value| value.trim_matches('\'').to_owned())
            .collect::<Vec<_>>()
    };
    let (rules, middlewares) = (after("rule: "), after("middlewares: "));
    assert_eq!(rules.len(), 2, "{routes}");
    for (rule, middlewares) in rules.iter().zip(middlewares) {
        let middlewares = middlewares.trim_matches(['[', ']']).replace(", ", "@file,");
        for label in [format!(".rule={rule}\""), format!(".middlewares={middlewares}\"")] {
            assert!(guide.contains(&label), "no label {label}");
        }
    }
    let (paths, tools) = (named("paths"), named("tools"));
    assert!(paths.len() > 5 && tools.len() > 5, "{paths:?} {tools:?}");
    for path in paths {
        let below = path.trim_end_matches("/*");
        assert!(guide.contains(&format!("{below}`")), "{path} is not in the guide");
    }
    let version = shipped("requirements.txt");
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("mcp-memory-service=="))
        .unwrap();
    for text in [&guide, &shipped("compose.yml"), &shipped("Dockerfile")] {
        assert!(text.contains(version), "not {version}: {text}");
    }
}

/// The strings of the lists with this name in the shipped rule file.
fn named(list: &str) -> BTreeSet<String> {
    let text = shipped("gateway.toml");
    let list = format!("{list} = [");
    let lists = text.split(&list).skip(1);
    let inside = lists.flat_map(|rest| rest.split(']').next().unwrap().split('"').skip(1).step_by(2));
    inside.map(str::to_owned).collect()
}

#[tokio::test]
async fn what_the_rule_file_names_is_what_the_service_has() {
    let memory = Memory::start().await;
    let http = Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| -> Value {
        let request = http.get(format!("{}{path}", memory.url)).header("x-api-key", KEY);
        request.send().await.unwrap().json().await.unwrap()
    };
    let listed = get("/mcp/tools").await;
    let tools = listed["tools"].as_array().unwrap().iter();
    let tools: BTreeSet<_> = tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    let unknown: Vec<_> = named("tools").difference(&tools).cloned().collect();
    assert!(
        unknown.is_empty() && tools.len() > 20,
        "no such tools: {unknown:?}; there are {tools:?}"
    );

    let described = get("/openapi.json").await;
    let routes: Vec<_> = described["paths"].as_object().unwrap().keys().collect();
    for path in named("paths") {
        let below = path.trim_end_matches("/*");
        let is_there = |route: &&&String| {
            let rest = route.strip_prefix(below);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        assert!(routes.iter().find(is_there).is_some(), "no such path: {path}");
    }
}
