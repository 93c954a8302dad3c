//! Level concurrency: calls at the same time, as tasks on a runtime with more than one thread.

mod at_once;
mod bulk;
mod crowd;
mod cut;
mod dropped;
mod families;
mod feed;
mod flush;
mod handles;
mod histories;
mod moments;
mod paging;
mod replaces;
mod turns;
mod winners;

use crate::case::Case;

/// The lists of this level's files.
pub(crate) const FILES: &[&[Case]] = &[
    winners::CASES,
    handles::CASES,
    replaces::CASES,
    bulk::CASES,
    families::CASES,
    paging::CASES,
    feed::CASES,
    flush::CASES,
    dropped::CASES,
    histories::CASES,
    turns::CASES,
    crowd::CASES,
];
