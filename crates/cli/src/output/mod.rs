//! What the program answers: tables for people, lines of JSON for programs.

mod listing;
mod progress;
mod records;
mod table;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, Write};

use anstream::AutoStream;
use clap::ValueEnum;
use serde::Serialize;

pub(crate) use listing::Listing;
pub(crate) use progress::Progress;
pub(crate) use records::{
    FullToken, PublicToken, RevokedLine, TOKEN_HEADER, WithCursor, token_row,
};
pub(crate) use table::Table;

/// How answers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people.
    #[default]
    Table,
    /// One JSON object a line, for programs.
    Json,
}

/// Standard output: colour only on a terminal and not under `NO_COLOR`; nothing but the answer.
pub(crate) struct Output {
    format: Format,
    out: BufWriter<AutoStream<io::Stdout>>,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            out: BufWriter::new(anstream::stdout()),
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// Writes one line of text as it is.
    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: impl Display) -> io::Result<()> {
        write!(self.out, "{text}")
    }

    pub(crate) fn table(&mut self, mut table: Table) -> io::Result<()> {
        self.out.write_all(table.render().as_bytes())
    }

    /// Hands on what is buffered: at the end, and wherever a reader waits for it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Tells people something beside the answer, on standard error; programs are told nothing.
    pub(crate) fn note(&mut self, text: impl Display) -> io::Result<()> {
        self.flush()?;
        if !self.is_json() {
            // A note that nobody can read is no reason to fail.
            let _ = writeln!(anstream::stderr(), "{text}");
        }
        Ok(())
    }
}

/// Tells whoever it concerns something beside the answer, on standard error, whatever the format.
pub(crate) fn warn(text: impl Display) {
    // A warning that nobody can read is no reason to fail.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A text from outside, with control characters escaped, so that it can neither break a table nor
/// command a terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if letter.is_control() {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_are_escaped_and_letters_are_not() {
        assert_eq!(printable("Zoë 東京"), "Zoë 東京");
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
    }
}
