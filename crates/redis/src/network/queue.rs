//! Writes that wait to be sent with others.

use std::collections::VecDeque;
use std::time::Instant;

use redis::{Arg, Cmd};
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::ErrorKind;
use tokio::sync::oneshot;

use super::replies::Answer;

/// The most writes of a group.
const MOST_WRITES: usize = 256;

/// The size at which a group is full.
const MOST_BYTES: usize = 1 << 20;

/// How many writes wait at the most, and how large they are together.
const MOST_WAITING: usize = 16_384;
const MOST_WAITING_BYTES: usize = 64 << 20;

/// Writes in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Write>,
    bytes: usize,
    next: u64,
}

/// One write, and who waits for its outcome.
#[derive(Debug)]
pub(super) struct Write {
    number: u64,
    bytes: usize,
    pub(super) command: Cmd,
    pub(super) deadline: Instant,
    pub(super) done: oneshot::Sender<Outcome<Answer>>,
}

impl Queue {
    /// Gives the number by which the write can be [taken out](Self::remove).
    pub(super) fn push(
        &mut self,
        command: Cmd,
        deadline: Instant,
        done: oneshot::Sender<Outcome<Answer>>,
    ) -> Outcome<u64> {
        let bytes = size(&command);
        if self.waiting.len() >= MOST_WAITING || self.bytes + bytes > MOST_WAITING_BYTES {
            let problem = "too many writes wait to be acknowledged";
            return Err(Failure::refused(ErrorKind::Unavailable, problem));
        }
        let number = self.next;
        self.next += 1;
        self.bytes += bytes;
        self.waiting.push_back(Write {
            number,
            bytes,
            command,
            deadline,
            done,
        });
        Ok(number)
    }

    /// Takes a write out for which nobody waits any more, unless it was sent.
    pub(super) fn remove(&mut self, number: u64) {
        let place = self
            .waiting
            .binary_search_by_key(&number, |write| write.number);
        if let Ok(place) = place
            && let Some(write) = self.waiting.remove(place)
        {
            self.bytes -= write.bytes;
        }
    }

    /// What is to be sent now.
    pub(super) fn next_group(&mut self) -> Vec<Write> {
        let mut bytes = 0;
        let fitting = self.waiting.iter().take(MOST_WRITES).take_while(|write| {
            let has_room = bytes < MOST_BYTES;
            bytes += write.bytes;
            has_room
        });
        let count = fitting.count();
        let group: Vec<_> = self.waiting.drain(..count).collect();
        self.bytes -= group.iter().map(|write| write.bytes).sum::<usize>();
        group
    }
}

fn size(command: &Cmd) -> usize {
    let size = |argument: Arg<&[u8]>| match argument {
        Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    };
    command.args_iter().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut Queue, bytes: usize) -> Outcome<u64> {
        let mut command = redis::cmd("SET");
        command.arg(vec![0; bytes - 3]);
        queue.push(command, Instant::now(), oneshot::channel().0)
    }

    #[test]
    fn groups_are_as_large_as_they_may_be_and_no_larger() {
        let mut queue = Queue::default();
        for _ in 0..300 {
            push(&mut queue, 10).unwrap();
        }
        assert_eq!(queue.next_group().len(), MOST_WRITES);
        assert_eq!(queue.next_group().len(), 300 - MOST_WRITES);
        for _ in 0..3 {
            push(&mut queue, MOST_BYTES).unwrap();
        }
        assert_eq!(queue.next_group().len(), 1);
        assert_eq!(queue.next_group().len(), 1);
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_taken_out_makes_room() {
        let mut queue = Queue::default();
        let part = MOST_WAITING_BYTES / 4;
        let numbers: Vec<_> = (0..4).map(|_| push(&mut queue, part).unwrap()).collect();
        assert!(push(&mut queue, 10).is_err());
        queue.remove(numbers[2]);
        queue.remove(numbers[2]);
        assert!(push(&mut queue, part).is_ok());
        assert!(push(&mut queue, 10).is_err());
        assert_eq!(queue.next_group().len(), 1);
        queue.remove(numbers[0]);
        assert!(push(&mut queue, part).is_ok());
        let mut queue = Queue::default();
        assert!((0..MOST_WAITING).all(|_| push(&mut queue, 10).is_ok()));
        assert!(push(&mut queue, 10).is_err());
    }
}
