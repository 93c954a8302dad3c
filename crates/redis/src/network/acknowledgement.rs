//! What a write waits for before it is acknowledged.

use std::time::Duration;

use redis::{Cmd, Value};
use tokenkeep_backend::Failure;

use super::replies::{self, Answer};

/// What a write waits for after the server has executed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// For this many replicas to have it.
    Replicas(u32),
    /// For the server to have it on disk, and for this many replicas too.
    Disk { replicas: u32 },
}

impl Acknowledgement {
    /// The command that waits for all that was sent over its connection before it.
    pub(super) fn command(self, bound: Duration) -> Cmd {
        let (name, local, replicas) = match self {
            Self::Replicas(replicas) => ("WAIT", None, replicas),
            Self::Disk { replicas } => ("WAITAOF", Some(1), replicas),
        };
        // None would be without end.
        let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd(name);
        command.arg(local).arg(replicas).arg(bound);
        command
    }

    /// Whether the answer to that command says that the writes before it are where they have to be.
    pub(super) fn check(self, answer: &Answer) -> Result<(), Failure> {
        let value = answer
            .as_ref()
            .map_err(|error| Failure::lost(replies::text(error)))?;
        let (on_disk, replicas, wanted) = match (self, value) {
            (Self::Replicas(wanted), Value::Int(replicas)) => (true, *replicas, wanted),
            (Self::Disk { replicas: wanted }, Value::Array(counts)) => match counts.as_slice() {
                [Value::Int(local), Value::Int(replicas)] => (*local >= 1, *replicas, wanted),
                _ => return Err(Failure::lost("the server's acknowledgement makes no sense")),
            },
            _ => return Err(Failure::lost("the server's acknowledgement makes no sense")),
        };
        if !on_disk {
            return Err(Failure::lost("the server did not write to disk in time"));
        }
        if replicas < i64::from(wanted) {
            let hint = match replicas {
                0 => "; replicas=0 waits for none",
                _ => "",
            };
            return Err(Failure::lost(format!(
                "{replicas} of replicas={wanted} had the write in time{hint}"
            )));
        }
        Ok(())
    }
}
