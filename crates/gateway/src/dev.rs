//! `dev`: the gateway, a protected sample MCP server and a stand-in GitHub in one process, on this machine only.

mod demo;
mod forward;
mod host;
mod layout;
mod sample;
mod welcome;

use std::{collections::BTreeMap, net::TcpListener, path::Path};

use ::config::{Map, Value};
use actix_service::{IntoServiceFactory as _, boxed};
use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};
use mcp_gateway_model::{
    resource::ResourceUri,
    secret::{Secret, random_text},
};
use mcp_gateway_sandbox::{github, mcp::Protection};

use crate::{
    cli::{DevArgs, environment},
    config::{Config, Faults, Flags, Role, Sources, dev::VARIABLES, dotenv},
    failure::Failure,
    logs,
    output::say,
    serve::{self, front::Front, parts::Parts},
};
use forward::Forward;
use host::OwnNames;
use layout::{Layout, address};
use sample::Alone;
use welcome::Started;

/// The variables that `dev` takes from the environment. All others but those of [`VARIABLES`] it makes up.
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
    let layout = wanted(args)?;
    let listener = serve::bind(&layout.gateway.address.to_string(), layout.gateway.port)?;
    let here = listener.local_addr().map_err(Failure::runtime)?;
    let origin = layout.gateway.origin(here.port());
    let alone = layout.alone.as_ref().map(Alone::bind).transpose()?;

    let secret = random_text::<32>();
    let github = github::StandInGithub::new(github::Options::new(CLIENT_ID, &secret))
        .start()
        .map_err(|error| Failure::Runtime(format!("the stand-in GitHub cannot start: {error}")))?;
    let made_up = made_up(&origin, &secret, &github.url());
    let mut config = configuration(args, &layout, made_up, &resources(&origin, alone.as_ref()))?;
    let demo = demo::set_up(&mut config, &layout, here)?;
    let protection = match &alone {
        Some(alone) => alone.protect(&mut config)?,
        None => Protection::Behind,
    };
    logs::begin(&config.logs)?;
    demo.iter().for_each(demo::Demo::warn);
    let parts = Parts::put_together(&config, Role::Dev).await?;
    let uri = alone.as_ref().map(|alone| alone.uri.clone());
    let proof = Secret::presented(random_text::<32>());
    let sample = sample::start(protection, alone, &proof, args.data_dir.as_deref())?;
    let forward = if uri.is_none() {
        let verify = address(&format!("http://{here}/verify"))?;
        Some(Forward::new(verify, address(&sample.url())?, proof).map_err(Failure::runtime)?)
    } else {
        None
    };
    let mut others = Vec::new();
    if let Some(metrics) = config.listen.metrics {
        others.push(serve::metrics::begin(metrics, &parts.registry)?);
    }
    let edge = parts.edge.clone();
    let _socket = serve::take_orders(&config, &parts)?;
    let server = listen(parts, listener, forward, OwnNames::new(here.port()))?;
    say(&welcome::text(&Started {
        gateway: &origin,
        alone: uri.as_ref().map(ResourceUri::as_str),
        github: &github.url(),
        users: &github::user_names(),
        data_dir: args.data_dir.as_deref(),
        demo: demo.as_ref(),
    }));
    serve::until_signalled(server, others, edge, &config.listen).await
}

/// What the options and variables want; the variables may also stand in `.env`, which may be another program's: what else is in it
/// is passed over, and a `SECRET_KEY` too if it is all that there is.
fn wanted(args: &DevArgs) -> Result<Layout, Failure> {
    let mut faults = Faults::default();
    let file = Path::new(".env");
    let mut given = if file.exists() {
        dotenv::read_some(file, &mut faults, |name| VARIABLES.iter().any(|v| v.name == name))
    } else {
        BTreeMap::new()
    };
    let mut set = environment();
    set.retain(|name, _| VARIABLES.iter().any(|v| v.name == name));
    if given.len() == 1 && set.is_empty() {
        given.remove("SECRET_KEY");
    }
    given.extend(set);
    Ok(Layout::read(args, &given, faults)?)
}

/// What is protected: the sample MCP server, behind the gateway under each of this machine's names, because a client may have
/// been given any of them, or by itself under the one that it goes by.
fn resources(origin: &str, alone: Option<&Alone>) -> Vec<String> {
    match alone {
        Some(alone) => vec![alone.uri.to_string()],
        None => own_names(origin).map(|name| format!("{name}{PATH}")).collect(),
    }
}

/// This machine's names in place of `localhost` in `origin`.
fn own_names(origin: &str) -> impl Iterator<Item = String> {
    ["localhost", "127.0.0.1", "[::1]"]
        .into_iter()
        .map(|name| origin.replacen("localhost", name, 1))
}

/// Everything that a person would have to set.
fn made_up(origin: &str, secret: &str, github: &str) -> Vec<(&'static str, String)> {
    vec![
        ("MCP_OAUTH_ISSUER", origin.to_owned()),
        ("GITHUB_CLIENT_ID", CLIENT_ID.to_owned()),
        ("GITHUB_CLIENT_SECRET", secret.to_owned()),
        ("GITHUB_WEB_URL", github.to_owned()),
        ("GITHUB_API_URL", github.to_owned()),
        ("ALLOWED_GITHUB_USERS", "*".to_owned()),
        // under this machine's other names, the endpoints are on protected hosts
        ("LEGACY_ENDPOINTS", "true".to_owned()),
    ]
}

/// A configuration of what is made up, what was asked for, and the few variables that are obeyed.
fn configuration(
    args: &DevArgs,
    layout: &Layout,
    mut settings: Vec<(&'static str, String)>,
    resources: &[String],
) -> Result<Config, Failure> {
    let obeyed: BTreeMap<_, _> = environment()
        .into_iter()
        .filter(|(name, _)| OBEYED.contains(&name.as_str()))
        .collect();
    settings.extend(resources.first().map(|uri| ("DEFAULT_RESOURCE", uri.clone())));
    settings.extend(
        layout
            .secret_key
            .as_ref()
            .map(|key| ("JWT_SECRET", key.reveal().to_owned())),
    );
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
    sources.resources = resources
        .iter()
        .map(|uri| Map::from_iter([("uri".to_owned(), Value::from(uri.clone()))]))
        .collect();
    Ok(Config::parse(&sources, Role::Dev, faults)?)
}

fn listen(
    parts: Parts,
    listener: TcpListener,
    forward: Option<Forward>,
    names: OwnNames,
) -> Result<Server, Failure> {
    let names = web::Data::new(names);
    let server = HttpServer::new(move || {
        let forward = forward.clone();
        let app = App::new()
            .wrap(from_fn(host::pass))
            .app_data(names.clone())
            .configure(|routes| {
                if let Some(forward) = forward {
                    forward.configure(PATH)(routes);
                }
            })
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
