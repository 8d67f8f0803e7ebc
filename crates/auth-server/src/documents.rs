//! Clients whose id is the address of their description
//! ([Client ID Metadata Document](https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/)).

mod address;
mod content;
mod policy;

use mcp_gateway_model::{
    client::{Client, ClientMetadata, ClientOrigin},
    id::ClientId,
};
use mcp_gateway_store::StoreError;

pub use policy::{BadDocumentPolicy, DocumentPolicy};

use crate::{
    clients::{NoClient, Purpose},
    fetch::{
        FetchFault,
        copies::{self, Kind, NoCopy, Policy},
    },
    request::Context,
};

pub(crate) use address::{host_of, is_address};

/// The client that is described at `id`, if that is an address.
///
/// # Errors
/// [`NoClient`] says why there is none.
pub(crate) async fn find(context: &Context, id: &ClientId, purpose: Purpose) -> Result<Client, NoClient> {
    let settings = &context.server.settings;
    if !is_address(id) || settings.documents == DocumentPolicy::Off {
        return Err(NoClient::Unknown);
    }
    let url = address::parse(id).map_err(|why| NoClient::Unacceptable(why.into(), "document_address"))?;
    if !settings.documents.trusts(&url) {
        let why = "is at a host that the operator of this server does not allow";
        return Err(NoClient::Unacceptable(why.into(), "document_host"));
    }
    let policy = Policy {
        last_good: purpose == Purpose::Use,
        read_within: None,
    };
    let parse = |text: &str| content::read(text, id, &settings.issuer).map(|metadata| (metadata, None));
    let metadata = copies::read(context, (Kind::Client, &url), policy, parse).await?;
    Ok(described(id, metadata, context))
}

/// Notes that the client at `id`, if that is an address, was allowed something: its description stays for a while even if
/// its host is down.
///
/// # Errors
/// When the store cannot be asked.
pub(crate) async fn keep(context: &Context, id: &ClientId) -> Result<(), StoreError> {
    match address::parse(id) {
        Ok(url) => copies::keep(context, Kind::Client, &url).await,
        Err(_) => Ok(()),
    }
}

fn described(id: &ClientId, metadata: ClientMetadata, context: &Context) -> Client {
    Client {
        id: id.clone(),
        metadata,
        origin: ClientOrigin::MetadataDocument,
        secret: None,
        registration_token: None,
        previous_registration_token: None,
        revision: 0,
        issued_at: context.now,
        expires_at: None,
        resources: None,
        seen: true,
    }
}

impl From<NoCopy> for NoClient {
    fn from(no_copy: NoCopy) -> Self {
        match no_copy {
            NoCopy::Rejected(rejection) => Self::Rejected(rejection),
            NoCopy::Fault(fault) if fault.is_passing() => {
                Self::Unavailable(fault.to_string(), fault.reason())
            }
            NoCopy::Fault(FetchFault::Invalid(why)) => {
                Self::Unacceptable(format!("is not acceptable: {why}"), "document_invalid")
            }
            NoCopy::Fault(fault) => Self::Unacceptable(format!("cannot be read: {fault}"), fault.reason()),
        }
    }
}
