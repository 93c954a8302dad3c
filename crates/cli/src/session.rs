//! The configuration in effect, and the store that it names.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use tokenkeep::{Config, Registry, StoreUrl, SystemClock, TokenDriver, TokenManager};

use crate::args::Global;
use crate::exit::Failure;

/// What stands for `--store` among the variables of the environment, which it goes before.
const STORE_VARIABLE: &str = "TOKENKEEP_STORE__URL";
const STORE_FILE_VARIABLE: &str = "TOKENKEEP_STORE__URL_FILE";

/// Names the config file where `--config` does not.
const CONFIG_VARIABLE: &str = "TOKENKEEP_CONFIG";

/// The configuration in effect, and the backends that are known.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
}

impl Session {
    /// Reads the config file, if one is named, then the environment, then `--store`.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let mut environment: Vec<(OsString, OsString)> = env::vars_os().collect();
        if let Some(url) = &global.store {
            // Read here as well, so that a fault is told of the option and not of a variable.
            url.parse::<StoreUrl>()?;
            environment.retain(|(name, _)| name != STORE_VARIABLE && name != STORE_FILE_VARIABLE);
            environment.push((STORE_VARIABLE.into(), url.into()));
        }
        Ok(Self {
            config: Config::load_with(config_file(global).as_deref(), environment)?,
            registry: Registry::builtin(),
        })
    }

    /// Opens the store below a manager.
    pub(crate) async fn manager(&self) -> Result<TokenManager, Failure> {
        let options = self.config.manager_options().await?;
        let driver = self.driver().await?;
        Ok(TokenManager::new(driver, Arc::new(SystemClock), options)?)
    }

    /// Opens the store below a manager, or makes it.
    pub(crate) async fn manager_of_new(&self) -> Result<TokenManager, Failure> {
        let manager = TokenManager::open(&self.config, &self.registry).await?;
        self.log_opened();
        Ok(manager)
    }

    /// Opens the store, for what needs no secret.
    pub(crate) async fn driver(&self) -> Result<Arc<dyn TokenDriver>, Failure> {
        let url = self.url_of_existing()?;
        let driver = self.registry.open(&url, Arc::new(SystemClock)).await?;
        self.log_opened();
        Ok(driver)
    }

    /// The store's URL, by which a mistyped one does not become a new store, nor an older program's
    /// store one that it cannot use, unless it says itself what is to be done.
    fn url_of_existing(&self) -> Result<StoreUrl, Failure> {
        let mut url = self.config.store.url.clone();
        let is_set = |url: &StoreUrl, option: &str, to: &str| {
            let given = url.options().text(option);
            given.is_some_and(|given| given.as_str() == to)
        };
        let cautious: &[_] = match url.scheme() {
            // A file that may be made may be given its schema.
            "sqlite" if is_set(&url, "create", "true") => &[],
            "sled" => &[("create", "false")],
            _ if is_redis(&url) => &[("create", "false")],
            "sqlite" => &[("create", "false"), ("migrations", "check")],
            "mariadb" | "mysql" | "postgres" | "postgresql" => &[("migrations", "check")],
            _ => &[],
        };
        for (option, value) in cautious {
            if url.options().text(option).is_none() {
                url = url.with_option(option, value)?;
            }
        }
        Ok(url)
    }

    /// Tells whether the store is part of this process, and so shuts out all others while it is open.
    pub(crate) fn is_embedded(&self) -> bool {
        self.config.store.url.scheme() == "sled"
    }

    fn log_opened(&self) {
        // A URL shows without its password.
        tracing::info!(store = %self.config.store.url, "store opened");
    }
}

/// Tells whether the store is on Redis or Valkey, in whichever form.
pub(crate) fn is_redis(url: &StoreUrl) -> bool {
    let scheme = url.scheme();
    scheme.starts_with("redis") || scheme.starts_with("valkey")
}

/// The config file that is named; a variable that is empty counts as unset.
fn config_file(global: &Global) -> Option<PathBuf> {
    let variable = || env::var_os(CONFIG_VARIABLE).filter(|value| !value.is_empty());
    let named = global.config.clone();
    named.or_else(|| variable().map(PathBuf::from))
}
