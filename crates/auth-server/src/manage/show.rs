//! What a client is registered as, for whoever looks for a fault: the client itself, or an admin. It answers nothing by which
//! the client could prove itself, and changes nothing.

mod admin;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use mcp_gateway_model::{client::Client, error::ErrorCode, id::ClientId};

use super::{
    audited,
    holder::{self, Holder},
};
use crate::{clients, door::Rejection, register::Description, request::Context};

/// `GET /oauth/clients/{client_id}`, with the client's registration access token or the token of an admin. To everybody else
/// a client that is there looks like one that is not.
pub(crate) async fn show(
    context: Context,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Rejection> {
    let answer = tell(&context, &id, &request).await;
    audited(&context, &id, answer)
}

async fn tell(context: &Context, id: &str, request: &HttpRequest) -> Result<HttpResponse, Rejection> {
    holder::limit(context).await?;
    let client = if admin::asks(context, request).await? {
        any(context, id).await?
    } else {
        let holder = Holder::find(context, id, request).await?;
        holder.settle(context).await?.client
    };
    let description = Description::new(&context.server.settings, &client);
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(description))
}

/// Any client that was registered or entered here.
async fn any(context: &Context, id: &str) -> Result<Client, Rejection> {
    let parsed = ClientId::parse(id).map_err(|_| no_such_client())?;
    if let Some(client) = clients::configured(context, &parsed) {
        return Ok(client.clone());
    }
    let stored = context.server.store.client(&parsed, context.now).await?;
    stored.ok_or_else(no_such_client)
}

fn no_such_client() -> Rejection {
    Rejection::new(
        ErrorCode::InvalidRequest,
        "no client is registered or entered here under this client_id; its registration may have ended",
        "unknown_client",
    )
    .with_status(actix_web::http::StatusCode::NOT_FOUND)
}
