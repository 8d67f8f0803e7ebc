//! Which path leads where.

use actix_web::{
    HttpResponse, Route,
    http::{StatusCode, header},
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use mcp_gateway_model::error::ErrorCode;

use crate::{
    cors::{self, Endpoint},
    device, discovery,
    door::Rejection,
    introspect, legacy,
    login_routes::login_routes,
    manage, register, revoke,
    state::AuthServer,
    token, userinfo,
};

/// Mounts the authorization server: `App::new().configure(routes::configure(server))`. The paths of health checks, and
/// the answer to paths that are not there, are the application's own.
pub fn configure(server: web::Data<AuthServer>) -> impl Fn(&mut ServiceConfig) + Clone {
    move |services| {
        services.app_data(server.clone());
        // looked through in this order: what is asked most comes first, and paths with a pattern cost most
        token_routes(services);
        client_routes(services);
        discovery_routes(services);
        if server.settings.offers.openid.is_some() {
            userinfo_routes(services);
        }
        if server.settings.offers.device {
            device_routes(services);
        }
        login_routes(services, server.settings.offers);
    }
}

fn discovery_routes(services: &mut ServiceConfig) {
    let metadata = Endpoint {
        name: "metadata",
        allow: "GET, HEAD",
    };
    let jwks = Endpoint {
        name: "jwks",
        allow: "GET, HEAD",
    };
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/{suffix:.*}",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/{suffix:.*}",
    ] {
        let routes = vec![
            web::get().to(discovery::metadata),
            web::head().to(discovery::metadata),
        ];
        mount(services, path, metadata, routes);
    }
    for path in ["/jwks", "/.well-known/jwks.json"] {
        let routes = vec![web::get().to(discovery::jwks), web::head().to(discovery::jwks)];
        mount(services, path, jwks, routes);
    }
}

fn client_routes(services: &mut ServiceConfig) {
    let register = Endpoint {
        name: "register",
        allow: "POST",
    };
    let manage = Endpoint {
        name: "manage",
        allow: "GET, PUT, DELETE",
    };
    for path in ["/register", "/oauth/register"] {
        mount(services, path, register, vec![web::post().to(register::register)]);
    }
    let managing = vec![
        web::get().to(manage::read),
        web::put().to(manage::replace),
        web::delete().to(manage::remove),
    ];
    mount(services, "/register/{client_id}", manage, managing);
    let show = Endpoint {
        name: "client",
        allow: "GET",
    };
    let showing = vec![web::get().to(manage::show)];
    mount(services, "/oauth/clients/{client_id}", show, showing);
}

fn token_routes(services: &mut ServiceConfig) {
    let posted = |name| Endpoint { name, allow: "POST" };
    for path in ["/token", "/oauth/token"] {
        mount(
            services,
            path,
            posted("token"),
            vec![web::post().to(token::token)],
        );
    }
    mount(
        services,
        "/revoke",
        posted("revoke"),
        vec![web::post().to(revoke::revoke)],
    );
    let introspect = vec![web::post().to(introspect::introspect)];
    mount(services, "/introspect", posted("introspect"), introspect);
}

fn device_routes(services: &mut ServiceConfig) {
    let endpoint = Endpoint {
        name: "device",
        allow: "POST",
    };
    for path in ["/device_authorization", "/oauth/device_authorization"] {
        let routes = vec![web::post().to(device::device_authorization)];
        mount(services, path, endpoint, routes);
    }
}

fn userinfo_routes(services: &mut ServiceConfig) {
    let endpoint = Endpoint {
        name: "userinfo",
        allow: "GET, POST",
    };
    let routes = vec![
        web::get().to(userinfo::userinfo),
        web::post().to(userinfo::userinfo),
    ];
    mount(services, "/userinfo", endpoint, routes);
}

/// Mounts one JSON endpoint: other methods than its own get 405, in JSON.
fn mount(services: &mut ServiceConfig, path: &str, endpoint: Endpoint, routes: Vec<Route>) {
    let mut resource = web::resource(path);
    for route in routes {
        resource = resource.route(route);
    }
    let resource = resource
        .default_service(web::to(move || async move { not_allowed(endpoint) }))
        .wrap(from_fn(legacy::around))
        .wrap(from_fn(move |request, next| {
            cors::around(endpoint, request, next)
        }));
    services.service(resource);
}

fn not_allowed(endpoint: Endpoint) -> Result<HttpResponse, Rejection> {
    Err(Rejection::new(
        ErrorCode::InvalidRequest,
        format!("this endpoint answers {} only", endpoint.allow),
        "method_not_allowed",
    )
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
    .with_header(header::ALLOW, header::HeaderValue::from_static(endpoint.allow)))
}
