//! Where people come.

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    middleware::from_fn,
    web::{self, ServiceConfig},
};

use mcp_gateway_model::metadata::Offers;

use crate::{
    authorize::authorize, browser::Browser, callback::callback, consent::consent, device, door::Page, legacy,
    logout::logout, pages::style, request::Context,
};

/// The routes of pages and their forms. Another method than a path's own gets 405, on a page.
pub(crate) fn login_routes(config: &mut ServiceConfig, offers: Offers) {
    if offers.device {
        let routes = vec![web::get().to(device::show), web::post().to(device::typed)];
        mount_all(config, "/device", "GET and POST", routes);
    }
    mount(config, "/authorize", "GET", web::get().to(authorize));
    mount(config, "/oauth/authorize", "GET", web::get().to(authorize));
    mount(config, "/consent", "POST", web::post().to(consent));
    mount(config, "/callback", "GET", web::get().to(callback));
    mount(config, "/logout", "POST", web::post().to(logout));
    config
        .route("/assets/style.css", web::get().to(style))
        .route("/favicon.ico", web::get().to(no_icon));
}

fn mount(config: &mut ServiceConfig, path: &str, allow: &'static str, route: Route) {
    mount_all(config, path, allow, vec![route]);
}

fn mount_all(config: &mut ServiceConfig, path: &str, allow: &'static str, routes: Vec<Route>) {
    let not_allowed =
        move |context: Context, request: HttpRequest| async move { not_allowed(allow, context, request) };
    let resource = routes.into_iter().fold(web::resource(path), Resource::route);
    let resource = resource.default_service(web::to(not_allowed));
    config.service(resource.wrap(from_fn(legacy::around)));
}

fn not_allowed(allow: &'static str, context: Context, request: HttpRequest) -> HttpResponse {
    let browser = Browser::new(context, request);
    let page = Page::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "This is not the way in",
        "method_not_allowed",
    )
    .saying(
        "This address does not answer requests of this kind. Go back to the application and connect again.",
    )
    .saying(format!("For its developers: it answers {allow} only."));
    let mut response = browser.answer(Err(page.into()));
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// `GET /favicon.ico`: browsers ask for it unasked, and need not do so again.
async fn no_icon() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::CACHE_CONTROL, "public, max-age=604800"))
        .finish()
}
