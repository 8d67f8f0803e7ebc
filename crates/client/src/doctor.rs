//! Walks every step that a client takes towards an MCP server, as each known client would, and says what is wrong and how to
//! mend it. It asks questions only: it never logs in, sends no secret, registers a client only when it is told to and
//! removes it again, and is bounded in time and bytes.
//!
//! One file is about one subject: what is asked, which [`Kind`]s of findings may come of it, and whom they stop.

mod address;
mod browser;
mod challenge;
mod client;
mod endpoints;
mod examination;
mod finding;
mod identity;
mod late;
mod legacy;
mod names;
mod registration;
mod render;
mod report;
mod resource;
mod server;
mod trust;

use std::time::Duration;

use url::Url;

pub use client::Client;
pub use finding::{Finding, Kind, Severity, Stage};
pub use identity::Identity;
pub use names::Lookup;
pub use render::{Look, render};
pub use report::{Journey, Report, Step};

use crate::http::{Http, HttpFault, Settings, Targets};
use examination::Examination;

/// How to examine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether clients may be registered to see whether they can be; they are removed again where the server lets them.
    pub register: bool,
    /// What takes longer is said to be slow.
    pub slow: Duration,
    /// How long everything may take; what is not asked by then is not judged.
    pub total: Duration,
    /// Who says where names are; without it the system.
    pub lookup: Option<Lookup>,
    /// Who is told of each step when it is done.
    pub watch: Option<fn(&Step)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            register: false,
            slow: Duration::from_secs(3),
            total: Duration::from_secs(180),
            lookup: None,
            watch: None,
        }
    }
}

/// The limits of calls as clients have them: Claude waits ten seconds for each. http is asked like https, because what is
/// sent is no secret.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        targets: Targets::Any { plain_http: true },
        ..Settings::default()
    }
}

/// All kinds of findings there are, in the order of a client's steps.
#[must_use]
pub fn kinds() -> Vec<&'static Kind> {
    let subjects: [&[&'static Kind]; 11] = [
        address::KINDS,
        challenge::KINDS,
        late::KINDS,
        resource::KINDS,
        server::KINDS,
        identity::KINDS,
        registration::KINDS,
        endpoints::KINDS,
        browser::KINDS,
        legacy::KINDS,
        trust::KINDS,
    ];
    subjects.concat()
}

/// Examines the MCP server at an address.
///
/// # Errors
/// [`Unreachable`] when nobody answers there at all.
pub async fn examine(http: &Http, server: &Url, options: &Options) -> Result<Report, Unreachable> {
    let mut examination = Examination::new(http, server, options);
    let Some(first) = address::reach(&mut examination).await? else {
        return Ok(examination.report(None));
    };
    let challenged = challenge::check(&mut examination, &first).await;
    let Some(resource) = resource::check(&mut examination, &challenged).await else {
        return Ok(examination.report(None));
    };
    let found = server::check(&mut examination, resource.issuer.as_deref()).await;
    if let Some(found) = &found {
        identity::check(&mut examination, found);
        if options.register {
            registration::check(&mut examination, found).await;
        }
        endpoints::check(&mut examination, found).await;
    }
    browser::check(&mut examination, &challenged, (&resource, found.as_ref())).await;
    legacy::check(&mut examination, &challenged, found.as_ref()).await;
    trust::check(&mut examination, &challenged).await;
    Ok(examination.report(found.as_ref()))
}

/// Nobody answers at the address, so there is nothing to examine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url} cannot be examined: {fault}")]
pub struct Unreachable {
    /// The address.
    pub url: Url,
    /// Why.
    pub fault: HttpFault,
}
