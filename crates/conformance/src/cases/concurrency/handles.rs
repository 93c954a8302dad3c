//! What one task or handle wrote, every other sees.

use std::sync::Arc;

use tokenkeep_core::ErrorKind::{AlreadyExists, NotFound};
use tokenkeep_core::{
    Error, Replacement, Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenRecord,
};
use tokio::sync::mpsc;

use super::at_once::{all_at_once, at_once, one_winner};
use crate::case::cases;
use crate::check::{Check, Failure, fails, same};
use crate::context::Context;

cases! { Concurrency:
    every_task_sees_a_finished_write [R4],
    every_handle_sees_a_finished_write [R4],
    two_handles_have_one_winner [R3 R6 R12],
}

/// What a writer tells of a token after a write has returned.
enum Told {
    Active(TokenRecord),
    Revoked(TokenRecord),
}

async fn every_task_sees_a_finished_write(ctx: Context) -> Check {
    let driver = ctx.driver();
    writes_are_seen(&ctx, [Arc::clone(&driver), driver]).await
}

/// The handles are what two nodes have.
async fn every_handle_sees_a_finished_write(ctx: Context) -> Check {
    let second = ctx.store.second_handle().await?;
    writes_are_seen(&ctx, [ctx.driver(), second]).await
}

/// Pairs of a writer and a reader, each on a handle of its own: the writer waits after each write
/// until the reader has looked. The other pairs are the load.
async fn writes_are_seen(ctx: &Context, handles: [Arc<dyn TokenDriver>; 2]) -> Check {
    let mut tasks = Vec::new();
    for number in 0..8 {
        let user = format!("user {number}");
        let records: Check<Vec<_>> = (0..20).map(|_| ctx.record(&user)).collect();
        let (teller, told) = mpsc::channel(1);
        let (looker, looked) = mpsc::channel(1);
        let writer = Writer {
            driver: Arc::clone(&handles[number % 2]),
            teller,
            looked,
        };
        let reader = Arc::clone(&handles[(number + 1) % 2]);
        let writing = tokio::spawn(writer.write(records?));
        let reading = tokio::spawn(read(reader, told, looker));
        tasks.push(async move {
            let ended = |error| Failure::new(format!("a task ended early: {error}"));
            // The reader first: when it fails, the writer fails too, because nobody looks.
            reading.await.map_err(ended)??;
            writing.await.map_err(ended)?
        });
    }
    all_at_once(tasks).await.map(drop)
}

struct Writer {
    driver: Arc<dyn TokenDriver>,
    teller: mpsc::Sender<Told>,
    looked: mpsc::Receiver<()>,
}

impl Writer {
    async fn write(mut self, records: Vec<TokenRecord>) -> Check {
        for pair in records.chunks(2) {
            let (mut token, successor) = (pair[0].clone(), pair[1].clone());
            self.driver.create(token.clone()).await?;
            self.tell(Told::Active(token.clone())).await?;
            token.data = "replaced".into();
            let change = Replacement {
                id: token.id,
                expires_at: token.expires_at,
                data: token.data.clone(),
            };
            token.version = self.driver.replace(change, token.version).await?;
            self.tell(Told::Active(token.clone())).await?;
            self.driver.rotate(&token.id, successor.clone()).await?;
            self.tell(Told::Revoked(token)).await?;
            self.tell(Told::Active(successor.clone())).await?;
            self.driver.delete(&successor.id).await?;
            self.tell(Told::Revoked(successor)).await?;
        }
        Ok(())
    }

    /// Tells the reader, and waits until it has looked.
    async fn tell(&mut self, what: Told) -> Check {
        let gone = || Failure::new("the reader is gone");
        self.teller.send(what).await.map_err(|_| gone())?;
        self.looked.recv().await.ok_or_else(gone)
    }
}

/// Looks at each token in every way there is.
async fn read(
    driver: Arc<dyn TokenDriver>,
    mut told: mpsc::Receiver<Told>,
    looker: mpsc::Sender<()>,
) -> Check {
    while let Some(told) = told.recv().await {
        let (token, active) = match &told {
            Told::Active(token) => (token, true),
            Told::Revoked(token) => (token, false),
        };
        let found = driver.get(&token.id).await;
        if active {
            same(&found?, token, "get of a token just written")?;
        } else {
            fails(found, NotFound, "get of a token just revoked")?;
        }
        let user = TokenFilter::new().with_user(&token.user_id)?;
        let listed = driver.list_all(&user).await?;
        same(&listed.contains(token), &active, "whether it is listed")?;
        let feed = driver.list_all_revoked().await?;
        let shown = feed.iter().any(|revoked| revoked.id == token.id);
        same(&shown, &!active, "whether the feed has it")?;
        looker
            .send(())
            .await
            .map_err(|_| Failure::new("the writer is gone"))?;
    }
    Ok(())
}

/// Callers on two handles contend as callers on one do: to create, to rotate and to delete a token.
async fn two_handles_have_one_winner(ctx: Context) -> Check {
    let handles = [ctx.driver(), ctx.store.second_handle().await?];
    let handle = |number: usize| Arc::clone(&handles[number % 2]);
    for round in 0..10 {
        let token = ctx.record(&format!("user {round}"))?;
        let creates = (0..20).map(|number| {
            let (driver, token) = (handle(number), token.clone());
            async move { driver.create(token).await }
        });
        let created = at_once(creates.collect()).await?;
        one_winner(&created, AlreadyExists, "concurrent creates")?;
        let mut rotations = Vec::new();
        for number in 0..20 {
            let (driver, old, successor) = (handle(number), token.id, ctx.record("successor")?);
            rotations.push(async move {
                let id = successor.id;
                Ok((driver.rotate(&old, successor).await?, id))
            });
        }
        let rotations = all_at_once(rotations).await?;
        let rotated = rotations
            .iter()
            .filter(|(end, _)| *end == Rotation::Rotated);
        let successors: Vec<_> = rotated.map(|(_, id)| *id).collect();
        same(&successors.len(), &1, "how many callers got `rotated`")?;
        let deletes = (0..20).map(|number| {
            let (driver, id) = (handle(number), successors[0]);
            async move { driver.delete(&id).await }
        });
        let deleted: Vec<Result<(), Error>> = at_once(deletes.collect()).await?;
        one_winner(&deleted, NotFound, "concurrent deletes")?;
    }
    Ok(())
}
