//! What an examination brings.

use serde::{Serialize, Serializer};
use url::Url;

use super::{Client, Finding, Identity, Severity, Stage, examination::Question};
use crate::http::{Answer, HttpFault};

/// One question that was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The client's step that it belongs to.
    pub stage: Stage,
    /// What it was for.
    pub purpose: String,
    /// Its method.
    pub method: String,
    /// Where it was asked.
    pub url: String,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub fault: Option<String>,
    /// How long the answer took, in milliseconds.
    pub milliseconds: Option<u64>,
    /// Where the answer leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Step {
    pub(super) fn new(question: &Question<'_>, asked: &Result<Answer, HttpFault>) -> Self {
        let answer = asked.as_ref().ok();
        let milliseconds = |answer: &Answer| u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX);
        Self {
            stage: question.stage,
            purpose: question.purpose.to_owned(),
            method: question.method.to_string(),
            url: question.url.to_string(),
            status: answer.map(|answer| answer.status.as_u16()),
            fault: asked.as_ref().err().map(ToString::to_string),
            milliseconds: answer.map(milliseconds),
            location: answer.and_then(Answer::location).map(String::from),
        }
    }
}

/// How far a client gets.
#[derive(Clone, Debug, Serialize)]
pub struct Journey {
    /// Which client.
    pub client: Client,
    /// What people call it.
    pub name: &'static str,
    /// Whether nothing that can be seen from outside stops it.
    pub passes: bool,
    /// How it would become known to the authorization server; none if it cannot, or nobody could be asked.
    pub identity: Option<Identity>,
    /// The step at which it is stopped first.
    pub stopped_at: Option<Stage>,
    /// The findings that stop it.
    pub stopped_by: Vec<&'static str>,
}

/// What an examination brings.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The address as it was given.
    #[serde(serialize_with = "text")]
    pub url: Url,
    /// The address that was examined: where the given one leads to.
    #[serde(serialize_with = "text")]
    pub examined: Url,
    /// Whether there are no faults.
    pub ok: bool,
    /// What was found, faults first, each in the order of a client's steps.
    pub findings: Vec<Finding>,
    /// How far each known client gets.
    pub clients: Vec<Journey>,
    /// What is worth knowing, and is nobody's fault.
    pub notes: Vec<String>,
    /// Whether everything was asked before the time was up.
    pub complete: bool,
    /// Every question that was asked.
    pub steps: Vec<Step>,
}

fn text<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.as_str())
}

impl Report {
    pub(super) fn new(
        (url, examined): (Url, Url),
        (findings, notes): (Vec<Finding>, Vec<String>),
        (steps, complete): (Vec<Step>, bool),
        identity: impl Fn(Client) -> Option<Identity>,
    ) -> Self {
        let journey = |client: Client| {
            let stopping: Vec<_> = findings
                .iter()
                .filter(|finding| finding.stops.contains(&client))
                .collect();
            Journey {
                client,
                name: client.name(),
                passes: stopping.is_empty(),
                identity: identity(client),
                stopped_at: stopping.iter().map(|finding| finding.kind.stage).min(),
                stopped_by: stopping.iter().map(|finding| finding.kind.id).collect(),
            }
        };
        let clients = Client::ALL.into_iter().map(journey).collect();
        let is_fault = |finding: &Finding| finding.kind.severity == Severity::Fault;
        Self {
            url,
            examined,
            ok: !findings.iter().any(is_fault),
            findings,
            clients,
            notes,
            complete,
            steps,
        }
    }

    /// The exit code of a command: 0 without faults, else 1. (2 is for an address where nobody answers.)
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if self.ok { 0 } else { 1 }
    }
}
