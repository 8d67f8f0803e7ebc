//! The person at the terminal.

use std::io::{self, IsTerminal};

use async_trait::async_trait;
use mcp_gateway_client::login::{Person, Told};
use tokio::sync::{Mutex, mpsc};

use super::output::remark;

/// Somebody who reads standard error, and types into standard input.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    lines: Mutex<Option<mpsc::Receiver<String>>>,
}

impl Terminal {
    /// Whether a person looks on.
    pub(crate) fn has_person() -> bool {
        io::stderr().is_terminal() && io::stdin().is_terminal()
    }
}

#[async_trait]
impl Person for Terminal {
    fn tell(&self, notice: &Told<'_>) {
        match notice {
            Told::Opened(url) => {
                remark("Log in with your browser. If it does not show the page, open this address:");
                remark(&format!("\n  {url}\n"));
            }
            Told::Open(url) => {
                remark("Open this address in a browser and log in:");
                remark(&format!("\n  {url}\n"));
                remark(
                    "If the browser runs on another machine, it ends at a page that it cannot show: paste that page's",
                );
                remark("address here.");
            }
            Told::Code(login) => {
                remark("Open this address in any browser, on any machine:");
                remark(&format!("\n  {}\n", login.verification_uri));
                remark(&format!("and type this code:\n\n  {}\n", login.user_code));
                if let Some(complete) = &login.verification_uri_complete {
                    remark(&format!(
                        "Or open this address, which has the code in it:\n\n  {complete}\n"
                    ));
                }
                let minutes = login.lifetime.as_secs() / 60;
                remark(&format!("The code is good for {minutes} minutes. Waiting..."));
            }
            Told::BadPaste(bad) => remark(&bad.to_string()),
        }
    }

    async fn line(&self) -> String {
        let mut lines = self.lines.lock().await;
        let lines = lines.get_or_insert_with(typed);
        match lines.recv().await {
            Some(line) => line,
            None => std::future::pending().await,
        }
    }
}

/// Lines from standard input. They are read on a thread of their own, which nobody waits for.
fn typed() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
