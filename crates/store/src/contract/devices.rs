//! Devices that ask ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)), and the codes that people type for them.

use std::time::Duration;

use async_trait::async_trait;
use mcp_gateway_model::{
    clock::Timestamp,
    id::{ClientId, GrantId},
    secret::Digest,
};

use super::{get_one, read};
use crate::{
    engine::{ATTEMPTS, Answer, Engine, Raw, Swap, Then, Value, contended},
    records::{DeviceRequest, DeviceStage},
    value::encode,
    verbs::{Decided, DeviceAsked, DeviceRedemption, Devices, Polled},
};

/// How long a request is remembered after its end: whoever polls a little later is told that it has ended.
const REMEMBERED: Duration = Duration::from_secs(600);

/// How much longer a device that polls too often has to wait each time (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);

#[async_trait]
impl<E: Engine> Devices for E {
    async fn ask_by_device(
        &self,
        user_code: &Digest,
        device: &DeviceRequest,
        now: Timestamp,
    ) -> Answer<DeviceAsked> {
        ask(self, user_code, device, now).await
    }

    async fn device_of_user_code(&self, user_code: &Digest, now: Timestamp) -> Answer<Option<DeviceRequest>> {
        of_user_code(self, user_code, now).await
    }

    async fn decide_device(
        &self,
        device: &Digest,
        grant: Option<&GrantId>,
        now: Timestamp,
    ) -> Answer<Decided> {
        decide(self, device, grant, now).await
    }

    async fn poll_device(&self, device: &Digest, client: &ClientId, now: Timestamp) -> Answer<Polled> {
        poll(self, device, client, now).await
    }

    async fn redeem_device(&self, device: &Digest, now: Timestamp) -> Answer<DeviceRedemption> {
        redeem(self, device, now).await
    }
}

/// A request as it was read.
struct Held {
    key: String,
    bytes: Option<Raw>,
    device: DeviceRequest,
}

impl Held {
    async fn read<E: Engine>(engine: &E, digest: &Digest, now: Timestamp) -> Answer<Option<Self>> {
        let (key, bytes) = get_one(engine, engine.keys().device(digest)).await?;
        let device = read::<DeviceRequest>(&key, bytes.as_ref())?;
        let device = device.filter(|device| !device.expires_at.plus(REMEMBERED).has_passed(now));
        Ok(device.map(|device| Self { key, bytes, device }))
    }

    /// Writes the request again, if nothing has changed since.
    async fn write<E: Engine>(self, engine: &E, now: Timestamp) -> Answer<bool> {
        let value = written(&self.key, &self.device)?;
        let swap = Swap::new(self.key, self.bytes, Then::Put(value));
        engine.swap(vec![swap], now).await
    }
}

fn written(key: &str, device: &DeviceRequest) -> Answer<Value> {
    Ok(Value {
        bytes: encode(key, device)?,
        ends: Some(device.expires_at.plus(REMEMBERED)),
    })
}

/// The request first, then the code that leads to it: a code never leads nowhere.
async fn ask<E: Engine>(
    engine: &E,
    user_code: &Digest,
    device: &DeviceRequest,
    now: Timestamp,
) -> Answer<DeviceAsked> {
    let device_key = engine.keys().device(&device.digest);
    let (code_key, held) = get_one(engine, engine.keys().user_code(user_code)).await?;
    if living_code(engine, &code_key, held.as_ref(), now)
        .await?
        .is_some()
    {
        return Ok(DeviceAsked::CodeTaken);
    }
    let value = written(&device_key, device)?;
    engine.put(device_key.clone(), value, now).await?;
    let code = Value {
        bytes: encode(&code_key, device.digest)?,
        ends: Some(device.expires_at),
    };
    let swap = Swap::new(code_key, held, Then::Put(code));
    if engine.swap(vec![swap], now).await? {
        return Ok(DeviceAsked::Kept);
    }
    engine.remove(vec![device_key]).await?;
    Ok(DeviceAsked::CodeTaken)
}

/// The request that a code in bytes found under `key` leads to, if it has not ended.
async fn living_code<E: Engine>(
    engine: &E,
    key: &str,
    found: Option<&Raw>,
    now: Timestamp,
) -> Answer<Option<DeviceRequest>> {
    let Some(digest) = read::<Digest>(key, found)? else {
        return Ok(None);
    };
    let held = Held::read(engine, &digest, now).await?;
    Ok(held
        .map(|held| held.device)
        .filter(|device| !device.expires_at.has_passed(now)))
}

async fn of_user_code<E: Engine>(
    engine: &E,
    user_code: &Digest,
    now: Timestamp,
) -> Answer<Option<DeviceRequest>> {
    let (key, found) = get_one(engine, engine.keys().user_code(user_code)).await?;
    let device = living_code(engine, &key, found.as_ref(), now).await?;
    Ok(device.filter(|device| device.stage == DeviceStage::Waiting))
}

async fn decide<E: Engine>(
    engine: &E,
    digest: &Digest,
    grant: Option<&GrantId>,
    now: Timestamp,
) -> Answer<Decided> {
    for _ in 0..ATTEMPTS {
        let held = Held::read(engine, digest, now).await?;
        let Some(mut held) = held.filter(|held| {
            held.device.stage == DeviceStage::Waiting && !held.device.expires_at.has_passed(now)
        }) else {
            return Ok(Decided::TooLate);
        };
        held.device.stage = grant.map_or(DeviceStage::Denied, |id| DeviceStage::Granted(id.clone()));
        if held.write(engine, now).await? {
            return Ok(Decided::Done);
        }
    }
    Err(contended(&engine.keys().device(digest)))
}

async fn poll<E: Engine>(engine: &E, digest: &Digest, client: &ClientId, now: Timestamp) -> Answer<Polled> {
    for _ in 0..ATTEMPTS {
        let held = Held::read(engine, digest, now).await?;
        let Some(mut held) = held.filter(|held| held.device.client == *client) else {
            return Ok(Polled::Unknown);
        };
        match &held.device.stage {
            DeviceStage::Granted(_) | DeviceStage::Redeemed(_) => {
                return Ok(Polled::Granted(Box::new(held.device)));
            }
            _ if held.device.expires_at.has_passed(now) => return Ok(Polled::Ended),
            DeviceStage::Denied => return Ok(Polled::Denied),
            DeviceStage::Waiting => {}
        }
        let device = &mut held.device;
        let is_early = device
            .polled_at
            .is_some_and(|before| !before.plus(device.interval).has_passed(now));
        if is_early {
            device.interval = device.interval.saturating_add(SLOWER);
        }
        let interval = device.interval;
        device.polled_at = Some(now);
        if held.write(engine, now).await? {
            return Ok(if is_early {
                Polled::TooSoon(interval)
            } else {
                Polled::Waiting
            });
        }
    }
    Err(contended(&engine.keys().device(digest)))
}

async fn redeem<E: Engine>(engine: &E, digest: &Digest, now: Timestamp) -> Answer<DeviceRedemption> {
    for _ in 0..ATTEMPTS {
        let Some(mut held) = Held::read(engine, digest, now).await? else {
            return Ok(DeviceRedemption::Unknown);
        };
        let id = match held.device.stage {
            DeviceStage::Granted(id) if !held.device.expires_at.has_passed(now) => id,
            DeviceStage::Redeemed(id) => return Ok(DeviceRedemption::Replayed(id)),
            _ => return Ok(DeviceRedemption::Unknown),
        };
        held.device.stage = DeviceStage::Redeemed(id.clone());
        if held.write(engine, now).await? {
            return Ok(DeviceRedemption::Granted(id));
        }
    }
    Err(contended(&engine.keys().device(digest)))
}
