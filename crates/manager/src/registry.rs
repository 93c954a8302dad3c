//! Which backend a URL's scheme stands for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::url::is_scheme;
use crate::{Clock, Result, SchemaStatus, StoreUrl, TokenDriver, builtin, config_error};

/// Opens stores of one kind from URLs.
///
/// Any `async fn(StoreUrl, Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>>` is one.
///
/// # For implementors
///
/// Take the options you know from [`StoreUrl::options`] and call
/// [`finish`](crate::UrlOptions::finish), so that a misspelt one is refused. Give the clock to the
/// driver: it is the only source of *now* (see [`TokenDriver`]).
#[async_trait]
pub trait StoreFactory: Send + Sync + 'static {
    /// Opens the store that the URL names.
    ///
    /// # Errors
    ///
    /// `Config` if the URL makes no sense or what it names is not usable, `Unavailable` if the store
    /// does not answer or is in use elsewhere, `Corrupt` if it is damaged.
    ///
    /// # Cancel safety
    ///
    /// A new store may have been made, or not.
    async fn open(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>>;

    /// Looks at the schema of the store that the URL names, and changes nothing; `None` where stores
    /// of this kind have no schema, which is the default.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `Config` too for a schema that is newer than this program.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    async fn schema(&self, _url: &StoreUrl) -> Result<Option<SchemaStatus>> {
        Ok(None)
    }

    /// Brings the schema of the store that the URL names to the newest, and makes the store if it is
    /// not there; `None` where stores of this kind have no schema, which is the default.
    ///
    /// # Errors
    ///
    /// As [`schema`](Self::schema). Steps that were applied before the error stay applied.
    ///
    /// # Cancel safety
    ///
    /// Each step is applied or not; a later call applies the rest.
    async fn migrate(
        &self,
        _url: &StoreUrl,
        _clock: Arc<dyn Clock>,
    ) -> Result<Option<SchemaStatus>> {
        Ok(None)
    }

    /// Removes the store that the URL names with every token in it; a store that is not there is
    /// removed already.
    ///
    /// # Errors
    ///
    /// `Config` where stores of this kind are not removed by URL, which is the default; else as
    /// [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// A later call removes what is left.
    async fn remove(&self, url: &StoreUrl) -> Result<()> {
        Err(url.fault("names a store of a kind that is not removed by its URL"))
    }
}

#[async_trait]
impl<F, Opened> StoreFactory for F
where
    F: Fn(StoreUrl, Arc<dyn Clock>) -> Opened + Send + Sync + 'static,
    Opened: Future<Output = Result<Arc<dyn TokenDriver>>> + Send,
{
    async fn open(&self, url: &StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
        self(url.clone(), clock).await
    }
}

/// The backends that a program knows, by the scheme of their URLs. A value: programs may have
/// several, and nothing is registered behind their backs.
///
/// # Examples
///
/// A backend of one's own joins in one line:
///
/// ```
/// use std::sync::Arc;
/// use tokenkeep::{Clock, MemoryDriver, Registry, Result, StoreUrl, SystemClock, TokenDriver};
///
/// async fn open_mine(url: StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
///     url.options().finish()?;
///     Ok(Arc::new(MemoryDriver::new(clock)))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let mut registry = Registry::builtin();
/// registry.register("mine", open_mine)?;
/// let driver = registry.open(&"mine:anywhere".parse()?, Arc::new(SystemClock)).await?;
/// # driver.check().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<String, Arc<dyn StoreFactory>>,
}

impl Registry {
    /// A registry without backends.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The backends that are compiled in; the README has the table of their URLs.
    #[must_use]
    pub fn builtin() -> Self {
        let factories = builtin::factories().into_iter();
        Self {
            factories: factories
                .map(|(scheme, factory)| (scheme.to_owned(), factory))
                .collect(),
        }
    }

    /// Adds a backend.
    ///
    /// # Errors
    ///
    /// `Config` if the scheme is taken, or is not a lower-case letter followed by lower-case letters,
    /// digits, `+`, `-` and `.`.
    pub fn register(&mut self, scheme: &str, factory: impl StoreFactory) -> Result<()> {
        if !is_scheme(scheme) {
            return Err(config_error(format!(
                "scheme `{scheme}` is not a lower-case letter followed by lower-case letters, digits, \
                 `+`, `-` or `.`"
            )));
        }
        if self.factories.contains_key(scheme) {
            return Err(config_error(format!("scheme `{scheme}` is taken")));
        }
        self.factories.insert(scheme.to_owned(), Arc::new(factory));
        Ok(())
    }

    /// The schemes known, in alphabetical order.
    #[must_use]
    pub fn schemes(&self) -> Vec<&str> {
        self.factories.keys().map(String::as_str).collect()
    }

    /// Checks that a URL's scheme is known, and nothing else of it.
    ///
    /// # Errors
    ///
    /// `Config` for an unknown scheme, naming the known ones.
    pub fn check_scheme(&self, url: &StoreUrl) -> Result<()> {
        self.factory(url).map(drop)
    }

    /// Opens the store that a URL names.
    ///
    /// # Errors
    ///
    /// `Config` for an unknown scheme, naming the known ones; else as [`StoreFactory::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`StoreFactory::open`].
    pub async fn open(
        &self,
        url: &StoreUrl,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn TokenDriver>> {
        self.factory(url)?.open(url, clock).await
    }

    /// Looks at the schema of the store that a URL names, as [`StoreFactory::schema`].
    ///
    /// # Errors
    ///
    /// `Config` for an unknown scheme, naming the known ones; else as [`StoreFactory::schema`].
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub async fn schema(&self, url: &StoreUrl) -> Result<Option<SchemaStatus>> {
        self.factory(url)?.schema(url).await
    }

    /// Brings the schema of the store that a URL names to the newest, as [`StoreFactory::migrate`].
    ///
    /// # Errors
    ///
    /// `Config` for an unknown scheme, naming the known ones; else as [`StoreFactory::migrate`].
    ///
    /// # Cancel safety
    ///
    /// As [`StoreFactory::migrate`].
    pub async fn migrate(
        &self,
        url: &StoreUrl,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<SchemaStatus>> {
        self.factory(url)?.migrate(url, clock).await
    }

    /// Removes the store that a URL names with every token in it, as [`StoreFactory::remove`].
    ///
    /// # Errors
    ///
    /// `Config` for an unknown scheme, naming the known ones; else as [`StoreFactory::remove`].
    ///
    /// # Cancel safety
    ///
    /// As [`StoreFactory::remove`].
    pub async fn remove(&self, url: &StoreUrl) -> Result<()> {
        self.factory(url)?.remove(url).await
    }

    fn factory(&self, url: &StoreUrl) -> Result<&dyn StoreFactory> {
        let factory = self.factories.get(url.scheme()).ok_or_else(|| {
            config_error(format!(
                "store URL has an unknown scheme `{}`; the known ones are: {}",
                url.scheme(),
                self.schemes().join(", ")
            ))
        })?;
        Ok(&**factory)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.schemes()).finish()
    }
}
