//! What Redis' errors mean to us.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::verbs::StoreError;

const OLD_PROTOCOL: &str =
    "it does not speak RESP3: connect to Redis 7 or newer, or Valkey, without a proxy in between";

/// What an error means, at work on `key`. Redis names commands, users and reasons, never a password.
pub(super) fn map(fault: &RedisError, key: &str) -> StoreError {
    match fault.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => refused(fault),
        _ if speaks_resp2(fault) => StoreError::Refused(OLD_PROTOCOL.into()),
        ErrorKind::UnexpectedReturnType => corrupt(key, "another kind of value lies there"),
        _ => match fault.code() {
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => refused(fault),
            Some("WRONGTYPE") => corrupt(key, "another kind of value lies there"),
            _ => unavailable(&fault.to_string()),
        },
    }
}

/// Whether the other end, which may be a proxy, knows the older protocol only.
fn speaks_resp2(fault: &RedisError) -> bool {
    let is_unknown = |detail: &str| detail.starts_with("unknown command") && detail.contains("HELLO");
    fault.kind() == ErrorKind::RESP3NotSupported
        || fault.code() == Some("NOPROTO")
        || fault.detail().is_some_and(is_unknown)
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
