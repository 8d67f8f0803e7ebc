//! A stand-in for GitHub: its OAuth web flow and the few API calls a login needs, in GitHub's wire format.
//!
//! Anybody may log in as anybody: it listens on loopback only, unless its caller insists.

mod answer;
mod api;
mod authorize;
mod fault;
mod handle;
mod pages;
mod state;
mod token;
mod users;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use actix_web::web::{self, ServiceConfig};
use mcp_gateway_model::clock::{Clock, SystemClock};

use crate::running::{self, Running, StartError};

pub use fault::{Endpoint, Fault};
pub use handle::Handle;
pub use users::{Email, Organization, Role, Team, User, default_users, user_names};

use state::State;

/// How a stand-in GitHub is set up.
#[derive(Clone)]
pub struct Options {
    /// The OAuth App's `client_id`.
    pub client_id: String,
    /// The OAuth App's `client_secret`.
    pub client_secret: String,
    /// The OAuth App's callback URL. `None`: whatever http or https URL a request names.
    pub callback_url: Option<String>,
    /// Who can log in.
    pub users: Vec<User>,
    /// Logs this user in without a page, as GitHub does for a returning one (`prompt=select_account` still shows it).
    pub auto_choose: Option<String>,
    /// The origin `Link` headers name, without a trailing slash. `None`: the request's own.
    pub public_url: Option<String>,
    /// Where the time comes from; codes live ten minutes.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    /// Client `sandbox` with secret `sandbox-secret`; otherwise as [`Options::new`].
    fn default() -> Self {
        Self::new("sandbox", "sandbox-secret")
    }
}

impl Options {
    /// This OAuth App with [`default_users`], any callback URL, the page shown, and the machine's clock.
    #[must_use]
    pub fn new(client_id: &str, client_secret: &str) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            callback_url: None,
            users: default_users(),
            auto_choose: None,
            public_url: None,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("client_id", &self.client_id)
            .field("callback_url", &self.callback_url)
            .field("users", &self.users)
            .field("auto_choose", &self.auto_choose)
            .finish_non_exhaustive()
    }
}

/// A stand-in GitHub. Clones share their state.
#[derive(Clone)]
pub struct StandInGithub {
    state: Arc<State>,
}

impl StandInGithub {
    /// A stand-in with these users and this OAuth App; it serves nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            state: Arc::new(State::new(options)),
        }
    }

    /// The handle that changes its users, injects faults and tells what was called.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.state))
    }

    /// Mounts the web flow at `/login/oauth`, the API at `/` and, as GitHub Enterprise Server has it, at `/api/v3`.
    pub fn configure(&self, config: &mut ServiceConfig) {
        let state = web::Data::from(Arc::clone(&self.state));
        config.app_data(state);
        authorize::routes(config);
        config.route("/login/oauth/access_token", web::post().to(token::exchange));
        config.service(web::scope("/api/v3").configure(api::routes));
        api::routes(config);
    }

    /// Serves on a free port of 127.0.0.1, on a thread of its own.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(&self) -> io::Result<Running> {
        self.serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Serves on `address`, which must be a loopback address.
    ///
    /// # Errors
    /// [`StartError::NotLoopback`] for any other address; [`StartError::Io`] when it cannot be bound.
    pub fn start_on(&self, address: SocketAddr) -> Result<Running, StartError> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        Ok(self.serve(address)?)
    }

    /// Serves on any address. Whoever reaches it can log in as anybody: for closed test networks only.
    ///
    /// # Errors
    /// When the address cannot be bound or no thread started.
    pub fn start_on_any_address(&self, address: SocketAddr) -> io::Result<Running> {
        self.serve(address)
    }

    fn serve(&self, address: SocketAddr) -> io::Result<Running> {
        let github = self.clone();
        running::start(address, move |config| github.configure(config))
    }
}

impl fmt::Debug for StandInGithub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandInGithub").finish_non_exhaustive()
    }
}
