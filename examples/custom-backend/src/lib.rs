//! A token store of one file, written against the public API alone.
