//! What was asked on the way, and what came back: so that somebody can say what is wrong.

use url::Url;

use super::{ResourcePlace, ServerPlace};
use crate::http::{Answer, HttpFault};

/// What a step was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// The MCP server, without a token: is there a challenge?
    Challenge,
    /// Protected resource metadata.
    Resource(ResourcePlace),
    /// Authorization server metadata.
    Server(ServerPlace),
    /// Authorization server metadata at the MCP server itself, as revision 2025-03-26 has it.
    Legacy,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its answer is used.
    Used,
    /// Nobody answered.
    Unanswered(HttpFault),
    /// The status is not the expected one.
    Status(u16),
    /// The document is not JSON, or not of its form; a short text says where.
    Malformed(String),
    /// The document names something else than what was asked for: `found` instead of `expected`.
    Mismatch {
        /// What it should name.
        expected: String,
        /// What it names.
        found: String,
    },
    /// The address is none that can be asked: relative, or not a URL.
    BadAddress(String),
    /// The document lacks what it must have.
    Lacks(&'static str),
}

/// One step: a question, where it was asked, what came, and what became of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it was for.
    pub question: Question,
    /// Where it was asked, as it was written.
    pub address: String,
    /// The answer, if there was one.
    pub answer: Option<Answer>,
    /// What became of it.
    pub verdict: Verdict,
}

/// All steps, in order.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Trail {
    pub(super) fn note(&mut self, question: Question, url: &Url, answer: Option<Answer>, verdict: Verdict) {
        self.steps.push(Step {
            question,
            address: url.as_str().to_owned(),
            answer,
            verdict,
        });
    }

    /// The step whose answer was used for this kind of question.
    #[must_use]
    pub fn used(&self, is_meant: impl Fn(Question) -> bool) -> Option<&Step> {
        let mut steps = self.steps.iter().rev();
        steps.find(|step| step.verdict == Verdict::Used && is_meant(step.question))
    }
}
