//! Only this machine, under its own names: a page on the web whose name points here (DNS rebinding) gets nothing.

use actix_web::{
    HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};

/// The `Host` headers that are answered.
#[derive(Clone, Debug)]
pub(super) struct OwnNames(Vec<String>);

impl OwnNames {
    /// This machine's names with `port`.
    pub(super) fn new(port: u16) -> Self {
        Self(
            ["localhost", "127.0.0.1", "[::1]"]
                .map(|name| format!("{name}:{port}"))
                .to_vec(),
        )
    }

    fn hold(&self, host: &str) -> bool {
        self.0.iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

/// The middleware: 421 (RFC 9110 §15.5.20) for any other name.
pub(super) async fn pass<B: MessageBody + 'static>(
    names: web::Data<OwnNames>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let mut hosts = request.headers().get_all(header::HOST);
    let ours = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(|host| names.hold(host)),
        _ => false,
    };
    // an absolute address in the request line wins over the header (RFC 9112 §3.2.2)
    let ours = ours
        && request
            .uri()
            .authority()
            .is_none_or(|authority| names.hold(authority.as_str()));
    if ours {
        next.call(request).await.map(ServiceResponse::map_into_boxed_body)
    } else {
        Ok(request.into_response(HttpResponse::MisdirectedRequest().finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_with_the_port_are_ours() {
        let names = OwnNames::new(8000);
        for own in ["localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"] {
            assert!(names.hold(own), "{own}");
        }
        for other in [
            "localhost",
            "localhost:80",
            "localhost.evil.com:8000",
            "evil.com:8000",
            "127.0.0.2:8000",
            "",
        ] {
            assert!(!names.hold(other), "{other}");
        }
    }
}
