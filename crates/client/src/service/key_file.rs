//! The encryption key of a service that was given none: made at the first start, beside the store, for its owner alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use mcp_gateway_model::secret::{Secret, random_text};

/// The key in the file at `path`, which is made if it is not there.
///
/// # Errors
/// A text that names the file.
pub(super) fn read_or_make(path: &Path) -> Result<Secret, String> {
    let refuse = |error: std::io::Error| format!("{} cannot be used: {error}", path.display());
    if let Some(directory) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(refuse)?;
    }
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let key = random_text::<32>();
            file.write_all(key.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(refuse)?;
            Ok(Secret::presented(key))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = File::open(path).map_err(refuse)?;
            let mode = file.metadata().map_err(refuse)?.permissions().mode();
            if mode & 0o007 != 0 {
                return Err(format!(
                    "{} can be read by everybody on this machine: take it out of there, and start with another key",
                    path.display()
                ));
            }
            let text = io::read_to_string(file).map_err(refuse)?;
            let key = text.trim();
            if key.len() < 32 {
                return Err(format!(
                    "{} holds no key: it has fewer than 32 characters",
                    path.display()
                ));
            }
            Ok(Secret::presented(key.to_owned()))
        }
        Err(error) => Err(refuse(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("service/key");
        let key = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap().reveal(), key.reveal());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "").unwrap();
        assert!(read_or_make(&path).is_err());
    }

    #[test]
    fn a_key_that_everybody_can_read_is_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let key = read_or_make(&path).unwrap();
        for (mode, is_fine) in [(0o644, false), (0o604, false), (0o660, true), (0o600, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read_or_make(&path).ok();
            let read = read.as_ref().map(Secret::reveal);
            assert_eq!(read == Some(key.reveal()), is_fine, "{mode:o}");
        }
    }
}
