//! One call of each method, ready to be made while the backend does not answer.

use std::num::NonZeroU32;
use std::time::Duration;

use futures::future::join_all;
use tokenkeep_core::ErrorKind::{self, Indeterminate, NotFound, Unavailable};
use tokenkeep_core::{Anchor, PageRequest, Replacement, Result, TokenRecord};

use crate::check::{Check, Failure, chain, ensure, fails};
use crate::context::{Context, LIFETIME};
use crate::probe::{Driver, by, is_absent, is_active};

/// A method and the token it is called for.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Create(TokenRecord),
    Get(TokenRecord),
    Delete(TokenRecord),
    DeleteTokens(TokenRecord),
    List(TokenRecord),
    ListRevoked,
    Replace(TokenRecord),
    Rotate(TokenRecord, Box<TokenRecord>),
    FlushExpired,
    CreateMany(TokenRecord),
    Check,
}

impl Call {
    /// One of each, with the tokens that they need stored.
    pub(super) async fn one_of_each(ctx: &Context) -> Check<Vec<Self>> {
        let mut expired = ctx.record("expired")?;
        expired.expires_at = ctx.now();
        ctx.driver().create(expired).await?;
        Ok(vec![
            Self::Create(ctx.full_record("create")?),
            Self::Get(ctx.stored_full("get").await?),
            Self::Delete(ctx.stored_full("delete").await?),
            Self::DeleteTokens(ctx.stored_full("delete_tokens").await?),
            Self::List(ctx.stored_full("list").await?),
            Self::ListRevoked,
            Self::Replace(ctx.stored_full("replace").await?),
            Self::Rotate(
                ctx.stored_full("rotate").await?,
                Box::new(ctx.full_record("successor")?),
            ),
            Self::FlushExpired,
            Self::CreateMany(ctx.full_record("create_many")?),
            Self::Check,
        ])
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Get(_) => "get",
            Self::Delete(_) => "delete",
            Self::DeleteTokens(_) => "delete_tokens",
            Self::List(_) => "list",
            Self::ListRevoked => "list_revoked",
            Self::Replace(_) => "replace",
            Self::Rotate(..) => "rotate",
            Self::FlushExpired => "flush_expired",
            Self::CreateMany(_) => "create_many",
            Self::Check => "check",
        }
    }

    pub(super) const fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Get(_) | Self::List(_) | Self::ListRevoked | Self::Check
        )
    }

    pub(super) async fn make(&self, driver: &Driver) -> Result<()> {
        match self {
            Self::Create(record) => driver.create(record.clone()).await,
            Self::Get(record) => driver.get(&record.id).await.map(drop),
            Self::Delete(record) => driver.delete(&record.id).await,
            Self::DeleteTokens(record) => {
                let filter = tokenkeep_core::TokenFilter::new().with_user(&record.user_id)?;
                driver.delete_tokens(&filter).await.map(drop)
            }
            Self::List(record) => {
                let filter = tokenkeep_core::TokenFilter::new().with_user(&record.user_id)?;
                driver
                    .list(&filter, &PageRequest::default())
                    .await
                    .map(drop)
            }
            Self::ListRevoked => driver.list_revoked(&PageRequest::default()).await.map(drop),
            Self::Replace(record) => driver.replace(change(record), 1).await.map(drop),
            Self::Rotate(old, successor) => driver
                .rotate(&old.id, (**successor).clone())
                .await
                .map(drop),
            Self::FlushExpired => driver.flush_expired(NonZeroU32::MAX).await.map(drop),
            Self::CreateMany(record) => driver.create_many(vec![record.clone()]).await.map(drop),
            Self::Check => driver.check().await.map(drop),
        }
    }

    /// The error is of a kind that this call may give while the backend does not answer.
    pub(super) fn may_answer(&self, answer: &Result<()>) -> Check {
        let name = self.name();
        match answer {
            Ok(()) => Err(Failure::new(format!("{name} succeeded without a backend"))),
            Err(error) => {
                let kind = error.kind();
                let fits = kind == Unavailable || (kind == Indeterminate && !self.is_read());
                ensure(fits, format!("{name} answered {}", chain(error)))
            }
        }
    }

    /// Once the backend is back, the store is as the answer said: not touched after `Unavailable`,
    /// touched wholly or not at all after `Indeterminate`.
    pub(super) async fn keeps_its_word(&self, driver: &Driver, answer: ErrorKind) -> Check {
        let untouched = answer == Unavailable;
        let told = |what: &str| format!("{} answered {answer}, but {what}", self.name());
        match self {
            Self::Create(record) | Self::CreateMany(record) => {
                let there = is_whole_or_absent(driver, record).await?;
                ensure(!(there && untouched), told("the token is there"))
            }
            Self::Delete(record) | Self::DeleteTokens(record) => {
                let there = is_whole_or_absent(driver, record).await?;
                ensure(there || !untouched, told("the token is revoked"))
            }
            Self::Get(record) | Self::List(record) => is_active(driver, record).await,
            Self::Replace(record) => {
                let found = driver.get(&record.id).await?;
                if found == *record {
                    return is_active(driver, record).await;
                }
                ensure(!untouched, told("the token is changed"))?;
                is_active(driver, &changed(record)).await
            }
            Self::Rotate(old, successor) => {
                let old_there = is_whole_or_absent(driver, old).await?;
                let successor_there = is_whole_or_absent(driver, successor).await?;
                let what = "neither the old token nor its successor is there";
                ensure(old_there || successor_there, told(what))?;
                let as_before = old_there && !successor_there;
                ensure(as_before || !untouched, told("the token is rotated"))
            }
            Self::ListRevoked | Self::FlushExpired | Self::Check => Ok(()),
        }
    }
}

fn change(record: &TokenRecord) -> Replacement {
    Replacement {
        id: record.id,
        expires_at: record.expires_at.saturating_add(LIFETIME),
        data: "changed".into(),
    }
}

fn changed(record: &TokenRecord) -> TokenRecord {
    let Replacement {
        expires_at, data, ..
    } = change(record);
    TokenRecord {
        expires_at,
        data,
        version: 2,
        ..record.clone()
    }
}

/// The token is in every index or in none; gives which.
async fn is_whole_or_absent(driver: &Driver, record: &TokenRecord) -> Check<bool> {
    let found = driver.get(&record.id).await;
    if found.is_ok() {
        is_active(driver, record).await?;
        return Ok(true);
    }
    fails(found, NotFound, "get")?;
    is_absent(driver, record).await?;
    Ok(false)
}

/// Makes all calls at once, each within the bound. Gives their answers.
pub(super) async fn all_at_once(
    driver: &Driver,
    calls: &[Call],
    bound: Duration,
) -> Check<Vec<Result<()>>> {
    let each = calls.iter().map(|call| async move {
        tokio::time::timeout(bound, call.make(driver))
            .await
            .map_err(|_| Failure::new(format!("{} did not end within {bound:?}", call.name())))
    });
    join_all(each).await.into_iter().collect()
}

/// Waits until calls that the backend may still have had in hand are done with: those made now
/// come after them.
pub(super) async fn settle(driver: &Driver) -> Check {
    let filter = by(Anchor::User, "nobody")?;
    for _ in 0..20 {
        driver.check().await?;
        driver.delete_tokens(&filter).await?;
    }
    Ok(())
}
