//! The end: `/readyz` fails first, then nothing new comes in, then what is in flight finishes.

use std::{io, sync::atomic::Ordering, time::Duration};

use actix_web::{
    dev::ServerHandle,
    rt::{
        self,
        signal::unix::{SignalKind, signal},
    },
    web,
};
use tracing::info;

use super::edge::Edge;

/// How long the end may take, in seconds.
pub(crate) const AT_MOST: u64 = 30;

/// How long is left for what is in flight when `delay` has passed, in seconds.
pub(crate) const fn left_after(delay: Duration) -> u64 {
    AT_MOST.saturating_sub(delay.as_secs())
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be waited for.
pub(crate) async fn signalled() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    futures_util::future::select(Box::pin(terminate.recv()), Box::pin(interrupt.recv())).await;
    Ok(())
}

/// Waits for SIGTERM or SIGINT, then ends the servers. A second signal ends them at once.
pub(crate) async fn on_signal(
    servers: Vec<ServerHandle>,
    edge: web::Data<Edge>,
    delay: Duration,
) -> io::Result<()> {
    signalled().await?;
    info!("ending: not ready for new requests, finishing those in flight");
    edge.draining.store(true, Ordering::SeqCst);
    let finish = async {
        rt::time::sleep(delay).await;
        futures_util::future::join_all(servers.iter().map(|server| server.stop(true))).await;
    };
    let hurried = futures_util::future::select(Box::pin(finish), Box::pin(signalled())).await;
    if let futures_util::future::Either::Right(_) = hurried {
        futures_util::future::join_all(servers.iter().map(|server| server.stop(false))).await;
    }
    Ok(())
}
