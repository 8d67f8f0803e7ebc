//! What can be found, and what was.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::Client;

/// Where all kinds of findings are described.
const PAGE: &str = "docs/client.md#what-doctor-finds";

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It breaks a rule that clients rely on.
    Fault,
    /// It is allowed, and could be better.
    Hint,
}

/// A client's steps, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It connects to the address.
    Address,
    /// It asks without a token, and is told to get one.
    Challenge,
    /// It reads the resource's metadata.
    Resource,
    /// It reads the authorization server's.
    Server,
    /// It becomes known to the authorization server.
    Identity,
    /// It uses the authorization server's endpoints.
    Endpoints,
    /// It runs in a browser.
    Browser,
    /// What others could do in its place.
    Trust,
}

impl Stage {
    /// The step in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Address => "connecting",
            Self::Challenge => "the first request, without a token",
            Self::Resource => "the resource's metadata",
            Self::Server => "the authorization server's metadata",
            Self::Identity => "becoming known to the authorization server",
            Self::Endpoints => "the authorization server's endpoints",
            Self::Browser => "reading answers in a browser",
            Self::Trust => "safety",
        }
    }
}

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, which does not change between releases.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// At which step.
    pub stage: Stage,
    /// What is wrong, in a sentence.
    pub what: &'static str,
    /// How to mend it.
    pub remedy: &'static str,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: &'static Kind,
    /// What was seen, one sentence for each place where it was.
    pub seen: Vec<String>,
    /// The known clients that get no further because of it.
    pub stops: BTreeSet<Client>,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Finding", 8)?;
        members.serialize_field("id", self.kind.id)?;
        members.serialize_field("severity", &self.kind.severity)?;
        members.serialize_field("stage", &self.kind.stage)?;
        members.serialize_field("what", self.kind.what)?;
        members.serialize_field("seen", &self.seen)?;
        members.serialize_field("stops", &self.stops)?;
        members.serialize_field("remedy", self.kind.remedy)?;
        members.serialize_field("documentation", PAGE)?;
        members.end()
    }
}
