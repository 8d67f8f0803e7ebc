//! What stands between a program that sends no token and a server that wants one: it adds headers, and changes nothing else.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::mpsc,
    thread,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer, dev::ServerHandle, rt, web,
};
use reqwest::{Client, Method};

/// Of one connection, and not of the message (RFC 9110 §7.6.1).
const OF_THE_CONNECTION: [&str; 5] = [
    "connection",
    "content-length",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
];

/// A relay on a free port of 127.0.0.1.
pub(crate) struct Relay {
    url: String,
    server: ServerHandle,
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

/// Where a relay leads.
struct Way {
    http: Client,
    origin: String,
    more: Vec<(&'static str, String)>,
}

impl Relay {
    /// Starts one that leads to `origin` and adds these headers. The client must not have been used: its connections belong to
    /// the relay's thread.
    pub(crate) fn start(http: Client, origin: &str, more: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = web::Data::new(Way {
            http,
            origin: origin.to_owned(),
            more,
        });
        let (told, started) = mpsc::channel();
        thread::spawn(move || {
            rt::System::new().block_on(async move {
                let app = move || App::new().app_data(way.clone()).default_service(web::to(pass));
                let server = HttpServer::new(app)
                    .workers(1)
                    .disable_signals()
                    .listen(listener)
                    .unwrap()
                    .run();
                told.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self {
            url,
            server: started.recv().unwrap(),
        }
    }

    /// The address of `path` by way of the relay.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

/// Hands a request on, and its answer back, each piece when it comes.
async fn pass(request: HttpRequest, body: web::Bytes, way: web::Data<Way>) -> HttpResponse {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
    let mut onward = way
        .http
        .request(method, format!("{}{}", way.origin, request.uri()));
    for (name, value) in request.headers() {
        // a host that is not the relay's own is what the program has to say
        let is_own = name == "host" && value.as_bytes().starts_with(b"127.0.0.1");
        if !is_own && !OF_THE_CONNECTION.contains(&name.as_str()) {
            onward = onward.header(name.as_str(), value.as_bytes());
        }
    }
    for (name, value) in &way.more {
        onward = onward.header(*name, value);
    }
    let answer = match onward.body(body.to_vec()).send().await {
        Ok(answer) => answer,
        Err(error) => return HttpResponse::BadGateway().body(format!("{error:?}")),
    };
    let mut back = HttpResponseBuilder::new(answer.status().as_u16().try_into().unwrap());
    for (name, value) in answer.headers() {
        if !OF_THE_CONNECTION.contains(&name.as_str()) {
            back.append_header((name.as_str(), value.as_bytes()));
        }
    }
    back.streaming(answer.bytes_stream())
}
