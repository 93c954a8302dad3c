//! Slots that move from one master to another.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Cluster;
use super::view::View;
use crate::engine::{ADMIN, ADMIN_PASSWORD};
use crate::error::Result;
use crate::processes;
use crate::replication::PAUSE;
use crate::server::Server;

/// How long one move of keys may take; between the servers in milliseconds.
const MOVE_BOUND: Duration = Duration::from_secs(20);
const MIGRATE_BOUND: &str = "10000";

/// How many keys are moved at a time when nobody looks.
const BATCH: &str = "100";

/// What has been done of a move of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The slot is open: from now on its master sends on who asks for a key that it has not.
    Opened(u16),
    /// One more key of the slot is at the new master.
    KeyMoved(u16),
    /// The slot belongs to the new master, as all running masters know.
    Closed(u16),
}

impl Cluster {
    /// Moves slots from their masters to this one, under whatever load there is.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) with what a node complained of.
    pub fn move_slots(&self, slots: RangeInclusive<u16>, to: &Server) -> Result<()> {
        self.wait_heard(to)?;
        slots
            .into_iter()
            .try_for_each(|slot| self.move_slot(slot, to, BATCH, &mut |_| {}))
    }

    /// As [`move_slots`](Self::move_slots), key by key, and calls back after each step: a test
    /// looks at what is half done, or makes it last.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`](crate::Error::Failed) with what a node complained of.
    pub fn move_slots_stepwise(
        &self,
        slots: RangeInclusive<u16>,
        to: &Server,
        mut step: impl FnMut(Step),
    ) -> Result<()> {
        self.wait_heard(to)?;
        slots
            .into_iter()
            .try_for_each(|slot| self.move_slot(slot, to, "1", &mut step))
    }

    /// Waits until a node has heard of all earlier moves. Else it may claim a slot with a lower number than its
    /// former master has for it, and take word of that, which is still on its way, for newer than its own: then
    /// each of the two says for ever that the slot is the other's.
    fn wait_heard(&self, to: &Server) -> Result<()> {
        let heard = || self.has_heard(to).unwrap_or(false);
        processes::until_every(
            PAUSE,
            "the slots' new master to hear of earlier moves",
            heard,
        )
    }

    fn has_heard(&self, to: &Server) -> Result<bool> {
        let view = View::of(to)?;
        for node in self.masters()?.into_iter().filter(|node| node.is_awake()) {
            let id = self.id(node)?;
            if View::of(node)?.epoch_of(id) != view.epoch_of(id) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn move_slot(
        &self,
        slot: u16,
        to: &Server,
        batch: &str,
        step: &mut dyn FnMut(Step),
    ) -> Result<()> {
        let from = self.master_of_slot(slot)?;
        if from.port() == to.port() {
            return Ok(());
        }
        let (source, target) = (self.id(from)?, self.id(to)?);
        let number = slot.to_string();
        // In this order: the other way a client could be sent on to a node that sends it back.
        to.command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", source])?;
        from.command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", target])?;
        step(Step::Opened(slot));
        while self.move_keys(&number, from, to, batch)? {
            step(Step::KeyMoved(slot));
        }
        self.close(&number, from, to)?;
        step(Step::Closed(slot));
        Ok(())
    }

    /// Moves some keys of a slot; tells whether there were any.
    fn move_keys(&self, slot: &str, from: &Server, to: &Server, count: &str) -> Result<bool> {
        let mut connection = from.connect(MOVE_BOUND)?;
        let keys = connection
            .call(&["CLUSTER", "GETKEYSINSLOT", slot, count])?
            .into_texts();
        if keys.is_empty() {
            return Ok(false);
        }
        let port = to.port().to_string();
        let words = [
            "MIGRATE",
            to.host(),
            &port,
            "",
            "0",
            MIGRATE_BOUND,
            "AUTH2",
            ADMIN,
            ADMIN_PASSWORD,
            "KEYS",
        ];
        let mut command: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        command.extend(keys);
        connection.call(&command)?;
        Ok(true)
    }

    /// Gives the slot to its new master; that learns of it first, so that no crash leaves nobody.
    fn close(&self, slot: &str, from: &Server, to: &Server) -> Result<()> {
        let owner = self.id(to)?;
        let command = ["CLUSTER", "SETSLOT", slot, "NODE", owner];
        to.command(&command)?;
        from.command(&command)?;
        let ends = [from.port(), to.port()];
        let others = self.masters()?;
        others
            .into_iter()
            .filter(|node| node.is_awake() && !ends.contains(&node.port()))
            .try_for_each(|node| node.command(&command).map(drop))
    }
}
