//! What a request does, and what it therefore needs: judged by the rules of its resource, from its method, its path and what
//! its body asks the MCP server for.

use actix_web::{
    HttpRequest,
    http::header::HeaderMap,
    web::{Bytes, Payload},
};
use mcp_gateway_model::{
    resource::Protected,
    rule::{Call, Demand, Message, Operation, Policy},
};

use crate::{
    body, forwarded,
    forwarded::Asked,
    mirrored::Mirrored,
    reason::{Cause, Reason},
};

/// Headers by which some servers let a POST stand for another method.
const OTHER_METHODS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
/// Headers by which some servers let a path stand for another.
const OTHER_PATHS: [&str; 2] = ["x-original-url", "x-rewrite-url"];
/// Headers of a request for a connection on which no further message could be read. The proxy keeps `Upgrade` to itself.
const UPGRADES: [&str; 3] = ["upgrade", "sec-websocket-key", "sec-websocket-version"];
/// Methods whose requests have no body that asks for anything.
const WITHOUT_BODY: [&str; 4] = ["GET", "HEAD", "DELETE", "OPTIONS"];

/// What a request needs, as far as that is known without its body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need<'r> {
    /// All that there is to know.
    Known(Demand),
    /// The body decides, and this method.
    InBody(&'r str),
}

/// What the request needs. Nothing of it is read that no rule looks at.
pub(crate) fn need<'r>(
    headers: &'r HeaderMap,
    asked: &Asked<'_>,
    protected: &Protected,
) -> Result<Need<'r>, Reason> {
    let policy = &protected.resource.policy;
    let http_method = if policy.reads_http_methods() || policy.reads_messages() {
        forwarded::method(headers).ok_or(Reason::ForwardedMethod)?
    } else {
        ""
    };
    let overridden = (policy.reads_http_methods() && any(&OTHER_METHODS, headers))
        || (protected.paths_matter && any(&OTHER_PATHS, headers));
    if overridden {
        return Err(Reason::Override);
    }
    if !policy.reads_messages() {
        return judge(policy, http_method, asked, &[]).map(Need::Known);
    }
    if any(&UPGRADES, headers) {
        return Err(Reason::Upgrade);
    }
    Ok(Need::InBody(http_method))
}

/// What the request needs, whose body decides.
pub(crate) async fn need_of_body(
    request: &HttpRequest,
    payload: Payload,
    (asked, protected): (&Asked<'_>, &Protected),
    http_method: &str,
) -> Result<Demand, Cause> {
    let policy = &protected.resource.policy;
    let headers = request.headers();
    let body = body::read(headers, payload, policy.max_body).await?;
    let messages = messages(headers, http_method, policy, &body)?;
    let calls: Vec<_> = messages.iter().map(Message::call).collect();
    Ok(judge(policy, http_method, asked, &calls)?)
}

fn judge(
    policy: &Policy,
    http_method: &str,
    asked: &Asked<'_>,
    calls: &[Call<'_>],
) -> Result<Demand, Reason> {
    let operation = Operation {
        http_method,
        path: asked.path,
        calls,
    };
    policy.judge(&operation).map_err(|_| Reason::Unclear)
}

/// What the request asks the MCP server for: what its body says; without one, and only if the operator trusts them, what
/// the headers say that mirror it.
fn messages<'r>(
    headers: &'r HeaderMap,
    http_method: &str,
    policy: &Policy,
    body: &'r Bytes,
) -> Result<Vec<Message<'r>>, Cause> {
    let mirrored = Mirrored::read(headers)?;
    if !body.is_empty() {
        let messages = Message::read(body).map_err(Cause::of_body)?;
        mirrored.agrees_with(&messages)?;
        return Ok(messages);
    }
    if WITHOUT_BODY.contains(&http_method) {
        return Ok(Vec::new());
    }
    if policy.trust_mcp_headers
        && let Some(message) = mirrored.alone()?
    {
        return Ok(vec![message]);
    }
    Err(Reason::BodyMissing.into())
}

/// Whether one of these headers is there; servers that read CGI variables take an underscore for a hyphen.
fn any(names: &[&str], headers: &HeaderMap) -> bool {
    let hyphened = |b: u8| if b == b'_' { b'-' } else { b };
    let lengths = names
        .iter()
        .fold(0_u64, |lengths, name| lengths | bit(name.len()));
    headers.keys().any(|there| {
        let there = there.as_str();
        let is = |name: &&str| there.len() == name.len() && there.bytes().map(hyphened).eq(name.bytes());
        // most have a length that none of them has
        lengths & bit(there.len()) != 0 && names.iter().any(is)
    })
}

/// A bit that stands for a length; lengths that are the same up to a multiple of 64 share one.
const fn bit(length: usize) -> u64 {
    1 << (length % 64)
}
