//! Logins under way, logged-in browsers, and the logins of the allow-list that are pinned to somebody.

use mcp_gateway_model::{
    clock::Timestamp,
    id::{Login as LoginName, UserId},
    secret::Digest,
};

use super::{get_one, read};
use crate::{
    engine::{Answer, Engine, Value},
    records::{BrowserLogin, Login},
    value::{decode, encode},
    verbs::{Pin, Taken},
};

pub(super) async fn put<E: Engine>(engine: &E, key: &Digest, login: &Login, now: Timestamp) -> Answer<()> {
    let key = engine.keys().login(key);
    let value = Value {
        bytes: encode(&key, login)?,
        ends: Some(login.expires_at),
    };
    engine.put(key, value, now).await
}

pub(super) async fn get<E: Engine>(engine: &E, key: &Digest, now: Timestamp) -> Answer<Option<Login>> {
    let (key, found) = get_one(engine, engine.keys().login(key)).await?;
    Ok(read(&key, found.as_ref())?.filter(|login: &Login| !login.expires_at.has_passed(now)))
}

pub(super) async fn take<E: Engine>(engine: &E, key: &Digest, now: Timestamp) -> Answer<Taken> {
    let key = engine.keys().login(key);
    let found = engine.take(key.clone()).await?;
    let login = read(&key, found.as_ref())?.filter(|login: &Login| !login.expires_at.has_passed(now));
    Ok(login.map_or(Taken::Nothing, |login| Taken::Login(Box::new(login))))
}

pub(super) async fn put_browser<E: Engine>(
    engine: &E,
    key: &Digest,
    browser: &BrowserLogin,
    now: Timestamp,
) -> Answer<()> {
    let key = engine.keys().browser(key);
    let value = Value {
        bytes: encode(&key, browser)?,
        ends: Some(browser.expires_at),
    };
    engine.put(key, value, now).await
}

pub(super) async fn browser<E: Engine>(
    engine: &E,
    key: &Digest,
    now: Timestamp,
) -> Answer<Option<BrowserLogin>> {
    let (key, found) = get_one(engine, engine.keys().browser(key)).await?;
    Ok(read(&key, found.as_ref())?.filter(|browser: &BrowserLogin| !browser.expires_at.has_passed(now)))
}

pub(super) async fn pin<E: Engine>(engine: &E, login: &LoginName, user: UserId) -> Answer<Pin> {
    let key = engine.keys().pin(login);
    let bytes = encode(&key, user)?;
    let held = engine.put_new(key.clone(), bytes).await?;
    Ok(match read::<UserId>(&key, held.as_ref())? {
        Some(other) if other != user => Pin::Taken(other),
        _ => Pin::Theirs,
    })
}

pub(super) async fn pinned<E: Engine>(engine: &E, login: &LoginName) -> Answer<Option<UserId>> {
    let (key, found) = get_one(engine, engine.keys().pin(login)).await?;
    read(&key, found.as_ref())
}

pub(super) async fn unpin<E: Engine>(engine: &E, login: &LoginName) -> Answer<Option<UserId>> {
    let key = engine.keys().pin(login);
    let held = engine.take(key.clone()).await?;
    held.map(|bytes| decode(&key, &bytes)).transpose()
}
