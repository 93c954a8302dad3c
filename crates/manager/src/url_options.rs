//! The options of a store's URL, taken by name and type.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::url::is_secret;
use crate::{Error, Result, config_error, parse_duration};

/// The options of a [`StoreUrl`](crate::StoreUrl): a factory takes those it knows, then calls
/// [`finish`](Self::finish), which refuses the rest.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tokenkeep::StoreUrl;
///
/// let url: StoreUrl = "file:tokens?timeout=500ms&colour=red".parse()?;
/// let mut options = url.options();
/// assert_eq!(options.duration("timeout")?, Some(Duration::from_millis(500)));
/// assert_eq!(
///     options.finish().unwrap_err().message(),
///     "store URL `file:` has an unknown option `colour`; the known ones are: timeout"
/// );
/// # Ok::<(), tokenkeep::Error>(())
/// ```
#[must_use = "finish() refuses options that nobody took"]
pub struct UrlOptions {
    scheme: String,
    untaken: Vec<(String, Zeroizing<String>)>,
    known: Vec<String>,
}

impl UrlOptions {
    pub(crate) fn new(scheme: &str, options: Vec<(String, Zeroizing<String>)>) -> Self {
        Self {
            scheme: scheme.to_owned(),
            untaken: options,
            known: Vec::new(),
        }
    }

    /// Takes an option that is free text.
    pub fn text(&mut self, name: &str) -> Option<Zeroizing<String>> {
        self.known.push(name.to_owned());
        let index = self.untaken.iter().position(|(other, _)| other == name)?;
        Some(self.untaken.swap_remove(index).1)
    }

    /// Takes an option that is a span of time, such as `5s`, `500ms` or `1h 30m`.
    ///
    /// # Errors
    ///
    /// `Config` for any other value.
    pub fn duration(&mut self, name: &str) -> Result<Option<Duration>> {
        self.parse(name, "a duration such as 5s or 500ms", |value| {
            parse_duration(value).ok()
        })
    }

    /// Takes an option that is a whole number, 0 or more.
    ///
    /// # Errors
    ///
    /// `Config` for any other value.
    pub fn integer(&mut self, name: &str) -> Result<Option<u64>> {
        self.parse(name, "a whole number", |value| value.parse().ok())
    }

    /// Takes an option that is one of these words, and gives what the word stands for.
    ///
    /// # Errors
    ///
    /// `Config` for any other value; it lists the words.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.parse(name, &format!("one of: {}", words.join(", ")), |value| {
            let found = choices.iter().find(|(word, _)| *word == value);
            found.map(|(_, meaning)| *meaning)
        })
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    ///
    /// `Config` for an option that was not taken; it names the option and the known ones.
    pub fn finish(self) -> Result<()> {
        let Some((name, _)) = self.untaken.first() else {
            return Ok(());
        };
        let known = if self.known.is_empty() {
            "there are none".to_owned()
        } else {
            format!("the known ones are: {}", self.known.join(", "))
        };
        Err(self.fault(format_args!("has an unknown option `{name}`; {known}")))
    }

    /// An error about this URL, for a factory's own checks; `problem` follows the scheme's name.
    #[must_use]
    pub fn fault(&self, problem: impl fmt::Display) -> Error {
        config_error(format!("store URL `{}:` {problem}", self.scheme))
    }

    fn parse<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        if let Some(parsed) = parse(&value) {
            return Ok(Some(parsed));
        }
        let shown = if is_secret(name) { "***" } else { &value };
        Err(self.fault(format_args!(
            "has an option `{name}` of `{shown}`, which is not {expected}"
        )))
    }
}

impl fmt::Debug for UrlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.untaken.iter().map(|(name, _)| name).collect();
        f.debug_struct("UrlOptions")
            .field("scheme", &self.scheme)
            .field("untaken", &names)
            .finish_non_exhaustive()
    }
}
