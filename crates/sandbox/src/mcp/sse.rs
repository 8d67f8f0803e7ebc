//! HTTP with Server-Sent Events, the transport of revision 2024-11-05: a GET opens a stream whose first event tells where
//! messages are to be sent, and every answer is an event of that stream.

mod line;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes, Data, Payload, Query, ServiceConfig},
};
use futures_util::{Stream, StreamExt as _, stream};
use http::request::Parts;
use mcp_gateway_model::secret::random_text;
use rmcp::{
    ServiceExt as _,
    model::{ClientJsonRpcMessage, GetExtensions as _, ServerJsonRpcMessage},
};
use serde::Deserialize;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use super::{
    LARGEST_BODY, SampleServer, body, problem,
    transport::{admitted, inbound},
};

use line::Line;

/// How many streams can be open at once.
const MOST: usize = 1000;
/// How many messages wait for whoever reads them.
const WAITING: usize = 16;
/// How often an idle stream shows that it is alive, to whoever would close it.
const ALIVE: Duration = Duration::from_secs(15);

/// The open streams. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    open: Arc<Mutex<HashMap<String, Open>>>,
}

#[derive(Clone, Debug)]
struct Open {
    messages: mpsc::Sender<ClientJsonRpcMessage>,
    /// Who opened it, if that was known: nobody else can speak on it.
    user: Option<String>,
}

impl Streams {
    fn add(&self, id: &str, opened: Open) -> bool {
        let mut open = self.open();
        let room = open.len() < MOST;
        if room {
            open.insert(id.to_owned(), opened);
        }
        room
    }

    fn find(&self, id: &str) -> Option<Open> {
        self.open().get(id).cloned()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mounts the address of the stream and that of the messages.
pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .service(problem::resource("/sse", "GET").route(web::get().to(open)))
        .service(problem::resource("/messages", "POST").route(web::post().to(message)));
}

/// Takes the stream out of the list when its client has gone; its server ends with the last sender.
struct Leaves(Streams, String);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.open().remove(&self.1);
    }
}

/// Opens a stream.
pub(super) async fn open(request: HttpRequest, server: Data<SampleServer>) -> HttpResponse {
    let caller = match server.protection.caller(&request).await {
        Ok(caller) => caller,
        Err(refusal) => return problem::refused(&refusal),
    };
    let id = random_text::<16>();
    let (messages, incoming) = mpsc::channel(WAITING);
    let (outgoing, answers) = mpsc::channel(WAITING);
    let user = caller.map(|caller| caller.user);
    if !server.streams.add(&id, Open { messages, user }) {
        let detail = "too many streams are open: try again later";
        return problem::answer(StatusCode::SERVICE_UNAVAILABLE, detail);
    }
    let leaves = Leaves(server.streams.clone(), id.clone());
    let tools = server.tools.clone();
    tokio::spawn(async move {
        match tools.serve(Line::new(incoming, outgoing)).await {
            Ok(running) => {
                // it ends when its client is gone
                let _ended = running.waiting().await;
            }
            Err(error) => tracing::debug!(%error, "a stream ended before its client said hello"),
        }
    });
    let stopped = server.service.config.cancellation_token.clone().cancelled_owned();
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(
            events(leaves, answers)
                .take_until(Box::pin(stopped))
                .map(Ok::<_, std::io::Error>),
        )
}

/// First where messages are to be sent, then every message, and in between a sign of life.
fn events(leaves: Leaves, answers: mpsc::Receiver<ServerJsonRpcMessage>) -> impl Stream<Item = Bytes> {
    let place = format!(
        "event: endpoint\ndata: /mcp/v1/messages?sessionId={}\n\n",
        leaves.1
    );
    let mut alive = tokio::time::interval(ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    alive.reset();
    let rest = stream::unfold(
        (leaves, answers, alive),
        async |(leaves, mut answers, mut alive)| {
            let event = tokio::select! {
                answer = answers.recv() => {
                    let data = serde_json::to_string(&answer?).ok()?;
                    format!("event: message\ndata: {data}\n\n")
                }
                _ = alive.tick() => ": alive\n\n".to_owned(),
            };
            Some((Bytes::from(event), (leaves, answers, alive)))
        },
    );
    stream::once(std::future::ready(Bytes::from(place))).chain(rest)
}

/// Which stream a message belongs to.
#[derive(Deserialize)]
pub(super) struct Addressed {
    #[serde(rename = "sessionId")]
    id: String,
}

/// Takes a message; its answer is an event of the stream.
pub(super) async fn message(
    request: HttpRequest,
    payload: Payload,
    server: Data<SampleServer>,
) -> HttpResponse {
    let taken = take(&request, payload, &server).await;
    taken.unwrap_or_else(|refusal| refusal)
}

async fn take(
    request: &HttpRequest,
    payload: Payload,
    server: &SampleServer,
) -> Result<HttpResponse, HttpResponse> {
    body::says_json(request)?;
    let body = body::read(payload, LARGEST_BODY).await?;
    let caller = admitted(request, &body, &server.protection).await;
    let caller = caller.map_err(|refusal| problem::refused(&refusal))?;
    let addressed = Query::<Addressed>::from_query(request.query_string());
    let addressed = addressed.map_err(|_| wrong(StatusCode::BAD_REQUEST, "sessionId is missing"))?;
    let user = caller.as_ref().map(|caller| caller.user.clone());
    let open = server.streams.find(&addressed.id);
    // who opened it without a name may have one by now; nobody has another's
    let open = open.filter(|open| open.user.is_none() || open.user == user);
    let open = open.ok_or_else(|| {
        wrong(
            StatusCode::NOT_FOUND,
            "no stream of yours is open under this sessionId",
        )
    })?;
    let mut message: ClientJsonRpcMessage = serde_json::from_slice(&body).map_err(|error| {
        wrong(
            StatusCode::BAD_REQUEST,
            &format!("the body is no message of MCP: {error}"),
        )
    })?;
    let (parts, _) = inbound(request, body, caller)
        .map_err(|_| {
            wrong(
                StatusCode::BAD_REQUEST,
                "the request's address or headers cannot be read",
            )
        })?
        .into_parts();
    attach(&mut message, parts);
    let gone = |_| wrong(StatusCode::NOT_FOUND, "the stream has ended");
    open.messages.send(message).await.map_err(gone)?;
    Ok(HttpResponse::Accepted().finish())
}

/// Tools look there for who is calling.
fn attach(message: &mut ClientJsonRpcMessage, parts: Parts) {
    match message {
        ClientJsonRpcMessage::Request(request) => {
            request.request.extensions_mut().insert(parts);
        }
        ClientJsonRpcMessage::Notification(notification) => {
            notification.notification.extensions_mut().insert(parts);
        }
        _ => {}
    }
}

fn wrong(status: StatusCode, detail: &str) -> HttpResponse {
    problem::answer(status, detail)
}
