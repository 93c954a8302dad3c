//! What the author of a backend gives to the suite.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_core::{Clock, Error, ErrorKind, Result, TokenDriver};

/// Opens empty stores: one for each case, and a few more where a case compares two.
///
/// Usually made by [`from_fn`].
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Opens a new, empty store that nothing else uses, with this clock.
    ///
    /// # Behavior
    ///
    /// - Called on the runtime of the case; many cases run at once.
    /// - The store's driver asks this clock for the time and no other.
    ///
    /// # Errors
    ///
    /// Any: the case then fails and shows it.
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>>;

    /// Opens a store as [`open`](Self::open) does, whose backend no other store shares: the case may
    /// freeze, kill, stop and lock it without disturbing others. By default the same as `open`.
    ///
    /// # Behavior
    ///
    /// - Called for the cases of the levels durability and faults.
    ///
    /// # Errors
    ///
    /// As `open`.
    async fn open_alone(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        self.open(clock).await
    }
}

/// A [`Backend`] made of a function that opens a store.
///
/// The function returns an [`Owned`], or a boxed [`Store`] of the author's own.
///
/// # Examples
///
/// ```
/// use tokenkeep_conformance::{Owned, Suite, from_fn};
/// use tokenkeep_core::MemoryDriver;
///
/// let backend = from_fn(|clock| async move { Ok(Owned::new(MemoryDriver::new(clock))) });
/// let suite = Suite::new("memory", backend);
/// ```
pub fn from_fn<F, Fut, S>(open: F) -> impl Backend
where
    F: Fn(Arc<dyn Clock>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<S>> + Send + 'static,
    S: Into<Box<dyn Store>>,
{
    FromFn(open)
}

struct FromFn<F>(F);

#[async_trait]
impl<F, Fut, S> Backend for FromFn<F>
where
    F: Fn(Arc<dyn Clock>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<S>> + Send + 'static,
    S: Into<Box<dyn Store>>,
{
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        (self.0)(clock).await.map(Into::into)
    }
}

/// One store that one case owns; dropping it cleans up.
///
/// All but [`driver`](Self::driver) are hooks, which some cases need. A hook that is not offered
/// makes these cases fail with a text that says what to do: offer it, or decline the case by name
/// and give the reason.
#[async_trait]
pub trait Store: Send + Sync {
    /// The present handle: another one after [`reopen`](Self::reopen) and [`kill`](Self::kill).
    fn driver(&self) -> Arc<dyn TokenDriver>;

    /// Gives another handle on the same store, as a second node would have it (R4).
    ///
    /// # Errors
    ///
    /// By default that the hook is not offered, as for all hooks below.
    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        Err(not_offered("second_handle"))
    }

    /// Opens an empty driver in another namespace of the same server or folder, with the same
    /// clock (R18).
    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        Err(not_offered("neighbour"))
    }

    /// Gives every byte that the store keeps, as it keeps them: its files or a full dump (R20).
    ///
    /// The case looks for something that has to be there as well, so that an empty answer does not
    /// pass.
    async fn contents(&self) -> Result<Vec<u8>> {
        Err(not_offered("contents"))
    }

    /// Level durability: closes the store in the orderly way and opens it again.
    ///
    /// The case holds no other handle then, so a store that locks its folder can be opened.
    async fn reopen(&mut self) -> Result<()> {
        Err(not_offered("reopen"))
    }

    /// Level durability: ends the store as `kill -9` would, and opens what is left.
    ///
    /// Some cases call it while tasks are still writing through handles given out before. What
    /// becomes of those calls does not matter, but none of them writes to the store that was opened.
    async fn kill(&mut self) -> Result<()> {
        Err(not_offered("kill"))
    }

    /// Level faults: the backend stops answering but keeps its connections, as by `SIGSTOP`.
    async fn freeze(&self) -> Result<()> {
        Err(not_offered("freeze"))
    }

    /// Level faults: the frozen backend goes on.
    async fn thaw(&self) -> Result<()> {
        Err(not_offered("thaw"))
    }

    /// Level faults: the backend is gone, its data are kept.
    async fn stop(&self) -> Result<()> {
        Err(not_offered("stop"))
    }

    /// Level faults: the stopped backend is back under the same address.
    async fn start(&self) -> Result<()> {
        Err(not_offered("start"))
    }

    /// Level faults: the backend takes no writes (true), as a standby or a full disk, or takes them
    /// again (false). It answers all the while, and keeps its connections if it can.
    async fn read_only(&self, _on: bool) -> Result<()> {
        Err(not_offered("read_only"))
    }

    /// Level faults: the timeout that the driver was configured with (R16). Default: 10 s.
    fn call_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

fn not_offered(hook: &str) -> Error {
    let advice = format!(
        "the backend does not offer the hook `{hook}`: implement `Store::{hook}`, or decline the \
         case (`Suite::decline_case`) or its level (`Suite::decline_level`) with the reason"
    );
    Error::new(ErrorKind::Config, advice)
}

/// The simplest [`Store`]: drivers that are open already, and whatever must live as long.
pub struct Owned {
    driver: Arc<dyn TokenDriver>,
    second: Option<Arc<dyn TokenDriver>>,
    neighbour: Option<Arc<dyn TokenDriver>>,
    contents: Option<Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>>,
    // Dropped last, after the drivers that use it.
    guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Owned {
    /// A store that is no more than its driver.
    #[must_use]
    pub fn new(driver: impl TokenDriver) -> Self {
        Self {
            driver: Arc::new(driver),
            second: None,
            neighbour: None,
            contents: None,
            guard: None,
        }
    }

    /// Keeps something until the store is dropped: a temporary folder, a server.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// Offers [`Store::second_handle`].
    #[must_use]
    pub fn with_second_handle(mut self, driver: impl TokenDriver) -> Self {
        self.second = Some(Arc::new(driver));
        self
    }

    /// Offers [`Store::neighbour`].
    #[must_use]
    pub fn with_neighbour(mut self, driver: impl TokenDriver) -> Self {
        self.neighbour = Some(Arc::new(driver));
        self
    }

    /// Offers [`Store::contents`].
    #[must_use]
    pub fn with_contents(
        mut self,
        contents: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.contents = Some(Box::new(contents));
        self
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned")
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

impl From<Owned> for Box<dyn Store> {
    fn from(store: Owned) -> Self {
        Box::new(store)
    }
}

#[async_trait]
impl Store for Owned {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::clone(&self.driver)
    }

    async fn second_handle(&self) -> Result<Arc<dyn TokenDriver>> {
        self.second
            .clone()
            .ok_or_else(|| not_offered("second_handle"))
    }

    async fn neighbour(&self) -> Result<Arc<dyn TokenDriver>> {
        self.neighbour
            .clone()
            .ok_or_else(|| not_offered("neighbour"))
    }

    async fn contents(&self) -> Result<Vec<u8>> {
        let contents = self
            .contents
            .as_ref()
            .ok_or_else(|| not_offered("contents"))?;
        contents()
    }
}
