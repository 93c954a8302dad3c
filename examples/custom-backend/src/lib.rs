#![doc = include_str!("../README.md")]

mod driver;
mod log;
mod row;
mod state;

use std::sync::Arc;
use std::time::Duration;

pub use driver::FileDriver;
use tokenkeep::{Clock, Result, StoreUrl, TokenDriver};

/// Opens `file:PATH`, with the option `timeout` (default: `5s`): the factory to register.
///
/// # Errors
///
/// `Config` for an unknown option and a path that cannot be used, `Unavailable` if the file is in use
/// elsewhere, `Corrupt` if it is damaged.
///
/// # Cancel safety
///
/// An empty file may have been made.
pub async fn open(url: StoreUrl, clock: Arc<dyn Clock>) -> Result<Arc<dyn TokenDriver>> {
    let path = url.path()?;
    let mut options = url.options();
    let timeout = options
        .duration("timeout")?
        .unwrap_or(Duration::from_secs(5));
    options.finish()?;
    Ok(Arc::new(FileDriver::open(path, timeout, clock).await?))
}
