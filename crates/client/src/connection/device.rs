//! A login with a code that the person types elsewhere.

use std::time::Duration;

use super::{Connection, ConnectionFault, DeviceGuide, UserAgentFault};
use crate::token::{For, Polled, TokenEndpoint, Tokens};

/// How much slower questions come after the server asked for it ([RFC 8628
/// §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)).
const SLOWER: Duration = Duration::from_secs(5);

impl Connection {
    /// Shows the code, and asks until the person has typed it.
    pub(super) async fn device(
        &self,
        guide: &dyn DeviceGuide,
        endpoint: TokenEndpoint<'_>,
        wanted: For<'_>,
    ) -> Result<Tokens, ConnectionFault> {
        let login = endpoint.begin_device(wanted).await?;
        guide.guide(&login);
        let asking = async {
            let mut interval = login.interval;
            loop {
                tokio::time::sleep(interval).await;
                let now = self.clock.now();
                match (TokenEndpoint { now, ..endpoint })
                    .poll_device(&login, wanted)
                    .await?
                {
                    Polled::Tokens(tokens) => return Ok(tokens),
                    Polled::Pending => {}
                    Polled::SlowDown => interval += SLOWER,
                }
            }
        };
        let ended = tokio::time::timeout(login.lifetime, asking).await;
        ended.unwrap_or_else(|_| {
            let late = "nobody typed the code while it was good: try again";
            Err(UserAgentFault(late.to_owned()).into())
        })
    }
}
