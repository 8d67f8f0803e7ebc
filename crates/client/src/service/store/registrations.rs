//! Clients that were registered.

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{Registration, Store, StoreFault, UserId, amounts::REGISTRATIONS};

impl Store {
    /// Remembers a registration: for whoever asks for such a client again, for its user when they name the client, and for
    /// others who name it at its issuer, unless they know another registration by that name.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn put_registration(
        &self,
        registration: &Registration,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let key = self.registration_key(&registration.request);
        self.count(&registration.user, REGISTRATIONS, &key, now).await?;
        let value = self.sealed(&key, registration, ends)?;
        self.engine.put(&key, value, now).await?;
        self.put_client(&registration.user, registration, ends, now)
            .await?;
        let Some(issuer) = &registration.issuer else {
            return Ok(());
        };
        let key = self.client_key(registration, &of_issuer(issuer));
        let held = self.read::<Digest>(&key).await?;
        if let Some((other, _)) = &held
            && *other != registration.request
            && self.named(other, registration, now).await?.is_some()
        {
            return Ok(());
        }
        let value = self.sealed(&key, &registration.request, ends)?;
        let held = held.map(|(_, raw)| raw);
        self.engine.swap(&key, held, Some(value), now).await.map(drop)
    }

    /// Lets `user` find a registration when they name its client, whatever others register under that name.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn put_client(
        &self,
        user: &UserId,
        registration: &Registration,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let key = self.client_key(registration, &of_user(user));
        let value = self.sealed(&key, &registration.request, ends)?;
        self.engine.put(&key, value, now).await
    }

    /// What was registered when such a client was asked for before, unless its secret ends at `now`.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn registration(
        &self,
        request: &Digest,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreFault> {
        let found = self.read(&self.registration_key(request)).await?;
        Ok(found.map(|(found, _)| found).filter(|found| is_good(found, now)))
    }

    /// The clients of this id that were registered at `endpoint`, unless their secrets end at `now`: what the user knows by this
    /// name, and what is known by it at the issuer.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn clients(
        &self,
        (endpoint, client_id): (&str, &str),
        (user, issuer): (&UserId, &str),
        now: Timestamp,
    ) -> Result<Vec<Registration>, StoreFault> {
        let mut found = Vec::new();
        for whose in [of_user(user), of_issuer(issuer)] {
            let key = self.key_of_client((endpoint, client_id), &whose);
            let Some((request, _)) = self.read::<Digest>(&key).await? else {
                continue;
            };
            let registration = self.registration(&request, now).await?;
            let is_it = |one: &Registration| one.endpoint == endpoint && one.client_id == client_id;
            found.extend(registration.filter(is_it));
        }
        Ok(found)
    }

    /// Forgets a registration that its server no longer knows. What leads to it leads nowhere then.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn forget_registration(&self, request: &Digest, now: Timestamp) -> Result<(), StoreFault> {
        let key = self.registration_key(request);
        if let Some((_, raw)) = self.read::<Registration>(&key).await? {
            self.engine.swap(&key, Some(raw), None, now).await?;
        }
        Ok(())
    }

    /// The registration that `request` made, if it is one of the same name as `registration`.
    async fn named(
        &self,
        request: &Digest,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Option<Registration>, StoreFault> {
        let found = self.registration(request, now).await?;
        Ok(found.filter(|found| found.client_id == registration.client_id))
    }

    fn registration_key(&self, request: &Digest) -> String {
        self.key("registration", &[&request.to_string()])
    }

    fn client_key(&self, registration: &Registration, whose: &str) -> String {
        self.key_of_client((&registration.endpoint, &registration.client_id), whose)
    }

    fn key_of_client(&self, (endpoint, client_id): (&str, &str), whose: &str) -> String {
        let digest = Digest::of(format!("{endpoint}\n{client_id}\n{whose}").as_bytes());
        self.key("client", &[&digest.to_string()])
    }
}

fn of_user(user: &UserId) -> String {
    format!("user {}", user.as_str())
}

fn of_issuer(issuer: &str) -> String {
    format!("issuer {issuer}")
}

fn is_good(registration: &Registration, now: Timestamp) -> bool {
    !registration
        .secret_expires_at
        .is_some_and(|end| end.has_passed(now))
}
