//! Who is calling, as the server behind is told: headers that the proxy sets in place of what the client sent. Each is
//! always there, because a header that is missing here would pass from the client unchanged.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{holder::Holder, reason::Reason, settings::PassToken};

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const USER_NAME: HeaderName = HeaderName::from_static("x-user-name");
const CLIENT: HeaderName = HeaderName::from_static("x-auth-client");
const SCOPE: HeaderName = HeaderName::from_static("x-auth-scope");
const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// What is encoded in a name; the percent sign too, so that it can be decoded.
const NOT_IN_NAMES: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// The headers of one admitted request.
pub(crate) struct Identity([(HeaderName, HeaderValue); 5]);

impl Identity {
    /// The identity of whoever holds a checked credential.
    pub(crate) fn new(holder: &Holder<'_>, pass: PassToken) -> Result<Self, Reason> {
        let text = |text: &str| HeaderValue::from_str(text).map_err(|_| Reason::Claims);
        let name = utf8_percent_encode(&holder.username, NOT_IN_NAMES).to_string();
        let mut passed = match pass {
            PassToken::Off => HeaderValue::from_static(""),
            PassToken::Bearer => text(holder.bearer.reveal())?,
        };
        passed.set_sensitive(true);
        Ok(Self([
            (USER_ID, text(&holder.subject)?),
            (USER_NAME, text(&name)?),
            (CLIENT, text(&holder.client)?),
            (SCOPE, text(&holder.scopes.to_string())?),
            (TOKEN, passed),
        ]))
    }

    /// Nobody: whoever asks for something public.
    pub(crate) fn nobody() -> Self {
        Self([USER_ID, USER_NAME, CLIENT, SCOPE, TOKEN].map(|name| (name, HeaderValue::from_static(""))))
    }

    /// 200, without a body and without `Authorization`: so the proxy takes the token out of the request.
    pub(crate) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        for header in self.0 {
            response.insert_header(header);
        }
        response.finish()
    }
}
