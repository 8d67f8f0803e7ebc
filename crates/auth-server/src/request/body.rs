//! A body that is read when its handler asks for it, which is after the permit was taken: who sends one slowly has been
//! counted before.

use actix_web::{FromRequest, HttpRequest, web::Payload};

use crate::door::Rejection;

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
