//! What is to be executed on a server.

use redis::{Arg, Cmd};
use tokenkeep_backend::Effect;

use super::Slot;
use crate::script::Script;

/// One command, or one run of a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    pub(super) effect: Effect,
    pub(super) slot: Slot,
    pub(super) command: &'a Cmd,
    /// The script that the command runs by its hash.
    pub(super) script: Option<&'a Script>,
}

impl Job<'_> {
    /// What its answer waits for: that of a script whose work may be lost waits for nothing, like a read's.
    pub(super) fn awaited_as(&self) -> Effect {
        match self.script {
            Some(script) if !script.is_kept => Effect::Reads,
            _ => self.effect,
        }
    }
}

/// The command that runs a script by its hash.
pub(super) fn by_hash(script: &Script, key: &[u8], arguments: &[&[u8]]) -> Cmd {
    let size: usize = arguments.iter().map(|argument| argument.len() + 16).sum();
    let mut command = Cmd::with_capacity(4 + arguments.len(), 128 + key.len() + size);
    command.arg("EVALSHA").arg(script.sha()).arg(1).arg(key);
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

/// The same command with the whole script, for a server that does not know it yet.
pub(super) fn in_full(script: &Script, by_hash: &Cmd) -> Cmd {
    let mut command = Cmd::new();
    command.arg("EVAL").arg(script.body());
    for argument in by_hash.args_iter().skip(2) {
        if let Arg::Simple(bytes) = argument {
            command.arg(bytes);
        }
    }
    command
}
