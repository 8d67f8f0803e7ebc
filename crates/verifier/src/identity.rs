//! Who is calling, as the server behind is told: headers that the proxy sets in place of what the client sent. Each is
//! always there, because a header that is missing here would pass from the client unchanged.

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
    web::Bytes,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{bearer::Bearer, reason::Reason, settings::PassToken};

/// Nobody may keep an answer: the next one can be another.
static UNCACHED: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// The headers, in the order of their values.
static NAMES: [HeaderName; 5] = [
    HeaderName::from_static("x-user-id"),
    HeaderName::from_static("x-user-name"),
    HeaderName::from_static("x-auth-client"),
    HeaderName::from_static("x-auth-scope"),
    HeaderName::from_static("x-auth-token"),
];

/// What is encoded in a name; the percent sign too, so that it can be decoded.
const NOT_IN_NAMES: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// What is said of whoever holds a credential.
pub(crate) struct Described<'d> {
    /// The person by GitHub's number, or the client that acts for itself.
    pub(crate) subject: &'d str,
    /// The person's login, for reading; empty where there is no person.
    pub(crate) username: &'d str,
    /// The client that the credential was given to.
    pub(crate) client: &'d str,
    /// What it allows.
    pub(crate) scopes: &'d str,
}

/// The headers of admitted requests, ready to be sent. It has no `Debug` text: the credential may be in it.
pub(crate) struct Identity([HeaderValue; 5]);

impl Identity {
    /// The identity of whoever holds a checked credential.
    pub(crate) fn new(
        described: &Described<'_>,
        bearer: Bearer<'_>,
        pass: PassToken,
    ) -> Result<Self, Reason> {
        let username = utf8_percent_encode(described.username, NOT_IN_NAMES).to_string();
        let token = match pass {
            PassToken::Off => "",
            PassToken::Bearer => bearer.reveal(),
        };
        let texts = [
            described.subject,
            &username,
            described.client,
            described.scopes,
            token,
        ];
        // all lie in one piece of memory
        let all = Bytes::from(texts.concat());
        let mut values = [const { HeaderValue::from_static("") }; 5];
        let mut begin = 0;
        for (value, text) in values.iter_mut().zip(texts) {
            let end = begin + text.len();
            *value = HeaderValue::from_maybe_shared(all.slice(begin..end)).map_err(|_| Reason::Claims)?;
            begin = end;
        }
        let [.., token] = &mut values;
        token.set_sensitive(true);
        Ok(Self(values))
    }

    /// Nobody: whoever asks for something public.
    pub(crate) const fn nobody() -> Self {
        Self([const { HeaderValue::from_static("") }; 5])
    }

    /// How many bytes the texts have.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(HeaderValue::len).sum()
    }

    /// The headers of the answer.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static HeaderName, &HeaderValue)> {
        let (name, value) = &UNCACHED;
        NAMES.iter().zip(&self.0).chain([(name, value)])
    }

    /// 200, without a body and without `Authorization`: so the proxy takes the token out of the request.
    pub(crate) fn to_response(&self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        for (name, value) in self.headers() {
            response.insert_header((name.clone(), value.clone()));
        }
        response.finish()
    }
}
