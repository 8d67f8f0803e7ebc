//! `dev`: the gateway, a protected sample MCP server and a stand-in GitHub in one process, on this machine only.

mod forward;
mod host;
mod welcome;

use std::{
    collections::BTreeMap,
    fmt::Display,
    net::{IpAddr, TcpListener},
};

use ::config::{Map, Value};
use actix_service::{IntoServiceFactory as _, boxed};
use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use mcp_gateway_model::secret::random_text;
use mcp_gateway_sandbox::{github, mcp};
use reqwest::Url;

use crate::{
    cli::{DevArgs, environment},
    config::{Config, Faults, Flags, Role, Sources},
    failure::Failure,
    logs,
    output::say,
    serve::{self, front::Front, parts::Parts},
};
use forward::Forward;
use host::OwnNames;

/// The variables that `dev` takes from the environment. All others it makes up.
const OBEYED: &[&str] = &[
    "LOG_LEVEL",
    "LOG_FORMAT",
    "LOG_FILE",
    "METRICS_LISTEN",
    "JWT_ALGORITHM",
    "AUTHORIZATION_RESPONSE_ISS",
    "SHUTDOWN_DELAY",
    "CLIENT_ID_METADATA_DOCUMENTS",
    "FETCH_ALLOWED_NETWORKS",
    "FETCH_PORTS",
    "FETCH_CA_FILE",
    "FETCH_DNS_SERVERS",
];
const CLIENT_ID: &str = "gateway-dev";
/// How long what is in flight may take at the end, in seconds. Clients keep streams open that never finish, and a person
/// waits who pressed Ctrl-C.
const PATIENCE: u64 = 3;
/// Where the sample MCP server is.
const PATH: &str = "/mcp";

/// Runs everything until Ctrl-C.
///
/// # Errors
/// [`Failure::Configuration`] for any address but loopback, [`Failure::Runtime`] when the port is taken.
pub(crate) async fn run(args: &DevArgs) -> Result<(), Failure> {
    let host = loopback(&args.host)?;
    let listener = serve::bind(&host.to_string(), args.port)?;
    let port = listener.local_addr().map_err(Failure::runtime)?.port();
    let origin = format!("http://localhost:{port}");

    let secret = random_text::<32>();
    let github = github::StandInGithub::new(github::Options::new(CLIENT_ID, &secret))
        .start()
        .map_err(|error| Failure::Runtime(format!("the stand-in GitHub cannot start: {error}")))?;
    let sample = sample(args)?;

    let config = configuration(args, &origin, &secret, &github.url())?;
    logs::begin(&config.logs)?;
    let parts = Parts::put_together(&config, Role::Dev).await?;
    let verify = address(&format!(
        "http://{}/verify",
        listener.local_addr().map_err(Failure::runtime)?
    ))?;
    let forward = Forward::new(verify, address(&sample.url())?).map_err(Failure::runtime)?;
    let mut others = Vec::new();
    if let Some(metrics) = config.listen.metrics {
        others.push(serve::metrics::begin(metrics, &parts.registry)?);
    }
    let edge = parts.edge.clone();
    let _socket = serve::take_orders(&config, &parts)?;
    let server = listen(parts, listener, forward, OwnNames::new(port))?;
    say(&welcome::text(
        &origin,
        &github.url(),
        &github::user_names(),
        args.data_dir.as_deref(),
    ));
    serve::until_signalled(server, others, edge, &config.listen).await
}

/// The sample MCP server, with its data where the rest of the state is.
fn sample(args: &DevArgs) -> Result<mcp::RunningSample, Failure> {
    let failed =
        |error: &dyn Display| Failure::Runtime(format!("the sample MCP server cannot start: {error}"));
    let directory = args.data_dir.as_ref().map(|directory| directory.join("sample"));
    let items = directory.as_deref().map(mcp::Items::open).transpose();
    let options = mcp::Options {
        items: items.map_err(|error| failed(&error))?.unwrap_or_default(),
        ..mcp::Options::default()
    };
    mcp::SampleServer::new(options)
        .start()
        .map_err(|error| failed(&error))
}

/// The address to listen on, if it is this machine's own.
fn loopback(host: &str) -> Result<IpAddr, Failure> {
    let text = host.trim_start_matches('[').trim_end_matches(']');
    let address = if text.eq_ignore_ascii_case("localhost") {
        Ok(IpAddr::from([127, 0, 0, 1]))
    } else {
        text.parse::<IpAddr>()
    };
    match address {
        Ok(address) if address.is_loopback() => Ok(address),
        _ => Err(Failure::Configuration(format!(
            "--host {host}: dev listens on this machine's own address only (127.0.0.1 or ::1), because anybody may log in; use serve"
        ))),
    }
}

/// This machine's names in place of `localhost` in `origin`.
fn own_names(origin: &str) -> impl Iterator<Item = String> {
    ["localhost", "127.0.0.1", "[::1]"]
        .into_iter()
        .map(|name| origin.replacen("localhost", name, 1))
}

fn address(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(Failure::runtime)
}

/// A configuration with everything made up that a person would have to set.
fn configuration(args: &DevArgs, origin: &str, secret: &str, github: &str) -> Result<Config, Failure> {
    let obeyed: BTreeMap<_, _> = environment()
        .into_iter()
        .filter(|(name, _)| OBEYED.contains(&name.as_str()))
        .collect();
    let mut settings = vec![
        ("MCP_OAUTH_ISSUER", origin.to_owned()),
        ("DEFAULT_RESOURCE", format!("{origin}{PATH}")),
        ("GITHUB_CLIENT_ID", CLIENT_ID.to_owned()),
        ("GITHUB_CLIENT_SECRET", secret.to_owned()),
        ("GITHUB_WEB_URL", github.to_owned()),
        ("GITHUB_API_URL", github.to_owned()),
        ("ALLOWED_GITHUB_USERS", "*".to_owned()),
        // under this machine's other names, the endpoints are on protected hosts
        ("LEGACY_ENDPOINTS", "true".to_owned()),
    ];
    settings.extend(
        args.data_dir
            .as_ref()
            .map(|directory| ("DATA_DIR", directory.display().to_string())),
    );
    let flags = Flags {
        settings,
        ..Flags::default()
    };
    let mut faults = Faults::default();
    let mut sources = Sources::made_up(&flags, obeyed, &mut faults);
    // a client that was given another of this machine's names finds the server there as well
    sources.resources = own_names(origin)
        .map(|name| Map::from_iter([("uri".to_owned(), Value::from(format!("{name}{PATH}")))]))
        .collect();
    Ok(Config::parse(&sources, Role::Dev, faults)?)
}

fn listen(parts: Parts, listener: TcpListener, forward: Forward, names: OwnNames) -> Result<Server, Failure> {
    let names = web::Data::new(names);
    let server = HttpServer::new(move || {
        let app = App::new()
            .wrap(from_fn(host::pass))
            .app_data(names.clone())
            .configure(forward.clone().configure(PATH))
            .configure(parts.routes())
            .into_factory();
        // all requests are routed: the names come first
        Front::new(boxed::factory(app), parts.edge.clone(), None)
    })
    .workers(2)
    .keep_alive(serve::KEEP_ALIVE)
    .disable_signals()
    .shutdown_timeout(PATIENCE)
    .listen(listener)
    .map_err(Failure::runtime)?;
    Ok(server.run())
}
