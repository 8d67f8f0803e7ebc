//! The protected REST API: the caller's profile and data.
//!
//! Each handler asks in the same order: who is calling, may they, what do they send.

use actix_web::{
    HttpRequest, HttpResponse,
    guard::{self, Guard},
    http::{StatusCode, header},
    web::{self, Data, Path, Payload, ServiceConfig},
};
use mcp_gateway_model::clock::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

use super::{
    SampleServer, body,
    caller::Caller,
    identity::Profile,
    items::{Draft, Unchanged},
    problem,
    protection::{Need, Protection},
};

/// The largest body, in bytes: more than the largest item.
const LARGEST_BODY: usize = 16 * 1024;

/// Where the data is.
const DATA: &str = "/api/data";

/// Mounts the API.
pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .service(
            problem::resource("/user/profile", "GET, HEAD")
                .route(web::route().guard(reads()).to(user_profile)),
        )
        .service(
            problem::resource("/data", "GET, HEAD, POST")
                .route(web::route().guard(reads()).to(list))
                .route(web::post().to(create)),
        )
        .service(
            problem::resource("/data/{id}", "GET, HEAD, PUT, DELETE")
                .route(web::route().guard(reads()).to(show))
                .route(web::put().to(update))
                .route(web::delete().to(delete)),
        );
}

fn reads() -> impl Guard {
    guard::Any(guard::Get()).or(guard::Head())
}

/// `GET /api/user/profile`.
async fn user_profile(request: HttpRequest, server: Data<SampleServer>) -> HttpResponse {
    answered(async {
        let caller = allowed(&request, &server.protection, "read").await?;
        let count = server.items.of(&caller.user).len();
        Ok(HttpResponse::Ok().json(Profile::of(&caller, count)))
    })
    .await
}

/// `GET /api/data`.
async fn list(request: HttpRequest, server: Data<SampleServer>) -> HttpResponse {
    answered(async {
        let caller = allowed(&request, &server.protection, "read").await?;
        Ok(HttpResponse::Ok().json(json!({ "items": server.items.of(&caller.user) })))
    })
    .await
}

/// `GET /api/data/{id}`.
async fn show(request: HttpRequest, id: Path<String>, server: Data<SampleServer>) -> HttpResponse {
    answered(async {
        let caller = allowed(&request, &server.protection, "read").await?;
        let item = server.items.one(&caller.user, &id);
        let item = item.ok_or_else(|| problem::unchanged(&Unchanged::Unknown))?;
        Ok(HttpResponse::Ok().json(item))
    })
    .await
}

/// `POST /api/data`.
async fn create(request: HttpRequest, payload: Payload, server: Data<SampleServer>) -> HttpResponse {
    answered(async {
        let caller = allowed(&request, &server.protection, "write").await?;
        let mut sent = sent(&request, payload).await?;
        let draft = Draft::whole(sent.remove("name"), sent.remove("value"));
        let draft = draft.map_err(|faults| problem::faulty(&faults))?;
        let item = server.items.create(&caller.user, draft, SystemClock.now()).await;
        let item = item.map_err(|reason| problem::unchanged(&reason))?;
        let place = format!("{DATA}/{}", item.id);
        Ok(HttpResponse::Created()
            .insert_header((header::LOCATION, place))
            .json(item))
    })
    .await
}

/// `PUT /api/data/{id}`: what is left out stays as it is.
async fn update(
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
    server: Data<SampleServer>,
) -> HttpResponse {
    answered(async {
        let caller = allowed(&request, &server.protection, "write").await?;
        let mut sent = sent(&request, payload).await?;
        let draft = Draft::part(sent.remove("name"), sent.remove("value"));
        let draft = draft.map_err(|faults| problem::faulty(&faults))?;
        let item = server
            .items
            .update(&caller.user, &id, draft, SystemClock.now())
            .await;
        let item = item.map_err(|reason| problem::unchanged(&reason))?;
        Ok(HttpResponse::Ok().json(item))
    })
    .await
}

/// `DELETE /api/data/{id}`.
async fn delete(request: HttpRequest, id: Path<String>, server: Data<SampleServer>) -> HttpResponse {
    answered(async {
        let caller = allowed(&request, &server.protection, "write").await?;
        let deleted = server.items.delete(&caller.user, &id).await;
        deleted.map_err(|reason| problem::unchanged(&reason))?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

/// Either way it is an answer, and nobody may keep it: the next caller can be another.
async fn answered(answer: impl Future<Output = Result<HttpResponse, HttpResponse>>) -> HttpResponse {
    let mut answer = answer.await.unwrap_or_else(|refusal| refusal);
    let uncached = header::HeaderValue::from_static("no-store");
    answer.headers_mut().insert(header::CACHE_CONTROL, uncached);
    answer
}

/// Who is calling, if they have the scope.
async fn allowed(
    request: &HttpRequest,
    protection: &Protection,
    scope: &'static str,
) -> Result<Caller, HttpResponse> {
    let refused = |refusal| problem::refused(&refusal);
    let caller = protection.caller(request).await.map_err(refused)?;
    let needs = [Need::Scope(scope)];
    protection
        .admit(request, caller.as_ref(), &needs)
        .map_err(refused)?;
    caller.ok_or_else(|| problem::answer(StatusCode::FORBIDDEN, "nobody says who is calling"))
}

/// The JSON object in the body.
async fn sent(request: &HttpRequest, payload: Payload) -> Result<Map<String, Value>, HttpResponse> {
    body::says_json(request)?;
    body::object(&body::read(payload, LARGEST_BODY).await?)
}
