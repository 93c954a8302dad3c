//! Random secrets and audit ids: the only place that asks the system for randomness.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::{Error, ErrorKind, Result, Text, TokenSecret};

/// The letters of a minted secret after its prefix: 32 bytes in base64.
pub(crate) const MINTED_LEN: usize = 43;

/// A new secret: the prefix, then 32 random bytes in URL-safe base64 without padding.
pub(crate) fn secret(prefix: &str) -> Result<TokenSecret> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(&mut *bytes)?;
    let mut letters = Zeroizing::new([0; MINTED_LEN]);
    encode(&*bytes, &mut *letters)?;
    // Made at its full length at once: a string that grows leaves copies behind.
    let mut text = String::with_capacity(prefix.len() + MINTED_LEN);
    text.push_str(prefix);
    text.push_str(std::str::from_utf8(&*letters).map_err(internal)?);
    Ok(TokenSecret::new(text))
}

/// A new audit id: 16 random bytes in URL-safe base64 without padding, as Keystone's.
pub(crate) fn audit_id() -> Result<Text> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Text::new("audit_id", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn encode(bytes: &[u8], letters: &mut [u8]) -> Result<()> {
    BASE64_URL_SAFE_NO_PAD
        .encode_slice(bytes, letters)
        .map(|_| ())
        .map_err(internal)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that mints secrets"
)]
fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "the system gives no random bytes").with_source(error)
    })
}

fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "minting a secret failed").with_source(cause)
}
