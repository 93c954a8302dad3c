//! Opaque tokens on any store: chosen by a URL, issued, validated, revoked and flushed.
