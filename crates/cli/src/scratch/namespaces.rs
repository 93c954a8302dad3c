//! New namespaces of a server for one run.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenkeep::{Registry, Result, StoreUrl};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::session::is_redis;

/// How many are removed at once.
const AT_ONCE: u32 = 4;

/// A script that takes away every key of the namespaces that it is given.
const UNLINK: &str = "for _, name in ipairs(ARGV) do \
                      for _, key in ipairs(redis.call('KEYS', name .. ':*')) do \
                      redis.call('UNLINK', key) end end";

/// The namespaces that a run may have made and not removed yet.
#[derive(Clone)]
pub(crate) struct Namespaces {
    registry: Registry,
    expected: Arc<Mutex<Vec<StoreUrl>>>,
    /// Each removal takes one; that of all takes all, so that none is removed by two at once.
    turns: Arc<Semaphore>,
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespaces").field(&*self.lock()).finish()
    }
}

impl Namespaces {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            expected: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE as usize)),
        }
    }

    /// Notes a namespace that is about to be made.
    pub(crate) fn expect(&self, url: &StoreUrl) {
        self.lock().push(url.clone());
    }

    /// Removes one that is noted, whose stores are closed; it stays noted if that fails.
    pub(crate) async fn remove(&self, url: &StoreUrl) -> Result<()> {
        let _turn = self.turns.acquire().await;
        if self.lock().contains(url) {
            self.remove_now(url).await?;
        }
        Ok(())
    }

    /// Removes all that are noted; says which remain.
    pub(super) async fn remove_all(&self) -> Option<String> {
        let _all_turns = self.turns.acquire_many(AT_ONCE).await;
        let mut waiting = self.lock().clone();
        let mut removals = JoinSet::new();
        let mut problem = None;
        loop {
            while removals.len() < AT_ONCE as usize
                && let Some(url) = waiting.pop()
            {
                let namespaces = self.clone();
                removals.spawn(async move { namespaces.remove_now(&url).await });
            }
            match removals.join_next().await {
                None => break,
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => problem = Some(error.to_string()),
                Some(Err(error)) => problem = Some(error.to_string()),
            }
        }
        self.remaining(&problem?)
    }

    /// Says which are noted still, why, and how to remove them.
    pub(crate) fn remaining(&self, problem: &str) -> Option<String> {
        let expected = self.lock();
        let names: Vec<_> = expected.iter().map(name).collect();
        let (what, cascade) = match expected.first()? {
            url if is_redis(url) => return Some(remaining_on_redis(&names, problem)),
            url if matches!(url.scheme(), "mysql" | "mariadb") => ("DATABASE", ""),
            _ => ("SCHEMA", " CASCADE"),
        };
        let drop = |name: &String| format!("DROP {what} IF EXISTS {name}{cascade};");
        let statements: Vec<_> = names.iter().map(drop).collect();
        Some(format!(
            "of the namespaces on the server these may remain: {} ({problem}). This removes them: {}",
            names.join(", "),
            statements.join(" ")
        ))
    }

    async fn remove_now(&self, url: &StoreUrl) -> Result<()> {
        self.registry.remove(url).await?;
        self.lock().retain(|other| other != url);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<StoreUrl>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The command is for redis-cli, and for an account that may look for keys.
fn remaining_on_redis(names: &[String], problem: &str) -> String {
    format!(
        "of the namespaces on Redis these may remain: {} ({problem}). This removes them, on each \
         master: EVAL \"{UNLINK}\" 0 {}",
        names.join(", "),
        names.join(" ")
    )
}

fn name(url: &StoreUrl) -> String {
    let name = url.options().text("namespace");
    name.map(|name| name.to_string()).unwrap_or_default()
}
