//! Brings a namespace's schema to the newest step, and tells how far it is.

mod patience;

use std::time::Duration;

use tokenkeep_backend::{Call, Effect, Failure, Outcome};
use tokenkeep_core::{Clock, Error, ErrorKind, Result};

use crate::options::Migrations;
use crate::schema::{Schema, Step};

/// How far a namespace's schema is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The namespace (R18): a schema, a database or a file.
    pub namespace: String,
    /// Every step that this program knows, oldest first.
    pub steps: Vec<StepStatus>,
}

impl SchemaStatus {
    /// Tells whether every step was applied.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.steps.iter().all(|step| step.applied)
    }
}

/// One step of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepStatus {
    /// Counted from 1.
    pub version: u32,
    /// What the step brings.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
    /// Whether the call that gave this status applied it.
    pub applied_now: bool,
}

/// One look after a namespace's schema.
///
/// Every wait for the database or for other nodes is bounded; a step itself takes as long as the
/// data need, while the database is heard of.
pub(crate) struct Migrator<'a> {
    pub(crate) schema: &'a mut dyn Schema,
    /// The driver's name in errors.
    pub(crate) driver: &'static str,
    pub(crate) namespace: &'a str,
    pub(crate) timeout: Duration,
}

impl Migrator<'_> {
    /// Makes the schema ready for a driver, or refuses it.
    ///
    /// At the newest step it takes one look, no lock and no privilege beyond reading.
    pub(crate) async fn open(mut self, migrations: Migrations, clock: &dyn Clock) -> Result<()> {
        let name = in_call(self.driver, "open");
        match migrations {
            Migrations::Auto => self.bring(clock).await.map(|_| ()).map_err(name),
            Migrations::Check => self.require_newest().await.map_err(name),
        }
    }

    /// Applies what is missing.
    pub(crate) async fn migrate(mut self, clock: &dyn Clock) -> Result<SchemaStatus> {
        let name = in_call(self.driver, "migrate");
        self.bring(clock).await.map_err(name)
    }

    /// Looks only.
    pub(crate) async fn status(mut self) -> Result<SchemaStatus> {
        let name = in_call(self.driver, "schema_status");
        let applied = self.applied().await.map_err(name)?;
        Ok(self.describe(&applied, &[]))
    }

    /// Removes the namespace with all that is in it.
    pub(crate) async fn drop_namespace(self) -> Result<()> {
        let name = in_call(self.driver, "drop_namespace");
        let dropped = within(self.timeout, self.schema.drop_namespace()).await;
        dropped.map_err(writing).map_err(name)
    }

    async fn bring(&mut self, clock: &dyn Clock) -> Result<SchemaStatus> {
        let applied = self.applied().await?;
        if self.missing(&applied).is_empty() {
            return Ok(self.describe(&applied, &[]));
        }
        let locked = within(self.timeout, self.schema.lock()).await;
        locked.map_err(writing)?;
        // Another node may have applied some while this one waited.
        let applied = self.applied().await?;
        let missing = self.missing(&applied);
        let watch = within(self.timeout, self.schema.watch()).await;
        let watch = watch.map_err(writing)?;
        for step in &missing {
            // Where it fails the connection is dropped, which ends the lock too.
            let applying = self.schema.apply(step, clock.now());
            let done = patience::wait(applying, watch.as_deref(), self.timeout).await;
            done.map_err(writing)?;
            tracing::info!(
                namespace = self.namespace,
                version = step.version,
                name = step.name,
                "applied a step of the schema"
            );
        }
        let unlocked = within(self.timeout, self.schema.unlock()).await;
        unlocked.map_err(writing)?;
        Ok(self.describe(&applied, &missing))
    }

    async fn require_newest(&mut self) -> Result<()> {
        let applied = self.applied().await?;
        let missing = self.missing(&applied);
        let Some(first) = missing.first() else {
            return Ok(());
        };
        let newest = self.newest();
        let problem = match first.version {
            1 => format!(
                "there is no store in {}; `tokenkeep migrate` makes one",
                self.namespace
            ),
            version => format!(
                "the schema of {} is at version {}, and this program needs {newest}: run \
                 `tokenkeep migrate`",
                self.namespace,
                version - 1
            ),
        };
        Err(Error::new(ErrorKind::Config, problem))
    }

    /// What was applied; `Config` if that is more than this program knows.
    async fn applied(&mut self) -> Result<Vec<u32>> {
        let applied = within(self.timeout, self.schema.applied()).await;
        let applied = applied.map_err(|failure| failure.into_error(Effect::Reads))?;
        let newest = self.newest();
        match applied.iter().max() {
            Some(found) if *found > newest => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the schema of {} is at version {found}, and this program knows versions up \
                     to {newest}: use a newer program",
                    self.namespace
                ),
            )),
            _ => Ok(applied),
        }
    }

    fn newest(&self) -> u32 {
        self.schema.steps().last().map_or(0, |step| step.version)
    }

    fn missing(&self, applied: &[u32]) -> Vec<&'static Step> {
        let steps = self.schema.steps().iter();
        steps
            .filter(|step| !applied.contains(&step.version))
            .collect()
    }

    fn describe(&self, before: &[u32], now: &[&Step]) -> SchemaStatus {
        let describe = |step: &Step| {
            let applied_now = now.iter().any(|done| done.version == step.version);
            StepStatus {
                version: step.version,
                name: step.name.to_owned(),
                applied: applied_now || before.contains(&step.version),
                applied_now,
            }
        };
        SchemaStatus {
            namespace: self.namespace.to_owned(),
            steps: self.schema.steps().iter().map(describe).collect(),
        }
    }
}

/// Bounds a wait for the database.
async fn within<T>(timeout: Duration, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let call = Call::within(timeout);
    call.sent();
    call.bound(work).await
}

fn writing(failure: Failure) -> Error {
    failure.into_error(Effect::Writes)
}

fn in_call(driver: &'static str, operation: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| error.with_driver(driver).with_operation(operation)
}
