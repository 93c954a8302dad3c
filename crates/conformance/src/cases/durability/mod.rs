//! Level durability: what survives when the store is closed or killed, and opened again.
//!
//! No case holds a handle over the end but those with writers: a store that locks its folder could
//! not be opened again.

mod feed;
mod in_flight;
mod indexes;
mod seen;
mod writes;

use crate::case::Case;
use crate::check::Check;
use crate::context::Context;

/// The lists of this level's files.
pub(crate) const FILES: &[&[Case]] = &[
    writes::CASES,
    indexes::CASES,
    feed::CASES,
    in_flight::CASES,
    seen::CASES,
];

/// How the store ends before it is opened again.
#[derive(Clone, Copy)]
enum End {
    Reopen,
    Kill,
}

impl End {
    async fn of(self, ctx: &mut Context) -> Check {
        match self {
            Self::Reopen => ctx.store.reopen().await?,
            Self::Kill => ctx.store.kill().await?,
        }
        Ok(())
    }
}
