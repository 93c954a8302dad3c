//! What every call of the driver needs.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokenkeep_backend::{Call, Cause, ENDLESS, Effect, Failure, Outcome};
use tokenkeep_core::{Clock, Error, ErrorKind, Timestamp, TokenId};

use super::gathered::Gathers;
use crate::keys::Keys;
use crate::network::{Network, Slot};
use crate::record::{instant, unreadable};
use crate::script::Script;

/// How long a token is kept beyond its expiry, so that the server's clock, which may go ahead of ours,
/// takes none before.
pub(super) const GRACE: Duration = Duration::from_secs(600);

/// The same in milliseconds, and one for what they cut off, as a script takes it.
pub(super) const KEPT: &[u8] = b"600001";

/// The servers, the names of the store's keys, the clock and the bound of each call.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) network: Network,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeout: Duration,
    pub(super) gathers: Gathers,
}

impl Core {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The bound of a call that begins now.
    pub(super) fn call(&self) -> Call {
        Call::within(self.timeout)
    }

    /// The bound of what is done for several calls that began by now: they have time left to be told why it failed.
    pub(super) fn call_of_many(&self) -> Call {
        Call::within(self.timeout.min(ENDLESS) / 16 * 15)
    }

    /// Whether the store has more than one shard.
    pub(super) fn is_sharded(&self) -> bool {
        self.keys.len() > 1
    }

    /// Runs a script on a shard; `arguments` are those after the two that all of them have.
    pub(super) async fn run(
        &self,
        call: &Call,
        effect: Effect,
        script: &Script,
        shard: usize,
        now: Timestamp,
        arguments: &[&[u8]],
    ) -> Outcome<Value> {
        let shard = self.keys.shard(shard);
        let next = (now.as_micros() + 1).to_be_bytes();
        let mut all: Vec<&[u8]> = Vec::with_capacity(arguments.len() + 2);
        all.extend([shard.prefix.as_bytes(), next.as_slice()]);
        all.extend(arguments);
        let slot = Slot(shard.slot);
        self.network
            .script(call, effect, slot, script, shard.none.as_bytes(), &all)
            .await
    }

    /// As [`run`](Self::run), for scripts that revoke: their places begin at `least`.
    pub(super) async fn revoke(
        &self,
        call: &Call,
        script: &Script,
        shard: usize,
        now: Timestamp,
        least: u64,
        arguments: &[&[u8]],
    ) -> Outcome<Value> {
        let (at, least) = (instant(now), least.to_string());
        let mut all: Vec<&[u8]> = Vec::with_capacity(arguments.len() + 2);
        all.extend([at.as_slice(), least.as_bytes()]);
        all.extend(arguments);
        let effect = Effect::Writes;
        self.run(call, effect, script, shard, now, &all).await
    }
}

/// How many milliseconds the server keeps a token, as a script takes it; at least one.
pub(super) fn lifetime(expires_at: Timestamp, now: Timestamp) -> String {
    millis(expires_at, now).to_string()
}

/// How many milliseconds the server keeps an index on account of such a token: with room, so that it need
/// not be told each time.
pub(super) fn lifetime_of_index(expires_at: Timestamp, now: Timestamp) -> String {
    let least = millis(expires_at, now);
    least.saturating_add(least / 8 + 60_000).to_string()
}

fn millis(expires_at: Timestamp, now: Timestamp) -> i64 {
    let left = (expires_at.as_micros() - now.as_micros()).div_euclid(1_000);
    let grace = i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX);
    left.saturating_add(grace + 1).max(1)
}

/// A failure before anything was written: a lost answer leaves no doubt then.
pub(super) fn untouched(failure: Failure) -> Failure {
    match failure.cause {
        Cause::Lost => Failure::refused(ErrorKind::Unavailable, failure.message),
        _ => failure,
    }
}

/// A failure after something was written.
pub(super) fn touched(failure: Failure) -> Failure {
    Failure::lost(failure.message)
}

/// A failure of what looks at this token alone: where that cannot be read, it says which.
pub(super) fn about(id: &TokenId) -> impl Fn(Failure) -> Failure {
    |failure| match failure.cause {
        Cause::Refused(ErrorKind::Corrupt) => {
            Failure::refused(ErrorKind::Corrupt, unreadable(*id).message())
        }
        _ => failure,
    }
}

/// The failure of a revocation that cannot be noted, and so was not made.
pub(super) fn no_feed() -> Failure {
    let problem = "something else was written over the feed of revocations";
    Failure::refused(ErrorKind::Corrupt, problem)
}

/// The error of a call that reads.
pub(super) fn reading(failure: Failure) -> Error {
    failure.into_error(Effect::Reads)
}

/// The error of a call that writes.
pub(super) fn writing(failure: Failure) -> Error {
    failure.into_error(Effect::Writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_a_little_beyond_its_expiry() {
        let at = |micros| Timestamp::from_micros("t", micros).unwrap();
        assert_eq!(lifetime(at(5_000), at(2_000)), "600004");
        assert_eq!(lifetime(at(2_001), at(2_000)), "600001");
        assert_eq!(lifetime(at(0), at(0)).as_bytes(), KEPT);
        assert_eq!(lifetime(at(0), at(100_000_000)), "500001");
        assert_eq!(lifetime(at(0), Timestamp::MAX), "1");
    }
}
