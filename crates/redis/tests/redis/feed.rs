//! The feed: of a Cluster, whose shards have one each, and one that begins with what is long gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenkeep_core::{PageRequest, TokenDriver, TokenId};
use tokenkeep_redis::{RedisDriver, RedisOptions};

use crate::keys::{key_at, masters};
use crate::support::{
    cluster_options, id, open, options, record, shared_cluster, shared_server, system_clock,
};

const WRITERS: u64 = 16;
const EACH: u64 = 40;

/// Reads on from a cursor until so many came in all.
async fn follow(driver: Arc<RedisDriver>, wanted: usize) -> Vec<TokenId> {
    let began = Instant::now();
    let mut seen = Vec::new();
    let mut request = PageRequest::new(7).unwrap();
    while seen.len() < wanted {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", seen.len());
        let page = driver.list_revoked(&request).await.unwrap();
        seen.extend(page.items.iter().map(|token| token.id));
        request = request.after(page.cursor);
        tokio::task::yield_now().await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_misses_nothing_and_keeps_the_order_of_each_writer() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let options = cluster_options(cluster, "feed");
    let driver = Arc::new(open(&options, system_clock()).await);
    let follower = tokio::spawn(follow(Arc::clone(&driver), (WRITERS * EACH) as usize));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let driver = Arc::clone(&driver);
        writers.push(tokio::spawn(async move {
            for number in writer * EACH..(writer + 1) * EACH {
                let token = record(number, "ada");
                driver.create(token.clone()).await.unwrap();
                driver.delete(&token.id).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let seen = follower.await.unwrap();
    let places: HashMap<_, _> = seen.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    assert_eq!(places.len(), seen.len(), "the feed repeats a revocation");
    for writer in 0..WRITERS {
        let numbers = writer * EACH..(writer + 1) * EACH;
        let places: Vec<_> = numbers.map(|number| places[&id(number)]).collect();
        assert!(places.is_sorted(), "writer {writer}: {places:?}");
    }
}

/// A failover may take the counter of places with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_counter_hides_nothing() {
    let Some(cluster) = shared_cluster() else {
        return;
    };
    let options = cluster_options(cluster, "counter");
    let driver = Arc::new(open(&options, system_clock()).await);
    let mut revoked = Vec::new();
    for number in 0..20 {
        let token = record(number, "ada");
        driver.create(token.clone()).await.unwrap();
        driver.delete(&token.id).await.unwrap();
        revoked.push(token.id);
    }
    assert!(key_at(cluster.nodes(), "counter", "counter:place").is_some());
    let lose = "redis.call('UNLINK', 'counter:place') return 1";
    for master in masters(cluster.nodes()) {
        // Only its owner has the key; the others refuse.
        let _ = master.command(&["EVAL", lose, "0"]);
    }
    assert!(key_at(cluster.nodes(), "counter", "counter:place").is_none());
    assert_eq!(follow(Arc::clone(&driver), 20).await, revoked);
    let next = record(20, "ada");
    driver.create(next.clone()).await.unwrap();
    driver.delete(&next.id).await.unwrap();
    revoked.push(next.id);
    assert_eq!(follow(driver, 21).await, revoked);
}

/// Puts entries in the feed whose tokens the server has reclaimed.
const RECLAIMED: &str = "
    for place = 1, tonumber(ARGV[2]) do
        redis.call('ZADD', ARGV[1], place, struct.pack('>I8', place) .. string.rep('x', 24))
    end
    return 1";

/// As many entries as are put there at once.
const LOST: &str = "400000";

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_past_any_number_of_reclaimed_entries() {
    let Some(server) = shared_server() else {
        return;
    };
    let options = RedisOptions {
        timeout: Duration::from_millis(300),
        ..options(server, "long-feed")
    };
    let driver = open(&options, system_clock()).await;
    driver.create(record(1, "ada")).await.unwrap();
    driver.delete(&record(1, "ada").id).await.unwrap();
    let reclaimed = ["EVAL", RECLAIMED, "0", "long-feed:{0}:revoked", LOST];
    server.command(&reclaimed).unwrap();

    let began = Instant::now();
    let (mut request, mut pages) = (PageRequest::new(10).unwrap(), 0);
    let page = loop {
        assert!(began.elapsed() < Duration::from_secs(60), "{pages} pages");
        // A busy machine may take its time for one step.
        let Ok(page) = driver.list_revoked(&request).await else {
            continue;
        };
        pages += 1;
        if !page.items.is_empty() {
            break page;
        }
        assert!(page.more, "an empty page ended the feed");
        request = request.after(page.cursor);
    };
    assert_eq!(page.items[0].id, record(1, "ada").id);
    assert!(!page.more);
}
