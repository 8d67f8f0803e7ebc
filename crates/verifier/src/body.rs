//! The body of a request, as the proxy hands it on.

use actix_web::{
    http::header::{self, HeaderMap},
    web::{Bytes, Payload},
};

use crate::reason::Reason;

/// Reads at most `most` bytes. A body in a coding or a character set that only the server behind would undo is refused.
pub(crate) async fn read(headers: &HeaderMap, payload: Payload, most: usize) -> Result<Bytes, Reason> {
    let body = payload
        .to_bytes_limited(most)
        .await
        .map_err(|_| Reason::BodyTooLarge)?
        .map_err(|_| Reason::BodyIncomplete)?;
    if !body.is_empty() && (is_coded(headers) || is_in_another_charset(headers)) {
        return Err(Reason::BodyEncoded);
    }
    Ok(body)
}

fn is_coded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::CONTENT_ENCODING);
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether a server could read other characters than we do: in UTF-7, `+ACI-` ends a string.
fn is_in_another_charset(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).any(|value| {
        let Ok(value) = value.to_str() else {
            return true;
        };
        let value = value.to_ascii_lowercase();
        let parameters = value.split(';').skip(1);
        let utf8 = parameters.filter(|parameter| {
            let pair = parameter
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()));
            matches!(pair, Some(("charset", "utf-8" | "\"utf-8\"" | "utf8")))
        });
        utf8.count() != value.matches("charset").count()
    })
}
