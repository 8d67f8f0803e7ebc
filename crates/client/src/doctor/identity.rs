//! How a client becomes known to the authorization server: by the address of its metadata (Client ID Metadata Document), or
//! by registering itself ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)).

use serde::Serialize;

use super::{Client, Kind, Severity, Stage, examination::Examination, server::Found};
use crate::discover::ServerMetadata;

pub(super) const NO_REGISTRATION: Kind = Kind {
    id: "no-registration",
    severity: Severity::Fault,
    stage: Stage::Identity,
    what: "There is no way for a client to become known: neither metadata documents nor registration are offered.",
    remedy: "Offer `registration_endpoint` (RFC 7591) or `client_id_metadata_document_supported: true`. Without them an \
             operator has to enter every client, and every user has to type its id.",
};

pub(super) const NO_DYNAMIC_REGISTRATION: Kind = Kind {
    id: "no-dynamic-registration",
    severity: Severity::Hint,
    stage: Stage::Identity,
    what: "Clients that have no metadata document cannot register themselves.",
    remedy: "Offer `registration_endpoint` (RFC 7591) too, or enter these clients by hand.",
};

pub(super) const CIMD_WITHOUT_NONE: Kind = Kind {
    id: "cimd-without-none",
    severity: Severity::Fault,
    stage: Stage::Identity,
    what: "Metadata documents are offered, but not the authentication method `none` that clients with such documents use: \
           Claude does not use them then.",
    remedy: "List `none` in `token_endpoint_auth_methods_supported`. (Where the list is missing, it means \
             `client_secret_basic` alone.)",
};

pub(super) const NO_PUBLIC_CLIENTS: Kind = Kind {
    id: "no-public-clients",
    severity: Severity::Hint,
    stage: Stage::Identity,
    what: "The authentication method `none` is not listed, which is what most clients register with.",
    remedy: "Accept public clients (PKCE protects them), and list `none` in `token_endpoint_auth_methods_supported`.",
};

pub(super) const KINDS: &[&Kind] = &[
    &NO_REGISTRATION,
    &NO_DYNAMIC_REGISTRATION,
    &CIMD_WITHOUT_NONE,
    &NO_PUBLIC_CLIENTS,
];

/// How a client becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// By the address of its metadata document.
    MetadataDocument,
    /// By registering itself.
    Registration,
}

impl Identity {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::MetadataDocument => "metadata document",
            Self::Registration => "registration",
        }
    }

    /// How `client` would become known. `is_oauth` says whether the metadata is where RFC 8414 has it.
    pub(super) fn of(client: Client, metadata: &ServerMetadata, is_oauth: bool) -> Option<Self> {
        let offers = metadata.client_id_metadata_document_supported
            && (is_oauth || client != Client::ChatGpt)
            && client
                .document_method()
                .is_some_and(|method| lists(metadata, method));
        if offers {
            Some(Self::MetadataDocument)
        } else {
            metadata
                .registration_endpoint
                .is_some()
                .then_some(Self::Registration)
        }
    }
}

/// Whether an authentication method may be used at the token endpoint ([RFC 8414
/// §2](https://www.rfc-editor.org/rfc/rfc8414#section-2): without a list it is `client_secret_basic`).
fn lists(metadata: &ServerMetadata, method: &str) -> bool {
    match &metadata.token_endpoint_auth_methods_supported {
        Some(listed) => listed.iter().any(|one| one == method),
        None => method == "client_secret_basic",
    }
}

/// Whether each client can become known.
pub(super) fn check(examination: &mut Examination<'_>, found: &Found) {
    let metadata = &found.metadata;
    let unknown: Vec<_> = Client::ALL
        .into_iter()
        .filter(|client| Identity::of(*client, metadata, found.is_oauth).is_none())
        .collect();
    let has_documents = metadata.client_id_metadata_document_supported;
    let listed = metadata.token_endpoint_auth_methods_supported.as_ref();
    let methods = listed.map_or_else(
        || "there is no `token_endpoint_auth_methods_supported`".to_owned(),
        |listed| {
            format!(
                "`token_endpoint_auth_methods_supported` lists: {}",
                listed.join(", ")
            )
        },
    );
    let has_none = lists(metadata, "none");
    if has_documents && !has_none {
        examination.find(&CIMD_WITHOUT_NONE, methods, unknown);
    } else if has_documents && !unknown.is_empty() {
        let seen = "there is no `registration_endpoint`".to_owned();
        examination.find(&NO_DYNAMIC_REGISTRATION, seen, unknown);
    } else if !has_documents && !unknown.is_empty() {
        let seen =
            "there is no `registration_endpoint`, and `client_id_metadata_document_supported` is not true";
        examination.find(&NO_REGISTRATION, seen.to_owned(), unknown);
    } else if listed.is_some() && !has_none {
        examination.find(&NO_PUBLIC_CLIENTS, methods, []);
    }
}
