//! The encryption key of a service that was given none: made at the first start, beside the store, for its owner alone.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
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
            let text = fs::read_to_string(path).map_err(refuse)?;
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
    use std::os::unix::fs::PermissionsExt;

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
}
