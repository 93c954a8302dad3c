//! What holds for every server of a store.

use std::sync::{Arc, OnceLock};

use super::acknowledgement::Acknowledgement;
use super::dial::Dialer;

/// What holds for every server of a store.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) dialer: Arc<Dialer>,
    /// How many connections to each are shared.
    pub(super) connections: u32,
    /// What writes wait for beside their answer; set when the servers were asked what they offer.
    pub(super) acknowledgement: OnceLock<Acknowledgement>,
    /// Whether acknowledged writes have to be on disk.
    pub(super) is_durable: bool,
}

impl Terms {
    pub(super) fn new(dialer: Dialer, connections: u32, is_durable: bool) -> Arc<Self> {
        Arc::new(Self {
            dialer: Arc::new(dialer),
            connections: connections.max(1),
            acknowledgement: OnceLock::new(),
            is_durable,
        })
    }
}
