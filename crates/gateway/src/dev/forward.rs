//! The part that Traefik plays in production: asks `/verify` about each request for the sample MCP server, and forwards
//! it with the identity headers and without the token. Bodies stream both ways.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    guard::GuardContext,
    http::{Method, StatusCode, header},
    rt,
    web::{self, Bytes},
};
use futures_util::{StreamExt, stream};
use mcp_gateway_model::{cors::CorsOrigins, secret::Secret};
use reqwest::{Body, Client, Response, Url};
use tokio::sync::mpsc;
use tracing::warn;

/// Headers that are about one connection (RFC 9110 §7.6.1), and those that the client library writes itself.
const PER_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
];
/// What the verifier answers and the server behind gets.
const IDENTITY: &[&str] = &[
    "x-user-id",
    "x-user-name",
    "x-auth-client",
    "x-auth-scope",
    "x-auth-token",
];

/// Where requests for the protected server go.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    client: Client,
    /// Our own `/verify`.
    verify: Url,
    /// The server behind.
    backend: Url,
    /// What shows the server behind that a request comes from here.
    proof: Arc<Secret>,
}

/// The header of that, and of no request of a client.
const PROOF: &str = "x-gateway-proof";

impl Forward {
    /// Forwards to `backend` what `verify` lets pass, with `proof` that it comes from here.
    ///
    /// # Errors
    /// When no client can be built.
    pub(super) fn new(verify: Url, backend: Url, proof: Secret) -> reqwest::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .build()?;
        Ok(Self {
            client,
            verify,
            backend,
            proof: Arc::new(proof),
        })
    }

    /// Mounts `path` and everything below it. Preflights of browsers go to the default service, as the shipped router
    /// rules have it.
    pub(super) fn configure(self, path: &'static str) -> impl FnOnce(&mut web::ServiceConfig) {
        move |routes| {
            let resource = web::resource([path.to_owned(), format!("{path}/{{below:.*}}")])
                .guard(actix_web::guard::fn_guard(|context| !is_preflight(context)))
                .app_data(web::Data::new(self))
                .to(forward);
            routes.service(resource);
        }
    }

    /// Asks `/verify` as ForwardAuth does.
    async fn ask(&self, request: &HttpRequest) -> reqwest::Result<Response> {
        let uri = request.uri().path_and_query().map_or("/", |uri| uri.as_str());
        let mut question = self.client.get(self.verify.clone());
        for (name, value) in request.headers() {
            if !is_forwarded_header(name.as_str()) && !PER_CONNECTION.contains(&name.as_str()) {
                question = question.header(name.as_str(), value.as_bytes());
            }
        }
        // what `host` has let in, not what the client says it was forwarded for
        let host = request
            .headers()
            .get(header::HOST)
            .map_or(&b""[..], header::HeaderValue::as_bytes);
        question
            .header("x-forwarded-method", request.method().as_str())
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-host", host)
            .header("x-forwarded-uri", uri)
            .header("x-forwarded-for", "127.0.0.1")
            .timeout(Duration::from_secs(10))
            .send()
            .await
    }

    /// Hands the request to the server behind.
    async fn hand_on(
        &self,
        request: &HttpRequest,
        body: Body,
        verified: &Response,
    ) -> reqwest::Result<Response> {
        let mut address = self.backend.clone();
        address.set_path(request.path());
        address.set_query(request.uri().query());
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default();
        let mut forwarded = self.client.request(method, address);
        for (name, value) in request.headers() {
            if reaches_backend(name.as_str()) {
                forwarded = forwarded.header(name.as_str(), value.as_bytes());
            }
        }
        for name in IDENTITY {
            if let Some(value) = verified.headers().get(*name) {
                forwarded = forwarded.header(*name, value);
            }
        }
        let forwarded = forwarded.header(PROOF, self.proof.reveal());
        forwarded.body(body).send().await
    }
}

fn is_preflight(context: &GuardContext<'_>) -> bool {
    let head = context.head();
    head.method == Method::OPTIONS && head.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn is_forwarded_header(name: &str) -> bool {
    name.starts_with("x-forwarded") || name.starts_with("x_forwarded")
}

/// Whether a header of the client reaches the server behind: no credentials, and nothing that looks like an identity.
fn reaches_backend(name: &str) -> bool {
    let plain = name.to_ascii_lowercase().replace('_', "-");
    let identity = plain.starts_with("x-user-") || plain.starts_with("x-auth-");
    let credential = ["authorization", "cookie", PROOF].contains(&plain.as_str());
    !identity && !credential && !is_forwarded_header(name) && !PER_CONNECTION.contains(&plain.as_str())
}

async fn forward(request: HttpRequest, payload: web::Payload, forward: web::Data<Forward>) -> HttpResponse {
    let verified = match forward.ask(&request).await {
        Ok(verified) => verified,
        Err(error) => return unreachable_part("the verifier", &error),
    };
    if !verified.status().is_success() {
        return pass_on(verified, false);
    }
    match forward.hand_on(&request, stream_of(payload), &verified).await {
        Ok(answer) => pass_on(answer, true),
        Err(error) => unreachable_part("the sample MCP server", &error),
    }
}

fn unreachable_part(what: &str, error: &reqwest::Error) -> HttpResponse {
    warn!(%error, "{what} does not answer");
    HttpResponse::BadGateway().finish()
}

/// The body of a request, piece by piece, for a client that may run on another thread.
fn stream_of(mut payload: web::Payload) -> Body {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    rt::spawn(async move {
        while let Some(piece) = payload.next().await {
            let piece = piece.map_err(|error| std::io::Error::other(error.to_string()));
            if sender.send(piece).await.is_err() {
                break;
            }
        }
    });
    Body::wrap_stream(stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}

/// An answer, piece by piece. Browsers may read what the server behind answers, as Traefik's CORS middleware has it.
fn pass_on(answer: Response, with_cors: bool) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut builder = HttpResponseBuilder::new(status);
    for (name, value) in answer.headers() {
        if !PER_CONNECTION.contains(&name.as_str()) {
            builder.append_header((name.as_str(), value.as_bytes()));
        }
    }
    if with_cors {
        builder.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        builder.insert_header((
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            CorsOrigins::EXPOSED_HEADERS,
        ));
    }
    builder.streaming(answer.bytes_stream())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_forged_identities_stop_here() {
        for name in [
            "authorization",
            "cookie",
            "X_Gateway-Proof",
            "x-user-id",
            "X_User_Name",
            "x-auth-scope",
            "x_auth-token",
            "connection",
        ] {
            assert!(!reaches_backend(name), "{name}");
        }
        for name in [
            "accept",
            "content-type",
            "mcp-session-id",
            "mcp-protocol-version",
            "last-event-id",
        ] {
            assert!(reaches_backend(name), "{name}");
        }
    }
}
