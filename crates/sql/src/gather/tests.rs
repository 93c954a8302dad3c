//! Who is executed with whom, and who gets which answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use tokenkeep_backend::Cause;
use tokenkeep_core::ErrorKind;

use super::bench::{BREAKS, Bench, CORRUPT, PANICS, cause, until};

#[tokio::test]
async fn a_lone_call_needs_no_task() {
    let bench = Bench::new(1, 10);
    bench.let_through(2);
    for request in [7, 8] {
        let answer = bench.gather.call(request).now_or_never().unwrap();
        assert_eq!(answer.unwrap(), request * 2);
    }
    assert_eq!(bench.log(), [[7], [8]]);
    assert_eq!(bench.in_flight(), 0);
}

#[tokio::test]
async fn what_waits_goes_together_in_order_of_arrival() {
    let bench = Bench::new(1, 4);
    let (first, others) = bench.behind_one(&[1, 2, 3, 4, 5, 6]).await;
    bench.let_through(3);
    assert_eq!(first.await.unwrap().unwrap(), 200);
    for (call, request) in others.into_iter().zip(1..) {
        assert_eq!(call.await.unwrap().unwrap(), request * 2);
    }
    assert_eq!(bench.log(), [vec![100], vec![1, 2, 3, 4], vec![5, 6]]);
    until(|| bench.in_flight() == 0).await;
}

#[tokio::test]
async fn as_many_lone_calls_as_lanes_are_executed_at_once() {
    let bench = Bench::new(2, 10);
    let (first, second) = (bench.begin(1).await, bench.begin(2).await);
    let third = bench.begin(3).await;
    assert_eq!((bench.log().len(), bench.waiting()), (2, 1));
    bench.let_through(3);
    for call in [first, second, third] {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn requests_about_one_token_stand_in_different_batches() {
    let bench = Bench::new(1, 10);
    let (_first, others) = bench.behind_one(&[1, 11, 2, 21]).await;
    bench.let_through(4);
    let answers = join_all(others).await;
    let answers: Vec<_> = answers.into_iter().map(|a| a.unwrap().unwrap()).collect();
    assert_eq!(answers, [2, 22, 4, 42]);
    assert_eq!(bench.log(), [vec![100], vec![1, 2], vec![11], vec![21]]);
}

#[tokio::test]
async fn a_batch_is_no_heavier_than_may_be() {
    let bench = Bench::new(1, 10);
    let (_first, others) = bench.behind_one(&[1, 500, 500]).await;
    bench.let_through(4);
    join_all(others).await;
    assert_eq!(bench.log(), [vec![100], vec![1, 500], vec![500]]);
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_is_never_executed() {
    let bench = Bench::new(1, 10);
    let (first, mut others) = bench.behind_one(&[1, 2, 3]).await;
    let dropped = others.remove(1);
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    bench.let_through(2);
    first.await.unwrap().unwrap();
    join_all(others).await;
    assert_eq!(bench.log(), [vec![100], vec![1, 3]]);
}

#[tokio::test]
async fn a_call_out_of_time_tells_whether_it_was_executed() {
    let bench = Bench::bounded(1, 1, Duration::from_secs(3));
    let (first, mut others) = bench.behind_one(&[1]).await;
    // The first is let go, and what waited is being executed: nobody knows how that will end.
    bench.let_through(1);
    first.await.unwrap().unwrap();
    until(|| bench.log().len() == 2).await;
    let waits = bench.begin(2).await;
    assert_eq!(cause(others.remove(0).await.unwrap()), Cause::Lost);
    let unavailable = Cause::Refused(ErrorKind::Unavailable);
    assert_eq!(cause(waits.await.unwrap()), unavailable);
    bench.let_through(10);
    until(|| bench.in_flight() == 0).await;
    assert_eq!(bench.log(), [vec![100], vec![1]]);
}

#[tokio::test]
async fn a_lost_batch_is_lost_for_all_its_callers() {
    let bench = Bench::new(1, 10);
    let (_first, others) = bench.behind_one(&[1, BREAKS, 2]).await;
    bench.let_through(2);
    for call in others {
        assert_eq!(cause(call.await.unwrap()), Cause::Lost);
    }
}

#[tokio::test]
async fn a_fault_of_one_request_is_not_its_neighbours() {
    let bench = Bench::new(1, 10);
    let (_first, others) = bench.behind_one(&[1, CORRUPT, 2]).await;
    bench.let_through(5);
    let answers: Vec<_> = join_all(others).await.into_iter().flatten().collect();
    assert_eq!(answers[0].as_ref().unwrap(), &2);
    let cause = answers[1].as_ref().unwrap_err().cause;
    assert_eq!(cause, Cause::Refused(ErrorKind::Corrupt));
    assert_eq!(answers[2].as_ref().unwrap(), &4);
}

#[tokio::test]
async fn a_lone_call_that_is_dropped_hands_its_lane_on() {
    let bench = Bench::new(1, 10);
    let (first, mut others) = bench.behind_one(&[1]).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    until(|| bench.log().len() == 2).await;
    bench.let_through(1);
    assert_eq!(others.remove(0).await.unwrap().unwrap(), 2);
    until(|| bench.in_flight() == 0).await;
}

#[tokio::test]
async fn a_call_dropped_outside_of_a_runtime_hands_its_lane_on() {
    let bench = Bench::new(1, 10);
    let gather = Arc::clone(&bench.gather);
    let mut first = Box::pin(async move { gather.call(100).await });
    assert!((&mut first).now_or_never().is_none());
    let waits = bench.begin(1).await;
    std::thread::spawn(move || drop(first)).join().unwrap();
    bench.let_through(1);
    assert_eq!(waits.await.unwrap().unwrap(), 2);
    until(|| bench.in_flight() == 0).await;
}

#[tokio::test]
async fn what_waits_is_looked_at_about_once() {
    for requests in [(10_000..11_000).collect::<Vec<_>>(), vec![7; 1_000]] {
        let bench = Bench::new(1, 10);
        let (_first, others) = bench.behind_one(&requests).await;
        bench.let_through(2_000);
        join_all(others).await;
        let looks = bench.gated.doubles.looks.load(Ordering::SeqCst);
        assert!((1_000..=11_000).contains(&looks), "{looks}");
    }
}

#[tokio::test]
async fn a_panic_leaves_nobody_waiting() {
    let bench = Bench::new(1, 2);
    let (first, mut others) = bench.behind_one(&[PANICS, 1, 2]).await;
    let third = others.remove(2);
    bench.let_through(2);
    first.await.unwrap().unwrap();
    let causes: Vec<_> = join_all(others)
        .await
        .into_iter()
        .flatten()
        .map(cause)
        .collect();
    assert_eq!(causes, [Cause::Lost, Cause::Lost]);
    bench.let_through(1);
    assert_eq!(third.await.unwrap().unwrap(), 4);
    until(|| bench.in_flight() == 0).await;
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let bench = Bench::new(1, 10);
    let other = tokio::runtime::Runtime::new().unwrap();
    let _first = other.block_on(bench.begin(100));
    let here = tokio::runtime::Builder::new_current_thread();
    let here = { here }.enable_time().build().unwrap();
    // The lane goes to the task of this one, on the runtime that ends first.
    let second = other.block_on(bench.begin(1));
    let waits = here.block_on(bench.begin(11));
    bench.let_through(1);
    here.block_on(until(|| bench.log().len() == 2));
    other.shutdown_timeout(Duration::from_secs(10));
    drop(second);
    let answer = here.block_on(waits).unwrap();
    assert_eq!(cause(answer), Cause::Refused(ErrorKind::Unavailable));
    assert_eq!(bench.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_get_each_their_own_answer() {
    let bench = Bench::new(2, 16);
    bench.let_through(100_000);
    let callers = (0..64).map(|caller| {
        let gather = Arc::clone(&bench.gather);
        tokio::spawn(async move {
            for round in 0..200 {
                let request = 10_000 + caller * 200 + round;
                let call = gather.call(request);
                if round % 7 == 0 {
                    // Dropped wherever it is by now.
                    let _ = call.now_or_never();
                } else {
                    assert_eq!(call.await.unwrap(), request * 2);
                }
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    until(|| bench.in_flight() == 0).await;
    assert_eq!(bench.waiting(), 0);
    assert!(bench.gated.doubles.most_running.load(Ordering::SeqCst) <= 2);
}
