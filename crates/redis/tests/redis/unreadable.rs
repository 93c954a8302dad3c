//! A token that something else overwrote.

use std::collections::HashSet;
use std::num::NonZeroU32;

use tokenkeep_core::{ErrorKind, PageRequest, Replacement, TokenDriver};
use tokenkeep_redis::RedisDriver;
use tokenkeep_testkit::Server;

use crate::keys::key_at;
use crate::support::{manual_clock, of_user, open, options, record, shared_server};

/// Puts something else in a token's place: a text, a list, or nothing.
const OVERWRITE: &str = "
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
        if string.byte(key, -1) == tonumber(ARGV[2]) then
            redis.call('DEL', key)
            if ARGV[3] == 'text' then redis.call('SET', key, 'x', 'PX', 600000) end
            if ARGV[3] == 'list' then redis.call('RPUSH', key, 'x') end
        end
    end
    return 1";

fn overwrite(server: &Server, namespace: &str, number: u64, by: &str) {
    let (pattern, number) = (format!("{namespace}:*:token:*"), number.to_string());
    let command = ["EVAL", OVERWRITE, "0", &pattern, &number, by];
    server.command(&command).unwrap();
}

async fn pages_of_one(driver: &RedisDriver, count: usize) -> usize {
    let mut request = PageRequest::new(1).unwrap();
    let mut seen = HashSet::new();
    for _ in 0..count {
        let page = driver.list_revoked(&request).await.unwrap();
        seen.extend(page.items.into_iter().map(|token| token.id));
        request = request.after(page.cursor);
    }
    seen.len()
}

#[tokio::test]
async fn bulk_revocation_passes_an_unreadable_token_and_names_it() {
    let Some(server) = shared_server() else {
        return;
    };
    for by in ["text", "list"] {
        let namespace = format!("overwritten-{by}");
        let driver = open(&options(server, &namespace), manual_clock()).await;
        for number in 0..10 {
            driver.create(record(number, "ada")).await.unwrap();
        }
        overwrite(server, &namespace, 5, by);
        let lost = record(5, "ada").id;
        let error = driver.list(&of_user("ada"), &PageRequest::default()).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(&lost.to_string()), "{error}");

        for _ in 0..2 {
            let error = driver.delete_tokens(&of_user("ada")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.message().contains(&lost.to_string()), "{error}");
        }
        for number in (0..10).filter(|number| *number != 5) {
            let found = driver.get(&record(number, "ada").id).await.unwrap_err();
            assert_eq!(found.kind(), ErrorKind::NotFound, "{number}");
        }
        // What comes later gets a place of its own.
        driver.create(record(30, "eve")).await.unwrap();
        driver.delete(&record(30, "eve").id).await.unwrap();
        assert_eq!(pages_of_one(&driver, 10).await, 10);

        overwrite(server, &namespace, 5, "nothing");
        let revoked = driver.delete_tokens(&of_user("ada")).await.unwrap();
        assert!(revoked.is_empty());
    }
}

#[tokio::test]
async fn the_feed_names_an_unreadable_token_and_keeps_its_place() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "torn-feed"), manual_clock()).await;
    for number in 0..3 {
        driver.create(record(number, "ada")).await.unwrap();
        driver.delete(&record(number, "ada").id).await.unwrap();
    }
    let first = driver.list_revoked(&PageRequest::new(1).unwrap()).await;
    let rest = PageRequest::default().after(first.unwrap().cursor);
    overwrite(server, "torn-feed", 1, "list");
    let error = driver.list_revoked(&rest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let lost = record(1, "ada").id.to_string();
    assert!(error.message().contains(&lost), "{error}");
    overwrite(server, "torn-feed", 1, "nothing");
    let page = driver.list_revoked(&rest).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].id, record(2, "ada").id);
    let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
    assert_eq!((flushed.removed, flushed.more), (0, false));
}

#[tokio::test]
async fn of_many_revocations_only_that_of_an_unreadable_token_fails() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "torn"), manual_clock()).await;
    for number in 0..100 {
        driver.create(record(number, "ada")).await.unwrap();
    }
    overwrite(server, "torn", 50, "list");
    let revocations = (0..100).map(|number| {
        let driver = &driver;
        async move { driver.delete(&record(number, "ada").id).await }
    });
    let answers = futures::future::join_all(revocations).await;
    for (number, answer) in answers.into_iter().enumerate() {
        match number {
            50 => assert_eq!(answer.unwrap_err().kind(), ErrorKind::Corrupt),
            _ => answer.unwrap(),
        }
    }
}

#[tokio::test]
async fn each_call_about_an_unreadable_token_names_it() {
    let Some(server) = shared_server() else {
        return;
    };
    let driver = open(&options(server, "named"), manual_clock()).await;
    let (lost, other) = (record(5, "ada"), record(6, "ada"));
    for by in ["text", "list"] {
        driver.create(lost.clone()).await.unwrap();
        overwrite(server, "named", 5, by);
        let change = Replacement {
            id: lost.id,
            expires_at: lost.expires_at,
            data: "".into(),
        };
        let errors = [
            driver.get(&lost.id).await.unwrap_err(),
            driver.delete(&lost.id).await.unwrap_err(),
            driver.replace(change, 1).await.unwrap_err(),
            driver.rotate(&lost.id, other.clone()).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.message().contains(&lost.id.to_string()), "{error}");
        }
        let error = driver.create(lost.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        overwrite(server, "named", 5, "nothing");
    }
}

#[tokio::test]
async fn no_flush_stops_at_an_unreadable_token() {
    let Some(server) = shared_server() else {
        return;
    };
    for by in ["text", "list"] {
        let (namespace, clock) = (format!("unflushed-{by}"), manual_clock());
        let driver = open(&options(server, &namespace), clock.clone()).await;
        for number in 0..10 {
            driver.create(record(number, "ada")).await.unwrap();
        }
        overwrite(server, &namespace, 5, by);
        clock.set(record(5, "ada").expires_at);
        let flushed = driver.flush_expired(NonZeroU32::MAX).await.unwrap();
        assert_eq!((flushed.removed, flushed.more), (9, false));
        let nodes = std::slice::from_ref(server);
        assert!(key_at(nodes, &namespace, ":expiry").is_none());
        assert!(key_at(nodes, &namespace, ":user:ada").is_none());
    }
}
