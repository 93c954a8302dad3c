//! The configuration in effect, and the store that it names.

use std::env;
use std::ffi::OsString;
use std::sync::Arc;

use tokenkeep::{Config, Registry, StoreUrl, SystemClock, TokenDriver, TokenManager};

use crate::args::Global;
use crate::exit::Failure;

/// What stands for `--store` among the variables of the environment, which it goes before.
const STORE_VARIABLE: &str = "TOKENKEEP_STORE__URL";
const STORE_FILE_VARIABLE: &str = "TOKENKEEP_STORE__URL_FILE";

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
            config: Config::load_with(global.config.as_deref(), environment)?,
            registry: Registry::builtin(),
        })
    }

    /// Opens the store below a manager.
    pub(crate) async fn manager(&self) -> Result<TokenManager, Failure> {
        let manager = TokenManager::open(&self.config, &self.registry).await?;
        self.log_opened();
        Ok(manager)
    }

    /// Opens the store, for what needs no secret.
    pub(crate) async fn driver(&self) -> Result<Arc<dyn TokenDriver>, Failure> {
        let url = &self.config.store.url;
        let driver = self.registry.open(url, Arc::new(SystemClock)).await?;
        self.log_opened();
        Ok(driver)
    }

    fn log_opened(&self) {
        // A URL shows without its password.
        tracing::info!(store = %self.config.store.url, "store opened");
    }
}
