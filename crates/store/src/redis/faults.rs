//! What Redis' errors mean to us.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::verbs::StoreError;

/// What an error means, at work on `key`. Redis names commands, users and reasons, never a password.
pub(super) fn map(fault: &RedisError, key: &str) -> StoreError {
    match fault.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => refused(fault),
        ErrorKind::UnexpectedReturnType => corrupt(key, "another kind of value lies there"),
        _ => match fault.code() {
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => refused(fault),
            Some("WRONGTYPE") => corrupt(key, "another kind of value lies there"),
            _ => unavailable(&fault.to_string()),
        },
    }
}

fn refused(fault: &RedisError) -> StoreError {
    StoreError::Refused(fault.to_string())
}

fn corrupt(key: &str, reason: &str) -> StoreError {
    StoreError::Corrupt {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}

pub(super) fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned())
}
