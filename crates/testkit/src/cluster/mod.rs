//! A Redis Cluster.

mod reshard;
mod start;
mod view;

pub use reshard::Step;

use crate::error::{Error, Result};
use crate::ports::Port;
use crate::processes;
use crate::replication::{self, PAUSE};
use crate::server::{Server, credentials};
use view::View;

/// How many slots there are.
const SLOTS: u16 = 16_384;

/// Masters that share the slots among themselves evenly, each with a replica or without.
///
/// # Behavior
///
/// - Each node is a server with the accounts of [`Server::redis`], at 127.0.0.1.
/// - A master that is silent for a second is replaced by its replica within some three seconds;
///   one that comes back becomes a replica. Without a replica its slots are down, and with them the
///   cluster.
/// - Each node can be frozen, killed and restarted by itself; [`wait_ok`](Self::wait_ok) waits for
///   what the others make of it. Redis makes a master that comes back with its slots wait two
///   seconds; nothing sets that.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Server>,
    /// The names that the nodes have among themselves, in the same order.
    ids: Vec<String>,
    _bus_ports: Vec<Port>,
}

impl Cluster {
    /// The nodes, whatever their parts are: at the start first the masters in the order of their
    /// slots, then their replicas in the same order.
    #[must_use]
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// The store URL of a namespace: `redis+cluster://USER:PASSWORD@NODE,NODE,NODE` with
    /// `?namespace=NAMESPACE`, where the nodes are the first three.
    #[must_use]
    pub fn url(&self, namespace: &str) -> String {
        let seeds: Vec<_> = self.nodes.iter().take(3).map(Server::address).collect();
        let (account, seeds) = (credentials(), seeds.join(","));
        format!("redis+cluster://{account}@{seeds}?namespace={namespace}")
    }

    /// The masters that have slots, as the first node that answers sees them.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if no node answers within a minute.
    pub fn masters(&self) -> Result<Vec<&Server>> {
        let owners = self.any_view()?.into_owners();
        Ok(owners.iter().filter_map(|(id, _)| self.node(id)).collect())
    }

    /// The master of a slot, as the first node that answers sees it.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if no node answers within a minute or the slot has no master.
    pub fn master_of_slot(&self, slot: u16) -> Result<&Server> {
        self.any_view()?
            .master_of(slot)
            .and_then(|id| self.node(id))
            .ok_or_else(|| Error::failed(format_args!("slot {slot} has no master")))
    }

    /// The replica of a master, as the first node that answers sees it; the first of several.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if no node answers within a minute or the master has no replica.
    pub fn replica_of(&self, master: &Server) -> Result<&Server> {
        self.any_view()?
            .replica_of(self.id(master)?)
            .and_then(|id| self.node(id))
            .ok_or_else(|| Error::failed("it has no replica"))
    }

    /// Makes a replica the master of its master's slots while that lives; returns when all is in
    /// order again.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if that does not come about within a minute.
    pub fn failover(&self, replica: &Server) -> Result<()> {
        let id = self.id(replica)?;
        replica.command(&["CLUSTER", "FAILOVER"])?;
        processes::until_every(PAUSE, "the replica to take over", || {
            View::of(replica).is_ok_and(|view| view.has_slots(id))
        })?;
        self.wait_ok()
    }

    /// Waits until another node than this has taken over its slots, and all is in order: after it
    /// was killed or frozen.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if that does not come about within a minute.
    pub fn wait_for_successor(&self, lost: &Server) -> Result<()> {
        let id = self.id(lost)?;
        processes::until_every(PAUSE, "a replica to take over", || {
            let awake = self.nodes.iter().filter(|node| node.is_awake());
            awake
                .map(View::of)
                .all(|view| view.is_ok_and(|view| !view.has_slots(id)))
        })?;
        self.wait_ok()
    }

    /// Waits until all nodes that run, those that are frozen left out, are in order: each sees every
    /// slot at the same master, which is one of them, and replicas follow their masters.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if that does not come about within a minute.
    pub fn wait_ok(&self) -> Result<()> {
        let ok = || self.is_ok().unwrap_or(false);
        processes::until_every(PAUSE, "every slot to be served and replicas to follow", ok)
    }

    fn is_ok(&self) -> Result<bool> {
        let awake: Vec<_> = self.nodes.iter().filter(|node| node.is_awake()).collect();
        let ids: Vec<_> = awake.iter().filter_map(|node| self.id(node).ok()).collect();
        let mut owners = None;
        for node in &awake {
            let view = View::of(node)?;
            if !view.serves_all(&ids) || !view::says_ok(node)? {
                return Ok(false);
            }
            let seen = view.into_owners();
            if owners.get_or_insert_with(|| seen.clone()) != &seen {
                return Ok(false);
            }
        }
        replication::is_complete(&awake)
    }

    /// What the first node that answers knows; on a busy machine for a while none may.
    fn any_view(&self) -> Result<View> {
        let mut found = None;
        processes::until_every(PAUSE, "a node to answer", || {
            let mut awake = self.nodes.iter().filter(|node| node.is_awake());
            found = awake.find_map(|node| View::of(node).ok());
            found.is_some() || !self.nodes.iter().any(Server::is_awake)
        })?;
        found.ok_or_else(|| Error::failed("no node answers"))
    }

    fn node(&self, id: &str) -> Option<&Server> {
        let index = self.ids.iter().position(|other| other == id)?;
        self.nodes.get(index)
    }

    fn id(&self, node: &Server) -> Result<&str> {
        let known = self.nodes.iter().zip(&self.ids);
        known
            .into_iter()
            .find(|(other, _)| other.port() == node.port())
            .map(|(_, id)| id.as_str())
            .ok_or_else(|| Error::failed("the server is none of the cluster's"))
    }
}
