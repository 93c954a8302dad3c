//! Faults of `rotate`.

use async_trait::async_trait;
use libtest_mimic::Trial;
use tokenkeep_core::{
    Error, Page, PageRequest, Result, Rotation, TokenDriver, TokenDriverExt, TokenFilter, TokenId,
    TokenRecord,
};

use crate::fault::{Fault, Sound};
use crate::found_by;
use crate::notes::Notes;

pub(crate) fn faults() -> Vec<Trial> {
    vec![
        found_by::<RotateLooksThenWrites>("concurrency::one_of_100_concurrent_rotations_wins"),
        found_by::<RotateIsTwoWrites>("concurrency::a_dropped_rotate_is_whole_or_nothing"),
        found_by::<RotateKeepsTheOld>("contract::rotate_revokes_the_old_and_stores_the_new"),
        found_by::<RotateForgetsTheIndex>("contract::a_successor_takes_over_every_index"),
        found_by::<RotateForgetsTheIndex>("concurrency::no_successor_escapes_bulk_revoke"),
        found_by::<RotateTellsTheWrongSuccessor>("contract::rotate_again_answers_already_used"),
        found_by::<LosersLeaveTheirSuccessors>("concurrency::one_of_100_concurrent_rotations_wins"),
        found_by::<LosersLeaveTheirSuccessors>(
            "concurrency::random_calls_for_few_tokens_have_an_order",
        ),
        found_by::<RotateRevokesThenFails>("contract::rotate_to_a_taken_id_keeps_the_old"),
        found_by::<RotateOverwrites>("concurrency::one_of_many_rotations_to_one_successor_wins"),
    ]
}

/// Looks whether the old token is active, and writes both a moment later.
#[derive(Debug, Default)]
struct RotateLooksThenWrites;

#[async_trait]
impl Fault for RotateLooksThenWrites {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        if sound.driver.get(old).await.is_err() {
            return sound.driver.rotate(old, new).await;
        }
        sound.pause().await;
        sound.driver.rotate(old, new.clone()).await?;
        // The successor of a caller that was too late is stored all the same.
        let _ = sound.driver.create(new).await;
        Ok(Rotation::Rotated)
    }
}

/// First the revocation, then the successor, without a transaction round both.
#[derive(Debug, Default)]
struct RotateIsTwoWrites;

#[async_trait]
impl Fault for RotateIsTwoWrites {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        if sound.driver.delete(old).await.is_err() {
            return sound.driver.rotate(old, new).await;
        }
        sound.pause().await;
        sound.driver.create(new).await?;
        Ok(Rotation::Rotated)
    }
}

/// Both tokens are good.
#[derive(Debug, Default)]
struct RotateKeepsTheOld;

#[async_trait]
impl Fault for RotateKeepsTheOld {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        sound.driver.get(old).await?;
        sound.driver.create(new).await?;
        Ok(Rotation::Rotated)
    }
}

/// Writes the successor where `get` looks, and nowhere else.
#[derive(Debug, Default)]
struct RotateForgetsTheIndex(Notes);

#[async_trait]
impl Fault for RotateForgetsTheIndex {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        let successor = new.clone();
        let rotation = sound.driver.rotate(old, new).await?;
        if rotation == Rotation::Rotated {
            self.0.keep(&successor);
        }
        Ok(rotation)
    }

    async fn delete_tokens(&self, sound: &Sound, filter: &TokenFilter) -> Result<Vec<TokenId>> {
        let mut revoked = Vec::new();
        for token in sound.driver.list_all(filter).await? {
            if !self.0.has(&token.id) && sound.driver.delete(&token.id).await.is_ok() {
                revoked.push(token.id);
            }
        }
        Ok(revoked)
    }

    async fn list(
        &self,
        sound: &Sound,
        filter: &TokenFilter,
        page: &PageRequest,
    ) -> Result<Page<TokenRecord>> {
        let mut page = sound.driver.list(filter, page).await?;
        page.items.retain(|token| !self.0.has(&token.id));
        Ok(page)
    }
}

/// Tells a late caller of the successor that it brought itself.
#[derive(Debug, Default)]
struct RotateTellsTheWrongSuccessor;

#[async_trait]
impl Fault for RotateTellsTheWrongSuccessor {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        let id = new.id;
        match sound.driver.rotate(old, new).await? {
            Rotation::AlreadyUsed { at, .. } => Ok(Rotation::AlreadyUsed {
                at,
                successor: Some(id),
            }),
            rotated => Ok(rotated),
        }
    }
}

/// The successor is stored first, and stays when the old token turns out to be used.
#[derive(Debug, Default)]
struct LosersLeaveTheirSuccessors;

#[async_trait]
impl Fault for LosersLeaveTheirSuccessors {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        let rotation = sound.driver.rotate(old, new.clone()).await?;
        if rotation != Rotation::Rotated {
            sound.driver.create(new).await?;
        }
        Ok(rotation)
    }
}

/// The old token is gone before the successor's id turns out to be taken.
#[derive(Debug, Default)]
struct RotateRevokesThenFails;

#[async_trait]
impl Fault for RotateRevokesThenFails {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        let rotated = sound.driver.rotate(old, new).await;
        if rotated.is_err() {
            sound.driver.delete(old).await?;
        }
        rotated
    }
}

/// The successor takes its id from whoever has it.
#[derive(Debug, Default)]
struct RotateOverwrites;

#[async_trait]
impl Fault for RotateOverwrites {
    async fn rotate(&self, sound: &Sound, old: &TokenId, new: TokenRecord) -> Result<Rotation> {
        if new.id == *old {
            return Err(Error::invalid_input(
                "successor",
                "has the id of the old token",
            ));
        }
        sound.evict(&new.id).await;
        sound.driver.rotate(old, new).await
    }
}
