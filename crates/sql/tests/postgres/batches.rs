//! What becomes of a batch of which one record cannot be stored.

use std::sync::Arc;

use futures::future::join_all;
use tokenkeep_core::{ErrorKind, TokenDriver};
use tokenkeep_sql::SqlDriver;
use tokenkeep_testkit::{Server, Settings};

use crate::support::{id, manual_clock, open, options, own_server, record};

/// A store that cannot hold the tokens of one user.
async fn picky(server: &Server) -> SqlDriver {
    let driver = open(&options(server, "batches"), manual_clock()).await;
    server
        .sql(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF NEW.user_id = 'bob' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON batches.tokens \
             FOR EACH ROW EXECUTE FUNCTION public.refuse()",
        )
        .unwrap();
    driver
}

#[tokio::test]
async fn one_record_of_many_is_refused_alone() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let driver = picky(&server).await;
    driver.create(record(4, "ada")).await.unwrap();
    let users = ["ada", "bob", "ada", "ada", "bob"];
    let records = users
        .iter()
        .zip(1..)
        .map(|(user, number)| record(number, user));
    let answers = driver.create_many(records.collect()).await.unwrap();
    let kinds: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.err().map(|error| error.kind()))
        .collect();
    let (refused, taken) = (Some(ErrorKind::Internal), Some(ErrorKind::AlreadyExists));
    assert_eq!(kinds, [None, refused, None, taken, refused]);
    for number in [1, 3] {
        driver.get(&id(number)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_of_many_is_refused_alone() {
    let Some(server) = own_server(&Settings::new().relaxed()) else {
        return;
    };
    let driver = Arc::new(picky(&server).await);
    let calls = (0..64).map(|number| {
        let driver = Arc::clone(&driver);
        let user = if number % 16 == 5 { "bob" } else { "ada" };
        tokio::spawn(async move { driver.create(record(number, user)).await })
    });
    for (outcome, number) in join_all(calls).await.into_iter().zip(0..64) {
        let kind = outcome.unwrap().err().map(|error| error.kind());
        let expected = (number % 16 == 5).then_some(ErrorKind::Internal);
        assert_eq!(kind, expected, "{number}");
    }
}
