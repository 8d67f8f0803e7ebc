//! Puts the servers together from the configuration.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{rt, web};
use mcp_gateway_auth_server::{
    AuthServer, GithubSettings, Settings as AuthSettings,
    settings::{RegistrationSettings, ResourceServer, SigningSettings},
};
use mcp_gateway_model::{
    access::AllowedUsers,
    clock::{Clock, SystemClock},
    key::shared_key_id,
    secret::Secret,
};
use mcp_gateway_store::{Store, StoreError};
use mcp_gateway_verifier::{
    CacheSettings, PassToken, Settings as VerifierSettings, SharedKey, Verifier,
    configure_discovery_for_protected_hosts, configure_preflight, configure_resource_metadata,
    configure_verify,
};
use prometheus::Registry;
use tracing::warn;

use super::{
    edge::Edge,
    health::{self, Health},
    rechecks::Rechecks,
};
use crate::{
    admin::Office,
    config::{Config, Role},
    failure::Failure,
    store::{self, Opened, copy},
};

/// How long to wait before a store that does not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Everything that is mounted.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) registry: Registry,
    pub(crate) edge: web::Data<Edge>,
    health: web::Data<Health>,
    auth_server: Option<web::Data<AuthServer>>,
    /// Verifies, but for an authorization server on its own: there it only describes the resources.
    verifier: Arc<Verifier>,
    role: Role,
    oauth_enabled: bool,
    /// Takes an operator's orders, where the store is this process's own.
    pub(crate) office: Option<Office>,
}

impl Parts {
    /// Opens the store and starts the servers.
    ///
    /// # Errors
    /// [`Failure`] says what is in the way. A store that is merely away is waited for.
    pub(crate) async fn put_together(config: &Config, role: Role) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let registry = Registry::new();
        let opened = store::open(config, role)?;
        let edge = Edge::new(
            config.trusted_proxies.clone(),
            config.issuer.is_https(),
            &registry,
        )
        .map_err(Failure::runtime)?;
        let edge = web::Data::new(edge);
        let auth_server = match &opened.store {
            Some(store) if role != Role::Verifier && config.oauth_enabled => {
                Some(auth_server(config, &opened.sealing_secrets, store, &clock, &registry).await?)
            }
            _ => None,
        };
        let verifier = verifier(config, role, &opened, &clock, &registry)?;
        let office = opened
            .store
            .as_ref()
            .map(|store| Office::new(config, store, &opened.sealing_secrets));
        let health = Health {
            edge: edge.clone(),
            reader: opened.reader,
            store: opened.store,
            clock,
            last: tokio::sync::Mutex::default(),
            warned: Mutex::default(),
        };
        Ok(Self {
            registry,
            edge,
            health: web::Data::new(health),
            auth_server,
            verifier,
            role,
            oauth_enabled: config.oauth_enabled,
            office,
        })
    }

    /// Begins to ask GitHub again and again where people belong, if that matters anywhere.
    pub(crate) fn begin_rechecks(&self) -> Option<Rechecks> {
        self.auth_server.clone().and_then(Rechecks::begin)
    }

    /// Who answers what certainly passes the verifier, where there is one.
    pub(crate) fn quick(&self) -> Option<Arc<Verifier>> {
        (self.role != Role::AuthServer).then(|| Arc::clone(&self.verifier))
    }

    /// Mounts everything. In one process the authorization server answers its own documents on every host.
    pub(crate) fn routes(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let parts = self.clone();
        move |routes| {
            // what is asked most comes first: paths are compared in this order
            if parts.role != Role::AuthServer {
                routes.configure(configure_verify(&parts.verifier));
            }
            routes.configure(health::configure(parts.health));
            if let Some(server) = &parts.auth_server {
                routes.configure(mcp_gateway_auth_server::routes::configure(server.clone()));
            }
            if parts.oauth_enabled {
                routes.configure(configure_resource_metadata(&parts.verifier));
            }
            if parts.role != Role::AuthServer {
                if parts.auth_server.is_none() && parts.oauth_enabled {
                    routes.configure(configure_discovery_for_protected_hosts(&parts.verifier));
                }
                routes.configure(configure_preflight(&parts.verifier));
            }
        }
    }
}

async fn auth_server(
    config: &Config,
    sealing_secrets: &[Secret],
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    registry: &Registry,
) -> Result<web::Data<AuthServer>, Failure> {
    wait_for(store.as_ref(), clock.as_ref()).await?;
    let settings = auth_settings(config, sealing_secrets);
    AuthServer::start(settings, Arc::clone(store), Arc::clone(clock), registry)
        .await
        .map(web::Data::new)
        .map_err(Failure::runtime)
}

/// Waits for a store that is merely away: signing keys have to be read from it before anything can be answered.
async fn wait_for(store: &dyn Store, clock: &dyn Clock) -> Result<(), Failure> {
    loop {
        match store.health(clock.now()).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Unavailable(reason)) => {
                warn!(reason, "the store does not answer; asking again in a second");
                rt::time::sleep(RETRY).await;
            }
            Err(error) => return Err(Failure::runtime(error)),
        }
    }
}

/// The authorization server's part of the configuration.
pub(crate) fn auth_settings(config: &Config, sealing_secrets: &[Secret]) -> AuthSettings {
    AuthSettings {
        issuer: config.issuer.clone(),
        resources: config.resources.clone(),
        allowed_users: config.allowed_users.clone().unwrap_or_else(AllowedUsers::nobody),
        admins: config.admins.clone(),
        memberships: config.memberships,
        github: GithubSettings {
            client_id: config.github.client_id.clone(),
            client_secret: copy(&config.github.client_secret),
            web_url: config.github.web_url.clone(),
            api_url: config.github.api_url.clone(),
        },
        lifetimes: config.lifetimes,
        limits: config.limits,
        cors: config.cors.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        signing: SigningSettings {
            algorithm: config.signing.algorithm,
            private_key_pem: config.signing.private_key_pem.as_ref().map(copy),
            shared_secret: config.signing.shared_secret.as_ref().map(copy),
        },
        sealing_secrets: sealing_secrets.iter().map(copy).collect(),
        offers: config.offers(),
        legacy_endpoints: config.quirks.legacy_endpoints,
        registration: RegistrationSettings {
            gate: config.registration.gate,
            redirect_hosts: config.registration.redirect_hosts.clone(),
            tokens: config.registration.tokens.iter().map(copy).collect(),
            client_credentials: config.registration.client_credentials,
            unused_limit: config.registration.unused_limit,
        },
        clients: config.clients.clone(),
        refresh_tokens: config.refresh_tokens,
        documents: config.published.documents.clone(),
        fetch: config.published.fetch.clone(),
        device_grant: config.device_grant.clone(),
        auto_approve: config.auto_approve.clone(),
        resource_servers: config
            .resource_servers
            .iter()
            .map(|server| ResourceServer {
                resource: server.resource.clone(),
                secret: copy(&server.secret),
            })
            .collect(),
    }
}

fn verifier(
    config: &Config,
    role: Role,
    opened: &Opened,
    clock: &Arc<dyn Clock>,
    registry: &Registry,
) -> Result<Arc<Verifier>, Failure> {
    let settings = VerifierSettings {
        issuer: config.issuer.clone(),
        resources: config.resources.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        cors: config.cors.clone(),
        pass_token: if config.pass_token {
            PassToken::Bearer
        } else {
            PassToken::Off
        },
        shared_key: config.signing.shared_secret.as_ref().map(shared_key),
        metadata_at_issuer: config.metadata_at_issuer,
        offers: config.offers(),
        oauth_enabled: config.oauth_enabled,
        allowed_users: config.allowed_users.clone(),
        memberships: config.memberships,
        api_key: config.api_key.clone(),
        // nobody asks about tokens there, so nothing is remembered and no news are followed
        cache: if role == Role::AuthServer {
            CacheSettings::NOTHING
        } else {
            config.cache
        },
    };
    Verifier::new(settings, Arc::clone(&opened.reader), Arc::clone(clock), registry)
        .map(Arc::new)
        .map_err(Failure::runtime)
}

fn shared_key(secret: &Secret) -> SharedKey {
    SharedKey {
        kid: shared_key_id(secret),
        secret: copy(secret),
    }
}
