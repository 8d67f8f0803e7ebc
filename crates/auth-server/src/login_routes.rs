//! Where people come.

use actix_web::web::{self, ServiceConfig};

use crate::{authorize::authorize, callback::callback, consent::consent, logout::logout, pages::style};

/// The routes of pages and their forms.
pub(crate) fn login_routes(config: &mut ServiceConfig) {
    config
        .route("/authorize", web::get().to(authorize))
        .route("/oauth/authorize", web::get().to(authorize))
        .route("/consent", web::post().to(consent))
        .route("/callback", web::get().to(callback))
        .route("/logout", web::post().to(logout))
        .route("/assets/style.css", web::get().to(style));
}
