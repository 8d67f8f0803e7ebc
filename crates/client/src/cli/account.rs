//! A server, and the person's account there.

use std::{path::PathBuf, sync::Arc, time::Duration};

use mcp_gateway_client::{
    connection::{Connection, ConnectionFault, Means},
    credentials::{Credentials, Grant},
    discover::{self, Challenge, Discovered, Trail},
    http::Http,
    identity::{self, Identity, IdentityOrigin, PreRegistered, Profile},
    login::{Browsers, Desk, Page},
    mcp::Wire,
    words::{self, is_word, shown},
};
use mcp_gateway_model::{scope::ScopeSet, secret::Secret};
use reqwest::{Request, Response, StatusCode};
use url::Url;

use super::{failure::Failure, options::Options, terminal::Terminal};

/// The port of this machine that browsers come back to, if it is free: one registration serves for all logins then.
pub(crate) const PORT: u16 = 43_117;
/// How long a person may take to log in, in seconds.
pub(crate) const PATIENCE: u64 = 600;

/// Who the client is, as the person says.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) id: Option<String>,
    /// The issuer that knows it.
    pub(crate) issuer: Option<String>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) metadata: Option<Url>,
}

impl Client {
    /// What is said of the program: by the person now, else what was said at the login before.
    pub(crate) async fn profile(
        &self,
        credentials: &Credentials,
        before: Option<&Grant>,
    ) -> Result<Profile, Failure> {
        let mut profile = Profile::native("mcp-oauth");
        profile.metadata_document.clone_from(&self.metadata);
        let secret = self.secret_file.as_ref().map(|path| {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| {
                Failure::Usage(format!(
                    "--client-secret-file: {} cannot be read: {error}",
                    path.display()
                ))
            })?;
            Ok::<_, Failure>(Secret::presented(text.trim().to_owned()))
        });
        if let Some(client_id) = &self.id {
            profile.pre_registered.push(PreRegistered {
                issuer: self.issuer.clone(),
                client_id: client_id.clone(),
                secret: secret.transpose()?,
                method: None,
            });
        } else if self.metadata.is_none()
            && let Some(grant) = before
        {
            let (issuer, client_id) = (&grant.metadata.issuer, &grant.client_id);
            let kept = credentials.identity(issuer, client_id).await;
            match kept.map_err(Failure::runtime)? {
                Some(kept) if kept.origin == IdentityOrigin::PreRegistered => {
                    profile.pre_registered.push(PreRegistered {
                        issuer: Some(kept.issuer),
                        client_id: kept.client_id,
                        secret: kept.secret,
                        method: Some(kept.method),
                    });
                }
                Some(kept) if kept.origin == IdentityOrigin::MetadataDocument => {
                    profile.metadata_document = Url::parse(&kept.client_id).ok();
                }
                _ => {}
            }
        }
        Ok(profile)
    }
}

/// How a person logs in.
#[derive(Debug)]
pub(crate) struct Way {
    /// Which browsers can be opened.
    pub(crate) browsers: Option<Browsers>,
    pub(crate) port: u16,
    pub(crate) patience: Duration,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            browsers: Some(browsers()),
            port: PORT,
            patience: Duration::from_secs(PATIENCE),
        }
    }
}

/// The browsers of this machine.
pub(crate) fn browsers() -> Browsers {
    let variable = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.and_then(|value| value.into_string().ok())
    };
    Browsers {
        chosen: variable("BROWSER"),
        has_desktop: variable("DISPLAY")
            .or_else(|| variable("WAYLAND_DISPLAY"))
            .is_some(),
    }
}

/// A server, and the person's account there.
pub(crate) struct Account {
    pub(crate) http: Http,
    pub(crate) credentials: Credentials,
    pub(crate) before: Option<Grant>,
    server: Url,
}

impl Account {
    /// What is kept for `server`.
    pub(crate) async fn of(options: &Options, server: &Url) -> Result<Self, Failure> {
        let (http, credentials) = (options.http()?, options.credentials()?);
        let before = credentials.grant(server).await.map_err(Failure::runtime)?;
        Ok(Self {
            http,
            credentials,
            before,
            server: server.clone(),
        })
    }

    /// Whether the server has logins with a code. Whatever hinders that, the login itself will tell.
    pub(crate) async fn knows_codes(&self) -> bool {
        let found = self.found(&[]).await;
        found.is_ok_and(|found| found.server.device_authorization_endpoint.is_some())
    }

    /// Whether the server names this issuer: a client that is known there must not become known to another.
    pub(crate) async fn is_issued_by(&self, issuer: &str) -> Result<(), Failure> {
        let found = self.found(&[issuer]).await?.server.issuer;
        if found == issuer {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "--issuer: the server names \"{found}\" as its authorization server, and not \"{issuer}\""
        )))
    }

    async fn found(&self, preferred: &[&str]) -> Result<Discovered, Failure> {
        let mut trail = Trail::default();
        let challenge = discover::probe(&self.http, &self.server, &mut trail).await;
        let challenge = challenge.map_err(Failure::runtime)?;
        let hints = (challenge.as_ref(), preferred);
        let beyond = self.http.for_documents_of(&self.server).await;
        let found = discover::discover(&beyond, &self.server, hints, &mut trail).await;
        found.map_err(Failure::runtime)
    }

    /// Who the client is, as it was at the login before.
    pub(crate) async fn profile(&self, client: &Client) -> Result<Arc<Profile>, Failure> {
        client
            .profile(&self.credentials, self.before.as_ref())
            .await
            .map(Arc::new)
    }

    /// Calls with this profile; tokens come by these means.
    pub(crate) fn connection(&self, profile: &Arc<Profile>, means: Means) -> Connection {
        Connection::new(self.server.clone(), self.http.clone(), Arc::clone(profile), means)
            .keep_in(self.credentials.clone())
    }

    /// Keeps who the client is where the registration did not: refreshing needs it.
    pub(crate) async fn remember(&self, profile: &Profile) -> Result<(), Failure> {
        let Some(grant) = self
            .credentials
            .grant(&self.server)
            .await
            .map_err(Failure::runtime)?
        else {
            return Ok(());
        };
        let is_it = |known: &Identity| known.client_id == grant.client_id;
        let known = identity::known(profile, &grant.metadata, None).map_err(Failure::runtime)?;
        match known.filter(is_it) {
            Some(known) => self
                .credentials
                .save_identity(&known)
                .await
                .map_err(Failure::runtime),
            None => Ok(()),
        }
    }

    /// What calls the server. Where a person looks on, they log in when that is needed.
    pub(crate) async fn caller(&self) -> Result<Caller, Failure> {
        let profile = self.profile(&Client::default()).await?;
        let desk = Terminal::has_person().then(|| Arc::new(desk(Way::default())));
        let means = match &desk {
            Some(desk) => Means::Person(Arc::clone(desk) as _),
            None => Means::Kept,
        };
        Ok(Caller {
            connection: self.connection(&profile, means),
            credentials: self.credentials.clone(),
            desk,
        })
    }
}

/// A person at this terminal.
pub(crate) fn desk(way: Way) -> Desk {
    Desk::new(
        Arc::new(Terminal::default()),
        way.browsers,
        way.port,
        way.patience,
    )
}

/// Shows in the browser how a login ended.
pub(crate) async fn show(desk: &Desk, server: &Url, fault: Option<&ConnectionFault>) {
    let why = fault.map(ToString::to_string);
    let page = match &why {
        None => Page::Done {
            server: server.as_str(),
        },
        Some(why) => Page::Failed { why },
    };
    desk.end(&page).await;
}

/// Carries requests to the server, with the token that they need.
pub(crate) struct Caller {
    connection: Connection,
    credentials: Credentials,
    desk: Option<Arc<Desk>>,
}

impl Caller {
    /// What a login has to ask for so that `challenge` is met, and nothing is lost that was granted before.
    async fn needed(&self, challenge: &Challenge) -> ScopeSet {
        let added = words::scopes(challenge.scope());
        match self.credentials.grant(self.connection.server()).await {
            Ok(Some(grant)) => added.union(&grant.requested).union(&grant.tokens.scopes),
            _ => added,
        }
    }
}

impl Wire for Caller {
    type Fault = CallerFault;

    async fn send(&self, request: Request) -> Result<Response, CallerFault> {
        let server = self.connection.server();
        let sent = self.connection.execute(request).await;
        if let Some(desk) = &self.desk {
            show(desk, server, sent.as_ref().err()).await;
        }
        let response = sent?;
        let challenge = Challenge::for_token(response.headers());
        match (response.status(), challenge) {
            (StatusCode::UNAUTHORIZED, _) => {
                Err(ConnectionFault::LoginNeeded(server.as_str().to_owned()).into())
            }
            (StatusCode::FORBIDDEN, Some(challenge)) if challenge.error() == Some("insufficient_scope") => {
                Err(CallerFault::Scope {
                    server: server.clone(),
                    scopes: self.needed(&challenge).await,
                })
            }
            _ => Ok(response),
        }
    }
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallerFault {
    /// It was not made, or there is no token for it.
    #[error(transparent)]
    Connection(#[from] ConnectionFault),
    /// The token does not allow it.
    #[error("the token does not allow this; it needs: {}. Log in for that{}", shown(&scopes.to_string()), remedy(server, scopes))]
    Scope {
        /// The server.
        server: Url,
        /// What it needs, with what was granted already.
        scopes: ScopeSet,
    },
}

/// The command that asks for `scopes`. A server chooses their words: what a shell could take for something else is not put
/// into a command that somebody may paste.
fn remedy(server: &Url, scopes: &ScopeSet) -> String {
    if is_word(server.as_str()) && scopes.iter().all(is_word) {
        format!(": mcp-oauth login {server} --scope \"{scopes}\"")
    } else {
        " with mcp-oauth login and --scope".to_owned()
    }
}
