//! A whole installation on free ports.

use std::{net::SocketAddr, process::Command, time::Duration};

use mcp_gateway_sandbox::{
    Running,
    github::{Options, StandInGithub},
    mcp::{self, Recorder, RunningSample, SampleServer},
};
use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use tempfile::TempDir;

use super::{
    news::heard_by,
    process::{Process, free_port},
    traefik::{Beside, DOMAIN, Front, NAMES, Ports, Traefik, Upstreams, deploy},
};

/// Which processes the gateway consists of.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// One that does both.
    Serve,
    /// So many auth-servers, and so many verifiers.
    Apart(usize),
}

pub(crate) const PASSWORD: &str = "the-password-of-the-auth-server";
const VERIFIER_PASSWORD: &str = "the-password-of-the-verifier";

/// A whole installation.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) ports: Ports,
    pub(crate) traefik: Traefik,
    pub(crate) gateway: Vec<Process>,
    pub(crate) redis: RedisServer,
    /// How many processes verify.
    verifiers: usize,
    /// Somebody who may look at all that Redis is asked, with a password.
    observer: String,
    /// What an operator's commands are told.
    operator: Settings,
    sample: RunningSample,
    _github: Running,
}

impl World {
    /// Starts everything, with octocat allowed in.
    pub(crate) async fn start(layout: Layout) -> Self {
        Self::start_with(layout, &[]).await
    }

    /// Starts everything behind a load balancer, set up as the deployment guide has it.
    pub(crate) async fn behind_a_proxy(layout: Layout) -> Self {
        Self::build(layout, |_| Settings::new(), Front::BehindAProxy).await
    }

    /// Starts everything with something beside it, and this configuration file.
    pub(crate) async fn beside(layout: Layout, beside: &Beside, file: impl Fn(&Ground) -> String) -> Self {
        let settings = |ground: &Ground| {
            std::fs::write(ground.directory.path().join("gateway.toml"), file(ground)).unwrap();
            vec![("GATEWAY_CONFIG", "gateway.toml".to_owned())]
        };
        Self::build_beside(layout, settings, Front::Shipped, beside).await
    }

    /// Starts everything with further settings of the gateway.
    pub(crate) async fn start_with(layout: Layout, settings: &[(&'static str, &str)]) -> Self {
        let own = |_: &Ground| {
            let owned = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
            owned.collect()
        };
        Self::build(layout, own, Front::Shipped).await
    }

    /// Starts everything with further settings of the gateway, which depend on where it is.
    pub(crate) async fn start_where(layout: Layout, settings: impl Fn(&Ground) -> Settings) -> Self {
        Self::build(layout, settings, Front::Shipped).await
    }

    /// Starts everything with a configuration file that names the protected server with these lines more.
    pub(crate) async fn governed(layout: Layout, lines: &str, front: Front) -> Self {
        let settings = |ground: &Ground| {
            let text = format!("[[resource]]\nuri = \"{}\"\n{lines}\n", ground.mcp_url());
            std::fs::write(ground.directory.path().join("gateway.toml"), text).unwrap();
            vec![("GATEWAY_CONFIG", "gateway.toml".to_owned())]
        };
        Self::build(layout, settings, front).await
    }

    async fn build(layout: Layout, settings: impl Fn(&Ground) -> Settings, front: Front) -> Self {
        Self::build_beside(layout, settings, front, &Beside::default()).await
    }

    async fn build_beside(
        layout: Layout,
        settings: impl Fn(&Ground) -> Settings,
        front: Front,
        beside: &Beside,
    ) -> Self {
        let redis = RedisServer::with(RedisSetup {
            acl: users(),
            persistent: true,
            ..RedisSetup::default()
        });
        let ground = Ground::prepare(redis, beside.exercises);
        let settings = settings(&ground);
        let operator = [ground.auth_settings(), ground.common(), settings.clone()].concat();
        let (auths, verifiers) = match layout {
            Layout::Serve => (vec!["serve"], vec![]),
            Layout::Apart(count) => (vec!["auth-server"; count], vec!["verifier"; count]),
        };
        let mut gateway = Vec::new();
        let mut auth_urls = Vec::new();
        for subcommand in auths {
            let (process, url) = ground
                .spawn(
                    subcommand,
                    &[&ground.auth_settings(), &ground.common(), &settings],
                )
                .await;
            gateway.push(process);
            auth_urls.push(url);
        }
        let mut verifier_urls = Vec::new();
        for subcommand in verifiers {
            let settings = [&ground.verifier_settings()[..], &ground.common(), &settings];
            let (process, url) = ground.spawn(subcommand, &settings).await;
            gateway.push(process);
            verifier_urls.push(url);
        }
        if verifier_urls.is_empty() {
            verifier_urls.clone_from(&auth_urls);
        }
        let echo = ground.sample.url();
        let upstreams = Upstreams {
            auth: &auth_urls,
            verifier: &verifier_urls,
            echo: &echo,
            front,
            beside,
            legacy_endpoints: settings.contains(&("LEGACY_ENDPOINTS", "true".to_owned())),
        };
        let traefik = Traefik::start(ground.directory.path(), ground.ports, &upstreams).await;
        Self::assemble(ground, traefik, gateway, (operator, "observer:any@")).await
    }

    /// What the predecessor's users have: its documented `.env` file, its documented labels, and `serve` in its place.
    pub(crate) async fn of_the_predecessor(env_file: impl Fn(&Ground) -> String) -> Self {
        let redis = RedisServer::with(RedisSetup {
            password: Some(PASSWORD.to_owned()),
            persistent: true,
            ..RedisSetup::default()
        });
        let ground = Ground::prepare(redis, false);
        std::fs::write(ground.directory.path().join(".env"), env_file(&ground)).unwrap();
        let github = ground.github_settings();
        let (process, url) = ground.spawn("serve", &[&github]).await;
        let traefik = Traefik::with_predecessor_labels(&ground, &url).await;
        let observer = format!("default:{PASSWORD}@");
        Self::assemble(ground, traefik, vec![process], (github, &observer)).await
    }

    async fn assemble(
        ground: Ground,
        traefik: Traefik,
        gateway: Vec<Process>,
        (operator, observer): (Settings, &str),
    ) -> Self {
        let Ground {
            directory,
            ports,
            redis,
            sample,
            github,
            ..
        } = ground;
        // without auth-servers of their own, one process does both
        let verifiers = gateway.len().div_ceil(2);
        let world = Self {
            directory,
            ports,
            traefik,
            gateway,
            redis,
            verifiers,
            observer: observer.to_owned(),
            operator,
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
        mcp_url(self.ports)
    }

    /// Waits until every process that verifies has heard all that has happened.
    pub(crate) async fn heard(&self) {
        heard_by(self.verifiers, &self.redis, &self.observer).await;
    }

    /// The address of the protected server past Traefik and the gateway.
    pub(crate) fn backend_url(&self) -> String {
        self.sample.url()
    }

    /// What the protected server received.
    pub(crate) fn backend(&self) -> Recorder {
        self.sample.recorder()
    }

    /// A client that finds the test domain here, trusts its certificate, and follows no redirect.
    pub(crate) fn http(&self) -> reqwest::Client {
        let ca = std::fs::read(&self.traefik.ca).unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], self.ports.https));
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .timeout(Duration::from_secs(20));
        let hosts = NAMES.map(|name| format!("{name}.{DOMAIN}"));
        let builder = hosts
            .iter()
            .fold(builder, |builder, host| builder.resolve(host, here));
        builder.build().unwrap()
    }

    /// Has an operator's command done; answers what it wrote to standard output.
    pub(crate) fn operate(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway"))
            .env_clear()
            .envs(self.operator.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
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

/// What there is before the gateway starts.
pub(crate) struct Ground {
    pub(crate) directory: TempDir,
    pub(crate) ports: Ports,
    pub(crate) redis: RedisServer,
    pub(crate) sample: RunningSample,
    pub(crate) app: (String, String),
    github: Running,
}

/// Variables of the gateway's environment.
pub(crate) type Settings = Vec<(&'static str, String)>;

impl Ground {
    /// The address that the protected MCP server will have.
    pub(crate) fn mcp_url(&self) -> String {
        mcp_url(self.ports)
    }

    fn prepare(redis: RedisServer, exercises: bool) -> Self {
        let sample = mcp::Options {
            exercises,
            ..mcp::Options::default()
        };
        let options = Options::default();
        let app = (options.client_id.clone(), options.client_secret.clone());
        Self {
            directory: tempfile::tempdir().unwrap(),
            ports: Ports::free(),
            redis,
            sample: SampleServer::new(sample).start().unwrap(),
            app,
            github: StandInGithub::new(options).start().unwrap(),
        }
    }

    fn common(&self) -> Settings {
        vec![
            ("BASE_DOMAIN", format!("{DOMAIN}:{}", self.ports.https)),
            ("LOG_LEVEL", "debug".to_owned()),
        ]
    }

    fn github_settings(&self) -> Settings {
        let github = self.github.url();
        vec![
            ("GITHUB_API_URL", format!("{github}/api/v3")),
            ("GITHUB_WEB_URL", github),
        ]
    }

    fn auth_settings(&self) -> Settings {
        let mut settings = self.github_settings();
        settings.extend([
            ("GITHUB_CLIENT_ID", self.app.0.clone()),
            ("GITHUB_CLIENT_SECRET", self.app.1.clone()),
            ("ALLOWED_GITHUB_USERS", "OctoCat".to_owned()),
            ("REDIS_URL", self.redis.url()),
            ("REDIS_PASSWORD", PASSWORD.to_owned()),
            (
                "STORE_ENCRYPTION_KEY",
                "0123456789abcdef0123456789abcdef".to_owned(),
            ),
        ]);
        settings
    }

    fn verifier_settings(&self) -> Settings {
        vec![
            ("REDIS_URL", self.redis.url_for("verifier@")),
            ("REDIS_PASSWORD", VERIFIER_PASSWORD.to_owned()),
            ("ALLOWED_GITHUB_USERS", "OctoCat".to_owned()),
        ]
    }

    /// Starts one process of the gateway on a free port; answers its address too.
    async fn spawn(&self, subcommand: &str, settings: &[&[(&str, impl AsRef<str>)]]) -> (Process, String) {
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, value) in settings.iter().copied().flatten() {
            command.env(name, value.as_ref());
        }
        let directory = self.directory.path();
        command
            .current_dir(directory)
            .args([subcommand, "--port", &port.to_string()]);
        let process = Process::start(&mut command, directory, &format!("{subcommand}-{port}"));
        let url = format!("http://127.0.0.1:{port}");
        (process.ready(&format!("{url}/readyz")).await, url)
    }
}

fn mcp_url(ports: Ports) -> String {
    format!("https://echo.{DOMAIN}:{}/mcp", ports.https)
}

/// The shipped Redis users, with the passwords of these tests, and one who looks on.
fn users() -> Vec<String> {
    let text = std::fs::read_to_string(deploy().join("redis/users.acl")).unwrap();
    let observer = "user observer on nopass ~* &* +@all";
    text.lines()
        .chain([observer])
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            line.replace("#REDIS_PASSWORD ", &format!(">{PASSWORD} "))
                .replace("#REDIS_VERIFIER_PASSWORD ", &format!(">{VERIFIER_PASSWORD} "))
        })
        .collect()
}
