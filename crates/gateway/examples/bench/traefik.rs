//! A real Traefik with the shipped middleware, without TLS: what the verifier costs is not hidden behind a handshake.

use std::{fs, path::Path, time::Duration};

use mcp_gateway_store::testing::free_port;

use crate::{
    Answer,
    client::Line,
    process::Start,
    progress::now,
    stage::{Server, Stage},
};

/// Starts one whose middleware asks `verifier`, in front of `backend`.
///
/// # Errors
/// When it does not start.
pub(crate) fn start(stage: &Stage, name: &str, verifier: &Server, backend: &Server) -> Answer<Server> {
    let directory = stage.directory.path().join(name);
    fs::create_dir_all(directory.join("dynamic"))?;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/traefik/dynamic/gateway.yml");
    fs::copy(shipped, directory.join("dynamic/gateway.yml"))?;
    fs::write(directory.join("dynamic/echo.yml"), route(backend))?;
    let (web, unused, ping) = (free_port(), free_port(), free_port());
    fs::write(
        directory.join("traefik.yml"),
        settings(&directory, web, unused, ping),
    )?;
    let file = directory.join("traefik.yml").display().to_string();
    let url = |server: &Server| format!("http://127.0.0.1:{}", server.port);
    let start = Start {
        program: Path::new("traefik"),
        arguments: vec![format!("--configFile={file}")],
        environment: vec![
            ("BASE_DOMAIN".into(), "bench.test".into()),
            ("AUTH_URL".into(), url(verifier)),
            ("VERIFIER_URL".into(), url(verifier)),
        ],
        directory: &directory,
        core: Some(stage.cores.server),
    };
    let process = start.ready(ping, "/ping")?;
    Ok(Server { process, port: web })
}

/// Waits until it lets a request through: it answers pings before it has read its routes.
///
/// # Errors
/// When it does not within 20 seconds; the text is what it answers.
pub(crate) async fn routed(traefik: &Server, request: &str) -> Answer<()> {
    let began = now();
    loop {
        let mut line = Line::open(traefik.port).await?;
        let status = line.ask(request.as_bytes()).await?;
        if status == 200 {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(20) {
            let said = String::from_utf8_lossy(line.body()).into_owned();
            return Err(format!("Traefik lets nothing through: {status} {said}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn route(backend: &Server) -> String {
    format!(
        "http:
  routers:
    echo:
      entryPoints: [web]
      rule: 'Host(`echo.bench.test`)'
      middlewares: [mcp-auth]
      service: echo
  services:
    echo:
      loadBalancer:
        servers:
          - url: 'http://127.0.0.1:{}'
",
        backend.port
    )
}

/// The shipped routes name the entry point `websecure`; nobody comes through it here.
fn settings(directory: &Path, web: u16, unused: u16, ping: u16) -> String {
    format!(
        "entryPoints:
  web: {{ address: '127.0.0.1:{web}' }}
  websecure: {{ address: '127.0.0.1:{unused}' }}
  ping: {{ address: '127.0.0.1:{ping}' }}
ping: {{ entryPoint: ping }}
log: {{ level: ERROR }}
global: {{ checkNewVersion: false, sendAnonymousUsage: false }}
providers:
  file: {{ directory: '{}/dynamic', watch: false }}
",
        directory.display()
    )
}
