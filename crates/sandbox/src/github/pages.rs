//! Lists come in pages of 30, with a `Link` header ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)).

use actix_web::{HttpRequest, http::header};
use url::form_urlencoded;

use super::state::State;

const PER_PAGE: usize = 30;
const MOST_PER_PAGE: usize = 100;

/// Which part of a list was asked for.
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// `page` and `per_page`; what cannot be read counts as not given.
    pub(super) fn asked(request: &HttpRequest) -> Self {
        let mut page = Self {
            number: 1,
            size: PER_PAGE,
        };
        for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
            let number = value.parse().ok().filter(|number| *number > 0);
            match (&*name, number) {
                ("page", Some(number)) => page.number = number,
                ("per_page", Some(size)) => page.size = size.min(MOST_PER_PAGE),
                _ => {}
            }
        }
        page
    }

    /// The items on this page.
    pub(super) fn of<T>(&self, all: Vec<T>) -> Vec<T> {
        all.into_iter()
            .skip((self.number - 1).saturating_mul(self.size))
            .take(self.size)
            .collect()
    }

    /// The `Link` header; none when everything fits on one page.
    pub(super) fn link(
        &self,
        request: &HttpRequest,
        state: &State,
        total: usize,
    ) -> Option<(header::HeaderName, String)> {
        let last = total.div_ceil(self.size).max(1);
        let mut relations = Vec::new();
        if self.number > 1 {
            relations.push(("prev", (self.number - 1).min(last)));
        }
        if self.number < last {
            relations.push(("next", self.number + 1));
            relations.push(("last", last));
        }
        if self.number > 1 {
            relations.push(("first", 1));
        }
        let base = base(request, state);
        let links: Vec<_> = relations
            .into_iter()
            .map(|(relation, page)| {
                format!("<{base}?per_page={}&page={page}>; rel=\"{relation}\"", self.size)
            })
            .collect();
        (!links.is_empty()).then(|| (header::LINK, links.join(", ")))
    }
}

fn base(request: &HttpRequest, state: &State) -> String {
    if let Some(origin) = &state.options.public_url {
        return format!("{}{}", origin.trim_end_matches('/'), request.path());
    }
    let connection = request.connection_info();
    format!(
        "{}://{}{}",
        connection.scheme(),
        connection.host(),
        request.path()
    )
}
