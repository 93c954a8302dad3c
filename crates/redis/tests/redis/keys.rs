//! A look at the keys of a namespace, on every master.

use tokenkeep_testkit::Server;

/// Gives of each key its remaining time in milliseconds, its size and its name, without odd characters.
const LOOK: &str = "
    local out = {}
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
        local kind = redis.call('TYPE', key).ok
        local size = kind == 'zset' and redis.call('ZCARD', key) or 1
        local name = string.gsub(key, '[^%w:{}_.-]', '?')
        out[#out + 1] = redis.call('PTTL', key) .. ' ' .. size .. ' ' .. name
    end
    return out";

/// Does something to every key of a kind.
const TO_EACH: &str = "
    local keys = redis.call('KEYS', ARGV[1])
    for _, key in ipairs(keys) do
        if ARGV[2] == 'UNLINK' then redis.call('UNLINK', key) else redis.call('PEXPIRE', key, 1) end
    end
    return #keys";

#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// None if it lives for ever.
    pub(crate) ttl: Option<u64>,
    /// How many members a sorted set has.
    pub(crate) size: u64,
    pub(crate) name: String,
}

pub(crate) fn masters(nodes: &[Server]) -> Vec<&Server> {
    let is_master = |node: &&Server| node.command(&["ROLE"]).unwrap().starts_with("master");
    nodes.iter().filter(is_master).collect()
}

/// Every key of a namespace.
pub(crate) fn keys(nodes: &[Server], namespace: &str) -> Vec<Key> {
    let pattern = format!("{namespace}:*");
    let mut keys = Vec::new();
    for master in masters(nodes) {
        let lines = master.command(&["EVAL", LOOK, "0", &pattern]).unwrap();
        keys.extend(lines.lines().map(key));
    }
    keys
}

fn key(line: &str) -> Key {
    let mut parts = line.splitn(3, ' ');
    let ttl: i64 = parts.next().unwrap().parse().unwrap();
    Key {
        ttl: u64::try_from(ttl).ok(),
        size: parts.next().unwrap().parse().unwrap(),
        name: parts.next().unwrap().to_owned(),
    }
}

/// The one key whose name ends so, if there is one.
pub(crate) fn key_at(nodes: &[Server], namespace: &str, end: &str) -> Option<Key> {
    let keys = keys(nodes, namespace).into_iter();
    let mut keys: Vec<_> = keys.filter(|key| key.name.ends_with(end)).collect();
    assert!(keys.len() <= 1, "{keys:?}");
    keys.pop()
}

/// As if the server had evicted the records; tells how many.
pub(crate) fn evict_records(nodes: &[Server], namespace: &str) -> u64 {
    to_each_record(nodes, namespace, "UNLINK")
}

/// As if the time had come at which the server reclaims the records.
pub(crate) fn let_records_expire(nodes: &[Server], namespace: &str) -> u64 {
    to_each_record(nodes, namespace, "PEXPIRE")
}

fn to_each_record(nodes: &[Server], namespace: &str, act: &str) -> u64 {
    let pattern = format!("{namespace}:*:token:*");
    let done = masters(nodes).into_iter().map(|master| {
        let answer = master.command(&["EVAL", TO_EACH, "0", &pattern, act]);
        answer.unwrap().parse::<u64>().unwrap()
    });
    done.sum()
}

/// Whether a key may live for ever.
pub(crate) fn is_constant(key: &Key) -> bool {
    key.name.ends_with(":meta") || key.name.ends_with(":place")
}
