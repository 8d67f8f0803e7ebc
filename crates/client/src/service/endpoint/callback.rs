//! `GET callback`: where authorization servers send the user back to
//! ([RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2), [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).

use actix_web::{HttpRequest, HttpResponse, http::header};
use url::Url;

use super::tokens;
use crate::service::{
    caller::Caller,
    fault::Fault,
    resource::Resource,
    store::{Grant, Login, Returned},
};

/// Ends a login of the user who asks, and keeps what came of it.
pub(in crate::service) async fn callback(
    request: HttpRequest,
    caller: Caller,
) -> Result<HttpResponse, Fault> {
    let state = caller
        .parameters
        .secret("state")
        .ok_or_else(|| Fault::request("state is missing."))?;
    let ended = caller
        .service
        .keeper
        .store
        .end_login(&state, &caller.user, caller.now)
        .await?;
    let login = match ended {
        Returned::Login(login) => *login,
        Returned::AnothersLogin => {
            return Err(Fault::unauthorized(
                "access_denied",
                "Another user began this login: it is theirs to end.",
            ));
        }
        Returned::Expired => {
            return Err(Fault::request(
                "The login took too long: start the authorization again.",
            ));
        }
        Returned::Unknown => {
            return Err(Fault::request(
                "The state is not known, or was used before: start the authorization again.",
            ));
        }
    };
    let return_to = login.return_to.as_deref().and_then(|text| Url::parse(text).ok());
    let ended = finish(&caller, request.query_string(), login).await;
    match (return_to, ended) {
        (None, Ok(grant)) => Ok(HttpResponse::Ok().json(tokens(&grant, caller.service.clock.now()))),
        (None, Err(fault)) => Err(fault),
        (Some(url), ended) => Ok(go(url, ended.err().as_ref())),
    }
}

/// Redeems the code, if the answer is the one to this login and from the server that was asked.
async fn finish(caller: &Caller, query: &str, login: Login) -> Result<Grant, Fault> {
    let code = login.pending.finish(query)?;
    let name = Resource::parse(&login.pending.resource)?.name().to_owned();
    caller.service.keeper.redeem(login, code, name).await
}

/// Sends the browser on: never with tokens, only with what went wrong.
fn go(mut url: Url, fault: Option<&Fault>) -> HttpResponse {
    if let Some(fault) = fault {
        let mut query = url.query_pairs_mut();
        query.append_pair("error", &fault.code);
        query.append_pair("error_description", &fault.description);
    }
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, url.as_str()))
        .finish()
}
