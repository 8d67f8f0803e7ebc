//! What the gateway is measured against: a server that decides nothing, one that checks a signature and nothing else, and
//! the bare rate of signing. Each is a process of its own, bound like the gateway.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};
use aws_lc_rs::signature::ParsedPublicKey;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mcp_gateway_model::key::Algorithm;

use crate::{
    Answer, arguments,
    client::count,
    key::Key,
    progress::{now, result},
};

/// As in the gateway's own servers.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// Serves until it is ended.
///
/// # Errors
/// When the port is taken or the key cannot be read.
pub(crate) fn serve(arguments: &arguments::Plain) -> Answer<()> {
    let public = match &arguments.key {
        Some(key) => {
            let key = Key::read(Algorithm::Rs256, STANDARD.decode(key)?)?;
            Some(Arc::new(key.rsa_public()?))
        }
        None => None,
    };
    let server = HttpServer::new(move || {
        let app = App::new()
            .route("/verify", web::get().to(bare))
            .route("/mcp", web::get().to(bare));
        match &public {
            Some(public) => app
                .app_data(web::Data::from(Arc::clone(public)))
                .route("/signature", web::get().to(signature)),
            None => app,
        }
    })
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_PATIENCE)
    .bind((Ipv4Addr::LOCALHOST, arguments.port))?;
    actix_web::rt::System::new().block_on(server.run())?;
    Ok(())
}

async fn bare() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// 200 for a token that is signed with the key, else 401.
async fn signature(request: HttpRequest, key: web::Data<ParsedPublicKey>) -> HttpResponse {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let good = token
        .and_then(|token| token.rsplit_once('.'))
        .is_some_and(|(message, signature)| {
            URL_SAFE_NO_PAD
                .decode(signature)
                .is_ok_and(|signature| key.verify_sig(message.as_bytes(), &signature).is_ok())
        });
    if good {
        HttpResponse::Ok().finish()
    } else {
        HttpResponse::Unauthorized().finish()
    }
}

/// Signs what is as long as a token's message for a while, and prints how often a second.
///
/// # Errors
/// When the key cannot be read.
pub(crate) fn sign(arguments: &arguments::Sign) -> Answer<()> {
    let algorithm = Algorithm::parse(&arguments.algorithm).ok_or("there is no such algorithm")?;
    let key = Key::read(algorithm, STANDARD.decode(&arguments.key)?)?;
    let message = [b'm'; 550];
    let began = now();
    let end = began + Duration::from_millis(arguments.millis);
    let mut signatures = 0;
    while now() < end {
        key.sign(&message)?;
        signatures += 1;
    }
    result(&format!("{}", count(signatures) / began.elapsed().as_secs_f64()));
    Ok(())
}
