//! Clients that were registered.

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{Registration, Store, StoreFault};

impl Store {
    /// Remembers a registration: for whoever asks for the same again, and for whoever names the client.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn put_registration(
        &self,
        registration: &Registration,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let by_client = self.client_key(&registration.endpoint, &registration.client_id);
        for key in [
            by_client,
            self.key("registration", &[&registration.request.to_string()]),
        ] {
            let value = self.sealed(&key, registration, ends)?;
            self.engine.put(&key, value, now).await?;
        }
        Ok(())
    }

    /// What was registered when the same was asked for before, unless its secret ends at `now`.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn registration(
        &self,
        request: &Digest,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreFault> {
        let found = self
            .read(&self.key("registration", &[&request.to_string()]))
            .await?;
        Ok(found.map(|(found, _)| found).filter(|found| is_good(found, now)))
    }

    /// The client of this id that was registered at `endpoint`, unless its secret ends at `now`.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn client(
        &self,
        endpoint: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreFault> {
        let found = self.read(&self.client_key(endpoint, client_id)).await?;
        Ok(found.map(|(found, _)| found).filter(|found| is_good(found, now)))
    }

    /// Forgets a registration that its server no longer knows.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn forget_registration(&self, request: &Digest, now: Timestamp) -> Result<(), StoreFault> {
        let key = self.key("registration", &[&request.to_string()]);
        if let Some((found, raw)) = self.read::<Registration>(&key).await? {
            self.engine.swap(&key, Some(raw), None, now).await?;
            let key = self.client_key(&found.endpoint, &found.client_id);
            let held = self.engine.get(std::slice::from_ref(&key)).await?.pop().flatten();
            self.engine.swap(&key, held, None, now).await?;
        }
        Ok(())
    }

    fn client_key(&self, endpoint: &str, client_id: &str) -> String {
        let digest = Digest::of(format!("{endpoint}\n{client_id}").as_bytes());
        self.key("client", &[&digest.to_string()])
    }
}

fn is_good(registration: &Registration, now: Timestamp) -> bool {
    !registration
        .secret_expires_at
        .is_some_and(|end| end.has_passed(now))
}
