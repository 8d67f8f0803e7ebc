//! The table `[limits]`: how often what may happen.

use std::time::Duration;

use config::{Map, Value};
use mcp_gateway_auth_server::settings::Limits;
use mcp_gateway_store::Rate;

use super::reader::Reader;

/// The keys of the table.
pub(crate) const KEYS: &[&str] = &[
    "register",
    "manage",
    "authorize",
    "callback",
    "token",
    "client",
    "client_failures",
    "fetch",
    "introspect",
    "revoke",
    "userinfo",
    "device",
    "user_code",
];

pub(super) fn read(r: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    for (key, value) in &r.sources.limits {
        let setting = format!("limits.{key}");
        let Some(field) = field(&mut limits, key) else {
            r.faults
                .add(setting, format!("is not a limit: there are {}", KEYS.join(", ")));
            continue;
        };
        match rate(value) {
            Ok(rate) => *field = rate,
            Err(problem) => r.faults.add(setting, problem),
        }
    }
    limits
}

fn field<'a>(limits: &'a mut Limits, key: &str) -> Option<&'a mut Rate> {
    Some(match key {
        "register" => &mut limits.register,
        "manage" => &mut limits.manage,
        "authorize" => &mut limits.authorize,
        "callback" => &mut limits.callback,
        "token" => &mut limits.token,
        "client" => &mut limits.client,
        "client_failures" => &mut limits.client_failures,
        "fetch" => &mut limits.fetch,
        "introspect" => &mut limits.introspect,
        "revoke" => &mut limits.revoke,
        "userinfo" => &mut limits.userinfo,
        "device" => &mut limits.device,
        "user_code" => &mut limits.user_code,
        _ => return None,
    })
}

fn rate(value: &Value) -> Result<Rate, String> {
    let shape = "must be { count = 20, seconds = 3600, burst = 5 }";
    let table: Map<String, Value> = value.clone().into_table().map_err(|_| shape.to_owned())?;
    if let Some(unknown) = table
        .keys()
        .find(|key| !["count", "seconds", "burst"].contains(&key.as_str()))
    {
        return Err(format!("has an unknown key {unknown}: it {shape}"));
    }
    let number = |key: &str| {
        table
            .get(key)
            .and_then(|value| value.clone().into_uint().ok())
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("{shape}; {key} is a whole number above 0"))
    };
    Ok(Rate {
        count: number("count")?,
        period: Duration::from_secs(u64::from(number("seconds")?)),
        burst: number("burst")?,
    })
}
