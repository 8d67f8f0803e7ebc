//! Opens the store that the configuration names.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

use mcp_gateway_model::secret::{Secret, random_text};
use mcp_gateway_store::{
    EmbeddedStore, GrantReader, RedisOptions, RedisReader, RedisStore, Store, StoreError,
};

use crate::{
    config::{Config, RedisConfig, Role, StoreConfig},
    failure::Failure,
};

/// The store's file in `DATA_DIR`.
const FILE: &str = "store.redb";
/// The file in `DATA_DIR` that seals private keys when nothing else is configured to.
const SEALING_KEY: &str = "sealing.key";

/// An open store.
pub(crate) struct Opened {
    /// What the authorization server uses; the verifier alone has none.
    pub(crate) store: Option<Arc<dyn Store>>,
    /// What the verifier reads.
    pub(crate) reader: Arc<dyn GrantReader>,
    /// What seals; the first seals, all open.
    pub(crate) sealing_secrets: Vec<Secret>,
}

/// Opens the store.
///
/// # Errors
/// [`Failure`] says what is in the way.
pub(crate) fn open(config: &Config, role: Role) -> Result<Opened, Failure> {
    let sealing_secrets = config.sealing_secrets.iter().map(copy).collect();
    match &config.store {
        StoreConfig::Memory => {
            let store = EmbeddedStore::in_memory().map_err(Failure::runtime)?;
            embedded(store, sealing_secrets, || {
                Ok(Secret::presented(random_text::<32>()))
            })
        }
        StoreConfig::Directory(directory) => {
            let store = EmbeddedStore::open(&directory.join(FILE)).map_err(|error| in_use(&error))?;
            embedded(store, sealing_secrets, || {
                sealing_key(directory).map_err(|error| {
                    Failure::Runtime(format!("DATA_DIR: {SEALING_KEY} cannot be used: {error}"))
                })
            })
        }
        StoreConfig::Redis(redis) => shared(redis, role, sealing_secrets),
    }
}

/// Redis. Nothing is asked of it yet, so it may still be down.
fn shared(config: &RedisConfig, role: Role, sealing_secrets: Vec<Secret>) -> Result<Opened, Failure> {
    let options = redis_options(config);
    let misconfigured = |error: StoreError| Failure::Configuration(format!("REDIS_URL: {error}"));
    let reader = RedisReader::connect(&options).map_err(misconfigured)?;
    let store = (role != Role::Verifier)
        .then(|| RedisStore::connect(&options))
        .transpose()
        .map_err(misconfigured)?;
    Ok(Opened {
        store: store.map(|store| Arc::new(store) as Arc<dyn Store>),
        reader: Arc::new(reader),
        sealing_secrets,
    })
}

fn redis_options(config: &RedisConfig) -> RedisOptions {
    RedisOptions {
        password: config.password.as_ref().map(copy),
        sentinel_password: config.sentinel_password.as_ref().map(copy),
        tls_ca_file: config.ca_file.clone(),
        wait_replicas: config.wait_replicas,
        ..RedisOptions::new(config.url.reveal())
    }
}

fn in_use(error: &StoreError) -> Failure {
    Failure::Runtime(format!("DATA_DIR: {error}"))
}

fn embedded(
    store: EmbeddedStore,
    mut sealing_secrets: Vec<Secret>,
    own: impl FnOnce() -> Result<Secret, Failure>,
) -> Result<Opened, Failure> {
    // always last, so that what it sealed still opens after another key has been configured
    sealing_secrets.push(own()?);
    let store = Arc::new(store);
    Ok(Opened {
        store: Some(Arc::clone(&store) as Arc<dyn Store>),
        reader: store,
        sealing_secrets,
    })
}

/// The same secret once more, for a second owner.
pub(crate) fn copy(secret: &Secret) -> Secret {
    Secret::presented(secret.reveal().to_owned())
}

/// The key in the data directory, made at the first start, readable by its owner alone.
fn sealing_key(directory: &Path) -> io::Result<Secret> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let path = directory.join(SEALING_KEY);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
    {
        Ok(mut file) => {
            let key = random_text::<32>();
            file.write_all(key.as_bytes())?;
            file.sync_all()?;
            Ok(Secret::presented(key))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let key = std::fs::read_to_string(&path)?.trim().to_owned();
            if key.len() < 32 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too short"));
            }
            Ok(Secret::presented(key))
        }
        Err(error) => Err(error),
    }
}
