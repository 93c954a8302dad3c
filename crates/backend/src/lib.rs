#![doc = include_str!("../README.md")]

mod attempt;
mod call;
mod failure;
mod tls;

pub use attempt::{read, write};
pub use call::{Call, ENDLESS, NO_ANSWER};
pub use failure::{Cause, Effect, Failure, Outcome, after_a_part};
pub use tls::{Tls, TlsMode, is_socket, is_this_machine};
