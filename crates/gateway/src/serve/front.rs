//! The front of the servers: every request passes here before it is routed, and every answer on its way out. What certainly
//! passes the verifier is answered here; nobody can tell from outside which way a request went.

use std::{
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_http::Request;
use actix_web::{
    Error, HttpMessage as _,
    body::BoxBody,
    dev::{AppConfig, Payload, Response, Service, ServiceFactory, ServiceResponse},
    http::StatusCode,
    web,
};
use futures_util::future::LocalBoxFuture;
use mcp_gateway_verifier::{Quick, Verifier};

use super::{
    edge::{Began, Edge, Gate, Visit},
    passage::{Passage, Stage},
};

/// Where the verifier answers.
const VERIFY: &str = "/verify";

/// Makes a front for each worker.
pub(crate) struct Front<A> {
    app: A,
    edge: web::Data<Edge>,
    verifier: Option<Arc<Verifier>>,
}

impl<A> Front<A> {
    /// Before `app`; with a verifier, what it certainly admits does not get as far as that.
    pub(crate) const fn new(app: A, edge: web::Data<Edge>, verifier: Option<Arc<Verifier>>) -> Self {
        Self { app, edge, verifier }
    }
}

impl<A> ServiceFactory<Request> for Front<A>
where
    A: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error>,
    A::Future: 'static,
    <A::Service as Service<Request>>::Future: Unpin,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Config = AppConfig;
    type Service = Door<A::Service>;
    type InitError = A::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let app = self.app.new_service(config);
        let gate = Gate::new(self.edge.clone());
        let quick = self.verifier.as_ref().map(Verifier::quick);
        Box::pin(async move {
            let app = app.await?;
            Ok(Door(Rc::new(Within { app, gate, quick })))
        })
    }
}

/// The front of one worker.
pub(crate) struct Door<S>(Rc<Within<S>>);

impl<S> Service<Request> for Door<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: Unpin,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Future = Passage<S>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.app.poll_ready(cx)
    }

    fn call(&self, mut request: Request) -> Passage<S> {
        let within = &self.0;
        let visit = within.gate.greet(request.head(), Began::now());
        let has_body = !matches!(request.payload(), Payload::None);
        let admitted = within.admitted(&request, visit.began());
        let asked = |request: &Request| (request.method().clone(), request.uri().clone());
        let (asked, stage) = match admitted {
            Some((quick, mut answer)) if !has_body => {
                let asked = (request.method(), request.uri());
                let took = within.gate.part(visit, asked, &mut answer);
                quick.admitted(took);
                return Passage::Over(Some(answer));
            }
            Some(_) => (
                asked(&request),
                Stage::Reading(request.take_payload(), 0, request),
            ),
            None => (asked(&request), Stage::Routed(within.route(request, &visit))),
        };
        Passage::under_way(Rc::clone(within), visit, asked, (stage, has_body))
    }
}

/// What is behind the door.
pub(super) struct Within<S> {
    app: S,
    pub(super) gate: Gate,
    quick: Option<Quick>,
}

impl<S: Service<Request>> Within<S> {
    /// The answer to a request that certainly passes the verifier.
    pub(super) fn admitted(&self, request: &Request, now: Began) -> Option<(&Quick, Response<BoxBody>)> {
        let quick = self.quick.as_ref().filter(|_| request.path() == VERIFY)?;
        let admitted = quick.answer(request.head(), now.moment())?;
        let mut answer = Response::with_body(StatusCode::OK, BoxBody::new(()));
        for (name, value) in admitted.headers() {
            // none of them is there yet
            answer.headers_mut().append(name.clone(), value.clone());
        }
        Some((quick, answer))
    }

    /// The way of all others.
    pub(super) fn route(&self, request: Request, visit: &Visit) -> S::Future {
        request.extensions_mut().insert(visit.request_id());
        self.app.call(request)
    }
}
