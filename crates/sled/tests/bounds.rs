//! Every call ends in time and tells the truth, whatever becomes of the writer (R16, R17).

#[expect(dead_code, reason = "each test program uses a part of it")]
mod support;

use std::num::NonZeroU32;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::join_all;
use support::{Outcome, count, id, open, record};
use tokenkeep_core::{
    Clock, ErrorKind, PageRequest, Replacement, Timestamp, TokenDriver as _, TokenFilter,
};
use tokenkeep_sled::{SledDriver, SledOptions, SledStore};

/// How long a call may take that is held up without end.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long a call may take that is not: longer than the disk stands still under other programs' writes.
const PATIENT: Duration = Duration::from_secs(60);

/// Within what time everything ends that has a bound.
const BOUND: Duration = Duration::from_secs(60);

/// What the clock does to the thread that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fair,
    Stuck,
    Panic,
}

/// A clock that can hold up the writer, and it alone, in the middle of its work.
#[derive(Debug)]
struct MoodyClock {
    mood: Mutex<Mood>,
    changed: Condvar,
}

impl MoodyClock {
    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
        self.changed.notify_all();
    }
}

impl Clock for MoodyClock {
    fn now(&self) -> Timestamp {
        if thread::current().name() == Some("tokenkeep-sled") {
            let mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner);
            let mood = self
                .changed
                .wait_while(mood, |mood| *mood == Mood::Stuck)
                .unwrap_or_else(PoisonError::into_inner);
            assert_ne!(*mood, Mood::Panic, "the clock was told to");
        }
        Timestamp::MIN
    }
}

struct Setting {
    folder: tempfile::TempDir,
    clock: Arc<MoodyClock>,
    driver: SledDriver,
}

async fn setting() -> Outcome<Setting> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(MoodyClock {
        mood: Mutex::new(Mood::Fair),
        changed: Condvar::new(),
    });
    let options = SledOptions::new(folder.path());
    let shared: Arc<dyn Clock> = Arc::<MoodyClock>::clone(&clock);
    let patient =
        SledStore::open(options.clone().with_timeout(PATIENT), Arc::clone(&shared)).await?;
    let driver = patient.driver("default").await?;
    driver.create(record(0, Vec::new())?).await?;
    drop(driver);
    patient.close().await?;
    let driver = SledDriver::open(options.with_timeout(TIMEOUT), shared).await?;
    Ok(Setting {
        folder,
        clock,
        driver,
    })
}

/// The kinds of error of every call that writes.
async fn writes(driver: &SledDriver) -> Outcome<Vec<Option<ErrorKind>>> {
    let begun = Instant::now();
    let filter = TokenFilter::new().with_user("nobody")?;
    let change = Replacement {
        id: id(0),
        expires_at: Timestamp::MAX,
        data: "new".into(),
    };
    let (second, third) = (id(2), id(3));
    let errors = tokio::join!(
        async { driver.create(record(1, Vec::new())?).await },
        driver.delete(&second),
        async { driver.replace(change, 1).await.map(|_| ()) },
        async {
            driver
                .rotate(&third, record(4, Vec::new())?)
                .await
                .map(|_| ())
        },
        async { driver.delete_tokens(&filter).await.map(|_| ()) },
        async { driver.flush_expired(NonZeroU32::MIN).await.map(|_| ()) },
        async {
            driver
                .create_many(vec![record(5, Vec::new())?])
                .await
                .map(|_| ())
        },
    );
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    let (a, b, c, d, e, f, g) = errors;
    let errors = [a, b, c, d, e, f, g];
    Ok(errors
        .into_iter()
        .map(|r| r.err().map(|e| e.kind()))
        .collect())
}

/// Waits until the writer has done what was queued before.
async fn catch_up(driver: &SledDriver) -> Outcome {
    let last = id(9_999);
    // With a busy machine the answer may come late; what counts is that it is done.
    let _ = driver.create(record(9_999, Vec::new())?).await;
    until(async || driver.get(&last).await.is_ok()).await
}

/// Waits for something that has to come.
async fn until(mut come: impl AsyncFnMut() -> bool) -> Outcome {
    let given_up = Instant::now() + BOUND;
    while !come().await {
        if Instant::now() > given_up {
            return Err("it did not come".into());
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_stuck_writer_bounds_every_call_and_holds_up_no_reader() -> Outcome {
    let setting = setting().await?;
    let Setting { clock, driver, .. } = &setting;
    clock.set(Mood::Stuck);
    for kind in writes(driver).await? {
        assert_eq!(kind, Some(ErrorKind::Indeterminate));
    }
    assert_eq!(driver.get(&id(0)).await?.version, 1);
    assert_eq!(count(driver).await?, 1);
    driver.list_revoked(&PageRequest::default()).await?;
    driver.check().await?;
    clock.set(Mood::Fair);
    // What was waiting is done all the same, but for long calls whose callers have gone.
    until(async || count(driver).await.is_ok_and(|count| count == 2)).await?;
    until(async || {
        driver
            .get(&id(0))
            .await
            .is_ok_and(|token| token.version == 2)
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_full_queue_takes_no_more_and_says_that_nothing_was_done() -> Outcome {
    let setting = setting().await?;
    let Setting { clock, driver, .. } = &setting;
    clock.set(Mood::Stuck);
    let begun = Instant::now();
    let calls = (100..1_500).map(|number| {
        let driver = driver.clone();
        async move {
            let created = match record(number, Vec::new()) {
                Ok(record) => driver.create(record).await,
                Err(error) => Err(error),
            };
            (number, created.err())
        }
    });
    let answers = join_all(calls).await;
    assert!(begun.elapsed() < BOUND);
    clock.set(Mood::Fair);
    catch_up(driver).await?;
    let mut refused = 0;
    for (number, error) in answers {
        let kind = error.map(|error| error.kind());
        let present = driver.get(&id(number)).await.is_ok();
        match kind {
            Some(ErrorKind::Unavailable) => assert!(!present, "{number}"),
            kind => assert_eq!(kind, Some(ErrorKind::Indeterminate), "{number}"),
        }
        refused += usize::from(kind == Some(ErrorKind::Unavailable));
    }
    assert!(refused > 100, "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_dropped_call_is_done_wholly() -> Outcome {
    let setting = setting().await?;
    let Setting { clock, driver, .. } = &setting;
    clock.set(Mood::Stuck);
    let old = id(0);
    let call = driver.rotate(&old, record(1, Vec::new())?);
    let dropped = tokio::time::timeout(Duration::from_millis(20), call).await;
    assert!(dropped.is_err());
    clock.set(Mood::Fair);
    catch_up(driver).await?;
    assert!(driver.get(&id(0)).await.is_err());
    assert!(driver.get(&id(1)).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_panic_of_the_writer_closes_the_store_to_all() -> Outcome {
    let setting = setting().await?;
    let Setting { clock, driver, .. } = &setting;
    clock.set(Mood::Panic);
    for kind in writes(driver).await? {
        let told = [ErrorKind::Indeterminate, ErrorKind::Unavailable];
        assert!(kind.is_some_and(|kind| told.contains(&kind)), "{kind:?}");
    }
    until(async || driver.get(&id(0)).await.is_err()).await?;
    let unavailable = Some(ErrorKind::Unavailable);
    for kind in writes(driver).await? {
        assert_eq!(kind, unavailable);
    }
    assert_eq!(
        driver.get(&id(0)).await.err().map(|e| e.kind()),
        unavailable
    );
    assert_eq!(driver.check().await.err().map(|e| e.kind()), unavailable);
    let listed = driver.list_revoked(&PageRequest::default()).await;
    assert_eq!(listed.err().map(|e| e.kind()), unavailable);
    // The files are whole, and free.
    let Setting { folder, driver, .. } = setting;
    drop(driver);
    assert_eq!(count(&open(folder.path()).await?).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_store_dropped_while_its_writer_is_stuck_keeps_nobody_waiting() -> Outcome {
    let Setting {
        folder,
        clock,
        driver,
    } = setting().await?;
    clock.set(Mood::Stuck);
    let error = driver.create(record(1, Vec::new())?).await.err();
    assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Indeterminate));
    let begun = Instant::now();
    drop(driver);
    assert!(begun.elapsed() < BOUND);
    // The writer still has the folder.
    let error = open(folder.path()).await.err();
    assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Unavailable));
    clock.set(Mood::Fair);
    until(async || open(folder.path()).await.is_ok()).await?;
    let driver = open(folder.path()).await?;
    assert_eq!(count(&driver).await?, 2);
    Ok(())
}
