use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry as Metrics;
use tokenkeep::{
    Clock, ErrorKind, FlushOptions, FlushStatus, Flusher, ManualClock, Timestamp, TokenDriver,
    TokenId, TokenRecord,
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Fault, Watched, clock, failure};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    flusher: Flusher,
    driver: Arc<Watched>,
    clock: Arc<ManualClock>,
}

fn bench() -> Bench {
    let clock = clock();
    let driver = Watched::new(&clock);
    let options = FlushOptions::default()
        .with_batch(NonZeroU32::new(10).unwrap())
        .with_pause(Duration::from_millis(50))
        .with_retry(SECOND, 5 * SECOND);
    Bench {
        flusher: Flusher::new(driver.clone(), options).unwrap(),
        driver,
        clock,
    }
}

impl Bench {
    /// Stores tokens that have expired already, and one that has not.
    async fn add_expired(&self, count: u32) {
        let now = self.clock.now();
        for number in 0..=count {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&now.as_micros().to_be_bytes());
            id[8..12].copy_from_slice(&number.to_be_bytes());
            let expires_at = if number == count { Timestamp::MAX } else { now };
            let id = TokenId::from_bytes(id);
            let record = TokenRecord::new(id, "a", "ada", now, expires_at).unwrap();
            self.driver.memory.create(record).await.unwrap();
        }
        self.clock.advance(SECOND);
    }

    /// Waits, by tokio's clock, for a status; at most an hour.
    async fn until(&self, wanted: impl Fn(&FlushStatus) -> bool + Send + Sync) -> FlushStatus {
        let waiting = async {
            while !wanted(&self.flusher.status()) {
                sleep(Duration::from_millis(10)).await;
            }
            self.flusher.status()
        };
        timeout(Duration::from_secs(3_600), waiting).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn one_run_goes_on_to_the_end_with_pauses() {
    let bench = bench();
    bench.add_expired(25).await;
    let start = Instant::now();
    assert_eq!(bench.flusher.flush_once().await.unwrap(), 25);
    assert_eq!(bench.driver.calls("flush_expired"), 3);
    assert_eq!(start.elapsed(), Duration::from_millis(100));
    let status = bench.flusher.status();
    assert_eq!((status.runs, status.removed, status.errors), (1, 25, 0));
    assert_eq!(bench.flusher.flush_once().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_flushes_now_and_at_each_interval() {
    let bench = bench();
    bench.add_expired(25).await;
    let task = bench.flusher.spawn();
    assert_eq!(bench.until(|status| status.runs == 1).await.removed, 25);
    bench.add_expired(5).await;
    let start = Instant::now();
    assert_eq!(bench.until(|status| status.runs == 2).await.removed, 30);
    assert!(start.elapsed() > 59 * SECOND && start.elapsed() < 61 * SECOND);
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_do_not_end_it_and_the_rest_doubles() {
    let bench = bench();
    bench.add_expired(5).await;
    let fails = Fault::Fails(ErrorKind::Unavailable);
    let faults = [
        fails,
        Fault::Panics,
        fails,
        fails,
        fails,
        Fault::Applied(ErrorKind::Indeterminate),
    ];
    bench.driver.disturb(faults);
    let start = Instant::now();
    let _task = bench.flusher.spawn();
    // Rests of 1, 2, 4, 5 and 5 seconds lie between the six.
    for (errors, kind, seconds) in [
        (1, ErrorKind::Unavailable, 0),
        (2, ErrorKind::Internal, 1),
        (3, ErrorKind::Unavailable, 3),
        (4, ErrorKind::Unavailable, 7),
        (5, ErrorKind::Unavailable, 12),
        (6, ErrorKind::Indeterminate, 17),
    ] {
        let status = bench.until(|status| status.errors == errors).await;
        assert_eq!((status.runs, status.last_error), (0, Some(kind)));
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
    let status = bench.until(|status| status.runs == 1).await;
    assert_eq!(start.elapsed().as_secs(), 22);
    assert_eq!((status.errors, status.last_error), (6, None));

    bench.driver.disturb([fails, fails]);
    bench.until(|status| status.errors == 7).await;
    let failed = Instant::now();
    bench.until(|status| status.errors == 8).await;
    assert_eq!(
        failed.elapsed().as_millis().div_ceil(1_000),
        1,
        "the rest is short again"
    );
}

#[tokio::test(start_paused = true)]
async fn it_says_how_far_behind_it_is() {
    let bench = bench();
    sleep(7 * SECOND).await;
    assert_eq!(bench.flusher.status().behind, 7 * SECOND);
    bench.driver.disturb([Fault::Fails(ErrorKind::Unavailable)]);
    let result = bench.flusher.flush_once().await;
    assert_eq!(failure(result).0, ErrorKind::Unavailable);
    assert_eq!(bench.flusher.status().behind, 7 * SECOND);
    bench.flusher.flush_once().await.unwrap();
    assert_eq!(bench.flusher.status().behind, Duration::ZERO);
    sleep(3 * SECOND).await;
    assert_eq!(bench.flusher.status().behind, 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_went_before_an_error_is_counted() {
    let bench = bench();
    bench.add_expired(25).await;
    let task = bench.flusher.spawn();
    bench.until(|status| status.removed == 10).await;
    bench.driver.disturb([Fault::Fails(ErrorKind::Unavailable)]);
    let status = bench.until(|status| status.errors == 1).await;
    assert_eq!((status.removed, status.runs), (10, 0));
    bench.until(|status| status.removed == 25).await;
    task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stopped_or_dropped_it_is_silent() {
    for is_stopped in [true, false] {
        let bench = bench();
        let task = bench.flusher.spawn();
        bench.until(|status| status.runs == 2).await;
        if is_stopped {
            task.stop().await;
        } else {
            drop(task);
        }
        sleep(600 * SECOND).await;
        assert_eq!(bench.driver.calls("flush_expired"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn metrics() {
    let bench = bench();
    let mut metrics = Metrics::default();
    bench.flusher.register(&mut metrics);
    bench.add_expired(25).await;
    bench.flusher.flush_once().await.unwrap();
    bench.driver.disturb([Fault::Fails(ErrorKind::Unavailable)]);
    bench.flusher.flush_once().await.unwrap_err();
    sleep(Duration::from_millis(2_500)).await;
    let mut text = String::new();
    encode(&mut text, &metrics).unwrap();
    for line in [
        "tokenkeep_flush_runs_total 1",
        "tokenkeep_flush_removed_total 25",
        "tokenkeep_flush_errors_total 1",
        "tokenkeep_flush_behind_seconds 2.5",
        "# TYPE tokenkeep_flush_removed counter",
        "# UNIT tokenkeep_flush_behind_seconds seconds",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let clock = clock();
    let options = FlushOptions::default().with_interval(Duration::ZERO);
    let (kind, message) = failure(Flusher::new(Watched::new(&clock), options));
    assert_eq!(kind, ErrorKind::Config);
    assert_eq!(message, "flush.interval is zero");
}

/// What a configuration can hold at most is as good as for ever, and no panic.
#[tokio::test(start_paused = true)]
async fn the_longest_rests_are_for_ever() {
    let mut bench = bench();
    let options = FlushOptions::default()
        .with_batch(NonZeroU32::new(10).unwrap())
        .with_interval(Duration::MAX)
        .with_retry(Duration::MAX, Duration::MAX);
    bench.flusher = Flusher::new(bench.driver.clone(), options.clone()).unwrap();
    bench.add_expired(5).await;
    let task = bench.flusher.spawn();
    bench.until(|status| status.runs == 1).await;
    bench.until(|status| status.behind > 1_000 * SECOND).await;
    assert_eq!(bench.flusher.status().runs, 1);
    task.stop().await;

    bench.flusher = Flusher::new(bench.driver.clone(), options).unwrap();
    bench.driver.disturb([Fault::Fails(ErrorKind::Unavailable)]);
    let task = bench.flusher.spawn();
    bench.until(|status| status.errors == 1).await;
    bench.until(|status| status.behind > 1_000 * SECOND).await;
    assert_eq!(bench.flusher.status().errors, 1);
    task.stop().await;
}
