//! `mcp-oauth serve` as in production: behind the gateway, which says who asks, and as a client of MCP servers.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::support::{
    flow::Flow,
    mcp::call_tool,
    names::NameServer,
    person::{OCTOCAT, Person},
    process::{Process, free_port, mcp_oauth},
    traefik::DOMAIN,
    world::{Layout, World},
};

/// GitHub's number of the other user.
const HUBOT: u64 = 480_938;

/// The service, and its route.
struct Served {
    world: World,
    service: Process,
    http: Client,
    /// Its address through Traefik.
    url: String,
    _names: NameServer,
}

impl Served {
    async fn start() -> Self {
        let world = World::start_with(Layout::Serve, &[("ALLOWED_GITHUB_USERS", "octocat,hubot")]).await;
        let names = NameServer::start();
        for name in ["auth", "echo"] {
            names.put(&format!("{name}.{DOMAIN}"), &["127.0.0.1"]);
        }
        let directory = world.directory.path().to_owned();
        let url = format!("https://client.{DOMAIN}:{}", world.ports.https);
        let port = free_port();
        let mut command = Command::new(mcp_oauth());
        command
            .env_clear()
            .env("MCP_CLIENT_PUBLIC_URL", &url)
            .env("MCP_CLIENT_PORT", port.to_string())
            .env("MCP_CLIENT_TRUSTED_PROXIES", "127.0.0.1")
            .env("MCP_CLIENT_ALLOWED_NETWORKS", "127.0.0.1/32")
            .env("MCP_CLIENT_DNS_SERVERS", names.address.to_string())
            .env("MCP_CLIENT_CA_FILE", &world.traefik.ca)
            .env("MCP_CLIENT_DATA_DIR", directory.join("service"))
            .env("MCP_CLIENT_LOG_LEVEL", "trace")
            .arg("serve");
        let service = Process::start(&mut command, &directory, "mcp-oauth");
        let service = service.ready(&format!("http://127.0.0.1:{port}/readyz")).await;
        route(&directory, port);
        let served = Self {
            http: http(&world),
            world,
            service,
            url,
            _names: names,
        };
        served.routed().await;
        served
    }

    /// Waits until Traefik has read the new route: until then it knows no such host.
    async fn routed(&self) {
        for _ in 0..200 {
            let answer = self.http.get(self.at("callback", &[])).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::UNAUTHORIZED) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "the service is not routed:\n{}",
            self.world.traefik.process.output()
        );
    }

    fn at(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Url {
        Url::parse_with_params(&format!("{}/api/mcp/oauth/{endpoint}", self.url), parameters).unwrap()
    }

    /// An access token of the gateway for the service.
    async fn token(&self, user: u64) -> String {
        let mut flow = Flow::register(self.world.http(), &self.world.issuer()).await;
        let back = flow.log_in(&self.url, user).await;
        flow.exchange(&back["code"], &self.url).await.access
    }

    /// Finds the MCP server's authorization server, and registers the service there; answers the client's id.
    async fn register(&self, token: &str) -> String {
        let (mcp, issuer) = (self.world.mcp_url(), self.world.issuer());
        let found = self.at("discover-resource", &[("resource_url", &mcp)]);
        let (status, found) = self.get(token, found).await;
        assert_eq!(status, 200, "{found}");
        assert_eq!(
            (&found["resource"], &found["authorization_servers"]),
            (&json!(mcp), &json!([issuer]))
        );
        let found = self.at("discover-auth-server", &[("auth_server_url", &issuer)]);
        let (status, metadata) = self.get(token, found).await;
        assert_eq!(status, 200, "{metadata}");
        let endpoint = metadata["registration_endpoint"].as_str().unwrap();
        let url = self.at("register-client", &[("registration_url", endpoint)]);
        let request = self
            .http
            .post(url)
            .bearer_auth(token)
            .json(&json!({ "client_name": "Backend" }));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let client: Value = answer.json().await.unwrap();
        client["client_id"].as_str().unwrap().to_owned()
    }

    /// Begins a login, which octocat allows; answers where the browser comes back.
    async fn allowed(&self, token: &str, client_id: &str) -> Url {
        let (mcp, issuer) = (self.world.mcp_url(), self.world.issuer());
        let parameters = [
            ("auth_server_url", issuer.as_str()),
            ("client_id", client_id),
            ("resource", &mcp),
        ];
        let (status, begun) = self.get(token, self.at("start-authorization", &parameters)).await;
        assert_eq!(status, 200, "{begun}");
        let mut person = Person::new(self.world.http(), &issuer);
        let back = person
            .walk(begun["authorization_url"].as_str().unwrap(), OCTOCAT)
            .await;
        assert!(
            back.as_str()
                .starts_with(&format!("{}/api/mcp/oauth/callback?", self.url)),
            "{back}"
        );
        back
    }

    /// What a client says of itself does not count, and without a token nothing is answered.
    async fn is_not_fooled(&self, url: &Url, token: &str) {
        let forged = || {
            self.http
                .get(url.clone())
                .header("X-User-Id", OCTOCAT.to_string())
        };
        let as_other = forged().bearer_auth(token).send().await.unwrap();
        assert_eq!(as_other.status(), StatusCode::UNAUTHORIZED);
        assert!(
            as_other.text().await.unwrap().contains("no_token"),
            "it is the token's user who asks"
        );
        let as_nobody = forged().send().await.unwrap();
        assert_eq!(as_nobody.status(), StatusCode::UNAUTHORIZED);
        let challenge = as_nobody.headers()["www-authenticate"].to_str().unwrap();
        assert!(
            challenge.contains("resource_metadata="),
            "the gateway's own: {challenge}"
        );
    }

    async fn get(&self, token: &str, url: Url) -> (u16, Value) {
        let answer = self.http.get(url).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// The route of an MCP server, as the shipped sample has it, leads to the service.
fn route(directory: &Path, port: u16) {
    let dynamic = directory.join("traefik/dynamic");
    let sample = fs::read_to_string(dynamic.join("echo.yml")).unwrap();
    let lines = sample
        .lines()
        .filter(|line| !line.trim_start().starts_with("- url:"));
    let mut text = lines.collect::<Vec<_>>().join("\n").replace("echo", "client");
    text += "\n          - url: 'http://127.0.0.1:PORT'\n";
    let text = text.replace("PORT", &port.to_string());
    fs::write(dynamic.join("client.yml"), text).unwrap();
}

/// As the world's own, for the service too.
fn http(world: &World) -> Client {
    let ca = fs::read(&world.traefik.ca).unwrap();
    let here = SocketAddr::from(([127, 0, 0, 1], world.ports.https));
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
        .resolve(&format!("client.{DOMAIN}"), here)
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_web_backend_behind_the_gateway_acts_for_each_of_its_users_and_holds_no_token() {
    let served = Served::start().await;
    let (octocat, hubot) = (served.token(OCTOCAT).await, served.token(HUBOT).await);
    let client_id = served.register(&octocat).await;

    // the callback, which the backend passes on in its user's name
    let back = served.allowed(&octocat, &client_id).await;
    let (status, fault) = served.get(&hubot, back.clone()).await;
    assert_eq!((status, &fault["error"]), (401, &json!("access_denied")));
    let (status, tokens) = served.get(&octocat, back.clone()).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(served.get(&octocat, back).await.0, 400, "a state is good once");

    // a whole conversation with the MCP server, streams and all, with a token that only the service holds
    let access = served.at("access-resource", &[("resource_url", &served.world.mcp_url())]);
    let who = call_tool(&served.http, access.as_str(), &octocat, "whoami").await;
    assert_eq!(
        (&who["login"], &who["client_id"]),
        (&json!("octocat"), &json!(client_id))
    );
    let (status, fault) = served.get(&hubot, access.clone()).await;
    assert_eq!((status, &fault["error"]), (401, &json!("no_token")));
    served.is_not_fooled(&access, &hubot).await;

    let log = served.service.output();
    assert!(
        log.contains("\"user\":\"583231\"") && log.contains("/api/mcp/oauth/access-resource"),
        "{log}"
    );
    for name in ["access_token", "refresh_token"] {
        let secret = tokens[name].as_str().unwrap();
        assert!(
            !log.contains(secret) && !served.world.logs().contains(secret),
            "{name} is in a log"
        );
    }
    assert!(!log.contains(&octocat));
}

#[tokio::test]
async fn the_service_says_all_that_is_wrong_with_its_settings_and_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(mcp_oauth())
        .env_clear()
        .current_dir(&directory)
        .env("MCP_CLIENT_PUBLIC_URL", "http://app.example.com")
        .env("MCP_CLIENT_REDIS_URL", "redis://127.0.0.1:1")
        .arg("serve")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in [
        "MCP_CLIENT_PUBLIC_URL",
        "MCP_CLIENT_TRUSTED_PROXIES",
        "MCP_CLIENT_ENCRYPTION_KEY",
    ] {
        assert!(text.contains(name), "{text}");
    }
}
