//! Servers that tell anybody what they are, and ask for a token only when something is called: MCP leaves that to them.

use super::{Kind, Severity, Stage, address::first_request, examination::Examination};
use crate::http::Answer;

pub(super) const LATE: Kind = Kind {
    id: "token-only-for-calls",
    severity: Severity::Hint,
    stage: Stage::Challenge,
    what: "`initialize` is answered without a token, and only a call of a tool is asked for one: clients that log in when they \
           connect, and at no other time, never do.",
    remedy: "If such clients matter, answer `initialize` without a token with 401 too.",
};

pub(super) const KINDS: &[&Kind] = &[&LATE];

/// Calls a tool that nobody has. The answer is what counts if it asks for a token, and so is what is asked from then on.
pub(super) async fn check(examination: &mut Examination<'_>, first: &Answer) -> Option<Answer> {
    if !first.status.is_success() || first.media_type().as_deref() == Some("text/html") {
        return None;
    }
    let purpose = "a call of a tool that nobody has, without a token";
    examination.is_late = true;
    let asked = first_request(examination, (Stage::Challenge, purpose), &[]).await;
    let answer = asked.ok().filter(|answer| answer.status.as_u16() == 401);
    examination.is_late = answer.is_some();
    if answer.is_some() {
        let seen = format!(
            "POST {} answers `initialize`, and `tools/call` with status 401",
            examination.server
        );
        examination.find(&LATE, seen, []);
    }
    answer
}
