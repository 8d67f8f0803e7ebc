//! Rate limits, shared by all processes through the store.

use std::{cell::Cell, net::IpAddr};

use mcp_gateway_model::{
    clock::Timestamp,
    id::{ClientId, GrantId},
    secret::Digest,
};
use mcp_gateway_store::{Permit, Permitted, Rate, Store};

use crate::{documents, door::Rejection, request::Context};

/// The permits that a request has yet to take. The store takes them with whatever it is asked for next; a request that fails
/// before takes them by [`Due::settle`], so that it counts all the same.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// For the address it comes from.
    pub(crate) address: Cell<Option<Permit>>,
    /// For the client that it proved to be.
    pub(crate) client: Cell<Option<Permit>>,
}

impl Due {
    /// For a request that has yet to take the permit of its address, or has taken it.
    pub(crate) fn at_address(permit: Option<Permit>) -> Self {
        Self {
            address: Cell::new(permit),
            client: Cell::default(),
        }
    }

    /// One permit that is due, for the store to take; the address comes first.
    pub(crate) fn next(&self) -> Option<Permit> {
        self.address.take().or_else(|| self.client.take())
    }

    /// The permit of the address is not needed: somebody there proved to be who may do this as often as they like.
    pub(crate) fn forgive_address(&self) {
        self.address.take();
    }

    /// Takes what is due.
    ///
    /// # Errors
    /// As [`by_address`].
    pub(crate) async fn settle(&self, context: &Context) -> Result<(), Rejection> {
        for permit in [self.address.take(), self.client.take()].into_iter().flatten() {
            take(context.server.store.as_ref(), permit, context.now).await?;
        }
        Ok(())
    }

    /// What came of a request; one that failed before it took its permits takes them now, and if there is none that is
    /// what it is told.
    pub(crate) async fn settled<T>(
        &self,
        context: &Context,
        answer: Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        if answer.is_err() {
            self.settle(context).await?;
        }
        answer
    }
}

/// What was done with the permits that are due.
///
/// # Errors
/// A rejection with status 429 and `Retry-After` when one of them was not to be had.
pub(crate) fn permitted<T>(answer: Permitted<T>) -> Result<T, Rejection> {
    match answer {
        Permitted::Yes(done) => Ok(done),
        Permitted::Wait(wait) => Err(Rejection::too_many(wait)),
    }
}

/// The permit for something that `address` does.
pub(crate) fn of_address(what: &'static str, address: IpAddr, rate: Rate) -> Permit {
    let name = Digest::of(format!("{what} address {}", counted(address)).as_bytes());
    Permit { name, rate }
}

/// The permit for what a client that has just proved who it is does at an endpoint, wherever it does it from. Only for a
/// client that there is, so that nobody can fill the store with made-up names.
pub(crate) fn of_client(context: &Context, endpoint: &'static str, client: &ClientId) -> Permit {
    // Many devices share the address of a description: none of them may use up what the others need.
    if documents::is_address(client) {
        return of_client_at_address(context, endpoint, client);
    }
    of_whom(context, endpoint, client.as_str())
}

/// As [`of_client`], for who only says which client it is: anybody can, so that none may use up what the others need.
pub(crate) fn of_client_at_address(context: &Context, endpoint: &'static str, client: &ClientId) -> Permit {
    let whose = format!("{client} address {}", counted(context.address));
    of_whom(context, endpoint, &whose)
}

fn of_whom(context: &Context, endpoint: &'static str, whose: &str) -> Permit {
    Permit {
        name: Digest::of(format!("{endpoint} client {whose}").as_bytes()),
        rate: context.server.settings.limits.client,
    }
}

/// Takes a permit for something that `address` does.
///
/// # Errors
/// A rejection with status 429 and `Retry-After` when there is none, and 503 when the store cannot be asked.
pub(crate) async fn by_address(
    store: &dyn Store,
    what: &'static str,
    address: IpAddr,
    rate: Rate,
    now: Timestamp,
) -> Result<(), Rejection> {
    take(store, of_address(what, address, rate), now).await
}

/// Takes the permit [`of_client`].
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_client(
    context: &Context,
    endpoint: &'static str,
    client: &ClientId,
) -> Result<(), Rejection> {
    let permit = of_client(context, endpoint, client);
    take(context.server.store.as_ref(), permit, context.now).await
}

/// Takes the permit [`of_client_at_address`].
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_client_at_address(
    context: &Context,
    endpoint: &'static str,
    client: &ClientId,
) -> Result<(), Rejection> {
    let permit = of_client_at_address(context, endpoint, client);
    take(context.server.store.as_ref(), permit, context.now).await
}

/// Takes a permit for what the holder of a personal access token does at an endpoint: what stands in its client's place
/// is shared by all of them.
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_grant(
    context: &Context,
    endpoint: &'static str,
    grant: &GrantId,
) -> Result<(), Rejection> {
    let server = &context.server;
    let permit = Permit {
        name: Digest::of(format!("{endpoint} grant {grant}").as_bytes()),
        rate: server.settings.limits.client,
    };
    take(server.store.as_ref(), permit, context.now).await
}

/// Takes a permit from the bucket called `name`.
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_name(context: &Context, name: &str, rate: Rate) -> Result<(), Rejection> {
    let name = Digest::of(name.as_bytes());
    take(context.server.store.as_ref(), Permit { name, rate }, context.now).await
}

async fn take(store: &dyn Store, permit: Permit, now: Timestamp) -> Result<(), Rejection> {
    match store.take_permit(&permit.name, permit.rate, now).await? {
        None => Ok(()),
        Some(wait) => Err(Rejection::too_many(wait)),
    }
}

/// What is counted as one: an IPv4 address, or the /64 that one IPv6 customer has.
pub(crate) fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}/64", address.to_bits() >> 64),
    }
}
