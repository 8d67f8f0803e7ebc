//! Rounds in which GitHub is asked again where people belong, for as long as the server runs.

use actix_web::{
    rt::{self, task::JoinHandle, time},
    web,
};
use mcp_gateway_auth_server::AuthServer;
use tracing::{debug, warn};

/// The rounds; they end with the value. One that is cut off is taken up by the next server, or after a restart: nothing is
/// half done in the store.
pub(crate) struct Rechecks(JoinHandle<()>);

impl Rechecks {
    /// Begins, if it matters anywhere where people belong.
    pub(crate) fn begin(server: web::Data<AuthServer>) -> Option<Self> {
        let interval = server.recheck_interval()?;
        Some(Self(rt::spawn(async move {
            loop {
                match server.recheck_memberships().await {
                    Ok(done) => debug!(?done, "asked GitHub again where people belong"),
                    Err(error) => warn!(%error, "memberships could not be checked again"),
                }
                time::sleep(interval).await;
            }
        })))
    }
}

impl Drop for Rechecks {
    fn drop(&mut self) {
        self.0.abort();
    }
}
