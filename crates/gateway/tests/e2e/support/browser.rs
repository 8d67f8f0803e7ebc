//! Chromium and the clients in `tests/clients`, each a process of its own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tokio::process::Command;

use super::{traefik::DOMAIN, world::World};

/// The directory of the drivers.
pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a driver, and answers the JSON line it prints.
pub(crate) async fn drive(world: Option<&World>, driver: &str, arguments: &[&str]) -> Value {
    let directory = clients();
    assert!(
        directory.join("node_modules").is_dir(),
        "the clients are not installed: run scripts/setup, or npm ci in crates/gateway/tests/clients"
    );
    let mut command = Command::new("node");
    command
        .arg("--require")
        .arg(directory.join("loopback.cjs"))
        .arg(directory.join(driver))
        .args(arguments);
    if let Some(world) = world {
        command
            .env("TEST_DOMAIN", DOMAIN)
            .env("NODE_EXTRA_CA_CERTS", &world.traefik.ca);
    }
    let run = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(120), run).await;
    let output = output
        .unwrap_or_else(|_| panic!("{driver} does not end"))
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let logs = world.map(World::logs).unwrap_or_default();
    assert!(output.status.success(), "{driver} failed:\n{errors}\n{logs}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .rfind(|line| line.starts_with('{'))
        .unwrap_or_else(|| panic!("{driver}: {text}{errors}"));
    serde_json::from_str(line).unwrap()
}
