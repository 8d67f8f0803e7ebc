//! HTTP with Server-Sent Events, the transport of revision 2024-11-05: a GET opens a stream whose first event tells where
//! messages are to be sent, and every answer is an event of that stream.
//!
//! Messages are sent to the address of the stream itself: a challenge there names the resource that the client was given. Of
//! any other resource clients believe that it is not the one they asked for, and neither log in nor refresh.

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
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, timeout},
};

use super::{
    LARGEST_BODY, SampleServer, Tools, body, problem,
    transport::{admitted, inbound},
};

use line::Line;

/// How many streams can be open at once.
const MOST: usize = 1000;
/// How many of them one user may have, so that the others have some too.
const MOST_OF_A_USER: usize = 50;
/// How many of them all those together may have who are not known.
const MOST_OF_STRANGERS: usize = 100;
/// How long a stream waits for the first word of its client.
const HELLO: Duration = Duration::from_secs(30);
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
    /// Who opened it, or spoke on it first: nobody else can speak on it.
    user: Option<String>,
}

impl Streams {
    fn add(&self, id: &str, opened: Open) -> bool {
        let mut open = self.open();
        let theirs = open.values().filter(|other| other.user == opened.user).count();
        let share = match opened.user {
            Some(_) => MOST_OF_A_USER,
            None => MOST_OF_STRANGERS,
        };
        let room = theirs < share && open.len() < MOST;
        if room {
            open.insert(id.to_owned(), opened);
        }
        room
    }

    /// Where the messages of this user go on this stream, if they may speak on it. It is theirs then, if it was nobody's.
    fn find(&self, id: &str, user: Option<&str>) -> Option<mpsc::Sender<ClientJsonRpcMessage>> {
        let mut open = self.open();
        let stream = open.get_mut(id)?;
        match (&stream.user, user) {
            (None, Some(user)) => stream.user = Some(user.to_owned()),
            (owner, user) if owner.as_deref() != user => return None,
            _ => {}
        }
        Some(stream.messages.clone())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mounts the address of the stream, which is that of the messages too.
pub(super) fn configure(routes: &mut ServiceConfig) {
    let place = problem::resource("/sse", "GET, POST").route(web::get().to(open));
    routes.service(place.route(web::post().to(message)));
}

/// Whether this is the query of a message.
pub(super) fn names_a_stream(query: Option<&str>) -> bool {
    Query::<Addressed>::from_query(query.unwrap_or_default()).is_ok()
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
        let detail = "too many streams are open: close one, or try again later";
        return problem::answer(StatusCode::SERVICE_UNAVAILABLE, detail);
    }
    let place = format!("{}?sessionId={id}", request.match_pattern().unwrap_or_default());
    let leaves = Leaves(server.streams.clone(), id);
    tokio::spawn(serve(server.tools.clone(), Line::new(incoming, outgoing), HELLO));
    let stopped = server.service.config.cancellation_token.clone().cancelled_owned();
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(
            events(leaves, &place, answers)
                .take_until(Box::pin(stopped))
                .map(Ok::<_, std::io::Error>),
        )
}

/// Serves one client until it is gone; a stream ends whose client does not say hello in time.
async fn serve(tools: Tools, line: Line, in_time: Duration) {
    match timeout(in_time, tools.serve(line)).await {
        Ok(Ok(running)) => {
            let _ended = running.waiting().await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a stream ended before its client said hello"),
        Err(_) => tracing::debug!("a stream was ended whose client did not say hello"),
    }
}

/// First where messages are to be sent, then every message, and in between a sign of life.
fn events(
    leaves: Leaves,
    place: &str,
    answers: mpsc::Receiver<ServerJsonRpcMessage>,
) -> impl Stream<Item = Bytes> + use<> {
    let place = format!("event: endpoint\ndata: {place}\n\n");
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
    let user = caller.as_ref().map(|caller| caller.user.as_str());
    let messages = server.streams.find(&addressed.id, user).ok_or_else(|| {
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
    messages.send(message).await.map_err(gone)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn open(user: Option<&str>) -> Open {
        Open {
            messages: mpsc::channel(1).0,
            user: user.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn nobody_can_have_all_the_streams() {
        let streams = Streams::default();
        let opened = |user: Option<&str>| {
            let mut numbers = 0..MOST;
            numbers
                .find(|number| !streams.add(&format!("{user:?} {number}"), open(user)))
                .unwrap()
        };
        assert_eq!(opened(None), MOST_OF_STRANGERS);
        assert_eq!(opened(Some("583231")), MOST_OF_A_USER);
        assert_eq!(opened(Some("480938")), MOST_OF_A_USER);
        // a stranger who logs in makes room for another
        assert!(streams.find("None 0", Some("1024")).is_some());
        assert!(streams.add("another", open(None)));
    }

    #[tokio::test]
    async fn a_stream_ends_whose_client_says_nothing() {
        let (_messages, incoming) = mpsc::channel(WAITING);
        let (outgoing, mut answers) = mpsc::channel(WAITING);
        let tools = Tools::new(crate::mcp::Items::default(), crate::mcp::Protection::default());
        let served = tokio::spawn(serve(tools, Line::new(incoming, outgoing), Duration::ZERO));
        assert!(answers.recv().await.is_none());
        served.await.unwrap();
    }
}
