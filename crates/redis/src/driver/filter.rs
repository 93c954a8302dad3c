//! A filter as the scripts take it.

use tokenkeep_core::{Anchor, Text, TokenFilter};

use crate::keys;
use crate::record::instant;

/// What selects tokens: the index to walk, and what each of its tokens has to meet.
#[derive(Debug)]
pub(super) struct Selection {
    /// The index's name behind its shard's prefix.
    pub(super) index: String,
    conditions: [Vec<u8>; Self::CONDITIONS],
}

impl Selection {
    const CONDITIONS: usize = 8;

    /// The selection by a filter, which leads to an index at this anchor.
    pub(super) fn new(filter: &TokenFilter, (anchor, text): (Anchor, &Text)) -> Self {
        let [trust, user, consumer, tenant, domain] =
            Anchor::ALL.map(|anchor| anchor.wanted(filter));
        let bytes = |text: Option<&Text>| text.map_or(Vec::new(), |text| text.as_bytes().to_vec());
        let issued_before = filter.issued_before.map(instant);
        Self {
            index: keys::index(anchor, text),
            conditions: [
                bytes(trust),
                bytes(user),
                bytes(consumer),
                bytes(tenant),
                bytes(domain),
                bytes(filter.audit_id.as_ref()),
                bytes(filter.audit_chain_id.as_ref()),
                issued_before.map_or(Vec::new(), |at| at.to_vec()),
            ],
        }
    }

    /// The last arguments of a script that has a filter.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &[u8]> {
        self.conditions.iter().map(Vec::as_slice)
    }
}
