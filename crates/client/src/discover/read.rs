//! Reads one document, and notes what became of it.

use serde::de::DeserializeOwned;
use url::Url;

use super::{DiscoverFault, Question, Trail, Verdict};
use crate::http::{Answer, Http, HttpFault};

/// What there is at an address.
pub(super) enum Document<T> {
    /// The document.
    Good(T),
    /// Nothing: somebody answers, and has no such document.
    Absent,
    /// Nobody answers, or says to come later.
    Unasked(DiscoverFault),
    /// A document that must not be used, nor any other instead.
    Refused(DiscoverFault),
}

/// Reads the document at an address; `checked` says what is wrong with it.
pub(super) async fn document<T: DeserializeOwned>(
    http: &Http,
    (question, url): (Question, &Url),
    checked: impl Fn(&T) -> Result<(), Verdict>,
    trail: &mut Trail,
) -> Document<T> {
    let answer = match http.get(url).await {
        Ok(answer) => answer,
        Err(fault) => {
            trail.note(question, url, None, Verdict::Unanswered(fault.clone()));
            return unanswered(url, fault);
        }
    };
    let judged = judge(&answer).and_then(|found: T| checked(&found).map(|()| found));
    let (verdict, outcome) = match judged {
        Ok(found) => (Verdict::Used, Document::Good(found)),
        Err(verdict) => (verdict.clone(), outcome(url, verdict)),
    };
    trail.note(question, url, Some(answer), verdict);
    outcome
}

fn unanswered<T>(url: &Url, fault: HttpFault) -> Document<T> {
    let fault = DiscoverFault::Unreachable {
        url: url.as_str().to_owned(),
        fault,
    };
    Document::Unasked(fault)
}

fn judge<T: DeserializeOwned>(answer: &Answer) -> Result<T, Verdict> {
    if answer.status.as_u16() != 200 {
        return Err(Verdict::Status(answer.status.as_u16()));
    }
    answer.json().map_err(|error| {
        // many servers say text/plain; only what cannot be read is refused
        let kind = answer
            .media_type()
            .unwrap_or_else(|| "no Content-Type".to_owned());
        let what = if error.is_data() {
            "is not of its form"
        } else {
            "is not JSON"
        };
        Verdict::Malformed(format!("{what} ({kind}): {error}"))
    })
}

/// Whether something else may be used instead. A page at a well-known address is what sites answer for everything they do
/// not know; a document about something else is a fault, or an attack.
fn outcome<T>(url: &Url, verdict: Verdict) -> Document<T> {
    let url = url.as_str().to_owned();
    match verdict {
        Verdict::Mismatch { expected, found } => {
            Document::Refused(DiscoverFault::Mismatch { url, expected, found })
        }
        Verdict::Lacks(member) => Document::Refused(DiscoverFault::Lacks { url, member }),
        Verdict::Status(status) if status >= 500 || status == 429 => {
            Document::Unasked(DiscoverFault::Busy { url, status })
        }
        _ => Document::Absent,
    }
}
