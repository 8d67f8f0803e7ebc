//! Items in files: one for each user, replaced as a whole, so that a crash leaves the old one or the new one.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::Item;

/// The version of what is in the files.
const SCHEMA: u32 = 1;
/// Held as long as a process uses the directory.
const LOCK: &str = "lock";
/// How the name of a file ends, and of one that is being written.
const ENDING: &str = "json";
const UNFINISHED: &str = "new";

/// Why a data directory was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be made, locked or listed.
    #[error("the data directory {directory} cannot be used: {error}")]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {0} is in use by another process")]
    InUse(PathBuf),
    /// What is in a file is not what this program wrote; it is left as it is.
    #[error("{file} cannot be read: {reason}; mend it, or move it away to start without its items")]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The directory, which nobody else uses meanwhile.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    _lock: File,
}

#[derive(Deserialize, Serialize)]
struct Page {
    schema: u32,
    user: String,
    items: Vec<Item>,
}

/// What is read first: a newer page may differ in all else.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

impl Files {
    /// Opens the directory, and reads everything in it.
    pub(super) fn open(directory: &Path) -> Result<(Self, HashMap<String, Vec<Item>>), OpenError> {
        let fails = |error| OpenError::Directory {
            directory: directory.to_owned(),
            error,
        };
        // one that is there is whoever's it is; the files are private all the same
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(fails)?;
        let lock = private().open(directory.join(LOCK)).map_err(fails)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(fails(error)),
        }
        let mut of = HashMap::new();
        for entry in fs::read_dir(directory).map_err(fails)? {
            let path = entry.map_err(fails)?.path();
            match kind(&path) {
                Some(ENDING) => {
                    let page = read(&path)?;
                    of.insert(page.user, page.items);
                }
                // left behind by a crash: it never counted
                Some(UNFINISHED) => fs::remove_file(&path).map_err(fails)?,
                _ => {}
            }
        }
        let files = Self {
            directory: directory.to_owned(),
            _lock: lock,
        };
        Ok((files, of))
    }

    /// Keeps a user's items: when this returns they are on the disk.
    pub(super) fn write(&self, user: &str, items: &[Item]) -> io::Result<()> {
        let file = self.directory.join(name(user));
        if items.is_empty() {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        } else {
            let page = Page {
                schema: SCHEMA,
                user: user.to_owned(),
                items: items.to_vec(),
            };
            let unfinished = file.with_extension(UNFINISHED);
            let mut writer = private().truncate(true).open(&unfinished)?;
            writer.write_all(&serde_json::to_vec_pretty(&page)?)?;
            writer.sync_all()?;
            fs::rename(&unfinished, &file)?;
        }
        // the name is on the disk when the directory is
        File::open(&self.directory)?.sync_all()
    }
}

/// How the name of a file of ours ends: all are named by digests. What else is in the directory is somebody else's.
fn kind(path: &Path) -> Option<&str> {
    let is_ours = |name: &str| {
        let digest = URL_SAFE_NO_PAD.decode(name);
        digest.is_ok_and(|digest| digest.len() == SHA256.output_len())
    };
    path.file_stem()
        .and_then(|name| name.to_str())
        .filter(|name| is_ours(name))?;
    path.extension()?.to_str()
}

/// A file that only its owner reads.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Users name themselves, in a way: their names name no files.
fn name(user: &str) -> String {
    let digest = digest(&SHA256, user.as_bytes());
    format!("{}.{ENDING}", URL_SAFE_NO_PAD.encode(digest))
}

fn read(path: &Path) -> Result<Page, OpenError> {
    let fails = |reason: String| OpenError::File {
        file: path.to_owned(),
        reason,
    };
    let bytes = fs::read(path).map_err(|error| fails(error.to_string()))?;
    let version: Version = serde_json::from_slice(&bytes).map_err(|error| fails(error.to_string()))?;
    if version.schema != SCHEMA {
        return Err(fails(format!(
            "it is of version {}, and this program knows version {SCHEMA}",
            version.schema
        )));
    }
    let page: Page = serde_json::from_slice(&bytes).map_err(|error| fails(error.to_string()))?;
    if path
        .file_name()
        .is_none_or(|own| own != name(&page.user).as_str())
    {
        return Err(fails("it is another user's, by its name".to_owned()));
    }
    Ok(page)
}
