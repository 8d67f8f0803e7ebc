//! What the client's `doctor` says of a whole installation behind the shipped Traefik files, and of others.

use mcp_gateway_client::{
    doctor::{self, Look, Options, Report},
    http::{Http, PublicOnly, Settings, Targets},
};

use super::predecessor::env_file;
use crate::support::{
    names::NameServer,
    traefik::DOMAIN,
    world::{Layout, World},
};

/// Examines the protected server as somebody on the internet would: by its names, and over TLS.
async fn examine(world: &World, options: &Options) -> Report {
    let names = NameServer::start();
    for host in ["auth", "echo"] {
        names.put(&format!("{host}.{DOMAIN}"), &["127.0.0.1"]);
    }
    let only = PublicOnly {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        name_servers: vec![names.address],
        ..PublicOnly::default()
    };
    let settings = Settings {
        targets: Targets::Public(only),
        extra_roots: Some(std::fs::read(&world.traefik.ca).unwrap()),
        ..doctor::settings()
    };
    let http = Http::new(settings).unwrap();
    let server = world.mcp_url().parse().unwrap();
    doctor::examine(&http, &server, options).await.unwrap()
}

/// The names of what was found.
fn ids(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.kind.id).collect()
}

fn text(report: &Report) -> String {
    let look = Look {
        steps: true,
        ..Look::default()
    };
    doctor::render(report, look)
}

#[tokio::test]
async fn the_shipped_installation_has_no_fault_and_no_hint_for_any_client() {
    let world = World::start(Layout::Apart(1)).await;
    let report = examine(&world, &Options::default()).await;
    assert_eq!(ids(&report), Vec::<&str>::new(), "{}", text(&report));
    assert!(
        report.clients.iter().all(|journey| journey.passes),
        "{}",
        text(&report)
    );
    assert_eq!(world.backend().requests(), 0);
}

#[tokio::test]
async fn every_client_that_may_register_is_taken_and_removed_again() {
    let world = World::start(Layout::Serve).await;
    let options = Options {
        register: true,
        ..Options::default()
    };
    let report = examine(&world, &options).await;
    assert_eq!(ids(&report), Vec::<&str>::new(), "{}", text(&report));
    let of = |purpose: &'static str| {
        let steps = report.steps.iter();
        steps.filter_map(move |step| Some((step.purpose.strip_prefix(purpose)?, step.status)))
    };
    // the others are known by their documents
    let clients = ["Cursor", "Gemini CLI", "MCP Inspector", "revision 2025-03-26"];
    let taken = clients.map(|client| (client, Some(201)));
    assert_eq!(
        of("registration, as ").collect::<Vec<_>>(),
        taken,
        "{}",
        text(&report)
    );
    let removed: Vec<_> = of("removal of ").map(|(_, status)| status).collect();
    assert_eq!(removed, [Some(204); 4], "{}", text(&report));
    assert_eq!(report.notes, Vec::<String>::new());
}

#[tokio::test]
async fn a_verifier_that_is_down_is_a_server_error() {
    let mut world = World::start(Layout::Apart(1)).await;
    drop(world.gateway.pop().unwrap());
    let report = examine(&world, &Options::default()).await;
    assert_eq!(ids(&report), ["server-error"], "{}", text(&report));
}

#[tokio::test]
async fn the_labels_of_the_predecessor_stop_clients_in_a_browser_and_nobody_else() {
    let world = World::of_the_predecessor(env_file).await;
    let report = examine(&world, &Options::default()).await;
    assert_eq!(ids(&report), ["cors-preflight"], "{}", text(&report));
    let stopped = report.clients.iter().filter(|journey| !journey.passes);
    let stopped: Vec<_> = stopped.map(|journey| journey.name).collect();
    assert_eq!(stopped, ["MCP Inspector"]);
}
