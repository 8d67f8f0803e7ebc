//! The one script. It reads no JSON but the number of a bucket: what records mean is decided in one place, and not in Lua.

use std::{sync::LazyLock, time::Duration};

use mcp_gateway_model::clock::Timestamp;
use redis::{
    Cmd, ErrorKind, FromRedisValue, ParsingError, RedisResult, Script, ServerErrorKind, Value as Reply,
    aio::MultiplexedConnection, from_redis_value,
};

use super::lifetime;
use crate::{
    engine::{Done, Held, INDEX_SLACK, Raw, SLACK, Step, Swap, Then},
    limits::{Bucket, micros},
    value::SCHEMA,
};

/// How many bytes of keys and arguments there is room for at first.
const ROOM: usize = 2048;

/// Does steps in their order, until a permit is not to be had, a key is not vacant or a swap does not take place. Numbers are written
/// with `%.0f`: `%d` is as narrow as the machine of Redis. The arguments of each step:
///
/// - `get`, how many keys;
/// - `vacant`, how many keys. Answers whether nothing lies under any of them;
/// - `permit`; as `Bucket::take` wants them, in microseconds: now, the interval, the tolerance; the slack of the lifetime in milliseconds and the schema. Answers how long to wait;
/// - `index`, the member, until when it stays; now; the lifetime of the index, all in milliseconds. It is given a minute more, so that
///   one that grows all the time is prolonged, and rid of what has ended, once a minute. One that has a longer life already is not
///   prolonged for long: it is rid of what has ended whenever it grows;
/// - `swap`, how many keys; for each `is` or `any`; what it must hold, empty for nothing; `keep`, `put` or `remove`; the value; its
///   lifetime in milliseconds, 0 for ever. What is of another kind is no value and not nothing: `GET` says so, and `MGET` does not;
/// - `try`, as `swap`;
/// - `soonest`, now, how many there may be, how many more than too many are answered, and how many at most; one too many and every so
///   many more are answered, else none;
/// - `members`;
/// - `unindex`, the member.
static STEPS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r#"
        local k, a, done = 0, 0, {}
        local call, KEYS, ARGV = redis.call, KEYS, ARGV
        while a < #ARGV do
            local what, answer = ARGV[a + 1], 0
            if what == 'get' then
                local count = tonumber(ARGV[a + 2])
                answer = call('MGET', unpack(KEYS, k + 1, k + count))
                k, a = k + count, a + 2
            elseif what == 'vacant' then
                local count = tonumber(ARGV[a + 2])
                if call('EXISTS', unpack(KEYS, k + 1, k + count)) == 0 then answer = 1 end
                k, a = k + count, a + 2
            elseif what == 'permit' then
                local key = KEYS[k + 1]
                local now, interval = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
                local deepest = now + tonumber(ARGV[a + 4])
                local held = string.match(call('GET', key) or '', '"record":(%d+)}$')
                local next_at = math.min(math.max(tonumber(held) or now, now), deepest) + interval
                if next_at > deepest then
                    answer = next_at - deepest
                else
                    local life = math.ceil((next_at - now) / 1000) + tonumber(ARGV[a + 5])
                    local value = string.format('{"v":%s,"record":%.0f}', ARGV[a + 6], next_at)
                    call('SET', key, value, 'PX', string.format('%.0f', life))
                end
                k, a = k + 1, a + 6
            elseif what == 'index' then
                local key, life = KEYS[k + 1], tonumber(ARGV[a + 5])
                local grows = call('ZADD', key, 'GT', ARGV[a + 3], ARGV[a + 2]) == 1
                local left = call('PTTL', key)
                if left < life or (grows and left > life + 60000) then
                    call('ZREMRANGEBYSCORE', key, '-inf', '(' .. ARGV[a + 4])
                end
                if left < life then
                    call('PEXPIRE', key, string.format('%.0f', life + 60000))
                end
                k, a = k + 1, a + 5
            elseif what == 'swap' or what == 'try' then
                local count = tonumber(ARGV[a + 2])
                answer, a = 1, a + 2
                local held, absent = call('MGET', unpack(KEYS, k + 1, k + count)), {}
                for i = 1, count do
                    local at = a + 5 * (i - 1)
                    if ARGV[at + 1] == 'is' and (held[i] or '') ~= ARGV[at + 2] then
                        answer = 0
                    elseif ARGV[at + 1] == 'is' and not held[i] then
                        absent[#absent + 1] = KEYS[k + i]
                    end
                end
                if answer == 1 and #absent > 0 and call('EXISTS', unpack(absent)) > 0 then
                    for _, key in ipairs(absent) do call('GET', key) end
                end
                for i = 1, count * answer do
                    local key, at = KEYS[k + i], a + 5 * (i - 1)
                    if ARGV[at + 3] == 'remove' then
                        call('DEL', key)
                    elseif ARGV[at + 3] == 'put' and ARGV[at + 5] == '0' then
                        call('SET', key, ARGV[at + 4])
                    elseif ARGV[at + 3] == 'put' then
                        call('SET', key, ARGV[at + 4], 'PX', ARGV[at + 5])
                    end
                end
                k, a = k + count, a + 5 * count
            elseif what == 'soonest' then
                local key, now = KEYS[k + 1], ARGV[a + 2]
                local too_many = call('ZCOUNT', key, now, '+inf') - tonumber(ARGV[a + 3])
                answer = {}
                if too_many > 0 and (too_many - 1) % tonumber(ARGV[a + 6]) == 0 then
                    local count = math.min(too_many + tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]))
                    answer = call('ZRANGE', key, now, '+inf', 'BYSCORE', 'LIMIT', 0, count)
                end
                k, a = k + 1, a + 6
            elseif what == 'members' then
                answer = call('ZRANGE', KEYS[k + 1], 0, -1)
                k, a = k + 1, a + 1
            else
                call('ZREM', KEYS[k + 1], ARGV[a + 2])
                k, a = k + 1, a + 2
            end
            done[#done + 1] = answer
            if (what == 'permit' and answer > 0) or (answer == 0 and (what == 'swap' or what == 'vacant')) then
                break
            end
        end
        return done"#,
    )
});

/// The command that does these steps: first all keys, then what is to be done with them.
pub(super) fn steps(steps: &[Step], now: Timestamp) -> Cmd {
    let count: usize = steps.iter().map(keys).sum();
    let mut call = Cmd::with_capacity(3 + 7 * count, ROOM);
    call.arg("EVALSHA").arg(STEPS.get_hash()).arg(count);
    for step in steps {
        match step {
            Step::Get(keys) | Step::Gather(keys) | Step::Vacant(keys) => drop(call.arg(keys)),
            Step::Permit { key, .. }
            | Step::Index { key, .. }
            | Step::Unindex { key, .. }
            | Step::Members(key)
            | Step::Soonest { key, .. } => drop(call.arg(key)),
            Step::Swap(swaps) | Step::Try(swaps) => {
                for swap in swaps {
                    call.arg(&swap.key);
                }
            }
        }
    }
    for step in steps {
        arguments(&mut call, step, now);
    }
    call
}

/// Sends such a command, and the script before it to a Redis that does not know it.
pub(super) async fn invoke<T: FromRedisValue>(
    call: &Cmd,
    connection: &mut MultiplexedConnection,
) -> RedisResult<T> {
    match call.query_async(connection).await {
        Err(fault) if fault.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            STEPS.load_async(connection).await?;
            call.query_async(connection).await
        }
        answer => answer,
    }
}

/// How many keys a step is about.
const fn keys(step: &Step) -> usize {
    match step {
        Step::Get(keys) | Step::Gather(keys) | Step::Vacant(keys) => keys.len(),
        Step::Swap(swaps) | Step::Try(swaps) => swaps.len(),
        Step::Permit { .. }
        | Step::Index { .. }
        | Step::Unindex { .. }
        | Step::Members(_)
        | Step::Soonest { .. } => 1,
    }
}

fn arguments(call: &mut Cmd, step: &Step, now: Timestamp) {
    match step {
        Step::Get(keys) | Step::Gather(keys) => drop(call.arg("get").arg(keys.len())),
        Step::Vacant(keys) => drop(call.arg("vacant").arg(keys.len())),
        Step::Permit { bucket, .. } => permit(call, *bucket, now),
        Step::Index { member, ends, .. } => {
            call.arg("index")
                .arg(member)
                .arg(ends.plus(INDEX_SLACK).millis())
                .arg(now.millis())
                .arg(lifetime(*ends, INDEX_SLACK, now));
        }
        Step::Unindex { member, .. } => drop(call.arg("unindex").arg(member)),
        Step::Members(_) => drop(call.arg("members")),
        Step::Swap(swaps) => swap(call, "swap", swaps, now),
        Step::Try(swaps) => swap(call, "try", swaps, now),
        Step::Soonest { bound, .. } => {
            call.arg("soonest")
                .arg(now.millis())
                .arg(bound.most)
                .arg(bound.more)
                .arg(bound.at_once)
                .arg(bound.every);
        }
    }
}

fn permit(call: &mut Cmd, bucket: Bucket, now: Timestamp) {
    call.arg("permit")
        .arg(micros(now))
        .arg(bucket.interval)
        .arg(bucket.tolerance)
        .arg(SLACK.as_secs() * 1000)
        .arg(SCHEMA);
}

fn swap(call: &mut Cmd, what: &str, swaps: &[Swap], now: Timestamp) {
    call.arg(what).arg(swaps.len());
    for Swap { held, then, .. } in swaps {
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
}

/// Whether a swap took place, or an index was lengthened by itself: in a cluster it lies on another node than what it is for,
/// and nobody waits there for anything else. On one node the swap that follows is waited for, and the index with it.
pub(super) fn has_written(steps: &[Step], replies: &[Reply]) -> bool {
    if let [Step::Index { .. }] = steps {
        return true;
    }
    let mut both = steps.iter().zip(replies);
    both.any(|(step, reply)| matches!((step, reply), (Step::Swap(_) | Step::Try(_), Reply::Int(1))))
}

/// What came of the steps that were done.
pub(super) fn done(steps: &[Step], replies: Vec<Reply>) -> Result<Vec<Done>, ParsingError> {
    let both = steps.iter().zip(replies);
    both.map(|(step, reply)| {
        Ok(match step {
            Step::Get(_) | Step::Gather(_) => Done::Got(from_redis_value::<Vec<Option<Raw>>>(reply)?),
            Step::Vacant(_) => Done::Vacant(from_redis_value(reply)?),
            Step::Permit { .. } => {
                let wait = u64::from_redis_value(reply)?;
                Done::Permit((wait > 0).then(|| Duration::from_micros(wait)))
            }
            Step::Index { .. } | Step::Unindex { .. } => Done::Indexed,
            Step::Members(_) | Step::Soonest { .. } => Done::Members(from_redis_value(reply)?),
            Step::Swap(_) => Done::Swapped(from_redis_value(reply)?),
            Step::Try(_) => Done::Tried(from_redis_value(reply)?),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_by_itself_is_waited_for_and_one_beside_a_swap_with_the_swap() {
        let index = || Step::Index {
            key: "list".into(),
            member: "m".into(),
            ends: Timestamp::from_secs(1),
        };
        let swap = || Step::Swap(Vec::new());
        assert!(has_written(&[index()], &[Reply::Int(0)]));
        assert!(has_written(&[index(), swap()], &[Reply::Int(0), Reply::Int(1)]));
        assert!(!has_written(&[index(), swap()], &[Reply::Int(0), Reply::Int(0)]));
        assert!(!has_written(
            &[Step::Members("list".into())],
            &[Reply::Array(Vec::new())]
        ));
    }
}
