//! What stands in the indexes, and for how long.

use std::num::NonZeroU32;
use std::time::Duration;

use tokenkeep_core::{Clock, Replacement, TokenDriver, TokenDriverExt, TokenRecord};
use tokenkeep_testkit::Server;

use crate::keys::{Key, evict_records, key_at, keys};
use crate::support::{manual_clock, of_user, open, options, record, shared_server};

const HOUR: Duration = Duration::from_secs(3_600);

fn index_of(server: &Server, namespace: &str, end: &str) -> Option<(Duration, u64)> {
    let key = key_at(std::slice::from_ref(server), namespace, end)?;
    Some((Duration::from_millis(key.ttl.unwrap()), key.size))
}

#[tokio::test]
async fn an_index_lives_as_long_as_its_longest_member() {
    let Some(server) = shared_server() else {
        return;
    };
    let clock = manual_clock();
    let driver = open(&options(server, "longest"), clock.clone()).await;
    let token = |number, hours| TokenRecord {
        expires_at: clock.now().saturating_add(HOUR * hours),
        ..record(number, "ada")
    };
    for (number, hours, least) in [(1, 1, 1), (2, 10, 10), (3, 1, 10)] {
        driver.create(token(number, hours)).await.unwrap();
        for end in [":user:ada", ":expiry"] {
            let (ttl, size) = index_of(server, "longest", end).unwrap();
            assert!(ttl >= HOUR * least, "{end}: {ttl:?}");
            assert_eq!(size, number);
        }
    }
    let change = Replacement {
        id: token(1, 1).id,
        expires_at: token(1, 20).expires_at,
        data: "".into(),
    };
    driver.replace(change, 1).await.unwrap();
    for end in [":user:ada", ":expiry"] {
        let (ttl, size) = index_of(server, "longest", end).unwrap();
        assert!(ttl >= HOUR * 20, "{end}: {ttl:?}");
        assert_eq!(size, 3, "{end}");
    }
    driver.delete(&token(1, 20).id).await.unwrap();
    let (ttl, size) = index_of(server, "longest", ":revoked").unwrap();
    assert!(ttl >= HOUR * 20 && size == 1);
    assert_eq!(index_of(server, "longest", ":user:ada").unwrap().1, 2);
    assert_eq!(index_of(server, "longest", ":expiry").unwrap().1, 3);
}

/// Lets a key live so many milliseconds at most.
const SHORTEN: &str = "
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('PEXPIRE', key, ARGV[2], 'LT') end
    return 1";

/// By the order of expiry alone the entries are found of tokens that the server has reclaimed.
#[tokio::test]
async fn the_order_of_expiry_lives_as_long_as_any_index() {
    let Some(server) = shared_server() else {
        return;
    };
    let clock = manual_clock();
    let driver = open(&options(server, "order"), clock.clone()).await;
    let expect_longest = |step: &str| {
        let (longest, _) = index_of(server, "order", ":expiry").unwrap();
        let of_index = |key: &Key| key.name.contains(":user:") || key.name.ends_with(":revoked");
        for key in keys(std::slice::from_ref(server), "order")
            .iter()
            .filter(|key| of_index(key))
        {
            let ttl = Duration::from_millis(key.ttl.unwrap());
            assert!(ttl <= longest, "{step}: {key:?} outlives {longest:?}");
        }
        let shorten = ["EVAL", SHORTEN, "0", "order:*:expiry", "20000"];
        server.command(&shorten).unwrap();
    };
    let token = |number, user: &str| TokenRecord {
        expires_at: clock.now().saturating_add(HOUR),
        ..record(number, user)
    };
    // The server keeps it for a second, and its index for more.
    let short_lived = |number, user: &str| TokenRecord {
        expires_at: clock.now().saturating_sub(Duration::from_secs(599)),
        ..record(number, user)
    };
    for (number, user) in [(2, "grace"), (16, "edith")] {
        driver.create(short_lived(number, user)).await.unwrap();
        expect_longest(user);
    }
    driver.create(token(1, "ada")).await.unwrap();
    expect_longest("a token");
    let change = Replacement {
        id: token(1, "ada").id,
        expires_at: clock.now().saturating_add(2 * HOUR),
        data: "".into(),
    };
    driver.replace(change, 1).await.unwrap();
    expect_longest("a replacement");
    let heir = token(3, "ada");
    driver
        .rotate(&token(1, "ada").id, heir.clone())
        .await
        .unwrap();
    expect_longest("a rotation");
    driver.delete(&heir.id).await.unwrap();
    expect_longest("a revocation");
    driver.create(token(4, "ada")).await.unwrap();
    driver.delete_tokens(&of_user("ada")).await.unwrap();
    expect_longest("a bulk revocation");
}

#[tokio::test]
async fn an_index_goes_with_its_last_member() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "last"), manual_clock()).await;
    driver.create(record(1, "ada")).await.unwrap();
    driver.delete(&record(1, "ada").id).await.unwrap();
    assert_eq!(index_of(server, "last", ":user:ada"), None);
}

#[tokio::test]
async fn bulk_revocation_leaves_an_index_as_it_is_where_a_token_is_missing() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "evicted"), manual_clock()).await;
    driver.create(record(1, "ada")).await.unwrap();
    assert_eq!(evict_records(std::slice::from_ref(server), "evicted"), 1);
    assert!(driver.list_all(&of_user("ada")).await.unwrap().is_empty());
    assert!(index_of(server, "evicted", ":user:ada").is_some());
    let revoked = driver.delete_tokens(&of_user("ada")).await.unwrap();
    assert!(revoked.is_empty());
    // It may be on its way to another server, with its slot.
    assert!(index_of(server, "evicted", ":user:ada").is_some());
}

#[tokio::test]
async fn an_evicted_token_leaves_everything_at_its_expiry() {
    let Some(server) = shared_server() else {
        return;
    };
    let clock = manual_clock();
    let driver = open(&options(server, "evicted-late"), clock.clone()).await;
    for (number, user) in [(1, "ada"), (2, "grace")] {
        driver.create(record(number, user)).await.unwrap();
    }
    driver.delete(&record(2, "grace").id).await.unwrap();
    assert_eq!(
        evict_records(std::slice::from_ref(server), "evicted-late"),
        2
    );
    clock.set(record(1, "ada").expires_at);
    let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (0, false));
    for end in [":user:ada", ":revoked", ":expiry"] {
        assert_eq!(index_of(server, "evicted-late", end), None, "{end}");
    }
}

/// The old life's clean-up takes nothing from the new one, whose id is the same.
#[tokio::test]
async fn a_second_life_keeps_its_indexes() {
    let Some(server) = shared_server() else {
        return;
    };
    let nodes = std::slice::from_ref(server);
    let clock = manual_clock();
    let driver = open(&options(server, "second"), clock.clone()).await;
    let token = |user: &str| TokenRecord {
        expires_at: clock.now().saturating_add(HOUR),
        ..record(1, user).with_tenant("engines").unwrap()
    };
    for (first, revoked) in [("ada", false), ("grace", false), ("ada", true)] {
        driver.create(token(first)).await.unwrap();
        if revoked {
            driver.delete(&token(first).id).await.unwrap();
        }
        // As the server reclaims it, which leaves its entries.
        evict_records(nodes, "second");
        clock.advance(HOUR);
        let second = token("ada");
        driver.create(second.clone()).await.unwrap();
        driver.flush_expired(NonZeroU32::MAX).await.unwrap();
        let found = driver.list_all(&of_user("ada")).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&second));
        assert_eq!(index_of(server, "second", ":tenant:engines").unwrap().1, 1);
        assert_eq!(index_of(server, "second", ":user:grace"), None);
        assert!(driver.list_revoked_all().await.is_empty());
        let gone = driver.delete_tokens(&of_user("ada")).await.unwrap();
        assert_eq!(gone, [second.id]);
        assert_eq!(driver.list_revoked_all().await, [second.id]);
        clock.advance(HOUR);
        driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    }
}

trait Feed {
    async fn list_revoked_all(&self) -> Vec<tokenkeep_core::TokenId>;
}

impl<D: TokenDriver> Feed for D {
    async fn list_revoked_all(&self) -> Vec<tokenkeep_core::TokenId> {
        let page = self.list_revoked(&Default::default()).await.unwrap();
        page.items.into_iter().map(|token| token.id).collect()
    }
}
