//! A write of a group's own, so that its wait covers what the group has only read.
//!
//! A server waits for its connection's own last write and, from Redis 7.2 on, for no more. But that a token is
//! gone, or was used, rests on another's write, which nobody may have waited for yet.

use redis::{Arg, Cmd};

/// How the keys end by which scripts on a shard name their slot. They never exist, so there is nothing that
/// this script could take away; and it leaves nothing. Full servers run it, as they do those that revoke.
const END: &[u8] = b"}:none";
const SCRIPT: &str = "#!lua flags=allow-oom\n\
     redis.call('SET', KEYS[1], '') redis.call('DEL', KEYS[1])";

/// The write that belongs to this one's shard, if that is a script on a shard.
pub(super) fn beside(write: &Cmd) -> Option<Cmd> {
    // EVALSHA, hash, 1, key.
    let key = match write.args_iter().nth(3)? {
        Arg::Simple(key) if key.ends_with(END) => key,
        _ => return None,
    };
    let mut marker = redis::cmd("EVAL");
    marker.arg(SCRIPT).arg(1).arg(key);
    Some(marker)
}

#[cfg(test)]
mod tests {
    use super::super::job;
    use super::*;
    use crate::keys::Keys;
    use crate::script::{DELETE, META, PLACES};

    #[test]
    fn only_keys_that_never_exist_are_written() {
        let keys = Keys::new("ns", 64);
        let mark = |script, key: &str| {
            let command = job::by_hash(script, key.as_bytes(), &[b"}:none"]);
            let in_full = beside(&job::in_full(script, &command)).is_some();
            assert_eq!(beside(&command).is_some(), in_full);
            in_full
        };
        assert!(mark(&DELETE, &keys.shard(63).none));
        assert!(!mark(&META, &keys.meta.name));
        assert!(!mark(&PLACES, &keys.place.name));
    }
}
