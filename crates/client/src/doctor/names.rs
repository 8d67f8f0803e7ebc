//! Where names lead to: a server of the public internet could name one that leads inside of somebody's network.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use mcp_gateway_model::internet::is_public;

/// How long it may take to look a name up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Says where a name is.
pub type Lookup = fn(&str) -> Vec<IpAddr>;

/// The names that were looked up, and whether one of their addresses is inside of a network.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, bool>);

impl Names {
    /// Whether a name leads inside of a network; one that leads nowhere does not.
    pub(super) async fn is_inside(
        &mut self,
        name: &str,
        (lookup, chosen): (Option<Lookup>, Option<IpAddr>),
    ) -> bool {
        if let Some(known) = self.0.get(name) {
            return *known;
        }
        let addresses = match (lookup, chosen) {
            (Some(lookup), _) => lookup(name),
            (None, Some(address)) => vec![address],
            (None, None) => system(name).await,
        };
        let is_inside = addresses.into_iter().any(|address| !is_public(address));
        self.0.insert(name.to_owned(), is_inside);
        is_inside
    }
}

async fn system(name: &str) -> Vec<IpAddr> {
    let looking = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await;
    match looking {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip()).collect(),
        _ => Vec::new(),
    }
}
