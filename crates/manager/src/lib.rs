#![doc = include_str!("../README.md")]

mod builtin;
mod configuration;
mod configuration_layers;
mod digest;
mod durations;
mod flush;
mod flush_metrics;
mod flush_options;
mod manager;
mod mint;
mod options;
mod registry;
mod request;
mod revocations;
mod schema;
mod url;
mod url_options;

pub use configuration::{Config, DigestConfig, StoreConfig};
pub use digest::TokenDigest;
pub use durations::parse_duration;
pub use flush::{FlushStatus, FlushTask, Flusher};
pub use flush_options::FlushOptions;
pub use manager::TokenManager;
pub use options::{ManagerOptions, RevocationListOptions, TokenOptions};
pub use registry::{Registry, StoreFactory};
pub use request::{Expiry, IssueRequest, Issued, RotateOutcome, RotateRequest};
pub use schema::{SchemaStatus, SchemaStep};
pub use tokenkeep_core::*;
pub use url::{ServerAddress, ServerList, StoreUrl};
pub use url_options::UrlOptions;

/// A fault in the configuration, in words that hold no secret.
fn config_error(problem: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, problem)
}
