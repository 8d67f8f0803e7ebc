//! How records are written: JSON with the version of the schema in front.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::verbs::StoreError;

/// The version of the schema that this release writes.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    record: T,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// The bytes of a record.
pub(crate) fn encode<T: Serialize>(key: &str, record: T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&Versioned { v: SCHEMA, record }).map_err(|e| corrupt(key, &e))
}

/// The record in `bytes`, which lie under `key`.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, StoreError> {
    match serde_json::from_slice::<Versioned<T>>(bytes) {
        Ok(found) if found.v == SCHEMA => Ok(found.record),
        Ok(found) => Err(wrong_version(key, found.v)),
        Err(fault) => match serde_json::from_slice::<Version>(bytes) {
            Ok(Version { v }) if v != SCHEMA => Err(wrong_version(key, v)),
            _ => Err(corrupt(key, &fault)),
        },
    }
}

/// What the schema mark of a store says about this release.
pub(crate) fn check_schema(key: &str, mark: &[u8]) -> Result<(), StoreError> {
    let found = std::str::from_utf8(mark)
        .ok()
        .and_then(|text| text.parse::<u32>().ok())
        .ok_or_else(|| StoreError::Corrupt {
            key: key.to_owned(),
            reason: "not a number".into(),
        })?;
    if found == SCHEMA {
        Ok(())
    } else {
        Err(wrong_version(key, found))
    }
}

fn wrong_version(key: &str, found: u32) -> StoreError {
    if found > SCHEMA {
        StoreError::TooNew { found, known: SCHEMA }
    } else {
        StoreError::Corrupt {
            key: key.to_owned(),
            reason: format!("there is no schema {found}"),
        }
    }
}

/// `serde_json` names the place and what was expected there; a value that does not fit could be quoted, so only the
/// category and the place are told.
fn corrupt(key: &str, fault: &serde_json::Error) -> StoreError {
    StoreError::Corrupt {
        key: key.to_owned(),
        reason: format!("{:?} error at column {}", fault.classify(), fault.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_carries_its_schema_version() {
        let bytes = encode("k", 7).unwrap();
        assert_eq!(bytes, br#"{"v":1,"record":7}"#);
        assert_eq!(decode::<u32>("k", &bytes).unwrap(), 7);
    }

    #[test]
    fn a_record_of_a_newer_release_is_named_as_such_whatever_it_holds() {
        for text in [
            r#"{"v":2,"record":7}"#,
            r#"{"v":2,"record":{"new":true}}"#,
            r#"{"v":2,"else":1}"#,
        ] {
            let fault = decode::<u32>("k", text.as_bytes()).unwrap_err();
            assert!(
                matches!(fault, StoreError::TooNew { found: 2, known: 1 }),
                "{fault}"
            );
        }
        assert!(matches!(check_schema("k", b"2"), Err(StoreError::TooNew { .. })));
    }

    #[test]
    fn what_is_no_record_is_corrupt_and_not_quoted() {
        for text in [
            "",
            "x",
            r#"{"record":7}"#,
            r#"{"v":1,"record":"secret"}"#,
            r#"{"v":0,"record":1}"#,
        ] {
            let fault = decode::<u32>("k", text.as_bytes()).unwrap_err();
            assert!(matches!(fault, StoreError::Corrupt { .. }), "{fault}");
            assert!(!fault.to_string().contains("secret"));
        }
    }
}
