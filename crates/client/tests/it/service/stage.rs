//! The service on a free port, with a clock that a test moves.

use std::{sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle};
use mcp_gateway_client::service::{
    Service,
    settings::{RedisSettings, Settings, Written, WrittenSecrets},
    store::Store,
};
use mcp_gateway_model::{
    clock::{Clock, ManualClock, SystemClock},
    secret::Secret,
};
use mcp_gateway_store::testing::RedisServer;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

/// Where the service says it is.
pub(crate) const PUBLIC: &str = "https://avatarai.social";

/// The running service.
pub(crate) struct Stage {
    pub(crate) url: String,
    pub(crate) clock: Arc<ManualClock>,
    http: Client,
    handle: ServerHandle,
}

/// The usual settings: calls may go to this machine, and this machine is a trusted proxy.
pub(crate) fn written() -> Written {
    Written {
        host: "127.0.0.1".into(),
        port: 8001,
        public_url: Some(PUBLIC.into()),
        trusted_proxies: "127.0.0.1".into(),
        allowed_networks: "127.0.0.0/8".into(),
        allowed_ports: "443".into(),
        return_to: "https://app.example.com/done".into(),
        requests_per_minute: 600,
        ..Written::default()
    }
}

/// A store in memory.
pub(crate) fn memory() -> Store {
    let key = Secret::presented("0123456789abcdef0123456789abcdef".into());
    Store::in_memory(&[key]).unwrap()
}

/// A store that several processes share.
pub(crate) fn shared(server: &RedisServer) -> Store {
    let settings = RedisSettings {
        url: Secret::presented(server.url()),
        password: None,
        prefix: "mcpcl:".into(),
        ca: None,
    };
    let key = Secret::presented("0123456789abcdef0123456789abcdef".into());
    Store::redis(&settings, &[key]).unwrap()
}

impl Stage {
    /// The service with the usual settings.
    pub(crate) fn start() -> Self {
        Self::with(written(), memory())
    }

    /// The service with other settings, or another store.
    pub(crate) fn with(written: Written, store: Store) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        Self::at(written, store, clock)
    }

    /// The service, if it waits for an answer no longer than half a second.
    pub(crate) fn impatient() -> Self {
        Self::tuned(|settings| settings.http.call = Duration::from_millis(500))
    }

    /// The service with settings that no operator has.
    pub(crate) fn tuned(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::read(written(), WrittenSecrets::default()).unwrap();
        change(&mut settings);
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        Self::run(settings, memory(), clock)
    }

    /// One more process at the same time.
    pub(crate) fn at(written: Written, store: Store, clock: Arc<ManualClock>) -> Self {
        let settings = Settings::read(written, WrittenSecrets::default()).unwrap();
        Self::run(settings, store, clock)
    }

    fn run(settings: Settings, store: Store, clock: Arc<ManualClock>) -> Self {
        let service = Service::new(settings, store, clock.clone()).unwrap();
        let service = Arc::new(service);
        let server = HttpServer::new(move || App::new().configure(Arc::clone(&service).routes()))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self {
            url,
            clock,
            http,
            handle,
        }
    }

    /// A request as the gateway passes it on for `user`; `path` begins behind `/api/mcp/oauth`.
    pub(crate) fn request(
        &self,
        user: &str,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> RequestBuilder {
        let url = format!("{}/api/mcp/oauth{path}", self.url);
        let url = url::Url::parse_with_params(&url, parameters).unwrap();
        self.http.request(method, url).header("X-User-Id", user)
    }

    /// A request of nobody.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// What GET answers.
    pub(crate) async fn get(&self, user: &str, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
        told(
            self.request(user, Method::GET, path, parameters)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// What POST answers.
    pub(crate) async fn post(&self, user: &str, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
        told(
            self.request(user, Method::POST, path, parameters)
                .send()
                .await
                .unwrap(),
        )
        .await
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// The status and the JSON of an answer.
pub(crate) async fn told(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text}: {error}"));
    (status, body)
}

/// The names of the members of an object.
pub(crate) fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
