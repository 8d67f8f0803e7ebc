//! Users who are thrown out: a marker for the number, one for the login, and an index of who was named.

use std::collections::BTreeSet;

use mcp_gateway_model::{
    access::Person,
    clock::Timestamp,
    id::{Login, UserId},
};

use super::{get_one, grants, read};
use crate::{
    engine::{Answer, Engine, Swap, Then, Value},
    records::Block,
    value::encode,
    verbs::Blocked,
};

/// Until when a block is listed: it ends when the operator says so.
const FOR_EVER: Timestamp = Timestamp::from_millis(1 << 50);

/// The markers that keep an account out.
pub(super) fn markers<E: Engine>(engine: &E, user: UserId, login: &Login) -> [String; 2] {
    [
        engine.keys().blocked_user(user),
        engine.keys().blocked_login(login),
    ]
}

/// Blocks. If this stops half-way it can be asked for again.
pub(super) async fn block<E: Engine>(engine: &E, person: &Person, now: Timestamp) -> Answer<Blocked> {
    let mut block = Block {
        named: person.clone(),
        users: BTreeSet::new(),
        since: now,
    };
    let named = person.to_string();
    enlist(engine, &named, now).await?;
    match person {
        Person::Id(id) => {
            block.users.insert(*id);
            mark(engine, engine.keys().blocked_user(*id), &block, now).await?;
        }
        Person::Login(login) => {
            let marker = engine.keys().blocked_login(login);
            mark(engine, marker.clone(), &block, now).await?;
            block.users = known(engine, login, now).await?;
            // whom this block holds for is written down before it holds, so that it can be lifted as a whole
            mark(engine, marker, &block, now).await?;
            for id in &block.users {
                let marker = engine.keys().blocked_user(*id);
                let bytes = encode(&marker, &block)?;
                // a block of the number itself stays what it is
                engine.put_new(marker, bytes).await?;
            }
        }
    }
    let mut ended = 0;
    for id in &block.users {
        for grant in grants::indexed(engine, &engine.keys().user_grants(*id), now).await? {
            if grant.is_of(*id) {
                ended += u64::from(grants::end(engine, &grant.id, now).await?);
            }
        }
    }
    // somebody who lifts a block at the same time may have taken the name off the list
    enlist(engine, &named, now).await?;
    Ok(Blocked { block, grants: ended })
}

/// Lifts a block, and what it brought about.
pub(super) async fn unblock<E: Engine>(engine: &E, person: &Person) -> Answer<Vec<Person>> {
    let login = match person {
        Person::Login(login) => login.clone(),
        Person::Id(id) => match lift(engine, engine.keys().blocked_user(*id), None).await? {
            None => return Ok(Vec::new()),
            Some(block) => match block.named {
                Person::Login(login) => login,
                Person::Id(_) => {
                    unlist(engine, person).await?;
                    return Ok(vec![person.clone()]);
                }
            },
        },
    };
    let named = Person::Login(login.clone());
    let mut lifted = BTreeSet::new();
    if matches!(person, Person::Id(_)) {
        lifted.insert(person.clone());
    }
    if let Some(block) = lift(engine, engine.keys().blocked_login(&login), None).await? {
        for id in block.users {
            let marker = engine.keys().blocked_user(id);
            if lift(engine, marker, Some(&named)).await?.is_some() {
                lifted.insert(Person::Id(id));
            }
        }
        lifted.insert(named.clone());
    }
    unlist(engine, &named).await?;
    Ok(lifted.into_iter().collect())
}

/// Who is blocked.
pub(super) async fn list<E: Engine>(engine: &E) -> Answer<Vec<Block>> {
    let named = engine.members(&engine.keys().blocked()).await?;
    let markers: Vec<_> = named
        .iter()
        .filter_map(|name| match Person::parse(name).ok()? {
            Person::Id(id) => Some(engine.keys().blocked_user(id)),
            Person::Login(login) => Some(engine.keys().blocked_login(&login)),
        })
        .collect();
    let found = engine.get_scattered(&markers).await?;
    let mut blocks = Vec::new();
    for (key, bytes) in markers.iter().zip(&found) {
        blocks.extend(read::<Block>(key, bytes.as_ref())?);
    }
    blocks.sort_by(|a, b| a.named.cmp(&b.named));
    Ok(blocks)
}

/// The accounts that a login means: whom it is pinned to, and who has a living grant under it.
async fn known<E: Engine>(engine: &E, login: &Login, now: Timestamp) -> Answer<BTreeSet<UserId>> {
    let (pin, pinned) = get_one(engine, engine.keys().pin(login)).await?;
    let mut users: BTreeSet<UserId> = read(&pin, pinned.as_ref())?.into_iter().collect();
    for member in engine.members(&engine.keys().login_users(login)).await? {
        let Ok(id) = member.parse().map(UserId) else {
            continue;
        };
        let grants = grants::indexed(engine, &engine.keys().user_grants(id), now).await?;
        let is_theirs = grants
            .iter()
            .filter_map(|grant| grant.user.as_ref())
            .any(|user| user.id == id && user.login == *login);
        if is_theirs {
            users.insert(id);
        }
    }
    Ok(users)
}

async fn mark<E: Engine>(engine: &E, key: String, block: &Block, now: Timestamp) -> Answer<()> {
    let value = Value {
        bytes: encode(&key, block)?,
        ends: None,
    };
    engine.put(key, value, now).await
}

/// Removes a marker, if there is one, and if it is there because of `named` where that is asked.
async fn lift<E: Engine>(engine: &E, key: String, named: Option<&Person>) -> Answer<Option<Block>> {
    let (key, found) = get_one(engine, key).await?;
    let block: Option<Block> = read(&key, found.as_ref())?;
    let Some(block) = block.filter(|block| named.is_none_or(|named| block.named == *named)) else {
        return Ok(None);
    };
    let swap = Swap::new(key, found, Then::Remove);
    // what changed meanwhile was blocked again: that one stays; nothing is written, so no time is needed
    let lifted = engine.swap(vec![swap], Timestamp::from_millis(0)).await?;
    Ok(lifted.then_some(block))
}

async fn enlist<E: Engine>(engine: &E, named: &str, now: Timestamp) -> Answer<()> {
    engine.index(engine.keys().blocked(), named, FOR_EVER, now).await
}

async fn unlist<E: Engine>(engine: &E, person: &Person) -> Answer<()> {
    engine.unindex(engine.keys().blocked(), &person.to_string()).await
}
