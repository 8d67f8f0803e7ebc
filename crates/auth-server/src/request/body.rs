//! A body that is read when its handler asks for it. A permit comes before it: who sends one slowly has been counted before.

use std::{
    future::poll_fn,
    task::{Context as Waker, Poll},
};

use actix_web::{FromRequest, HttpRequest, web::Payload};
use mcp_gateway_store::Permit;

use super::Context;
use crate::{door::Rejection, limit::Due};

/// Reads the body of `request`.
///
/// # Errors
/// Those of the extractor.
pub(crate) async fn body<T>(request: &HttpRequest, payload: Payload) -> Result<T, Rejection>
where
    T: FromRequest<Error = Rejection>,
{
    T::from_request(request, &mut payload.into_inner()).await
}

/// Reads the body of `request`, which needs `permit`. Where the body is here already the permit stays due: the store takes it
/// with the first thing it is asked for. Else it is taken before the body is waited for.
///
/// # Errors
/// Those of the extractor; 429 where there is no permit, which a body that is no good needs as well.
pub(crate) async fn counted_body<T>(
    context: &Context,
    request: &HttpRequest,
    payload: Payload,
    permit: Permit,
) -> Result<(T, Due), Rejection>
where
    T: FromRequest<Error = Rejection>,
{
    let mut payload = payload.into_inner();
    let mut reading = Box::pin(T::from_request(request, &mut payload));
    let due = Due::at_address(Some(permit));
    let mut looked = false;
    // The framework hands over what came with the head of a request after it called the handler: so it is looked for twice.
    let here = poll_fn(|waker: &mut Waker<'_>| match reading.as_mut().poll(waker) {
        Poll::Ready(body) => Poll::Ready(Some(body)),
        Poll::Pending if looked => Poll::Ready(None),
        Poll::Pending => {
            looked = true;
            waker.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
    let body = if let Some(body) = here {
        due.settled(context, body).await?
    } else {
        due.settle(context).await?;
        reading.await?
    };
    Ok((body, due))
}
