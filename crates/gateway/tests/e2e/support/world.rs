//! A whole installation on free ports.

use std::{collections::BTreeMap, net::SocketAddr, process::Command, time::Duration};

use mcp_gateway_sandbox::{
    Running,
    github::{Options, StandInGithub},
    mcp::{Recorder, RunningSample, SampleServer},
};
use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use tempfile::TempDir;

use super::{
    process::{Process, free_port},
    traefik::{DOMAIN, Ports, Traefik, Upstreams, deploy},
};

/// Which processes the gateway consists of.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// One that does both.
    Serve,
    /// So many auth-servers, and so many verifiers.
    Apart(usize),
}

const PASSWORD: &str = "the-password-of-the-auth-server";
const VERIFIER_PASSWORD: &str = "the-password-of-the-verifier";

/// A whole installation.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) ports: Ports,
    pub(crate) traefik: Traefik,
    pub(crate) gateway: Vec<Process>,
    pub(crate) redis: RedisServer,
    sample: RunningSample,
    _github: Running,
}

impl World {
    /// Starts everything, with octocat allowed in.
    pub(crate) async fn start(layout: Layout) -> Self {
        Self::start_with(layout, &[]).await
    }

    /// Starts everything with further settings of the gateway.
    pub(crate) async fn start_with(layout: Layout, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let redis = RedisServer::with(RedisSetup {
            acl: users(),
            persistent: true,
            ..RedisSetup::default()
        });
        let github_options = Options::default();
        let app = (
            github_options.client_id.clone(),
            github_options.client_secret.clone(),
        );
        let github = StandInGithub::new(github_options).start().unwrap();
        let sample = SampleServer::default().start().unwrap();
        let ports = Ports::free();
        let mut common = BTreeMap::from([
            ("BASE_DOMAIN", format!("{DOMAIN}:{}", ports.https)),
            ("LOG_LEVEL", "debug".to_owned()),
        ]);
        common.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let auth_settings = BTreeMap::from([
            ("GITHUB_CLIENT_ID", app.0),
            ("GITHUB_CLIENT_SECRET", app.1),
            ("GITHUB_WEB_URL", github.url()),
            ("GITHUB_API_URL", format!("{}/api/v3", github.url())),
            ("ALLOWED_GITHUB_USERS", "OctoCat".to_owned()),
            ("REDIS_URL", redis.url()),
            ("REDIS_PASSWORD", PASSWORD.to_owned()),
            (
                "STORE_ENCRYPTION_KEY",
                "0123456789abcdef0123456789abcdef".to_owned(),
            ),
        ]);
        let verifier_settings = BTreeMap::from([
            ("REDIS_URL", redis.url_for("verifier@")),
            ("REDIS_PASSWORD", VERIFIER_PASSWORD.to_owned()),
        ]);
        let (auths, verifiers) = match layout {
            Layout::Serve => (vec!["serve"], vec![]),
            Layout::Apart(count) => (vec!["auth-server"; count], vec!["verifier"; count]),
        };
        let mut gateway = Vec::new();
        let mut auth_urls = Vec::new();
        for subcommand in auths {
            let (process, url) = spawn(&directory, subcommand, &common, &auth_settings).await;
            gateway.push(process);
            auth_urls.push(url);
        }
        let mut verifier_urls = Vec::new();
        for subcommand in verifiers {
            let (process, url) = spawn(&directory, subcommand, &common, &verifier_settings).await;
            gateway.push(process);
            verifier_urls.push(url);
        }
        if verifier_urls.is_empty() {
            verifier_urls.clone_from(&auth_urls);
        }
        let echo = sample.url();
        let upstreams = Upstreams {
            auth: &auth_urls,
            verifier: &verifier_urls,
            echo: &echo,
        };
        let traefik = Traefik::start(directory.path(), ports, &upstreams).await;
        let world = Self {
            directory,
            ports,
            traefik,
            gateway,
            redis,
            sample,
            _github: github,
        };
        world.routed().await;
        world
    }

    /// Waits until Traefik has read its routes and its certificate: it answers pings before.
    async fn routed(&self) {
        let http = self.http();
        for url in [self.issuer(), self.mcp_url()] {
            let mut attempts = 0;
            while http.get(&url).send().await.is_err() {
                attempts += 1;
                assert!(
                    attempts < 200,
                    "{url} is not routed:\n{}",
                    self.traefik.process.output()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// The issuer.
    pub(crate) fn issuer(&self) -> String {
        format!("https://auth.{DOMAIN}:{}", self.ports.https)
    }

    /// The address of the protected MCP server.
    pub(crate) fn mcp_url(&self) -> String {
        format!("https://echo.{DOMAIN}:{}/mcp", self.ports.https)
    }

    /// What the protected server received.
    pub(crate) fn backend(&self) -> Recorder {
        self.sample.recorder()
    }

    /// A client that finds the test domain here, trusts its certificate, and follows no redirect.
    pub(crate) fn http(&self) -> reqwest::Client {
        let ca = std::fs::read(&self.traefik.ca).unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], self.ports.https));
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .resolve(&format!("auth.{DOMAIN}"), here)
            .resolve(&format!("echo.{DOMAIN}"), here)
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap()
    }

    /// Everything the gateway and Traefik wrote.
    pub(crate) fn logs(&self) -> String {
        let gateway = self.gateway.iter().map(Process::output);
        gateway
            .chain([self.traefik.process.output()])
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Starts one process of the gateway on a free port; answers its address too.
async fn spawn(
    directory: &TempDir,
    subcommand: &str,
    common: &BTreeMap<&str, String>,
    settings: &BTreeMap<&str, String>,
) -> (Process, String) {
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(settings)
        .envs(common)
        .current_dir(directory.path())
        .args([subcommand, "--port", &port.to_string()]);
    let process = Process::start(&mut command, directory.path(), &format!("{subcommand}-{port}"));
    let url = format!("http://127.0.0.1:{port}");
    (process.ready(&format!("{url}/readyz")).await, url)
}

/// The shipped Redis users, with the passwords of these tests.
fn users() -> Vec<String> {
    let text = std::fs::read_to_string(deploy().join("redis/users.acl")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            line.replace("#REDIS_PASSWORD ", &format!(">{PASSWORD} "))
                .replace("#REDIS_VERIFIER_PASSWORD ", &format!(">{VERIFIER_PASSWORD} "))
        })
        .collect()
}
