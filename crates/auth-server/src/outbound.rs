//! HTTP clients that are made when they are first needed: reading the system's root certificates takes longer than
//! everything else at a start, and most processes never make a call, or make their first one much later.

use std::sync::Arc;

use reqwest::Client;
use tokio::{sync::OnceCell, task::spawn_blocking};

type Made = Result<Client, reqwest::Error>;

/// An HTTP client, or the way to make it.
pub(crate) struct Outbound {
    client: OnceCell<Client>,
    make: Arc<dyn Fn() -> Made + Send + Sync>,
}

/// There is no HTTP client. The log knows why.
#[derive(Debug)]
pub(crate) struct NoClient;

impl Outbound {
    /// A client that `make` will make. What cannot be used whatever the system is like is for the caller to find first.
    pub(crate) fn new(make: impl Fn() -> Made + Send + Sync + 'static) -> Self {
        Self {
            client: OnceCell::new(),
            make: Arc::new(make),
        }
    }

    /// The client. One that cannot be made is tried again with the next call.
    ///
    /// # Errors
    /// [`NoClient`] when this system has no root certificates that can be read.
    pub(crate) async fn client(&self) -> Result<&Client, NoClient> {
        let making = || async {
            let make = Arc::clone(&self.make);
            // reading the certificates keeps no other request waiting
            let outcome = spawn_blocking(move || make()).await.map_err(|_| NoClient)?;
            outcome.map_err(|error| {
                tracing::error!(%error, "no calls can be made: has this system root certificates (ca-certificates)?");
                NoClient
            })
        };
        self.client.get_or_try_init(making).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn refused() -> Made {
        // a header of the builder that no client can have
        Client::builder().user_agent("\n").build()
    }

    #[tokio::test]
    async fn a_client_is_made_with_the_first_call_and_only_once() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let outbound = Outbound::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Client::builder().build()
        });
        assert_eq!(made.load(Ordering::SeqCst), 0);
        let (first, second) = tokio::join!(outbound.client(), outbound.client());
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_client_that_cannot_be_made_is_tried_again() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let outbound = Outbound::new(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => refused(),
            _ => Client::builder().build(),
        });
        assert!(outbound.client().await.is_err());
        assert!(outbound.client().await.is_ok());
    }
}
