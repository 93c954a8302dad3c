#![doc = include_str!("../README.md")]

#[doc = include_str!("../contract.md")]
pub mod contract {}

mod clock;
mod driver;
mod error;
mod ext;
mod filter;
mod hex;
mod id;
mod memory;
mod page;
mod record;
mod secret;
mod text;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use driver::{Durability, Flushed, Rotation, StoreInfo, TokenDriver};
pub use error::{Error, ErrorKind, Result};
pub use ext::TokenDriverExt;
pub use filter::{Anchor, TokenFilter};
pub use id::TokenId;
pub use memory::MemoryDriver;
pub use page::{Cursor, Cursors, Page, PageRequest, StoreId};
pub use record::{Limits, Replacement, RevokedToken, TokenRecord, TokenState};
pub use secret::TokenSecret;
pub use text::Text;
