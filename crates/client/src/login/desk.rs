//! A person at this machine, or at a terminal of it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Mutex;
use url::Url;

use super::{Arrival, Browsers, Loopback, Page, paste};
use crate::{
    connection::{DeviceGuide, UserAgent, UserAgentFault},
    token::DeviceLogin,
};

/// What the person is told, and what they type.
#[async_trait]
pub trait Person: Send + Sync {
    /// Tells them something.
    fn tell(&self, notice: &Told<'_>);

    /// The next line that they type. Whoever cannot type never answers.
    async fn line(&self) -> String;
}

/// What a person is told during a login.
#[derive(Clone, Copy, Debug)]
pub enum Told<'t> {
    /// Their browser shows this address.
    Opened(&'t Url),
    /// They have to open this address themselves.
    Open(&'t Url),
    /// They have to type a code.
    Code(&'t DeviceLogin),
    /// What they typed is not the address that their browser ended at.
    BadPaste(paste::BadPaste),
}

/// Brings a person to the authorization server with their browser, and back to a listener on this machine. Whoever has their
/// browser elsewhere pastes the address that it ended at. It is for one conversation with a server.
pub struct Desk {
    person: Arc<dyn Person>,
    /// Which browsers can be opened; none leaves it to the person.
    browsers: Option<Browsers>,
    /// The port that is tried first, so that one registration serves for many logins.
    port: u16,
    patience: Duration,
    /// How often the person was sent to log in.
    visits: AtomicU32,
    listener: Mutex<Option<Loopback>>,
    waiting: Mutex<Option<Arrival>>,
}

/// How often a person is sent to log in for one conversation: whoever asks more often does not want a login.
const VISITS: u32 = 3;

impl Desk {
    /// For `person`, who has `patience` to log in. Without `browsers` they open the address themselves.
    #[must_use]
    pub fn new(person: Arc<dyn Person>, browsers: Option<Browsers>, port: u16, patience: Duration) -> Self {
        Self {
            person,
            browsers,
            port,
            patience,
            visits: AtomicU32::new(0),
            listener: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// Shows in the browser how the login ended. Until then it waits.
    pub async fn end(&self, page: &Page<'_>) {
        if let Some(arrival) = self.waiting.lock().await.take() {
            arrival.tell(page).await;
        }
    }

    /// Sends the person to `url`. Answers with the parameters in the address that they paste, if they do.
    async fn sent(&self, url: &Url) -> String {
        let opened = match &self.browsers {
            Some(browsers) => browsers.open(url).await.is_ok(),
            None => false,
        };
        self.person.tell(&if opened {
            Told::Opened(url)
        } else {
            Told::Open(url)
        });
        loop {
            let line = self.person.line().await;
            if line.trim().is_empty() {
                continue;
            }
            match paste::query(&line) {
                Ok(query) => return query,
                Err(bad) => self.person.tell(&Told::BadPaste(bad)),
            }
        }
    }
}

impl Desk {
    /// Listens, on the port that is tried first if that is free.
    async fn listen(&self) -> Result<String, UserAgentFault> {
        let mut listener = self.listener.lock().await;
        let bound = match Loopback::bind(self.port).await {
            Ok(bound) => bound,
            Err(_) => Loopback::bind(0).await.map_err(|error| {
                UserAgentFault(format!(
                    "nothing can listen on this machine for the browser: {error}"
                ))
            })?,
        };
        Ok(listener.insert(bound).redirect_uri())
    }
}

#[async_trait]
impl DeviceGuide for Desk {
    async fn redirect_uri(&self) -> Result<String, UserAgentFault> {
        self.listen().await
    }

    fn guide(&self, login: &DeviceLogin) {
        self.person.tell(&Told::Code(login));
    }
}

#[async_trait]
impl UserAgent for Desk {
    async fn redirect_uri(&self) -> Result<String, UserAgentFault> {
        self.listen().await
    }

    async fn visit(&self, url: &Url) -> Result<Url, UserAgentFault> {
        if self.visits.fetch_add(1, Ordering::Relaxed) >= VISITS {
            let often = format!(
                "the server wants a login again after {VISITS} of them: its operator has to mend that"
            );
            return Err(UserAgentFault(often));
        }
        let missing = |what: &str| UserAgentFault(format!("the login has no {what}"));
        let listener = self.listener.lock().await.take();
        let listener = listener.ok_or_else(|| missing("redirect URI"))?;
        let state = url.query_pairs().find(|(name, _)| name == "state");
        let state = state.ok_or_else(|| missing("state"))?.1.into_owned();
        let query = tokio::select! {
            arrival = listener.arrival(&state) => {
                let arrival = arrival.map_err(|error| {
                    UserAgentFault(format!("the browser cannot come back: {error}"))
                })?;
                let query = arrival.query().to_owned();
                *self.waiting.lock().await = Some(arrival);
                query
            }
            query = self.sent(url) => query,
            () = tokio::time::sleep(self.patience) => {
                let minutes = self.patience.as_secs().div_ceil(60);
                let plural = if minutes == 1 { "" } else { "s" };
                let late = format!(
                    "nobody came back from the login within {minutes} minute{plural}: try again; if its page does not know this \
                     client any more, log out first"
                );
                return Err(UserAgentFault(late));
            }
        };
        let mut back = Url::parse(&listener.redirect_uri()).map_err(|_| missing("redirect URI"))?;
        back.set_query(Some(&query));
        Ok(back)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl Person for Silent {
        fn tell(&self, _: &Told<'_>) {}

        async fn line(&self) -> String {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_person_is_not_sent_to_log_in_again_and_again() {
        let desk = Desk::new(Arc::new(Silent), None, 0, Duration::from_millis(1));
        let url = Url::parse("https://as.example.com/authorize?state=s").unwrap();
        let mut told = Vec::new();
        for _ in 0..5 {
            UserAgent::redirect_uri(&desk).await.unwrap();
            told.push(desk.visit(&url).await.unwrap_err().0.contains("again after 3"));
        }
        assert_eq!(told, [false, false, false, true, true]);
    }
}
