//! The real Traefik, started by the shipped script, with the shipped files and the certificate that the shipped script makes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    process::{Process, free_port},
    world::Ground,
};

/// The domain of these tests.
pub(crate) const DOMAIN: &str = "gateway.test";
/// Who has a name below it: the auth-server, the sample, and servers of others.
pub(crate) const NAMES: [&str; 4] = ["auth", "echo", "memory", "everything"];

/// Where Traefik listens.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
    ping: u16,
}

impl Ports {
    pub(crate) fn free() -> Self {
        Self {
            http: free_port(),
            https: free_port(),
            ping: free_port(),
        }
    }
}

/// What Traefik forwards to.
pub(crate) struct Upstreams<'a> {
    pub(crate) auth: &'a [String],
    pub(crate) verifier: &'a [String],
    pub(crate) echo: &'a str,
    pub(crate) front: Front,
    pub(crate) beside: &'a Beside,
    /// Whether the endpoints of clients without metadata are on the protected host too.
    pub(crate) legacy_endpoints: bool,
}

/// What is there besides what is shipped: a server that is none of ours, with its routes and what they are told.
#[derive(Default)]
pub(crate) struct Beside {
    /// Whether the sample has what the official conformance suite asks for.
    pub(crate) exercises: bool,
    /// What the file of its routes is called, and what is in it.
    pub(crate) routes: Option<(&'static str, String)>,
    /// What Traefik's environment has for them.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// How Traefik is set up beyond what is shipped, as the deployment guide has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// Not at all.
    Shipped,
    /// The caller is listed as a load balancer.
    BehindAProxy,
    /// The MCP server has rules that need the bodies of requests.
    WithBodies,
}

/// The shipped directory `deploy/`.
pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .canonicalize()
        .unwrap()
}

/// A running Traefik, and the certificate authority that its certificate is from.
pub(crate) struct Traefik {
    pub(crate) process: Process,
    pub(crate) ca: PathBuf,
}

impl Traefik {
    /// Starts it on `ports`, in front of `upstreams`.
    pub(crate) async fn start(directory: &Path, ports: Ports, upstreams: &Upstreams<'_>) -> Self {
        let config = directory.join("traefik");
        copy(&deploy().join("traefik"), &config);
        more_servers(&config.join("dynamic/gateway.yml"), "AUTH_URL", upstreams.auth);
        more_servers(
            &config.join("dynamic/gateway.yml"),
            "VERIFIER_URL",
            upstreams.verifier,
        );
        let (file, from, to) = match upstreams.front {
            Front::Shipped => ("traefik.yml", "", ""),
            Front::BehindAProxy => ("traefik.yml", "trustedIPs: []", "trustedIPs: [\"127.0.0.1/32\"]"),
            Front::WithBodies => ("dynamic/echo.yml", "[mcp-auth]", "[mcp-auth-body]"),
        };
        let text = fs::read_to_string(config.join(file)).unwrap();
        assert!(text.contains(from), "{from} in {file}");
        fs::write(config.join(file), text.replacen(from, to, 1)).unwrap();
        if let Some((name, routes)) = &upstreams.beside.routes {
            fs::write(config.join("dynamic").join(name), routes).unwrap();
        }
        Self::run(directory, ports, upstreams, &config).await
    }

    /// Starts it with the labels that the predecessor documented, verbatim, in place of the shipped routes.
    pub(crate) async fn with_predecessor_labels(ground: &Ground, gateway: &str) -> Self {
        let directory = ground.directory.path();
        let config = directory.join("traefik");
        copy(&deploy().join("traefik"), &config);
        for shipped in ["gateway.yml", "echo.yml"] {
            fs::remove_file(config.join("dynamic").join(shipped)).unwrap();
        }
        let echo = ground.sample.url();
        let converted = Command::new("python3")
            .arg(deploy().join("test/labels.py"))
            .arg(deploy().join("test/predecessor-labels.yml"))
            .args(["--set", &format!("BASE_DOMAIN={DOMAIN}")])
            .args([
                "--service",
                &format!("auth={gateway}"),
                "--service",
                &format!("myservice={echo}"),
            ])
            .output()
            .unwrap();
        assert!(
            converted.status.success(),
            "{}",
            String::from_utf8_lossy(&converted.stderr)
        );
        fs::write(config.join("dynamic/labels.yml"), converted.stdout).unwrap();
        let gateway = [gateway.to_owned()];
        let upstreams = Upstreams {
            auth: &gateway,
            verifier: &gateway,
            echo: &echo,
            front: Front::Shipped,
            beside: &Beside::default(),
            legacy_endpoints: false,
        };
        Self::run(directory, ground.ports, &upstreams, &config).await
    }

    async fn run(directory: &Path, ports: Ports, upstreams: &Upstreams<'_>, config: &Path) -> Self {
        let certificates = directory.join("certificates");
        let environment = |command: &mut Command| {
            command
                .env("BASE_DOMAIN", DOMAIN)
                .env_remove("ACME_EMAIL")
                .env("LEGACY_ENDPOINTS", upstreams.legacy_endpoints.to_string())
                .env("CONFIG_DIR", config)
                .env("RUN_DIR", directory.join("run"))
                .env("CERTIFICATE_DIR", &certificates)
                .env("HTTP_ADDRESS", format!("127.0.0.1:{}", ports.http))
                .env("HTTPS_ADDRESS", format!("127.0.0.1:{}", ports.https))
                .env("PING_ADDRESS", format!("127.0.0.1:{}", ports.ping))
                .env("AUTH_URL", &upstreams.auth[0])
                .env("VERIFIER_URL", &upstreams.verifier[0])
                .env("ECHO_URL", upstreams.echo)
                .envs(
                    upstreams
                        .beside
                        .environment
                        .iter()
                        .map(|(name, value)| (name, value)),
                );
        };
        let mut script = Command::new("/bin/sh");
        script.arg(config.join("certificate.sh"));
        environment(&mut script);
        let made = script.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut start = Command::new("/bin/sh");
        start.arg(config.join("start.sh"));
        environment(&mut start);
        let process = Process::start(&mut start, directory, "traefik");
        let process = process
            .ready(&format!("http://127.0.0.1:{}/ping", ports.ping))
            .await;
        Self {
            process,
            ca: certificates.join("ca.crt"),
        }
    }
}

/// Puts further servers beside the one that `variable` names, as an operator of several replicas does.
fn more_servers(file: &Path, variable: &str, urls: &[String]) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(line.to_owned());
        if line.contains("- url:") && line.contains(&format!("\"{variable}\"")) {
            let indent = &line[..line.find('-').unwrap()];
            lines.extend(urls.iter().skip(1).map(|url| format!("{indent}- url: '{url}'")));
        }
    }
    fs::write(file, lines.join("\n")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
