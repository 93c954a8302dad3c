//! A gather whose executions end when a test lets them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokenkeep_backend::{Call, Cause, Failure, Outcome};
use tokenkeep_core::{ErrorKind, TokenId};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{Batch, Bounds, Gather, MAX_BATCH_BYTES};

/// Answers each request with its double, each execution only once it is let through.
#[derive(Default)]
pub(super) struct Doubles {
    log: Mutex<Vec<Vec<u32>>>,
    running: AtomicUsize,
    pub(super) most_running: AtomicUsize,
    /// How often a request was weighed.
    pub(super) looks: AtomicUsize,
}

/// A batch with this request breaks the connection.
pub(super) const BREAKS: u32 = 1_000;
/// A batch with this request is refused.
pub(super) const CORRUPT: u32 = 2_000;
/// This request breaks the connection, but not in a batch.
pub(super) const BREAKS_ALONE: u32 = 4_000;
/// A batch with this request panics.
pub(super) const PANICS: u32 = 3_000;

#[derive(Clone)]
pub(super) struct Gated {
    pub(super) doubles: Arc<Doubles>,
    gate: Arc<Semaphore>,
}

#[async_trait]
impl Batch for Gated {
    type Request = u32;
    type Answer = u32;

    /// Requests with the same last digit are about the same token.
    fn key(&self, request: &u32) -> Option<TokenId> {
        let byte = u8::try_from(request % 10).unwrap();
        (*request < 100).then(|| TokenId::from_bytes([byte; 32]))
    }

    fn weight(&self, request: &u32) -> usize {
        self.doubles.looks.fetch_add(1, Ordering::SeqCst);
        if *request == 500 { MAX_BATCH_BYTES } else { 0 }
    }

    async fn execute(&self, call: &Call, requests: &[u32]) -> Outcome<Vec<u32>> {
        let doubles = &self.doubles;
        doubles.log.lock().unwrap().push(requests.to_vec());
        let running = Running::begin(doubles);
        call.sent();
        let gate = async { Ok(self.gate.acquire().await.unwrap()) };
        call.bound(gate).await?.forget();
        drop(running);
        if requests == [BREAKS_ALONE] {
            return Err(Failure::lost("broke"));
        }
        assert!(!requests.contains(&PANICS), "as the test wants it");
        if requests.contains(&BREAKS) {
            return Err(Failure::lost("broke"));
        }
        if requests.contains(&CORRUPT) {
            return Err(Failure::refused(ErrorKind::Corrupt, "corrupt"));
        }
        Ok(requests.iter().map(|request| request * 2).collect())
    }
}

/// One execution, until it ends or is dropped.
struct Running<'a>(&'a Doubles);

impl<'a> Running<'a> {
    fn begin(doubles: &'a Doubles) -> Self {
        let running = doubles.running.fetch_add(1, Ordering::SeqCst) + 1;
        doubles.most_running.fetch_max(running, Ordering::SeqCst);
        Self(doubles)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) struct Bench {
    pub(super) gather: Arc<Gather<Gated>>,
    pub(super) gated: Gated,
}

pub(super) type Answer = JoinHandle<Outcome<u32>>;

impl Bench {
    pub(super) fn new(lanes: usize, requests: usize) -> Self {
        Self::bounded(lanes, requests, Duration::from_secs(60))
    }

    pub(super) fn bounded(lanes: usize, requests: usize, timeout: Duration) -> Self {
        let gated = Gated {
            doubles: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        };
        let bounds = Bounds {
            lanes,
            requests,
            timeout,
        };
        Self {
            gather: Arc::new(Gather::new(gated.clone(), bounds)),
            gated,
        }
    }

    /// Lets so many executions end.
    pub(super) fn let_through(&self, count: usize) {
        self.gated.gate.add_permits(count);
    }

    pub(super) fn log(&self) -> Vec<Vec<u32>> {
        self.gated.doubles.log.lock().unwrap().clone()
    }

    /// Begins a call; it is being executed or waits once this returns.
    pub(super) async fn begin(&self, request: u32) -> Answer {
        let arrived = || self.log().len() + self.waiting();
        let before = arrived();
        let gather = Arc::clone(&self.gather);
        let call = tokio::spawn(async move { gather.call(request).await });
        until(|| arrived() > before).await;
        call
    }

    /// One call that is being executed, and these that wait in this order.
    pub(super) async fn behind_one(&self, requests: &[u32]) -> (Answer, Vec<Answer>) {
        let first = self.begin(100).await;
        let mut others = Vec::new();
        for request in requests {
            others.push(self.begin(*request).await);
        }
        assert_eq!(self.waiting(), requests.len());
        (first, others)
    }

    /// Executions that have not ended.
    pub(super) fn running(&self) -> usize {
        self.gated.doubles.running.load(Ordering::SeqCst)
    }

    pub(super) fn waiting(&self) -> usize {
        self.gather.0.state().queue.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.gather.0.state().lanes.in_flight()
    }
}

/// Lets other tasks run until the condition holds.
pub(super) async fn until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came");
        tokio::task::yield_now().await;
    }
}

pub(super) fn cause<T>(outcome: Outcome<T>) -> Cause {
    outcome.err().unwrap().cause
}
