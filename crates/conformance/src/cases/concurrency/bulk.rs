//! `delete_tokens` beside everything that makes and ends tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokenkeep_core::ErrorKind::NotFound;
use tokenkeep_core::{Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenId, TokenRecord};

use super::at_once::all_at_once;
use super::moments::Moments;
use crate::case::cases;
use crate::check::{Check, Failure, ensure, fails, same};
use crate::context::Context;

cases! { Concurrency:
    bulk_revoke_misses_no_finished_create [R4 R8],
    bulk_revoke_misses_no_finished_create_many [R4 R8 R14],
    concurrent_bulk_revokes_share_out_the_tokens [R8],
    no_successor_escapes_bulk_revoke [R7 R8 R12],
}

/// How many tasks make tokens beside the one that revokes them.
const MAKERS: usize = 8;

/// A token that a maker made.
struct Made {
    id: TokenId,
    /// A moment by which its creation had returned.
    created: u64,
    /// A moment before the call that rotated it, if one did.
    rotated: Option<u64>,
}

/// One bulk revocation.
struct Bulk {
    /// A moment before it began.
    before: u64,
    /// A moment by which it had returned.
    after: u64,
    revoked: Vec<TokenId>,
}

/// What makers and the revoker share.
#[derive(Clone)]
struct Scene {
    driver: Arc<dyn TokenDriver>,
    filter: TokenFilter,
    moments: Moments,
    makers_left: Arc<AtomicUsize>,
}

impl Scene {
    fn new(ctx: &Context) -> Check<Self> {
        Ok(Self {
            driver: ctx.driver(),
            filter: TokenFilter::new().with_user("ada")?,
            moments: Moments::default(),
            makers_left: Arc::new(AtomicUsize::new(MAKERS)),
        })
    }

    /// Notes that a token's creation returned just now.
    fn made(&self, id: TokenId) -> Made {
        Made {
            id,
            created: self.moments.next(),
            rotated: None,
        }
    }

    /// Lets the makers run beside a task that revokes until they are done, and once more.
    async fn play<F>(&self, makers: Vec<F>) -> Check<(Vec<Made>, Vec<Bulk>)>
    where
        F: Future<Output = Check<Vec<Made>>> + Send + 'static,
    {
        let revoker = tokio::spawn(self.clone().revoke());
        let makers = makers.into_iter().map(|maker| {
            let left = Arc::clone(&self.makers_left);
            async move {
                let made = maker.await;
                left.fetch_sub(1, Ordering::SeqCst);
                made
            }
        });
        let made = all_at_once(makers.collect()).await?;
        let revoked = revoker
            .await
            .map_err(|error| Failure::new(format!("the revoking task ended early: {error}")))??;
        Ok((made.into_iter().flatten().collect(), revoked))
    }

    async fn revoke(self) -> Check<Vec<Bulk>> {
        let mut bulks = Vec::new();
        loop {
            let last = self.makers_left.load(Ordering::SeqCst) == 0;
            let before = self.moments.next();
            let revoked = self.driver.delete_tokens(&self.filter).await?;
            let after = self.moments.next();
            bulks.push(Bulk {
                before,
                after,
                revoked,
            });
            if last {
                return Ok(bulks);
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Fails unless each token was ended once, and by the first bulk revocation that began after the
/// token's creation had returned, if not before.
fn none_was_missed(made: &[Made], bulks: &[Bulk]) -> Check {
    let mut revoked = BTreeMap::new();
    for bulk in bulks {
        for id in &bulk.revoked {
            let other = revoked.insert(*id, bulk);
            ensure(other.is_none(), "a token was revoked twice")?;
        }
    }
    for token in made {
        let due = bulks.partition_point(|bulk| bulk.before < token.created);
        let due = bulks
            .get(due)
            .ok_or_else(|| Failure::new("no bulk revocation after the last token"))?;
        let in_time = match (revoked.remove(&token.id), token.rotated) {
            (Some(by), None) => by.before <= due.before,
            (None, Some(rotation)) => rotation < due.after,
            (Some(_), Some(_)) => return Err(Failure::new("a token was rotated and revoked")),
            (None, None) => false,
        };
        ensure(
            in_time,
            "a bulk revocation missed a token whose creation had returned before it began",
        )?;
    }
    ensure(revoked.is_empty(), "a token was revoked that nobody made")
}

async fn bulk_revoke_misses_no_finished_create(ctx: Context) -> Check {
    let scene = Scene::new(&ctx)?;
    let mut makers = Vec::new();
    for _ in 0..MAKERS {
        let records: Check<Vec<_>> = (0..40).map(|_| ctx.record("ada")).collect();
        let (records, scene) = (records?, scene.clone());
        makers.push(async move {
            let mut made = Vec::new();
            for record in records {
                let id = record.id;
                scene.driver.create(record).await?;
                made.push(scene.made(id));
            }
            Ok(made)
        });
    }
    let (made, bulks) = scene.play(makers).await?;
    none_was_missed(&made, &bulks)
}

async fn bulk_revoke_misses_no_finished_create_many(ctx: Context) -> Check {
    let scene = Scene::new(&ctx)?;
    let mut makers = Vec::new();
    for _ in 0..MAKERS {
        let records: Check<Vec<_>> = (0..100).map(|_| ctx.record("ada")).collect();
        let (records, scene) = (records?, scene.clone());
        makers.push(async move {
            let mut made = Vec::new();
            for batch in records.chunks(10) {
                for answer in scene.driver.create_many(batch.to_vec()).await? {
                    answer?;
                }
                made.extend(batch.iter().map(|record| scene.made(record.id)));
            }
            Ok(made)
        });
    }
    let (made, bulks) = scene.play(makers).await?;
    none_was_missed(&made, &bulks)
}

/// Each token is in the answer of one call, whichever anchor the calls go by.
async fn concurrent_bulk_revokes_share_out_the_tokens(ctx: Context) -> Check {
    let mut tokens = BTreeSet::new();
    let mut batch = Vec::new();
    for number in 0..400 {
        let tenant = ["engines", "looms"][number % 2];
        let record = ctx.record("ada")?.with_tenant(tenant)?;
        tokens.insert(record.id);
        batch.push(record);
    }
    for answer in ctx.driver().create_many(batch).await? {
        answer?;
    }
    let filters = [
        TokenFilter::new().with_user("ada")?,
        TokenFilter::new().with_tenant("engines")?,
        TokenFilter::new()
            .with_tenant("engines")?
            .with_user("ada")?,
    ];
    let calls = (0..24).map(|number| {
        let (driver, filter) = (ctx.driver(), filters[number % filters.len()].clone());
        async move { Ok(driver.delete_tokens(&filter).await?) }
    });
    let answers = all_at_once(calls.collect()).await?;
    let mut revoked = BTreeSet::new();
    for id in answers.into_iter().flatten() {
        ensure(revoked.insert(id), "a token was revoked twice")?;
    }
    same(&revoked, &tokens, "the tokens revoked")
}

/// Families that rotate on and on, beside bulk revocation: whatever rotation had returned before a
/// bulk revocation began is not active after it, and in the end nothing is.
async fn no_successor_escapes_bulk_revoke(ctx: Context) -> Check {
    let scene = Scene::new(&ctx)?;
    let mut makers = Vec::new();
    for _ in 0..MAKERS {
        let records: Check<Vec<_>> = (0..40).map(|_| ctx.record("ada")).collect();
        makers.push(families(scene.clone(), records?));
    }
    let (made, bulks) = scene.play(makers).await?;
    none_was_missed(&made, &bulks)?;
    for token in &made {
        let found = scene.driver.get(&token.id).await;
        fails(found, NotFound, "get after all was revoked")?;
    }
    let active = scene.driver.list_all(&scene.filter).await?;
    same(&active, &vec![], "the active tokens in the end")
}

/// Rotates a token for as long as it goes, then begins a new family, until the records are used up.
async fn families(scene: Scene, records: Vec<TokenRecord>) -> Check<Vec<Made>> {
    let mut made: Vec<Made> = Vec::new();
    let mut lives = false;
    for record in records {
        let id = record.id;
        let Some(current) = made.last_mut().filter(|_| lives) else {
            scene.driver.create(record).await?;
            made.push(scene.made(id));
            lives = true;
            continue;
        };
        let before = scene.moments.next();
        match scene.driver.rotate(&current.id, record).await? {
            Rotation::Rotated => {
                current.rotated = Some(before);
                made.push(scene.made(id));
            }
            Rotation::AlreadyUsed { successor, .. } => {
                same(
                    &successor,
                    &None,
                    "the successor of a token revoked in bulk",
                )?;
                let found = scene.driver.get(&id).await;
                fails(found, NotFound, "get of a refused successor")?;
                lives = false;
            }
        }
    }
    Ok(made)
}
