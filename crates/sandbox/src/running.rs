//! Servers of the sandbox run on threads of their own, so that they work inside any runtime.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
};

use actix_web::{App, HttpServer, dev::ServerHandle, web};

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it: open connections are cut.
    pub fn stop(&self) {
        drop(self.handle.stop(false));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs what `configure` mounts on `listener`, on a thread with a runtime of its own.
pub(crate) fn run<F>(listener: TcpListener, configure: F) -> Result<Running, StartError>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let address = listener.local_addr()?;
    let (tell, told) = mpsc::channel();
    thread::Builder::new().name("sandbox".into()).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(move || App::new().configure(configure.clone()))
                .workers(1)
                .disable_signals()
                .listen(listener);
            match server {
                Ok(server) => {
                    let server = server.run();
                    if tell.send(Ok(server.handle())).is_ok() {
                        drop(server.await);
                    }
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        });
    })?;
    let handle = told.recv().map_err(io::Error::other)??;
    Ok(Running { address, handle })
}

/// Refuses an address that others can reach.
///
/// # Errors
/// [`NotLoopback`] for any address but loopback.
pub(crate) const fn must_be_loopback(address: SocketAddr) -> Result<(), NotLoopback> {
    if address.ip().is_loopback() {
        Ok(())
    } else {
        Err(NotLoopback(address))
    }
}

/// The address can be reached by others; whoever reaches this server is anybody they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a loopback address: the sandbox would let everybody in who can reach it")]
pub struct NotLoopback(pub SocketAddr);

/// Why a server of the sandbox does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not loopback.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// The operating system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}
