//! One examination: what is asked, what came back, and what was found so far.

use std::{collections::BTreeSet, net::IpAddr};

use mcp_gateway_model::internet::{is_local_name, is_public};
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde_json::Value;
use tokio::time::Instant;
use url::{Host, Url};

use super::{Client, Finding, Kind, Options, Report, Stage, Step, address, names::Names};
use crate::{
    discover::ServerMetadata,
    http::{Answer, Http, HttpFault, RefusedTarget, Targets},
    words::shown,
};

/// How often a document may say that it is elsewhere.
const REDIRECTS: usize = 3;

/// A question to somebody.
pub(super) struct Question<'q> {
    pub(super) stage: Stage,
    /// What it is for, in words.
    pub(super) purpose: &'q str,
    pub(super) method: Method,
    pub(super) url: &'q Url,
    pub(super) headers: Vec<(&'q str, &'q str)>,
    pub(super) body: Body<'q>,
}

/// What is sent with a question.
pub(super) enum Body<'q> {
    Nothing,
    Json(&'q Value),
    Form(&'q [(&'q str, &'q str)]),
}

impl<'q> Question<'q> {
    /// One with nothing but an address.
    pub(super) const fn new(stage: Stage, purpose: &'q str, method: Method, url: &'q Url) -> Self {
        Self {
            stage,
            purpose,
            method,
            url,
            headers: Vec::new(),
            body: Body::Nothing,
        }
    }

    /// With these header fields.
    pub(super) fn with(mut self, headers: &[(&'q str, &'q str)]) -> Self {
        self.headers.extend_from_slice(headers);
        self
    }

    /// With a body.
    pub(super) fn sending(mut self, body: Body<'q>) -> Self {
        self.body = body;
        self
    }
}

/// One examination.
pub(super) struct Examination<'x> {
    http: &'x Http,
    pub(super) options: &'x Options,
    /// The address as it was given.
    given: Url,
    /// The address that is examined: where the given one leads to.
    pub(super) server: Url,
    pub(super) steps: Vec<Step>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    deadline: Instant,
    /// Whether the time was up before everything was asked.
    pub(super) is_over: bool,
    /// Whether the server knows only requests of revision 2026-07-28.
    pub(super) is_modern: bool,
    /// Whether the server asks for a token only when something is called.
    pub(super) is_late: bool,
    names: Names,
}

impl<'x> Examination<'x> {
    pub(super) fn new(http: &'x Http, server: &Url, options: &'x Options) -> Self {
        let mut given = server.clone();
        given.set_fragment(None);
        Self {
            http,
            options,
            server: given.clone(),
            given,
            steps: Vec::new(),
            findings: Vec::new(),
            notes: Vec::new(),
            deadline: Instant::now() + options.total,
            is_over: false,
            is_modern: false,
            is_late: false,
            names: Names::default(),
        }
    }

    /// Notes that something was found, and whom it stops.
    pub(super) fn find(
        &mut self,
        kind: &'static Kind,
        seen: impl Into<String>,
        stops: impl IntoIterator<Item = Client>,
    ) {
        let seen = shown(&seen.into());
        if let Some(known) = self.findings.iter_mut().find(|known| known.kind == kind) {
            if !known.seen.contains(&seen) {
                known.seen.push(seen);
            }
            known.stops.extend(stops);
            return;
        }
        self.findings.push(Finding {
            kind,
            seen: vec![seen],
            stops: BTreeSet::from_iter(stops),
        });
    }

    /// Notes something that is worth knowing, and is nobody's fault.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(shown(text));
    }

    /// The same, unless it was noted before.
    pub(super) fn note_once(&mut self, text: &str) {
        if !self.notes.contains(&shown(text)) {
            self.note(text);
        }
    }

    /// Whether something of this kind was found.
    pub(super) fn has(&self, kind: &'static Kind) -> bool {
        self.findings.iter().any(|known| known.kind == kind)
    }

    /// Asks, and reads the whole answer. That it takes too long, is too large or has a bad certificate is a finding already.
    pub(super) async fn ask(&mut self, question: Question<'_>) -> Result<Answer, HttpFault> {
        self.call(question, false).await
    }

    /// Asks, and reads the header of the answer only: its body may be a stream that never ends.
    pub(super) async fn ask_head(&mut self, question: Question<'_>) -> Result<Answer, HttpFault> {
        self.call(question, true).await
    }

    /// Reads a document, over redirects too, but not from https to http.
    pub(super) async fn read(
        &mut self,
        (stage, purpose): (Stage, &str),
        url: &Url,
    ) -> Result<Answer, HttpFault> {
        let mut at = url.clone();
        for _ in 0..REDIRECTS {
            let question = Question::new(stage, purpose, Method::GET, &at);
            let answer = self.ask(question.with(&[("accept", "application/json")])).await?;
            let next = answer.location();
            match next.filter(|next| at.scheme() == next.scheme() || next.scheme() == "https") {
                Some(next) => at = next,
                None => return Ok(answer),
            }
        }
        let question = Question::new(stage, purpose, Method::GET, &at);
        self.ask(question.with(&[("accept", "application/json")])).await
    }

    async fn call(&mut self, question: Question<'_>, head: bool) -> Result<Answer, HttpFault> {
        if self.is_over {
            return Err(self.overdue());
        }
        if !is_inside(&self.given) && (is_inside(question.url) || self.is_led_inside(question.url).await) {
            let seen = format!("{} is at {}", question.purpose, question.url);
            self.find(&address::INTERNAL, seen, Client::modern());
            return Err(RefusedTarget::NotPublic.into());
        }
        let mut request = self.http.request(question.method.clone(), question.url.clone());
        for (name, value) in &question.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                request = request.header(name, value);
            }
        }
        request = match question.body {
            Body::Nothing => request,
            Body::Json(value) => request.json(value),
            Body::Form(fields) => request.form(fields),
        };
        let calling = async {
            let request = request
                .build()
                .map_err(|_| HttpFault::Broken("the question cannot be written".to_owned()))?;
            if head {
                self.http.head(request).await
            } else {
                self.http.call(request).await
            }
        };
        match tokio::time::timeout_at(self.deadline, calling).await {
            Ok(asked) => self.take(&question, asked),
            Err(_) => Err(self.overdue()),
        }
    }

    /// Whether the name in an address hides one inside of a network, although the given one is of the public internet. Where
    /// strangers may name nothing but the public internet, calls see to that themselves.
    async fn is_led_inside(&mut self, url: &Url) -> bool {
        let settings = self.http.settings();
        let (Targets::Any { .. }, Some(Host::Domain(name))) = (&settings.targets, url.host()) else {
            return false;
        };
        let given = self.given.host_str().unwrap_or_default();
        if name == given {
            return false;
        }
        let chosen = |name: &str| {
            let mut chosen = settings.resolve.iter();
            chosen
                .find(|(known, _)| known == name)
                .map(|(_, address)| *address)
        };
        // where the person says that a name is, it may be asked
        if chosen(name).is_some() {
            return false;
        }
        let lookup = self.options.lookup;
        let is_public = !self.names.is_inside(given, (lookup, chosen(given))).await;
        is_public && self.names.is_inside(name, (lookup, None)).await
    }

    /// The time is up. That is nobody's fault: each answer by itself came in time.
    fn overdue(&mut self) -> HttpFault {
        let total = self.options.total;
        if !self.is_over {
            self.is_over = true;
            self.notes.push(format!(
                "Not everything was asked: the examination was to end after {} seconds. What was not asked is not judged.",
                total.as_secs()
            ));
        }
        HttpFault::TimedOut(total)
    }

    /// Writes a step down.
    fn take(
        &mut self,
        question: &Question<'_>,
        asked: Result<Answer, HttpFault>,
    ) -> Result<Answer, HttpFault> {
        let step = Step::new(question, &asked);
        if let Some(watch) = self.options.watch {
            watch(&step);
        }
        self.steps.push(step);
        if let Err(fault) = &asked {
            let seen = format!("{} {}: {fault}", question.method, question.url);
            match fault {
                HttpFault::TimedOut(_) => self.find(&address::TOO_SLOW, seen, Client::ALL),
                HttpFault::Tls(_) => self.find(&address::TLS, seen, Client::ALL),
                HttpFault::TooLarge(_) => self.find(&address::TOO_LARGE, seen, Client::ALL),
                _ => {}
            }
        }
        asked
    }

    /// What was found. `found` is the authorization server's metadata, if there was any.
    pub(super) fn report(mut self, found: Option<&super::server::Found>) -> Report {
        address::judge_speed(&mut self);
        let metadata: Option<&ServerMetadata> = found.map(|found| &found.metadata);
        let mut findings = self.findings;
        findings.sort_by_key(|finding| (finding.kind.severity, finding.kind.stage));
        Report::new(
            (self.given, self.server),
            (findings, self.notes),
            (self.steps, !self.is_over),
            |client| {
                let is_oauth = found.is_some_and(|found| found.is_oauth);
                metadata.and_then(|metadata| super::Identity::of(client, metadata, is_oauth))
            },
        )
    }
}

/// Whether a fault was made a finding when it happened.
pub(super) const fn is_told(fault: &HttpFault) -> bool {
    matches!(
        fault,
        HttpFault::TimedOut(_)
            | HttpFault::Tls(_)
            | HttpFault::TooLarge(_)
            | HttpFault::Refused(RefusedTarget::NotPublic)
    )
}

/// Whether an address says itself that it is inside of a network.
fn is_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_local_name(name),
        Some(Host::Ipv4(address)) => !is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => !is_public(IpAddr::V6(address)),
        None => true,
    }
}
