//! The nodes of a Cluster, and which slots each of them owns.

use std::collections::HashMap;
use std::sync::Arc;

use super::Slot;
use super::node::Node;
use super::slots::{COUNT, Range};
use super::terms::Terms;
use crate::options::{Address, Host};

/// How many nodes are asked for the owners at the same time.
const MOST_ASKED: usize = 8;

/// The nodes of a Cluster, and which slots each of them owns.
#[derive(Debug)]
pub(super) struct Owners {
    terms: Arc<Terms>,
    nodes: HashMap<Host, Arc<Node>>,
    slots: Vec<Option<Arc<Node>>>,
}

impl Owners {
    pub(super) fn new(terms: &Arc<Terms>) -> Self {
        Self {
            terms: Arc::clone(terms),
            nodes: HashMap::new(),
            slots: vec![None; usize::from(COUNT)],
        }
    }

    /// The owner of a slot.
    pub(super) fn of(&self, slot: Slot) -> Option<Arc<Node>> {
        self.slots.get(usize::from(slot.0)).cloned().flatten()
    }

    /// The node at this place, which keeps its connections as long as it owns slots.
    pub(super) fn node(&mut self, host: &Host) -> Arc<Node> {
        if let Some(node) = self.nodes.get(host) {
            return Arc::clone(node);
        }
        let node = Arc::new(Node::new(&self.terms, Address::Tcp(host.clone())));
        self.nodes.insert(host.clone(), Arc::clone(&node));
        node
    }

    /// Notes the owner of one slot.
    pub(super) fn set(&mut self, slot: Slot, owner: &Arc<Node>) {
        if let Some(place) = self.slots.get_mut(usize::from(slot.0)) {
            *place = Some(Arc::clone(owner));
        }
    }

    /// Notes the owners of all slots, and forgets nodes that own none.
    pub(super) fn replace(&mut self, ranges: &[Range]) {
        self.slots.fill(None);
        for range in ranges {
            let owner = self.node(&range.master);
            let places = usize::from(range.first)..=usize::from(range.last);
            self.slots[places].fill(Some(owner));
        }
        self.nodes
            .retain(|host, _| ranges.iter().any(|range| range.master == *host));
    }

    /// All owners of slots, each once.
    pub(super) fn masters(&self) -> Vec<Arc<Node>> {
        let mut masters: Vec<Arc<Node>> = Vec::new();
        for owner in self.slots.iter().flatten() {
            if !masters
                .iter()
                .rev()
                .any(|master| Arc::ptr_eq(master, owner))
            {
                masters.push(Arc::clone(owner));
            }
        }
        masters
    }

    /// Whether every slot has an owner.
    pub(super) fn owns_all(&self) -> bool {
        self.slots.iter().all(Option::is_some)
    }

    /// Every node that is in doubt, and how many reasons there are.
    pub(super) fn doubts(&self) -> Vec<(Arc<Node>, u64)> {
        let nodes = self.nodes.values();
        nodes
            .filter(|node| node.doubt().is_raised())
            .map(|node| (Arc::clone(node), node.doubt().reasons()))
            .collect()
    }

    /// Some of the nodes that are known.
    pub(super) fn known(&self) -> Vec<Arc<Node>> {
        self.nodes.values().take(MOST_ASKED).cloned().collect()
    }
}
