//! What a case works with: its store, its clock, and records to store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokenkeep_core::{Clock, ManualClock, Timestamp, TokenDriver, TokenId, TokenRecord};

use crate::backend::{Backend, Store};
use crate::case::CaseInfo;
use crate::check::{Check, Failure, chain, step};
use crate::digest::digest;

/// The instant at which every case begins: 2030-01-02T03:04:05.678901Z, so that each part of it
/// that a store might lose is there to be lost.
const BEGINNING: i64 = 1_893_553_445_678_901;

/// How long a token made by [`Context::record`] lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3_600);

/// The least step of time.
pub(crate) const TICK: Duration = Duration::from_micros(1);

/// What one case is run with. The store is the case's own.
pub(crate) struct Context {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Box<dyn Store>,
    backend: Arc<dyn Backend>,
    case: &'static CaseInfo,
    minted: AtomicU64,
}

impl Context {
    pub(crate) async fn open(backend: Arc<dyn Backend>, case: &'static CaseInfo) -> Check<Self> {
        let beginning = Timestamp::from_micros("beginning", BEGINNING)?;
        let clock = Arc::new(ManualClock::new(beginning));
        let store = open_store(&*backend, case, &clock).await?;
        Ok(Self {
            clock,
            store,
            backend,
            case,
            minted: AtomicU64::new(0),
        })
    }

    /// The store's present handle.
    pub(crate) fn driver(&self) -> Arc<dyn TokenDriver> {
        self.store.driver()
    }

    /// Another empty store of the same backend, with the same clock.
    pub(crate) async fn other_store(&self) -> Check<Box<dyn Store>> {
        open_store(&*self.backend, self.case, &self.clock).await
    }

    /// The case's context as it was in the beginning: an empty store, and the same instants and ids
    /// once more.
    pub(crate) async fn anew(&self) -> Check<Self> {
        Self::open(Arc::clone(&self.backend), self.case).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// An id that this case has not used yet; the same ones in every run.
    pub(crate) fn new_id(&self) -> TokenId {
        let number = self.minted.fetch_add(1, Ordering::Relaxed);
        digest(format!("{} {number}", self.case.name).as_bytes())
    }

    /// A record for this user, not stored yet: a new id and audit id, issued now, for an hour.
    pub(crate) fn record(&self, user: &str) -> Check<TokenRecord> {
        let id = self.new_id();
        let audit_id = format!("audit-{}", &id.to_string()[..16]);
        let now = self.now();
        let expires_at = now.saturating_add(LIFETIME);
        let record = TokenRecord::new(id, &audit_id, user, now, expires_at)?;
        Ok(record.with_data(format!("data of {audit_id}")))
    }

    /// A record like [`record`](Self::record) makes, with a value at every anchor: `user-TAG`,
    /// `tenant-TAG` and so on.
    pub(crate) fn full_record(&self, tag: &str) -> Check<TokenRecord> {
        let record = self.record(&format!("user-{tag}"))?;
        Ok(record
            .with_tenant(&format!("tenant-{tag}"))?
            .with_domain(&format!("domain-{tag}"))?
            .with_trust(&format!("trust-{tag}"))?
            .with_consumer(&format!("consumer-{tag}"))?
            .with_audit_chain(&format!("chain-{tag}"))?)
    }

    /// Makes records like [`record`](Self::record) in a task that outlives the borrow of this
    /// context; ids differ for different users.
    pub(crate) fn minter(
        &self,
        user: &str,
        tenant: &str,
    ) -> impl Fn() -> Check<TokenRecord> + Send + use<> {
        let (case, user, tenant) = (self.case.name, user.to_owned(), tenant.to_owned());
        let (issued_at, expires_at) = (self.now(), self.now().saturating_add(LIFETIME));
        let minted = AtomicU64::new(0);
        move || {
            let number = minted.fetch_add(1, Ordering::Relaxed);
            let id = digest(format!("{case} {user} {number}").as_bytes());
            let audit_id = format!("audit-{}", &id.to_string()[..16]);
            let record = TokenRecord::new(id, &audit_id, &user, issued_at, expires_at)?;
            Ok(record.with_tenant(&tenant)?.with_data(audit_id))
        }
    }

    /// Stores a record like [`full_record`](Self::full_record) makes.
    #[track_caller]
    pub(crate) fn stored_full(&self, tag: &str) -> impl Future<Output = Check<TokenRecord>> {
        step("stored_full", async move {
            let record = self.full_record(tag)?;
            self.driver().create(record.clone()).await?;
            Ok(record)
        })
    }

    /// Stores a record like [`record`](Self::record) makes.
    #[track_caller]
    pub(crate) fn stored(&self, user: &str) -> impl Future<Output = Check<TokenRecord>> {
        step("stored", async move {
            let record = self.record(user)?;
            self.driver().create(record.clone()).await?;
            Ok(record)
        })
    }
}

async fn open_store(
    backend: &dyn Backend,
    case: &CaseInfo,
    clock: &Arc<ManualClock>,
) -> Check<Box<dyn Store>> {
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let opened = if case.level.is_disturbing() {
        backend.open_alone(clock).await
    } else {
        backend.open(clock).await
    };
    opened.map_err(|error| {
        Failure::new(format!(
            "the backend did not open a store: {}",
            chain(&error)
        ))
    })
}
