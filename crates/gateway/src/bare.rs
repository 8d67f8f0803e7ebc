//! What the benchmarks compare the gateway with, in the same executable: handlers that decide nothing, or check a signature
//! and nothing else. Only there with the feature `bench`, which nothing that is shipped has.

use std::{net::Ipv4Addr, sync::Arc};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use clap::Args;

use crate::{
    failure::Failure,
    serve::{HEAD_PATIENCE, KEEP_ALIVE},
};

/// Options of `bare`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BareArgs {
    #[arg(long)]
    port: u16,
    /// The public part of an RSA key in PKCS#1 and base64; `/signature` checks the signatures of tokens with it
    #[arg(long)]
    key: Option<String>,
}

/// Serves until it is ended, with the settings of the gateway's own servers.
///
/// # Errors
/// [`Failure`] when the port is taken or the key cannot be read.
pub(crate) async fn run(args: &BareArgs) -> Result<(), Failure> {
    let key = args.key.as_deref().map(parse).transpose()?.map(Arc::new);
    HttpServer::new(move || {
        let app = App::new()
            .route("/verify", web::get().to(bare))
            .route("/mcp", web::get().to(bare));
        match &key {
            Some(key) => app
                .app_data(web::Data::from(Arc::clone(key)))
                .route("/signature", web::get().to(signature)),
            None => app,
        }
    })
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_PATIENCE)
    .bind((Ipv4Addr::LOCALHOST, args.port))
    .map_err(Failure::runtime)?
    .run()
    .await
    .map_err(Failure::runtime)
}

fn parse(key: &str) -> Result<ParsedPublicKey, Failure> {
    let key = STANDARD.decode(key).map_err(Failure::runtime)?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).map_err(Failure::runtime)
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
