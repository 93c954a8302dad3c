//! Many more calls at once than a driver has connections.

use std::pin::Pin;

use tokenkeep_core::ErrorKind::NotFound;
use tokenkeep_core::{Anchor, PageRequest, Replacement, Rotation, TokenRecord};

use super::at_once::all_at_once;
use crate::case::cases;
use crate::check::{Check, ensure, fails, same};
use crate::context::Context;
use crate::probe::{Driver, by, is_absent, is_active};

cases! { Concurrency:
    three_hundred_mixed_calls_at_once_answer_rightly [R4 R8 R12 R14 R16],
}

/// So many times ten calls.
const TENS: usize = 30;

type Call = Pin<Box<dyn Future<Output = Check> + Send>>;

/// The tokens of ten calls that do not touch one another.
struct Ten {
    user: String,
    created: TokenRecord,
    batch: Vec<TokenRecord>,
    kept: TokenRecord,
    deleted: TokenRecord,
    gone: TokenRecord,
    replaced: TokenRecord,
    rotated: TokenRecord,
    successor: TokenRecord,
    bulk: Vec<TokenRecord>,
}

impl Ten {
    async fn stored(ctx: &Context, number: usize) -> Check<Self> {
        let user = format!("user {number}");
        let other = format!("other {number}");
        let ten = Self {
            created: ctx.record(&user)?,
            batch: vec![ctx.record(&user)?, ctx.record(&user)?],
            kept: ctx.record(&user)?,
            deleted: ctx.record(&user)?,
            gone: ctx.record(&user)?,
            replaced: ctx.record(&user)?,
            rotated: ctx.record(&user)?,
            successor: ctx.record(&user)?,
            bulk: vec![ctx.record(&other)?, ctx.record(&other)?],
            user,
        };
        let mut before = ten.bulk.clone();
        for record in [
            &ten.kept,
            &ten.deleted,
            &ten.gone,
            &ten.replaced,
            &ten.rotated,
        ] {
            before.push(record.clone());
        }
        for answer in ctx.driver().create_many(before).await? {
            answer?;
        }
        ctx.driver().delete(&ten.gone.id).await?;
        Ok(ten)
    }

    /// Each call, with what it has to answer.
    fn calls(&self, driver: &Driver) -> Check<Vec<Call>> {
        let handle = || Driver::clone(driver);
        let (driver, record) = (handle(), self.created.clone());
        let create = async move { Ok(driver.create(record).await?) };
        let (driver, batch) = (handle(), self.batch.clone());
        let create_many = async move {
            let answers = driver.create_many(batch).await?;
            same(&answers.len(), &2, "answers to a batch")?;
            answers.into_iter().try_for_each(|answer| Ok(answer?))
        };
        let (driver, record) = (handle(), self.kept.clone());
        let get = async move { same(&driver.get(&record.id).await?, &record, "get") };
        let (driver, id) = (handle(), self.deleted.id);
        let delete = async move { Ok(driver.delete(&id).await?) };
        let (driver, id) = (handle(), self.gone.id);
        let delete_again =
            async move { fails(driver.delete(&id).await, NotFound, "a second delete").map(drop) };
        let (driver, change) = (handle(), self.change());
        let replace = async move { same(&driver.replace(change, 1).await?, &2, "replace") };
        let (driver, id, successor) = (handle(), self.rotated.id, self.successor.clone());
        let rotate = async move {
            let rotation = driver.rotate(&id, successor).await?;
            same(&rotation, &Rotation::Rotated, "rotate")
        };
        let (driver, filter) = (handle(), by(Anchor::User, &self.bulk[0].user_id)?);
        let delete_tokens = async move {
            let revoked = driver.delete_tokens(&filter).await?;
            same(&revoked.len(), &2, "how many were revoked")
        };
        let (driver, filter, id) = (handle(), by(Anchor::User, &self.user)?, self.kept.id);
        let list = async move {
            let page = driver.list(&filter, &PageRequest::default()).await?;
            let shown = page.items.iter().any(|record| record.id == id);
            ensure(shown, "an active token is not listed")
        };
        let driver = handle();
        let check = async move { Ok(driver.check().await.map(drop)?) };
        Ok(vec![
            Box::pin(create),
            Box::pin(create_many),
            Box::pin(get),
            Box::pin(delete),
            Box::pin(delete_again),
            Box::pin(replace),
            Box::pin(rotate),
            Box::pin(delete_tokens),
            Box::pin(list),
            Box::pin(check),
        ])
    }

    fn change(&self) -> Replacement {
        Replacement {
            id: self.replaced.id,
            expires_at: self.replaced.expires_at,
            data: "replaced".into(),
        }
    }

    /// Once all have answered, the store is as they said.
    async fn is_done(&self, driver: &Driver) -> Check {
        let replaced = TokenRecord {
            data: self.change().data,
            version: 2,
            ..self.replaced.clone()
        };
        let active = [&self.created, &self.kept, &replaced, &self.successor];
        for record in active.into_iter().chain(&self.batch) {
            is_active(driver, record).await?;
        }
        let absent = [&self.deleted, &self.gone, &self.rotated];
        for record in absent.into_iter().chain(&self.bulk) {
            is_absent(driver, record).await?;
        }
        Ok(())
    }
}

/// Nothing is refused because others came first: calls wait their turn, and it comes.
async fn three_hundred_mixed_calls_at_once_answer_rightly(ctx: Context) -> Check {
    let mut tens = Vec::new();
    let mut calls = Vec::new();
    for number in 0..TENS {
        let ten = Ten::stored(&ctx, number).await?;
        calls.extend(ten.calls(&ctx.driver())?);
        tens.push(ten);
    }
    all_at_once(calls).await?;
    for ten in &tens {
        ten.is_done(&ctx.driver()).await?;
    }
    Ok(())
}
