//! One namespace: a tree of its own in the folder's database (R18).

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokenkeep_core::{Error, Result, StoreId, TokenId};
use tokenkeep_layout::{Generation, Key, KeyRange, Sequence, StoreHeader, Stored};

use crate::disk::Disk;
use crate::error::{Effect, from_sled};

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
    /// Whether a batch is being applied, which sled's `get` would wait for.
    applying: AtomicBool,
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
            applying: AtomicBool::new(false),
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

    /// Reads an entry without waiting for a batch that is being applied.
    ///
    /// Where several entries are read, this sees a batch in the middle: look at a record for what
    /// holds of its token, and take an index for a hint.
    pub(crate) fn read(&self, key: &[u8]) -> Result<Option<sled::IVec>> {
        if self.applying.load(Ordering::Acquire) {
            return read(&self.tree, key);
        }
        // Faster, but for the whole of a batch it waits.
        self.tree
            .get(key)
            .map_err(|error| from_sled(error, Effect::None))
    }

    pub(crate) fn find(&self, id: &TokenId) -> Result<Option<Stored>> {
        self.read(&Key::record(id))?
            .map(|value| Stored::decode(id, &value))
            .transpose()
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

    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<()> {
        self.applying.store(true, Ordering::Release);
        let applied = self.tree.apply_batch(batch);
        self.applying.store(false, Ordering::Release);
        applied.map_err(|error| from_sled(error, Effect::Unknown))
    }

    /// The last revocation that was numbered. The first time in a run a new generation is begun, on
    /// the disk before any number of it can be seen.
    pub(crate) fn numbered(&self, disk: &mut Disk) -> Result<Sequence> {
        let numbered = Sequence::from_u64(self.numbered.load(Ordering::Acquire));
        if numbered != Sequence::NONE {
            return Ok(numbered);
        }
        let generation = self.generation()?.next()?;
        insert(&self.tree, &Key::Generation, generation.encode())?;
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
    let found = tree.range(key..=key).next().transpose();
    let found = found.map_err(|error| from_sled(error, Effect::None))?;
    Ok(found.map(|(_, value)| value))
}

fn insert(tree: &sled::Tree, key: &Key, value: Vec<u8>) -> Result<()> {
    tree.insert(key.encode(), value)
        .map_err(|error| from_sled(error, Effect::Unknown))?;
    Ok(())
}
