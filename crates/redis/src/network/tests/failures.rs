//! A server that stands still, ends, or comes back.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokenkeep_backend::{Cause, Effect};
use tokenkeep_core::ErrorKind;

use super::support::{LONG, open, options, redis, refusal, unavailable};
use crate::network::topology::Topology;

const SHORT: Duration = Duration::from_millis(400);

/// Much longer than the bound of a call, and much shorter than the options' timeout.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_frozen_server_ends_calls_in_their_time_and_in_doubt() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    network.count("a", LONG).await.unwrap();
    server.freeze().unwrap();
    let began = Instant::now();
    let (write, read) = tokio::join!(network.count("a", SHORT), network.get("a", SHORT));
    assert!(began.elapsed() >= SHORT && began.elapsed() < SOON);
    let write = write.unwrap_err();
    assert_eq!(write.cause, Cause::Lost, "{}", write.message);
    let read = read.unwrap_err().into_error(Effect::Reads);
    assert_eq!(read.kind(), ErrorKind::Unavailable);
    // From now on there is no connection any more, and so no doubt.
    let later = network.count("a", SHORT).await.unwrap_err();
    assert!(unavailable(&later), "{later:?}");
    assert!(began.elapsed() < SOON);
    server.thaw();
    network.count("a", LONG).await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_is_unavailable_at_the_start() {
    let Some(server) = redis() else { return };
    server.freeze().unwrap();
    let mut options = options(&server);
    options.timeout = SHORT;
    let began = Instant::now();
    let error = refusal(&options).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(began.elapsed() < SOON);
    server.thaw();
}

#[tokio::test]
async fn many_calls_to_a_frozen_server_all_end_in_time() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    server.freeze().unwrap();
    let began = Instant::now();
    let calls = (0..5_000).map(|_| network.count("a", SHORT));
    let outcomes = join_all(calls).await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(outcomes.iter().all(Result::is_err));
    server.thaw();
    network.count("a", LONG).await.unwrap();
}

#[tokio::test]
async fn a_slow_answer_to_one_call_costs_the_others_nothing() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    server.freeze().unwrap();
    let short = async {
        let outcome = network.count("a", SHORT).await;
        server.thaw();
        outcome
    };
    let (short, long) = tokio::join!(short, network.count("a", LONG));
    assert_eq!(short.unwrap_err().cause, Cause::Lost);
    assert_eq!(long.unwrap(), 3);
}

#[tokio::test]
async fn a_server_that_ended_is_unavailable_at_once_until_it_is_back() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    assert_eq!(network.count("a", LONG).await.unwrap(), 1);
    server.kill().unwrap();
    let began = Instant::now();
    // The broken connection may not have shown yet when the first of them is sent.
    let first = network.count("a", LONG).await.unwrap_err();
    assert!(unavailable(&first) || first.cause == Cause::Lost);
    let second = network.count("a", LONG).await.unwrap_err();
    assert!(unavailable(&second), "{}", second.message);
    assert!(second.message.contains(&server.address()));
    assert!(
        network
            .get("a", LONG)
            .await
            .is_err_and(|read| unavailable(&read))
    );
    assert!(began.elapsed() < SOON);
    server.restart().unwrap();
    let third = network.count("a", LONG).await.unwrap();
    assert!(third == 2 || (third == 3 && first.cause == Cause::Lost));
}

#[tokio::test]
async fn a_restart_between_two_calls_shows_in_neither() {
    let Some(server) = redis() else { return };
    let network = open(&options(&server)).await;
    let Topology::Standalone(alone) = &network.servers else {
        panic!("one server");
    };
    for count in 1..4 {
        assert_eq!(network.count("a", LONG).await.unwrap(), count);
        let doubts = alone.node().doubt().reasons();
        server.restart().unwrap();
        let began = Instant::now();
        while alone.node().doubt().reasons() == doubts {
            assert!(began.elapsed() < LONG);
            tokio::task::yield_now().await;
        }
    }
}
