//! Which connections are made, kept and closed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::*;
use tokenkeep_backend::Cause;

/// Connections that are only counted.
#[derive(Default)]
struct Counted {
    made: AtomicUsize,
    proofs: AtomicUsize,
    open: Arc<AtomicUsize>,
    /// Whether they answer at once, or else when told to.
    is_silent: AtomicBool,
    answer: Notify,
}

struct Opened(Arc<AtomicUsize>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Connector for Counted {
    type Connection = Opened;

    async fn connect(&self) -> Outcome<Opened> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Opened(Arc::clone(&self.open)))
    }

    async fn reset(&self, _: &mut Opened) -> Outcome<()> {
        self.proofs.fetch_add(1, Ordering::SeqCst);
        if self.is_silent.load(Ordering::SeqCst) {
            self.answer.notified().await;
        }
        Ok(())
    }
}

fn pool(size: u32) -> (Arc<Counted>, Pool<Counted>) {
    let counted = Arc::new(Counted::default());
    let pool = Pool::new(Arc::clone(&counted), size).unwrap();
    (counted, pool)
}

fn minute() -> Call {
    Call::within(Duration::from_secs(60))
}

/// Lets other tasks run until the condition holds.
async fn until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_is_used_again_without_a_proof() {
    let (counted, pool) = pool(2);
    for _ in 0..3 {
        pool.link(&minute()).await.unwrap().done();
    }
    assert_eq!(counted.made.load(Ordering::SeqCst), 1);
    assert_eq!(counted.proofs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_dropped_call_keeps_its_place_until_the_server_is_heard_of() {
    let (counted, pool) = pool(1);
    let link = pool.link(&minute()).await.unwrap();
    counted.is_silent.store(true, Ordering::SeqCst);
    drop(link);
    until(|| counted.proofs.load(Ordering::SeqCst) == 1).await;
    let hurried = Call::within(Duration::from_millis(50));
    let failure = hurried.bound(pool.link(&hurried)).await.err().unwrap();
    assert_eq!(failure.cause, Cause::Refused(ErrorKind::Unavailable));
    assert_eq!(counted.open.load(Ordering::SeqCst), 1);
    counted.answer.notify_one();
    pool.link(&minute()).await.unwrap().done();
    // The old one was closed all the same.
    assert_eq!(counted.made.load(Ordering::SeqCst), 2);
    assert_eq!(counted.open.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_dropped_calls_place_comes_back_when_its_time_is_up() {
    let (counted, pool) = pool(1);
    let short = Call::within(Duration::from_millis(100));
    let link = pool.link(&short).await.unwrap();
    counted.is_silent.store(true, Ordering::SeqCst);
    drop(link);
    pool.link(&minute()).await.unwrap().done();
    assert_eq!(counted.made.load(Ordering::SeqCst), 2);
    assert_eq!(counted.open.load(Ordering::SeqCst), 1);
}

#[test]
fn a_place_comes_back_where_the_runtime_has_ended() {
    let (counted, pool) = pool(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let link = runtime.block_on(pool.link(&minute())).unwrap();
    drop(runtime);
    drop(link);
    assert_eq!(counted.open.load(Ordering::SeqCst), 0);
    assert_eq!(pool.0.status().size, 0);
}

#[tokio::test]
async fn after_a_broken_connection_the_others_prove_themselves() {
    let (counted, pool) = pool(3);
    let mut links = Vec::new();
    for _ in 0..3 {
        links.push(pool.link(&minute()).await.unwrap());
    }
    let broken = links.pop().unwrap();
    links.into_iter().for_each(Link::done);
    let lost = broken.end::<()>(Err(Failure::lost("broke")));
    assert_eq!(lost.unwrap_err().cause, Cause::Lost);
    assert_eq!(counted.open.load(Ordering::SeqCst), 2);
    let (one, other) = (pool.link(&minute()).await, pool.link(&minute()).await);
    assert_eq!(counted.proofs.load(Ordering::SeqCst), 2);
    one.unwrap().done();
    other.unwrap().done();
    pool.link(&minute()).await.unwrap().done();
    assert_eq!(counted.proofs.load(Ordering::SeqCst), 2);
    assert_eq!(counted.made.load(Ordering::SeqCst), 3);
}
