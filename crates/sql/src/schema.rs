//! The schema of a namespace, and the steps that lead to the newest.

use async_trait::async_trait;

use tokenkeep_backend::Outcome;
use tokenkeep_core::Timestamp;

/// One step of a schema: a file of statements in the dialect's migrations folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Counted from 1, without gaps.
    pub(crate) version: u32,
    /// What it brings, as in its file's name.
    pub(crate) name: &'static str,
    /// The statements.
    pub(crate) sql: &'static str,
}

/// Looks after a connection whose server may have fallen silent.
#[async_trait]
pub(crate) trait Watch: Send + Sync {
    /// Asks, on a connection of its own, whether the server still has the session.
    async fn is_there(&self) -> Outcome<bool>;
}

/// One connection that looks after a namespace's schema.
#[async_trait]
pub(crate) trait Schema: Send {
    /// The steps that this program knows, oldest first.
    fn steps(&self) -> &'static [Step];

    /// Reads the versions that were applied, oldest first; none where there is no namespace yet.
    /// Changes nothing and waits for nobody.
    async fn applied(&mut self) -> Outcome<Vec<u32>>;

    /// Makes the namespace if it is not there, and waits until no other node migrates it.
    async fn lock(&mut self) -> Outcome<()>;

    /// Applies a step and notes that it was; cut short anywhere, it can be applied again. Holds the
    /// lock.
    async fn apply(&mut self, step: &Step, now: Timestamp) -> Outcome<()>;

    /// What looks after this connection from another, while a step takes as long as the data need. A
    /// file needs none.
    async fn watch(&mut self) -> Outcome<Option<Box<dyn Watch>>> {
        Ok(None)
    }

    /// Lets other nodes migrate. Dropping the connection does too.
    async fn unlock(&mut self) -> Outcome<()>;

    /// Removes the namespace with all that is in it, while no other node migrates it.
    async fn drop_namespace(&mut self) -> Outcome<()>;
}
