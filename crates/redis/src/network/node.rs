//! One server that holds data.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::Cmd;
use tokenkeep_backend::{Call, Outcome};

use super::dial::Dialer;
use super::link::Link;
use super::replies::Answer;
use crate::options::Address;

/// One server, and the ways to it that all calls share.
#[derive(Debug)]
pub(super) struct Node {
    address: Address,
    links: Vec<Link>,
    turn: AtomicUsize,
}

impl Node {
    pub(super) fn new(dialer: &Arc<Dialer>, address: Address, connections: u32) -> Self {
        let links = (0..connections.max(1))
            .map(|_| Link::new(Arc::clone(dialer), address.clone()))
            .collect();
        Self {
            address,
            links,
            turn: AtomicUsize::new(0),
        }
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a command and gives its answer.
    pub(super) async fn send(&self, call: &Call, command: &Cmd) -> Outcome<Answer> {
        self.link().send(call, command).await
    }

    /// Lets the next calls dial anew.
    pub(super) fn forget(&self) {
        for link in &self.links {
            link.forget();
        }
    }

    /// One of the ways, each in turn.
    fn link(&self) -> &Link {
        match self.links.as_slice() {
            [only] => only,
            links => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                &links[turn % links.len()]
            }
        }
    }
}
