//! A task that makes random calls and notes what they say of which token.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use tokenkeep_core::ErrorKind::{AlreadyExists, Conflict, NotFound};
use tokenkeep_core::{
    Error, ErrorKind, PageRequest, Replacement, Rotation, TokenDriver, TokenFilter, TokenId,
    TokenRecord,
};

use super::super::moments::Moments;
use super::life::{Event, Said};
use crate::check::{Check, Failure, fails, same};
use crate::context::Context;
use crate::random::Random;

/// What a caller may do; all but the last are calls of the driver.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Create,
    CreateMany,
    Get,
    Delete,
    Replace,
    Rotate,
    DeleteTokens,
    List,
    Flush,
    /// Puts an id that nobody has used yet in place of another.
    Renew,
}

/// What a call said, of one token or of all tokens of a user.
pub(super) enum Noted {
    One {
        id: TokenId,
        user: usize,
        event: Event,
    },
    /// The successor of a rotation that was refused.
    Refused { id: TokenId },
    /// A call that says of every token of the user not named that it is not active.
    Bulk {
        user: usize,
        before: u64,
        after: u64,
        said: BTreeMap<TokenId, Said>,
    },
}

/// How many users the tokens are for.
const USERS: usize = 2;

/// What the callers share: the ids that they call for at present, in slots.
#[derive(Clone)]
pub(super) struct Scene {
    driver: Arc<dyn TokenDriver>,
    pub(super) moments: Moments,
    slots: Arc<Mutex<Vec<TokenId>>>,
    users: [String; USERS],
}

impl Scene {
    pub(super) fn new(ctx: &Context, slots: usize, seed: u64) -> Self {
        Self {
            driver: ctx.driver(),
            moments: Moments::default(),
            slots: Arc::new(Mutex::new((0..slots).map(|_| ctx.new_id()).collect())),
            users: [0, 1].map(|number| format!("user {number} of seed {seed}")),
        }
    }

    fn slot(&self, slot: usize) -> TokenId {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)[slot]
    }

    fn put(&self, slot: usize, id: TokenId) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)[slot] = id;
    }
}

/// What `get` said.
pub(super) fn found(found: Result<TokenRecord, Error>) -> Check<Said> {
    match found {
        Ok(token) => {
            let mark = std::str::from_utf8(&token.data).ok();
            let mark = mark.and_then(|mark| mark.parse().ok());
            let mark = mark.ok_or_else(|| Failure::new("a token has data that nobody wrote"))?;
            Ok(Said::Active(token.version, mark))
        }
        Err(error) => expected(error, NotFound, "get", Said::NotActive),
    }
}

fn expected(error: Error, kind: ErrorKind, what: &str, said: Said) -> Check<Said> {
    fails(Err::<(), _>(error), kind, what)?;
    Ok(said)
}

pub(super) struct Caller {
    scene: Scene,
    random: Random,
    /// Records with ids of their own, one for each call that may need one.
    fresh: Vec<TokenRecord>,
    /// What tells this caller's marks from those of others.
    mark: u32,
    noted: Vec<Noted>,
}

impl Caller {
    pub(super) fn new(
        ctx: &Context,
        scene: Scene,
        number: usize,
        random: Random,
        calls: usize,
    ) -> Check<Self> {
        let fresh = (0..calls * 3).map(|_| ctx.record("nobody"));
        Ok(Self {
            scene,
            random,
            fresh: fresh.collect::<Check<_>>()?,
            mark: number as u32 * 10_000,
            noted: Vec::new(),
        })
    }

    pub(super) async fn call_all(mut self, calls: Vec<Call>) -> Check<Vec<Noted>> {
        for call in calls {
            // A driver that never waits would let each task do all its calls in one go.
            tokio::task::yield_now().await;
            let slots = self
                .scene
                .slots
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len();
            let slot = self.random.below(slots);
            match call {
                Call::Create => self.create(slot).await?,
                Call::CreateMany => self.create_many(slot, slots).await?,
                Call::Get => self.get(slot).await?,
                Call::Delete => self.delete(slot).await?,
                Call::Replace => self.replace(slot).await?,
                Call::Rotate => self.rotate(slot).await?,
                Call::DeleteTokens => self.delete_tokens(slot % USERS).await?,
                Call::List => self.list(slot % USERS).await?,
                Call::Flush => self.flush().await?,
                Call::Renew => {
                    let id = self.fresh(slot)?.id;
                    self.scene.put(slot, id);
                }
            }
        }
        Ok(self.noted)
    }

    /// A record that nobody has used yet, for the slot's user and with a mark of its own.
    fn fresh(&mut self, slot: usize) -> Check<TokenRecord> {
        let record = self.fresh.pop();
        let record = record.ok_or_else(|| Failure::new("more calls than records for them"))?;
        self.mark += 1;
        let user = TokenFilter::new().with_user(&self.scene.users[slot % USERS])?;
        Ok(TokenRecord {
            user_id: user.user_id.unwrap_or(record.user_id),
            data: self.mark.to_string().into(),
            ..record
        })
    }

    fn note(&mut self, id: TokenId, slot: usize, before: u64, said: Said) {
        let after = self.scene.moments.next();
        self.noted.push(Noted::One {
            id,
            user: slot % USERS,
            event: Event {
                before,
                after,
                said,
            },
        });
    }

    async fn create(&mut self, slot: usize) -> Check {
        let id = self.scene.slot(slot);
        let record = self.fresh(slot)?;
        let created = Said::Created(self.mark);
        let before = self.scene.moments.next();
        let said = match self.scene.driver.create(TokenRecord { id, ..record }).await {
            Ok(()) => created,
            Err(error) => expected(error, AlreadyExists, "create", Said::Taken)?,
        };
        self.note(id, slot, before, said);
        Ok(())
    }

    async fn create_many(&mut self, slot: usize, slots: usize) -> Check {
        let mut batch = Vec::new();
        let mut asked = Vec::new();
        for slot in [slot, (slot + 1) % slots] {
            let id = self.scene.slot(slot);
            let record = self.fresh(slot)?;
            asked.push((id, slot, Said::Created(self.mark)));
            batch.push(TokenRecord { id, ..record });
        }
        let before = self.scene.moments.next();
        let answers = self.scene.driver.create_many(batch).await?;
        same(&answers.len(), &asked.len(), "how many answers")?;
        for ((id, slot, created), answer) in asked.into_iter().zip(answers) {
            let said = match answer {
                Ok(()) => created,
                Err(error) => expected(error, AlreadyExists, "create_many", Said::Taken)?,
            };
            self.note(id, slot, before, said);
        }
        Ok(())
    }

    async fn get(&mut self, slot: usize) -> Check {
        let id = self.scene.slot(slot);
        let before = self.scene.moments.next();
        let said = found(self.scene.driver.get(&id).await)?;
        self.note(id, slot, before, said);
        Ok(())
    }

    async fn delete(&mut self, slot: usize) -> Check {
        let id = self.scene.slot(slot);
        let before = self.scene.moments.next();
        let said = match self.scene.driver.delete(&id).await {
            Ok(()) => Said::Revoked(None),
            Err(error) => expected(error, NotFound, "delete", Said::NotActive)?,
        };
        self.note(id, slot, before, said);
        Ok(())
    }

    /// Replaces version 1, 2 or 3, which may be the present one.
    async fn replace(&mut self, slot: usize) -> Check {
        let id = self.scene.slot(slot);
        let TokenRecord {
            expires_at, data, ..
        } = self.fresh(slot)?;
        let version = 1 + self.random.below(3) as u64;
        let change = Replacement {
            id,
            expires_at,
            data,
        };
        let before = self.scene.moments.next();
        let said = match self.scene.driver.replace(change, version).await {
            Ok(new) => {
                same(&new, &(version + 1), "the new version")?;
                Said::Replaced(version, self.mark)
            }
            Err(error) if error.kind() == Conflict => Said::Stale(version),
            Err(error) => expected(error, NotFound, "replace", Said::NotActive)?,
        };
        self.note(id, slot, before, said);
        Ok(())
    }

    /// Rotates to an id that nobody has used yet, which takes the slot if that succeeds.
    async fn rotate(&mut self, slot: usize) -> Check {
        let id = self.scene.slot(slot);
        let successor = self.fresh(slot)?;
        let (next, created) = (successor.id, Said::Created(self.mark));
        let before = self.scene.moments.next();
        let said = match self.scene.driver.rotate(&id, successor).await {
            Ok(Rotation::Rotated) => {
                self.note(next, slot, before, created);
                self.scene.put(slot, next);
                Said::Revoked(Some(next))
            }
            Ok(Rotation::AlreadyUsed { successor, .. }) => {
                self.noted.push(Noted::Refused { id: next });
                Said::Used(successor)
            }
            Err(error) => {
                self.noted.push(Noted::Refused { id: next });
                expected(error, NotFound, "rotate", Said::Absent)?
            }
        };
        self.note(id, slot, before, said);
        Ok(())
    }

    async fn delete_tokens(&mut self, user: usize) -> Check {
        let filter = TokenFilter::new().with_user(&self.scene.users[user])?;
        let before = self.scene.moments.next();
        let revoked = self.scene.driver.delete_tokens(&filter).await?;
        let after = self.scene.moments.next();
        let revoked = revoked.into_iter().map(|id| (id, Said::Revoked(None)));
        self.noted.push(Noted::Bulk {
            user,
            before,
            after,
            said: revoked.collect(),
        });
        Ok(())
    }

    /// Lists in short pages, so that calls of others come in between.
    async fn list(&mut self, user: usize) -> Check {
        let filter = TokenFilter::new().with_user(&self.scene.users[user])?;
        let before = self.scene.moments.next();
        let mut said = BTreeMap::new();
        let mut request = PageRequest::new(2)?;
        loop {
            let page = self.scene.driver.list(&filter, &request).await?;
            for token in page.items {
                said.insert(token.id, found(Ok(token))?);
            }
            if !page.more {
                break;
            }
            request = request.after(page.cursor);
            tokio::task::yield_now().await;
        }
        let after = self.scene.moments.next();
        self.noted.push(Noted::Bulk {
            user,
            before,
            after,
            said,
        });
        Ok(())
    }

    /// Nothing has expired, so nothing goes.
    async fn flush(&self) -> Check {
        let flushed = self.scene.driver.flush_expired(NonZeroU32::MIN).await?;
        same(&flushed.removed, &0, "how many tokens went")
    }
}
