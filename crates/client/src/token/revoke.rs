//! Tokens end ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).

use mcp_gateway_model::secret::Secret;
use url::Url;

use super::{TokenEndpoint, TokenFault, Tokens};

impl TokenEndpoint<'_> {
    /// Ends what was granted: the refresh token, and then the access token, which a server need not end with it ([RFC 7009
    /// §2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)). `false` when the server has no way to end anything.
    ///
    /// # Errors
    /// [`TokenFault`] says why not all ended.
    pub async fn revoke(&self, tokens: &Tokens) -> Result<bool, TokenFault> {
        let Some(url) = &self.server.revocation_endpoint else {
            return Ok(false);
        };
        let Some(refresh_token) = &tokens.refresh_token else {
            return self
                .end(url, &tokens.access_token, "access_token")
                .await
                .map(|()| true);
        };
        self.end(url, refresh_token, "refresh_token").await?;
        match self.end(url, &tokens.access_token, "access_token").await {
            // tokens that it cannot end are short-lived ([RFC 7009 §2.2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1))
            Err(fault) if fault.is_unsupported_token_type() => Ok(true),
            ended => ended.map(|()| true),
        }
    }

    async fn end(&self, url: &Url, token: &Secret, hint: &str) -> Result<(), TokenFault> {
        let fields = [("token", token.reveal()), ("token_type_hint", hint)];
        self.post(url, &fields).await.map(drop)
    }
}
