//! What is read from standard input and from files: secrets and token bodies.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use tokenkeep::TokenSecret;

use crate::exit::Failure;

/// The longest input that is read for a secret; whether it is too long to be one is for the
/// manager to say.
const MAX_SECRET: u64 = 64 * 1024;

/// The longest token body that is read; whether the store takes it is for the store to say.
const MAX_BODY: u64 = 16 * 1024 * 1024;

/// Where a token comes from: standard input unless a file is named. Never an argument.
#[derive(Debug, Args)]
pub(crate) struct SecretArgs {
    /// Read the token from this file, not from standard input (`-`)
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    // Here to answer a token on the command line with an advice that does not repeat it.
    #[arg(hide = true)]
    as_argument: Option<String>,
}

impl SecretArgs {
    /// Tells whether a token was given by an option.
    pub(crate) fn is_given(&self) -> bool {
        self.token_file.is_some() || self.as_argument.is_some()
    }

    pub(crate) async fn read(&self) -> Result<TokenSecret, Failure> {
        if self.as_argument.is_some() {
            return Err(Failure::usage(
                "a token is not taken as an argument, where every user of the machine could read \
                 it: give it on standard input or by --token-file",
            ));
        }
        match &self.token_file {
            Some(path) => secret_from(Source::named(path)).await,
            None => secret_from(Source::Stdin).await,
        }
    }
}

/// Where input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    /// The file named, or standard input for `-`.
    pub(crate) fn named(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::Stdin
        } else {
            Self::File(path.to_owned())
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        // Room for a usual secret from the start, so that growing leaves no copies behind.
        let mut bytes = Vec::with_capacity(4_096);
        match self {
            Self::Stdin => io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?,
            Self::File(path) => File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    }

    /// Reads all of it; what is typed ends with its line.
    fn read_secret(&self) -> io::Result<Vec<u8>> {
        if *self != Self::Stdin || !io::stdin().is_terminal() {
            return self.read(MAX_SECRET);
        }
        // Not on standard output, which is for the answer.
        write!(io::stderr(), "token (shown as you type it): ")?;
        let mut bytes = Vec::with_capacity(4_096);
        let mut typed = io::stdin().lock().take(MAX_SECRET + 1);
        typed.read_until(b'\n', &mut bytes)?;
        Ok(bytes)
    }

    /// Waits for what is read, on a thread that may wait.
    async fn read_by(
        self,
        read: fn(&Self) -> io::Result<Vec<u8>>,
        limit: u64,
    ) -> Result<Vec<u8>, Failure> {
        let name = self.name();
        let read = tokio::task::spawn_blocking(move || read(&self)).await;
        let bytes = read
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
        if bytes.len() as u64 > limit {
            return Err(Failure::usage(format!(
                "{name} is longer than {limit} bytes"
            )));
        }
        Ok(bytes)
    }
}

/// Reads a secret: one line, whose end is cut off.
pub(crate) async fn secret_from(source: Source) -> Result<TokenSecret, Failure> {
    let name = source.name();
    let mut bytes = source.read_by(Source::read_secret, MAX_SECRET).await?;
    cut_line_end(&mut bytes);
    let problem = |problem: &str| Failure::usage(format!("the token in {name} {problem}"));
    if bytes.contains(&b'\n') {
        return Err(problem("is not one line"));
    }
    // The error would hold the bytes; it is dropped here.
    let secret = String::from_utf8(bytes).map_err(|_| problem("is no UTF-8"))?;
    Ok(TokenSecret::new(secret))
}

/// Reads a token body as it is.
pub(crate) async fn body_from(source: Source) -> Result<Vec<u8>, Failure> {
    let read = |source: &Source| source.read(MAX_BODY);
    source.read_by(read, MAX_BODY).await
}

fn cut_line_end(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_cut_and_no_more() {
        for (given, kept) in [("a\n", "a"), ("a\r\n", "a"), ("a \n\n", "a \n"), ("a", "a")] {
            let mut bytes = given.as_bytes().to_vec();
            cut_line_end(&mut bytes);
            assert_eq!(bytes, kept.as_bytes());
        }
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Source::named(Path::new("-")), Source::Stdin);
        assert_ne!(Source::named(Path::new("./-")), Source::Stdin);
    }
}
