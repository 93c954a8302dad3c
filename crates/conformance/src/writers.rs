//! Writers that go on while something happens to the store, and the stories of their tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokenkeep_core::ErrorKind::{self, NotFound, Unavailable};
use tokenkeep_core::{Result, Rotation, TokenRecord};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::check::{Check, Failure, ensure, fails, step};
use crate::context::Context;
use crate::probe::{Driver, is_absent, is_active};

/// How long a number of writes may take.
const BOUND: Duration = Duration::from_secs(60);

/// How many tokens a writer makes at most: what is stored is looked through from every side.
const MAX_TOKENS: usize = 200;

/// What is known of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It returned `Ok`.
    Acknowledged,
    /// It failed with this kind.
    Failed(ErrorKind),
    /// It was under way when the store ended.
    Unknown,
}

/// What was done with a token after it was created.
#[derive(Clone, Debug)]
enum Then {
    Delete,
    Rotate(Box<TokenRecord>),
}

/// One token, and what its writer was told.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    record: TokenRecord,
    create: Answer,
    then: Option<(Then, Answer)>,
}

#[derive(Debug, Default)]
struct Log {
    stories: Vec<Story>,
    /// Whether the store is ending: what is answered from now on is not relied on.
    ending: bool,
}

/// Tasks that write until their first error, or until they have made enough.
pub(crate) struct Writers {
    log: Arc<Mutex<Log>>,
    acknowledged: watch::Receiver<usize>,
    tasks: JoinSet<()>,
}

impl Writers {
    /// Starts so many, for users `NAME writer 0` and so on in tenant `NAME`. Each creates tokens, and deletes or rotates two in three of them.
    pub(crate) fn start(ctx: &Context, name: &str, count: usize) -> Self {
        let log = Arc::default();
        let (sender, acknowledged) = watch::channel(0);
        let sender = Arc::new(sender);
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let writer = Writer {
                driver: ctx.driver(),
                log: Arc::clone(&log),
                acknowledged: Arc::clone(&sender),
            };
            let mint = ctx.minter(&format!("{name} writer {number}"), name);
            tasks.spawn(async move {
                for round in 0..MAX_TOKENS {
                    let (Ok(record), Ok(successor)) = (mint(), mint()) else {
                        break;
                    };
                    if !writer.write(round, record, successor).await {
                        break;
                    }
                }
            });
        }
        Self {
            log,
            acknowledged,
            tasks,
        }
    }

    /// Waits until so many writes were acknowledged.
    pub(crate) async fn acknowledged(&mut self, writes: usize) -> Check {
        let enough = self.acknowledged.wait_for(|count| *count >= writes);
        match tokio::time::timeout(BOUND, enough).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Failure::new("every writer met an error before its time")),
            Err(_) => Err(Failure::new(format!(
                "{writes} writes took longer than {BOUND:?}"
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
    acknowledged: Arc<watch::Sender<usize>>,
}

impl Writer {
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
        if is_ok {
            self.acknowledged.send_modify(|count| *count += 1);
        }
        go_on
    }
}

/// Whether a write was made, as far as its answer tells.
const fn applied(answer: Answer) -> Option<bool> {
    match answer {
        Answer::Acknowledged => Some(true),
        Answer::Failed(Unavailable) => Some(false),
        Answer::Failed(_) | Answer::Unknown => None,
    }
}

/// The store keeps to every story: what was acknowledged is there, what was surely not applied is
/// not, and all else is there wholly or not at all.
#[track_caller]
pub(crate) fn hold(driver: &Driver, stories: &[Story]) -> impl Future<Output = Check> {
    step("hold", async move {
        for story in stories {
            holds(driver, story).await.map_err(|failure| {
                let Story {
                    record,
                    create,
                    then,
                } = story;
                let then = then.as_ref().map(|(then, answer)| match then {
                    Then::Delete => ("delete", answer),
                    Then::Rotate(_) => ("rotate", answer),
                });
                let what = format!(
                    "token {}, create {create:?}, then {then:?}: {failure}",
                    record.id
                );
                Failure::new(what)
            })?;
        }
        Ok(())
    })
}

async fn holds(driver: &Driver, story: &Story) -> Check {
    let record = &story.record;
    match &story.then {
        None => is(driver, record, applied(story.create)).await.map(drop),
        Some((Then::Delete, answer)) => {
            let active = applied(*answer).map(|revoked| !revoked);
            let active = is(driver, record, active).await?;
            let again = driver.create(record.clone()).await;
            ensure(
                again.is_err() || active,
                "the id of a deleted token was free",
            )
        }
        Some((Then::Rotate(successor), answer)) => {
            rotation_holds(driver, record, successor, applied(*answer)).await
        }
    }
}

/// A revoked old token has its successor; beside an active one there is at most a successor that
/// nobody was given.
async fn rotation_holds(
    driver: &Driver,
    old: &TokenRecord,
    successor: &TokenRecord,
    rotated: Option<bool>,
) -> Check {
    let old_active = is(driver, old, rotated.map(|rotated| !rotated)).await?;
    let successor_active = is(driver, successor, rotated).await?;
    if old_active {
        return Ok(());
    }
    ensure(successor_active, "a rotated token has no successor")?;
    let again = driver.rotate(&old.id, successor.clone()).await?;
    let used =
        matches!(again, Rotation::AlreadyUsed { successor: Some(id), .. } if id == successor.id);
    ensure(used, format!("rotate of a rotated token: {again:?}"))
}

/// The token is active or absent, in every index alike, and as it should be if that is known.
/// Gives whether it is active.
async fn is(driver: &Driver, record: &TokenRecord, active: Option<bool>) -> Check<bool> {
    let found = driver.get(&record.id).await;
    let found_active = found.is_ok();
    if let Some(active) = active {
        let what = format!("active is {found_active}, should be {active}");
        ensure(found_active == active, what)?;
    }
    if found_active {
        is_active(driver, record).await?;
    } else {
        fails(found, NotFound, "get")?;
        is_absent(driver, record).await?;
    }
    Ok(found_active)
}
