//! The URL that selects and configures a store.

mod query;
mod secrets;
mod server;
mod servers;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

pub(crate) use self::secrets::is_secret;
pub use self::server::ServerAddress;
pub use self::servers::ServerList;
use crate::{Error, Result, UrlOptions, config_error};

/// What stands in the place of a password wherever a URL is shown.
const MASK: &str = "***";

/// What would be taken for a part of the URL's own form where a path or a value stands.
const RESERVED: &AsciiSet = &CONTROLS.add(b'#').add(b'?').add(b'%').add(b'&').add(b'@');

/// Selects and configures a store: `scheme:rest?option=value&option=value`.
///
/// # Behavior
///
/// - Everything after the scheme is percent-encoded where it has to be; `+` is a plus. `#`, control
///   characters and, after the `?`, `@` have to be encoded, so that no part of a password is ever
///   taken for something else.
/// - A password (`user:password@host`) shows as `***` in `Display`, `Debug` and serialised form, and
///   never in an error; so does the value of every option that is not known to be harmless. Where the
///   scheme was forgotten, `user:password@host` is masked as well.
/// - The scheme is shown and compared in lower case.
///
/// # Examples
///
/// ```
/// use tokenkeep::StoreUrl;
///
/// let url: StoreUrl = "postgres://ada:s3cret@db/tokens?pool_size=4".parse()?;
/// assert_eq!(url.scheme(), "postgres");
/// assert_eq!(url.to_string(), "postgres://ada:***@db/tokens?pool_size=4");
/// # Ok::<(), tokenkeep::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    scheme: String,
    rest: Zeroizing<String>,
    /// In the order given, values still percent-encoded.
    options: Vec<(String, Zeroizing<String>)>,
}

impl StoreUrl {
    /// The store of a program that was told nothing: `sled:./tokenkeep-data`.
    pub(crate) fn default_store() -> Self {
        Self {
            scheme: "sled".to_owned(),
            rest: Zeroizing::new("./tokenkeep-data".to_owned()),
            options: Vec::new(),
        }
    }

    /// The scheme, which names the backend, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme's `:` and the `?`, as it was given. May hold a password.
    #[must_use]
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// The file or folder that the URL names, with percent-encoding undone.
    ///
    /// `sled:a/b` and `sled:./a/b` are relative, `sled:/a/b` and `sled:///a/b` absolute.
    ///
    /// # Errors
    ///
    /// `Config` if there is no path, or a host before it.
    pub fn path(&self) -> Result<PathBuf> {
        let path = match self.rest.strip_prefix("//") {
            Some(absolute) if absolute.starts_with('/') => absolute,
            Some(_) => {
                let problem = "names a host where only a path is possible; an absolute path has one \
                               slash or three";
                return Err(self.fault(problem));
            }
            None => &self.rest,
        };
        if path.is_empty() {
            return Err(self.fault("names no path"));
        }
        Ok(PathBuf::from(decode(path)?.as_str()))
    }

    /// The options, for a factory to take one by one.
    pub fn options(&self) -> UrlOptions {
        let options = self.options.iter();
        UrlOptions::new(
            &self.scheme,
            options
                .map(|(name, value)| (name.clone(), decode(value).unwrap_or_default()))
                .collect(),
        )
    }

    /// The same URL for another file or folder.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    /// use tokenkeep::StoreUrl;
    ///
    /// let url: StoreUrl = "sled:here?namespace=a".parse()?;
    /// let url = url.with_path(Path::new("/100%/a?b"))?.with_option("namespace", "b&c")?;
    /// assert_eq!(url.to_string(), "sled:/100%25/a%3Fb?namespace=b%26c");
    /// assert_eq!(url.path()?, Path::new("/100%/a?b"));
    /// assert_eq!(url.options().text("namespace").as_deref().map(String::as_str), Some("b&c"));
    /// # Ok::<(), tokenkeep::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Config` if the path is empty, not UTF-8, or contains a control character.
    pub fn with_path(mut self, path: &Path) -> Result<Self> {
        let text = path
            .to_str()
            .filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
            .ok_or_else(|| self.fault("cannot name this path: it is empty or no plain text"))?;
        // Two slashes at the beginning would be read as a host's.
        let host = if text.starts_with("//") { "//" } else { "" };
        self.rest = Zeroizing::new(format!("{host}{}", utf8_percent_encode(text, RESERVED)));
        Ok(self)
    }

    /// The same URL with this option set, in the place of any earlier value.
    ///
    /// # Errors
    ///
    /// `Config` if the name is not of lower-case letters, digits, `_` and `-`, or the value is empty.
    pub fn with_option(mut self, name: &str, value: &str) -> Result<Self> {
        if !query::is_name(name) || value.is_empty() {
            return Err(self.fault(format_args!(
                "cannot have an option `{name}` with this value"
            )));
        }
        let value = Zeroizing::new(utf8_percent_encode(value, RESERVED).to_string());
        self.options.retain(|(other, _)| other != name);
        self.options.push((name.to_owned(), value));
        Ok(self)
    }

    /// The same URL without this option.
    #[must_use]
    pub fn without_option(mut self, name: &str) -> Self {
        self.options.retain(|(other, _)| other != name);
        self
    }

    /// Tells whether the URL holds a password: before its host, or in an option whose name says so,
    /// such as `pwd` or `api_key`.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password().is_some() || self.options.iter().any(|(name, _)| is_secret(name))
    }

    /// An error about this URL that names its scheme.
    pub(crate) fn fault(&self, problem: impl fmt::Display) -> Error {
        config_error(format!("store URL `{}:` {problem}", self.scheme))
    }

    /// Where the password lies in `rest`.
    fn password(&self) -> Option<std::ops::Range<usize>> {
        secrets::password_in(&self.scheme, &self.rest)
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    /// `Config` for anything of another shape; the message shows no part that may be a password.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |problem: &str| config_error(format!("store URL {problem}"));
        if text.chars().any(char::is_control) {
            return Err(fault("contains a control character"));
        }
        if text.contains('#') {
            return Err(fault("contains a `#`, which has to be written %23"));
        }
        let (scheme, after) = text
            .split_once(':')
            .ok_or_else(|| fault("has no scheme; it looks like sled:./tokenkeep-data"))?;
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return Err(fault(
                "has a scheme that is not a letter followed by letters, digits, `+`, `-` or `.`",
            ));
        }
        let (rest, query) = after.split_once('?').unwrap_or((after, ""));
        decode(rest)?;
        Ok(Self {
            scheme,
            rest: Zeroizing::new(rest.to_owned()),
            options: query::parse(query)?,
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        match self.password() {
            Some(at) => write!(
                f,
                "{}{MASK}{}",
                &self.rest[..at.start],
                &self.rest[at.end..]
            )?,
            None => f.write_str(&self.rest)?,
        }
        for (index, (name, value)) in self.options.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            let value = if secrets::is_shown(name) { value } else { MASK };
            write!(f, "{mark}{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl Serialize for StoreUrl {
    /// The password is masked.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        text.parse()
            .map_err(|error: Error| serde::de::Error::custom(error.message()))
    }
}

/// A lower-case letter, then lower-case letters, digits, `+`, `-` and `.`.
pub(crate) fn is_scheme(text: &str) -> bool {
    let inner = |letter: u8| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(inner)
}

/// Undoes percent-encoding; refuses a `%` without two hexadecimal digits, and what is not UTF-8.
fn decode(text: &str) -> Result<Zeroizing<String>> {
    let mut parts = text.split('%');
    parts.next();
    let is_hex = |part: &str| {
        let digits = part.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !parts.all(is_hex) {
        let problem = "store URL has a `%` that does not begin a percent-encoded letter";
        return Err(config_error(problem));
    }
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| config_error("store URL is not UTF-8 once its percent-encoding is undone"))?;
    if text.contains('\0') {
        return Err(config_error("store URL contains a NUL"));
    }
    Ok(Zeroizing::new(Cow::into_owned(text)))
}
