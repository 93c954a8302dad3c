//! What stands behind the `?` of a URL.

use zeroize::Zeroizing;

use super::decode;
use super::secrets::is_shown;
use crate::{Error, Result, config_error};

/// Reads the options, in the order given, values still percent-encoded.
pub(super) fn parse(query: &str) -> Result<Vec<(String, Zeroizing<String>)>> {
    if query.is_empty() {
        return Ok(Vec::new());
    }
    if query.contains('@') {
        let problem = "store URL has an `@` among its options, which has to be written %40; if it ends \
                       a password, that password holds a `?`, to be written %3F";
        return Err(config_error(problem));
    }
    let mut options: Vec<(String, Zeroizing<String>)> = Vec::new();
    for option in query.split('&') {
        let (name, value) = option
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| {
                config_error("store URL has an option that is not of the form name=value")
            })?;
        if !is_name(name) {
            return Err(unknown(name));
        }
        if value.is_empty() {
            return Err(config_error(format!(
                "store URL: option `{name}` has no value"
            )));
        }
        if options.iter().any(|(other, _)| other == name) {
            return Err(config_error(format!(
                "store URL: option `{name}` stands twice"
            )));
        }
        decode(value)?;
        options.push((name.to_owned(), Zeroizing::new(value.to_owned())));
    }
    Ok(options)
}

pub(super) fn is_name(text: &str) -> bool {
    let inner = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    !text.is_empty() && text.bytes().all(inner)
}

/// What stands in a name's place may be a piece of a password, and is not shown.
fn unknown(name: &str) -> Error {
    let lower = name.to_ascii_lowercase();
    config_error(if is_shown(&lower) {
        format!("store URL has an unknown option: it is written in lower case, `{lower}`")
    } else {
        "store URL has an option of an unknown name: names have lower-case letters, digits, `_` and \
         `-` only"
            .to_owned()
    })
}
