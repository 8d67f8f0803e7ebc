//! Tokens end ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).

use super::{TokenEndpoint, TokenFault, Tokens};

impl TokenEndpoint<'_> {
    /// Ends what was granted: the refresh token, else the access token. `false` when the server has no way to end anything.
    ///
    /// # Errors
    /// [`TokenFault`] says why nothing ended.
    pub async fn revoke(&self, tokens: &Tokens) -> Result<bool, TokenFault> {
        let Some(url) = &self.server.revocation_endpoint else {
            return Ok(false);
        };
        let (token, hint) = match &tokens.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&tokens.access_token, "access_token"),
        };
        let fields = [("token", token.reveal()), ("token_type_hint", hint)];
        self.post(url, &fields).await.map(|_| true)
    }
}
