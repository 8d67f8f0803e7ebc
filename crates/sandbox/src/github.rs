//! A stand-in for GitHub: its wire format, without its security. Loopback only.

mod api;
mod fault;
mod state;
mod web_flow;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::web::{self, ServiceConfig};

pub use fault::Fault;
pub use state::{Calls, Handle, Membership, Options, Team, User};

use crate::running::{Running, StartError, must_be_loopback, run};

/// A GitHub that lets anybody be any of its users.
#[derive(Clone, Debug)]
pub struct StandInGithub {
    handle: Handle,
}

impl StandInGithub {
    /// A stand-in with these users and this OAuth app.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            handle: Handle::new(options),
        }
    }

    /// What tests hold on to: users, faults, what was asked.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Mounts the web flow and the API, the latter at the root (as `api.github.com`) and below `/api/v3` (as an
    /// Enterprise Server).
    pub fn configure(&self, config: &mut ServiceConfig) {
        config
            .app_data(web::Data::from(Arc::clone(&self.handle.0)))
            .route("/login/oauth/authorize", web::get().to(web_flow::authorize))
            .route("/login/oauth/authorize", web::post().to(web_flow::choose))
            .route(
                "/login/oauth/access_token",
                web::post().to(web_flow::access_token),
            )
            .service(web::scope("/api/v3").configure(api::routes))
            .configure(api::routes);
    }

    /// Runs it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`StartError`] when no port can be had.
    pub fn start(&self) -> Result<Running, StartError> {
        self.start_on(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Runs it on `address`.
    ///
    /// # Errors
    /// [`StartError`] when the address is not loopback, or is taken.
    pub fn start_on(&self, address: SocketAddr) -> Result<Running, StartError> {
        must_be_loopback(address)?;
        self.start_anywhere(TcpListener::bind(address)?)
    }

    /// Runs it on a listener that may be reached by others: for a closed network of containers.
    ///
    /// # Errors
    /// [`StartError`] when the listener cannot be used.
    pub fn start_anywhere(&self, listener: TcpListener) -> Result<Running, StartError> {
        let stand_in = self.clone();
        run(listener, move |config| stand_in.configure(config))
    }
}
