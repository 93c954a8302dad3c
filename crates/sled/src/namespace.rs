//! One namespace: a tree of its own in the folder's database (R18).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use tokenkeep_core::{Anchor, Error, Result, StoreId, Text, TokenId};
use tokenkeep_layout::{Generation, Key, KeyRange, Sequence, StoreHeader, indexed};

use crate::disk::Disk;
use crate::error::{Effect, from_sled};
use crate::slices::token_of;

/// What stands before a namespace in the name of its tree, so that none is one of sled's own.
const TREE_PREFIX: &str = "ns:";

pub(crate) struct Namespace {
    name: String,
    tree: sled::Tree,
    store_id: StoreId,
    /// The last revocation that was numbered; none before the first of this run.
    numbered: AtomicU64,
    /// The last revocation whose entries can all be seen, and those of all before it.
    visible: AtomicU64,
    /// The records of the group that is being written, as they were before it.
    ///
    /// sled shows a batch before it is on the disk. Who saw a revocation then could see the token
    /// active again after a crash (R7), so until the group is durable its records are read here.
    pending: RwLock<Pending>,
}

pub(crate) type Pending = HashMap<TokenId, Option<sled::IVec>>;

/// A part of an index: tokens that may be under the anchor, in the order of their ids.
pub(crate) struct Stretch {
    pub(crate) tokens: BTreeMap<TokenId, Option<sled::IVec>>,
    /// Whether no more follow.
    pub(crate) is_last: bool,
}

impl fmt::Debug for Namespace {
    /// Without the tree, which would show all that it holds (R20).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Namespace {
    /// Opens a namespace, or makes it; for the writer alone.
    pub(crate) fn open(name: &str, db: &sled::Db, disk: &mut Disk) -> Result<Self> {
        let tree = db
            .open_tree(format!("{TREE_PREFIX}{name}"))
            .map_err(|error| from_sled(error, Effect::None))?;
        let header = match read(&tree, &Key::Store.encode())? {
            Some(value) => StoreHeader::decode(&value)?,
            None => make_header(&tree, disk)?,
        };
        let namespace = Self {
            name: name.to_owned(),
            tree,
            store_id: header.store_id,
            numbered: AtomicU64::new(Sequence::NONE.to_u64()),
            visible: AtomicU64::new(0),
            pending: RwLock::default(),
        };
        let next = namespace.generation()?.next()?;
        namespace.show(Sequence::before(next));
        Ok(namespace)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn store_id(&self) -> StoreId {
        self.store_id
    }

    /// Reads an entry that is no record.
    pub(crate) fn read(&self, key: &[u8]) -> Result<Option<sled::IVec>> {
        read(&self.tree, key)
    }

    /// Reads a record's value, as far as it is durable.
    ///
    /// An index may be ahead of the records: take it for a hint, and the record for what holds.
    pub(crate) fn record(&self, id: &TokenId) -> Result<Option<sled::IVec>> {
        // Held while sled is asked, so that no group can become pending in between.
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        self.durable(&pending, id)
    }

    fn durable(&self, pending: &Pending, id: &TokenId) -> Result<Option<sled::IVec>> {
        match pending.get(id) {
            Some(before) => Ok(before.clone()),
            // sled lets no read in while it applies a batch, which is why groups are small.
            None => read(&self.tree, &Key::record(id)),
        }
    }

    /// The next tokens under an anchor, with their records' values, all as of one instant and as far
    /// as they are durable.
    pub(crate) fn stretch(
        &self,
        anchor: Anchor,
        value: &Text,
        after: Option<&TokenId>,
        most: usize,
    ) -> Result<Stretch> {
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids = self
            .scan(indexed(anchor, value, after))
            .map(|entry| token_of(&entry?.0));
        let mut tokens = BTreeMap::new();
        for id in ids.by_ref().take(most) {
            let id = id?;
            tokens.insert(id, self.durable(&pending, &id)?);
        }
        let is_last = ids.next().transpose()?.is_none();
        let last = tokens.last_key_value().map(|(id, _)| *id);
        // The group that is being written may have taken tokens out of the index.
        let hidden = pending.iter().filter(|(id, before)| {
            let is_in_reach = is_last || last.is_some_and(|last| **id <= last);
            before.is_some() && after.is_none_or(|after| *id > after) && is_in_reach
        });
        for (id, before) in hidden {
            tokens.entry(*id).or_insert_with(|| before.clone());
        }
        Ok(Stretch { tokens, is_last })
    }

    /// The entries of a range, in order.
    pub(crate) fn scan(
        &self,
        range: KeyRange,
    ) -> impl Iterator<Item = Result<(Key, sled::IVec)>> + use<> {
        self.tree.range::<Vec<u8>, _>(range).map(|entry| {
            let (key, value) = entry.map_err(|error| from_sled(error, Effect::None))?;
            Ok((Key::parse(&key)?, value))
        })
    }

    /// Shows these records, until [`settle`](Self::settle), as they were before a batch.
    pub(crate) fn hold(&self, before: Pending) {
        *self.pending.write().unwrap_or_else(PoisonError::into_inner) = before;
    }

    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<()> {
        self.tree
            .apply_batch(batch)
            .map_err(|error| from_sled(error, Effect::Unknown))
    }

    /// Shows the records as the last batch left them.
    pub(crate) fn settle(&self) {
        self.pending
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The last revocation that was numbered. The first time in a run a new generation is begun, on
    /// the disk before any number of it can be seen.
    pub(crate) fn numbered(&self, disk: &mut Disk) -> Result<Sequence> {
        let numbered = Sequence::from_u64(self.numbered.load(Ordering::Acquire));
        if numbered != Sequence::NONE {
            return Ok(numbered);
        }
        let generation = self.generation()?.next()?;
        insert(&self.tree, &Key::Generation, generation.encode())
            .inspect_err(|error| disk.fail(error))?;
        disk.flush()?;
        let numbered = Sequence::before(generation);
        self.numbered.store(numbered.to_u64(), Ordering::Release);
        Ok(numbered)
    }

    /// Notes that all revocations up to this one were applied.
    pub(crate) fn applied(&self, last: Sequence) {
        self.numbered.store(last.to_u64(), Ordering::Release);
        self.show(last);
    }

    /// The last revocation that a feed may show: no earlier one can appear after it.
    pub(crate) fn visible(&self) -> Sequence {
        Sequence::from_u64(self.visible.load(Ordering::Acquire))
    }

    fn show(&self, last: Sequence) {
        self.visible.store(last.to_u64(), Ordering::Release);
    }

    fn generation(&self) -> Result<Generation> {
        self.read(&Key::Generation.encode())?
            .map_or(Ok(Generation::default()), |value| {
                Generation::decode(&value)
            })
    }
}

fn make_header(tree: &sled::Tree, disk: &mut Disk) -> Result<StoreHeader> {
    if !tree.is_empty() {
        return Err(Error::corrupt(
            "entry 6d73",
            "is missing: the namespace does not say what it is",
        ));
    }
    let header = StoreHeader {
        store_id: StoreId::generate(),
    };
    insert(tree, &Key::Store, header.encode())?;
    disk.flush()?;
    Ok(header)
}

fn read(tree: &sled::Tree, key: &[u8]) -> Result<Option<sled::IVec>> {
    tree.get(key)
        .map_err(|error| from_sled(error, Effect::None))
}

fn insert(tree: &sled::Tree, key: &Key, value: Vec<u8>) -> Result<()> {
    tree.insert(key.encode(), value)
        .map_err(|error| from_sled(error, Effect::Unknown))?;
    Ok(())
}
