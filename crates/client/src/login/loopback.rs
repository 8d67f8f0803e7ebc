//! Where the browser comes back to: a listener on this machine
//! ([RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)).

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::page::{self, Page};

/// The path of the redirect URI.
const PATH: &str = "/callback";
/// The most bytes of a request's header.
const LONGEST: usize = 16 * 1024;
/// How long a request's header may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most connections at a time. Browsers open some that they never use.
const CONNECTIONS: usize = 32;

/// A listener that waits for the browser, on a loopback address and nowhere else.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    address: SocketAddr,
}

impl Loopback {
    /// Listens on `port` of 127.0.0.1; 0 takes a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The redirect URI that leads here.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Waits for the answer to the authorization request that `state` belongs to. Whatever else comes is told so, and
    /// waited past: no other page in the browser can end a login.
    ///
    /// # Errors
    /// When the machine lets nobody connect any more.
    pub async fn arrival(&self, state: &str) -> io::Result<Arrival> {
        let mut visitors = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if visitors.len() < CONNECTIONS => {
                    let (stream, _) = accepted?;
                    visitors.spawn(visit(stream, self.address.port(), state.to_owned()));
                }
                Some(visited) = visitors.join_next() => {
                    if let Ok(Some(arrival)) = visited {
                        return Ok(arrival);
                    }
                }
            }
        }
    }
}

/// The browser came back, and waits to be told how the login ended.
#[derive(Debug)]
pub struct Arrival {
    query: String,
    stream: TcpStream,
}

impl Arrival {
    /// The parameters of the authorization response, as they came.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Shows the person how the login ended. That nobody looks any more is no reason to fail.
    pub async fn tell(mut self, page: &Page<'_>) {
        let _unread = answer(&mut self.stream, page).await;
    }
}

/// One connection: the arrival that is waited for, or nothing.
async fn visit(mut stream: TcpStream, port: u16, state: String) -> Option<Arrival> {
    let header = tokio::time::timeout(PATIENCE, header(&mut stream)).await.ok()??;
    match query(&header, port) {
        Ok(query) if has_state(&query, &state) => Some(Arrival { query, stream }),
        Ok(_) => {
            let _unread = answer(&mut stream, &Page::OtherLogin).await;
            None
        }
        Err(page) => {
            let _unread = answer(&mut stream, &page).await;
            None
        }
    }
}

/// A request up to its empty line.
async fn header(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&chunk[..count]);
        if read.windows(4).any(|four| four == b"\r\n\r\n") {
            return String::from_utf8(read).ok();
        }
        if read.len() > LONGEST {
            return None;
        }
    }
}

/// The query of a request for the redirect URI; for any other, what is answered.
fn query(header: &str, port: u16) -> Result<String, Page<'static>> {
    let mut lines = header.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // a name that leads here only because somebody else's name server says so is not ours
    let host = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim().to_ascii_lowercase());
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    if !host.is_some_and(|host| ours.contains(&host)) {
        return Err(Page::NotHere);
    }
    match target.split_once('?') {
        _ if method != "GET" => Err(Page::NotHere),
        Some((PATH, query)) => Ok(query.to_owned()),
        _ => Err(Page::NotHere),
    }
}

fn has_state(query: &str, state: &str) -> bool {
    let mut states = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "state");
    states.next().is_some_and(|(_, value)| value == state) && states.next().is_none()
}

async fn answer(stream: &mut TcpStream, page: &Page<'_>) -> io::Result<()> {
    let response = page::response(page);
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_of_the_redirect_uri_at_this_machine_has_a_query() {
        let request = |line: &str, host: &str| format!("{line}\r\nAccept: */*\r\nHost: {host}\r\n\r\n");
        let ours = "127.0.0.1:4000";
        let good = request("GET /callback?code=a&state=b HTTP/1.1", ours);
        assert_eq!(query(&good, 4000).unwrap(), "code=a&state=b");
        for (line, host) in [
            ("GET /callback?code=a HTTP/1.1", "rebound.example:4000"),
            ("GET /callback?code=a HTTP/1.1", "127.0.0.1:4001"),
            ("POST /callback?code=a HTTP/1.1", ours),
            ("GET /callback HTTP/1.1", ours),
            ("GET /favicon.ico HTTP/1.1", ours),
            ("GET /callback/more?code=a HTTP/1.1", ours),
            ("", ours),
        ] {
            assert!(query(&request(line, host), 4000).is_err(), "{line} at {host}");
        }
        assert!(query("GET /callback?code=a HTTP/1.1\r\n\r\n", 4000).is_err());
    }

    #[test]
    fn the_state_is_there_once_and_the_same() {
        assert!(has_state("code=a&state=b%20c", "b c"));
        for other in [
            "code=a",
            "state=",
            "state=b",
            "state=b%20c&state=b%20c",
            "State=b%20c",
        ] {
            assert!(!has_state(other, "b c"), "{other}");
        }
    }
}
