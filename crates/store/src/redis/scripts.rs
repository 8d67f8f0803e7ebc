//! The two scripts. Neither reads JSON: what records mean is decided in one place, and not in Lua.

use std::sync::LazyLock;

use mcp_gateway_model::clock::Timestamp;
use redis::{Script, ScriptInvocation};

use super::lifetime;
use crate::{
    engine::{Held, SLACK, Swap, Then},
    limits::{Bucket, micros},
    value::SCHEMA,
};

/// If every key holds what was read from it, everything is written, else nothing. Five arguments for each key: `is` or
/// `any`; what it must hold, empty for nothing; `keep`, `put` or `remove`; the value; its lifetime in milliseconds, 0 for
/// ever.
static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        for i, key in ipairs(KEYS) do
            local at = 5 * (i - 1)
            if ARGV[at + 1] == 'is' and (redis.call('GET', key) or '') ~= ARGV[at + 2] then
                return 0
            end
        end
        for i, key in ipairs(KEYS) do
            local at = 5 * (i - 1)
            if ARGV[at + 3] == 'remove' then
                redis.call('DEL', key)
            elseif ARGV[at + 3] == 'put' and ARGV[at + 5] == '0' then
                redis.call('SET', key, ARGV[at + 4])
            elseif ARGV[at + 3] == 'put' then
                redis.call('SET', key, ARGV[at + 4], 'PX', ARGV[at + 5])
            end
        end
        return 1",
    )
});

/// One permit of a bucket, as `Bucket::take` does it. Arguments in microseconds: now, the interval, the tolerance; then the
/// slack of the lifetime in milliseconds and the schema. Answers how long to wait.
static TAKE_PERMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r#"
        local now, interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local held = string.match(redis.call('GET', KEYS[1]) or '', '"record":(%d+)}$')
        local full_at = math.min(math.max(tonumber(held) or now, now), now + tolerance)
        local next_at = full_at + interval
        if next_at > now + tolerance then
            return next_at - now - tolerance
        end
        local life = math.ceil((next_at - now) / 1000) + tonumber(ARGV[4])
        local value = string.format('{"v":%s,"record":%.0f}', ARGV[5], next_at)
        redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', life))
        return 0"#,
    )
});

pub(super) fn swap(swaps: &[Swap], now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = SWAP.prepare_invoke();
    for Swap { key, held, then } in swaps {
        call.key(key);
        match held {
            Held::Anything => call.arg("any").arg(""),
            Held::Exactly(held) => call.arg("is").arg(held.as_deref().unwrap_or_default()),
        };
        match then {
            Then::Keep => call.arg("keep").arg("").arg(0),
            Then::Remove => call.arg("remove").arg("").arg(0),
            Then::Put(value) => {
                let life = value.ends.map_or(0, |ends| lifetime(ends, SLACK, now));
                call.arg("put").arg(value.bytes.as_slice()).arg(life)
            }
        };
    }
    call
}

pub(super) fn take_permit(key: &str, bucket: Bucket, now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = TAKE_PERMIT.prepare_invoke();
    call.key(key)
        .arg(micros(now))
        .arg(bucket.interval)
        .arg(bucket.tolerance)
        .arg(SLACK.as_secs() * 1000)
        .arg(SCHEMA);
    call
}
