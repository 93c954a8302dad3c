//! Level contract: what calls in a row show.

mod create;
mod create_many;
mod cursors;
mod data;
mod delete;
mod delete_tokens;
mod expiry;
mod filters;
mod flush;
mod indexes;
mod list;
mod list_revoked;
mod namespaces;
mod replace;
mod rotate;
mod second_handle;
mod secrets;
mod store_info;
mod text;

use crate::case::Case;

/// The lists of this level's files.
pub(crate) const FILES: &[&[Case]] = &[
    create::CASES,
    delete::CASES,
    delete_tokens::CASES,
    filters::CASES,
    list::CASES,
    list_revoked::CASES,
    replace::CASES,
    rotate::CASES,
    flush::CASES,
    create_many::CASES,
    store_info::CASES,
    expiry::CASES,
    cursors::CASES,
    indexes::CASES,
    data::CASES,
    text::CASES,
    second_handle::CASES,
    namespaces::CASES,
    secrets::CASES,
    crate::model::CASES,
];
