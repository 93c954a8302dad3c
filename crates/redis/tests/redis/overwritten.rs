//! Keys of a store that something else took away or wrote over.

use std::time::Duration;

use futures::future::join_all;
use tokenkeep_core::{ErrorKind, PageRequest, TokenDriver, TokenFilter, TokenId, TokenRecord};
use tokenkeep_redis::RedisDriver;
use tokenkeep_testkit::Server;

use crate::support::{manual_clock, of_user, open, options, record, shared_server};

fn in_tenant(number: u64, user: &str) -> TokenRecord {
    record(number, user).with_tenant("engines").unwrap()
}

fn overwrite(server: &Server, key: &str) {
    server.command(&["DEL", key]).unwrap();
    server.command(&["SET", key, "x"]).unwrap();
}

/// Reads on from a cursor, and leaves it behind what was read.
async fn follow(driver: &RedisDriver, request: &mut PageRequest) -> Vec<TokenId> {
    let page = driver.list_revoked(request).await.unwrap();
    assert!(!page.more);
    *request = request.clone().after(page.cursor);
    page.items.into_iter().map(|token| token.id).collect()
}

/// Clients' clocks differ, so none of them makes up for a counter that is gone.
#[tokio::test]
async fn a_follower_misses_nothing_where_the_counter_is_taken_away() {
    let Some(server) = shared_server() else {
        return;
    };
    let (ahead, behind) = (manual_clock(), manual_clock());
    ahead.advance(Duration::from_millis(200));
    let options = options(server, "no-counter");
    let first = open(&options, ahead).await;
    let second = open(&options, behind).await;
    for number in 0..8 {
        first.create(record(number, "ada")).await.unwrap();
    }
    let bulk = record(8, "eve");
    first.create(bulk.clone()).await.unwrap();
    let id = |number: u64| record(number, "ada").id;
    let mut request = PageRequest::default();
    for call in 0..3 {
        first.delete(&id(call)).await.unwrap();
        assert_eq!(follow(&first, &mut request).await, [id(call)]);
        server.command(&["DEL", "no-counter:{0}:place"]).unwrap();
        let revoked = match call {
            0 => second.delete(&id(5)).await.map(|()| id(5)).unwrap(),
            1 => second.delete_tokens(&of_user("eve")).await.unwrap()[0],
            _ => {
                let successor = record(9, "ada");
                second
                    .rotate(&id(6), successor)
                    .await
                    .map(|_| id(6))
                    .unwrap()
            }
        };
        assert_eq!(follow(&first, &mut request).await, [revoked], "call {call}");
    }
}

#[tokio::test]
async fn an_index_that_was_overwritten_fails_no_revocation() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "no-index"), manual_clock()).await;
    for number in 0..20 {
        let user = format!("user-{number}");
        driver.create(in_tenant(number, &user)).await.unwrap();
    }
    for number in [5, 15] {
        overwrite(server, &format!("no-index:{{0}}:user:user-{number}"));
    }
    let revocations = (0..10).map(|number| {
        let (driver, id) = (&driver, record(number, "ada").id);
        async move { driver.delete(&id).await }
    });
    for revoked in join_all(revocations).await {
        revoked.unwrap();
    }
    let mut request = PageRequest::default();
    assert_eq!(follow(&driver, &mut request).await.len(), 10);
    let tenant = TokenFilter::new().with_tenant("engines").unwrap();
    assert_eq!(driver.delete_tokens(&tenant).await.unwrap().len(), 10);
    assert_eq!(follow(&driver, &mut request).await.len(), 10);
}

#[tokio::test]
async fn a_token_whose_index_was_overwritten_is_not_stored() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "no-entry"), manual_clock()).await;
    overwrite(server, "no-entry:{0}:tenant:engines");
    // Each sixteenth is stored by another script.
    for number in 0..32 {
        let token = in_tenant(number, "ada");
        let error = driver.create(token.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let error = driver.get(&token.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{number}");
    }
    driver.create(record(40, "ada")).await.unwrap();
}

#[tokio::test]
async fn where_the_feed_was_overwritten_nothing_is_revoked() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "no-feed"), manual_clock()).await;
    let (old, new) = (record(1, "ada"), record(2, "ada"));
    driver.create(old.clone()).await.unwrap();
    overwrite(server, "no-feed:{0}:revoked");
    let ends = [
        driver.delete(&old.id).await.unwrap_err(),
        driver.rotate(&old.id, new.clone()).await.unwrap_err(),
        driver.delete_tokens(&of_user("ada")).await.unwrap_err(),
    ];
    for error in ends {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    driver.get(&old.id).await.unwrap();
    let error = driver.get(&new.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
