//! What a node knows of the cluster.

use std::ops::RangeInclusive;

use crate::error::Result;
use crate::replication::ASK_BOUND;
use crate::server::Server;

/// The nodes as one of them sees them.
#[derive(Debug)]
pub(super) struct View(Vec<Seen>);

#[derive(Debug)]
struct Seen {
    id: String,
    flags: String,
    master: String,
    epoch: String,
    slots: Vec<RangeInclusive<u16>>,
}

impl View {
    /// Asks the node.
    pub(super) fn of(node: &Server) -> Result<Self> {
        let answer = node.connect(ASK_BOUND)?.call(&["CLUSTER", "NODES"])?;
        let seen = answer.to_string().lines().filter_map(Seen::parse).collect();
        Ok(Self(seen))
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.0
            .iter()
            .any(|seen| seen.id == id && !seen.is("handshake"))
    }

    pub(super) fn master_of(&self, slot: u16) -> Option<&str> {
        let owner = self
            .0
            .iter()
            .find(|seen| seen.slots.iter().any(|slots| slots.contains(&slot)));
        owner.map(|seen| seen.id.as_str())
    }

    pub(super) fn replica_of(&self, master: &str) -> Option<&str> {
        let replica = self.0.iter().find(|seen| seen.master == master);
        replica.map(|seen| seen.id.as_str())
    }

    /// The age of what this node claims: of two claims to one slot the higher counts.
    pub(super) fn epoch_of(&self, id: &str) -> Option<&str> {
        let node = self.0.iter().find(|seen| seen.id == id);
        node.map(|seen| seen.epoch.as_str())
    }

    pub(super) fn has_slots(&self, id: &str) -> bool {
        self.0
            .iter()
            .any(|seen| seen.id == id && !seen.slots.is_empty())
    }

    /// Whether these nodes, and no other, serve the slots, and none of these seems lost.
    pub(super) fn serves_all(&self, ids: &[&str]) -> bool {
        let lost = |seen: &Seen| {
            ["fail", "fail?", "handshake", "noaddr"]
                .iter()
                .any(|flag| seen.is(flag))
        };
        ids.iter().all(|id| self.knows(id))
            && self.0.iter().all(|seen| {
                let ours = ids.contains(&seen.id.as_str());
                if ours {
                    !lost(seen)
                } else {
                    seen.slots.is_empty()
                }
            })
    }

    /// Who has which slots.
    pub(super) fn into_owners(self) -> Vec<(String, Vec<RangeInclusive<u16>>)> {
        let mut owners: Vec<_> = self
            .0
            .into_iter()
            .filter(|seen| !seen.slots.is_empty())
            .map(|seen| (seen.id, seen.slots))
            .collect();
        owners.sort_by(|(one, _), (other, _)| one.cmp(other));
        owners
    }
}

impl Seen {
    /// `ID ADDRESS FLAGS MASTER PING PONG EPOCH LINK SLOTS...`, where slots that move are in
    /// brackets.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split(' ').collect();
        Some(Self {
            id: (*fields.first()?).to_owned(),
            flags: (*fields.get(2)?).to_owned(),
            master: (*fields.get(3)?).to_owned(),
            epoch: (*fields.get(6)?).to_owned(),
            slots: fields
                .get(8..)
                .unwrap_or_default()
                .iter()
                .filter_map(|slots| range(slots))
                .collect(),
        })
    }

    fn is(&self, flag: &str) -> bool {
        self.flags.split(',').any(|other| other == flag)
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// Whether the node serves all slots.
pub(super) fn says_ok(node: &Server) -> Result<bool> {
    let answer = node.connect(ASK_BOUND)?.call(&["CLUSTER", "INFO"])?;
    let answer = answer.to_string();
    let is = |wanted: &str| answer.lines().any(|line| line.trim_end() == wanted);
    Ok(is("cluster_state:ok") && is("cluster_slots_ok:16384"))
}
