//! What callers are told where the database does not answer.

use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::join_all;
use tokenkeep_backend::Cause;
use tokenkeep_core::ErrorKind;

use super::bench::{BREAKS, BREAKS_ALONE, Bench, CORRUPT, cause, until};

const UNAVAILABLE: Cause = Cause::Refused(ErrorKind::Unavailable);

#[tokio::test]
async fn what_waited_behind_an_outage_is_not_begun_when_its_time_is_nearly_up() {
    let bench = Bench::bounded(1, 10, Duration::from_secs(8));
    let (first, others) = bench.behind_one(&[1, 2, 3]).await;
    assert_eq!(cause(first.await.unwrap()), Cause::Lost);
    for call in others {
        assert_eq!(cause(call.await.unwrap()), UNAVAILABLE);
    }
    until(|| bench.in_flight() == 0).await;
    assert_eq!(bench.log(), [[100]]);
}

#[tokio::test]
async fn a_batch_ends_before_the_first_of_its_callers_gives_up() {
    let bench = Bench::bounded(1, 10, Duration::from_secs(8));
    let (_first, mut others) = bench.behind_one(&[1]).await;
    let later = Instant::now() + Duration::from_millis(100);
    until(|| Instant::now() >= later).await;
    others.push(bench.begin(2).await);
    bench.let_through(1);
    for call in others {
        assert_eq!(cause(call.await.unwrap()), Cause::Lost);
        assert_eq!(bench.running(), 0);
    }
    assert_eq!(bench.log(), [vec![100], vec![1, 2]]);
}

#[tokio::test]
async fn after_a_lost_answer_one_call_goes_ahead() {
    let bench = Bench::new(1, 10);
    let first = bench.begin(BREAKS).await;
    let mut others = Vec::new();
    for request in [1, 2, 3, 4] {
        others.push(bench.begin(request).await);
    }
    bench.let_through(10);
    assert_eq!(cause(first.await.unwrap()), Cause::Lost);
    for call in others {
        call.await.unwrap().unwrap();
    }
    assert_eq!(bench.log(), [vec![BREAKS], vec![1], vec![2, 3, 4]]);
}

#[tokio::test]
async fn a_fault_of_everybodys_ends_the_search_for_whose_it_is() {
    let bench = Bench::new(1, 10);
    let (first, others) = bench.behind_one(&[1, CORRUPT, BREAKS_ALONE, 2, 3]).await;
    bench.let_through(10);
    first.await.unwrap().unwrap();
    let outcomes: Vec<_> = join_all(others).await.into_iter().flatten().collect();
    let causes: Vec<_> = outcomes
        .into_iter()
        .map(|o| o.err().map(|f| f.cause))
        .collect();
    let corrupt = Cause::Refused(ErrorKind::Corrupt);
    let expected = [
        None,
        Some(corrupt),
        Some(Cause::Lost),
        Some(UNAVAILABLE),
        Some(UNAVAILABLE),
    ];
    assert_eq!(causes, expected);
    let alone: Vec<_> = bench.log().split_off(2);
    assert_eq!(alone, [[1], [CORRUPT], [BREAKS_ALONE]]);
}

#[tokio::test]
async fn the_search_leaves_out_who_is_gone() {
    let bench = Bench::new(1, 10);
    let (first, mut others) = bench.behind_one(&[CORRUPT, 1, 2]).await;
    bench.let_through(1);
    first.await.unwrap().unwrap();
    until(|| bench.log().len() == 2).await;
    let gone = others.remove(1);
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    bench.let_through(10);
    join_all(others).await;
    assert_eq!(bench.log().split_off(2), [[CORRUPT], [2]]);
}

#[tokio::test]
async fn calls_that_nobody_polls_hold_a_lane_for_no_longer_than_a_call_takes() {
    let timeout = Duration::from_secs(3);
    let bench = Bench::bounded(2, 10, timeout);
    let mut stuck = Vec::new();
    for request in [1, 2] {
        let mut call = Box::pin(bench.gather.call(request));
        assert!((&mut call).now_or_never().is_none());
        stuck.push(call);
    }
    let began = Instant::now();
    let waits = bench.begin(3).await;
    assert_eq!(cause(waits.await.unwrap()), UNAVAILABLE);
    until(|| began.elapsed() > timeout).await;
    let (newcomer, second) = (bench.begin(4).await, bench.begin(5).await);
    let third = bench.begin(6).await;
    assert_eq!(
        (bench.log().len(), bench.in_flight(), bench.waiting()),
        (4, 2, 1)
    );
    // Their late end frees nobody else's lane.
    drop(stuck);
    assert_eq!((bench.in_flight(), bench.waiting()), (2, 1));
    bench.let_through(10);
    for call in [newcomer, second, third] {
        call.await.unwrap().unwrap();
    }
    until(|| bench.in_flight() == 0).await;
}
