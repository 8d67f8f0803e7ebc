//! Kept in one file that only its owner can read, and that many processes change at once.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use mcp_gateway_model::secret::{Digest, Secret, random_text};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{Held, Keep, KeepFault};

/// The form of the file.
const VERSION: u32 = 1;

/// Keeps secrets in a file: mode 0600, replaced as a whole, changed by one process at a time.
#[derive(Clone, Debug)]
pub struct FileKeep(Arc<PathBuf>);

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    entries: BTreeMap<String, String>,
}

impl FileKeep {
    /// The file at `path`; it and its directory come about with the first secret.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(path.into()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, KeepFault> + Send + 'static,
    ) -> Result<T, KeepFault> {
        let path = Arc::clone(&self.0);
        let ended = spawn_blocking(move || work(&path)).await;
        ended.unwrap_or_else(|error| Err(place(&self.0, &io::Error::other(error))))
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, String>) + Send + 'static,
    ) -> Result<(), KeepFault> {
        self.blocking(move |path| {
            let _lock = lock(path, "lock")?;
            let mut content = read(path)?;
            change(&mut content.entries);
            write(path, &content)
        })
        .await
    }
}

#[async_trait]
impl Keep for FileKeep {
    async fn load(&self, name: &str) -> Result<Option<Secret>, KeepFault> {
        let name = name.to_owned();
        self.blocking(move |path| Ok(read(path)?.entries.remove(&name).map(Secret::presented)))
            .await
    }

    async fn save(&self, name: &str, value: &Secret) -> Result<(), KeepFault> {
        let (name, value) = (name.to_owned(), value.reveal().to_owned());
        self.change(move |entries| {
            entries.insert(name, value);
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<(), KeepFault> {
        let name = name.to_owned();
        self.change(move |entries| {
            entries.remove(&name);
        })
        .await
    }

    async fn names(&self) -> Result<Vec<String>, KeepFault> {
        self.blocking(|path| Ok(read(path)?.entries.into_keys().collect()))
            .await
    }

    async fn hold(&self, name: &str) -> Result<Held, KeepFault> {
        let digest = Digest::of(name.as_bytes()).to_string();
        self.blocking(move |path| lock(path, &digest[..16]).map(Held::new))
            .await
    }
}

fn place(path: &Path, error: &io::Error) -> KeepFault {
    KeepFault::Place {
        place: path.display().to_string(),
        reason: error.to_string(),
    }
}

/// `path` with `.what` behind its name.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    path.with_file_name(name)
}

/// Locks a file beside `path`; the lock ends with the value, or with the process.
pub(super) fn lock(path: &Path, what: &str) -> Result<File, KeepFault> {
    let at = beside(path, what);
    directory(path)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    private(&mut options);
    let file = options.open(&at).map_err(|error| place(&at, &error))?;
    file.lock().map_err(|error| place(&at, &error))?;
    Ok(file)
}

fn directory(path: &Path) -> Result<(), KeepFault> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent).map_err(|error| place(parent, &error))
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

fn read(path: &Path) -> Result<Content, KeepFault> {
    let text = match File::open(path) {
        Ok(file) => {
            only_ours(path, &file)?;
            io::read_to_string(file).map_err(|error| place(path, &error))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Content {
                version: VERSION,
                entries: BTreeMap::new(),
            });
        }
        Err(error) => return Err(place(path, &error)),
    };
    let content = serde_json::from_str::<Content>(&text).ok();
    content
        .filter(|content| content.version == VERSION)
        .ok_or_else(|| KeepFault::Foreign(path.display().to_string()))
}

#[cfg(unix)]
fn only_ours(path: &Path, file: &File) -> Result<(), KeepFault> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata().map_err(|error| place(path, &error))?;
    match metadata.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(KeepFault::Open(path.display().to_string())),
    }
}

#[cfg(not(unix))]
fn only_ours(_: &Path, _: &File) -> Result<(), KeepFault> {
    Ok(())
}

/// Writes a file beside `path` and puts it in its place: whoever reads meanwhile finds the one or the other.
fn write(path: &Path, content: &Content) -> Result<(), KeepFault> {
    let next = beside(path, &random_text::<8>());
    let put = || {
        let mut options = OpenOptions::new();
        options.create_new(true).write(true);
        private(&mut options);
        let mut file = options.open(&next)?;
        file.write_all(serde_json::to_string_pretty(content)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    put().map_err(|error| {
        // the secrets in it are nobody's any more
        let _ = fs::remove_file(&next);
        place(path, &error)
    })
}
