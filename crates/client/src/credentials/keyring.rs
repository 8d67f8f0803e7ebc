//! Kept in the keyring of the system: Keychain, Credential Manager, Secret Service.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use mcp_gateway_model::secret::{Digest, Secret};
use tokio::task::spawn_blocking;

use super::{Held, Keep, KeepFault, file};

/// Whose entries they are.
const SERVICE: &str = "mcp-oauth";
/// The entry that has the names of the others: a keyring cannot be asked for them.
const NAMES: &str = "names";

/// Entries of a keyring.
trait Ring: Send + Sync + fmt::Debug {
    fn get(&self, name: &str) -> Result<Option<String>, String>;
    fn set(&self, name: &str, value: &str) -> Result<(), String>;
    fn delete(&self, name: &str) -> Result<(), String>;
}

/// Keeps secrets in the keyring of the system, which is changed by one process at a time.
#[derive(Clone, Debug)]
pub struct KeyringKeep {
    ring: Arc<dyn Ring>,
    /// Beside which the locks are.
    path: Arc<PathBuf>,
}

impl KeyringKeep {
    /// The keyring of this system. Files that processes take turns by come about beside `path`.
    ///
    /// # Errors
    /// [`KeepFault::Place`] when the system has none, or it is locked.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, KeepFault> {
        match keyring::Entry::store_status() {
            Ok(()) => Ok(Self {
                ring: Arc::new(System),
                path: Arc::new(path.into()),
            }),
            Err(error) => Err(unusable(&error.to_string())),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Ring, &Path) -> Result<T, KeepFault> + Send + 'static,
    ) -> Result<T, KeepFault> {
        let (ring, path) = (Arc::clone(&self.ring), Arc::clone(&self.path));
        let ended = spawn_blocking(move || work(&*ring, &path)).await;
        ended.unwrap_or_else(|error| Err(unusable(&io::Error::other(error).to_string())))
    }

    async fn change(&self, name: &str, value: Option<String>) -> Result<(), KeepFault> {
        let name = name.to_owned();
        self.blocking(move |ring, path| {
            let _lock = file::lock(path, "lock")?;
            let mut names = names(ring)?;
            let is_listed = names.contains(&name);
            let Some(value) = &value else {
                ring.delete(&name).map_err(|reason| unusable(&reason))?;
                names.retain(|one| *one != name);
                return if is_listed { list(ring, &names) } else { Ok(()) };
            };
            // named first: what is not there is passed over, what is not named would stay for ever
            if !is_listed {
                names.push(name.clone());
                list(ring, &names)?;
            }
            ring.set(&name, value).map_err(|reason| unusable(&reason))
        })
        .await
    }
}

#[async_trait]
impl Keep for KeyringKeep {
    async fn load(&self, name: &str) -> Result<Option<Secret>, KeepFault> {
        let name = name.to_owned();
        self.blocking(move |ring, _| {
            let found = ring.get(&name).map_err(|reason| unusable(&reason))?;
            Ok(found.map(Secret::presented))
        })
        .await
    }

    async fn save(&self, name: &str, value: &Secret) -> Result<(), KeepFault> {
        self.change(name, Some(value.reveal().to_owned())).await
    }

    async fn remove(&self, name: &str) -> Result<(), KeepFault> {
        self.change(name, None).await
    }

    async fn names(&self) -> Result<Vec<String>, KeepFault> {
        self.blocking(|ring, _| names(ring)).await
    }

    async fn hold(&self, name: &str) -> Result<Held, KeepFault> {
        let digest = Digest::of(name.as_bytes()).to_string();
        self.blocking(move |_, path| file::lock(path, &digest[..16]).map(Held::new))
            .await
    }
}

fn names(ring: &dyn Ring) -> Result<Vec<String>, KeepFault> {
    match ring.get(NAMES).map_err(|reason| unusable(&reason))? {
        None => Ok(Vec::new()),
        Some(text) => serde_json::from_str(&text)
            .map_err(|_| KeepFault::Foreign(format!("what the keyring keeps for {SERVICE}"))),
    }
}

fn list(ring: &dyn Ring, names: &[String]) -> Result<(), KeepFault> {
    let text = serde_json::to_string(names).unwrap_or_else(|_| "[]".to_owned());
    ring.set(NAMES, &text).map_err(|reason| unusable(&reason))
}

fn unusable(reason: &str) -> KeepFault {
    KeepFault::Place {
        place: "the keyring of this system".to_owned(),
        reason: reason.to_owned(),
    }
}

/// The real one.
#[derive(Debug)]
struct System;

fn entry(name: &str) -> Result<keyring::Entry, String> {
    keyring::Entry::new(SERVICE, name).map_err(|error| error.to_string())
}

impl Ring for System {
    fn get(&self, name: &str) -> Result<Option<String>, String> {
        match entry(name)?.get_password() {
            Ok(text) => Ok(Some(text)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn set(&self, name: &str, value: &str) -> Result<(), String> {
        entry(name)?
            .set_password(value)
            .map_err(|error| error.to_string())
    }

    fn delete(&self, name: &str) -> Result<(), String> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Mutex};

    use super::*;

    #[derive(Debug, Default)]
    struct Fake(Mutex<BTreeMap<String, String>>);

    impl Ring for Fake {
        fn get(&self, name: &str) -> Result<Option<String>, String> {
            Ok(self.0.lock().unwrap().get(name).cloned())
        }

        fn set(&self, name: &str, value: &str) -> Result<(), String> {
            self.0.lock().unwrap().insert(name.to_owned(), value.to_owned());
            Ok(())
        }

        fn delete(&self, name: &str) -> Result<(), String> {
            self.0.lock().unwrap().remove(name);
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_is_saved_is_found_and_named_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let keep = KeyringKeep {
            ring: Arc::new(Fake::default()),
            path: Arc::new(directory.path().join("credentials.json")),
        };
        for (name, value) in [("grant a", "1"), ("client b", "2"), ("grant a", "3")] {
            keep.save(name, &Secret::presented(value.to_owned()))
                .await
                .unwrap();
        }
        assert_eq!(keep.load("grant a").await.unwrap().unwrap().reveal(), "3");
        assert_eq!(keep.names().await.unwrap(), ["grant a", "client b"]);
        keep.remove("grant a").await.unwrap();
        keep.remove("grant a").await.unwrap();
        assert!(keep.load("grant a").await.unwrap().is_none());
        assert_eq!(keep.names().await.unwrap(), ["client b"]);
    }
}
