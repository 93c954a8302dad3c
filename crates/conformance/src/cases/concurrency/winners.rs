//! Of many calls for one token exactly one wins, and the others leave nothing behind.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokenkeep_core::ErrorKind::{AlreadyExists, NotFound};
use tokenkeep_core::{
    Error, Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenId, TokenRecord,
};

use super::at_once::{all_at_once, at_once, one_winner};
use crate::case::cases;
use crate::check::{Check, Failure, ensure, fails, same};
use crate::context::{Context, LIFETIME};

cases! { Concurrency:
    one_of_100_concurrent_creates_wins [R3],
    one_of_many_creates_over_an_expired_token_wins [R1 R2 R3],
    one_of_concurrent_create_many_wins_each_id [R3 R14],
    one_of_100_concurrent_deletes_wins [R6],
    one_of_100_concurrent_rotations_wins [R12],
    one_of_many_rotations_to_one_successor_wins [R3 R12],
    one_of_different_revocations_wins [R6 R8 R12],
}

/// How many tasks contend for one token.
const CONTENDERS: usize = 100;

/// How many tokens are contended for at the same time.
const TOKENS: usize = 5;

/// Records with one id, each for a user of its own, all for one tenant.
fn contenders(ctx: &Context, id: TokenId, tenant: &str) -> Check<Vec<TokenRecord>> {
    (0..CONTENDERS)
        .map(|number| {
            let record = ctx
                .record(&format!("{tenant} user {number}"))?
                .with_tenant(tenant)?;
            Ok(TokenRecord { id, ..record })
        })
        .collect()
}

async fn create(driver: Arc<dyn TokenDriver>, record: TokenRecord) -> Result<(), Error> {
    driver.create(record).await
}

/// Lets all records be created at once, some of one id, and checks that each id has one winner,
/// whose record is stored and indexed whole, and that no loser is.
async fn one_create_an_id_wins(ctx: &Context, ids: &[Vec<TokenRecord>]) -> Check {
    let contending: Vec<_> = ids.iter().flatten().cloned().collect();
    let calls = contending
        .into_iter()
        .map(|record| create(ctx.driver(), record));
    let answers = at_once(calls.collect()).await?;
    for (records, answers) in ids.iter().zip(answers.chunks(CONTENDERS)) {
        let winner = one_winner(answers, AlreadyExists, "concurrent creates of one id")?;
        only_the_winner_is_stored(ctx, records, winner).await?;
    }
    Ok(())
}

async fn only_the_winner_is_stored(ctx: &Context, records: &[TokenRecord], winner: usize) -> Check {
    let won = &records[winner];
    let driver = ctx.driver();
    same(&driver.get(&won.id).await?, won, "the record stored")?;
    for (number, record) in records.iter().enumerate() {
        let user = TokenFilter::new().with_user(&record.user_id)?;
        let wanted = if number == winner {
            vec![won.clone()]
        } else {
            vec![]
        };
        same(
            &driver.list_all(&user).await?,
            &wanted,
            "a contender's user",
        )?;
    }
    Ok(())
}

async fn one_of_100_concurrent_creates_wins(ctx: Context) -> Check {
    let ids: Check<Vec<_>> = (0..TOKENS)
        .map(|number| contenders(&ctx, ctx.new_id(), &format!("tenant {number}")))
        .collect();
    one_create_an_id_wins(&ctx, &ids?).await
}

/// An expired token does not hold its id, and does not give it to two.
async fn one_of_many_creates_over_an_expired_token_wins(ctx: Context) -> Check {
    let mut expired = Vec::new();
    for _ in 0..TOKENS {
        expired.push(ctx.stored("ada").await?.id);
    }
    ctx.advance(LIFETIME);
    let ids: Check<Vec<_>> = expired
        .iter()
        .enumerate()
        .map(|(number, id)| contenders(&ctx, *id, &format!("tenant {number}")))
        .collect();
    one_create_an_id_wins(&ctx, &ids?).await?;
    let old = TokenFilter::new().with_user("ada")?;
    same(&ctx.driver().list_all(&old).await?, &vec![], "the old user")
}

/// Batches that share ids, in different orders: each id goes to one of them.
async fn one_of_concurrent_create_many_wins_each_id(ctx: Context) -> Check {
    const BATCHES: usize = 12;
    let ids: Vec<_> = (0..50).map(|_| ctx.new_id()).collect();
    let mut batches = Vec::new();
    for number in 0..BATCHES {
        let mut batch = Vec::new();
        for id in &ids {
            let record = ctx.record(&format!("user {number}"))?;
            batch.push(TokenRecord { id: *id, ..record });
        }
        batch.rotate_left(number * 4);
        batches.push(batch);
    }
    let calls = batches.iter().cloned().map(|batch| {
        let driver = ctx.driver();
        async move { Ok(driver.create_many(batch).await?) }
    });
    let answers = all_at_once(calls.collect()).await?;
    let mut winners = BTreeMap::new();
    for (batch, answers) in batches.iter().zip(answers) {
        same(&answers.len(), &batch.len(), "how many answers")?;
        for (record, answer) in batch.iter().zip(answers) {
            match answer {
                Ok(()) => {
                    let other = winners.insert(record.id, record);
                    ensure(other.is_none(), "two batches created one id")?;
                }
                Err(error) => drop(fails(Err::<(), _>(error), AlreadyExists, "a loser")?),
            }
        }
    }
    for id in ids {
        let won = winners
            .get(&id)
            .ok_or_else(|| Failure::new("no batch created an id"))?;
        same(&&ctx.driver().get(&id).await?, won, "the record stored")?;
    }
    Ok(())
}

async fn one_of_100_concurrent_deletes_wins(ctx: Context) -> Check {
    let mut tokens = Vec::new();
    for _ in 0..TOKENS {
        tokens.push(ctx.stored("ada").await?.id);
    }
    let calls = (0..TOKENS * CONTENDERS).map(|number| {
        let (driver, id) = (ctx.driver(), tokens[number / CONTENDERS]);
        async move { driver.delete(&id).await }
    });
    let answers = at_once(calls.collect()).await?;
    for (id, answers) in tokens.iter().zip(answers.chunks(CONTENDERS)) {
        one_winner(answers, NotFound, "concurrent deletes of one token")?;
        fails(ctx.driver().get(id).await, NotFound, "get of a deleted one")?;
    }
    let revoked = ctx.driver().list_all_revoked().await?;
    same(&revoked.len(), &TOKENS, "the length of the revocation list")
}

/// One caller gets *rotated*; all others learn the successor of that one. The losers' successors
/// are absent, so their ids are free.
async fn one_of_100_concurrent_rotations_wins(ctx: Context) -> Check {
    let old = ctx.stored("ada").await?;
    let successors: Check<Vec<_>> = (0..CONTENDERS).map(|_| ctx.record("ada")).collect();
    let successors = successors?;
    let calls = successors.iter().cloned().map(|successor| {
        let (driver, id) = (ctx.driver(), old.id);
        async move { driver.rotate(&id, successor).await }
    });
    let answers: Result<Vec<_>, Error> = at_once(calls.collect()).await?.into_iter().collect();
    let answers = answers?;
    let rotated: Vec<_> = answers
        .iter()
        .zip(&successors)
        .filter(|(answer, _)| **answer == Rotation::Rotated)
        .map(|(_, successor)| successor)
        .collect();
    same(&rotated.len(), &1, "how many callers got `rotated`")?;
    let winner = rotated[0];
    let used = Rotation::AlreadyUsed {
        at: ctx.now(),
        successor: Some(winner.id),
    };
    for answer in answers.iter().filter(|one| **one != Rotation::Rotated) {
        same(answer, &used, "what a loser was told")?;
    }
    let driver = ctx.driver();
    fails(driver.get(&old.id).await, NotFound, "get of the old token")?;
    let ada = TokenFilter::new().with_user("ada")?;
    let active = driver.list_all(&ada).await?;
    same(&active, &vec![winner.clone()], "the active tokens")?;
    for loser in successors.iter().filter(|one| one.id != winner.id) {
        let found = driver.get(&loser.id).await;
        fails(found, NotFound, "get of a loser's successor")?;
        driver.create(loser.clone()).await?;
    }
    Ok(())
}

/// The losers' old tokens stay as they were.
async fn one_of_many_rotations_to_one_successor_wins(ctx: Context) -> Check {
    let mut olds = Vec::new();
    for _ in 0..30 {
        olds.push(ctx.stored("ada").await?);
    }
    let id = ctx.new_id();
    let mut calls = Vec::new();
    for (number, old) in olds.iter().enumerate() {
        let record = ctx.record(&format!("user {number}"))?;
        let successor = TokenRecord { id, ..record };
        let (driver, old) = (ctx.driver(), old.id);
        calls.push(async move { driver.rotate(&old, successor).await });
    }
    let answers = at_once(calls).await?;
    let winner = one_winner(&answers, AlreadyExists, "concurrent rotations to one id")?;
    let user = format!("user {winner}");
    same(
        &ctx.driver().get(&id).await?.user_id.as_str(),
        &user.as_str(),
        "the successor's user",
    )?;
    for (number, old) in olds.iter().enumerate() {
        let found = ctx.driver().get(&old.id).await;
        if number == winner {
            fails(found, NotFound, "get of the rotated token")?;
        } else {
            same(&found?, old, "a token whose rotation failed")?;
        }
    }
    Ok(())
}

type Revocation = Pin<Box<dyn Future<Output = Check<Vec<TokenId>>> + Send>>;

/// Each token is revoked once, whoever tries: `delete`, `rotate`, and `delete_tokens` over all.
async fn one_of_different_revocations_wins(ctx: Context) -> Check {
    let mut tokens = Vec::new();
    let mut calls: Vec<Revocation> = Vec::new();
    for number in 0..40 {
        let token = ctx.record("ada")?.with_tenant("engines")?;
        let id = token.id;
        ctx.driver().create(token).await?;
        tokens.push(id);
        calls.push(Box::pin(deleted(ctx.driver(), id)));
        calls.push(Box::pin(rotated(ctx.driver(), id, ctx.record("grace")?)));
        let filter = match number % 2 {
            0 => TokenFilter::new().with_tenant("engines")?,
            _ => TokenFilter::new().with_user("ada")?,
        };
        let driver = ctx.driver();
        let bulk = async move { Ok(driver.delete_tokens(&filter).await?) };
        calls.push(Box::pin(bulk));
    }
    let mut revoked: Vec<_> = all_at_once(calls).await?.into_iter().flatten().collect();
    revoked.sort();
    tokens.sort();
    same(&revoked, &tokens, "the tokens, each as often as revoked")?;
    let feed = ctx.driver().list_all_revoked().await?;
    same(&feed.len(), &tokens.len(), "the length of the feed")
}

/// The token, if this call deleted it.
async fn deleted(driver: Arc<dyn TokenDriver>, id: TokenId) -> Check<Vec<TokenId>> {
    match driver.delete(&id).await {
        Ok(()) => Ok(vec![id]),
        Err(error) => fails(Err::<(), _>(error), NotFound, "a late delete").map(|_| vec![]),
    }
}

/// The token, if this call rotated it; else the token has no successor, since no other rotates it.
async fn rotated(
    driver: Arc<dyn TokenDriver>,
    id: TokenId,
    successor: TokenRecord,
) -> Check<Vec<TokenId>> {
    let successor_id = successor.id;
    let rotation = driver.rotate(&id, successor).await?;
    let found = driver.get(&successor_id).await;
    match rotation {
        Rotation::Rotated => found.map(|_| vec![id]).map_err(Failure::from),
        Rotation::AlreadyUsed { successor, .. } => {
            same(&successor, &None, "the successor of a deleted token")?;
            fails(found, NotFound, "get of a refused successor").map(|_| vec![])
        }
    }
}
