//! The way of a request from the front to its answer.

use std::{
    future::Future,
    mem,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_http::Request;
use actix_web::{
    Error,
    body::BoxBody,
    dev::{Payload, Response, Service, ServiceResponse},
    error::ErrorRequestTimeout,
    http::{Method, Uri},
    rt::time::{Sleep, sleep},
};
use futures_util::Stream as _;

use super::{
    edge::{Began, Visit},
    explanation::{explained, explained_error},
    front::Within,
};

/// How much of a body that nobody needs is read, so that the connection can be used again.
const BODY_READ: usize = 64 * 1024;

/// The way of a request.
pub(crate) enum Passage<S: Service<Request>> {
    /// It was answered at once.
    Over(Option<Response<BoxBody>>),
    /// It has to be waited for.
    UnderWay(Box<UnderWay<S>>),
}

/// A request that was not answered at once.
pub(crate) struct UnderWay<S: Service<Request>> {
    within: Rc<Within<S>>,
    visit: Visit,
    asked: (Method, Uri),
    stage: Stage<S::Future>,
    /// Whether there is a body that nobody has looked for yet.
    has_body: bool,
    /// Ends the patience; set when there is something to wait for.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// How far a request is.
pub(super) enum Stage<F> {
    /// It would be let through, but has a body, which nobody needs: left unread, it would cost the connection. What has come of
    /// it is read, and nobody waits for the rest, which may never come. Who is let through is decided then.
    Reading(Payload, usize, Request),
    /// A handler is at work.
    Routed(F),
    /// It has its answer.
    Answered,
}

impl<S: Service<Request>> Passage<S> {
    pub(super) fn under_way(
        within: Rc<Within<S>>,
        visit: Visit,
        asked: (Method, Uri),
        (stage, has_body): (Stage<S::Future>, bool),
    ) -> Self {
        Self::UnderWay(Box::new(UnderWay {
            within,
            visit,
            asked,
            stage,
            has_body,
            alarm: None,
        }))
    }
}

impl<S> Future for Passage<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: Unpin,
{
    type Output = Result<Response<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Over(answer) => match answer.take() {
                Some(answer) => Poll::Ready(Ok(answer)),
                None => Poll::Pending,
            },
            Self::UnderWay(way) => way.poll(cx).map(Ok),
        }
    }
}

impl<S> UnderWay<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: Unpin,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<BoxBody>> {
        if mem::take(&mut self.has_body) {
            // what has come of it is taken in first: an answer without would cost the connection
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut answer = match self.poll_stage(cx) {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                ready!(self.poll_alarm(cx));
                explained_error(&ErrorRequestTimeout(""))
            }
        };
        self.stage = Stage::Answered;
        let asked = (&self.asked.0, &self.asked.1);
        self.within.gate.part(self.visit.clone(), asked, &mut answer);
        Poll::Ready(answer)
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<Response<BoxBody>> {
        if let Stage::Reading(body, read, _) = &mut self.stage {
            let before = *read;
            if poll_rest(body, read, cx).is_pending() && *read > before {
                // there may be more already
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Stage::Reading(_, _, request) = mem::replace(&mut self.stage, Stage::Answered) {
                if let Some((quick, answer)) = self.within.admitted(&request, Began::now()) {
                    quick.admitted(self.visit.lasted());
                    return Poll::Ready(answer);
                }
                self.stage = Stage::Routed(self.within.route(request, &self.visit));
            }
        }
        let Stage::Routed(answering) = &mut self.stage else {
            return Poll::Pending;
        };
        let answer = ready!(pin!(answering).poll(cx));
        Poll::Ready(answer.map_or_else(|error| explained_error(&error), |answer| explained(answer.into())))
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(patience) = self.within.gate.edge.patience else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(patience)));
        alarm.as_mut().poll(cx)
    }
}

/// The end of a body, or of what is read of it; pending if the rest has not come yet.
fn poll_rest(body: &mut Payload, read: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
    while *read <= BODY_READ {
        match ready!(pin!(&mut *body).poll_next(cx)) {
            Some(Ok(chunk)) => *read += chunk.len(),
            Some(Err(_)) | None => break,
        }
    }
    Poll::Ready(())
}
