//! A connection to a Redis server, for an administrator.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nothing,
    Number(i64),
    Text(Vec<u8>),
    List(Vec<Reply>),
}

impl Reply {
    /// The texts of a list.
    pub(crate) fn into_texts(self) -> Vec<Vec<u8>> {
        let Self::List(entries) = self else {
            return Vec::new();
        };
        entries
            .into_iter()
            .filter_map(|entry| match entry {
                Self::Text(text) => Some(text),
                _ => None,
            })
            .collect()
    }
}

/// As `redis-cli` prints it: a list in lines.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
            Self::List(entries) => entries.iter().enumerate().try_for_each(|(index, entry)| {
                let line = if index == 0 { "" } else { "\n" };
                write!(f, "{line}{entry}")
            }),
        }
    }
}

/// Speaks the protocol over a Unix socket, which has no TLS.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Connects; each answer is waited for no longer than the bound.
    pub(crate) fn open(socket: &Path, user: &str, password: &str, bound: Duration) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .and_then(|stream| {
                stream.set_read_timeout(Some(bound))?;
                stream.set_write_timeout(Some(bound))?;
                Ok(stream)
            })
            .map_err(Error::while_doing(socket.display()))?;
        let mut connection = Self {
            stream: BufReader::new(stream),
        };
        connection.call(&["AUTH", user, password])?;
        Ok(connection)
    }

    /// Executes a command; an answer that is an error is [`Error::Failed`] with its text.
    pub(crate) fn call<T: AsRef<[u8]>>(&mut self, command: &[T]) -> Result<Reply> {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for argument in command {
            let argument = argument.as_ref();
            bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            bytes.extend_from_slice(argument);
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream
            .get_mut()
            .write_all(&bytes)
            .map_err(Error::while_doing("a command"))?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.stream
            .read_line(&mut line)
            .map_err(Error::while_doing("an answer"))?;
        let line = line.trim_end();
        let Some(kind) = line.chars().next() else {
            return Err(Error::failed("the server hung up"));
        };
        let rest = &line[kind.len_utf8()..];
        match kind {
            '+' => Ok(Reply::Text(rest.as_bytes().to_vec())),
            '-' => Err(Error::failed(rest)),
            ':' => number(rest).map(Reply::Number),
            '$' => match usize::try_from(number(rest)?) {
                Ok(length) => self.text(length),
                Err(_) => Ok(Reply::Nothing),
            },
            '*' => match usize::try_from(number(rest)?) {
                Ok(length) => (0..length)
                    .map(|_| self.reply())
                    .collect::<Result<_>>()
                    .map(Reply::List),
                Err(_) => Ok(Reply::Nothing),
            },
            _ => Err(Error::failed(format_args!("the answer {line}"))),
        }
    }

    fn text(&mut self, length: usize) -> Result<Reply> {
        let mut bytes = vec![0; length + 2];
        self.stream
            .read_exact(&mut bytes)
            .map_err(Error::while_doing("an answer"))?;
        bytes.truncate(length);
        Ok(Reply::Text(bytes))
    }
}

fn number(text: &str) -> Result<i64> {
    text.parse()
        .map_err(|_| Error::failed(format_args!("the number {text}")))
}
