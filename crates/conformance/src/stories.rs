//! What writers were told of their tokens, held against the store.

use tokenkeep_core::ErrorKind::{self, Indeterminate, NotFound, Unavailable};
use tokenkeep_core::{Rotation, TokenRecord};

use crate::check::{Check, Failure, ensure, fails, step};
use crate::probe::{Driver, is_absent, is_active};

/// What is known of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It returned `Ok`.
    Acknowledged,
    /// It failed with this kind.
    Failed(ErrorKind),
    /// It was under way when the store ended.
    Unknown,
}

/// What was done with a token after it was created.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    Delete,
    Rotate(Box<TokenRecord>),
}

/// One token, and what its writer was told.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) record: TokenRecord,
    pub(crate) create: Answer,
    pub(crate) then: Option<(Then, Answer)>,
}

/// Whether a write was made, as far as its answer tells.
const fn applied(answer: Answer) -> Option<bool> {
    match answer {
        Answer::Acknowledged => Some(true),
        Answer::Failed(Unavailable) => Some(false),
        Answer::Failed(_) | Answer::Unknown => None,
    }
}

/// Every error was of a kind that a backend's absence explains: each token was its writer's own.
pub(crate) fn only_the_backend_failed(stories: &[Story]) -> Check {
    for story in stories {
        let second = story.then.as_ref().map(|(_, answer)| *answer);
        for answer in [Some(story.create), second].into_iter().flatten() {
            let other = matches!(answer, Answer::Failed(kind) if !matches!(kind, Unavailable | Indeterminate));
            ensure(!other, format!("a writer was told {answer:?}"))?;
        }
    }
    Ok(())
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
