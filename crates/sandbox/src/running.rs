//! A server on a thread and a runtime of its own, so that it runs beside whatever runtime its caller has.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web::ServiceConfig};

use crate::mcp::OpenError;

/// How long an idle connection is kept: longer than a proxy in front keeps its own, so that the proxy closes it first.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// Why a server of the sandbox was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It would have been reachable from elsewhere.
    #[error("{0} is not a loopback address: the stand-in GitHub lets anybody log in as anybody")]
    NotLoopback(SocketAddr),
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// An option is not what it must be.
    #[error("{0}")]
    Option(String),
    /// The address could not be bound, or the thread could not be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A server that runs until it is stopped or dropped.
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin, without a trailing slash: `http://127.0.0.1:49152`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the listener and every connection, and waits until that is done.
    pub async fn stop(mut self) {
        self.handle.stop(false).await;
        if let Some(thread) = self.thread.take() {
            // the server has ended: what is left of the thread is its return
            let _ended = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // the command is sent by the call; only its completion would have to be awaited
        drop(self.handle.stop(false));
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Binds `address` and serves what `configure` mounts.
pub(crate) fn start<F>(address: SocketAddr, configure: F) -> io::Result<Running>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    serve_at(TcpListener::bind(address)?, configure)
}

/// Serves what `configure` mounts at `listener`.
pub(crate) fn serve_at<F>(listener: TcpListener, configure: F) -> io::Result<Running>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let address = listener.local_addr()?;
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("sandbox".into())
        .spawn(move || serve(listener, configure, &sender))?;
    let handle = receiver
        .recv()
        .map_err(|_| io::Error::other("the server's thread ended before it started"))??;
    Ok(Running {
        address,
        handle,
        thread: Some(thread),
    })
}

fn serve<F>(listener: TcpListener, configure: F, started: &mpsc::Sender<io::Result<ServerHandle>>)
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    System::new().block_on(async move {
        let server = HttpServer::new(move || App::new().configure(configure.clone()))
            .workers(2)
            .keep_alive(KEEP_ALIVE)
            .disable_signals()
            .listen(listener);
        match server {
            Ok(server) => {
                let server = server.run();
                // nobody waits any more: then nobody needs the handle either
                let _sent = started.send(Ok(server.handle()));
                if let Err(error) = server.await {
                    tracing::error!(%error, "a server of the sandbox ended");
                }
            }
            Err(error) => {
                let _sent = started.send(Err(error));
            }
        }
    });
}
