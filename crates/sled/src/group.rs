//! A group of writes that go to the disk together.

use std::collections::HashMap;
use std::sync::Arc;

use tokenkeep_core::{
    Error, ErrorKind, Limits, Replacement, Result, Rotation, Timestamp, TokenFilter, TokenId,
    TokenRecord, TokenState,
};
use tokenkeep_layout::{Change, Key, Sequence, Stored, create, remove, replace, revoke};

use crate::disk::Disk;
use crate::job::{Answer, Caller, Failed, Short};
use crate::namespace::{Namespace, Pending};

/// The writes decided so far, one after the other as if each were alone, and their answers.
#[derive(Default)]
pub(crate) struct Group {
    parts: Vec<Part>,
    answers: Vec<Answer>,
    bytes: usize,
}

/// What a group changes in one namespace: one batch of sled's, which is atomic.
struct Part {
    namespace: Arc<Namespace>,
    changes: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// The records that were looked at, as they were before the group: no record changes unseen.
    before: Pending,
    /// The last revocation of this group.
    revoked: Option<Sequence>,
    /// Tokens that took another's place.
    successors: Vec<TokenId>,
}

impl Group {
    /// More bytes than this are left for the next group, so that no group takes long.
    const MAX_BYTES: usize = 1024 * 1024;
    /// A slice of a long call leaves the rest of the group to short calls.
    const MAX_SLICE_BYTES: usize = Self::MAX_BYTES / 4;

    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= Self::MAX_BYTES
    }

    pub(crate) fn answer(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// One namespace as it is with the group's changes.
    pub(crate) fn view<'a>(
        &'a mut self,
        caller: &Caller,
        disk: &'a mut Disk,
        limits: &'a Limits,
    ) -> View<'a> {
        let known = |part: &Part| Arc::ptr_eq(&part.namespace, &caller.namespace);
        let index = self.parts.iter().position(known).unwrap_or_else(|| {
            self.parts.push(Part {
                namespace: Arc::clone(&caller.namespace),
                changes: HashMap::new(),
                before: Pending::new(),
                revoked: None,
                successors: Vec::new(),
            });
            self.parts.len() - 1
        });
        View {
            part: &mut self.parts[index],
            bytes: &mut self.bytes,
            disk,
            now: caller.clock.now(),
            limits,
        }
    }

    /// Applies all changes; tells whether there were any.
    pub(crate) fn apply(&mut self) -> Result<bool> {
        self.parts.retain(|part| !part.changes.is_empty());
        for part in &mut self.parts {
            part.namespace.hold(std::mem::take(&mut part.before));
            let mut batch = sled::Batch::default();
            for (key, value) in part.changes.drain() {
                match value {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            part.namespace.apply(batch)?;
        }
        Ok(!self.parts.is_empty())
    }

    /// The tokens of one namespace that took another's place with this group.
    pub(crate) fn successors(&self, namespace: &Arc<Namespace>) -> &[TokenId] {
        let part = self
            .parts
            .iter()
            .find(|part| Arc::ptr_eq(&part.namespace, namespace));
        part.map_or(&[], |part| &part.successors)
    }

    /// Lets all readers see what the group wrote, then answers all callers.
    ///
    /// What a failed group wrote is never shown: nobody knows whether it is on the disk.
    pub(crate) fn finish(self, failed: Option<&Failed>) {
        if failed.is_none() {
            for part in &self.parts {
                part.namespace.settle();
                if let Some(last) = part.revoked {
                    part.namespace.applied(last);
                }
            }
        }
        for answer in self.answers {
            answer(failed);
        }
    }
}

/// One namespace as it is with the group's changes, at one instant.
pub(crate) struct View<'a> {
    part: &'a mut Part,
    bytes: &'a mut usize,
    disk: &'a mut Disk,
    now: Timestamp,
    limits: &'a Limits,
}

impl View<'_> {
    /// Decides a write; its answer waits for the group.
    pub(crate) fn decide(&mut self, short: Short) -> Answer {
        match short {
            Short::Create(record, reply) => reply.after_commit(self.create(record)),
            Short::Delete(id, reply) => reply.after_commit(self.delete(&id)),
            Short::Replace(change, version, reply) => {
                reply.after_commit(self.replace(change, version))
            }
            Short::Rotate(old, record, reply) => reply.after_commit(self.rotate(&old, record)),
        }
    }

    /// Tells whether a slice has changed as much as it may.
    pub(crate) const fn is_slice_full(&self) -> bool {
        *self.bytes >= Group::MAX_SLICE_BYTES
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.part.namespace
    }

    pub(crate) fn create(&mut self, record: TokenRecord) -> Result<()> {
        record.check_new(self.limits)?;
        let leftover = self.find(&record.id)?;
        if let Some(leftover) = &leftover
            && !leftover.record().is_expired(self.now)
        {
            return Err(Error::already_exists());
        }
        self.change(create(record, leftover.as_ref()));
        Ok(())
    }

    fn delete(&mut self, id: &TokenId) -> Result<()> {
        let found = self.find_active(id)?;
        self.revoke(&found, None)
    }

    fn replace(&mut self, change: Replacement, expected: u64) -> Result<u64> {
        let Replacement {
            id,
            expires_at,
            data,
        } = change;
        self.limits.check_data(&data)?;
        let found = self.find_active(&id)?;
        let version = found.record().version;
        if version != expected {
            return Err(Error::conflict(expected, version));
        }
        self.change(replace(&found, expires_at, data));
        Ok(version + 1)
    }

    fn rotate(&mut self, old: &TokenId, successor: TokenRecord) -> Result<Rotation> {
        let found = self
            .find(old)?
            .filter(|found| !found.record().is_expired(self.now))
            .ok_or_else(Error::not_found)?;
        if let TokenState::Revoked { at, successor } = found.record().state {
            return Ok(Rotation::AlreadyUsed { at, successor });
        }
        if successor.id == *old {
            successor.check_new(self.limits)?;
            let problem = "has the id of the old token";
            return Err(Error::invalid_input("successor", problem));
        }
        let id = successor.id;
        // Whatever can fail comes before the first change.
        let number = self.number()?;
        self.create(successor)?;
        self.revoke_as(number, &found, Some(id));
        self.part.successors.push(id);
        Ok(Rotation::Rotated)
    }

    /// Revokes a token if it is active and matches; tells whether it did.
    pub(crate) fn revoke_if(&mut self, id: &TokenId, filter: &TokenFilter) -> Result<bool> {
        let now = self.now;
        let wanted =
            |found: &Stored| found.record().is_active(now) && filter.matches(found.record());
        match self.find(id)?.filter(wanted) {
            Some(found) => self.revoke(&found, None).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes all entries of a token that has expired.
    pub(crate) fn remove_expired(&mut self, id: &TokenId) -> Result<()> {
        let found = self
            .find(id)?
            .filter(|found| found.record().is_expired(self.now))
            .ok_or_else(|| {
                let place = format!("the order of expiry, token {id}");
                Error::corrupt(place, "has no expired record")
            })?;
        self.change(remove(&found));
        Ok(())
    }

    fn revoke(&mut self, found: &Stored, successor: Option<TokenId>) -> Result<()> {
        let number = self.number()?;
        self.revoke_as(number, found, successor);
        Ok(())
    }

    fn revoke_as(&mut self, number: Sequence, found: &Stored, successor: Option<TokenId>) {
        self.part.revoked = Some(number);
        self.change(revoke(found, self.now, successor, number));
    }

    /// The number of the next revocation.
    fn number(&mut self) -> Result<Sequence> {
        let last = match self.part.revoked {
            Some(last) => last,
            None => self.part.namespace.numbered(self.disk)?,
        };
        last.next()
    }

    fn find_active(&mut self, id: &TokenId) -> Result<Stored> {
        self.find(id)?
            .filter(|found| found.record().is_active(self.now))
            .ok_or_else(Error::not_found)
    }

    fn find(&mut self, id: &TokenId) -> Result<Option<Stored>> {
        match self.part.changes.get(Key::record(id).as_slice()) {
            Some(Some(value)) => Stored::decode(id, value).map(Some),
            Some(None) => Ok(None),
            None => {
                let value = self.part.namespace.record(id).inspect_err(|error| {
                    // sled that cannot read will not write either, and its memory is not to be
                    // trusted.
                    if error.kind() == ErrorKind::Unavailable {
                        self.disk.fail(error);
                    }
                })?;
                self.part.before.insert(*id, value.clone());
                value.map(|value| Stored::decode(id, &value)).transpose()
            }
        }
    }

    fn change(&mut self, changes: Vec<Change>) {
        for Change { key, value } in changes {
            *self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            self.part.changes.insert(key, value);
        }
    }
}
