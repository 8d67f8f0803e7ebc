//! A client looks after its registration ([RFC 7592](https://www.rfc-editor.org/rfc/rfc7592)).
//!
//! The token turns with every PUT; the one before works until the new one is first used, so that an answer that got
//! lost locks nobody out. The secret is kept as a digest and cannot be told again by GET.

mod holder;
mod replace;
mod show;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use mcp_gateway_model::id::ClientId;

pub(crate) use replace::replace;
pub(crate) use show::show;

use crate::{
    audit::{Event, Line},
    door::Rejection,
    manage::holder::Holder,
    metrics::Ended,
    register::Registration,
    request::Context,
};

/// `GET /register/{client_id}` ([RFC 7592 §2.1](https://www.rfc-editor.org/rfc/rfc7592#section-2.1)).
pub(crate) async fn read(
    context: Context,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Rejection> {
    let answer = tell(&context, &id, &request).await;
    audited(&context, &id, answer)
}

async fn tell(context: &Context, id: &str, request: &HttpRequest) -> Result<HttpResponse, Rejection> {
    holder::limit(context).await?;
    let holder = Holder::find(context, id, request).await?;
    let holder = holder.settle(context).await?;
    Ok(Registration::new(&context.server.settings, &holder.client, &holder.token, None).ok())
}

/// `DELETE /register/{client_id}` ([RFC 7592 §2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3)): the client and
/// everything it was granted end at once.
pub(crate) async fn remove(
    context: Context,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Rejection> {
    let answer = end(&context, &id, &request).await;
    audited(&context, &id, answer)
}

async fn end(context: &Context, id: &str, request: &HttpRequest) -> Result<HttpResponse, Rejection> {
    holder::limit(context).await?;
    let holder = Holder::find(context, id, request).await?;
    let ended = context
        .server
        .store
        .end_client(&holder.client.id, context.now)
        .await?;
    context.server.metrics.ended(Ended::ClientRemoved, ended);
    let mut line = Line::new(Event::ClientRemoved, &context.request_id);
    line.client = Some(&holder.client.id);
    line.write();
    Ok(HttpResponse::NoContent()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish())
}

/// Leaves a line of a call that was refused; it names the client that the call was about, whether there is one or not.
fn audited(
    context: &Context,
    id: &str,
    answer: Result<HttpResponse, Rejection>,
) -> Result<HttpResponse, Rejection> {
    if let Err(rejection) = &answer {
        let claimed = ClientId::parse(id).ok();
        let mut line = Line::new(Event::ManagementRefused, &context.request_id);
        line.client = claimed.as_ref();
        line.reason = Some(rejection.reason().code);
        line.write();
    }
    answer
}
