//! A protected MCP server, and what it takes to be let in: any call, with its token, and with the answer to its challenge.
//!
//! ```no_run
//! use std::sync::Arc;
//! use mcp_gateway_client::{
//!     connection::{Connection, Means},
//!     http::{Http, Settings},
//!     identity::{PreRegistered, Profile},
//! };
//! use mcp_gateway_model::secret::Secret;
//! use url::Url;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut profile = Profile::native("Nightly report");
//! profile.pre_registered.push(PreRegistered {
//!     issuer: Some("https://auth.example.com".into()),
//!     client_id: "report".into(),
//!     secret: Some(Secret::presented(std::fs::read_to_string("/run/secrets/report")?)),
//!     method: None,
//! });
//! let server = Url::parse("https://mcp.example.com/mcp")?;
//! let connection = Connection::new(server.clone(), Http::new(Settings::default())?, Arc::new(profile), Means::Client);
//!
//! let request = connection.http().request(reqwest::Method::GET, server).build()?;
//! let response = connection.execute(request).await?;
//! println!("{}", response.status());
//! # Ok(())
//! # }
//! ```

mod agent;
mod attempts;
mod device;
mod logout;
mod obtain;
mod turn;

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, PoisonError},
};

use mcp_gateway_model::{
    clock::{Clock, SystemClock},
    scope::ScopeSet,
    secret::Secret,
};
use reqwest::{
    Request, Response,
    header::{self, HeaderValue},
};
use tokio::sync::{Mutex, OnceCell, RwLock};
use url::Url;

pub use agent::{Assertions, DeviceGuide, UserAgent, UserAgentFault};
use attempts::{Attempts, Next};
pub use logout::LoggedOut;

use crate::{
    authorize::AuthorizeFault,
    credentials::{Credentials, Grant, KeepFault, MemoryKeep},
    discover::{Challenge, DiscoverFault},
    extensions::{
        self, BadKey,
        assertion::AssertionKey,
        dpop::{DPOP, DpopKey},
        enterprise::Enterprise,
    },
    http::{Http, HttpFault},
    identity::{IdentityFault, Profile},
    token::{TokenFault, TokenType},
    words::copy,
};

/// The most demands for scopes that are remembered; after that many, no more are met.
const REFUSED: usize = 64;

/// Where tokens come from.
pub enum Means {
    /// A person logs in.
    Person(Arc<dyn UserAgent>),
    /// A person logs in elsewhere, with a code that they are shown.
    Device(Arc<dyn DeviceGuide>),
    /// The client itself has been given access (client credentials).
    Client,
    /// The platform that the program runs on says who it is (workload identity, [RFC
    /// 7523](https://www.rfc-editor.org/rfc/rfc7523)).
    Workload(Arc<dyn Assertions>),
    /// The company's identity provider says who the person is.
    Enterprise(Arc<Enterprise>),
    /// From a login before this: what is kept is used and refreshed, and nobody is asked.
    Kept,
}

impl Means {
    /// Whether a new token can be had without a person.
    pub(crate) const fn needs_nobody(&self) -> bool {
        matches!(self, Self::Client | Self::Workload(_) | Self::Enterprise(_))
    }
}

/// What is used right now.
pub(crate) struct Live {
    pub(crate) grant: Grant,
    pub(crate) dpop: Option<Arc<DpopKey>>,
}

/// A token that can be sent now.
#[derive(Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// How it is sent.
    pub token_type: TokenType,
}

impl AccessToken {
    fn of(live: &Live) -> Self {
        Self {
            token: copy(&live.grant.tokens.access_token),
            token_type: live.grant.tokens.token_type,
        }
    }
}

/// One MCP server, and the authorization to call it.
pub struct Connection {
    server: Url,
    http: Http,
    /// The way to what the server's documents name.
    beyond: OnceCell<Http>,
    profile: Arc<Profile>,
    means: Means,
    key: Option<AssertionKey>,
    scopes: Option<ScopeSet>,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    live: RwLock<Option<Arc<Live>>>,
    /// Who changes what is kept.
    turn: Mutex<()>,
    /// Who logs in.
    login_turn: Mutex<()>,
    /// The scopes that were asked for once more, and were not enough.
    refused: std::sync::Mutex<HashSet<String>>,
}

impl Connection {
    /// A connection to `server`. What it gets is kept in memory, unless [`Connection::keep_in`] says otherwise.
    #[must_use]
    pub fn new(server: Url, http: Http, profile: Arc<Profile>, means: Means) -> Self {
        Self {
            server,
            http,
            beyond: OnceCell::new(),
            profile,
            means,
            key: None,
            scopes: None,
            credentials: Credentials::new(Arc::new(MemoryKeep::default())),
            clock: Arc::new(SystemClock),
            live: RwLock::default(),
            turn: Mutex::default(),
            login_turn: Mutex::default(),
            refused: std::sync::Mutex::default(),
        }
    }

    /// The same, with what it gets kept in `credentials`.
    #[must_use]
    pub fn keep_in(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// The same, for a client that proves itself by a key.
    #[must_use]
    pub fn prove_by(mut self, key: AssertionKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The same, with logins that ask for these scopes in place of those that the server names.
    #[must_use]
    pub fn ask_for(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Url {
        &self.server
    }

    /// The extension of MCP by which its tokens come, which a client tells servers of
    /// ([MCP authorization extensions](https://github.com/modelcontextprotocol/ext-auth)).
    #[must_use]
    pub const fn extension(&self) -> Option<&'static str> {
        match self.means {
            Means::Client => Some(extensions::CLIENT_CREDENTIALS),
            Means::Enterprise(_) => Some(extensions::enterprise::EXTENSION),
            _ => None,
        }
    }

    /// The way there, to build requests with.
    #[must_use]
    pub const fn http(&self) -> &Http {
        &self.http
    }

    /// The way to what others name: the server's documents, and those that they lead to.
    async fn beyond(&self) -> &Http {
        let beyond = async || self.http.for_documents_of(&self.server).await;
        self.beyond.get_or_init(beyond).await
    }

    /// Makes a call with the token that it needs. A 401 is answered by refreshing or by a login, a 403 that names scopes by a
    /// login for these as well, and the call is made again; after a few times its last answer is handed over as it is, as is
    /// that of a call whose body cannot be sent twice. Redirects are never followed.
    ///
    /// # Errors
    /// [`ConnectionFault`] when nobody answers, or no token comes.
    pub async fn execute(&self, request: Request) -> Result<Response, ConnectionFault> {
        if request.url().origin() != self.server.origin() {
            return Err(ConnectionFault::Elsewhere(request.url().as_str().to_owned()));
        }
        let mut attempts = Attempts::default();
        let mut live = self.current().await?;
        loop {
            let Some(copy) = request.try_clone() else {
                return self.send(request, live.as_deref()).await;
            };
            let response = self.send(copy, live.as_deref()).await?;
            match attempts.next(&response, live.is_some()) {
                Next::Hand => return Ok(response),
                Next::Refused(scope) => {
                    self.note_refused(scope);
                    return Ok(response);
                }
                Next::SendAgain => {}
                Next::Renew {
                    challenge,
                    may_refresh,
                } => {
                    live = Some(
                        self.renew(live.as_deref(), challenge.as_ref(), may_refresh)
                            .await?,
                    );
                }
                Next::StepUp(challenge) if self.was_refused(&challenge) => return Ok(response),
                Next::StepUp(challenge) => match self.step_up(live.as_deref(), &challenge).await? {
                    Some(stepped) => live = Some(stepped),
                    None => return Ok(response),
                },
            }
        }
    }

    /// A token that is good for a while, renewed if it is time. `None` when there is none, and a person has to log in.
    ///
    /// # Errors
    /// [`ConnectionFault`] when it has ended and the server that could renew it does not answer, or gives none.
    pub async fn access_token(&self) -> Result<Option<AccessToken>, ConnectionFault> {
        let live = match self.current().await? {
            None if self.means.needs_nobody() => Some(self.begin_again().await?),
            live => live,
        };
        Ok(live.as_deref().map(AccessToken::of))
    }

    /// Gets a token, whatever there is already: a person logs in again.
    ///
    /// # Errors
    /// [`ConnectionFault`] says why there is none.
    pub async fn login(&self) -> Result<AccessToken, ConnectionFault> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let live = self.begin_again().await?;
        Ok(AccessToken::of(&live))
    }

    /// Remembers that more was asked for in vain, so that the next call does not ask for the same.
    fn note_refused(&self, scope: String) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < REFUSED {
            refused.insert(scope);
        }
    }

    fn was_refused(&self, challenge: &Challenge) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.len() >= REFUSED || challenge.scope().is_some_and(|scope| refused.contains(scope))
    }

    async fn send(&self, mut request: Request, live: Option<&Live>) -> Result<Response, ConnectionFault> {
        let url = request.url().clone();
        if let Some(live) = live {
            let tokens = &live.grant.tokens;
            let value = format!("{} {}", tokens.token_type.scheme(), tokens.access_token.reveal());
            let mut value = HeaderValue::try_from(value).map_err(|_| TokenFault::Malformed)?;
            value.set_sensitive(true);
            if let (TokenType::Dpop, Some(key)) = (tokens.token_type, &live.dpop) {
                let token = Some(&tokens.access_token);
                let proof = key.proof(request.method(), &url, token, self.clock.now())?;
                request.headers_mut().insert(DPOP, proof);
            }
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let response = self.http.stream(request).await?;
        if let Some(key) = live.and_then(|live| live.dpop.as_ref()) {
            key.note_nonce(&url, response.headers());
        }
        Ok(response)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server.as_str())
            .finish_non_exhaustive()
    }
}

/// Why a call was not made, or no token came.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionFault {
    /// The call goes to somebody else: the token is none of theirs.
    #[error("{0} is not at the server that the token is for")]
    Elsewhere(String),
    /// The server does not answer.
    #[error("the server cannot be asked: {0}")]
    Unreachable(#[from] HttpFault),
    /// Its authorization server cannot be found.
    #[error(transparent)]
    Discover(#[from] DiscoverFault),
    /// The client is nobody there.
    #[error(transparent)]
    Identity(#[from] IdentityFault),
    /// The login did not succeed.
    #[error(transparent)]
    Authorize(#[from] AuthorizeFault),
    /// Nobody could be asked.
    #[error(transparent)]
    UserAgent(#[from] UserAgentFault),
    /// No token came.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// Nothing can be kept.
    #[error(transparent)]
    Keep(#[from] KeepFault),
    /// A login is needed, and nobody is there to log in.
    #[error("a login is needed for {0}")]
    LoginNeeded(String),
    /// The client has to be known to the authorization server beforehand.
    #[error("the client is not registered with \"{0}\": enter its client id there")]
    NotPreRegistered(String),
    /// The tokens must be bound to a key, and the authorization server binds none.
    #[error(
        "tokens for this server must be bound to a key (DPoP), and \"{0}\" does not do that: its operator has to mend it"
    )]
    NotBound(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{RefusedTarget, Settings};

    #[tokio::test]
    async fn the_documents_of_a_server_of_the_internet_lead_to_nothing_on_this_machine() {
        let http = Http::new(Settings::default()).unwrap();
        let profile = Arc::new(Profile::native("Test"));
        let server = Url::parse("https://1.1.1.1/mcp").unwrap();
        let connection = Connection::new(server, http, profile, Means::Kept);
        let inside = Url::parse("http://127.0.0.1:1/register").unwrap();
        let fault = connection.beyond().await.get(&inside).await.unwrap_err();
        assert_eq!(fault, HttpFault::Refused(RefusedTarget::Inside));
    }
}
