//! How the sample server is protected: who is calling, and what is said to whoever may not.

use std::{fmt::Debug, sync::Arc};

use actix_web::{
    HttpRequest,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::ServiceConfig,
};
use futures_util::future::LocalBoxFuture;

use super::{behind, caller::Caller};

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody may.
    Nothing,
    /// That somebody let the caller in: the gateway in front, or a valid token where the server stands alone.
    Admission,
    /// A known caller who has this scope.
    Scope(&'static str),
}

impl Need {
    /// The scope that is needed, if one is.
    #[must_use]
    pub const fn scope(self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Admission => None,
            Self::Scope(scope) => Some(scope),
        }
    }
}

/// How the server is protected.
#[derive(Clone, Debug, Default)]
pub enum Protection {
    /// By the gateway in front: its identity headers are believed, and nothing else is looked at. Whoever can reach the server
    /// past the gateway can be anybody.
    #[default]
    Behind,
    /// By itself: it checks each token.
    Alone(Arc<dyn Guard>),
}

/// What checks tokens where the server stands alone.
pub trait Guard: Debug + Send + Sync {
    /// Who sent the request; nobody when it carries no token.
    ///
    /// The error is the answer to a token that is not good, or that cannot be checked now.
    fn caller<'r>(&'r self, request: &'r HttpRequest) -> LocalBoxFuture<'r, Result<Option<Caller>, Refusal>>;

    /// What is said to whoever sent no token where one is needed, with these scopes (RFC 6750 §3.1: no `error`).
    fn unauthenticated(&self, request: &HttpRequest, scopes: &[&str]) -> Refusal;

    /// What is said to whoever lacks some of these scopes (RFC 6750 §3.1: `insufficient_scope`).
    fn insufficient(&self, request: &HttpRequest, scopes: &[&str]) -> Refusal;

    /// Where its metadata is (RFC 9728 §3.1), for whoever asks how to log in.
    fn resource_metadata(&self) -> Option<String> {
        None
    }

    /// Mounts what else belongs to it: the metadata of RFC 9728.
    fn configure(&self, _routes: &mut ServiceConfig) {}
}

/// Why a request is not served: an answer with a problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What is wrong and what to do, for the person who reads it.
    pub detail: String,
    /// The scopes that this needs, where one of them is missing.
    pub scopes: Vec<String>,
    /// What else the answer says, `WWW-Authenticate` above all.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// An answer with this status, which says this.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            scopes: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// The same, naming the scopes that are needed.
    #[must_use]
    pub fn naming(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Protection {
    /// Who sent the request, if that is known.
    ///
    /// # Errors
    /// The answer to a token that is not good.
    pub async fn caller(&self, request: &HttpRequest) -> Result<Option<Caller>, Refusal> {
        match self {
            Self::Behind => Ok(behind::caller(request.headers())),
            Self::Alone(guard) => guard.caller(request).await,
        }
    }

    /// Whether `caller` may do what has these needs; an error names all the scopes at once.
    ///
    /// # Errors
    /// The answer to whoever may not.
    pub fn admit(
        &self,
        request: &HttpRequest,
        caller: Option<&Caller>,
        needs: &[Need],
    ) -> Result<(), Refusal> {
        let mut scopes: Vec<_> = needs.iter().filter_map(|need| need.scope()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        match (self, caller) {
            (_, Some(caller)) if scopes.iter().all(|scope| caller.may(scope)) => Ok(()),
            (Self::Behind, Some(_)) => Err(behind::insufficient(&scopes)),
            (Self::Behind, None) if scopes.is_empty() => Ok(()),
            (Self::Behind, None) => Err(behind::unknown()),
            (Self::Alone(guard), Some(_)) => Err(guard.insufficient(request, &scopes)),
            (Self::Alone(_), None) if needs.iter().all(|need| *need == Need::Nothing) => Ok(()),
            (Self::Alone(guard), None) => Err(guard.unauthenticated(request, &scopes)),
        }
    }
}
