//! The embedded backend: `sled:PATH`.

use std::collections::HashMap;
use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokenkeep_sled::{SledDurability, SledOptions, SledStore, WeakSledStore};
use tokio::task::spawn_blocking;

use super::take_limits;
use crate::{Clock, Error, ErrorKind, Result, StoreFactory, StoreUrl, TokenDriver};

/// Opens folders, and lets URLs that differ in their namespace alone share one.
///
/// A folder is kept open by the drivers on it, not by the factory, which remembers its name only.
#[derive(Default)]
pub(super) struct SledFactory {
    folders: Mutex<HashMap<PathBuf, Arc<Folder>>>,
}

/// Held while the folder is being opened, so that of two callers the second finds it open.
#[derive(Default)]
struct Folder(tokio::sync::Mutex<Option<(WeakSledStore, SledOptions)>>);

#[async_trait]
impl StoreFactory for SledFactory {
    async fn open(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
        let path = url.path()?;
        let place = spawn_blocking(move || canonical(&path))
            .await
            .map_err(|error| {
                let problem = "looking for the folder was cut short";
                Error::new(ErrorKind::Internal, problem).with_source(error)
            })?;
        let (options, namespace) = read(url, &place)?;
        let store = self.folder(place).open(options, Arc::clone(&clock)).await?;
        let store = store.ok_or_else(|| {
            url.fault("is open already with other options; the namespace alone may differ")
        })?;
        Ok(Arc::new(store.driver_with_clock(&namespace, clock).await?))
    }
}

impl SledFactory {
    fn folder(&self, place: PathBuf) -> Arc<Folder> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(folders.entry(place).or_default())
    }
}

impl Folder {
    /// The store; none if it is open with other options.
    async fn open(&self, options: SledOptions, clock: Arc<dyn Clock>) -> Result<Option<SledStore>> {
        let mut known = self.0.lock().await;
        if let Some((store, with)) = &*known
            && let Some(store) = store.upgrade()
        {
            return Ok((*with == options.with_create(true)).then_some(store));
        }
        let store = SledStore::open(options.clone(), clock).await?;
        // Once it is open, whether it might have been made plays no part.
        *known = Some((store.downgrade(), options.with_create(true)));
        Ok(Some(store))
    }
}

/// The options of the store in this folder, and the namespace, which is apart.
fn read(url: &StoreUrl, place: &Path) -> Result<(SledOptions, String)> {
    let mut options = SledOptions::new(place);
    let mut given = url.options();
    let namespace = match given.text("namespace") {
        Some(namespace) => namespace.to_string(),
        None => options.namespace().to_owned(),
    };
    let durabilities = [
        ("sync", SledDurability::Sync),
        ("relaxed", SledDurability::Relaxed),
    ];
    if let Some(durability) = given.choice("durability", &durabilities)? {
        options = options.with_durability(durability);
    }
    if let Some(create) = given.choice("create", &[("true", true), ("false", false)])? {
        options = options.with_create(create);
    }
    if let Some(timeout) = given.duration("timeout")? {
        options = options.with_timeout(timeout);
    }
    if let Some(bytes) = given.integer("cache_capacity")? {
        options = options.with_cache_capacity(bytes);
    }
    options = options.with_limits(take_limits(&mut given)?);
    given.finish()?;
    Ok((options, namespace))
}

/// The folder's one name, as far as it exists already.
fn canonical(path: &Path) -> PathBuf {
    let in_parent = || {
        let parent = path.parent()?.canonicalize().ok()?;
        Some(parent.join(path.file_name()?))
    };
    path.canonicalize()
        .ok()
        .or_else(in_parent)
        .or_else(|| absolute(path).ok())
        .unwrap_or_else(|| path.to_owned())
}
