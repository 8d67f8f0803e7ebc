//! The page that the browser shows at the end of a login. It needs no JavaScript and loads nothing.

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::secret::Digest;

const STYLE: &str = ":root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;overflow-wrap:anywhere}\
h1{font-size:1.4rem}\
p{margin:.6rem 0}";

/// What the browser shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page<'t> {
    /// The login is done: a token for this server is here.
    Done {
        /// The server's address.
        server: &'t str,
    },
    /// The login ended without a token.
    Failed {
        /// Why, as the terminal tells it too.
        why: &'t str,
    },
    /// An answer to a login that nobody here waits for.
    OtherLogin,
    /// Nothing is at this address.
    NotHere,
}

impl Page<'_> {
    const fn status(&self) -> &'static str {
        match self {
            Self::Done { .. } => "200 OK",
            Self::Failed { .. } | Self::OtherLogin => "400 Bad Request",
            Self::NotHere => "404 Not Found",
        }
    }

    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Done { server } => (
                "You are logged in",
                format!("Programs on this machine can now use {server} for you."),
            ),
            Self::Failed { why } => ("You are not logged in", format!("{why}.")),
            Self::OtherLogin => (
                "This is not the login that is waited for",
                "It may be an older one. Start again with the command that you gave in the terminal."
                    .to_owned(),
            ),
            Self::NotHere => ("There is nothing here", "Go back to the terminal.".to_owned()),
        }
    }
}

/// The whole answer: header and page.
pub(super) fn response(page: &Page<'_>) -> String {
    let (title, text) = page.words();
    let (title, text) = (escape(title), escape(&text));
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n<p>{text}</p>\n\
         <p>You can close this page and go back to the terminal.</p>\n</main>\n</body>\n</html>\n"
    );
    let style = STANDARD.encode(Digest::of(STYLE.as_bytes()).as_bytes());
    format!(
        "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: default-src 'none'; img-src data:; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n{body}",
        page.status(),
        body.len(),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_text_and_nothing_else() {
        let page = Page::Failed {
            why: "<script>alert('x' & \"y\")</script>",
        };
        let shown = response(&page);
        assert!(!shown.contains("<script"), "{shown}");
        assert!(
            shown.contains("&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)"),
            "{shown}"
        );
    }

    #[test]
    fn the_length_is_that_of_the_page() {
        let shown = response(&Page::Done {
            server: "https://é.example/mcp",
        });
        let (header, body) = shown.split_once("\r\n\r\n").unwrap();
        assert!(
            header.contains(&format!("Content-Length: {}\r\n", body.len())),
            "{header}"
        );
    }
}
