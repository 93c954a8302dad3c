//! Writers that go on while something happens to the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenkeep_core::{Result, TokenRecord};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::check::{Check, Failure};
use crate::context::Context;
use crate::probe::Driver;
use crate::stories::{Answer, Story, Then};

/// How long a number of writes may take.
const BOUND: Duration = Duration::from_secs(60);

/// How many tokens a writer makes at most: what is stored is looked through from every side.
const MAX_TOKENS: usize = 200;

/// How long an undeterred writer rests after a token, and after an error: long enough that it lasts
/// while a backend is away.
const REST: Duration = Duration::from_millis(1);
const REST_AFTER_AN_ERROR: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct Log {
    stories: Vec<Story>,
    /// Whether the store is ending: what is answered from now on is not relied on.
    ending: bool,
}

/// How many calls of all writers ended in which way.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    acknowledged: usize,
    failed: usize,
}

/// Tasks that write until their first error, or until they have made enough.
pub(crate) struct Writers {
    log: Arc<Mutex<Log>>,
    counts: watch::Receiver<Counts>,
    tasks: JoinSet<()>,
}

impl Writers {
    /// Starts so many, for users `NAME writer 0` and so on in tenant `NAME`. Each creates tokens,
    /// deletes or rotates two in three of them, and ends with its first error.
    pub(crate) fn start(ctx: &Context, name: &str, count: usize) -> Self {
        Self::begin(ctx, name, count, false)
    }

    /// As [`start`](Self::start), but after an error each goes on with its next token.
    pub(crate) fn undeterred(ctx: &Context, name: &str, count: usize) -> Self {
        Self::begin(ctx, name, count, true)
    }

    fn begin(ctx: &Context, name: &str, count: usize, undeterred: bool) -> Self {
        let log = Arc::default();
        let (sender, counts) = watch::channel(Counts::default());
        let sender = Arc::new(sender);
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let writer = Writer {
                driver: ctx.driver(),
                log: Arc::clone(&log),
                counts: Arc::clone(&sender),
            };
            let mint = ctx.minter(&format!("{name} writer {number}"), name);
            tasks.spawn(writer.go_on(mint, undeterred));
        }
        Self { log, counts, tasks }
    }

    /// Waits until so many writes were acknowledged.
    pub(crate) async fn acknowledged(&mut self, writes: usize) -> Check {
        self.count(|counts| counts.acknowledged >= writes).await
    }

    /// Waits until so many more were acknowledged than are by now.
    pub(crate) async fn acknowledged_more(&mut self, writes: usize) -> Check {
        let by_now = self.counts.borrow().acknowledged;
        self.acknowledged(by_now + writes).await
    }

    /// Waits until so many writes have failed.
    pub(crate) async fn failed(&mut self, writes: usize) -> Check {
        self.count(|counts| counts.failed >= writes).await
    }

    async fn count(&mut self, enough: impl Fn(&Counts) -> bool) -> Check {
        match tokio::time::timeout(BOUND, self.counts.wait_for(enough)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Failure::new("every writer ended before its time")),
            Err(_) => Err(Failure::new(format!(
                "what the writers should have been told took longer than {BOUND:?}"
            ))),
        }
    }

    /// From here on no answer is relied on: the store is about to be killed.
    pub(crate) fn expect_the_end(&self) {
        lock(&self.log).ending = true;
    }

    /// Waits until every writer has met an error or made enough.
    pub(crate) async fn all_ended(&mut self) -> Check {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(BOUND, all)
            .await
            .map_err(|_| Failure::new("a writer goes on although the store is gone"))
    }

    /// Ends the writers; gives what they were told.
    pub(crate) async fn stories(mut self) -> Vec<Story> {
        self.tasks.shutdown().await;
        std::mem::take(&mut lock(&self.log).stories)
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    driver: Driver,
    log: Arc<Mutex<Log>>,
    counts: Arc<watch::Sender<Counts>>,
}

impl Writer {
    async fn go_on(self, mint: impl Fn() -> Check<TokenRecord>, undeterred: bool) {
        for round in 0..MAX_TOKENS {
            let (Ok(record), Ok(successor)) = (mint(), mint()) else {
                return;
            };
            let went_well = self.write(round, record, successor).await;
            match (undeterred, went_well) {
                (true, true) => tokio::time::sleep(REST).await,
                (true, false) => tokio::time::sleep(REST_AFTER_AN_ERROR).await,
                (false, true) => {}
                (false, false) => return,
            }
        }
    }

    /// One token's story; false after an error.
    async fn write(&self, round: usize, record: TokenRecord, successor: TokenRecord) -> bool {
        let then = match round % 3 {
            0 => None,
            1 => Some(Then::Delete),
            _ => Some(Then::Rotate(Box::new(successor))),
        };
        let place = self.begin(record.clone());
        let answer = self.driver.create(record.clone()).await;
        let go_on = self.told(place, answer, |story, answer| story.create = answer);
        let (true, Some(then)) = (go_on, then) else {
            return go_on;
        };
        self.begin_second(place, then.clone());
        let answer = match then {
            Then::Delete => self.driver.delete(&record.id).await,
            Then::Rotate(successor) => {
                let answer = self.driver.rotate(&record.id, *successor).await;
                answer.map(drop)
            }
        };
        self.told(place, answer, |story, answer| {
            if let Some((_, second)) = &mut story.then {
                *second = answer;
            }
        })
    }

    fn begin(&self, record: TokenRecord) -> usize {
        let mut log = lock(&self.log);
        log.stories.push(Story {
            record,
            create: Answer::Unknown,
            then: None,
        });
        log.stories.len() - 1
    }

    fn begin_second(&self, place: usize, then: Then) {
        if let Some(story) = lock(&self.log).stories.get_mut(place) {
            story.then = Some((then, Answer::Unknown));
        }
    }

    /// Writes an answer down; false if it was an error, or came once the store was ending.
    fn told(
        &self,
        place: usize,
        answer: Result<()>,
        write: impl FnOnce(&mut Story, Answer),
    ) -> bool {
        let is_ok = answer.is_ok();
        let mut log = lock(&self.log);
        // A killed store answers nothing, though what stands in for it may: nothing is built on
        // an answer that came too late to be relied on.
        let go_on = is_ok && !log.ending;
        if !log.ending {
            let answer = match answer {
                Ok(()) => Answer::Acknowledged,
                Err(error) => Answer::Failed(error.kind()),
            };
            if let Some(story) = log.stories.get_mut(place) {
                write(story, answer);
            }
        }
        drop(log);
        self.counts.send_modify(|counts| {
            if is_ok {
                counts.acknowledged += 1;
            } else {
                counts.failed += 1;
            }
        });
        go_on
    }
}
